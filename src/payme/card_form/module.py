"""The script: where it is, what its bytes hash to, and how it is served."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from payme.configuration import URLS

NAME: Final = "card-form.js"

PATH: Final = f"/payme/{NAME}"
"""Where the adapters serve the script, unless they are told otherwise."""

FILE: Final = Path(__file__).parent / "static" / "payme" / NAME
"""The file to serve. Its folder is laid out as Django's finder of static files wants it."""

ENDPOINTS: Final = {"live": URLS["production"], "test": URLS["test"]}
"""Where `live` and `test` send cards."""

LOGO: Final = "https://cdn.payme.uz/logo/payme_color.svg"
"""Payme's logo (OBSERVED: a summary of Payme's pages by a third party)."""

OFFER: Final = "https://cdn.payme.uz/terms/main.html"
"""Payme's offer (CONFIRMED: the protocol page of the Subscribe API)."""

_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Served(NamedTuple):
    """An answer to a request for the script."""

    status: int
    headers: dict[str, str]
    body: bytes


@cache
def script() -> bytes:
    """Read the script that is served."""
    return FILE.read_bytes()


def integrity() -> str:
    """Hash the script, for the `integrity` attribute of its tag.

    Returns:
        Such as `sha384-…`.
    """
    return "sha384-" + base64.b64encode(_digest()).decode()


def version() -> str:
    """Name the script's content, so that its address changes with it.

    Returns:
        Twelve hex digits.
    """
    return _digest().hex()[:12]


def serve(asked_version: str | None = None, known: str | None = None) -> Served:
    """Answer a GET or HEAD for the script.

    Args:
        asked_version: `v` of the query.
        known: Header `If-None-Match`.

    Returns:
        The answer. What was asked for by its version may be kept for ever.
    """
    etag = f'"{version()}"'
    headers = {
        "ETag": etag,
        "Cache-Control": _FOR_EVER if asked_version == version() else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    # What a proxy compressed has a weak tag, of the same content.
    if known is not None and etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Served(304, headers, b"")
    headers["Content-Type"] = "text/javascript; charset=utf-8"
    return Served(200, headers, script())


@cache
def _digest() -> bytes:
    return hashlib.sha384(script()).digest()
