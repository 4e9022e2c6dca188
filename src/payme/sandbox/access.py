"""Who may look into a sandbox and change it: this computer, or whoever has the password.

On loopback the address is the proof. Beyond it there is none: a neighbour writes any Host header
that it likes, so the dashboard and the control API ask for a password.
"""

import base64
import binascii
import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from typing import Final

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Payme sandbox", charset="UTF-8"'}
"""Header that makes a browser ask for the password."""


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def password_for(host: str, given: str | None) -> str | None:
    """Return the password of a sandbox that listens on an address.

    Args:
        host: The address.
        given: The password that was chosen; None for none.

    Returns:
        None if it needs none: nobody else can reach it, and none was chosen.
    """
    if given is not None:
        return given
    return None if is_loopback(host) else secrets.token_urlsafe(12)


def knows(password: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request carries the password, under whatever login.

    Args:
        password: The password; None if there is none to know.
        headers: Headers of the request, their names in lower case.
    """
    if password is None:
        return True
    sent = [value for name, value in headers if name == b"authorization"]
    return len(sent) == 1 and hmac.compare_digest(_password_in(sent[0]), password.encode())


def _password_in(header: bytes) -> bytes:
    kind, _, credentials = header.strip().partition(b" ")
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True)
    except binascii.Error:
        return b""
    return decoded.partition(b":")[2] if kind.lower() == b"basic" else b""
