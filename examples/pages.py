"""The pages that a customer sees, as HTML; they need no script."""

from html import escape

from payme.charges import Charge
from payme.money import format_som

AMOUNT = 5_000_000
"""What the one thing costs that is sold here, in tiyin."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{refresh}
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto;
padding: 0 1rem }} button {{ font: inherit; padding: .5rem 1rem }}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""

_BUY = '<form method="post">{}<button>Buy for {} soʻm</button></form>'

_PAY = '<form method="post">{}{}<button>{} {}</button></form>'

_HIDDEN = '<input type="hidden" name="{}" value="{}">'


def front(csrf: str = "") -> str:
    """Write the first page.

    Args:
        csrf: Django's token against forgery; empty in shops that look at a form's origin.
    """
    return _page("Shop", _BUY.format(_token(csrf), format_som(AMOUNT)))


def order(
    order_id: int,
    state: str,
    charge: Charge | None,
    card: str | None,
    checkout: str,
    csrf: str = "",
) -> str:
    """Write the page of an order: what became of the payment, and what to do.

    Args:
        order_id: Its number.
        state: `waiting`, `paid` or `closed`. The order says whether it is paid; the charge only
            says why it is not.
        charge: What was begun with the saved card.
        card: Masked number of the saved card.
        checkout: Address where it is paid with another card.
        csrf: As for `front`.
    """
    title = f"Order {order_id}"
    if state == "paid":
        return _page(title, "<p>Paid. Thank you!</p>")
    if state != "waiting":
        return _page(title, "<p>This order is closed.</p>")
    if charge is not None and charge.needs_attention:
        said = "We are asking Payme about your payment, and will tell you. Please do not pay again."
        return _page(title, f"<p>{said}</p>")
    if charge is not None and not (charge.rests and not charge.is_paid):
        said = (
            "Your payment is being processed. Please do not pay again: this page updates by itself."
        )
        return _page(title, f"<p>{said}</p>", refresh=2)
    return _page(title, _ways(charge, card, checkout, csrf))


def _ways(charge: Charge | None, card: str | None, checkout: str, csrf: str) -> str:
    """Write why nothing was taken, and the ways to pay."""
    parts: list[str] = []
    if charge is not None:
        why = escape(charge.message or "it did not come through")
        parts.append(f"<p>The payment was refused: {why}. Nothing was taken.</p>")
        parts.append("<p>Try again when the card is in order, or pay with another card.</p>")
    if card is not None:
        word = "Try again with" if charge else "Pay with"
        seen = _HIDDEN.format("seen", "" if charge is None else charge.version)
        parts.append(_PAY.format(_token(csrf), seen, word, escape(card)))
    other = "Pay with another card" if card else "Pay"
    parts.append(f'<p><a href="{escape(checkout)}">{other}</a></p>')
    return "".join(parts)


def _token(csrf: str) -> str:
    return _HIDDEN.format("csrfmiddlewaretoken", escape(csrf)) if csrf else ""


def _page(title: str, body: str, refresh: int | None = None) -> str:
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return _PAGE.format(title=title, body=body, refresh=again)
