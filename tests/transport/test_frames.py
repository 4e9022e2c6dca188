"""What error reporters find in the frames of a call that failed: no key, no request, no answer."""

import signal

import pytest

from payme.transport import address, aio
from payme.transport.base import Request, TransportError
from payme.transport.blocking import BlockingTransport
from support.clients import LOOPS, run_on
from support.listener import Listener

KEY, CARD, ANSWER = "c4nary-key", "c4nary-card", "c4nary-answer"


def canaries(value, depth=0):
    """Open what reporters open: texts, bytes, collections, attributes of named tuples."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        yield from canaries(bytes(value).decode("latin-1"))
    elif isinstance(value, str):
        if "c4nary" in value:
            yield value
    elif depth < 5 and isinstance(value, dict):
        for pair in value.items():
            yield from canaries(pair, depth + 1)
    elif depth < 5 and isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from canaries(one, depth + 1)
    else:
        yield from canaries(repr(value), depth + 1)


def check(error):
    frames = []
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        assert not list(canaries(str(error)))
        traceback = error.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if "/payme/transport/" in frame.f_code.co_filename or "ssl.py" in (
                frame.f_code.co_filename
            ):
                frames.append(frame.f_code.co_name)
                for name, value in frame.f_locals.items():
                    assert not list(canaries(value)), (frame.f_code.co_qualname, name)
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    return frames


def request(timeout=0.2):
    return Request(f"id:{KEY}", b'{"card": "%b"}' % CARD.encode(), timeout, timeout)


@pytest.fixture(params=[False, True], ids=["http", "https"])
def silent(request, server_tls):
    """A server that says the beginning of an answer and falls silent."""

    def serve(sock):
        secured = sock
        if request.param:
            secured = server_tls.wrap_socket(sock, server_side=True)
            listener.replace(sock, secured)
        try:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + ANSWER.encode())
            while secured.recv(65536):
                pass
        finally:
            if secured is not sock:
                listener.forget(secured)

    with Listener(serve) as listener:
        yield f"http{'s' if request.param else ''}://localhost:{listener.port}/api"


def test_frames_of_a_timeout(silent, client_tls):
    transport = BlockingTransport(silent, client_tls)
    with pytest.raises(TransportError) as failed:
        transport.send(request())
    assert failed.value.sent
    assert "settle" in check(failed.value)
    transport.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_frames_of_a_timeout_under_asyncio(silent, client_tls, loop):
    async def main():
        transport = aio.AsyncioTransport(silent, client_tls)
        with pytest.raises(TransportError) as failed:
            await transport.send(request())
        assert failed.value.sent
        assert "settle" in check(failed.value)
        await transport.aclose()

    run_on(loop, main())


def send_struck(transport, asked, after):
    # Together, because on a loaded machine it strikes before the call has begun.
    signal.setitimer(signal.ITIMER_REAL, after)
    transport.send(asked)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_frames_of_ctrl_c_anywhere(silent, client_tls):
    def strike(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    transport = BlockingTransport(silent, client_tls)
    places = set()
    try:
        for number in range(300):
            asked = request()
            with pytest.raises((KeyboardInterrupt, TransportError)) as struck:
                send_struck(transport, asked, 2e-4 + number * 1e-5)
            places.update(check(struck.value))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert {"_connect", "settle"} <= places
    transport.close()


@pytest.mark.parametrize("method", ["sendall", "recv_into"])
def test_frames_of_ctrl_c_in_send_and_receive(silent, client_tls, monkeypatch, method):
    real = getattr(address.Socket, method)
    calls, struck_at = [], [1]

    def strike(self, *arguments):
        calls.append(1)
        if calls == struck_at:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(address.Socket, method, strike)
    transport = BlockingTransport(silent, client_tls)
    for _ in range(2):
        calls.clear()
        asked = request()
        with pytest.raises((KeyboardInterrupt, TransportError)) as struck:
            transport.send(asked)
        check(struck.value)
        struck_at.append(1)
    transport.close()
