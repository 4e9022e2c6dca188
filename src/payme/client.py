"""The clients: who calls, over what, within which limits."""

import logging
import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from payme import configuration, redact
from payme import flow as driver
from payme.cards import AsyncCards, Cards
from payme.configuration import Environment
from payme.errors import ConfigurationError, OutcomeUnknown, PaymeError
from payme.protocol import calls, flows
from payme.protocol.calls import Call, Credential
from payme.protocol.flows import Discard, Sleep, Within, World
from payme.protocol.models import Receipt
from payme.receipts import AsyncReceipts, Receipts
from payme.transport.base import AsyncTransport, Reply, Request, Transport, TransportError
from payme.transport.lazy import LazyAsyncTransport, LazyTransport

if TYPE_CHECKING:
    import ssl
    from random import Random

T = TypeVar("T")

# One line per call at DEBUG; the application decides where it goes.
_LOG = logging.getLogger("payme")

TransportT = TypeVar("TransportT", Transport, AsyncTransport)


def new_id() -> int:
    """Make a JSON-RPC id that no other worker uses, so that a stray answer is seen.

    It has at most 13 digits, as a timestamp in milliseconds has: Payme's own samples send those.
    """
    return int.from_bytes(os.urandom(5), "big")


def uniform(low: float, high: float) -> float:
    """Draw a random number from the system, which forked workers do not share."""
    return low + (high - low) * int.from_bytes(os.urandom(4), "big") / 2**32


class _Client(Generic[TransportT]):
    """What both clients share: credentials, address, limits."""

    _transport: TransportT

    def __init__(
        self,
        merchant_id: str | None = None,
        key: str | None = None,
        *,
        environment: Environment | None = None,
        base_url: str | None = None,
        timeout: float = 10.0,
        connect_timeout: float = 5.0,
        max_attempts: int = 3,
        ssl_context: "ssl.SSLContext | None" = None,
        proxy: str | None = None,
        allow_http: bool = False,
        transport: TransportT | None = None,
        random: "Random | None" = None,
    ) -> None:
        self._identity = configuration.identity(merchant_id, key)
        self._limits = configuration.limits(timeout, connect_timeout, max_attempts)
        self._world = World(time.monotonic, new_id, random.uniform if random else uniform)
        self._closed = False
        self._owner: _Client[TransportT] = self
        if transport is None:
            self.base_url = configuration.base_url(base_url, environment)
            configuration.check_secure(self.base_url, ssl_context, allow_http=allow_http)
            self._transport = self._connect(self.base_url, ssl_context, proxy)
        else:
            self.base_url = base_url or type(transport).__name__
            self._transport = transport

    @staticmethod
    def _connect(url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None) -> TransportT:
        raise NotImplementedError

    @property
    def merchant_id(self) -> str:
        """Id of the cash-box."""
        return self._identity.merchant_id

    def with_options(
        self, *, timeout: float | None = None, max_attempts: int | None = None
    ) -> Self:
        """Make a client with other limits on the same pool of connections.

        Args:
            timeout: Seconds for a call with all its attempts.
            max_attempts: How often a request is sent at most.

        Returns:
            A sibling; closing it leaves the pool open.
        """
        sibling = object.__new__(type(self))
        sibling.__dict__.update(self.__dict__)
        now = self._limits
        sibling._limits = configuration.limits(
            now.timeout if timeout is None else timeout,
            now.connect_timeout,
            now.max_attempts if max_attempts is None else max_attempts,
        )
        return sibling

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.merchant_id!r}, {redact.KEY}, base_url={self.base_url!r})"
        )

    def _hurried(self, seconds: float) -> Self:
        return self.with_options(timeout=min(seconds, self._limits.timeout))

    def _exchange(self, call: Call[T]) -> flows.Flow[T]:
        if self._closed or self._owner._closed:
            raise ConfigurationError(f"{type(self).__name__} is closed", method=call.method)
        if call.credential is Credential.ID_AND_KEY and not self._identity.key:
            raise ConfigurationError(
                f"{call.method} needs the key of the cash-box: give key=... or set PAYME_KEY",
                method=call.method,
            )
        return flows.exchange(call, self._identity, self._limits, self._world)

    def _note(self, call: Call[Any], started: float, outcome: object) -> None:
        if _LOG.isEnabledFor(logging.DEBUG):
            took = (self._world.clock() - started) * 1000
            shown = type(outcome).__name__ if isinstance(outcome, PaymeError) else "answered"
            _LOG.debug("%s %s: %s in %.0f ms", call.method, call.receipt_id or "-", shown, took)

    def _inquiry(
        self, lost: OutcomeUnknown, *, timeout: float, cancel: bool
    ) -> flows.Inquiry[Receipt | None]:
        configuration.limits(timeout, timeout, 1)
        return flows.resolve(lost, timeout=timeout, cancel=cancel, world=self._world)


class Payme(_Client[Transport]):
    """Blocking client of the Subscribe API.

    Make one per process and keep it: it holds a pool of connections, and may be used from many
    threads and after a fork.

    Args:
        merchant_id: Id of the cash-box, 24 hex characters; or `PAYME_MERCHANT_ID`.
        key: Key of the cash-box; or `PAYME_KEY`. Without it only the methods of a front end work.
        environment: `test` or `production`; or `PAYME_ENVIRONMENT`.
        base_url: Address of the API instead of an environment, such as a sandbox's.
        timeout: Seconds for a call with all its attempts.
        connect_timeout: Seconds for one connection.
        max_attempts: How often a request is sent at most. Whatever this says, a request that moves
            money is never sent again once it may have left.
        ssl_context: TLS settings instead of the system's trust store, such as a company's own CA.
        proxy: Address of a proxy; by default the environment's, `""` for none.
        allow_http: Allow a `base_url` with `http://` on another machine: the key travels in the
            clear.
        transport: Another way to send requests, such as `MemoryTransport`.
        random: Source of the jitter of pauses.

    Raises:
        ConfigurationError: A credential is missing or malformed, or the address can't be right.

    Source: https://developer.help.paycom.uz/protokol-subscribe-api/

    Example:
        >>> with Payme(environment="test") as payme:
        ...     receipt = payme.receipts.create(50_000, {"order_id": 106})
        ...     receipt = payme.receipts.pay(receipt.id, token)
        >>> receipt.is_paid
        True
    """

    @staticmethod
    def _connect(url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None) -> Transport:
        return LazyTransport(url, ssl_context, proxy)

    @property
    def cards(self) -> Cards:
        """Methods of cards."""
        return Cards(self._run)

    @property
    def receipts(self) -> Receipts:
        """Methods of receipts."""
        return Receipts(self._run)

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call any method of the API.

        A method this package does not know is taken for one that moves money: it carries the key
        and is never sent again once it may have left.

        Args:
            method: Name of the method.
            params: Members of `params`, sent as they are.

        Returns:
            The JSON of `result`.
        """
        return self._run(calls.any_method(method, params))

    def _run(self, call: Call[T]) -> T:
        started = self._world.clock()
        try:
            value = self._drive(self._exchange(call))
        except PaymeError as error:
            self._note(call, started, error)
            raise
        self._note(call, started, value)
        return value

    def _resolve(self, lost: OutcomeUnknown, *, timeout: float, cancel: bool) -> Receipt | None:
        return self._drive(self._inquiry(lost, timeout=timeout, cancel=cancel))

    def _drive(self, flow: flows.AnyFlow[T]) -> T:
        try:
            return driver.run(flow, self._perform)
        except OutcomeUnknown as lost:
            lost._client = self  # pyright: ignore[reportPrivateUsage]
            raise

    def _perform(self, step: flows.Step) -> Any:
        match step:
            case Request():
                return self._send(step)
            case Sleep(seconds):
                return time.sleep(seconds)
            case Discard(reply):
                return reply.discard()
            case Within(call, seconds):
                return self._hurried(seconds)._run(call)

    def _send(self, request: Request) -> Reply | TransportError:
        try:
            return self._transport.send(request)
        except TransportError as failure:
            return failure

    def close(self) -> None:
        """Close the connections. A sibling made by `with_options` closes only itself."""
        self._closed = True
        if self._owner is self:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncPayme(_Client[AsyncTransport]):
    """Asyncio client of the Subscribe API; arguments as for `Payme`.

    Make one and keep it: it holds a pool of connections for each event loop it is used in. A task
    that is cancelled while a call is in flight leaves its outcome unknown; the `CancelledError`
    says so in a note.

    Source: https://developer.help.paycom.uz/protokol-subscribe-api/

    Example:
        >>> async with AsyncPayme(environment="test") as payme:
        ...     receipt = await payme.receipts.create(50_000, {"order_id": 106})
        ...     receipt = await payme.receipts.pay(receipt.id, token)
        >>> receipt.is_paid
        True
    """

    @staticmethod
    def _connect(
        url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None
    ) -> AsyncTransport:
        return LazyAsyncTransport(url, ssl_context, proxy)

    @property
    def cards(self) -> AsyncCards:
        """Methods of cards."""
        return AsyncCards(self._run)

    @property
    def receipts(self) -> AsyncReceipts:
        """Methods of receipts."""
        return AsyncReceipts(self._run)

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call any method of the API.

        A method this package does not know is taken for one that moves money: it carries the key
        and is never sent again once it may have left.

        Args:
            method: Name of the method.
            params: Members of `params`, sent as they are.

        Returns:
            The JSON of `result`.
        """
        return await self._run(calls.any_method(method, params))

    async def _run(self, call: Call[T]) -> T:
        import asyncio

        started = self._world.clock()
        try:
            value = await self._drive(self._exchange(call))
        except asyncio.CancelledError as cancelled:
            cancelled.add_note(f"{call.method} was cancelled in flight: Payme may have executed it")
            raise
        except PaymeError as error:
            self._note(call, started, error)
            raise
        self._note(call, started, value)
        return value

    async def _resolve(
        self, lost: OutcomeUnknown, *, timeout: float, cancel: bool
    ) -> Receipt | None:
        return await self._drive(self._inquiry(lost, timeout=timeout, cancel=cancel))

    async def _drive(self, flow: flows.AnyFlow[T]) -> T:
        try:
            return await driver.arun(flow, self._perform)
        except OutcomeUnknown as lost:
            lost._client = self  # pyright: ignore[reportPrivateUsage]
            raise

    async def _perform(self, step: flows.Step) -> Any:
        import asyncio

        match step:
            case Request():
                return await self._send(step)
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case Discard(reply):
                return reply.discard()
            case Within(call, seconds):
                return await self._hurried(seconds)._run(call)

    async def _send(self, request: Request) -> Reply | TransportError:
        try:
            return await self._transport.send(request)
        except TransportError as failure:
            return failure

    async def aclose(self) -> None:
        """Close the connections. A sibling made by `with_options` closes only itself."""
        self._closed = True
        if self._owner is self:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
