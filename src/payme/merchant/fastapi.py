"""The merchant's endpoint in FastAPI: `pip install "payme-uz[fastapi]"`.

Example:
    >>> app = FastAPI()
    >>> app.include_router(payme_router(merchant))
"""

from collections.abc import MutableMapping
from typing import Any

from payme.merchant import asgi
from payme.merchant.service import AsyncMerchant, Merchant

try:
    from fastapi import APIRouter
    from starlette.routing import Route
except ImportError as missing:
    raise ImportError('this module needs FastAPI: pip install "payme-uz[fastapi]"') from missing


class _Endpoint:
    """An ASGI application that a route does not wrap: nothing of FastAPI's reading is needed."""

    def __init__(self, merchant: Merchant | AsyncMerchant) -> None:
        self._app = asgi.asgi_app(merchant)

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: asgi.Receive, send: asgi.Send
    ) -> None:
        await self._app(scope, receive, send)


def payme_router(merchant: Merchant | AsyncMerchant, path: str = "/payme") -> APIRouter:
    """Make a router that answers Payme.

    Args:
        merchant: The endpoint. A blocking one is called in a thread.
        path: Where it answers, with and without a slash at the end.

    Returns:
        The router. It answers every method with HTTP 200 and is left out of the OpenAPI document:
        Payme knows its own protocol.
    """
    router = APIRouter()
    endpoint = _Endpoint(merchant)
    for spelling in (path.rstrip("/"), path.rstrip("/") + "/"):
        router.routes.append(Route(spelling, endpoint, include_in_schema=False))
    return router
