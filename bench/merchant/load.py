"""Keeps a number of payments under way, each on a connection that stays open."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.sandbox.load import STALLED_S, Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.merchant.payments import Payment


@dataclass
class Payer:
    """A connection, and the payment that is under way on it."""

    lane: Lane
    payment: Payment | None = None

    def begin(self, waiting: Iterator[Payment]) -> bool:
        """Begin the next payment, if there is one."""
        self.payment = next(waiting, None)
        if self.payment is not None:
            self.lane.socket.sendall(next(self.payment))
        return self.payment is not None

    def go_on(self, waiting: Iterator[Payment]) -> bool:
        """Take what came, and send what follows; tell whether anything is under way."""
        body = self.lane.take()
        if body is None or self.payment is None:
            return True
        try:
            self.lane.socket.sendall(self.payment.send(body))
        except StopIteration:
            return self.begin(waiting)
        return True


def drive(port: int, lanes: int, payments: Iterator[Payment]) -> int:
    """Make payments and return how long that took, in ns.

    Args:
        port: The server's port on loopback.
        lanes: How many are under way at a time.
        payments: What to make.

    Raises:
        ConnectionError: The server closed a connection, or answered another status than 200.
        TimeoutError: The server stalls.
    """
    payers = [Payer(Lane(port)) for _ in range(lanes)]
    with selectors.DefaultSelector() as selector:
        for payer in payers:
            selector.register(payer.lane.socket, selectors.EVENT_READ, payer)
        started = time.perf_counter_ns()
        under_way = sum(payer.begin(payments) for payer in payers)
        while under_way:
            ready = selector.select(STALLED_S)
            if not ready:
                raise TimeoutError(f"no answer within {STALLED_S:.0f} s")
            under_way -= sum(not key.data.go_on(payments) for key, _ in ready)
        took = time.perf_counter_ns() - started
    for payer in payers:
        payer.lane.socket.close()
    return took
