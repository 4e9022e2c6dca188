"""The bytes of an answer, cut in every way, and what may follow them."""

import pytest

from payme.transport.address import Endpoint
from payme.transport.base import Request
from payme.transport.exchange import MAX_BODY, Exchange

ENDPOINT = Endpoint("http://127.0.0.1:9/api", None, None)
REQUEST = Request("id:key", b'{"id":1}', 1.0, 1.0)


def asked() -> Exchange:
    exchange = Exchange(ENDPOINT)
    for _ in exchange.opening():
        pytest.fail("nothing comes before a request over plain HTTP")
    exchange.begin(REQUEST)
    exchange.unsent = b""
    return exchange


def hear(exchange: Exchange, data: bytes, step: int = 4096) -> None:
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        exchange.buffer[: len(piece)] = piece
        exchange.received(len(piece))


def result(exchange: Exchange):
    assert exchange.settled
    reply = exchange.reply(lambda: None)
    return reply.status, reply.body, exchange.alive


def whole(body: bytes, *headers: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    lines = [f"HTTP/{version} {status}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


LENGTH = "Content-Length: 2"
CHUNKED = b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n"


def test_a_request_is_one_piece_with_its_headers():
    exchange = Exchange(ENDPOINT)
    exchange.begin(REQUEST)
    head, _, body = exchange.unsent.partition(b"\r\n\r\n")
    assert body == b'{"id":1}'
    assert head.split(b"\r\n") == [
        b"POST /api HTTP/1.1",
        b"Host: 127.0.0.1:9",
        b"Content-Type: application/json",
        b"Cache-Control: no-cache",
        b"User-Agent: payme-uz",
        b"X-Auth: id:key",
        b"Content-Length: 8",
    ]


@pytest.mark.parametrize("auth", ["id:ключ", "id:k\r\nX-Evil: 1", "id:k\n", "id:\udc80", "id:\x00"])
def test_a_header_that_is_none_is_not_sent(auth):
    exchange = Exchange(ENDPOINT)
    with pytest.raises(ValueError, match="X-Auth") as refused:
        exchange.begin(Request(auth, b"{}", 1.0, 1.0))
    assert exchange.unsent == b""
    assert refused.value.__context__ is None


@pytest.mark.parametrize("step", [1, 2, 3, 7, 4096])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (whole(b"{}", LENGTH), (200, b"{}", True)),
        (whole(CHUNKED, "Transfer-Encoding: chunked"), (200, b"{}", True)),
        (whole(b"{}", LENGTH, "Connection: close"), (200, b"{}", False)),
        (whole(b"{}", LENGTH, version="1.0"), (200, b"{}", False)),
        (whole(b"{}", LENGTH, "Connection: keep-alive", version="1.0"), (200, b"{}", True)),
        (whole(b"", status="204 No Content"), (204, b"", True)),
        (whole(b"", status="304 Not Modified"), (304, b"", True)),
        (whole(b"", "Content-Length: 0", status="502 Bad Gateway"), (502, b"", True)),
        (whole(b"", status="100 Continue") + whole(b"{}", LENGTH), (200, b"{}", True)),
        (
            whole(b"", "Link: x", status="103 Early Hints") * 3 + whole(b"{}", LENGTH),
            (200, b"{}", True),
        ),
    ],
)
def test_an_answer_is_read_however_it_is_cut(answer, expected, step):
    exchange = asked()
    hear(exchange, answer, step)
    assert result(exchange) == expected


@pytest.mark.parametrize("step", [1, 4096])
@pytest.mark.parametrize(
    "rest", [b"x", b"{}", b"\r", b"\n", b"\r\n", whole(b"{}", LENGTH), b"HTTP/1.1 200"]
)
@pytest.mark.parametrize(
    "answer", [whole(b"{}", LENGTH), whole(CHUNKED, "Transfer-Encoding: chunked")]
)
def test_a_connection_with_bytes_behind_the_answer_is_dead(answer, rest, step):
    exchange = asked()
    hear(exchange, answer + rest, step)
    assert result(exchange) == (200, b"{}", False)


def test_a_connection_on_which_something_comes_while_it_is_idle_is_dead():
    exchange = asked()
    hear(exchange, whole(b"{}", LENGTH))
    assert exchange.alive
    hear(exchange, whole(b"{}", LENGTH))
    assert not exchange.alive


def test_a_connection_that_ends_while_it_is_idle_is_dead():
    exchange = asked()
    hear(exchange, whole(b"{}", LENGTH))
    exchange.received(0)
    assert not exchange.alive


def test_one_connection_carries_many_answers():
    exchange = asked()
    for number in range(50):
        hear(exchange, whole(b"%02d" % number, LENGTH))
        assert result(exchange) == (200, b"%02d" % number, True)
        exchange.begin(REQUEST)


def test_a_body_that_nothing_marks_ends_with_the_line():
    exchange = asked()
    hear(exchange, whole(b"{}", version="1.0"))
    assert not exchange.settled
    exchange.received(0)
    assert result(exchange) == (200, b"{}", False)


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        whole(b"{", LENGTH),
        whole(b"{", LENGTH, "Connection: close"),
        whole(b"{", "content-length: 2", version="1.0"),
        whole(b"1\r\n{\r\n", "Transfer-Encoding: chunked"),
        whole(b"1\r\n{\r\n", "TRANSFER-ENCODING: chunked", "Connection: close"),
        whole(b"", status="100 Continue"),
        whole(b""),
    ],
)
def test_an_answer_that_is_cut_is_none(cut):
    exchange = asked()
    hear(exchange, cut)
    with pytest.raises(OSError, match="before the whole answer"):
        exchange.received(0)


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail ready\r\n",
        b"HTTP/1.1 2xx OK\r\n\r\n",
        whole(b"{}", LENGTH, "Content-Length: 3"),
        whole(b"{}", LENGTH, "Transfer-Encoding: chunked"),
        whole(b"{}", "Content-Length: -2"),
        whole(b"{}", "Content-Length: 2, 3"),
        whole(b"zz\r\n", "Transfer-Encoding: chunked"),
        whole(b"", "X: " + "x" * (64 << 10)),
        whole(b"", *["X: y"] * 20_000),
        whole(b"", status="102 Processing") * 4000,
        whole(b"1;" + b"x" * (64 << 10), "Transfer-Encoding: chunked"),
    ],
)
def test_what_is_no_answer_or_too_much_of_one_is_refused(answer):
    exchange = asked()
    with pytest.raises(OSError, match=r"not HTTP|bytes around"):
        hear(exchange, answer)


def test_a_body_is_read_up_to_a_limit():
    exchange = asked()
    with pytest.raises(OSError, match=f"more than {MAX_BODY} bytes"):
        hear(exchange, whole(b" " * (MAX_BODY + 1), f"Content-Length: {MAX_BODY + 1}"), 16 << 10)
    exchange = asked()
    hear(exchange, whole(b" " * MAX_BODY, f"Content-Length: {MAX_BODY}"), 16 << 10)
    assert len(exchange.reply(lambda: None).body) == MAX_BODY


def test_what_interrupts_a_callback_is_raised_and_not_an_error_of_http():
    class Struck(Exchange):
        def on_message_complete(self):
            raise KeyboardInterrupt

    exchange = Struck(ENDPOINT)
    exchange.begin(REQUEST)
    with pytest.raises(KeyboardInterrupt):
        hear(exchange, whole(b"{}", LENGTH))


def test_a_switch_of_protocols_is_an_answer_and_ends_the_connection():
    exchange = asked()
    hear(exchange, whole(b"", "Connection: upgrade", "Upgrade: h2c", status="101 Switching"))
    assert result(exchange)[::2] == (101, False)
