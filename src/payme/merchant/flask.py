"""The merchant's endpoint in Flask: `pip install "payme-uz[flask]"`.

Example:
    >>> app = Flask(__name__)
    >>> app.register_blueprint(payme_blueprint(merchant))
"""

from typing import Final

from payme.merchant import wsgi
from payme.merchant.bodies import drained, is_short
from payme.merchant.boxes import BlockingEndpoint
from payme.merchant.service import CONTENT_TYPE

try:
    from flask import Blueprint, Response, request
    from werkzeug.exceptions import RequestEntityTooLarge
except ImportError as missing:
    raise ImportError('this module needs Flask: pip install "payme-uz[flask]"') from missing

_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def payme_blueprint(merchant: BlockingEndpoint, path: str = "/payme") -> Blueprint:
    """Make a blueprint that answers Payme.

    Args:
        merchant: The endpoint.
        path: Where it answers, with and without a slash at the end.

    Returns:
        The blueprint. It answers every method with HTTP 200.
    """
    blueprint = Blueprint("payme", __name__)

    def endpoint() -> Response:
        answer = merchant.answer(wsgi.incoming(request.environ, _body()))
        return Response(answer, content_type=CONTENT_TYPE)

    for spelling in (path.rstrip("/"), path.rstrip("/") + "/"):
        blueprint.add_url_rule(
            spelling,
            f"merchant{len(spelling)}",
            endpoint,
            methods=_METHODS,
            provide_automatic_options=False,
        )
    return blueprint


def _body() -> bytes:
    """Read the body as Flask keeps it: a `before_request` of the shop may have read it already."""
    try:
        if is_short(request.content_length):
            return request.get_data()
        return drained(request.stream.read) or request.get_data()
    except RequestEntityTooLarge:
        # The shop's own limit must not turn an answer into HTTP 413.
        return wsgi.body(request.environ)
