"""The clients: who calls, over what, within which limits."""

from collections.abc import Callable, Mapping
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from payme import configuration, redact, runtime
from payme import flow as driver
from payme.cards import AsyncCards, Cards
from payme.configuration import Environment
from payme.errors import ConfigurationError, lost_in
from payme.protocol import calls, flows
from payme.protocol.calls import Call
from payme.protocol.flows import CallStep, Flow, Session, Sleep
from payme.receipts import AsyncReceipts, Receipts
from payme.transport.base import AsyncTransport, Proxy, Transport
from payme.transport.lazy import LazyAsyncTransport, LazyTransport

if TYPE_CHECKING:
    import ssl
    from random import Random

T = TypeVar("T")

TransportT = TypeVar("TransportT", Transport, AsyncTransport)
ReceiptsT = TypeVar("ReceiptsT", Receipts, AsyncReceipts)


class _Client(Generic[TransportT, ReceiptsT]):
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
        max_idle: float = 2.0,
        ssl_context: "ssl.SSLContext | None" = None,
        proxy: str | None = None,
        allow_http: bool = False,
        transport: TransportT | None = None,
        random: "Random | None" = None,
        telemetry: runtime.Watch | None = None,
    ) -> None:
        credentials = configuration.credentials(merchant_id, key)
        del key
        limits = configuration.limits(timeout, connect_timeout, max_attempts, max_idle)
        world = runtime.make(random.uniform if random else runtime.uniform, runtime.new_id)
        self._session = Session(credentials, limits, world)
        self._closed = False
        self._owner: _Client[TransportT, ReceiptsT] = self
        if transport is None:
            self.base_url = configuration.base_url(base_url, environment)
            configuration.check_secure(self.base_url, ssl_context, allow_http=allow_http)
            between = configuration.proxy(proxy, self.base_url)
            self._transport = self._connect(self.base_url, ssl_context, between)
        else:
            self.base_url = base_url or type(transport).__name__
            self._transport = transport
        if telemetry is not None:
            told = runtime.watched(world, telemetry, credentials.merchant_id, self.base_url)
            self._session = self._session._replace(runtime=told)

    @staticmethod
    def _connect(url: str, ssl_context: "ssl.SSLContext | None", proxy: Proxy | None) -> TransportT:
        raise NotImplementedError

    @property
    def merchant_id(self) -> str:
        """Id of the cash-box."""
        return self._session.credentials.merchant_id

    @property
    def receipts(self) -> ReceiptsT:
        """Methods of receipts."""
        raise NotImplementedError

    def with_options(
        self,
        *,
        timeout: float | None = None,
        max_attempts: int | None = None,
        max_idle: float | None = None,
    ) -> Self:
        """Make a client with other limits on the same pool of connections.

        Args:
            timeout: Seconds for a call with all its attempts.
            max_attempts: How often a request is sent at most.
            max_idle: Seconds that a connection may have been idle to carry what moves money.

        Returns:
            A sibling; closing it leaves the pool open.

        Raises:
            InvalidArgument: One of them is no positive number.
        """
        now = self._session.limits
        limits = configuration.limits(
            now.timeout if timeout is None else timeout,
            now.connect_timeout,
            now.max_attempts if max_attempts is None else max_attempts,
            now.max_idle if max_idle is None else max_idle,
        )
        sibling = copy(self)
        sibling._session = self._session._replace(limits=limits)
        return sibling

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.merchant_id!r}, {redact.KEY}, base_url={self.base_url!r})"
        )

    def _require_open(self, method: str) -> None:
        if self._closed or self._owner._closed:
            name = type(self).__name__
            raise ConfigurationError(
                f"{name} is closed (has its `with` block ended?): make a {name} that lives as long "
                f"as the application",
                method=method,
            )

    def _tell(self, error: BaseException) -> None:
        """Tell the unknown outcome behind an error whom to ask."""
        lost = lost_in(error)
        if lost is not None:
            lost._receipts = self.receipts  # pyright: ignore[reportPrivateUsage]


class Payme(_Client[Transport, Receipts]):
    """Blocking client of the Subscribe API.

    Make one per process and keep it: it holds a pool of connections, and may be used from many
    threads and after a fork.

    Args:
        merchant_id: Id of the cash-box, 24 hex characters; or `PAYME_MERCHANT_ID`.
        key: Key of the cash-box; or `PAYME_KEY`. Without it only the methods of a front end work.
        environment: `test` or `production`; or `PAYME_ENVIRONMENT`.
        base_url: Address of the API instead of an environment, such as a sandbox's; or
            `PAYME_BASE_URL`, where neither is given.
        timeout: Seconds for a call with all its attempts.
        connect_timeout: Seconds for one connection.
        max_attempts: How often a request is sent at most. Whatever this says, a request that moves
            money is never sent again once it may have left.
        max_idle: Seconds that a connection may have been idle to carry a request that moves money;
            an older one is replaced first, because its server may be just closing it.
        ssl_context: TLS settings instead of the system's trust store, such as a company's own CA.
        proxy: Address of a proxy; by default the environment's, `""` for none.
        allow_http: Allow a `base_url` with `http://` on another machine: the key travels in the
            clear.
        transport: Another way to send requests, such as `MemoryTransport`.
        random: Source of the jitter of pauses.
        telemetry: Watches each call, such as `payme.telemetry.Telemetry()`.

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
    def _connect(url: str, ssl_context: "ssl.SSLContext | None", proxy: Proxy | None) -> Transport:
        return LazyTransport(url, ssl_context, proxy)

    @property
    def cards(self) -> Cards:
        """Methods of cards."""
        return Cards(self._run)

    @property
    def receipts(self) -> Receipts:
        """Methods of receipts."""
        return Receipts(self._run, self._drive)

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call any method of the API.

        A method this package does not know is taken for one that moves money: it carries the key
        and is never sent again once it may have left.

        Args:
            method: Name of the method.
            params: Members of `params`, sent as they are.

        Returns:
            The JSON of `result`.

        Raises:
            InvalidArgument: The name is no name, or the params are no mapping.
            ConfigurationError: The method needs the key, and there is none.
            Rejected: Payme answered no.
            OutcomeUnknown: No answer, and the method may have changed something.
        """
        call = calls.prepare(calls.any_method, method, params)
        del params
        return self._drive(lambda session: flows.start(call, session, plain=True), method)

    def _run(self, call: Call[T]) -> T:
        return self._drive(lambda session: flows.start(call, session), call.method)

    def _drive(self, begin: Callable[[Session], Flow[T]], method: str = "") -> T:
        self._require_open(method)
        try:
            return driver.run(begin(self._session), self._perform)
        except BaseException as error:
            self._tell(error)
            raise

    def _perform(self, step: CallStep) -> Any:
        return runtime.perform(self._transport, step)

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


class AsyncPayme(_Client[AsyncTransport, AsyncReceipts]):
    """Asyncio client of the Subscribe API; arguments as for `Payme`.

    Make one and keep it: it holds a pool of connections for each event loop it is used in. A task
    that is cancelled while a call is in flight leaves its outcome unknown: `payme.lost_in` finds
    the `OutcomeUnknown` behind its `CancelledError`.

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
        url: str, ssl_context: "ssl.SSLContext | None", proxy: Proxy | None
    ) -> AsyncTransport:
        return LazyAsyncTransport(url, ssl_context, proxy)

    @property
    def cards(self) -> AsyncCards:
        """Methods of cards."""
        return AsyncCards(self._run)

    @property
    def receipts(self) -> AsyncReceipts:
        """Methods of receipts."""
        return AsyncReceipts(self._run, self._drive)

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call any method of the API.

        A method this package does not know is taken for one that moves money: it carries the key
        and is never sent again once it may have left.

        Args:
            method: Name of the method.
            params: Members of `params`, sent as they are.

        Returns:
            The JSON of `result`.

        Raises:
            InvalidArgument: The name is no name, or the params are no mapping.
            ConfigurationError: The method needs the key, and there is none.
            Rejected: Payme answered no.
            OutcomeUnknown: No answer, and the method may have changed something.
        """
        call = calls.prepare(calls.any_method, method, params)
        del params
        return await self._drive(lambda session: flows.start(call, session, plain=True), method)

    async def _run(self, call: Call[T]) -> T:
        return await self._drive(lambda session: flows.start(call, session), call.method)

    async def _drive(self, begin: Callable[[Session], Flow[T]], method: str = "") -> T:
        self._require_open(method)
        try:
            return await driver.arun(begin(self._session), self._perform)
        except BaseException as error:
            self._tell(error)
            raise

    async def _perform(self, step: CallStep) -> Any:
        if isinstance(step, Sleep):
            import asyncio

            return await asyncio.sleep(step.seconds)
        return await self._transport.send(step)

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
