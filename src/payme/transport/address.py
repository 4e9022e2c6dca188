"""The one host that a client talks to: its addresses, TLS, and the way through a proxy."""

# Looking up a host name imports this codec; here it is imported while `lazy` keeps forks out.
import encodings.idna  # noqa: F401 # pyright: ignore[reportUnusedImport]
import re
import socket
import ssl
import sys
from _thread import start_new_thread
from collections import deque
from contextlib import suppress
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from payme.transport.base import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

STAGGER: Final = 0.25
"""Seconds until the next address is tried beside the one before (RFC 8305)."""

Address = tuple[int, tuple[str, int]]

_URL: Final = re.compile(r"(https?)://(\[[^\]]+\]|[^/:]+)(?::(\d+))?(/.*)?")
_PORTS: Final = {"http": 80, "https": 443}
_HEAD: Final = (
    "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: payme-uz\r\n"
)
# Where systems keep their authorities, for a Python that was built elsewhere.
_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Socket(socket.socket):
    """A socket that does not block, and is closed wherever an interruption drops it."""

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.setblocking(False)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # The function of C: it also closes one that was interrupted while it was made, and swallows
    # no interruption itself.
    __del__ = socket.SocketType.close


class Endpoint:
    """Where to connect, and what is said first; loads the trust store, which may take 30 ms.

    Attributes:
        head: Beginning of every request.
        tunnel: What asks a proxy for a tunnel; empty without.
        session: Of the last TLS connection, so that the next one costs less.
    """

    def __init__(self, url: str, context: ssl.SSLContext | None, proxy: Proxy | None) -> None:
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError(f"not an address: {url!r}")
        scheme, host, path = found[1], found[2], found[4] or "/"
        port = int(found[3] or _PORTS[scheme])
        shown = host if port == _PORTS[scheme] else f"{host}:{port}"
        self._host, self._port = self._name, _ = host.strip("[]"), port
        self._context = (context or _trusting()) if scheme == "https" else None
        # `truststore` looks at the certificates itself, and a resumed session shows none.
        self._resumes = type(self._context).__module__ == "ssl"
        self.session: ssl.SSLSession | None = None
        self.tunnel = extra = b""
        if proxy is not None:
            self._host, self._port, extra = proxy.host, proxy.port, proxy.header
            if self._context is None:
                path = url  # in the clear as ever; many proxies make tunnels to port 443 alone
            else:
                self.tunnel = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (
                    f"{host}:{port}".encode(),
                    shown.encode(),
                    extra,
                )
                extra = b""
        self.head = _HEAD.format(path, shown).encode("utf-8", "surrogatepass") + extra

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject | None:
        """Begin TLS; None over plain HTTP."""
        if self._context is None:
            return None
        session = self.session if self._resumes else None
        return self._context.wrap_bio(
            incoming, outgoing, server_hostname=self._name, session=session
        )

    def look_up(self) -> "LookUp":
        """Begin to look up the addresses."""
        return LookUp(self._host, self._port)


class LookUp:
    """A look-up of addresses, for all who wait for it.

    `getaddrinfo` has no timeout and can't be interrupted, so it runs in a thread that nobody waits
    for longer than he likes. `threading` and its locks do not outlive every interruption, so they
    are not used.

    Attributes:
        found: Addresses, or why there are none; None as long as it takes.
        bells: What is called at the end, from the thread.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self.bells: deque[Callable[[], Any]] = deque()
        self.found: list[Address] | Exception | None = _literal(host, port)
        if self.found is None:
            try:
                start_new_thread(self._run, ())
            except RuntimeError as error:
                raise OSError(str(error)) from None

    def _run(self) -> None:
        host, port = self._target
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self.found = interleaved([(one[0], (str(one[4][0]), port)) for one in found])
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            self.found = error
        while self.bells:
            # The loop that waited may have ended.
            with suppress(RuntimeError):
                self.bells.popleft()()

    def addresses(self) -> list[Address]:
        """Return what was found, or raise why nothing was."""
        if isinstance(self.found, Exception):
            raise self.found
        return self.found or []


def _literal(host: str, port: int) -> list[Address] | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    return None


def interleaved(addresses: list[Address]) -> list[Address]:
    """Take turns between both families, so that one that is dead costs one try."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    other = [one for one in addresses if one[0] != addresses[0][0]]
    return [one for one in chain.from_iterable(zip_longest(first, other)) if one]


def _trusting() -> ssl.SSLContext:
    if sys.platform != "linux":
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        for file in filter(Path.is_file, map(Path, _AUTHORITIES)):
            context.load_verify_locations(file)
            break
    return context
