"""Errors go through a task queue: they are pickled, and can still be resolved afterwards."""

import asyncio
import copy
import pickle

import pytest

from payme.errors import ConfigurationError, NotSent, OutcomeUnknown, UnreadableAnswer
from support.clients import outcome, resolve
from support.faults import FINAL, LOST_AFTER, LOST_BEFORE, UNREADABLE
from support.fourteen import CALLS, MOVES_MONEY, RECEIPT_OF, prepare
from support.secrecy import assert_hidden, secrets_of, texts_of

pytestmark = pytest.mark.anyio


def travel(error):
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("method", MOVES_MONEY)
@pytest.mark.parametrize("fault", [LOST_AFTER, UNREADABLE[1]], ids=str)
async def test_unknown_outcome_is_resolved_with_another_client_after_pickling(
    method, fault, connect, server, sandbox
):
    state = prepare(sandbox, method)
    server.script(fault.act)
    error = travel(await outcome(CALLS[method](connect(server.url), state)))
    assert isinstance(error, OutcomeUnknown)
    assert error.receipt_id == RECEIPT_OF[method](state)
    assert error.method == method
    lost_its_client = await outcome(resolve(error))
    assert isinstance(lost_its_client, ConfigurationError)
    assert "receipts.resolve(error)" in str(lost_its_client)
    receipt = await resolve(error, connect(server.url), timeout=5)
    assert receipt.id == error.receipt_id
    assert server.methods()[0] == method
    assert set(server.methods()[1:]) == {"receipts.get"}


async def test_error_that_travelled_is_the_same(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    for fault in (LOST_BEFORE, UNREADABLE[0], FINAL[0]):
        server.script(fault.act)
        error = await outcome(CALLS["receipts.pay"](payme, state))
        for again in (travel(error), travel(travel(error)), copy.copy(error)):
            assert type(again) is type(error)
            assert str(again) == str(error)
            assert repr(again) == repr(error)
            for name in ("method", "request_id", "receipt_id", "sent", "code", "message", "data"):
                assert getattr(again, name, None) == getattr(error, name, None)
            assert_hidden(secrets_of(state, sandbox.key), texts_of(again))
        pickled = pickle.dumps(error)
        for secret in secrets_of(state, sandbox.key):
            assert secret.encode() not in pickled
    assert travel(error).text("uz") == error.text("uz")


async def test_not_sent_and_closed_travel_too(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    server.close()
    error = travel(await outcome(CALLS["receipts.pay"](payme, state)))
    assert isinstance(error, NotSent)
    assert error.sent == "no"
    await payme.aclose()
    assert isinstance(
        travel(await outcome(CALLS["receipts.pay"](payme, state))), ConfigurationError
    )


async def test_resolve_can_be_given_a_client_of_the_other_kind(connect, server, sandbox):
    """A worker may be blocking where the web application is not."""
    from payme import AsyncPayme, Payme

    state = prepare(sandbox)
    server.script(LOST_AFTER.act)
    error = await outcome(CALLS["receipts.pay"](connect(server.url), state))
    with Payme(sandbox.merchant_id, sandbox.key, base_url=server.url) as blocking:
        assert error.resolve(blocking, timeout=5).is_paid
        assert blocking.receipts.resolve(error, timeout=5).is_paid
    async with AsyncPayme(sandbox.merchant_id, sandbox.key, base_url=server.url) as other:
        assert (await other.receipts.resolve(error, timeout=5)).is_paid


async def test_resolve_of_an_error_is_blocking_and_says_so(server, sandbox):
    from payme import AsyncPayme, Payme

    state = prepare(sandbox)
    async with AsyncPayme(sandbox.merchant_id, sandbox.key, base_url=server.url) as payme:
        server.script(LOST_AFTER.act)
        error = await outcome(CALLS["receipts.pay"](payme, state))
        with pytest.raises(ConfigurationError, match=r"await payme\.receipts\.resolve\(error\)"):
            error.resolve()
        with pytest.raises(ConfigurationError, match="await"):
            error.resolve(payme)
    with Payme(sandbox.merchant_id, sandbox.key, base_url=server.url) as payme:
        server.script(LOST_AFTER.act)
        lost = await outcome(asyncio.to_thread(payme.receipts.pay, state.paid, state.token))
    with pytest.raises(ConfigurationError, match="block ended"):
        lost.resolve()
    with pytest.raises(ConfigurationError, match=r"receipts\.resolve\(error\)"):
        travel(lost).resolve()


async def test_resolve_may_be_asked_again_and_again(connect, server, sandbox):
    state = prepare(sandbox)
    server.script(LOST_BEFORE.act)
    error = await outcome(CALLS["receipts.pay"](connect(server.url), state))
    for _ in range(3):
        error = await outcome(resolve(error, timeout=0.02))
        assert type(error) is OutcomeUnknown
        assert not isinstance(error, UnreadableAnswer)
        assert error.receipt_id == state.unpaid
    assert (
        await resolve(travel(error), connect(server.url), timeout=0.25, cancel=True)
    ).is_cancelled
