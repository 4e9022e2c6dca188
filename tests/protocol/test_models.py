import datetime as dt
import pickle

import pytest

from payme import Card, Payer, Receipt, ReceiptState, VerifyCode
from payme.protocol.states import PROVES_CANCEL, PROVES_CONFIRM, PROVES_PAY, TRANSITIONS

# The sample of a live test host.
SAMPLE = (
    '{"_id":"63119becc4420cbf2712a24c","create_time":1662098412270,"pay_time":1662098438804,'
    '"cancel_time":0,"state":4,"type":2,"external":false,"operation":-1,"category":null,"error":null,'
    '"description":"","detail":null,"amount":400000,"currency":860,"commission":0,"account":'
    '[{"name":"transaction","title":"Номер чека","value":"2326","main":true}],"card":'
    '{"number":"860006******6311","expire":"9903"},"merchant":{"_id":"5e730e8e0b852a417aa49ceb"},'
    '"meta":{"source":"subscribe"},"processing_id":0}'
).encode()


def test_receipt_reads_the_recorded_sample():
    receipt = Receipt.read(SAMPLE)
    assert receipt.id == "63119becc4420cbf2712a24c"
    assert receipt.state is ReceiptState.PAID
    assert receipt.is_paid
    assert not receipt.is_cancelled
    assert receipt.created_at == dt.datetime(2022, 9, 2, 6, 0, 12, 270000, tzinfo=dt.UTC)
    assert receipt.paid_at.microsecond == 804000
    assert receipt.cancelled_at is None
    assert receipt.account[0].value == "2326"
    assert receipt.card.expire == "9903"


def test_titles_may_be_objects_and_values_numbers_as_in_get_all():
    wire = SAMPLE.replace(
        '"title":"Номер чека","value":"2326"'.encode(),
        '"title":{"ru":"Номер чека","uz":"Chek raqami"},"value":2326'.encode(),
    )
    field = Receipt.read(wire).account[0]
    assert field.title["uz"] == "Chek raqami"
    assert field.value == 2326


def test_raw_is_the_whole_answer_and_survives_pickling_in_its_known_part():
    receipt = Receipt.read(SAMPLE.replace(b'"type":2', b'"type":2,"new":[1]'))
    assert receipt.raw["new"] == [1]
    twin = pickle.loads(pickle.dumps(receipt))
    assert twin == receipt
    assert twin.raw["_id"] == receipt.id


def test_unset_times_may_be_null():
    assert (
        Receipt.read(SAMPLE.replace(b'"cancel_time":0', b'"cancel_time":null')).cancelled_at is None
    )


@pytest.mark.parametrize("state", [5])
def test_held_receipt_is_held(state):
    assert Receipt.read(SAMPLE.replace(b'"state":4', b'"state":5')).is_held


def test_reprs_show_no_secret():
    token = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25"
    card = Card("8600069195406311", "03/99", token, recurrent=True, verify=False)
    code = VerifyCode(sent=True, phone="998901304527", wait=60000)
    payer = Payer(phone="998901304527", name="Aziza")
    wire = SAMPLE.replace(b'"value":"2326"', b'"value":"998901304527"')
    shown = f"{card!r} {code!r} {payer!r} {Receipt.read(wire)!r} {Receipt.read(wire).account}"
    for secret in ("8600069195406311", token, "998901304527", "Aziza"):
        assert secret not in shown


def test_every_state_has_a_row_of_transitions_and_only_cancelled_is_the_end():
    assert set(TRANSITIONS) == set(ReceiptState)
    assert [state for state, after in TRANSITIONS.items() if not after] == [ReceiptState.CANCELLED]


@pytest.mark.parametrize("proving", [PROVES_PAY, PROVES_CONFIRM, PROVES_CANCEL])
def test_created_and_the_queue_for_cancellation_never_prove_anything(proving):
    assert ReceiptState.CREATED not in proving
    assert ReceiptState.CANCEL_QUEUED not in proving
    # From a proving state the only way leads into that queue, whose end proves again.
    for state in proving:
        assert TRANSITIONS[state] <= proving | {ReceiptState.CANCEL_QUEUED}
    assert TRANSITIONS[ReceiptState.CANCEL_QUEUED] <= proving


def test_unknown_number_equals_itself_and_is_no_boolean():
    assert ReceiptState(99) == 99
    assert ReceiptState(99).name == "UNKNOWN_99"
    with pytest.raises(ValueError, match="not a valid"):
        ReceiptState("4")
