"""Who may use the pages: this computer's browser, on the user's own behalf, and nobody else.

A page on the internet can make a browser send requests to 127.0.0.1. Two checks stop that. A name
that somebody points at 127.0.0.1 is refused by its Host header, and a form that another site posts
lacks the token that only our pages know. Who sends its requests itself is stopped by neither, and
beyond loopback is asked for a password: see `payme.sandbox.access`.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from payme.sandbox.access import is_loopback

FIELD: Final = "csrf"
"""Name of the input that carries the token."""

_HOST: Final = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::[0-9]*)?")


def allowed_host(scope: Scope, bound: str = "") -> bool:
    """Return whether the Host header names this computer.

    Args:
        scope: ASGI scope of the request.
        bound: Host that the server was told to listen on, which is a good name for it too.

    Returns:
        True for loopback names and addresses, for the address that the connection came in on, and
        for `bound`.
    """
    hosts = [value for name, value in _headers(scope) if name == b"host"]
    if len(hosts) != 1:
        return False
    host = _without_port(hosts[0].decode("latin-1")).lower()
    server = scope.get("server")
    return (
        is_loopback(host)
        or host.endswith(".localhost")
        or host in {bound.lower(), str(server[0]) if server else ""} - {""}
    )


def from_elsewhere(scope: Scope) -> bool:
    """Return whether a browser says that a page of another origin sent a request.

    Programs say nothing of the kind.

    Args:
        scope: ASGI scope of the request.
    """
    told = dict(_headers(scope))
    site = told.get(b"sec-fetch-site", b"none")
    page = told.get(b"origin")
    return site not in {b"same-origin", b"none"} or (
        page is not None and page.rpartition(b"//")[2] != told.get(b"host")
    )


class Guard:
    """Makes and checks the token of the forms. It lives as long as the sandbox."""

    def __init__(self) -> None:
        self.token: Final = secrets.token_urlsafe(24)

    def __repr__(self) -> str:
        return "Guard()"

    def accepts(self, scope: Scope, sent: str) -> bool:
        """Return whether a form was posted by one of our own pages.

        Args:
            scope: ASGI scope of the request.
            sent: The token that came with the form.
        """
        site = [value for name, value in _headers(scope) if name == b"sec-fetch-site"]
        if site and site[0] != b"same-origin":
            return False
        return hmac.compare_digest(sent.encode("utf-8", "replace"), self.token.encode())


def _headers(scope: Scope) -> Iterable[tuple[bytes, bytes]]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return headers


def _without_port(host: str) -> str:
    """Leave the port out; what is no host with perhaps a port behind it becomes no host at all."""
    found = _HOST.fullmatch(host)
    return found[1] or found[2] if found else ""
