"""From an HTTP request to the body of an answer, whatever framework brought it.

The answer always goes out with HTTP 200: any other status Payme reads as -32400.
"""

import copy
import inspect
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from payme.errors import ConfigurationError
from payme.flow import arun, run
from payme.merchant import expiry, flows, wire
from payme.merchant.auth import (
    COROUTINE,
    LOGIN,
    AllowList,
    AsyncKeySource,
    Keyring,
    Keys,
    KeySource,
    is_coroutine,
)
from payme.merchant.entities import Answer, Refusal, Request, Transaction, box_name
from payme.merchant.expiry import Expired
from payme.merchant.served import Served, Watch, watched
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
        keys: AsyncKeySource,
        *,
        login: str,
        allow: AllowList | None,
        clock: Callable[[], int],
        refund_missing: bool,
        telemetry: Watch | None,
        box: str,
    ) -> None:
        self._box = box_name(box)
        self._keyring = Keyring(keys, login)
        _require("allow", allow, "an AllowList, or None", fits=isinstance(allow, AllowList | None))
        _require("clock", clock, "a function that tells the time in ms", fits=callable(clock))
        # Whatever text is given would count as True.
        known = isinstance(refund_missing, bool)
        _require("refund_missing", refund_missing, "True or False", fits=known)
        watches = telemetry is None or _has(telemetry, "serving")
        _require("telemetry", telemetry, "payme.telemetry.Telemetry(), or None", fits=watches)
        self._watch = telemetry
        self._allow = allow
        self._clock = clock
        self._refund_missing = refund_missing

    def _flow(self, request: Request) -> flows.Flow[Answer | wire.StatementWriter]:
        return flows.serve(
            request, self._clock(), refund_missing=self._refund_missing, box=self._box
        )

    def _open(self, incoming: Incoming) -> tuple[Parsed, Served]:
        """Read a request, whoever sent it."""
        post = incoming.method == "POST"
        parsed = wire.parse(incoming.body) if post else Parsed(None, wire.NOT_POST)
        return parsed, Served(parsed.method, self._box)

    def _refusal(
        self, incoming: Incoming, keys: Keys, parsed: Parsed, served: Served
    ) -> Refusal | None:
        """Return why a request may not be served, if so."""
        admitted = self.admits(incoming, keys)
        if parsed.request is wire.NOT_POST:
            return wire.NOT_POST
        if not admitted:
            return wire.ACCESS_DENIED
        served.admit(parsed.request)
        return parsed.request if isinstance(parsed.request, Refusal) else None

    def shares_key(self, other: "_Endpoint") -> bool:
        """Return whether a request may be for this endpoint and for another one.

        Keys that a function gives are known at the request, and compared then.
        """
        return self.keys.shares(other.keys)

    @property
    def keys(self) -> Keyring:
        """The keys that are accepted."""
        return self._keyring

    def admits(self, incoming: Incoming, keys: Keys) -> bool:
        """Return whether a request comes with one of some keys, and from where it may."""
        # Both are asked, so that the time taken does not tell which one refused.
        known = self._allow is None or self._allow.admit(incoming.peer, incoming.forwarded_for)
        return keys.admit(incoming.authorization) and known

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

    def _broken(self, parsed: Parsed, served: Served, error: Exception) -> bytes:
        # The traceback names the merchant's code; the request is left out, it holds the account.
        _LOG.exception("the Merchant API could not answer %s", parsed.method)
        served.failure = type(error).__name__
        return _encoded(parsed, wire.SYSTEM_ERROR, served)


def _require(name: str, given: object, expected: str, *, fits: bool) -> None:
    """Refuse an argument at the start, where a request would only get -32400."""
    if not fits:
        # Not what it is: it may be the key, in the wrong place.
        shown = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        raise ConfigurationError(f"{name}: got {shown}, expected {expected}")


def _has(given: object, method: str) -> bool:
    return not isinstance(given, type) and callable(getattr(given, method, None))


def _encoded(parsed: Parsed, answer: Answer | wire.StatementWriter, served: Served) -> bytes:
    body = wire.encode(parsed.id, answer)
    # Only now: what can't be encoded is no answer.
    served.code = answer.code if isinstance(answer, Refusal) else 0
    return body


class Merchant(_Endpoint):
    """The merchant's endpoint, blocking.

    Args:
        store: Where transactions are kept.
        keys: Keys of the cash-box that are accepted, several while one is being changed; or a
            function that gives them, which is asked at each request. Keep what it gives for a
            while where it takes long: it is asked before anybody has shown a key.
        login: Login of the Basic scheme.
        allow: Addresses that may call; None for any.
        clock: Tells the time in ms since 1970 UTC.
        refund_missing: Refund a payment whose order `find` does not find any more, or finds another
            one. By default that is refused with -31007: nobody can say whether it may be taken
            back.
        telemetry: Watches each request, such as `payme.telemetry.Telemetry()`; None for nobody.
        box: Id of the cash-box (merchant id), by which its transactions are kept apart from those
            of others in the same store. Empty for a shop with one cash-box; `Merchants` names each.

    Raises:
        ConfigurationError: No key or one that can't be right, a function that is a coroutine, a
            wrong name of the cash-box, or another argument that is not what is expected.

    Source: https://developer.help.paycom.uz/protokol-merchant-api/

    Example:
        >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"])
        >>> authorization = request.headers.get("Authorization")
        >>> body = merchant.answer(Incoming(request.method, request.body, authorization))
    """

    def __init__(
        self,
        store: Store,
        keys: KeySource,
        *,
        login: str = LOGIN,
        allow: AllowList | None = None,
        clock: Callable[[], int] = now_ms,
        refund_missing: bool = False,
        telemetry: Watch | None = None,
        box: str = "",
    ) -> None:
        if is_coroutine(keys):
            raise ConfigurationError(COROUTINE)
        blocking = _has(store, "run") and not inspect.iscoroutinefunction(store.run)
        _require("store", store, "a store such as SqlAlchemyStore(…)", fits=blocking)
        super().__init__(
            keys,
            login=login,
            allow=allow,
            clock=clock,
            refund_missing=refund_missing,
            telemetry=telemetry,
            box=box,
        )
        self._store = store

    def expire(self, *, batch: int = expiry.BATCH) -> Expired:
        """Cancel what was never performed within twelve hours; run it every few minutes.

        Without it that happens when Payme next asks about the transaction, or the order is paid
        again. Each one is cancelled under its order's lock with reason 4 (timeout), and `released`
        is called, so that goods are free again. Safe beside Payme's requests and other sweeps.

        Args:
            batch: How many are read at a time; each is cancelled in a transaction of its own.

        Returns:
            What was done, in numbers. One whose hook raises is logged, stays, and stops no other.

        Raises:
            InvalidArgument: `batch` is no positive number.

        Example:
            >>> merchant.expire()
            Expired(found=3, expired=2, failed=1)
        """
        return run(expiry.sweep(self._clock(), batch, self._box), self._store.run)

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
            [TransactionState.PERFORMED]
        """
        return self._store.run(flows.of_order(order_id, self._box))

    def answer(self, incoming: Incoming) -> bytes:
        """Answer one request.

        Args:
            incoming: What came.

        Returns:
            The body, to be sent with HTTP 200 and `CONTENT_TYPE`.
        """
        parsed, served = self._open(incoming)
        with watched(served, self._watch):
            try:
                keys = self._keyring.now()
                answer: Answer | wire.StatementWriter | None = self._refusal(
                    incoming, keys, parsed, served
                )
                if answer is None:
                    answer = self._store.run(self._flow(parsed.asked))
                return _encoded(parsed, answer, served)
            except Exception as error:  # noqa: BLE001 - Payme always gets an answer
                return self._broken(parsed, served, error)


class AsyncMerchant(_Endpoint):
    """The merchant's endpoint under asyncio; arguments as for `Merchant`.

    A function that gives the keys may be a coroutine; one that is not is called in a thread.
    """

    def __init__(
        self,
        store: AsyncStore,
        keys: AsyncKeySource,
        *,
        login: str = LOGIN,
        allow: AllowList | None = None,
        clock: Callable[[], int] = now_ms,
        refund_missing: bool = False,
        telemetry: Watch | None = None,
        box: str = "",
    ) -> None:
        # One that blocks would store a payment, and fail when its answer is awaited.
        waits = _has(store, "run") and inspect.iscoroutinefunction(store.run)
        _require("store", store, "a store such as AsyncSqlAlchemyStore(…)", fits=waits)
        super().__init__(
            keys,
            login=login,
            allow=allow,
            clock=clock,
            refund_missing=refund_missing,
            telemetry=telemetry,
            box=box,
        )
        self._store = store

    async def expire(self, *, batch: int = expiry.BATCH) -> Expired:
        """Cancel what was never performed within twelve hours; see `Merchant.expire`."""
        return await arun(expiry.sweep(self._clock(), batch, self._box), self._store.run)

    async def transactions_of(self, order_id: str) -> list[Transaction]:
        """Read every transaction of an order; see `Merchant.transactions_of`."""
        return await self._store.run(flows.of_order(order_id, self._box))

    async def answer(self, incoming: Incoming) -> bytes:
        """Answer one request; see `Merchant.answer`."""
        parsed, served = self._open(incoming)
        with watched(served, self._watch):
            try:
                keys = await self._keyring.anow()
                answer: Answer | wire.StatementWriter | None = self._refusal(
                    incoming, keys, parsed, served
                )
                if answer is None:
                    answer = await self._store.run(self._flow(parsed.asked))
                return _encoded(parsed, answer, served)
            except Exception as error:  # noqa: BLE001 - Payme always gets an answer
                return self._broken(parsed, served, error)
