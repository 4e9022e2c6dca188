"""Every method meets every fault, and says exactly what is known afterwards."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from payme import Receipt
from payme.errors import (
    AccessDenied,
    InvalidRequest,
    NotSent,
    OutcomeUnknown,
    PaymeError,
    ProtocolError,
    Rejected,
    UnreadableAnswer,
)
from support import faults
from support.clients import outcome, resolve
from support.faulty import serve
from support.fourteen import (
    CALLS,
    CREATES,
    FOURTEEN,
    MOVES_MONEY,
    READS,
    RECEIPT_OF,
    prepare,
    state_of,
)
from support.secrecy import assert_hidden, secrets_of, texts_of

pytestmark = pytest.mark.anyio

ATTEMPTS = 3
PAID, HELD, CANCELLED = 4, 5, 50

# What happened, and for each effect the class that must come of it and how often it is sent.
TABLE: dict[str, dict[str, tuple[type[PaymeError], int]]] = {
    "lost": {
        "READ": (OutcomeUnknown, ATTEMPTS),
        "CREATES": (OutcomeUnknown, 1),
        "MOVES_MONEY": (OutcomeUnknown, 1),
    },
    "unreadable": {
        "READ": (UnreadableAnswer, ATTEMPTS),
        "CREATES": (UnreadableAnswer, 1),
        "MOVES_MONEY": (UnreadableAnswer, 1),
    },
    "final": {
        "READ": (AccessDenied, 1),
        "CREATES": (AccessDenied, 1),
        "MOVES_MONEY": (AccessDenied, 1),
    },
    "doubtful": {
        "READ": (Rejected, ATTEMPTS),
        "CREATES": (OutcomeUnknown, 1),
        "MOVES_MONEY": (OutcomeUnknown, 1),
    },
}
SENT = {"lost": "maybe", "unreadable": "yes", "final": "yes", "doubtful": "yes"}
EFFECT = {
    **dict.fromkeys(READS, "READ"),
    **dict.fromkeys(CREATES, "CREATES"),
    **dict.fromkeys(MOVES_MONEY, "MOVES_MONEY"),
}
CASES = [
    *(("lost", fault) for fault in faults.LOST),
    *(("unreadable", fault) for fault in faults.UNREADABLE),
    *(("final", fault) for fault in faults.FINAL),
    *(("doubtful", fault) for fault in faults.DOUBTFUL),
]
BY_FAULT = pytest.mark.parametrize(("kind", "fault"), CASES, ids=lambda value: str(value))
BY_METHOD = pytest.mark.parametrize("method", FOURTEEN)


def check_error(error: Any, kind: str, method: str, state: Any) -> None:
    expected, _ = TABLE[kind][EFFECT[method]]
    assert isinstance(error, expected), repr(error)
    assert isinstance(error, UnreadableAnswer) == (kind == "unreadable")
    assert isinstance(error, ProtocolError) == (kind == "unreadable")
    assert not isinstance(error, NotSent)
    assert error.sent == SENT[kind]
    assert error.method == method
    assert error.receipt_id == (RECEIPT_OF[method](state) if method in RECEIPT_OF else None)
    if isinstance(error, OutcomeUnknown):
        assert ("receipts.resolve(error)" in str(error)) == (method in MOVES_MONEY)
        assert ("ask cards.check" in str(error)) == (method == "cards.verify")


@BY_METHOD
@BY_FAULT
async def test_outcome_is_the_one_in_the_table(method, kind, fault, connect, server, sandbox):
    server.otherwise = fault.act
    state = prepare(sandbox, method)
    payme = connect(server.url, max_attempts=ATTEMPTS)
    error = await outcome(CALLS[method](payme, state))
    check_error(error, kind, method, state)
    _, times = TABLE[kind][EFFECT[method]]
    sent = [method] * times
    assert error.request_id == server.requests[times - 1].json["id"]
    if method == "cards.verify" and kind != "final":
        # Before it says that it does not know, it looks at the card.
        sent += ["cards.check"] * ATTEMPTS
    assert server.methods() == sent
    assert server.executed == (sent if fault.executed else [])
    assert sandbox.debits(state.unpaid) == (1 if server.executed == ["receipts.pay"] else 0)
    assert_hidden(secrets_of(state, sandbox.key), texts_of(error))


@BY_FAULT
async def test_log_shows_no_secret_even_at_debug(kind, fault, connect, server, sandbox, caplog):
    caplog.set_level(logging.DEBUG, "payme")
    caplog.set_level(logging.DEBUG)
    server.otherwise = fault.act
    state = prepare(sandbox)
    payme = connect(server.url)
    for method in ("cards.create", "cards.verify", "receipts.pay"):
        await outcome(CALLS[method](payme, state))
    logged = [record.getMessage() for record in caplog.records]
    assert any("receipts.pay" in line for line in logged)
    assert_hidden(secrets_of(state, sandbox.key), logged)


@pytest.mark.parametrize("fault", faults.SILENT, ids=str)
async def test_silence_is_an_unknown_outcome_for_every_method(fault, connect, server, sandbox):
    server.otherwise = fault.act
    payme = connect(server.url, timeout=2.0)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(len(FOURTEEN)))
    # Before the clocks of the calls run: a busy machine might take all their time for it.
    states = {method: prepare(sandbox, method) for method in FOURTEEN}

    async def call(method: str) -> None:
        state = states[method]
        error = await outcome(CALLS[method](payme, state))
        check_error(error, "lost", method, state)
        assert sandbox.debits(state.unpaid) == int(fault.executed and method == "receipts.pay")
        assert_hidden(secrets_of(state, sandbox.key), texts_of(error))

    await asyncio.gather(*map(call, FOURTEEN))
    # No time is left to look at the card that was verified.
    assert sorted(server.methods()) == sorted(FOURTEEN)


@pytest.mark.parametrize(
    "fault", [fault for kind, fault in CASES if kind != "final"], ids=lambda value: str(value)
)
async def test_a_read_is_sent_again_and_answers(fault, connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    for method in READS:
        server.script(fault.act)
        assert await CALLS[method](payme, state) is not None
        first, second = server.requests[-2:]
        assert first.json["id"] != second.json["id"]
        assert {**first.json, "id": 0} == {**second.json, "id": 0}
    assert server.methods() == [method for method in READS for _ in range(2)]


# Without an id an answer must show by the receipt in it that it is the right one; the answer of
# receipts.send has none, and Payme's own page prints it without an id.
VOUCHED = [
    "receipts.pay",
    "receipts.cancel",
    "receipts.get",
    "receipts.confirm_hold",
    "receipts.send",
]


@pytest.mark.parametrize("fault", faults.WITHOUT_ID, ids=str)
@BY_METHOD
async def test_answer_without_an_id_counts_if_its_receipt_is_the_right_one(
    method, fault, connect, server, sandbox
):
    server.otherwise = fault.act
    state = prepare(sandbox, method)
    got = await outcome(CALLS[method](connect(server.url), state))
    if method in VOUCHED:
        assert not isinstance(got, Exception)
        assert server.methods() == [method]
    else:
        check_error(got, "unreadable", method, state)
        looks = ATTEMPTS if method == "cards.verify" else 0
        assert len(server.requests) == TABLE["unreadable"][EFFECT[method]][1] + looks


@pytest.mark.parametrize("without_id", [False, True])
@pytest.mark.parametrize(
    "method", ["receipts.pay", "receipts.cancel", "receipts.get", "receipts.confirm_hold"]
)
async def test_answer_about_another_receipt_is_unreadable(
    method, without_id, connect, server, sandbox
):
    def swap(answer: dict[str, Any]) -> dict[str, Any]:
        answer["result"]["receipt"]["_id"] = "0" * 24
        return {**answer, "id": None} if without_id else answer

    server.otherwise = faults.changed("other_receipt", swap).act
    state = prepare(sandbox, method)
    error = await outcome(CALLS[method](connect(server.url), state))
    check_error(error, "unreadable", method, state)


@pytest.mark.parametrize(
    "member",
    [{"amount": "50000"}, {"amount": None}, {"state": "4"}, {"_id": 5}, {"create_time": {}}],
    ids=str,
)
async def test_receipt_of_the_wrong_shape_is_unreadable_and_the_member_is_named(
    member, connect, server, sandbox
):
    def spoil(answer: dict[str, Any]) -> dict[str, Any]:
        answer["result"]["receipt"].update(member)
        return answer

    server.otherwise = faults.changed("spoilt", spoil).act
    state = prepare(sandbox)
    error = await outcome(CALLS["receipts.pay"](connect(server.url), state))
    check_error(error, "unreadable", "receipts.pay", state)
    assert next(iter(member)) in str(error)
    assert sandbox.debits(state.unpaid) == 1


@pytest.mark.parametrize("fault", faults.LOST, ids=str)
async def test_a_payment_lost_over_tls_is_unknown_and_sent_once(
    fault, connect, tls_server, client_tls, sandbox
):
    tls_server.otherwise = fault.act
    state = prepare(sandbox)
    payme = connect(tls_server.url, ssl_context=client_tls)
    error = await outcome(CALLS["receipts.pay"](payme, state))
    check_error(error, "lost", "receipts.pay", state)
    assert tls_server.methods() == ["receipts.pay"]
    assert sandbox.debits(state.unpaid) == int(fault.executed)


# What resolve() must find, from the effect alone: the money moved, or nothing is proven.
PROVEN = {
    "receipts.pay": {PAID},
    "receipts.cancel": {CANCELLED},
    "receipts.confirm_hold": {PAID},
}
RESOLVED = [
    fault
    for kind, fault in CASES
    if kind == "doubtful" or fault.name.startswith(("closed", "cut_body", "http_502", "other_call"))
]


@pytest.mark.slow
@pytest.mark.parametrize("method", MOVES_MONEY)
@pytest.mark.parametrize("fault", RESOLVED, ids=str)
async def test_resolve_ends_in_what_the_ledger_confirms(method, fault, connect, server, sandbox):
    server.script(fault.act)
    state = prepare(sandbox, method)
    receipt_id = RECEIPT_OF[method](state)
    error = await outcome(CALLS[method](connect(server.url), state))
    found = await outcome(resolve(error, timeout=5 if fault.executed else 0.02))
    if fault.executed:
        assert isinstance(found, Receipt)
        assert found.id == receipt_id
        assert found.state in PROVEN[method]
    else:
        assert isinstance(found, OutcomeUnknown)
        assert server.executed == ["receipts.get"] * len(server.executed)
    assert server.methods().count(method) == 1
    assert sandbox.debits(state.unpaid) == int(method == "receipts.pay" and fault.executed)


@pytest.mark.slow
@pytest.mark.parametrize("fault", RESOLVED, ids=str)
async def test_resolve_with_cancel_leaves_no_doubt(fault, connect, server, sandbox):
    states = {method: prepare(sandbox, method) for method in MOVES_MONEY}
    unlucky = {(method, RECEIPT_OF[method](state)) for method, state in states.items()}

    def once(exchange):
        about = (exchange.method, exchange.json["params"]["id"])
        act = fault.act if about in unlucky else serve
        unlucky.discard(about)
        act(exchange)

    server.otherwise = once
    payme = connect(server.url)

    async def call(method):
        receipt_id = RECEIPT_OF[method](states[method])
        error = await outcome(CALLS[method](payme, states[method]))
        found = await resolve(error, timeout=5 if fault.executed else 1.5, cancel=True)
        assert found.id == receipt_id
        expected = PROVEN[method] if fault.executed else {CANCELLED}
        assert found.state in expected
        assert state_of(sandbox, receipt_id) in expected
        if method == "receipts.pay":
            assert sandbox.debits(receipt_id) == int(fault.executed)

    await asyncio.gather(*map(call, MOVES_MONEY))
    assert not unlucky


@pytest.mark.parametrize("method", [name for name in FOURTEEN if name not in MOVES_MONEY])
async def test_resolve_of_what_moves_no_money_asks_nothing(method, connect, server, sandbox):
    server.otherwise = faults.after(faults.closed).act
    state = prepare(sandbox, method)
    error = await outcome(CALLS[method](connect(server.url), state))
    asked = len(server.requests)
    assert await resolve(error) is None
    assert len(server.requests) == asked


@pytest.mark.parametrize("fault", [faults.LOST_AFTER, faults.UNREADABLE[0]], ids=str)
async def test_method_that_is_not_known_is_taken_for_one_that_moves_money(
    fault, connect, server, sandbox
):
    server.otherwise = fault.act
    payme = connect(server.url, max_attempts=3)
    params = {"id": "0" * 24, "token": sandbox.add_card()}
    error = await outcome(payme.call("receipts.pay_twice", params))
    assert isinstance(error, OutcomeUnknown)
    assert error.receipt_id == params["id"]
    assert "receipts.resolve(error)" in str(error)
    assert_hidden([params["token"], sandbox.key], texts_of(error))
    (exchange,) = server.requests
    assert exchange.auth == f"{sandbox.merchant_id}:{sandbox.key}"
    assert exchange.json["params"] == params
    unproven = await outcome(resolve(error, timeout=0.02))
    assert isinstance(unproven, OutcomeUnknown)
    assert len(server.requests) == 1


async def test_call_of_a_known_method_keeps_its_effect(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    server.script(faults.LOST_AFTER.act)
    assert await payme.call("receipts.check", {"id": state.unpaid}) == {"state": 0}
    assert len(server.requests) == 2
    server.script(faults.LOST_AFTER.act)
    params = {"id": state.unpaid, "token": state.token}
    error = await outcome(payme.call("receipts.pay", params))
    assert isinstance(error, OutcomeUnknown)
    assert (await resolve(error, timeout=5)).is_paid
    assert server.methods().count("receipts.pay") == 1
    assert sandbox.debits(state.unpaid) == 1


def without_id(code):
    def act(exchange):
        faults.answer_error(exchange, code, None)

    return act


async def test_refusal_without_an_id_counts_only_if_the_request_could_not_be_read(
    connect, server, sandbox
):
    """An id that could not be read can't be echoed; any other refusal may be a stray."""
    state = prepare(sandbox)
    payme = connect(server.url)
    server.script(without_id(-31602), without_id(-32700))
    stray = await outcome(CALLS["receipts.pay"](payme, state))
    check_error(stray, "unreadable", "receipts.pay", state)
    refused = await outcome(CALLS["receipts.pay"](payme, state))
    assert isinstance(refused, InvalidRequest)
    assert refused.code == -32700
