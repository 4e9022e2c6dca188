"""`Sandbox`: everything put together, with a start and a stop."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from payme.checkout import LANGUAGES
from payme.protocol.states import ReceiptState
from payme.sandbox import access, carriers
from payme.sandbox.carriers import MerchantApp
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import Answer, Card, Config, Engine, LedgerEntry, Receipt, Sms, ids
from payme.sandbox.engine.durations import duration_ms
from payme.sandbox.engine.progression import progression as read_progression
from payme.sandbox.engine.shapes import Title
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.sandbox.errors import InvalidSetting, SandboxError, SandboxFault, StorageError
from payme.sandbox.faults import Faults
from payme.sandbox.merchant import Desk, Merchant
from payme.sandbox.runner import DirectRunner, GroupCommitRunner, Job, T
from payme.sandbox.scenarios import Scenario, find
from payme.sandbox.service import Listener, Service
from payme.sandbox.store import SqliteState, connect, unusable
from payme.sandbox.traffic import Traffic

if TYPE_CHECKING:
    from payme.sandbox.server import HttpServer

_MAX_PAUSES: Final = 10
_MAX_PAUSE_S: Final = 60
_MAX_AMOUNT: Final = 2**53 - 1
_LONGEST: Final = 2**63 - 1

_LIBRARIES: Final = {"starlette", "uvicorn", "h11", "jinja2"}
_INSTALL: Final = 'the sandbox needs starlette, uvicorn and jinja2: pip install "payme-uz[sandbox]"'


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
        account_fields: Title of each account field of the cash-box by its name: a text, or a text
            by language, such as ``{"uz": "Buyurtma raqami", "ru": "Номер заказа"}``. Without any
            field, receipts show `transaction`, as cash-boxes without a billing do.
        merchant_name: What receipts and the checkout page call the merchant.
        min_amount: Smallest amount of a receipt, in tiyin.
        max_amount: Largest amount of a receipt, in tiyin.
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

    Raises:
        SandboxError: If `db` can't be used, or holds other credentials than the ones given.
        InvalidSetting: If a number, a scenario or a progression makes no sense.

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
        account_fields: Mapping[str, Title] | None = None,
        merchant_name: str = "test",
        min_amount: int | None = None,
        max_amount: int | None = None,
        cancel_after_ms: int = 1000,
        slow_card_ms: int = 10_000,
        receipt_ttl_ms: int | None = None,
        merchant_url: str | None = None,
        merchant_key: str | None = None,
        merchant: MerchantApp | None = None,
        merchant_timeout: float = 10.0,
        merchant_pauses: Sequence[float] = (0.5, 2.0),
        strict: bool = False,
        progression: str = "at_once",
        cors: bool = True,
        clock: Callable[[], int] | None = None,
        scenario: str | None = None,
        seed: int | None = None,
        on_answer: Listener | None = None,
        password: str | None = None,
    ) -> None:
        self._address = host, port
        self._password = _password(host, password)
        self.clock = clock if isinstance(clock, SandboxClock) else SandboxClock(clock)
        self._clock = self.clock.now
        self._seed = seed
        self._rng = Random(seed)  # noqa: S311 - nothing here guards anything
        self.faults = Faults(seed)
        _check_credentials(merchant_id, key)
        if scenario is not None:
            find(scenario)  # a misspelt name is told before anything is opened
        _check_sums(min_amount, max_amount)
        queued_ms = duration_ms(cancel_after_ms, "cancel_after_ms")
        thinks_ms = duration_ms(slow_card_ms, "slow_card_ms")
        lasts_ms = None if receipt_ttl_ms is None else duration_ms(receipt_ttl_ms, "receipt_ttl_ms")
        pace = read_progression(progression)
        pauses_ms = _pauses_ms(merchant_pauses)
        carrier = carriers.carrier(merchant_url, merchant, merchant_timeout)
        connection = connect(db)
        self._runner = (DirectRunner if db is None else GroupCommitRunner)(connection)
        try:
            credentials = self._run(lambda state: self._settle_credentials(state, merchant_id, key))
        except BaseException as error:
            self._runner.close()
            if isinstance(error, StorageError):
                raise SandboxError(unusable(db, error.__cause__)) from error
            raise
        self.config = Config(
            merchant_id=credentials.merchant_id,
            key=credentials.key,
            account_fields=_titles(account_fields or {}),
            merchant_name=_name(merchant_name),
            min_amount=min_amount,
            max_amount=max_amount,
            cancel_after_ms=queued_ms,
            slow_card_ms=thinks_ms,
            receipt_ttl_ms=lasts_ms,
            strict=strict,
            progression=pace,
            cors=cors,
            merchant=carrier is not None,
            merchant_key=merchant_key or credentials.key,
            merchant_pauses_ms=pauses_ms,
        )
        self._first_config = self.config
        self._engine = Engine(self.config, self._rng)
        self._engine.keep_secret(self._password or "")
        self.traffic = Traffic(self._engine.secrets)
        self._desk = Desk(
            self._engine, self._runner, self.clock, carrier, self.faults, merchant_timeout
        )
        self.clock.follow(self._desk.clock_moved, self._desk.next_due)
        self.merchant = Merchant(self._desk)
        self._service = Service(
            self._engine,
            self._runner,
            self.clock,
            self.faults,
            on_answer,
            traffic=self.traffic,
            desk=self._desk,
        )
        self._server: HttpServer | None = None
        self._closed = False
        # Several threads may start one sandbox, or stop it.
        self._turning = RLock()
        if scenario is not None:
            self.play(scenario)

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
    def cors(self) -> bool:
        """Whether web pages of other origins are answered; may be set at any time.

        A page may call what a payer's side needs, and never with the key.
        """
        return self.config.cors

    @cors.setter
    def cors(self, allow: bool) -> None:
        if not isinstance(allow, bool):
            raise InvalidSetting("cors", allow, "true or false")
        self._configure(dataclasses.replace(self.config, cors=allow))

    @property
    def host(self) -> str:
        """Address that it was told to listen on."""
        return self._address[0]

    @property
    def password(self) -> str | None:
        """What the dashboard and the control API ask for; None for nothing."""
        return self._password

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
                server = _http_server(self, self._service, *self._address)
                server.start()
                self._server = server
                self._desk.start()
        return self

    def stop(self) -> None:
        """Stop listening and close the store. A second stop does nothing."""
        with self._turning:
            if self._closed:
                return
            self._closed = True
            server, self._server = self._server, None
            self.clock.unfollow(self._desk.clock_moved)
            self._desk.close()
            if server is not None:
                server.stop()
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
        answer = self._service.call(body, x_auth)
        if answer.fault or timeout is not None:
            _raise_if_lost(answer, timeout)
        return answer.body

    # A `MemoryTransport` passes the timeout to a function that says so.
    handle.takes_timeout = True  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]

    def play(self, scenario: str) -> Scenario:
        """Play a scenario: its faults and options take the place of those that are set.

        Args:
            scenario: Such as `happy`, which takes every fault away.

        Returns:
            The scenario.

        Raises:
            InvalidSetting: If there is none of that name.
        """
        found = find(scenario)
        self._configure(dataclasses.replace(self._first_config, **found.options))
        self.faults.clear()
        for fault in found.faults:
            self.faults.add_json(fault)
        return found

    def reset(self) -> None:
        """Make the sandbox as it was when it was made, but for its address and its credentials.

        Cards, receipts, messages, ledgers and faults are forgotten, and the clock goes back. With a
        seed, ids and tokens come again in the same order.
        """

        def job(state: SqliteState) -> None:
            self._engine.forget()
            state.clear()
            self._rng.seed(self._seed)
            self._settle_credentials(state, None, None)

        self._configure(self._first_config)
        self.faults.reset()
        self.clock.reset()
        self.traffic.clear()
        self._desk.use_password(None)
        self._run(job)

    def receipts(self, count: int = 50, offset: int = 0) -> list[Receipt]:
        """List receipts, the newest first, each where the clock has brought it.

        Args:
            count: How many at most.
            offset: How many of the newest to skip.
        """
        # SQLite knows no larger number, and no list is longer.
        count, offset = min(count, _LONGEST), min(offset, _LONGEST)
        return self._settled(lambda state: state.list_receipts(None, count=count, offset=offset))

    def receipt(self, receipt_id: str) -> Receipt | None:
        """Find a receipt where the clock has brought it; None if there is none with that id."""
        return self._settled(lambda state: state.get_receipt(receipt_id))

    def entries(self, receipt_id: str) -> list[LedgerEntry]:
        """List the movements of money of one receipt, the oldest first."""
        return self._run(lambda state: state.entries(receipt_id))

    def cards(self, count: int = 50) -> list[Card]:
        """List cards, the one that was used last first, removed ones included."""
        return self._run(lambda state: state.last_cards(min(count, _LONGEST)))

    def last_entries(self, count: int = 50) -> list[LedgerEntry]:
        """List the end of the ledger, the newest entry first."""
        return self._settled(lambda state: state.last_entries(min(count, _LONGEST)))

    def last_sms(self, count: int = 50) -> list[Sms]:
        """List the end of the outbox, the newest message first."""
        return self._run(lambda state: state.last_sms(min(count, _LONGEST)))

    def debits(self, receipt_id: str) -> int:
        """Count how often a card was debited or held for a receipt. More than 1 is a bug."""
        entries = self._run(lambda state: state.entries(receipt_id))
        return sum(entry.kind in {"debit", "hold"} for entry in entries)

    def ledger(self) -> list[LedgerEntry]:
        """List every movement of money, with those that the clock has made due by now."""
        return self._settled(lambda state: state.entries())

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

        Raises:
            InvalidSetting: If the amount is none.
        """
        _check_amount("amount", amount, least=1)

        def job(state: SqliteState) -> str:
            now, lasts = self._clock(), self.config.receipt_ttl_ms
            number = state.next_number("receipt")
            receipt = Receipt(
                id=receipt_id or ids.object_id(self._rng, now, number),
                number=number,
                create_time=now,
                amount=amount,
                account=dict.fromkeys(self.config.account_fields, ""),
                state=ReceiptState.CREATED,
                due_at=None if lasts is None else now + lasts,
                hold=hold,
            )
            state.put_receipt(receipt)
            return receipt.id

        return self._run(job)

    def _configure(self, config: Config) -> None:
        self.config = config
        self._engine.config = config

    def _settled(self, job: Job[T]) -> T:
        """Run a job after every move that the clock has made due."""
        self._desk.catch_up()

        def settled(state: SqliteState) -> T:
            self._engine.settle(state, self._clock())
            return job(state)

        return self._run(settled)

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


def _pauses_ms(pauses: Sequence[float]) -> tuple[int, ...]:
    if len(pauses) > _MAX_PAUSES or not all(0 <= pause <= _MAX_PAUSE_S for pause in pauses):
        raise InvalidSetting("merchant_pauses", pauses, "up to 10 numbers of seconds, 0 to 60")
    return tuple(round(pause * 1000) for pause in pauses)


def _titles(fields: Mapping[str, Title]) -> dict[str, Title]:
    for name, title in fields.items():
        texts = [title] if isinstance(title, str) else [*title.values()]
        known = isinstance(title, str) or {*title} <= {*LANGUAGES}
        if not texts or not known or not all(isinstance(one, str) for one in texts):
            expected = "a text, or texts by the languages uz, ru and en"
            raise InvalidSetting(f"account_fields[{name!r}]", title, expected)
    return dict(fields)


def _name(given: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise InvalidSetting("merchant_name", given, "a text that is not empty")
    return given.strip()


def _check_sums(least: int | None, most: int | None) -> None:
    for name, amount in (("min_amount", least), ("max_amount", most)):
        if amount is not None:
            _check_amount(name, amount)
    if least is not None and most is not None and least > most:
        raise InvalidSetting("min_amount", least, f"at most max_amount, {most}")


def _check_amount(name: str, amount: int, *, least: int = 0) -> None:
    whole = isinstance(amount, int) and not isinstance(amount, bool)
    if not whole or not least <= amount <= _MAX_AMOUNT:
        raise InvalidSetting(name, amount, f"tiyin, a whole number from {least} to {_MAX_AMOUNT}")


def _password(host: str, given: str | None) -> str | None:
    if given is not None and not given.strip():
        raise ValueError("password must not be empty")
    return access.password_for(host, given)


def _check_credentials(merchant_id: str | None, key: str | None) -> None:
    """Refuse what can't travel in the X-Auth header."""
    for name, value in (("merchant_id", merchant_id), ("key", key)):
        if value is not None and not (value.isascii() and value.isprintable() and value.strip()):
            raise ValueError(f"{name} must be printable ASCII and not empty")
        if value is not None and value != value.strip():
            raise ValueError(f"{name} must not begin or end with a space")
    if merchant_id is not None and ":" in merchant_id:
        raise ValueError("merchant_id must not contain a colon: X-Auth is divided at the first one")


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


def _http_server(sandbox: Sandbox, service: Service, host: str, port: int) -> "HttpServer":
    # Imported on start: `handle` serves without the server's libraries.
    try:
        from payme.sandbox.server import HttpServer
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        raise ImportError(_INSTALL) from error
    return HttpServer(sandbox, service, host, port)
