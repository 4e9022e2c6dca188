import json

import pytest

from payme.errors import OutcomeUnknown, PaymeError, ProtocolError, Rejected, UnreadableAnswer
from payme.protocol import calls
from payme.protocol.outcome import read_answer, read_untouched
from payme.transport.base import Reply, TransportError

RECEIPT = "63119becc4420cbf2712a24c"
OTHER = "63119303c4420cbf2712a245"
TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGx"
PAY = calls.receipts_pay(RECEIPT, TOKEN)


def reply(**members):
    return Reply(200, json.dumps(members).encode())


def receipt(receipt_id=RECEIPT, **members):
    return {
        "receipt": {
            "_id": receipt_id,
            "state": 4,
            "amount": 1,
            "create_time": 1662098412270,
            **members,
        }
    }


@pytest.mark.parametrize(
    "answer",
    [
        Reply(502, b"<html>Bad Gateway</html>"),
        Reply(504, b""),
        Reply(302, b""),
        Reply(500, b'{"id":7,"result":{}}'),
        Reply(200, b"<html>"),
        reply(id=8, result=receipt()),
        reply(id=7, result={}),
        reply(id=7, result=[]),
        reply(id=7, result={"receipt": {"_id": RECEIPT}}),
        reply(id=7, result=receipt(state="4")),
        reply(id=7, result=receipt(amount=None)),
        reply(id=7, result=receipt(OTHER)),
        reply(result=receipt(OTHER)),
        reply(error={"code": -31630, "message": ""}),
    ],
)
def test_unreadable_answer_to_a_payment_leaves_its_outcome_unknown(answer):
    with pytest.raises(UnreadableAnswer) as unreadable:
        read_answer(PAY, 7, answer)
    assert isinstance(unreadable.value, OutcomeUnknown)
    assert isinstance(unreadable.value, ProtocolError)
    assert unreadable.value.receipt_id == RECEIPT
    assert unreadable.value.sent == "yes"


def test_wrong_shape_names_the_member():
    with pytest.raises(ProtocolError, match=r"\$\.state"):
        read_answer(PAY, 7, reply(id=7, result=receipt(state="paid")))


@pytest.mark.parametrize("members", [{"result": receipt()}, {"id": None, "result": receipt()}])
def test_answer_without_id_is_taken_when_its_receipt_is_the_one_asked_about(members):
    assert read_answer(PAY, 7, reply(**members)).is_paid


def test_answer_without_id_that_shows_nothing_of_ours_is_not_taken():
    with pytest.raises(UnreadableAnswer, match="without id"):
        read_answer(calls.receipts_check(RECEIPT), 7, reply(result={"state": 4}))


def test_answer_to_send_may_lack_the_id_as_in_its_sample():
    assert read_answer(
        calls.receipts_send(RECEIPT, "998901304527"), 7, reply(result={"success": True})
    )


def test_unknown_members_and_states_survive():
    answer = reply(id=7, result=receipt(state=77, invented={"a": 1}))
    got = read_answer(PAY, 7, answer)
    assert got.state == 77
    assert got.state.name == "UNKNOWN_77"
    assert got.raw["invented"] == {"a": 1}


def test_system_error_after_a_payment_keeps_what_payme_said():
    with pytest.raises(OutcomeUnknown, match="-32400 System error") as unknown:
        read_answer(PAY, 7, reply(id=7, error={"code": -32400, "message": "System error."}))
    assert isinstance(unknown.value.__cause__, Rejected)


def test_secrets_that_a_server_echoes_are_not_repeated():
    key = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
    call = calls.cards_verify(TOKEN, "482915")
    html = f"<html>{TOKEN} 482915 {key}</html>".encode()
    echo = {"code": -31103, "message": f"{TOKEN} 482915 {key}", "data": {"token": TOKEN}}
    for answer in (Reply(500, html), Reply(200, html), reply(id=7, error=echo)):
        with pytest.raises(PaymeError) as failed:
            read_answer(call, 7, answer, (key,))
        shown = f"{failed.value!r} {failed.value} {vars(failed.value)}"
        for secret in (TOKEN, "482915", key):
            assert secret not in shown


def test_untouched_answer_is_the_json_that_came():
    body = {"jsonrpc": "2.0", "error": {"code": -31630, "message": "Нет", "data": [1]}, "x": None}
    assert read_untouched(PAY, None, reply(**body)) == body


def test_untouched_answer_for_another_request_is_refused():
    with pytest.raises(UnreadableAnswer):
        read_untouched(PAY, 7, reply(id=8, result=receipt()))


def test_lost_answer_says_what_to_do_next():
    with pytest.raises(OutcomeUnknown, match=r"receipts\.resolve\(error\)") as unknown:
        read_answer(PAY, 7, TransportError("reset", sent=True))
    assert unknown.value.sent == "maybe"
