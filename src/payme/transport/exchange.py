"""One connection as bytes: a tunnel, TLS and HTTP/1.1, above whatever moves the bytes.

Both styles drive the same `Exchange`: what arrives they put into `buffer` and tell `received`;
what is `unsent` they send, until it is `settled`. No socket is here and no clock. TLS goes through
memory, so that blocking and asyncio, under any loop, shake hands and resume sessions alike.

Error reporters upload the locals of every frame that an exception leaves. What is sent and what is
answered is therefore never bound to a local: it stays in attributes, and goes from one function of
C straight into the next. The callbacks that see bytes are functions of C for the same reason.
"""

import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade
from httptools import HttpResponseParser as Parser

from payme.transport.address import Endpoint
from payme.transport.base import Reply, Request

MAX_BODY: Final = 8 << 20
"""Bytes of an answer that are read; a page of 50 receipts has about 60 thousand."""

# Bytes of an answer that are no body: heads, interim answers, the sizes of chunks.
_MAX_AROUND: Final = 64 << 10
_SIZE: Final = 16 << 10
_FRAMED: Final = (b"content-length", b"transfer-encoding")


class Exchange:
    """The bytes of one connection.

    Attributes:
        buffer: Where received bytes are put.
        unsent: What must be sent next.
        settled: The step that was begun is done.
        alive: The next request may go out on this connection.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.buffer = self._clear = bytearray(_SIZE)
        self.unsent = b""
        self.settled = self.alive = True
        self._endpoint = endpoint
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Any = None
        self._session_kept = False
        self._body = bytearray()
        self._answer = b""
        self._headers: dict[bytes, bytes] = {}
        self._received = self._status = 0
        self.on_body = self._body.extend
        self.on_header = self._headers.__setitem__
        self._parser = Parser(self)
        self._take: Callable[[int], None] = self._parse

    def opening(self) -> Iterator[None]:
        """Take the steps before the first request; after each, the connection must settle."""
        if self._endpoint.tunnel:
            self._begin(self._hear_proxy)
            self.unsent = self._endpoint.tunnel
            yield
        self._take = self._parse
        tls = self._endpoint.wrap(self._incoming, self._outgoing)
        if tls is not None:
            self._clear = bytearray(_SIZE)
            self._handshake = tls.do_handshake
            # The object of C: in the frames of Python's wrapper the clear text would be a local.
            self._tls = getattr(tls, "_sslobj", tls)
            self._begin(self._shake_hands)
            self._shake_hands(0)
            yield
            self._take = self._decrypt

    def _begin(self, take: Callable[[int], None]) -> None:
        self._take = take
        self._body.clear()
        self._headers.clear()
        self._received = 0
        self.settled = False

    def _hear_proxy(self, size: int) -> None:
        self._body += memoryview(self.buffer)[:size]
        if self._body.find(b"\r\n\r\n") < 0 and len(self._body) < _MAX_AROUND:
            return
        if not (self._body.startswith(b"HTTP/1.") and self._body.endswith(b"\r\n\r\n")):
            raise ConnectionError("the proxy made no tunnel")
        if not self._body.startswith(b" 2", 8):
            raise ConnectionError(f"the proxy answered {self._body[9:12].decode('latin-1')}")
        self.settled = True

    def _shake_hands(self, size: int) -> None:
        self._incoming.write(memoryview(self.buffer)[:size])
        try:
            self._handshake()
        except ssl.SSLWantReadError:
            self.unsent = self._outgoing.read()
        except OSError:
            # Perhaps it was the session that the other end did not like.
            self._endpoint.session = None
            raise
        else:
            # What ends the handshake waits for the request, and leaves in one piece with it.
            self.settled = True

    def begin(self, request: Request) -> None:
        """Make the bytes of a request."""
        if not (request.auth.isascii() and request.auth.isprintable()):
            raise ValueError("X-Auth has characters that no header has")
        self._begin(self._take)
        if self._tls is None:
            self.unsent = self._encoded(request)
        else:
            self._tls.write(self._encoded(request))
            self.unsent = self._outgoing.read()

    def _encoded(self, request: Request) -> bytes:
        return b"%bX-Auth: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            self._endpoint.head,
            request.auth.encode("ascii"),
            len(request.body),
            request.body,
        )

    def received(self, size: int) -> None:
        """Take bytes that were put into `buffer`; none means that the other end closed.

        Raises:
            OSError: The step that is under way has failed.
        """
        if size:
            self._take(size)
        else:
            self._end(whole=self._take == self._parse)

    def _decrypt(self, size: int) -> None:
        self._incoming.write(memoryview(self.buffer)[:size])
        try:
            while self._incoming.pending or self._tls.pending():
                if clear := self._tls.read(_SIZE, self._clear):
                    self._parse(clear)
                else:
                    self._end(whole=True)
                    return
        except ssl.SSLWantReadError:
            pass  # half a record, or one for TLS itself, such as a ticket of a session

    def _parse(self, size: int) -> None:
        if self.settled:
            self.alive = False
            return
        self._received += size
        try:
            # An answer that is whole before the last byte has something behind it, though it be
            # an empty line, which the parser would skip.
            self._parser.feed_data(memoryview(self._clear)[: size - 1])
            if self.settled:
                self.alive = False
                return
            self._parser.feed_data(memoryview(self._clear)[size - 1 : size])
        except HttpParserCallbackError as failed:
            # What interrupted a callback, such as Ctrl+C.
            raise (failed.__context__ or failed) from None
        except (HttpParserError, HttpParserUpgrade) as error:
            self.alive = False
            if not self.settled:
                raise ConnectionError(f"not HTTP: {error}") from None
        if len(self._body) > MAX_BODY:
            raise ConnectionError(f"an answer of more than {MAX_BODY} bytes")
        if self._received - len(self._body) > _MAX_AROUND:
            raise ConnectionError(f"more than {_MAX_AROUND} bytes around an answer")

    def on_message_complete(self) -> None:
        """End the exchange, unless this was an interim answer."""
        if self.settled:
            return
        self._status = self._parser.get_status_code()
        if 100 <= self._status < 200 and self._status != 101:
            self._headers.clear()
            return
        self.alive = self.alive and self._parser.should_keep_alive()
        # Taken here: what the parser finds behind the answer is no part of it.
        self._answer = bytes(self._body)
        self.settled = True

    def _end(self, *, whole: bool) -> None:
        """Take the end of the line for the end of a body that nothing else marks."""
        self.alive = False
        if self.settled:
            return
        if not (whole and self._body) or any(name.lower() in _FRAMED for name in self._headers):
            raise ConnectionError("the connection was closed before the whole answer came")
        self._status = self._parser.get_status_code()
        self._answer = bytes(self._body)
        self.settled = True

    def reply(self, discard: Callable[[], None]) -> Reply:
        """Make a reply of the answer that came."""
        if self._tls is not None and not self._session_kept:
            # TLS 1.3 sends its tickets after the handshake: with the first answer they are here.
            self._endpoint.session, self._session_kept = self._tls.session, True
        reply = Reply(self._status, b"", discard)
        reply.body = self._answer
        return reply
