"""The body of a request, of which no more is kept than shows that it is too long.

Every adapter reads through this: frameworks differ in how a body comes, in parts that are pushed or
from a stream, and not in how much of it is wanted.
"""

from collections.abc import Callable
from typing import Final

from payme.merchant import wire

_MOST: Final = wire.MAX_BODY + 1

_LINGER: Final = 16 * wire.MAX_BODY
"""Bytes over the limit that are thrown away, so that the caller can read the answer."""


class Body:
    """A body that comes in parts."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._dropped = 0

    def add(self, part: bytes) -> bool:
        """Take a part.

        Args:
            part: Its bytes.

        Returns:
            False when nobody needs to wait for more.
        """
        kept = part[: _MOST - len(self._kept)]
        self._kept += kept
        self._dropped += len(part) - len(kept)
        return self._dropped <= _LINGER

    def __bytes__(self) -> bytes:
        return bytes(self._kept)


def drained(read: Callable[[int], bytes], length: int | None = None) -> bytes:
    """Read a body from a stream.

    Args:
        read: Reads up to a number of bytes; some servers give less than they were asked for.
        length: Bytes that the stream has, None where it ends by itself.

    Returns:
        The body, or one byte more than the longest that is answered.
    """
    most = _MOST if length is None else min(length, _MOST)
    body = bytearray()
    while len(body) < most:
        part = read(most - len(body))
        if not part:
            break
        body += part
    return bytes(body)


def is_short(length: int | None) -> bool:
    """Return whether a body with a `Content-Length` may be read whole."""
    return length is not None and length <= wire.MAX_BODY
