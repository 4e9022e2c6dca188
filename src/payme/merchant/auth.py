"""Who may call: Payme, by its key, and if the merchant wishes by its addresses.

Source: https://developer.help.paycom.uz/protokol-merchant-api/skhema-vzaimodeystviya
"""

import asyncio
import base64
import binascii
import hmac
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from payme.errors import ConfigurationError

LOGIN: Final = "Paycom"
"""Login of Payme's requests: as in its templates; its page says to ask Payme (OBSERVED)."""

PAYME_ADDRESSES: Final = tuple(f"185.234.113.{last}" for last in range(1, 16))
"""Addresses that Payme calls from, and no others (CONFIRMED)."""

_SHORTEST_KEY: Final = 8
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

UNIX: Final = "unix"
"""Stands for a connection without an address: from a proxy, over a socket of this machine."""


class Keys:
    """The keys that Payme may come with.

    Several are accepted at once: while a key is being changed both the old and the new one are in
    use, and the test key is another one.

    Args:
        keys: Keys of the cash-box, 36 characters in every sample.
        login: Login of the Basic scheme.

    Raises:
        ConfigurationError: There is no key, or one that can't be right; or the login is no text. A
            merchant that starts without a key would let anybody mark orders as paid.
    """

    def __init__(self, keys: str | Sequence[str], login: str = LOGIN) -> None:
        _require_login(login)
        # Those are iterable, too: of numbers, and of what may be names.
        if not isinstance(keys, Iterable) or isinstance(keys, bytes | Mapping):
            kind = type(keys).__name__
            raise ConfigurationError(f"keys: got {kind}, expected one key as text, or a list")
        given: list[object] = [keys] if isinstance(keys, str) else list(keys)
        if not given:
            raise ConfigurationError("keys: got none, expected the key of the cash-box")
        for key in given:
            # None is what an environment without the variable gives.
            if not isinstance(key, str | None):
                raise ConfigurationError(
                    f"keys: one of {len(given)} is {type(key).__name__}, expected text"
                )
            if not key or len(key.strip()) < _SHORTEST_KEY:
                raise ConfigurationError(
                    f"keys: one of {len(given)} is empty or shorter than {_SHORTEST_KEY} characters"
                )
            if key != key.strip() or _CONTROL.search(key):
                raise ConfigurationError(
                    f"keys: one of {len(given)} has a line break, or a space at an end"
                )
        self._expected = [f"{login}:{key}".encode() for key in given]

    def admit(self, authorization: str | None) -> bool:
        """Check an `Authorization` header.

        Every key is compared, in constant time, whichever fits.

        Args:
            authorization: Value of the header, None if there is none.

        Returns:
            True if it is the Basic scheme with the login and one of the keys.
        """
        presented = _credentials(authorization)
        matches = [hmac.compare_digest(presented, expected) for expected in self._expected]
        return any(matches)

    def shares(self, other: "Keys") -> bool:
        """Return whether a request may fit these keys and others."""
        return not set(self._expected).isdisjoint(other._expected)

    def __repr__(self) -> str:
        return f"Keys(<{len(self._expected)}>)"


GivenKeys = str | Sequence[str]

KeySource = GivenKeys | Callable[[], GivenKeys]
"""The keys, or a function that is asked for them when a request comes."""

AsyncKeySource = KeySource | Callable[[], Awaitable[GivenKeys]]
"""As `KeySource`; the function may be a coroutine."""


class Keyring:
    """The keys that are accepted now: always the same, or what a function says for each request.

    Args:
        source: The keys, or the function.
        login: Login of the Basic scheme.

    Raises:
        ConfigurationError: The keys can't be right.
    """

    def __init__(self, source: AsyncKeySource, login: str = LOGIN) -> None:
        _require_login(login)
        self._login = login
        self._source = source if callable(source) else None
        self._given: GivenKeys | None = None if callable(source) else source
        self._keys = None if callable(source) else Keys(source, login)

    def now(self) -> Keys:
        """Return the keys that are accepted, blocking.

        Raises:
            ConfigurationError: The function gives keys that can't be right, or is a coroutine.
        """
        if self._source is None:
            return self._made(self._given)
        given = self._source()
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()
            raise ConfigurationError(COROUTINE)
        return self._made(given)

    def shares(self, other: "Keyring") -> bool:
        """Return whether keys that are known already are among another's."""
        if self._keys is None or other._keys is None:
            return False
        return self._keys.shares(other._keys)

    async def anow(self) -> Keys:
        """Return the keys that are accepted; a function that blocks is called in a thread."""
        if self._source is None:
            return self._made(self._given)
        waits = inspect.iscoroutinefunction(self._source)
        given: Any = self._source() if waits else await asyncio.to_thread(self._source)
        return self._made(await given if inspect.isawaitable(given) else given)

    def _made(self, given: Any) -> Keys:
        """Check keys when they are new; most requests come with those of the last one."""
        kept = self._keys
        if kept is not None and given == self._given:
            return kept
        made = Keys(given, self._login)
        self._given = given if isinstance(given, str) else tuple(given)
        self._keys = made
        return made

    def __repr__(self) -> str:
        return f"Keyring({self._keys!r})"


COROUTINE: Final = "keys: got a coroutine function; only AsyncMerchant awaits one"


def is_coroutine(source: object) -> bool:
    """Return whether keys come from a function that has to be awaited."""
    return inspect.iscoroutinefunction(source)


def _require_login(given: object) -> None:
    if not isinstance(given, str) or not given:
        shown = repr(given) if isinstance(given, str) else type(given).__name__
        raise ConfigurationError(f"login: got {shown}, expected text, which is {LOGIN!r} at Payme")


def _credentials(authorization: str | None) -> bytes:
    """Decode the header; empty for anything else, which no key is equal to."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AllowList:
    """The addresses that Payme may come from.

    Args:
        addresses: Addresses and networks; by default Payme's.
        trusted_proxies: Addresses of the merchant's own proxies. `X-Forwarded-For` is read only
            when the connection comes from one of them, and only as far as they wrote it. `unix`
            stands for a connection over a Unix socket, which has no address.

    Raises:
        ConfigurationError: One is no address.
    """

    def __init__(
        self, addresses: Iterable[str] = PAYME_ADDRESSES, trusted_proxies: Iterable[str] = ()
    ) -> None:
        for name, given in (("addresses", addresses), ("trusted_proxies", trusted_proxies)):
            # A text is iterable, too: each of its characters would be an address.
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise ConfigurationError(f"{name}: got {given!r}, expected a list")
        self._allowed = _networks("addresses", addresses)
        proxies = list(trusted_proxies)
        self._unix = UNIX in proxies
        self._proxies = _networks("trusted_proxies", (one for one in proxies if one != UNIX))

    def admit(self, peer: str | None, forwarded_for: str | None = None) -> bool:
        """Check where a request comes from.

        Args:
            peer: Address of the connection.
            forwarded_for: Value of `X-Forwarded-For`; several headers joined by commas.

        Returns:
            True if the nearest address that is no trusted proxy is allowed.
        """
        hops = [hop for hop in (forwarded_for or "").split(",") if hop.strip()]
        # Nearest hop first; left of an untrusted hop is client-supplied.
        nearest = [] if self._unix and not peer else [peer or ""]
        for hop in [*nearest, *reversed(hops)]:
            address = _address(hop.strip())
            if address is None:
                return False
            if not _within(address, self._proxies):
                return _within(address, self._allowed)
        return False


def _networks(name: str, given: Iterable[str]) -> list[Network]:
    found: list[Network] = []
    for one in given:
        network = _network(one)
        if network is None:
            raise ConfigurationError(
                f"{name}: got {one!r}, expected addresses or networks, such as 185.234.113.0/28"
            )
        found.append(network)
    return found


def _network(given: object) -> Network | None:
    # `ip_network` also reads numbers, as addresses.
    if not isinstance(given, str | Address | Network):
        return None
    try:
        return ip_network(given, strict=False)
    except ValueError:
        return None


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _within(address: Address, networks: list[Network]) -> bool:
    return any(address.version == one.version and address in one for one in networks)
