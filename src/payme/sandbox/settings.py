"""What a sandbox is told when it is made: one value, checked in one place.

Some of it is a cash-box's own (its credentials, its account fields, its merchant), the rest is the
sandbox's and the same for every cash-box in it.
"""

import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypedDict, cast

from payme.checkout import LANGUAGES
from payme.sandbox import access, merchant_transport, scenarios
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import Answer, Config
from payme.sandbox.engine.durations import duration_ms
from payme.sandbox.engine.progression import progression
from payme.sandbox.engine.shapes import Title
from payme.sandbox.engine.testcards import KnownCards
from payme.sandbox.errors import InvalidSetting, UnknownArgument
from payme.sandbox.merchant_transport import MerchantApp

Listener = Callable[[Answer], None]

MAX_AMOUNT: Final = 2**53 - 1

_MAX_PAUSES: Final = 10
_MAX_PAUSE_S: Final = 60
_MAX_TIMEOUT_S: Final = 3600
_MAX_TEXT: Final = 200


_FIELD_PREFIX: Final = "account."
_NUMBERS: Final = frozenset({"min_amount", "max_amount"})
_WRITTEN: Final = {
    "id": "merchant_id",
    "key": "key",
    "name": "merchant_name",
    "min_amount": "min_amount",
    "max_amount": "max_amount",
    "merchant_url": "merchant_url",
    "merchant_key": "merchant_key",
}
"""The settings that a line can hold, by the name that they have in it."""


class CashBoxOptions(TypedDict, total=False):
    """The keyword arguments of one cash-box; see `CashBoxSettings`."""

    merchant_id: str | None
    key: str | None
    merchant_name: str
    account_fields: Mapping[str, Title] | None
    min_amount: int | None
    max_amount: int | None
    merchant_url: str | None
    merchant_key: str | None
    merchant: MerchantApp | None


class Options(CashBoxOptions, total=False):
    """The keyword arguments of `Sandbox`; see there."""

    host: str
    port: int
    db: str | Path | None
    cards: Mapping[str, str] | None
    cancel_after_ms: int
    slow_card_ms: int
    receipt_ttl_ms: int | None
    merchant_timeout: float
    merchant_pauses: Sequence[float]
    strict: bool
    progression: str
    cors: bool
    clock: Callable[[], int] | None
    scenario: str | None
    seed: int | None
    on_answer: Listener | None
    password: str | None
    cash_boxes: Iterable["CashBoxSettings | Mapping[str, Any]"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CashBoxSettings:
    """What one cash-box has of its own.

    Attributes:
        merchant_id: Id of the cash-box; None for the stored one, else a random one.
        key: Key of the cash-box; None for the stored one, else a random one.
        merchant_name: What receipts and the checkout page call the merchant.
        account_fields: Title of each account field by its name: a text, or a text by language.
        min_amount: Smallest amount of a receipt, in tiyin.
        max_amount: Largest amount of a receipt, in tiyin.
        merchant_url: Endpoint of the merchant's billing.
        merchant_key: Password that the merchant is asked with; None for the cash-box's key.
        merchant: A billing in this process in place of `merchant_url`.

    Raises:
        InvalidSetting: If one of them makes no sense, or two of them exclude each other.
    """

    merchant_id: str | None = None
    key: str | None = dataclasses.field(default=None, repr=False)
    merchant_name: str = "test"
    account_fields: Mapping[str, Title] | None = None
    min_amount: int | None = None
    max_amount: int | None = None
    merchant_url: str | None = None
    merchant_key: str | None = dataclasses.field(default=None, repr=False)
    merchant: MerchantApp | None = None

    def __post_init__(self) -> None:
        _check_credential("merchant_id", self.merchant_id)
        _check_credential("key", self.key)
        if self.merchant_id is not None and ":" in self.merchant_id:
            expected = "an id without a colon: X-Auth is divided at the first one"
            raise InvalidSetting("merchant_id", self.merchant_id, expected)
        _check_name(self.merchant_name)
        _check_fields(self.account_fields)
        _check_sums(self.min_amount, self.max_amount)
        if self.merchant_key is not None and not isinstance(self.merchant_key, str):
            raise InvalidSetting("merchant_key", self.merchant_key, "text")
        _check_merchant(self)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Read settings that somebody wrote down: an option of Python's, or a JSON object.

        Raises:
            UnknownArgument: If there is no setting of a name.
            InvalidSetting: If a setting makes no sense.
        """
        known = {one.name for one in dataclasses.fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise UnknownArgument(name, value, sorted(known))
        return cls(**given)

    @classmethod
    def from_text(cls, line: str) -> Self:
        """Read settings that are written in one line, as the command line takes them.

        Args:
            line: `name=value` with spaces between; a value with spaces is quoted. The names are
                those of the settings, `id` and `name` for `merchant_id` and `merchant_name`, and
                `account.FIELD` for the title of an account field.

        Raises:
            UnknownArgument: If there is no setting of a name.
            InvalidSetting: If the line is not written like that, or a setting makes no sense.

        Example:
            >>> CashBoxSettings.from_text("id=books key=secret 'name=Book shop'").merchant_name
            'Book shop'
        """
        given: dict[str, Any] = {}
        for name, value in _pairs(line):
            if name.startswith(_FIELD_PREFIX):
                given.setdefault("account_fields", {})[name.removeprefix(_FIELD_PREFIX)] = value
            elif name not in _WRITTEN:
                raise UnknownArgument(name, value, [*_WRITTEN, f"{_FIELD_PREFIX}FIELD"])
            else:
                given[_WRITTEN[name]] = _number(name, value) if name in _NUMBERS else value
        return cls(**given)

    def storable(self) -> dict[str, Any]:
        """Return what a file can keep of it: all but a merchant in this process."""
        members = {one.name: getattr(self, one.name) for one in dataclasses.fields(CashBoxSettings)}
        return {
            name: dict(cast("Mapping[str, Title]", value)) if name == "account_fields" else value
            for name, value in members.items()
            if name != "merchant" and value not in (None, "")
        }

    def asks_merchant(self) -> bool:
        """Return whether there is a merchant's billing to ask."""
        return self.merchant_url is not None or self.merchant is not None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(CashBoxSettings):
    """All that a sandbox is told: its own settings, and those of its first cash-box.

    Attributes:
        host: Address to listen on.
        port: Port to listen on, 0 for a free one.
        db: File that keeps the state; None keeps it in memory.
        cards: What single cards do, by their numbers; see `KnownCards.set`.
        cancel_after_ms: How long a paid receipt stays in the cancellation queue, in ms.
        slow_card_ms: How long the slow test card thinks, in ms.
        receipt_ttl_ms: How long a receipt can be paid, in ms; None for ever.
        merchant_timeout: Longest time that a request to a merchant may take, in seconds.
        merchant_pauses: How long to wait before each repetition of a request that was not answered,
            in seconds.
        strict: Refuse params that Payme's pages do not have.
        progression: How a paid receipt comes to its end.
        cors: Whether web pages of other origins are answered.
        clock: Where the time comes from; None for the system's.
        scenario: Name of a scenario to play from the start.
        seed: Makes ids, tokens, credentials and the chance in faults the same in every run.
        on_answer: Called with every `Answer`.
        password: What the dashboard and the control API ask for; None for the one that the address
            needs.
        cash_boxes: The cash-boxes beside the first one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    db: str | Path | None = None
    # A number of the tester's own may be a real card's.
    cards: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)
    cancel_after_ms: int = 1000
    slow_card_ms: int = 10_000
    receipt_ttl_ms: int | None = None
    merchant_timeout: float = 10.0
    merchant_pauses: Sequence[float] = (0.5, 2.0)
    strict: bool = False
    progression: str = "at_once"
    cors: bool = True
    clock: Callable[[], int] | None = None
    scenario: str | None = None
    seed: int | None = None
    on_answer: Listener | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    cash_boxes: Iterable["CashBoxSettings | Mapping[str, Any]"] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        KnownCards(self.cards)
        duration_ms(self.cancel_after_ms, "cancel_after_ms")
        duration_ms(self.slow_card_ms, "slow_card_ms")
        if self.receipt_ttl_ms is not None:
            duration_ms(self.receipt_ttl_ms, "receipt_ttl_ms")
        if not 0 < self.merchant_timeout <= _MAX_TIMEOUT_S:
            expected = "seconds, more than 0 and at most 3600"
            raise InvalidSetting("merchant_timeout", self.merchant_timeout, expected)
        _check_pauses(self.merchant_pauses)
        progression(self.progression)
        if self.scenario is not None:
            scenarios.find(self.scenario)
        chosen = self.password
        if chosen is not None and not (isinstance(chosen, str) and chosen.strip()):
            raise InvalidSetting("password", self.password, "a password that is not empty")
        object.__setattr__(self, "cash_boxes", tuple(_read(one) for one in self.cash_boxes))

    @property
    def others(self) -> tuple[CashBoxSettings, ...]:
        """The cash-boxes beside the first one."""
        return cast("tuple[CashBoxSettings, ...]", self.cash_boxes)

    @property
    def access_password(self) -> str | None:
        """What the dashboard and the control API ask for; a new one each time it is needed."""
        return access.password_for(self.host, self.password)

    def sandbox_clock(self) -> SandboxClock:
        """Return the clock to use."""
        return self.clock if isinstance(self.clock, SandboxClock) else SandboxClock(self.clock)

    def config(self, box: CashBoxSettings, merchant_id: str, key: str) -> Config:
        """Write what the engine of a cash-box is told.

        Args:
            box: Settings of the cash-box.
            merchant_id: Its id, as it is stored.
            key: Its key, as it is stored.
        """
        lasts = self.receipt_ttl_ms
        return Config(
            merchant_id=merchant_id,
            key=key,
            account_fields=dict(box.account_fields or {}),
            merchant_name=box.merchant_name.strip(),
            min_amount=box.min_amount,
            max_amount=box.max_amount,
            cancel_after_ms=duration_ms(self.cancel_after_ms, "cancel_after_ms"),
            slow_card_ms=duration_ms(self.slow_card_ms, "slow_card_ms"),
            receipt_ttl_ms=None if lasts is None else duration_ms(lasts, "receipt_ttl_ms"),
            strict=self.strict,
            progression=progression(self.progression),
            cors=self.cors,
            merchant=box.asks_merchant(),
            merchant_key=box.merchant_key or key,
            merchant_pauses_ms=tuple(round(pause * 1000) for pause in self.merchant_pauses),
        )


def check_amount(name: str, amount: int, *, least: int = 0) -> None:
    """Refuse what is no amount.

    Args:
        name: Name of the argument, for the error.
        amount: Tiyin.
        least: The smallest that is right.

    Raises:
        InvalidSetting: If it is none.
    """
    whole = isinstance(amount, int) and not isinstance(amount, bool)
    if not whole or not least <= amount <= MAX_AMOUNT:
        raise InvalidSetting(name, amount, f"tiyin, a whole number from {least} to {MAX_AMOUNT:_}")


def _read(given: "CashBoxSettings | Mapping[str, Any]") -> CashBoxSettings:
    if isinstance(given, CashBoxSettings):
        return given
    if not isinstance(given, Mapping):
        raise InvalidSetting(
            "cash_boxes", given, "dicts such as {'merchant_name': 'Books', 'key': '...'}"
        )
    return CashBoxSettings.read(given)


def _pairs(line: str) -> list[tuple[str, str]]:
    expected = "name=value with spaces between, each name once, such as id=books key=secret"
    try:
        words = shlex.split(line)
    except ValueError:  # a quotation mark that is not closed
        words = [""]
    parts = [word.partition("=") for word in words]
    names = [name for name, _, _ in parts]
    if not all(equals for _, equals, _ in parts) or len({*names}) < len(names):
        # The line may hold keys, so it is not shown.
        raise InvalidSetting("cash_box", f"a line of {len(line)} characters", expected)
    return [(name, value) for name, _, value in parts]


def _number(name: str, text: str) -> int:
    # More digits than any amount that fits are not worth converting.
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidSetting(name, text, f"tiyin, a whole number up to {MAX_AMOUNT}")
    return int(text)


def _check_credential(name: str, value: str | None) -> None:
    """Refuse what can't travel in the X-Auth header."""
    if value is None:
        return
    if not (isinstance(value, str) and value.isascii() and value.isprintable() and value.strip()):
        raise InvalidSetting(name, value, "text of printable ASCII, and not empty")
    if value != value.strip():
        raise InvalidSetting(name, value, "text that does not begin or end with a space")


def _check_name(given: str) -> None:
    fits = isinstance(given, str) and given.strip() and given.isprintable()
    if not fits or len(given) > _MAX_TEXT:
        expected = f"text on one line, not empty, at most {_MAX_TEXT} characters"
        raise InvalidSetting("merchant_name", given, expected)


def _check_fields(fields: Mapping[str, Title] | None) -> None:
    if fields is None:
        return
    if not isinstance(fields, Mapping):
        expected = "titles by name, such as {'order_id': 'Order'}"
        raise InvalidSetting("account_fields", fields, expected)
    for name, title in fields.items():
        # From JSON and from callers without a type checker comes anything.
        if not name or not isinstance(name, str) or not _is_title(title):
            expected = "a text, or texts by the languages uz, ru and en"
            raise InvalidSetting(f"account_fields[{name!r}]", title, expected)


def _is_title(title: object) -> bool:
    if not isinstance(title, Mapping):
        return isinstance(title, str)
    texts = cast("Mapping[object, object]", title)
    known = {*texts} <= {*LANGUAGES}
    return known and bool(texts) and all(isinstance(text, str) for text in texts.values())


def _check_sums(least: int | None, most: int | None) -> None:
    for name, amount in (("min_amount", least), ("max_amount", most)):
        if amount is not None:
            check_amount(name, amount)
    if least is not None and most is not None and least > most:
        raise InvalidSetting("min_amount", least, f"at most max_amount, {most}")


def _check_merchant(box: CashBoxSettings) -> None:
    if box.merchant_url is not None and box.merchant is not None:
        raise InvalidSetting("merchant", box.merchant, "merchant or merchant_url, not both")
    if box.merchant_url is not None:
        merchant_transport.endpoint(box.merchant_url)
    if box.merchant is not None and not callable(box.merchant):
        raise InvalidSetting("merchant", box.merchant, "a function of a body and headers")


def _check_pauses(pauses: Sequence[float]) -> None:
    if len(pauses) > _MAX_PAUSES or not all(0 <= pause <= _MAX_PAUSE_S for pause in pauses):
        raise InvalidSetting("merchant_pauses", pauses, "up to 10 numbers of seconds, 0 to 60")
