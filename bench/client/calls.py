"""How each contestant makes the same call, `receipts.get`, as its own documentation tells.

This module runs under the contestant's own interpreter, so a library is imported inside the
function that uses it. Where a library has no argument for the address of the API, the attribute
that holds it is set after construction; nothing else is changed. Every contestant verifies TLS
with the default trust store, which the parent points at the benchmark's CA. A call takes the id
of a receipt and returns the id and the amount that the answer holds.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from bench.client.truth import RIGHT, Seen

CASH_BOX = "5e730e8e0b852a417aa49ceb"
KEY = "key" * 12

Call = Callable[[str], Seen]
AsyncCall = Callable[[str], Awaitable[Seen]]


def body(receipt_id: str) -> bytes:
    """Return the JSON-RPC request for a receipt."""
    call = {"id": 123, "method": "receipts.get", "params": {"id": receipt_id}}
    return json.dumps(call, separators=(",", ":")).encode()


BODIES = {receipt_id: body(receipt_id) for receipt_id in RIGHT}


def raw_headers(url: str) -> dict[str, str]:
    """Return what a request needs when no client library writes it; all bodies are as long."""
    return {
        "Host": urlsplit(url).netloc,
        "X-Auth": f"{CASH_BOX}:{KEY}",
        "Content-Type": "application/json",
        "Content-Length": str(len(next(iter(BODIES.values())))),
    }


def raw_requests(url: str) -> dict[str, bytes]:
    """Return whole requests as bytes, by the id of the receipt."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in raw_headers(url).items())
    head = f"POST {urlsplit(url).path} HTTP/1.1\r\n{fields}\r\n".encode()
    return {receipt_id: head + sent for receipt_id, sent in BODIES.items()}


def seen(answer: Any) -> Seen:
    """Read an answer that is plain JSON."""
    receipt = answer["result"]["receipt"]
    return receipt["_id"], receipt["amount"]


# --- the yardsticks: prepared bytes out, bytes in, json.loads, no decisions


def whole_payload(received: bytes) -> bytes | None:
    """Return the payload of the one response received; `None` while some of it is missing."""
    head, end, payload = received.partition(b"\r\n\r\n")
    if not end:
        return None
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return payload if len(payload) == length else None


def raw_socket(url: str) -> Call:
    """Use one kept TLS socket and hand-written HTTP: the least that Python can do."""
    import socket

    target = urlsplit(url)
    plain = socket.create_connection((target.hostname, target.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = ssl.create_default_context()
    connection = context.wrap_socket(plain, server_hostname=target.hostname)
    requests = raw_requests(url)

    def call(receipt_id: str) -> Seen:
        connection.sendall(requests[receipt_id])
        received = connection.recv(65536)
        while (payload := whole_payload(received)) is None:
            received += connection.recv(65536)
        return seen(json.loads(payload))

    return call


def http_client(url: str) -> Call:
    """Use one kept connection of the standard library."""
    import http.client

    target = urlsplit(url)
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(target.hostname, target.port, context=context)
    headers = raw_headers(url)

    def call(receipt_id: str) -> Seen:
        connection.request("POST", target.path, BODIES[receipt_id], headers)
        return seen(json.loads(connection.getresponse().read()))

    return call


def aiohttp(url: str) -> AsyncCall:
    """Use one session as it comes; its pool of 100 connections holds all calls in flight."""
    import aiohttp

    session = aiohttp.ClientSession()
    headers = raw_headers(url)

    async def call(receipt_id: str) -> Seen:
        async with session.post(url, data=BODIES[receipt_id], headers=headers) as response:
            return seen(json.loads(await response.read()))

    return call


# --- this package


def payme_blocking(url: str) -> Call:
    from payme import Payme

    client = Payme(CASH_BOX, KEY, base_url=url)

    def call(receipt_id: str) -> Seen:
        receipt = client.receipts.get(receipt_id)
        return receipt.id, receipt.amount

    return call


def payme_seed(url: str) -> Call:
    """Use the classes that the package's specification documents."""
    from payme.receipts.subscribe_receipts import PaymeSubscribeReceipts

    client = PaymeSubscribeReceipts(base_url=url, paycom_id=CASH_BOX, paycom_key=KEY)
    return lambda receipt_id: seen(client.receipts_get(invoice_id=receipt_id))


def payme_asyncio(url: str) -> AsyncCall:
    from payme import AsyncPayme

    client = AsyncPayme(CASH_BOX, KEY, base_url=url)

    async def call(receipt_id: str) -> Seen:
        receipt = await client.receipts.get(receipt_id)
        return receipt.id, receipt.amount

    return call


# --- the peers


def payme_pkg(url: str) -> Call:
    """`payme-pkg`: the address is an enum member, so it is set on the HTTP client it went into."""
    from payme import Payme

    client = Payme(payme_id=CASH_BOX, payme_key=KEY)
    client.receipts.http.url = url

    def call(receipt_id: str) -> Seen:
        receipt = client.receipts_get(receipts_id=receipt_id).result.receipt
        return receipt._id, receipt.amount  # the name that the peer gave it

    return call


def paytechuz(url: str) -> Call:
    """`paytechuz`: the address is a constant, so it is set on the gateway's HTTP client."""
    from paytechuz.gateways.payme import PaymeGateway

    gateway = PaymeGateway(payme_id=CASH_BOX, payme_key=KEY)
    gateway.http_client.base_url = url
    return lambda receipt_id: seen(gateway.receipts.get(receipt_id=receipt_id))


def tolov_blocking(url: str) -> Call:
    """`tolov`: the address is a constant, so it is set on the gateway's HTTP client."""
    from tolov import PaymeGateway

    gateway = PaymeGateway(payme_id=CASH_BOX, payme_key=KEY)
    gateway.http_client.base_url = url
    return lambda receipt_id: seen(gateway.receipts.get(receipt_id=receipt_id))


def tolov_asyncio(url: str) -> AsyncCall:
    """`tolov.aio`: as `tolov`."""
    from tolov.aio import PaymeGateway

    gateway = PaymeGateway(payme_id=CASH_BOX, payme_key=KEY)
    gateway.http_client.base_url = url

    async def call(receipt_id: str) -> Seen:
        return seen(await gateway.receipts.get(receipt_id=receipt_id))

    return call


def aiopayme(url: str) -> AsyncCall:
    """`aiopayme`: the address is set in the constructor, so the attribute is set after it."""
    from aiopayme import Payme

    payme = Payme(merchant_id=CASH_BOX, secret_key=KEY)
    payme.receipts.base_url = url

    async def call(receipt_id: str) -> Seen:
        return seen({"result": await payme.receipts.get(receipt_id)})

    return call


BLOCKING: dict[str, Callable[[str], Call]] = {
    "raw socket": raw_socket,
    "http.client": http_client,
    "payme": payme_blocking,
    "payme-seed": payme_seed,
    "payme-pkg": payme_pkg,
    "paytechuz": paytechuz,
    "tolov": tolov_blocking,
}
ASYNCIO: dict[str, Callable[[str], AsyncCall]] = {
    "aiohttp": aiohttp,
    "payme": payme_asyncio,
    "tolov": tolov_asyncio,
    "aiopayme": aiopayme,
}
