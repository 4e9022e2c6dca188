"""The form's script in FastAPI: `pip install "payme-uz[fastapi]"`.

Example:
    >>> app = FastAPI()
    >>> app.include_router(card_form_router())
"""

from payme.card_form.asgi import asgi_app
from payme.card_form.module import PATH

try:
    from fastapi import APIRouter
    from starlette.routing import Route
except ImportError as missing:
    raise ImportError('this module needs FastAPI: pip install "payme-uz[fastapi]"') from missing


def card_form_router(path: str = PATH) -> APIRouter:
    """Make a router that serves the script.

    Args:
        path: Where; `src` of `payme.card_form.html` has to say the same.

    Returns:
        The router. It is left out of the OpenAPI document.
    """
    router = APIRouter()
    router.routes.append(Route(path, asgi_app(), include_in_schema=False))
    return router
