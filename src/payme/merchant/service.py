"""From an HTTP request to the body of an answer, whatever framework brought it.

The answer always goes out with HTTP 200: any other status Payme reads as -32400.
"""

import copy
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from payme.errors import ConfigurationError
from payme.merchant import flows, wire
from payme.merchant.auth import LOGIN, AllowList, Keys
from payme.merchant.entities import Answer, Refusal, Request, Transaction, box_name
from payme.merchant.stores import AsyncStore, Store
from payme.merchant.wire import Parsed

_LOG = logging.getLogger("payme.merchant")

CONTENT_TYPE: Final = "application/json; charset=utf-8"


class Incoming(NamedTuple):
    """What of an HTTP request matters.

    Attributes:
        method: HTTP method.
        body: Body, or as much of it as shows that it is longer than `wire.MAX_BODY`.
        authorization: Value of the `Authorization` header.
        peer: Address of the connection.
        forwarded_for: Value of `X-Forwarded-For`.
    """

    method: str
    body: bytes
    authorization: str | None = None
    peer: str | None = None
    forwarded_for: str | None = None


def now_ms() -> int:
    """Return the time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class _Endpoint:
    """What both endpoints share: who is let in, and what is asked."""

    def __init__(
        self,
        keys: str | Sequence[str],
        *,
        login: str,
        allow: AllowList | None,
        clock: Callable[[], int],
        refund_missing: bool,
        box: str,
    ) -> None:
        self._box = box_name(box)
        self._keys = Keys(keys, login)
        self._allow = allow
        self._clock = clock
        self._refund_missing = refund_missing

    def _flow(self, request: Request) -> flows.Flow[Answer | wire.StatementWriter]:
        return flows.serve(
            request, self._clock(), refund_missing=self._refund_missing, box=self._box
        )

    def _open(self, incoming: Incoming) -> Parsed:
        """Read a request, and put the refusal in its place if it may not be served."""
        if incoming.method != "POST":
            return Parsed(None, wire.NOT_POST)
        parsed = wire.parse(incoming.body)
        if not self.admits(incoming):
            return Parsed(parsed.id, wire.ACCESS_DENIED)
        return parsed

    def admits(self, incoming: Incoming) -> bool:
        """Return whether a request comes with a key of this cash-box, from where it may."""
        # Both are asked, so that the time taken does not tell which one refused.
        known = self._allow is None or self._allow.admit(incoming.peer, incoming.forwarded_for)
        return self._keys.admit(incoming.authorization) and known

    def shares_key(self, other: "_Endpoint") -> bool:
        """Return whether a request may be for this endpoint and for another one."""
        return self._keys.shares(other._keys)

    def named(self, box: str) -> Self:
        """Make the same endpoint for a cash-box.

        Args:
            box: Id of the cash-box (merchant id).

        Returns:
            An endpoint whose transactions belong to the cash-box; this one is as it was.

        Raises:
            ConfigurationError: It is named otherwise already, or the name can't be right.
        """
        if self._box not in ("", box):
            raise ConfigurationError(f"box: got {box!r} for what is named {self._box!r} already")
        named = copy.copy(self)
        named._box = box_name(box)
        return named

    def _broken(self, parsed: Parsed) -> bytes:
        # The traceback names the merchant's code; the request is left out, it holds the account.
        _LOG.exception("the Merchant API could not answer %s", type(parsed.request).__name__)
        return wire.encode(parsed.id, wire.SYSTEM_ERROR)


class Merchant(_Endpoint):
    """The merchant's endpoint, blocking.

    Args:
        store: Where transactions are kept.
        keys: Keys of the cash-box that are accepted.
        login: Login of the Basic scheme.
        allow: Addresses that may call; None for any.
        clock: Tells the time in ms since 1970 UTC.
        refund_missing: Refund a payment whose order `find` does not find any more, or finds another
            one. By default that is refused with -31007: nobody can say whether it may be taken
            back.
        box: Id of the cash-box (merchant id), by which its transactions are kept apart from those
            of others in the same store. Empty for a shop with one cash-box; `Merchants` names each.

    Raises:
        ConfigurationError: No key or one that can't be right, or a wrong name of the cash-box.

    Source: https://developer.help.paycom.uz/protokol-merchant-api/

    Example:
        >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"])
        >>> body = merchant.answer(Incoming("POST", request.body, request.headers["Authorization"]))
    """

    def __init__(
        self,
        store: Store,
        keys: str | Sequence[str],
        *,
        login: str = LOGIN,
        allow: AllowList | None = None,
        clock: Callable[[], int] = now_ms,
        refund_missing: bool = False,
        box: str = "",
    ) -> None:
        super().__init__(
            keys, login=login, allow=allow, clock=clock, refund_missing=refund_missing, box=box
        )
        self._store = store

    def transactions_of(self, order_id: str) -> list[Transaction]:
        """Read every transaction of an order that came by this cash-box.

        Args:
            order_id: Id of the order, as `find` names it.

        Returns:
            The transactions in every state by Payme's time, the oldest first.

        Raises:
            InvalidArgument: `order_id` is no text of 1 to 255 characters.

        Example:
            >>> [one.state for one in merchant.transactions_of("7")]
            [<TransactionState.PERFORMED: 2>]
        """
        return self._store.run(flows.of_order(order_id, self._box))

    def answer(self, incoming: Incoming) -> bytes:
        """Answer one request.

        Args:
            incoming: What came.

        Returns:
            The body, to be sent with HTTP 200 and `CONTENT_TYPE`.
        """
        parsed = self._open(incoming)
        if isinstance(parsed.request, Refusal):
            return wire.encode(parsed.id, parsed.request)
        try:
            answer = self._store.run(self._flow(parsed.request))
            return wire.encode(parsed.id, answer)
        except Exception:  # noqa: BLE001 - Payme always gets an answer of the protocol
            return self._broken(parsed)


class AsyncMerchant(_Endpoint):
    """The merchant's endpoint under asyncio; arguments as for `Merchant`."""

    def __init__(
        self,
        store: AsyncStore,
        keys: str | Sequence[str],
        *,
        login: str = LOGIN,
        allow: AllowList | None = None,
        clock: Callable[[], int] = now_ms,
        refund_missing: bool = False,
        box: str = "",
    ) -> None:
        super().__init__(
            keys, login=login, allow=allow, clock=clock, refund_missing=refund_missing, box=box
        )
        self._store = store

    async def transactions_of(self, order_id: str) -> list[Transaction]:
        """Read every transaction of an order; see `Merchant.transactions_of`."""
        return await self._store.run(flows.of_order(order_id, self._box))

    async def answer(self, incoming: Incoming) -> bytes:
        """Answer one request; see `Merchant.answer`."""
        parsed = self._open(incoming)
        if isinstance(parsed.request, Refusal):
            return wire.encode(parsed.id, parsed.request)
        try:
            answer = await self._store.run(self._flow(parsed.request))
            return wire.encode(parsed.id, answer)
        except Exception:  # noqa: BLE001 - Payme always gets an answer of the protocol
            return self._broken(parsed)
