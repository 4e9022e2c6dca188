"""Flows without a network: a script of replies, a clock that moves only when a flow sleeps."""

import json

import pytest

from payme import flow as driver
from payme.errors import AlreadyPaid, NotSent, OutcomeUnknown, Rejected, ServiceUnavailable
from payme.protocol import calls, flows
from payme.protocol.flows import Identity, Limits, Sleep, World
from payme.protocol.states import ReceiptState
from payme.transport.base import Reply, Request, TransportError

RECEIPT = "63119becc4420cbf2712a24c"
TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGx"
ME = Identity("5e730e8e0b852a417aa49ceb", "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C")

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
        self.world = World(lambda: self.now, lambda: next(self.ids), lambda low, high: high)

    def call(self, call, **limits):
        return driver.run(flows.exchange(call, ME, Limits(**limits), self.world), self.perform)

    def resolve(self, lost, timeout=30.0, cancel=False):
        flow = flows.resolve(lost, timeout=timeout, cancel=cancel, world=self.world)
        return driver.run(flow, self.perform)

    def perform(self, step):
        if isinstance(step, Sleep):
            self.pauses.append(step.seconds)
            self.now += step.seconds
            return None
        if isinstance(step, flows.Within):
            return self.call(step.call, max_attempts=1, timeout=step.seconds)
        if isinstance(step, flows.Discard):
            self.discarded += 1
            return None
        self.requests.append(step)
        self.now += self.latency
        came = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(came, TransportError):
            return came
        return came(json.loads(step.body)["id"])

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
        (calls.receipts_pay(RECEIPT, TOKEN), f"{ME.merchant_id}:{ME.key}"),
        (calls.cards_remove(TOKEN), f"{ME.merchant_id}:{ME.key}"),
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
        ("receipts.pay", {4, 5, 21, 50}),
        ("receipts.confirm_hold", {4, 21, 50}),
        ("receipts.cancel", {21, 50}),
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
    bench.world = bench.world._replace(uniform=lambda low, high: 0.3)
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
    bench = Bench(result({"receipt": receipt(0)}), result({"receipt": receipt(21)}))
    assert bench.resolve(lost(), timeout=0.1, cancel=True).state == ReceiptState.CANCEL_QUEUED


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
    pages = flows.Pages(0, 4_102_444_800_000)
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
    pages = flows.Pages(0, 4_102_444_800_000)
    pages.accept(page(*range(50)))
    assert [int(r.id, 16) for r in pages.accept(page(48, 49, 50, 51))] == [50, 51]


def test_a_payment_that_was_refused_for_being_paid_is_named_so():
    with pytest.raises(AlreadyPaid):
        Bench(error(-31602, "Чек не найден или оплачен")).call(MOVES)
