"""HTTP/1.1 as uvicorn speaks it, with a short way for ordinary calls that come whole.

uvicorn hands head and body of an answer to the socket one after the other, and each costs a system
call and wakes the caller: for an answer of a kilobyte that is as much as all that the sandbox does
besides. Of the rest, most is h11, which is written for whatever HTTP allows. A call that came whole
is read here instead, and all else by h11: each request finds h11's state as if it were the first.
"""

import asyncio
import re
from typing import Any, Final, NamedTuple, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

# Narrower than HTTP: whatever does not match is left to h11. `.` matches no line feed.
_HEAD: Final = re.compile(
    rb"POST (/api/?) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
_HEADER: Final = re.compile(rb"([A-Za-z0-9-]+): ?(.*)\r\n")
# Headers that change how a request is read or what becomes of the connection.
_RULING: Final = frozenset((b"transfer-encoding", b"expect", b"upgrade"))
_KEEP: Final = b"keep-alive"
_LONGEST: Final = 65_536


class Call(NamedTuple):
    """A request to `/api` that came whole; the names of its headers are in lower case."""

    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


def read_call(data: bytes) -> Call | None:
    """Read what came as one call, or return None: h11 knows more.

    Nothing is read here that h11 would refuse or read in another way.
    """
    head = _HEAD.match(data)
    if head is None or len(data) > _LONGEST:
        return None
    body = data[head.end() :]
    headers = [(name.lower(), value) for name, value in _HEADER.findall(head[2])]
    named = dict(headers)
    if len(named) < len(headers) or b"host" not in named or not _RULING.isdisjoint(named):
        return None
    if named.get(b"connection", _KEEP).lower() != _KEEP:
        return None
    # Other spellings of the length, such as 007, are h11's.
    if named.get(b"content-length") != b"%d" % len(body):
        return None
    return Call(head[1].decode(), headers, body)


class JoinedTransport(asyncio.Transport):
    """A connection that holds back what is written first until more comes, or the loop turns.

    Args:
        inner: The connection.
        loop: The loop that it belongs to.
    """

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._inner = inner
        self._loop = loop
        self._held = b""

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Write what was held back and this, or hold this back."""
        if self._held:
            held, self._held = self._held, b""
            self._inner.write(held + bytes(data))
        elif data:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Close the connection once all is written."""
        self._flush()
        self._inner.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._held = b""
        self._inner.abort()

    def is_closing(self) -> bool:
        """Return whether the connection is closed or being closed."""
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell something about the connection."""
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._inner.resume_reading()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._inner.write(held)


class JoinedProtocol(H11Protocol):
    """uvicorn's protocol on such a connection, and the short way."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin with a connection."""
        joined = JoinedTransport(transport, asyncio.get_running_loop())
        super().connection_made(cast("Any", joined))

    @property
    def answering(self) -> bool:
        """Whether a request is being answered."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Serve a call that came whole, and leave all else to h11."""
        unread = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
        if unread or (call := None if self.answering else read_call(data)) is None:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        self._serve(call)

    def handle_events(self) -> None:
        """Read what h11 has got, but after the answer to the call before it."""
        if self.conn.their_state is h11.IDLE and self.answering:
            self.flow.pause_reading()
        else:
            super().handle_events()

    def on_response_complete(self) -> None:
        """Go on with what came in the meantime."""
        super().on_response_complete()
        waits = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
        if waits and not self.transport.is_closing():
            self.handle_events()

    def _serve(self, call: Call) -> None:
        # What h11 would remember of it: how the other side is spoken to.
        self.conn.their_http_version = b"1.1"
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": "POST",
            "root_path": self.root_path,
            "path": call.path,
            "raw_path": call.path.encode(),
            "query_string": b"",
            "headers": call.headers,
            "state": self.app_state.copy(),
        }
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        cycle.body += call.body
        cycle.more_body = False
        cycle.message_event.set()
        self.cycle = cast("Any", cycle)
        app: Any = cast("Any", self).app
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
