"""`{% payme_card_form %}`: the form in a Django template."""

from typing import Any, Final, cast, get_args

from django import template
from django.conf import settings
from django.template.context import Context
from django.templatetags.static import static
from django.utils.translation import get_language

from payme.card_form import Html, html
from payme.card_form.module import FILE
from payme.errors.catalogue import Language

register: Final = template.Library()


@register.simple_tag(takes_context=True)
def payme_card_form(context: Context, **given: Any) -> Html:
    """Write the form and its script.

    Args:
        context: The template's context; `csp_nonce` of its request marks the script.
        given: Arguments of `payme.card_form.html`. They come before those of the setting
            `PAYME_CARD_FORM`. The language is the active one, unless it is given.

    Returns:
        The markup.
    """
    defaults: dict[str, Any] = {"src": static(f"payme/{FILE.name}")}
    active = (get_language() or "").partition("-")[0]
    if active in get_args(Language):
        defaults["lang"] = active
    nonce = getattr(cast("Any", context.get("request")), "csp_nonce", None)
    if nonce:
        defaults["nonce"] = str(nonce)
    arguments: dict[str, Any] = {**defaults, **getattr(settings, "PAYME_CARD_FORM", {}), **given}
    return html(**arguments)
