"""How each contestant makes the same call, `receipts.get`, as its own documentation tells.

This module runs under the contestant's own interpreter, so a library is imported inside the
function that uses it. Where a library has no argument for the address of the API, the attribute
that holds it is set after construction; nothing else is changed. Every contestant verifies TLS
with the default trust store, which the parent points at the benchmark's CA.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

RECEIPT_ID = "6311946bc4420cbf2712a247"
CASH_BOX = "5e730e8e0b852a417aa49ceb"
KEY = "key" * 12
IN_FLIGHT_LIMIT = 64

Call = Callable[[], Any]
AsyncCall = Callable[[], Awaitable[Any]]

BODY = json.dumps(
    {"id": 123, "method": "receipts.get", "params": {"id": RECEIPT_ID}}, separators=(",", ":")
).encode()


def raw_headers(url: str) -> dict[str, str]:
    """Return what a request needs when no client library writes it."""
    return {
        "Host": urlsplit(url).netloc,
        "X-Auth": f"{CASH_BOX}:{KEY}",
        "Content-Type": "application/json",
        "Content-Length": str(len(BODY)),
    }


# --- the two yardsticks: bytes out, bytes in, no JSON and no decisions


def http_client(url: str) -> Call:
    """Use one kept connection of the standard library."""
    import http.client

    target = urlsplit(url)
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(target.hostname, target.port, context=context)
    headers = raw_headers(url)

    def call() -> bytes:
        connection.request("POST", target.path, BODY, headers)
        return connection.getresponse().read()

    return call


def httpcore2_arguments(url: str) -> dict[str, Any]:
    """Return the request in httpcore2's own types, so that it converts nothing per call."""
    import httpcore2

    headers = [(name.encode(), value.encode()) for name, value in raw_headers(url).items()]
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), 10.0)
    return {
        "method": b"POST",
        "url": httpcore2.URL(url),
        "headers": headers,
        "content": BODY,
        "extensions": {"timeout": timeouts},
    }


def httpcore2_blocking(url: str) -> Call:
    """Use httpcore2's pool as it comes."""
    import httpcore2

    pool = httpcore2.ConnectionPool(ssl_context=ssl.create_default_context())
    arguments = httpcore2_arguments(url)
    return lambda: pool.request(**arguments).content


def httpcore2_asyncio(url: str) -> AsyncCall:
    """Use httpcore2's asyncio pool as it comes, wide enough for all calls in flight."""
    import httpcore2

    pool = httpcore2.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(), max_connections=IN_FLIGHT_LIMIT
    )
    arguments = httpcore2_arguments(url)

    async def call() -> bytes:
        return (await pool.request(**arguments)).content

    return call


# --- this package


def payme_blocking(url: str) -> Call:
    from payme import Payme

    client = Payme(CASH_BOX, KEY, base_url=url)
    return lambda: client.receipts.get(RECEIPT_ID)


def payme_seed(url: str) -> Call:
    """Use the classes that the package's specification documents."""
    from payme.receipts.subscribe_receipts import PaymeSubscribeReceipts

    client = PaymeSubscribeReceipts(base_url=url, paycom_id=CASH_BOX, paycom_key=KEY)
    return lambda: client.receipts_get(invoice_id=RECEIPT_ID)


def payme_asyncio(url: str) -> AsyncCall:
    from payme import AsyncPayme

    client = AsyncPayme(CASH_BOX, KEY, base_url=url)

    async def call() -> Any:
        return await client.receipts.get(RECEIPT_ID)

    return call


# --- the peers


def payme_pkg(url: str) -> Call:
    """`payme-pkg`: the address is an enum member, so it is set on the HTTP client it went into."""
    from payme import Payme

    client = Payme(payme_id=CASH_BOX, payme_key=KEY)
    client.receipts.http.url = url
    return lambda: client.receipts_get(receipts_id=RECEIPT_ID)


def paytechuz(url: str) -> Call:
    """`paytechuz`: the address is a constant, so it is set on the gateway's HTTP client."""
    from paytechuz.gateways.payme import PaymeGateway

    gateway = PaymeGateway(payme_id=CASH_BOX, payme_key=KEY)
    gateway.http_client.base_url = url
    return lambda: gateway.receipts.get(receipt_id=RECEIPT_ID)


def tolov_blocking(url: str) -> Call:
    """`tolov`: the address is a constant, so it is set on the gateway's HTTP client."""
    from tolov import PaymeGateway

    gateway = PaymeGateway(payme_id=CASH_BOX, payme_key=KEY)
    gateway.http_client.base_url = url
    return lambda: gateway.receipts.get(receipt_id=RECEIPT_ID)


def tolov_asyncio(url: str) -> AsyncCall:
    """`tolov.aio`: as `tolov`."""
    from tolov.aio import PaymeGateway

    gateway = PaymeGateway(payme_id=CASH_BOX, payme_key=KEY)
    gateway.http_client.base_url = url

    async def call() -> Any:
        return await gateway.receipts.get(receipt_id=RECEIPT_ID)

    return call


def aiopayme(url: str) -> AsyncCall:
    """`aiopayme`: the address is set in the constructor, so the attribute is set after it."""
    from aiopayme import Payme

    payme = Payme(merchant_id=CASH_BOX, secret_key=KEY)
    payme.receipts.base_url = url

    async def call() -> Any:
        return await payme.receipts.get(RECEIPT_ID)

    return call


BLOCKING: dict[str, Callable[[str], Call]] = {
    "http.client": http_client,
    "httpcore2": httpcore2_blocking,
    "payme": payme_blocking,
    "payme-seed": payme_seed,
    "payme-pkg": payme_pkg,
    "paytechuz": paytechuz,
    "tolov": tolov_blocking,
}
ASYNCIO: dict[str, Callable[[str], AsyncCall]] = {
    "httpcore2": httpcore2_asyncio,
    "payme": payme_asyncio,
    "tolov": tolov_asyncio,
    "aiopayme": aiopayme,
}
