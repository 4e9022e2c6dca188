"""Proxies: what is sent to one, and addresses that are none."""

import base64

import pytest

from payme import AsyncPayme, ConfigurationError, Payme, configuration
from support import gates
from support.gates import Gate
from support.listener import Listener, wait_for_hangup

pytestmark = pytest.mark.anyio

from payme.transport.base import Request, TransportError  # noqa: E402

SECRET = "pa55word"
BROKEN = [
    "http://[::1",
    "http://[::1]]:1",
    f"http://user:{SECRET}@host:99999",
    "http://host:0",
    "http://",
    "http://:3128",
    f"http://user:{SECRET}@",
    f"http://user:{SECRET}",
    f"user:{SECRET}@host:port",
    f"http://user:{SECRET}\udc80@host:3128",
    "http://h\udc80st:3128",
    f"http://user:{SECRET}@host:3128/path?{SECRET}",
    f"http://user:{SECRET} x@host:3128",
    "http://host:3128\r\nX-Evil: 1",
    "проха:3128",
    " ",
]


@pytest.mark.parametrize("kind", [Payme, AsyncPayme])
@pytest.mark.parametrize("address", BROKEN)
def test_a_broken_address_is_refused_when_the_client_is_made(kind, address):
    with pytest.raises(ConfigurationError, match="proxy") as refused:
        kind("m" * 24, "k" * 36, environment="test", proxy=address)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


@pytest.mark.parametrize("kind", [Payme, AsyncPayme])
@pytest.mark.parametrize("scheme", ["socks5", "SOCKS5h", "socks4", "https"])
def test_another_kind_of_proxy_names_the_extra_that_carries_it(kind, scheme):
    with pytest.raises(ConfigurationError, match=r"payme-uz\[httpx2\]") as refused:
        kind("m" * 24, "k", environment="test", proxy=f"{scheme}://user:{SECRET}@host:1080")
    assert f"{scheme.lower()}://" in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("kind", [Payme, AsyncPayme])
@pytest.mark.parametrize("address", ["socks5://host:1080", "http://host:99999"])
def test_a_broken_address_in_the_environment_is_refused_when_the_client_is_made(
    kind, address, monkeypatch
):
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigurationError, match="proxy"):
        kind("m" * 24, "k", environment="test")


@pytest.mark.parametrize(
    ("address", "host", "port", "credentials"),
    [
        ("http://proxy.local:3128", "proxy.local", 3128, None),
        ("proxy.local:3128", "proxy.local", 3128, None),
        ("HTTP://proxy.local/", "proxy.local", 80, None),
        ("http://[2001:db8::1]:3128", "2001:db8::1", 3128, None),
        ("http://user@proxy.local", "proxy.local", 80, "user:"),
        ("http://us%40er:p%3Aa%D1%8F@proxy.local", "proxy.local", 80, "us@er:p:aя"),
        ("http://user:p@ss@proxy.local:1", "proxy.local", 1, "user:p@ss"),
    ],
)
def test_an_address_is_read(address, host, port, credentials):
    found = configuration.proxy(address, "https://checkout.paycom.uz/api")
    assert (found.host, found.port) == (host, port)
    if credentials is None:
        assert found.header == b""
    else:
        encoded = base64.b64encode(credentials.encode())
        assert found.header == b"Proxy-Authorization: Basic " + encoded + b"\r\n"
        assert credentials not in repr(found)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_the_environment_names_a_proxy_and_exceptions(name, monkeypatch):
    for other in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
    api = "https://checkout.paycom.uz/api"
    assert configuration.proxy(None, api) is None
    monkeypatch.setenv(name, "http://proxy.local:3128")
    assert configuration.proxy(None, api).host == "proxy.local"
    assert configuration.proxy(None, "http://checkout.paycom.uz/api") is None
    assert configuration.proxy("", api) is None
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert configuration.proxy(None, f"https://{host}/api") is None
    monkeypatch.setenv("NO_PROXY", ".paycom.uz")
    assert configuration.proxy(None, api) is None


def request():
    return Request("id:key", b"{}", 2.0, 2.0)


async def test_a_tunnel_is_asked_for_with_the_credentials_of_the_proxy_alone(wire, client_tls):
    seen = []

    def serve(gate, sock):
        seen.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
        wait_for_hangup(sock)

    with Gate(serve) as gate:
        made = wire(
            "https://localhost:9/api", client_tls, f"http://u:{SECRET}@127.0.0.1:{gate.port}"
        )
        asked = request()
        with pytest.raises(TransportError, match="proxy answered 407") as refused:
            await made.send(asked)
        assert refused.value.sent is asked.sent is False
    encoded = base64.b64encode(f"u:{SECRET}".encode()).decode()
    assert seen[0].decode().split("\r\n") == [
        "CONNECT localhost:9 HTTP/1.1",
        "Host: localhost:9",
        f"Proxy-Authorization: Basic {encoded}",
        "",
        "",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nmore",
        b"HTTP/2 200\r\n\r\n",
        b"220 mail\r\n\r\n",
        b"x" * 70_000,
    ],
)
async def test_what_a_proxy_says_before_its_turn_breaks_the_tunnel(wire, client_tls, answer):
    with Gate(gates.proxy_saying(answer)) as gate:
        made = wire("https://localhost:9/api", client_tls, f"http://127.0.0.1:{gate.port}")
        with pytest.raises(TransportError, match="proxy") as refused:
            await made.send(request())
        assert refused.value.sent is False


async def test_a_tunnel_may_be_answered_in_pieces(wire, client_tls, server_tls):
    served = []

    def serve_tls(sock):
        with server_tls.wrap_socket(sock, server_side=True) as secured:
            served.append(secured.recv(65536))
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def serve(gate, sock):
        sock.recv(65536)
        for byte in b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n":
            sock.sendall(bytes([byte]))
        serve_tls(sock)

    with Gate(serve) as gate:
        made = wire("https://localhost:9/api", client_tls, f"http://127.0.0.1:{gate.port}")
        assert (await made.send(request())).body == b"{}"
    assert served[0].startswith(b"POST /api HTTP/1.1\r\nHost: localhost:9\r\n")


async def test_plain_http_goes_through_a_proxy_by_its_whole_address(wire):
    """Many proxies make tunnels to port 443 alone."""
    seen = []

    def serve(sock):
        seen.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        wait_for_hangup(sock)

    with Listener(serve) as server:
        made = wire("http://shop.invalid:81/api", None, f"http://u:p@127.0.0.1:{server.port}")
        assert (await made.send(request())).body == b"{}"
    lines = seen[0].decode().split("\r\n")
    assert lines[:2] == ["POST http://shop.invalid:81/api HTTP/1.1", "Host: shop.invalid:81"]
    assert "Proxy-Authorization: Basic dTpw" in lines
