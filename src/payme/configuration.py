"""Checks of credentials, addresses and limits, made when a client is made."""

import os
import re
import sys
from typing import TYPE_CHECKING, Final, Literal

from payme import exact, redact
from payme.errors import ConfigurationError
from payme.protocol import arguments
from payme.protocol.flows import Credentials, Limits
from payme.transport.base import Proxy

if TYPE_CHECKING:
    import ssl

Environment = Literal["test", "production"]

URLS: Final[dict[str, str]] = {
    "test": "https://checkout.test.paycom.uz/api",
    "production": "https://checkout.paycom.uz/api",
}
"""Addresses of the Subscribe API. CONFIRMED: https://developer.help.paycom.uz/protokol-subscribe-api/"""

_ENTITY: Final = re.compile(r"&(amp|lt|gt|quot|#\d+);")
_VISIBLE: Final = re.compile(r"[!-~]+")

# No user, no query, no fragment: in an address of the API they are a mistake, and a password in it
# would end up in logs.
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.\-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[!\"$->@-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)
_LONGEST_HOST: Final = 253
_LAST_PORT: Final = 65535

# In ASCII, as an address is; other letters of a password are percent-encoded.
_PROXY: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.\-]*)://)?"
    r"(?:(?P<user>[!-9;-~]*)(?::(?P<password>[!-~]*))?@)?"
    r"(?P<host>[a-z0-9._\-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?/?",
    re.IGNORECASE | re.ASCII,
)


def credentials(merchant_id: str | None, key: str | None) -> Credentials:
    """Find who calls: the arguments, else the environment.

    Args:
        merchant_id: Id of the cash-box; None for `PAYME_MERCHANT_ID`.
        key: Key of the cash-box; None for `PAYME_KEY`; empty for a front end.

    Returns:
        The credentials.

    Raises:
        ConfigurationError: The id is missing, or one of them can't be right.
    """
    owner = os.environ.get("PAYME_MERCHANT_ID", "") if merchant_id is None else merchant_id
    secret = os.environ.get("PAYME_KEY", "") if key is None else key
    if owner == "":
        raise ConfigurationError("merchant_id is missing: give it or set PAYME_MERCHANT_ID")
    return Credentials(_merchant_id(owner), _key(secret))


def _merchant_id(given: object) -> str:
    owner = exact.text(given)
    if owner is None or not _VISIBLE.fullmatch(owner) or ":" in owner:
        raise ConfigurationError(
            f"merchant_id: got {_plain(given)!r}, expected the id of the cash-box, 24 hex "
            f"characters"
        )
    return owner


def _key(given: object) -> str:
    key = exact.text(given)
    if key == "":
        return key
    if key is None or not _VISIBLE.fullmatch(key):
        raise ConfigurationError(
            "key: has spaces, line breaks or letters that no key has, or is no text; copy it from "
            "the cabinet again"
        )
    if _ENTITY.search(key):
        raise ConfigurationError(
            "key: holds an HTML entity such as &amp;, left by the page it was copied from; "
            "replace it "
            "with the character it stands for"
        )
    return key


def base_url(given: str | None, environment: str | None) -> str:
    """Find where to call: the arguments, else `PAYME_BASE_URL` and `PAYME_ENVIRONMENT`.

    Of either pair the address comes first, and the name of the environment must not contradict it.

    Args:
        given: Address of the API, with or without a slash at the end; without a path, `/api` is
            added.
        environment: `test` or `production`.

    Returns:
        The address without a slash at the end.

    Raises:
        ConfigurationError: Nothing is given, both contradict each other, or it is no address.
    """
    if given is not None:
        return _address(given, environment, "base_url", "environment")
    if environment:
        return _named(environment)
    name = os.environ.get("PAYME_ENVIRONMENT", "")
    address = os.environ.get("PAYME_BASE_URL", "")
    if address:
        return _address(address, name, "PAYME_BASE_URL", "PAYME_ENVIRONMENT")
    return _named(name)


def _named(environment: object) -> str:
    name = exact.text(environment)
    if name not in URLS:
        raise ConfigurationError(
            f"environment: got {_plain(environment)!r}, expected 'test' or 'production' (or set "
            f"PAYME_ENVIRONMENT or PAYME_BASE_URL, or give base_url)"
        )
    return URLS[name]


def _address(given: object, environment: object, source: str, beside: str) -> str:
    address = _normal(given, source)
    expected = URLS.get(exact.text(environment) or "", address)
    for name, url in URLS.items():
        if address == url != expected:
            raise ConfigurationError(f"{beside}={environment!r}, but {source} is the {name} host")
    return address


def _normal(given: object, source: str) -> str:
    found = _ADDRESS.fullmatch(exact.text(given) or "")
    if (
        found is None
        or not 0 < int(found["port"] or 1) <= _LAST_PORT
        or not _is_host(found["host"])
    ):
        raise ConfigurationError(
            f"{source}: got {_without_password(given)!r}, "
            f"expected an address such as {URLS['test']}"
        )
    port = f":{found['port']}" if found["port"] else ""
    path = (found["path"] or "").rstrip("/") or "/api"
    return f"{found['scheme'].lower()}://{found['host'].lower()}{port}{path}"


def _is_host(name: str) -> bool:
    """Return whether a name or address in brackets can be looked up at all."""
    if name.startswith("["):
        # Loaded here: hardly anybody calls by such an address.
        import ipaddress

        try:
            ipaddress.IPv6Address(name[1:-1])
        except ValueError:
            return False
        return True
    labels = name.removesuffix(".").split(".")
    return len(name) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, labels))


def _without_password(address: object) -> str:
    return redact.scrub(re.sub(r"//[^/@]*@", "//<redacted>@", _plain(address)))


def _plain(given: object) -> str:
    """Write what was given, for an error."""
    return redact.scrub(str(exact.shown(given)))


def proxy(given: str | None, url: str) -> Proxy | None:
    """Find the proxy: the one given (empty for none), else the environment's.

    Args:
        given: Address of a proxy; None for `HTTPS_PROXY` and its like.
        url: Address of the API, as `base_url` returns it.

    Returns:
        The proxy, or None.

    Raises:
        ConfigurationError: It is no address, or one of another kind than HTTP. The text repeats
            nothing of it but the scheme: in a broken address the password may be anywhere.
    """
    address = _proxy_of_environment(url) if given is None else given
    if not address:
        return None
    found = _PROXY.fullmatch(exact.text(address) or "")
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
    header = b"" if found["user"] is None else _proxy_credentials(found)
    return Proxy(found["host"].strip("[]"), int(found["port"] or 80), header)


def _proxy_credentials(found: re.Match[str]) -> bytes:
    from base64 import b64encode
    from urllib.parse import unquote

    return b"Proxy-Authorization: Basic %b\r\n" % b64encode(
        f"{unquote(found['user'])}:{unquote(found['password'] or '')}".encode()
    )


def _proxy_of_environment(url: str) -> str | None:
    found = _ADDRESS.fullmatch(url)
    # The sandbox on this machine is never meant to be reached through a company's proxy.
    if found is None or is_loopback(found["host"]):
        return None
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform not in ("darwin", "win32"):
        return None
    # Loaded here: it takes 15 ms, and most have no proxy.
    from urllib.request import getproxies, proxy_bypass

    host = found["host"].strip("[]")
    return None if proxy_bypass(host) else getproxies().get(found["scheme"])


def check_secure(address: str, context: "ssl.SSLContext | None", *, allow_http: bool) -> None:
    """See that the key can't be read on its way.

    Args:
        address: Address of the API.
        context: TLS settings, if the user gave any.
        allow_http: The user allows plain HTTP to another machine.

    Raises:
        ConfigurationError: Plain HTTP to another machine, or TLS settings that verify nothing.
    """
    found = _ADDRESS.fullmatch(address)
    clear = found is not None and found["scheme"] == "http" and not is_loopback(found["host"])
    if clear and not allow_http:
        raise ConfigurationError(
            f"base_url: {address!r} would send the key in the clear; use https, or "
            f"allow_http=True for a "
            "sandbox in a network of your own"
        )
    if context is None:
        return
    if not hasattr(context, "verify_mode") or not hasattr(context, "check_hostname"):
        raise ConfigurationError(
            f"ssl_context: got {type(context).__name__}, expected an ssl.SSLContext"
        )
    # 0 is ssl.CERT_NONE; the module is not imported for it.
    if context.verify_mode == 0 or not context.check_hostname:
        raise ConfigurationError(
            "ssl_context: verifies no certificate or no host name; load your own CA into it "
            "instead "
            "(ssl.create_default_context(cafile=...))"
        )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    Args:
        host: Name or address.

    Returns:
        True for `localhost`, `127.*` and `[::1]`.
    """
    return host in ("localhost", "[::1]") or re.fullmatch(r"127(\.\d+){3}", host) is not None


def limits(
    timeout: float, connect_timeout: float, max_attempts: int, max_idle: float = 2.0
) -> Limits:
    """Check how long and how often.

    Args:
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        max_attempts: How often a request is sent at most.
        max_idle: Seconds that a connection may have been idle to carry what moves money.

    Returns:
        The limits.

    Raises:
        InvalidArgument: Not positive.
    """
    return Limits(
        arguments.seconds("timeout", timeout),
        arguments.seconds("connect_timeout", connect_timeout),
        arguments.attempts(max_attempts),
        arguments.seconds("max_idle", max_idle),
    )
