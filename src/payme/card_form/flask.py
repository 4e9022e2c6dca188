"""The form's script in Flask: `pip install "payme-uz[flask]"`.

Example:
    >>> app = Flask(__name__)
    >>> app.register_blueprint(card_form_blueprint())

and in a template `{{ payme_card_form(cashbox=cashbox, lang="uz") }}`.
"""

from typing import Any

from payme.card_form import Html, html
from payme.card_form.module import PATH, serve

try:
    from flask import Blueprint, Response, request
except ImportError as missing:
    raise ImportError('this module needs Flask: pip install "payme-uz[flask]"') from missing


def card_form_blueprint(path: str = PATH, **defaults: Any) -> Blueprint:
    """Make a blueprint that serves the script and gives templates `payme_card_form`.

    Args:
        path: Where the script is served.
        defaults: Arguments of `payme.card_form.html` that templates need not repeat, such as
            `cashbox` and `endpoint`.

    Returns:
        The blueprint.
    """
    blueprint = Blueprint("payme_card_form", __name__)

    def script() -> Response:
        served = serve(request.args.get("v"), request.headers.get("If-None-Match"))
        return Response(served.body, served.status, served.headers)

    def card_form(**given: Any) -> Html:
        arguments: dict[str, Any] = {"src": path, **defaults, **given}
        return html(**arguments)

    blueprint.add_url_rule(path, "script", script)
    blueprint.app_context_processor(lambda: {"payme_card_form": card_form})
    return blueprint
