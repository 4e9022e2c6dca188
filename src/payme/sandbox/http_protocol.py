"""HTTP/1.1 as uvicorn speaks it, with head and body of an answer in one packet.

uvicorn hands them to the socket one after the other, and each costs a system call and wakes the
caller: for an answer of a kilobyte that is as much as all that the sandbox does besides.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol


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
    """uvicorn's protocol on such a connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin with a connection."""
        joined = JoinedTransport(transport, asyncio.get_running_loop())
        super().connection_made(cast("Any", joined))
