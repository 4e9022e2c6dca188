"""The transport over a client that the user brings."""

import asyncio
import socket

import httpx2
import pytest

from payme import AsyncPayme, NotSent, OutcomeUnknown, Payme, Rejected
from payme.sandbox import Sandbox
from payme.transport.base import AsyncTransport, Transport
from payme.transport.httpx2 import AsyncHttpx2Transport, Httpx2Transport

RECEIPT = "63119becc4420cbf2712a24c"
SILENCE = 0.8
"""Seconds; connecting takes some of them on a loaded machine."""


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def silent():
    """A server that accepts and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"


def test_blocking_calls_go_through_the_given_client(sandbox):
    with httpx2.Client() as http:
        transport = Httpx2Transport(http, sandbox.url)
        assert isinstance(transport, Transport)
        with Payme(sandbox.merchant_id, sandbox.key, transport=transport) as payme:
            assert payme.receipts.create(100, {"order_id": 1}).state == 0
            with pytest.raises(Rejected):
                payme.receipts.get(RECEIPT)
        assert not http.is_closed


def test_asyncio_calls_go_through_the_given_client(sandbox):
    async def main():
        async with httpx2.AsyncClient() as http:
            transport = AsyncHttpx2Transport(http, sandbox.url)
            assert isinstance(transport, AsyncTransport)
            async with AsyncPayme(sandbox.merchant_id, sandbox.key, transport=transport) as payme:
                assert (await payme.receipts.create(100, {"order_id": 1})).state == 0

    asyncio.run(main())


def test_refused_connection_is_not_sent():
    with httpx2.Client() as http:
        payme = Payme("m" * 24, "k", transport=Httpx2Transport(http, "http://127.0.0.1:9/api"))
        with pytest.raises(NotSent):
            payme.receipts.cancel(RECEIPT)


def test_silence_after_sending_is_unknown(silent):
    with httpx2.Client() as http:
        payme = Payme("m" * 24, "k", transport=Httpx2Transport(http, silent), timeout=SILENCE)
        with pytest.raises(OutcomeUnknown):
            payme.receipts.cancel(RECEIPT)


def test_silence_after_sending_is_unknown_under_asyncio(silent):
    async def main():
        async with httpx2.AsyncClient() as http:
            transport = AsyncHttpx2Transport(http, silent)
            payme = AsyncPayme("m" * 24, "k", transport=transport, timeout=SILENCE)
            with pytest.raises(OutcomeUnknown):
                await payme.receipts.cancel(RECEIPT)

    asyncio.run(main())
