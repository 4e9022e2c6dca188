"""The sweep: what Payme created and never performed is cancelled after twelve hours.

A request that meets such a transaction cancels it. Nobody may ever ask again, and then the goods
that were reserved for it stay reserved: so they are looked for.
"""

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from payme import exact
from payme.errors import InvalidArgument
from payme.merchant import flows

if TYPE_CHECKING:
    from payme.merchant.entities import Transaction

_LOG = logging.getLogger("payme.merchant")

BATCH: Final = 500
"""How many transactions are read at a time."""


class Expired(msgspec.Struct, frozen=True):
    """What a sweep did.

    Attributes:
        found: Transactions that waited longer than twelve hours.
        expired: How many of them it cancelled. What somebody else met meanwhile is neither here nor
            among the failed.
        failed: How many it could not cancel, since a hook or the database failed; see the log. The
            next sweep tries them again.
    """

    found: int = 0
    expired: int = 0
    failed: int = 0


def sweep(now: int, batch: int = BATCH, box: str = "") -> Generator[flows.Flow[Any], Any, Expired]:
    """Cancel what waited too long; yields a flow for each piece, which a store runs.

    Args:
        now: Time in ms since 1970 UTC.
        batch: How many are read at a time.
        box: The cash-box that they came by.

    Returns:
        What was done.

    Raises:
        InvalidArgument: `batch` is no positive number.
    """
    size = exact.whole(batch)
    if size is None or size < 1:
        raise InvalidArgument("batch", exact.shown(batch), "a positive whole number")
    found = expired = failed = 0
    last = (-1, "")
    while True:
        page: list[Transaction] = yield flows.overdue(now, last, size, box)
        for one in page:
            try:
                expired += yield flows.time_out(one.id, now, box)
            except Exception:  # noqa: BLE001 - one that fails stops no other
                failed += 1
                _LOG.exception("the transaction %s waits too long and was not cancelled", one.id)
        found += len(page)
        if len(page) < size:
            return Expired(found, expired, failed)
        last = (page[-1].time, page[-1].id)
