"""The transport without a network, and the exceptions that stand for faults of one."""

import asyncio

import pytest

from payme.sandbox import Sandbox
from payme.transport.base import AsyncTransport, Request, Transport, TransportError
from payme.transport.memory import AsyncMemoryTransport, MemoryTransport

REQUEST = Request("id:key", b"{}", 1.0, 1.0)


class Fault(Exception):
    def __init__(self, **members):
        super().__init__("lost")
        self.__dict__.update(members)


def send(handle, make, kind=None):
    transport = make(handle)
    if (kind or make) is MemoryTransport:
        assert isinstance(transport, Transport)
        return transport.send(REQUEST)
    assert isinstance(transport, AsyncTransport)
    return asyncio.run(transport.send(REQUEST))


def raising(fault):
    def handle(body, auth):
        raise fault

    return handle


BOTH = pytest.mark.parametrize("kind", [MemoryTransport, AsyncMemoryTransport])


@BOTH
def test_function_gets_body_and_credentials(kind):
    reply = send(lambda body, auth: body + auth.encode(), kind)
    assert (reply.status, reply.body) == (200, b"{}id:key")


@BOTH
@pytest.mark.parametrize("sent", [True, False])
def test_exception_that_says_how_far_the_request_came_is_a_fault_of_the_network(kind, sent):
    with pytest.raises(TransportError) as failed:
        send(raising(Fault(sent=sent)), kind)
    assert failed.value.sent is sent


@BOTH
def test_exception_with_a_status_is_an_http_answer(kind):
    reply = send(raising(Fault(status=502, body=b"<html>", sent=True)), kind)
    assert (reply.status, reply.body) == (502, b"<html>")


@BOTH
def test_any_other_exception_is_a_mistake_and_is_not_hidden(kind):
    with pytest.raises(ZeroDivisionError):
        send(lambda body, auth: 1 / 0, kind)


@BOTH
def test_function_that_says_so_is_told_the_timeout(kind):
    def patient(body, auth, timeout):
        return str(timeout).encode()

    send_timed = lambda handle: kind(handle, timed=True)  # noqa: E731
    assert send(patient, send_timed, kind).body == b"1.0"
    patient.takes_timeout = True
    assert send(patient, kind, kind).body == b"1.0"


@BOTH
def test_sandbox_is_told_the_timeout(kind):
    with Sandbox() as sandbox:
        sandbox.faults.add("*", when="after", action="delay", delay_ms=5_000)
        with pytest.raises(TransportError, match="within 1 seconds"):
            send(sandbox.handle, kind)


@BOTH
def test_a_request_may_have_left_before_the_function_is_called(kind):
    request = Request("id:key", b"{}", 1.0, 1.0)
    request.sent = False
    seen = []
    transport = kind(lambda body, auth: (seen.append(request.sent), b"")[1])
    if kind is MemoryTransport:
        transport.send(request)
    else:
        asyncio.run(transport.send(request))
    assert seen == [True]
