"""The merchant's endpoint in FastAPI: `pip install "payme-uz[fastapi]"`.

Example:
    >>> app = FastAPI()
    >>> app.include_router(payme_router(merchant))
"""

from payme.merchant import asgi
from payme.merchant.boxes import Endpoint

try:
    from fastapi import APIRouter
    from starlette.routing import Route
except ImportError as missing:
    raise ImportError('this module needs FastAPI: pip install "payme-uz[fastapi]"') from missing


def payme_router(merchant: Endpoint, path: str = "/payme") -> APIRouter:
    """Make a router that answers Payme.

    Args:
        merchant: The endpoint. A blocking one is called in a thread.
        path: Where it answers, with and without a slash at the end.

    Returns:
        The router. It answers every method with HTTP 200 and is left out of the OpenAPI document:
        Payme knows its own protocol.
    """
    router = APIRouter()
    endpoint = asgi.asgi_app(merchant)
    for spelling in (path.rstrip("/"), path.rstrip("/") + "/"):
        router.routes.append(Route(spelling, endpoint, include_in_schema=False))
    return router
