"""What the shops look at in a request before they act on it, and send with every page."""

import json
from typing import Any, Final

HOSTS: Final = ["127.0.0.1", "localhost"]
"""Names that the shops answer to; a real shop puts its own here.

Whoever asks by another name was led here: by a `Host` that was made up, or by a site that had its
own name resolve to this address, so that its pages count as the shop's.
"""

LONGEST_BODY: Final = 1 << 20
"""Bytes that a request to a shop may have: what nginx lets through unless it is told otherwise.

Django has a limit by itself; in Flask and FastAPI anybody could send what fills the memory.
"""

HEADERS: Final = {
    # No script runs in these pages, and no other site may put their buttons into a page of its own.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of a page."""


def is_from_here(origin: str | None, host: str | None) -> bool:
    """Return whether a form was sent by a page of this shop; browsers name the page's origin.

    A real shop has a login, and a token against forgery in each form, as the shop in Django has.

    Args:
        origin: Header `Origin`, as it came.
        host: Header `Host`.
    """
    # Compared as text: a visitor may send anything here, also what no parser of addresses takes.
    return origin is None or origin in (f"http://{host}", f"https://{host}")


def json_object(content_type: str | None, body: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one.

    Args:
        content_type: Header `Content-Type`. A form of another site can't send this one without
            asking first.
        body: As it came.
    """
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
