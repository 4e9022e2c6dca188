"""Ports for servers that a test starts as programs of their own."""

import random
import socket
from contextlib import suppress
from typing import Final

# Below those that systems give to outgoing connections: many workers make many of these, and one
# would be given the port before the server has it.
_RANGE: Final = (20_000, 32_000)


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        port = random.randrange(*_RANGE)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
