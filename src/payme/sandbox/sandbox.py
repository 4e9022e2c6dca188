"""`Sandbox`: everything put together, with a start and a stop."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Card, Config, Engine, LedgerEntry, Receipt, Sms, ids
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.sandbox.errors import SandboxError
from payme.sandbox.runner import DirectRunner, GroupCommitRunner, Job, T
from payme.sandbox.service import Listener, Service
from payme.sandbox.store import SqliteState, connect

if TYPE_CHECKING:
    from payme.sandbox.server import HttpServer

_INSTALL: Final = 'the sandbox needs starlette and uvicorn: pip install "payme-uz[sandbox]"'


class _Credentials(NamedTuple):
    merchant_id: str
    key: str


class Sandbox:
    """A Payme of your own.

    Use it as a context manager, or call `start` and `stop`. `handle` works without a start: it
    needs no socket.

    Args:
        host: Address to listen on.
        port: Port to listen on, 0 for a free one.
        db: File that keeps the state; None keeps it in memory.
        merchant_id: Id of the cash-box; by default the one in `db`, else a random one.
        key: Key of the cash-box; by default the one in `db`, else a random one.
        account_fields: Title of each account field of the cash-box by its name. Without any,
            receipts show the field `transaction`, as cash-boxes without a billing do.
        min_amount: Smallest amount of a receipt, in tiyin.
        max_amount: Largest amount of a receipt, in tiyin.
        cancel_after_ms: How long a paid receipt stays in the cancellation queue, in ms.
        slow_card_ms: How long the slow test card thinks, in ms.
        clock: Tells the time in ms; by default the system's.
        seed: Makes ids, tokens and credentials the same in every run.
        on_answer: Called with every `Answer`, from the thread that serves it.

    Raises:
        SandboxError: If `db` can't be used, or holds other credentials than the ones given.

    Example:
        >>> with Sandbox() as sandbox:
        ...     print(sandbox.url, sandbox.merchant_id, sandbox.key)
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        db: str | Path | None = None,
        merchant_id: str | None = None,
        key: str | None = None,
        account_fields: Mapping[str, str] | None = None,
        min_amount: int | None = None,
        max_amount: int | None = None,
        cancel_after_ms: int = 1000,
        slow_card_ms: int = 10_000,
        clock: Callable[[], int] | None = None,
        seed: int | None = None,
        on_answer: Listener | None = None,
    ) -> None:
        self._address = host, port
        self._clock = clock or _system_clock
        self._rng = Random(seed)  # noqa: S311 - nothing here guards anything
        _check_credentials(merchant_id, key)
        connection = connect(db)
        self._runner = (DirectRunner if db is None else GroupCommitRunner)(connection)
        try:
            credentials = self._run(lambda state: self._settle_credentials(state, merchant_id, key))
        except BaseException:
            self._runner.close()
            raise
        self.config = Config(
            merchant_id=credentials.merchant_id,
            key=credentials.key,
            account_fields=dict(account_fields or {}),
            min_amount=min_amount,
            max_amount=max_amount,
            cancel_after_ms=cancel_after_ms,
            slow_card_ms=slow_card_ms,
        )
        self._engine = Engine(self.config, self._rng)
        self._service = Service(self._engine, self._runner, self._clock, on_answer)
        self._server: HttpServer | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"Sandbox(merchant_id={self.merchant_id!r}, running={self._server is not None})"

    @property
    def merchant_id(self) -> str:
        """Id of the cash-box."""
        return self.config.merchant_id

    @property
    def key(self) -> str:
        """Key of the cash-box."""
        return self.config.key

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
        if self._closed:
            raise SandboxError("a stopped sandbox can't be started again: make a new one")
        if self._server is None:
            server = _http_server(self._service, *self._address)
            server.start()
            self._server = server
        return self

    def stop(self) -> None:
        """Stop listening and close the store. A second stop does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        if not self._closed:
            self._closed = True
            self._runner.close()

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

    def handle(self, body: bytes, x_auth: str | None) -> bytes:
        """Serve one call without a socket. It is answered at once, whatever the card.

        Args:
            body: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.

        Returns:
            Body of the answer.
        """
        return self._service.call(body, x_auth).body

    def debits(self, receipt_id: str) -> int:
        """Count how often a card was debited or held for a receipt. More than 1 is a bug."""
        entries = self._run(lambda state: state.entries(receipt_id))
        return sum(entry.kind in {"debit", "hold"} for entry in entries)

    def ledger(self) -> list[LedgerEntry]:
        """List every movement of money, with those that the clock has made due by now."""

        def job(state: SqliteState) -> list[LedgerEntry]:
            self._engine.settle(state, self._clock())
            return state.entries()

        return self._run(job)

    def sent_sms(self) -> list[Sms]:
        """List the messages that real Payme would have sent, the oldest first."""
        return self._run(lambda state: state.outbox())

    def add_card(
        self,
        token: str | None = None,
        *,
        number: str = "8600069195406311",
        save: bool = True,
        verified: bool = True,
    ) -> str:
        """Bind a card without the calls that it takes, to start a test from there.

        Args:
            token: The token that it will have; by default a new one.
            number: One of the test cards.
            save: False makes the token good for one payment.
            verified: Whether the SMS code counts as entered.

        Returns:
            The token.

        Raises:
            ValueError: If the number is not a test card's or the token is not in the form of one.
        """
        if number not in TEST_CARDS:
            raise ValueError("not a test card of the sandbox")
        if token is not None and not ids.is_token(token):
            raise ValueError("a token is 24 hex digits, an underscore, and letters and digits")
        known = TEST_CARDS[number]

        def job(state: SqliteState) -> str:
            new = token or ids.token(self._rng, self._clock(), state.next_number("card"))
            card = Card(
                token=new,
                number=number,
                expire=known.expire,
                recurrent=save,
                phone=known.phone,
                verified=verified,
            )
            state.put_card(card)
            return new

        return self._run(job)

    def add_receipt(
        self, receipt_id: str | None = None, *, amount: int = 400_000, hold: bool = False
    ) -> str:
        """Put an unpaid receipt in place without `receipts.create`, to start a test from there.

        Args:
            receipt_id: The id that it will have, 24 hex digits; by default a new one.
            amount: Tiyin.
            hold: Whether it will be paid with a hold.

        Returns:
            The id.
        """

        def job(state: SqliteState) -> str:
            now = self._clock()
            number = state.next_number("receipt")
            receipt = Receipt(
                id=receipt_id or ids.object_id(self._rng, now, number),
                number=number,
                create_time=now,
                amount=amount,
                account=dict.fromkeys(self.config.account_fields, ""),
                state=ReceiptState.CREATED,
                hold=hold,
            )
            state.put_receipt(receipt)
            return receipt.id

        return self._run(job)

    def _run(self, job: Job[T]) -> T:
        return self._runner.run(job)

    def _settle_credentials(
        self, state: SqliteState, merchant_id: str | None, key: str | None
    ) -> _Credentials:
        return _Credentials(
            _stored_or(state, "merchant_id", merchant_id, ids.merchant_id(self._rng)),
            _stored_or(state, "key", key, ids.key(self._rng)),
        )


def _stored_or(state: SqliteState, name: str, given: str | None, fresh: str) -> str:
    """Take what the database holds; what it does not hold yet is stored in it."""
    stored = state.setting(name)
    if stored is None:
        state.put_setting(name, given or fresh)
        return given or fresh
    if given is not None and given != stored:
        raise SandboxError(
            f"the database belongs to another {name.replace('_', ' ')} than the one given: "
            "leave it out, or name another file"
        )
    return stored


def _check_credentials(merchant_id: str | None, key: str | None) -> None:
    """Refuse what can't travel in the X-Auth header."""
    for name, value in (("merchant_id", merchant_id), ("key", key)):
        if value is not None and not (value.isascii() and value.isprintable() and value.strip()):
            raise ValueError(f"{name} must be printable ASCII and not empty")
        if value is not None and value != value.strip():
            raise ValueError(f"{name} must not begin or end with a space")
    if merchant_id is not None and ":" in merchant_id:
        raise ValueError("merchant_id must not contain a colon: X-Auth is divided at the first one")


def _system_clock() -> int:
    return time.time_ns() // 1_000_000


def _http_server(service: Service, host: str, port: int) -> "HttpServer":
    # Imported on start: `handle` serves without the server's libraries.
    try:
        from payme.sandbox.server import HttpServer
    except ModuleNotFoundError as error:
        raise ImportError(_INSTALL) from error
    return HttpServer(service, host, port)
