"""`Sandbox`: the simulator on a socket, with a start and a stop."""

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack

from payme.sandbox.engine import Answer
from payme.sandbox.errors import SandboxError, SandboxFault
from payme.sandbox.settings import Options, Settings
from payme.sandbox.simulator import Simulator

if TYPE_CHECKING:
    from payme.sandbox.server import HttpServer

_LIBRARIES: Final = {"starlette", "uvicorn", "h11", "jinja2"}
_INSTALL: Final = 'the sandbox needs starlette, uvicorn and jinja2: pip install "payme-uz[sandbox]"'


class Sandbox(Simulator):
    """A Payme of your own.

    Use it as a context manager, or call `start` and `stop`. `handle` works without a start: it
    needs no socket.

    Args:
        host: Address to listen on.
        port: Port to listen on, 0 for a free one.
        db: File that keeps the state; None keeps it in memory.
        merchant_id: Id of the cash-box; by default the one in `db`, else a random one.
        key: Key of the cash-box; by default the one in `db`, else a random one.
        account_fields: Title of each account field of the cash-box by its name: a text, or a text
            by language, such as ``{"uz": "Buyurtma raqami", "ru": "Номер заказа"}``. Without any
            field, receipts show `transaction`, as cash-boxes without a billing do.
        merchant_name: What receipts and the checkout page call the merchant.
        min_amount: Smallest amount of a receipt, in tiyin.
        max_amount: Largest amount of a receipt, in tiyin.
        cards: What single cards do, by their numbers: a test card's, or one of your own. A name of
            `payme.sandbox.engine.testcards.OUTCOMES`, such as `insufficient_funds`, or the code of
            an error, such as `-31630`.
        cancel_after_ms: How long a paid receipt stays in the cancellation queue, in ms.
        slow_card_ms: How long the slow test card thinks, in ms.
        receipt_ttl_ms: How long a receipt can be paid, in ms; by default for ever, since Payme
            publishes no life span.
        merchant_url: Endpoint of the merchant's billing. With it the sandbox plays Payme's side of
            the Merchant API: it asks before a receipt is made, and has its payments created,
            performed and cancelled there.
        merchant_key: Password that the merchant is asked with; by default the cash-box's key.
        merchant: A billing in this process in place of `merchant_url`: a function that takes a
            request's body and headers and returns an HTTP status and a body. It is called in the
            thread that calls `handle`.
        merchant_timeout: Longest time that a request to the merchant may take, in seconds.
        merchant_pauses: How long to wait before each repetition of a request that was not answered,
            in seconds. When there are no more, the clock takes over: `merchant.run_due`.
        strict: Refuse params that Payme's pages do not have. By default they are let pass, as Payme
            does, and the traffic has a remark.
        progression: How a paid receipt comes to its end: `at_once`; `after_checks:N`, by the N-th
            `receipts.check` or `receipts.get`; or `clock:2s`, which takes that long for each step.
        cors: Whether web pages of other origins are answered, as `payme.card_form` needs; see
            `sandbox.cors`.
        clock: Where `sandbox.clock` takes the time from: a function that tells ms, or a
            `SandboxClock` to use as it is; by default the system's.
        scenario: Name of a scenario to play from the start, such as `declined`.
        seed: Makes ids, tokens, credentials and the chance in faults the same in every run.
        on_answer: Called with every `Answer`, from the thread that serves it.
        password: What the dashboard and the control API ask for. By default they ask for none on
            loopback, and for a random one elsewhere: see `password`.
        cash_boxes: More cash-boxes, each as a dict of what is its own: `merchant_id`, `key`,
            `merchant_name`, `account_fields`, `min_amount`, `max_amount`, `merchant_url`,
            `merchant_key`, `merchant`. See `add_cash_box`.

    Raises:
        SandboxError: If `db` can't be used, or holds other credentials than the ones given.
        InvalidSetting: If an option makes no sense, or two exclude each other.
        UnknownArgument: If there is no such option.

    Example:
        >>> with Sandbox() as sandbox:
        ...     print(sandbox.url, sandbox.merchant_id, sandbox.key)
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self._server: HttpServer | None = None
        super().__init__(Settings.read(options))

    def __repr__(self) -> str:
        return f"Sandbox(merchant_id={self.merchant_id!r}, running={self._server is not None})"

    @property
    def url(self) -> str:
        """Where to send calls to; ends in `/api`.

        Raises:
            SandboxError: If the sandbox is not running.
        """
        if self._server is None:
            raise SandboxError("the sandbox has no address before start()")
        host = self._server.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.port}/api"

    def start(self) -> Self:
        """Listen on the socket.

        Returns:
            The sandbox itself.

        Raises:
            SandboxError: If the port is taken, or the sandbox was stopped before.
        """
        with self._turning:
            if self._closed:
                raise SandboxError("a stopped sandbox can't be started again: make a new one")
            if self._server is None:
                server = _http_server(self, self.settings.host, self.settings.port)
                server.start()
                self._server = server
                self._start_boxes()
        return self

    def __enter__(self) -> Self:
        """Start the sandbox."""
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the sandbox."""
        self.stop()

    def handle(self, body: bytes, x_auth: str | None, timeout: float | None = None) -> bytes:
        """Serve one call without a socket. It is answered at once, whatever the card.

        Args:
            body: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.
            timeout: How long the caller would wait for the answer, in seconds. Nobody waits: an
                answer that takes longer is lost at once. None for a caller with patience.

        Returns:
            Body of the answer.

        Raises:
            SandboxFault: If a fault or `timeout` leaves the caller without a whole answer of status
                200. The call may have been served all the same.
        """
        answer = self.service.call(body, x_auth)
        if answer.fault or timeout is not None:
            _raise_if_lost(answer, timeout)
        return answer.body

    # A `MemoryTransport` passes the timeout to a function that says so.
    handle.takes_timeout = True  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]

    def _stop_serving(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()


def _raise_if_lost(answer: Answer, timeout: float | None) -> None:
    late_ms = answer.delay_ms + answer.pause_ms
    if timeout is not None and late_ms > timeout * 1000:
        raise SandboxFault(f"no answer within {timeout:g} seconds {answer.fault}".rstrip())
    if answer.arrives != "whole":
        raise SandboxFault(
            f"the connection was closed before the whole answer came ({answer.fault})"
        )
    if answer.status != 200:
        reason = f"HTTP status {answer.status} ({answer.fault})"
        raise SandboxFault(reason, status=answer.status, body=answer.body)


def _http_server(sandbox: Sandbox, host: str, port: int) -> "HttpServer":
    # Imported on start: `handle` serves without the server's libraries.
    try:
        from payme.sandbox.server import HttpServer
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        raise ImportError(_INSTALL) from error
    return HttpServer(sandbox, host, port)
