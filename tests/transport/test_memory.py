"""The transport without a network, and the exceptions that stand for faults of one."""

import asyncio

import pytest

from payme.transport.base import AsyncTransport, Request, Transport, TransportError
from payme.transport.memory import AsyncMemoryTransport, MemoryTransport

REQUEST = Request("id:key", b"{}", 1.0, 1.0)


class Fault(Exception):
    def __init__(self, **members):
        super().__init__("lost")
        self.__dict__.update(members)


def send(handle, kind):
    transport = kind(handle)
    if kind is MemoryTransport:
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
def test_function_with_a_third_argument_is_told_the_timeout(kind):
    assert send(lambda body, auth, timeout=None: str(timeout).encode(), kind).body == b"1.0"
