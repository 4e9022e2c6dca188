"""Proxies: the argument, else the environment; HTTP alone."""

import os
import re
import sys
from typing import Final

from payme.errors import ConfigurationError

# In ASCII, as an address is; other letters of a password are percent-encoded.
_ADDRESS: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.\-]*)://)?"
    r"(?:(?P<user>[!-9;-~]*)(?::(?P<password>[!-~]*))?@)?"
    r"(?P<host>[a-z0-9._\-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?/?",
    re.IGNORECASE,
)
_LAST_PORT: Final = 65535


class Proxy:
    """Where a proxy is, and the header that says who asks; its `repr` shows no password."""

    def __init__(self, host: str, port: int, header: bytes) -> None:
        self.host = host
        self.port = port
        self.header = header


def parse(address: str) -> Proxy:
    """Read the address of a proxy.

    Raises:
        ConfigurationError: It is none, or one of another kind than HTTP. The text repeats nothing
            of it but the scheme: in a broken address the password may be anywhere.
    """
    found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    scheme = ((found and found["scheme"]) or "http").lower()
    if scheme != "http":
        raise ConfigurationError(
            f"proxy: {scheme}:// is not supported here, http:// is; install payme-uz[httpx2] and "
            f"give transport=Httpx2Transport(...) an httpx2 client that has this proxy"
        )
    if found is None or not 0 < int(found["port"] or 80) <= _LAST_PORT:
        raise ConfigurationError(
            "proxy: expected an address such as http://user:password@proxy.local:3128"
        )
    header = b"" if found["user"] is None else _credentials(found)
    return Proxy(found["host"].strip("[]"), int(found["port"] or 80), header)


def _credentials(found: re.Match[str]) -> bytes:
    from base64 import b64encode
    from urllib.parse import unquote

    return b"Proxy-Authorization: Basic %b\r\n" % b64encode(
        f"{unquote(found['user'])}:{unquote(found['password'] or '')}".encode()
    )


def find(given: str | None, scheme: str, host: str) -> Proxy | None:
    """Find the proxy for a host: the one given (empty for none), else the environment's."""
    address = _environment(scheme, host) if given is None else given
    return parse(address) if address else None


def _environment(scheme: str, host: str) -> str | None:
    # The sandbox on this machine is never meant to be reached through a company's proxy.
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform not in ("darwin", "win32"):
        return None
    from urllib.request import getproxies, proxy_bypass

    return None if proxy_bypass(host) else getproxies().get(scheme)
