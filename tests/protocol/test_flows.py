"""Flows without a network: a script of replies, a clock that moves only when a flow sleeps."""

import json
import pickle

import pytest

from payme import flow as driver
from payme.errors import (
    AlreadyPaid,
    NotSent,
    OutcomeUnknown,
    ReceiptCancelled,
    ReceiptNotFound,
    ReceiptRejected,
    Rejected,
    ServiceUnavailable,
    lost_in,
)
from payme.protocol import calls, flows
from payme.protocol.flows import Credentials, Limits, Runtime, Session, Sleep
from payme.protocol.states import ReceiptState
from payme.transport.base import Reply, Request, TransportError

RECEIPT = "63119becc4420cbf2712a24c"
TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGx"
ME = Credentials("5e730e8e0b852a417aa49ceb", "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C")

REFUSED = TransportError("refused", sent=False)
LOST = TransportError("reset", sent=True)


def receipt(state, **members):
    return {"_id": RECEIPT, "state": state, "amount": 5000, "create_time": 1662098412270, **members}


def result(value):
    return lambda request_id: Reply(200, json.dumps({"id": request_id, "result": value}).encode())


def error(code, message=""):
    body = {"code": code, "message": message, "data": None}
    return lambda request_id: Reply(200, json.dumps({"id": request_id, "error": body}).encode())


class Bench:
    """Runs flows against a script and keeps what they did."""

    def __init__(self, *script, latency=0.0):
        self.script = list(script)
        self.latency = latency
        self.now = 1000.0
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self.discarded = 0
        self.ids = iter(range(1, 1000))
        self.runtime = Runtime(lambda: self.now, lambda: next(self.ids), lambda low, high: high)

    def session(self, **limits):
        return Session(ME, Limits(**limits), self.runtime)

    def call(self, call, **limits):
        return driver.run(flows.start(call, self.session(**limits)), self.perform)

    def resolve(self, lost, timeout=30.0, cancel=False):
        session = self.session(max_attempts=1)
        return driver.run(flows.resolve(lost, timeout, session, cancel=cancel), self.perform)

    def wait(self, receipt, timeout=30.0):
        return driver.run(flows.wait(receipt, timeout, self.session(max_attempts=1)), self.perform)

    def perform(self, step):
        if isinstance(step, Sleep):
            self.pauses.append(step.seconds)
            self.now += step.seconds
            return None
        self.requests.append(step)
        self.now += self.latency
        came = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(came, BaseException):
            step.sent = getattr(came, "sent", True)
            raise came
        reply = came(json.loads(step.body)["id"])
        return Reply(reply.status, reply.body, self.discard)

    def discard(self):
        self.discarded += 1

    @property
    def methods(self):
        return [json.loads(request.body)["method"] for request in self.requests]


READ = calls.receipts_get(RECEIPT)
CREATES = calls.receipts_create(5000, {"order_id": 1})
MOVES = calls.receipts_pay(RECEIPT, TOKEN)


@pytest.mark.parametrize("call", [READ, CREATES, MOVES], ids=lambda call: call.effect.name)
def test_what_was_not_sent_is_sent_again(call):
    bench = Bench(REFUSED, REFUSED, result({"receipt": receipt(0)}))
    assert bench.call(call).id == RECEIPT
    assert len(bench.requests) == 3
    assert bench.pauses == [0.1, 0.2]


@pytest.mark.parametrize("call", [READ, CREATES, MOVES], ids=lambda call: call.effect.name)
def test_attempts_end_with_not_sent(call):
    bench = Bench(REFUSED)
    with pytest.raises(NotSent) as failed:
        bench.call(call, max_attempts=4)
    assert len(bench.requests) == 4
    assert failed.value.sent == "no"
    assert failed.value.request_id == 4


@pytest.mark.parametrize("came", [LOST, error(-32400), error(-12345)])
def test_read_is_sent_again_when_its_answer_is_lost_or_unclear(came):
    bench = Bench(came, result({"receipt": receipt(4)}))
    assert bench.call(READ).is_paid
    assert len(bench.requests) == 2


@pytest.mark.parametrize("call", [CREATES, MOVES], ids=lambda call: call.effect.name)
@pytest.mark.parametrize("came", [LOST, error(-32400), error(-12345)])
def test_what_changes_something_is_never_sent_again_on_a_guess(came, call):
    bench = Bench(came)
    with pytest.raises(OutcomeUnknown) as unknown:
        bench.call(call)
    assert len(bench.requests) == 1
    assert unknown.value.receipt_id == call.receipt_id
    assert unknown.value.sent in ("maybe", "yes")


def test_read_that_keeps_failing_raises_what_it_saw_last():
    with pytest.raises(ServiceUnavailable):
        Bench(error(-32400)).call(READ)
    with pytest.raises(OutcomeUnknown):
        Bench(LOST).call(READ)
    with pytest.raises(Rejected) as unknown:
        Bench(error(-12345)).call(READ)
    assert unknown.value.code == -12345


@pytest.mark.parametrize("call", [READ, CREATES, MOVES], ids=lambda call: call.effect.name)
def test_final_refusal_is_not_sent_again(call):
    bench = Bench(error(-31630, "Недостаточно средств на карте"))
    with pytest.raises(Rejected):
        bench.call(call)
    assert len(bench.requests) == 1


def test_connection_of_a_stray_answer_is_given_up():
    def stray(request_id):
        return result({"receipt": receipt(4)})(request_id + 1000)

    bench = Bench(stray, result({"receipt": receipt(4)}))
    assert bench.call(READ).is_paid
    assert bench.discarded == 1
    with pytest.raises(OutcomeUnknown):
        Bench(stray).call(MOVES)


def test_refusal_keeps_the_connection():
    bench = Bench(error(-31630))
    with pytest.raises(Rejected):
        bench.call(MOVES)
    assert bench.discarded == 0


def test_all_attempts_share_one_deadline():
    bench = Bench(REFUSED, latency=0.4)
    with pytest.raises(NotSent):
        bench.call(READ, timeout=1.0, max_attempts=100)
    assert bench.now <= 1001.0
    left = [request.timeout for request in bench.requests]
    assert left[0] == 1.0
    assert left == sorted(left, reverse=True)
    assert all(request.connect_timeout <= request.timeout for request in bench.requests)


def test_each_attempt_has_an_id_of_its_own():
    bench = Bench(REFUSED, REFUSED, result({"receipt": receipt(0)}))
    bench.call(READ)
    assert [json.loads(request.body)["id"] for request in bench.requests] == [1, 2, 3]


@pytest.mark.parametrize(
    ("call", "auth"),
    [
        (calls.cards_create("8600069195406311", "0399"), ME.merchant_id),
        (calls.cards_get_verify_code(TOKEN), ME.merchant_id),
        (calls.cards_verify(TOKEN, "666666"), ME.merchant_id),
        (calls.receipts_pay(RECEIPT, TOKEN), f"{ME.merchant_id}:{ME.key.open()}"),
        (calls.cards_remove(TOKEN), f"{ME.merchant_id}:{ME.key.open()}"),
    ],
)
def test_key_travels_with_server_side_methods_only(call, auth):
    bench = Bench(TransportError("stop", sent=True))
    with pytest.raises(OutcomeUnknown):
        bench.call(call, max_attempts=1)
    assert bench.requests[0].auth == auth


def lost(method="receipts.pay", receipt_id=RECEIPT):
    return OutcomeUnknown("lost", method=method, receipt_id=receipt_id, sent="maybe")


@pytest.mark.parametrize(
    ("method", "proving"),
    [
        ("receipts.pay", {4, 5, 50}),
        ("receipts.confirm_hold", {4, 50}),
        ("receipts.cancel", {50}),
    ],
)
@pytest.mark.parametrize("state", list(ReceiptState))
def test_resolve_stops_at_the_states_that_prove_something_and_no_others(method, proving, state):
    bench = Bench(result({"receipt": receipt(int(state))}))
    if state in proving:
        assert bench.resolve(lost(method)).state == state
        assert bench.methods == ["receipts.get"]
    else:
        with pytest.raises(OutcomeUnknown, match="still unknown"):
            bench.resolve(lost(method), timeout=1)
        assert set(bench.methods) == {"receipts.get"}
        assert len(bench.methods) > 1


def test_state_zero_right_after_a_lost_pay_is_not_taken_for_an_answer():
    bench = Bench(
        result({"receipt": receipt(0)}),
        result({"receipt": receipt(2)}),
        result({"receipt": receipt(4)}),
    )
    assert bench.resolve(lost()).is_paid
    assert len(bench.requests) == 3


def test_resolve_keeps_asking_through_failures():
    bench = Bench(LOST, REFUSED, error(-32400), result({"receipt": receipt(4)}))
    assert bench.resolve(lost()).is_paid


def test_giving_up_means_cancelling_and_seeing_it_cancelled():
    zeros = [result({"receipt": receipt(0)})] * 3
    bench = Bench(*zeros, result({"receipt": receipt(50)}))
    bench.runtime = bench.runtime._replace(uniform=lambda low, high: 0.3)
    assert bench.resolve(lost(), timeout=1.0, cancel=True).state == 50
    assert bench.methods == ["receipts.get"] * 3 + ["receipts.cancel"]


def test_a_cancel_whose_answer_is_lost_is_looked_up():
    zero = result({"receipt": receipt(0)})
    bench = Bench(zero, zero, LOST, LOST, result({"receipt": receipt(50)}))
    assert bench.resolve(lost(), timeout=0.5, cancel=True).is_cancelled
    assert bench.methods == ["receipts.get"] * 2 + ["receipts.cancel"] + ["receipts.get"] * 2


def test_a_cancel_that_did_not_arrive_is_made_again_after_a_look():
    zero = result({"receipt": receipt(0)})
    bench = Bench(zero, zero, REFUSED, zero, zero, result({"receipt": receipt(50)}))
    assert bench.resolve(lost(), timeout=0.5, cancel=True).is_cancelled
    gets = ["receipts.get"] * 2
    assert bench.methods == [*gets, "receipts.cancel", *gets, "receipts.cancel"]


def test_a_receipt_that_was_paid_while_we_gave_up_ends_cancelled():
    queued = result({"receipt": receipt(21)})
    bench = Bench(result({"receipt": receipt(0)}), queued, queued, result({"receipt": receipt(50)}))
    bench.script.insert(0, bench.script[0])
    assert bench.resolve(lost(), timeout=0.5, cancel=True).state == ReceiptState.CANCELLED
    assert bench.methods.count("receipts.cancel") == 1


def test_a_cancellation_in_the_queue_proves_nothing():
    """The merchant's billing may refuse it, and leave it there for ever."""
    bench = Bench(result({"receipt": receipt(0)}), result({"receipt": receipt(21)}))
    with pytest.raises(OutcomeUnknown, match="CANCEL_QUEUED") as unknown:
        bench.resolve(lost(), timeout=0.1, cancel=True)
    assert unknown.value.cancels == 1


def test_refused_cancel_proves_nothing():
    bench = Bench(result({"receipt": receipt(0)}), error(-31800), result({"receipt": receipt(2)}))
    with pytest.raises(OutcomeUnknown):
        bench.resolve(lost(), timeout=0.1, cancel=True)


@pytest.mark.parametrize(
    "method", ["cards.create", "cards.verify", "cards.remove", "receipts.create", "receipts.send"]
)
def test_there_is_nothing_to_resolve_where_no_money_moves(method):
    bench = Bench(LOST)
    assert bench.resolve(lost(method, None)) is None
    assert bench.requests == []


def test_unknown_method_without_a_receipt_can_t_be_resolved():
    with pytest.raises(OutcomeUnknown, match="no receipt to look at"):
        Bench(LOST).resolve(lost("transactions.complete", None))


def page(*numbers):
    return [
        calls._receipt(json.dumps({"receipt": {**receipt(0), "_id": f"{n:024x}"}}).encode())
        for n in numbers
    ]


def test_pages_end_with_a_short_one():
    pages = flows.Paginator(0, 4_102_444_800_000)
    assert len(pages.accept(page(*range(50)))) == 50
    assert not pages.done
    assert pages.next_call().params == {
        "count": 50,
        "from": 0,
        "to": 4_102_444_800_000,
        "offset": 50,
    }
    assert len(pages.accept(page(*range(50, 60)))) == 10
    assert pages.done


def test_receipt_pushed_onto_the_next_page_is_given_once():
    pages = flows.Paginator(0, 4_102_444_800_000)
    pages.accept(page(*range(50)))
    assert [int(r.id, 16) for r in pages.accept(page(48, 49, 50, 51))] == [50, 51]


PAID_OR_GONE = error(-31602, "Чек не найден или оплачен")


@pytest.mark.parametrize("state", [4, 5])
def test_a_payment_that_came_twice_returns_the_paid_receipt(state):
    bench = Bench(PAID_OR_GONE, result({"receipt": receipt(state)}))
    assert bench.call(MOVES).state == state
    assert bench.methods == ["receipts.pay", "receipts.get"]


def test_a_payment_of_a_cancelled_receipt_says_so():
    with pytest.raises(ReceiptCancelled) as refused:
        Bench(PAID_OR_GONE, result({"receipt": receipt(50)})).call(MOVES)
    assert refused.value.code == -31602
    assert refused.value.method == "receipts.pay"
    assert refused.value.receipt_id == RECEIPT
    assert refused.value.text("uz") == "Chek bekor qilingan."


@pytest.mark.parametrize("code", [-31602, -31401, -31008])
def test_a_payment_of_no_receipt_says_so(code):
    with pytest.raises(ReceiptNotFound) as refused:
        Bench(PAID_OR_GONE, error(code)).call(MOVES)
    assert refused.value.method == "receipts.pay"


@pytest.mark.parametrize("state", [0, 1, 2, 3, 6, 20, 21, 30])
def test_a_refused_payment_of_a_receipt_on_its_way_is_unknown(state):
    with pytest.raises(OutcomeUnknown) as unknown:
        Bench(PAID_OR_GONE, result({"receipt": receipt(state)})).call(MOVES)
    assert isinstance(unknown.value.__cause__, AlreadyPaid)
    assert unknown.value.receipt_id == RECEIPT


@pytest.mark.parametrize("came", [LOST, REFUSED, error(-32504), error(-32400), error(-777)])
def test_a_refused_payment_whose_receipt_can_t_be_read_is_unknown(came):
    with pytest.raises(OutcomeUnknown, match="could not be read"):
        Bench(PAID_OR_GONE, came).call(MOVES)


def test_a_confirmation_that_came_twice_returns_the_paid_receipt():
    confirm = calls.receipts_confirm_hold(RECEIPT)
    assert Bench(PAID_OR_GONE, result({"receipt": receipt(4)})).call(confirm).is_paid
    with pytest.raises(OutcomeUnknown):
        Bench(PAID_OR_GONE, result({"receipt": receipt(5)})).call(confirm)
    with pytest.raises(ReceiptRejected):
        Bench(PAID_OR_GONE, result({"receipt": receipt(0)})).call(confirm)


def test_a_cancellation_that_came_twice_returns_the_receipt_and_a_refused_one_stays_refused():
    cancel = calls.receipts_cancel(RECEIPT)
    for state in (21, 50):
        assert Bench(PAID_OR_GONE, result({"receipt": receipt(state)})).call(cancel).state == state
    with pytest.raises(ReceiptRejected):
        Bench(PAID_OR_GONE, result({"receipt": receipt(4)})).call(cancel)


@pytest.mark.parametrize("code", [-31001, -31002, -31100, -31620, -31624])
@pytest.mark.parametrize(
    "call", [MOVES, calls.receipts_confirm_hold(RECEIPT), calls.receipts_cancel(RECEIPT)]
)
def test_a_processing_centre_that_is_down_proves_nothing_about_money(call, code):
    with pytest.raises(OutcomeUnknown) as unknown:
        Bench(error(code)).call(call)
    assert isinstance(unknown.value.__cause__, ServiceUnavailable)
    with pytest.raises(ServiceUnavailable):
        Bench(error(code)).call(CREATES)


@pytest.mark.parametrize("came", [error(-31602), error(-32504), error(-777), error(-31400)])
def test_a_refusal_to_read_proves_nothing_about_the_payment(came):
    bench = Bench(came, came, came, came, result({"receipt": receipt(4)}))
    assert bench.resolve(lost()).is_paid
    with pytest.raises(OutcomeUnknown, match="could not be read") as unknown:
        Bench(came).resolve(lost(), timeout=1)
    assert isinstance(unknown.value.__cause__, Rejected)


def test_paid_is_not_said_while_a_cancellation_may_be_on_its_way():
    """The lost cancellation arrives after the look, and refunds what was called paid."""
    zero, paid = result({"receipt": receipt(0)}), result({"receipt": receipt(4)})
    bench = Bench(zero, zero, LOST, paid)
    missing = lost()
    with pytest.raises(OutcomeUnknown, match="PAID") as unknown:
        bench.resolve(missing, timeout=0.5, cancel=True)
    assert unknown.value.cancels > 0
    travelled = pickle.loads(pickle.dumps(unknown.value))
    for later in (unknown.value, travelled, missing):
        with pytest.raises(OutcomeUnknown):
            Bench(paid).resolve(later, timeout=0.5)
        assert Bench(paid, result({"receipt": receipt(50)})).resolve(later).is_cancelled


@pytest.mark.parametrize("refused", [REFUSED, error(-31007), error(-31800), PAID_OR_GONE])
def test_paid_is_said_when_every_cancellation_was_certainly_refused(refused):
    zero, paid = result({"receipt": receipt(0)}), result({"receipt": receipt(4)})
    missing = lost()
    assert Bench(zero, zero, refused, paid).resolve(missing, timeout=0.5, cancel=True).is_paid
    assert missing.cancels == 0


def test_a_cancellation_that_the_processing_centre_did_not_answer_counts():
    zero, paid = result({"receipt": receipt(0)}), result({"receipt": receipt(4)})
    with pytest.raises(OutcomeUnknown):
        Bench(zero, zero, error(-31002), paid).resolve(lost(), timeout=0.5, cancel=True)


def test_a_lost_cancellation_is_never_resolved_as_paid():
    paid = result({"receipt": receipt(4)})
    for cancel in (False, True):
        with pytest.raises(OutcomeUnknown):
            Bench(paid).resolve(lost("receipts.cancel"), timeout=0.5, cancel=cancel)


def test_somebody_else_s_cancellation_counts_once_it_was_seen():
    queued, paid = result({"receipt": receipt(21)}), result({"receipt": receipt(4)})
    missing = lost()
    with pytest.raises(OutcomeUnknown):
        Bench(queued, paid).resolve(missing, timeout=1)
    with pytest.raises(OutcomeUnknown):
        Bench(paid).resolve(missing, timeout=1)


@pytest.mark.parametrize("state", [1, 2, 3, 6, 20, 30, 0])
@pytest.mark.parametrize("end", [4, 5, 50])
def test_wait_brings_a_receipt_to_a_proven_end(state, end):
    bench = Bench(result({"receipt": receipt(state)}), result({"receipt": receipt(end)}))
    assert bench.wait(RECEIPT).state == end
    known = calls._receipt(json.dumps({"receipt": receipt(state)}).encode())
    assert Bench(result({"receipt": receipt(end)})).wait(known).state == end


@pytest.mark.parametrize("end", [4, 5, 50])
def test_wait_asks_nothing_about_a_receipt_that_has_ended(end):
    bench = Bench(LOST)
    ended = calls._receipt(json.dumps({"receipt": receipt(end)}).encode())
    assert bench.wait(ended) is ended
    assert bench.requests == []


def test_wait_for_a_queued_refund_ends_in_50_alone():
    queued, paid = result({"receipt": receipt(21)}), result({"receipt": receipt(4)})
    with pytest.raises(OutcomeUnknown) as unknown:
        Bench(queued, paid).wait(RECEIPT, timeout=1)
    assert unknown.value.cancels == 1
    assert unknown.value.method == "receipts.pay"
    assert Bench(paid, result({"receipt": receipt(50)})).resolve(unknown.value).is_cancelled


def test_wait_that_ends_too_early_can_be_given_up():
    with pytest.raises(OutcomeUnknown, match="CREATED") as unknown:
        Bench(result({"receipt": receipt(0)})).wait(RECEIPT, timeout=1)
    bench = Bench(result({"receipt": receipt(0)}), result({"receipt": receipt(50)}))
    assert bench.resolve(unknown.value, timeout=0.1, cancel=True).is_cancelled


CARD = {"number": "860006******6311", "expire": "03/99", "token": TOKEN, "recurrent": True}
VERIFY = calls.cards_verify(TOKEN, "666666")


@pytest.mark.parametrize("came", [LOST, error(-32400), lambda _: Reply(502, b"<html>")])
def test_a_lost_verification_checks_the_card(came):
    bench = Bench(came, result({"card": {**CARD, "verify": True}}))
    assert bench.call(VERIFY).verify
    assert bench.methods == ["cards.verify", "cards.check"]


@pytest.mark.parametrize(
    "checked", [result({"card": {**CARD, "verify": False}}), LOST, error(-31400)]
)
def test_a_lost_verification_that_the_card_does_not_prove_advises_a_check(checked):
    with pytest.raises(OutcomeUnknown, match=r"cards\.check") as unknown:
        Bench(LOST, checked).call(VERIFY)
    assert unknown.value.method == "cards.verify"


class SoftTimeLimit(Exception):
    """Stands for Celery's."""


INTERRUPTIONS = [KeyboardInterrupt, SystemExit, SoftTimeLimit, BaseException]


@pytest.mark.parametrize("kind", INTERRUPTIONS)
@pytest.mark.parametrize("call", [CREATES, MOVES], ids=lambda call: call.effect.name)
def test_an_interruption_tells_what_may_have_left(kind, call):
    noted = []
    bench = Bench(kind())
    bench.runtime = bench.runtime._replace(note=lambda *what: noted.append(what))
    with pytest.raises(kind) as interrupted:
        bench.call(call)
    found = lost_in(interrupted.value)
    assert found.method == call.method
    assert found.receipt_id == call.receipt_id
    assert found.sent == "maybe"
    (note,) = interrupted.value.__notes__
    assert call.method in note
    assert (call.receipt_id or "") in note
    assert noted[-1][2] is interrupted.value


def test_an_interruption_before_anything_left_and_one_of_a_read_tell_nothing():
    early = KeyboardInterrupt()
    early.sent = False
    for call, came in ((MOVES, early), (READ, KeyboardInterrupt())):
        with pytest.raises(KeyboardInterrupt) as interrupted:
            Bench(came).call(call)
        assert lost_in(interrupted.value) is None
        assert not hasattr(interrupted.value, "__notes__")


def test_an_interrupted_inquiry_remembers_its_cancellation():
    zero, paid = result({"receipt": receipt(0)}), result({"receipt": receipt(4)})
    bench = Bench(zero, zero, LOST, KeyboardInterrupt())
    missing = lost()
    with pytest.raises(KeyboardInterrupt) as interrupted:
        bench.resolve(missing, timeout=0.5, cancel=True)
    found = lost_in(interrupted.value)
    for later in (found, missing):
        assert later.cancels == 1
        with pytest.raises(OutcomeUnknown):
            Bench(paid).resolve(later, timeout=0.5)
