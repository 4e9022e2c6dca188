"""Connections are kept, shared, given up when in doubt, and closed."""

import asyncio
import threading

import pytest

from payme import AsyncPayme
from payme.errors import ConfigurationError, OutcomeUnknown, UnreadableAnswer
from support.clients import make, outcome, resolve
from support.faults import LOST_AFTER, answer_error
from support.faulty import Faulty, serve
from support.fourteen import CALLS, PHONE, prepare
from support.listener import GIVE_UP

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["http", "https"])
def line(request, server, tls_server, client_tls):
    """A server, and the options of a client for it."""
    if request.param:
        return tls_server, {"ssl_context": client_tls}
    return server, {}


async def test_a_hundred_calls_use_one_connection(line, connect, sandbox):
    server, options = line
    state = prepare(sandbox)
    payme = connect(server.url, **options)
    for _ in range(100):
        assert await payme.receipts.check(state.unpaid) == 0
    assert server.connections == 1
    assert len({exchange.json["id"] for exchange in server.requests}) == 100


async def test_a_request_leaves_in_one_piece(line, connect, sandbox):
    server, options = line
    state = prepare(sandbox)
    payme = connect(server.url, **options)
    await payme.receipts.check(state.unpaid)
    await CALLS["receipts.pay"](payme, state)
    assert server.pieces == 2


async def test_a_refusal_keeps_the_connection(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    server.script(lambda exchange: answer_error(exchange, -31602, exchange.json["id"]))
    await outcome(payme.receipts.get(state.unpaid))
    await payme.receipts.get(state.unpaid)
    assert server.connections == 1


async def test_connection_closed_while_idle_is_replaced_before_anything_is_sent(
    line, connect, sandbox
):
    server, options = line
    state = prepare(sandbox)
    payme = connect(server.url, **options)

    def serve_and_close(exchange):
        serve(exchange)
        exchange.close()

    for number in range(1, 6):
        server.script(serve_and_close)
        if number < 5:
            assert await payme.receipts.check(state.unpaid) == 0
        else:
            assert (await CALLS["receipts.pay"](payme, state)).is_paid
        assert server.connections == number
        await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
        # The end of the line must have reached the client's socket, and asyncio must have seen it.
        await asyncio.sleep(0.01)
    assert len(server.requests) == 5
    assert sandbox.debits(state.unpaid) == 1


async def test_connection_that_the_server_announces_to_close_is_not_used_again(
    connect, server, sandbox
):
    state = prepare(sandbox)
    payme = connect(server.url)
    server.otherwise = lambda exchange: exchange.answer(
        exchange.execute(), "200 OK", "Connection: close"
    )
    for _ in range(3):
        assert await payme.receipts.check(state.unpaid) == 0
    assert server.connections == 3


async def test_stray_bytes_on_an_idle_connection_are_not_taken_for_an_answer(
    connect, server, sandbox
):
    state = prepare(sandbox)
    payme = connect(server.url)

    answered, said_more = threading.Event(), threading.Event()

    def serve_and_say_more(exchange):
        serve(exchange)
        answered.wait(GIVE_UP)
        exchange.answer(b'{"result": {"success": true}}')
        said_more.set()

    server.script(serve_and_say_more)
    assert await payme.receipts.check(state.unpaid) == 0
    answered.set()
    await asyncio.to_thread(said_more.wait, GIVE_UP)
    await asyncio.sleep(0.01)
    assert (await CALLS["receipts.pay"](payme, state)).is_paid
    assert await payme.receipts.send(state.unpaid, PHONE) is True
    assert server.methods() == ["receipts.check", "receipts.pay", "receipts.send"]


async def test_an_answer_that_comes_twice_is_not_taken_for_the_next_one(connect, server, sandbox):
    """Both copies may be in one packet, so that the second is read before the next call begins."""
    state = prepare(sandbox)
    payme = connect(server.url)

    def serve_twice(exchange):
        body = exchange.execute()
        whole = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        exchange.send(whole + whole)

    server.script(serve_twice)
    assert await payme.receipts.check(state.unpaid) == 0
    paid = await outcome(CALLS["receipts.pay"](payme, state))
    if isinstance(paid, UnreadableAnswer):
        paid = await resolve(paid, timeout=3)
    assert paid.is_paid
    assert await payme.receipts.send(state.unpaid, PHONE) is True
    assert server.methods().count("receipts.pay") == 1
    assert sandbox.debits(state.unpaid) == 1


async def test_a_request_whose_outcome_was_told_does_not_leave_later(connect, server, sandbox):
    """An answer that was there before the request must not leave the request behind in a buffer."""
    state = prepare(sandbox)
    payme = connect(server.url)

    def serve_and_answer_ahead(exchange):
        body = exchange.execute()
        ahead = b'{"id": 1, "result": {"success": true}}'
        exchange.send(
            b"".join(
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(one)}\r\n\r\n".encode() + one
                for one in (body, ahead)
            )
        )

    server.script(serve_and_answer_ahead)
    assert await payme.receipts.check(state.unpaid) == 0
    first = await outcome(CALLS["receipts.pay"](payme, state))
    if isinstance(first, OutcomeUnknown):
        # What was told to have left must get the time to arrive.
        await asyncio.sleep(0.05)
    debits = sandbox.debits(state.unpaid)
    await outcome(payme.receipts.check(state.unpaid))
    await outcome(payme.receipts.check(state.unpaid))
    assert sandbox.debits(state.unpaid) == debits, f"paid after {first!r} was told"


async def test_after_a_stray_answer_the_connection_is_given_up(connect, server, sandbox):
    """Whoever mixed up one answer may be one answer behind for good."""
    state = prepare(sandbox)
    payme = connect(server.url, max_attempts=1)
    behind = [b'{"id": 1, "result": {"success": true}}']

    def one_behind(exchange):
        behind.append(exchange.execute())
        exchange.answer(behind.pop(0))
        while not exchange.done:
            following = exchange._server._next_request(exchange.sock, b"")
            if following is None:
                exchange.close()
                return
            behind.append(sandbox.handle(following[1], exchange.auth))
            exchange.answer(behind.pop(0))

    server.script(one_behind)
    error = await outcome(payme.receipts.get(state.unpaid))
    assert isinstance(error, UnreadableAnswer)
    assert (await payme.receipts.get(state.unpaid)).id == state.unpaid
    assert server.connections == 2


async def test_closed_client_raises_configuration_error(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    await payme.receipts.check(state.unpaid)
    await payme.aclose()
    for method, call in CALLS.items():
        error = await outcome(call(payme, state))
        assert isinstance(error, ConfigurationError), method
        assert error.method == method
        assert error.sent == "no"
    await payme.aclose()
    await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
    assert len(server.requests) == 1


async def test_client_that_was_never_used_closes(connect, server):
    await connect(server.url).aclose()
    assert server.connections == 0


async def test_sibling_shares_the_pool_and_leaves_it_open(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    sibling = payme.with_options(timeout=1, max_attempts=1)
    assert await sibling.receipts.check(state.unpaid) == 0
    assert await payme.receipts.check(state.unpaid) == 0
    assert server.connections == 1
    await sibling.aclose()
    assert isinstance(await outcome(sibling.receipts.check(state.unpaid)), ConfigurationError)
    assert await payme.receipts.check(state.unpaid) == 0
    assert server.connections == 1


async def test_sibling_of_a_closed_client_opens_no_new_pool(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url)
    sibling = payme.with_options(timeout=1)
    await payme.receipts.check(state.unpaid)
    await payme.aclose()
    error = await outcome(sibling.receipts.check(state.unpaid))
    assert isinstance(error, ConfigurationError), repr(error)
    assert server.connections == 1


async def test_options_of_a_sibling_hold(connect, server, sandbox):
    server.otherwise = LOST_AFTER.act
    state = prepare(sandbox)
    payme = connect(server.url, max_attempts=3)
    assert isinstance(
        await outcome(payme.with_options(max_attempts=1).receipts.get(state.unpaid)), OutcomeUnknown
    )
    assert len(server.requests) == 1


async def test_credentials_come_from_the_environment(style, server, sandbox, monkeypatch):
    monkeypatch.setenv("PAYME_MERCHANT_ID", sandbox.merchant_id)
    monkeypatch.setenv("PAYME_KEY", sandbox.key)
    state = prepare(sandbox)
    payme = make(style, base_url=server.url)
    try:
        assert payme.merchant_id == sandbox.merchant_id
        assert await payme.receipts.check(state.unpaid) == 0
        await payme.cards.check(state.token)
    finally:
        await payme.aclose()
    receipts, cards = server.requests
    assert receipts.auth == f"{sandbox.merchant_id}:{sandbox.key}"
    assert cards.auth == sandbox.merchant_id


async def test_missing_credentials_are_named(style, server, sandbox, monkeypatch):
    monkeypatch.delenv("PAYME_MERCHANT_ID", raising=False)
    monkeypatch.delenv("PAYME_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="PAYME_MERCHANT_ID"):
        make(style, base_url=server.url)
    payme = make(style, sandbox.merchant_id, base_url=server.url)
    error = await outcome(payme.receipts.check("0" * 24))
    assert isinstance(error, ConfigurationError)
    assert "PAYME_KEY" in str(error)
    await payme.aclose()
    assert server.arrived == 0


async def test_environment_proxy_does_not_stand_before_this_machine(
    connect, server, sandbox, monkeypatch
):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    state = prepare(sandbox)
    assert await connect(server.url, proxy=None).receipts.check(state.unpaid) == 0


@pytest.mark.parametrize("front_end", [True, False])
async def test_the_key_never_travels_with_a_method_of_a_front_end(
    front_end, connect, server, sandbox
):
    methods = ["cards.create", "cards.get_verify_code", "cards.verify", "cards.check"]
    state = prepare(sandbox, "cards.verify")
    payme = connect(server.url)
    for method in methods:
        await CALLS[method](payme, state)
    assert {exchange.auth for exchange in server.requests} == {sandbox.merchant_id}
    for exchange in server.requests:
        assert sandbox.key not in exchange.head


# Cancellation.


async def test_cancelled_task_leaves_the_pool_usable_and_says_what_is_not_known(server, sandbox):
    state = prepare(sandbox)
    server.script(lambda exchange: exchange.hang())
    async with AsyncPayme(sandbox.merchant_id, sandbox.key, base_url=server.url) as payme:
        task = asyncio.create_task(CALLS["receipts.pay"](payme, state))
        await asyncio.to_thread(server.wait_until, lambda: len(server.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        (note,) = cancelled.value.__notes__
        assert "receipts.pay" in note
        assert "may have executed" in note
        await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
        assert (await CALLS["receipts.pay"](payme, state)).is_paid
    assert sandbox.debits(state.unpaid) == 1


async def test_cancelling_many_tasks_leaks_no_connection_and_no_place_in_the_pool(server, sandbox):
    from payme.transport.aio import AsyncioTransport

    state = prepare(sandbox)
    transport = AsyncioTransport(server.url, max_connections=3)
    async with AsyncPayme(sandbox.merchant_id, sandbox.key, transport=transport) as payme:
        for _ in range(5):
            server.otherwise = lambda exchange: exchange.hang()
            before = len(server.requests)
            tasks = [asyncio.create_task(payme.receipts.get(state.unpaid)) for _ in range(10)]
            await asyncio.to_thread(
                server.wait_until, lambda before=before: len(server.requests) >= before + 3
            )
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(one) for one in ended} == {asyncio.CancelledError}
            server.otherwise = serve
            assert (await payme.receipts.get(state.unpaid)).id == state.unpaid
        await asyncio.to_thread(server.wait_until, lambda: server.open_connections <= 3)


async def test_cancelling_while_connecting_leaves_the_pool_usable(sandbox, server_tls, client_tls):
    class Stalling(Faulty):
        def _talk(self, sock):
            if self.connections == 1:
                sock.recv(1 << 16)
                sock.recv(1 << 16)
                return
            super()._talk(sock)

    state = prepare(sandbox)
    with Stalling(sandbox, server_tls) as server:
        async with AsyncPayme(
            sandbox.merchant_id, sandbox.key, base_url=server.url, ssl_context=client_tls
        ) as payme:
            task = asyncio.create_task(payme.receipts.get(state.unpaid))
            await asyncio.to_thread(server.wait_until, lambda: server.connections == 1)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await payme.receipts.get(state.unpaid)).id == state.unpaid


async def test_a_timeout_around_a_call_is_a_cancellation_with_a_note(server, sandbox):
    state = prepare(sandbox)
    server.script(lambda exchange: exchange.hang())
    async with AsyncPayme(sandbox.merchant_id, sandbox.key, base_url=server.url) as payme:
        with pytest.raises(TimeoutError) as late:
            await asyncio.wait_for(CALLS["receipts.pay"](payme, state), 0.1)
    assert isinstance(late.value.__cause__, asyncio.CancelledError)
    assert "may have executed" in late.value.__cause__.__notes__[0]


def test_closing_a_blocking_client_ends_the_calls_of_other_threads(server, sandbox):
    from payme import Payme

    state = prepare(sandbox)
    server.otherwise = lambda exchange: exchange.hang()
    payme = Payme(sandbox.merchant_id, sandbox.key, base_url=server.url, timeout=9)
    ended = []

    def call():
        try:
            payme.receipts.pay(state.unpaid, state.token)
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    server.wait_until(lambda: len(server.requests) == 1)
    payme.close()
    # Long before its own timeout.
    thread.join(2)
    (error,) = ended
    assert isinstance(error, OutcomeUnknown), repr(error)
