"""Several cash-boxes at one address: the key of a request says whose it is."""

import logging
import secrets
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final, Generic, TypeVar

from payme.errors import ConfigurationError
from payme.merchant import wire
from payme.merchant.auth import Keys
from payme.merchant.entities import Transaction, box_name
from payme.merchant.expiry import BATCH, Expired
from payme.merchant.service import AsyncMerchant, Incoming, Merchant

_LOG = logging.getLogger("payme.merchant")

_NOBODY: Final = Keys(secrets.token_urlsafe())
"""Stands for keys that can't be read, so that as much is compared."""

AnyMerchant = TypeVar("AnyMerchant", Merchant, AsyncMerchant)


class _Boxes(Generic[AnyMerchant]):
    """What both share: which cash-box a request is for."""

    def __init__(self, merchants: Mapping[str, AnyMerchant], kind: type[AnyMerchant]) -> None:
        if not isinstance(merchants, Mapping) or not merchants:
            raise ConfigurationError("merchants: expected a dict from cash-boxes to their Merchant")
        self._merchants: dict[str, AnyMerchant] = {
            box_name(box): _named(box, one, kind) for box, one in merchants.items()
        }
        for (box, one), (other, another) in combinations(self._merchants.items(), 2):
            if one.shares_key(another):
                raise ConfigurationError(
                    f"merchants: {box!r} and {other!r} have a key in common; "
                    "expected each cash-box to have keys of its own"
                )

    def _chosen(self, incoming: Incoming, keys: Mapping[str, Keys | None]) -> AnyMerchant | None:
        # Each is compared, so that the time taken does not tell which one it was.
        admitting = [
            (box, one)
            for box, one in self._merchants.items()
            if one.admits(incoming, keys[box] or _NOBODY)
        ]
        if len(admitting) > 1:
            # Keys may change while we run. Whose money it is nobody can say.
            boxes = " and ".join(repr(box) for box, _ in admitting)
            _LOG.error("a request was refused: %s have a key in common", boxes)
            return None
        return admitting[0][1] if admitting else None

    def __getitem__(self, box: str) -> AnyMerchant:
        return self._merchants[box]


def _unread(box: str) -> None:
    # The others go on: one whose keys can't be read is reached by nobody.
    _LOG.exception("the keys of the cash-box %r can't be read", box)


def _named(box: str, merchant: AnyMerchant, kind: type[AnyMerchant]) -> AnyMerchant:
    if not isinstance(merchant, kind):
        raise ConfigurationError(
            f"merchants: {box!r} is {type(merchant).__name__}, expected {kind.__name__}"
        )
    return merchant.named(box)


def _together(done: Iterable[Expired]) -> Expired:
    each = list(done)
    return Expired(
        sum(one.found for one in each),
        sum(one.expired for one in each),
        sum(one.failed for one in each),
    )


def _refused(incoming: Incoming) -> bytes:
    if incoming.method != "POST":
        return wire.encode(None, wire.NOT_POST)
    return wire.encode(wire.parse(incoming.body).id, wire.ACCESS_DENIED)


class Merchants(_Boxes[Merchant]):
    """The endpoint of several cash-boxes, blocking; adapters take it like a `Merchant`.

    A request is for the cash-box whose key it has. Nobody reaches what came by another one,
    whether they share a store or not. The same orders under two cash-boxes are two orders here:
    both may be reserved at once, and `paid` has to raise for one that is paid already.

    Args:
        merchants: The endpoint of each cash-box by its id (merchant id). The empty name stands for
            what was kept before cash-boxes had names; `adopt` of a store gives that another one.

    Raises:
        ConfigurationError: There is none, a name can't be right, one is not blocking, one has
            another name already, or two have a key in common.

    Example:
        >>> merchant = Merchants(
        ...     {
        ...         "5e730e8e0b852a417aa49ceb": Merchant(teas, keys=os.environ["TEA_KEY"]),
        ...         "587f72c72cac0d162c722ae2": Merchant(books, keys=os.environ["BOOK_KEY"]),
        ...     }
        ... )
        >>> app.include_router(payme_router(merchant))
    """

    def __init__(self, merchants: Mapping[str, Merchant]) -> None:
        super().__init__(merchants, Merchant)

    def answer(self, incoming: Incoming) -> bytes:
        """Answer one request; see `Merchant.answer`."""
        chosen = self._chosen(incoming, {box: self._keys(box) for box in self._merchants})
        return _refused(incoming) if chosen is None else chosen.answer(incoming)

    def _keys(self, box: str) -> Keys | None:
        try:
            return self._merchants[box].keys.now()
        except Exception:  # noqa: BLE001 - from the shop's own function
            _unread(box)
            return None

    def transactions_of(self, order_id: str, box: str) -> list[Transaction]:
        """Read every transaction of an order of a cash-box; see `Merchant.transactions_of`."""
        return self[box].transactions_of(order_id)

    def expire(self, *, batch: int = BATCH) -> Expired:
        """Cancel what was never performed, in every cash-box; see `Merchant.expire`."""
        return _together(one.expire(batch=batch) for one in self._merchants.values())


class AsyncMerchants(_Boxes[AsyncMerchant]):
    """The endpoint of several cash-boxes under asyncio; see `Merchants`."""

    def __init__(self, merchants: Mapping[str, AsyncMerchant]) -> None:
        super().__init__(merchants, AsyncMerchant)

    async def answer(self, incoming: Incoming) -> bytes:
        """Answer one request; see `Merchant.answer`."""
        chosen = self._chosen(incoming, {box: await self._keys(box) for box in self._merchants})
        return _refused(incoming) if chosen is None else await chosen.answer(incoming)

    async def _keys(self, box: str) -> Keys | None:
        try:
            return await self._merchants[box].keys.anow()
        except Exception:  # noqa: BLE001 - from the shop's own function
            _unread(box)
            return None

    async def transactions_of(self, order_id: str, box: str) -> list[Transaction]:
        """Read every transaction of an order of a cash-box; see `Merchant.transactions_of`."""
        return await self[box].transactions_of(order_id)

    async def expire(self, *, batch: int = BATCH) -> Expired:
        """Cancel what was never performed, in every cash-box; see `Merchant.expire`."""
        return _together([await one.expire(batch=batch) for one in self._merchants.values()])


BlockingEndpoint = Merchant | Merchants
"""What answers Payme, blocking."""

Endpoint = BlockingEndpoint | AsyncMerchant | AsyncMerchants
"""What answers Payme."""
