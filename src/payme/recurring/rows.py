"""How subscriptions lie in rows, and what is done with rows: the same in every kind of ledger.

`payme.recurring.ledger` says what is stored, in terms of `Rows`, and knows no database;
`payme.recurring.sql` carries `Rows` out. Every method may be called inside of one transaction
only, and takes what it is given as it is: whoever calls has locked and checked.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from payme.charges.core import Charge, Save
from payme.charges.saved import StoredCard
from payme.charges.vault import Vault
from payme.recurring.calendar import Terms
from payme.recurring.core import Notice, Period, PeriodState, Subscription, SubscriptionState
from payme.recurring.rule import SubscriptionRule

T = TypeVar("T")


class Overtaken(Exception):
    """Somebody else has changed the subscription; what is stored counts."""


class Stored(NamedTuple):
    """A subscription with the card that it was given, sealed; None if a customer's pays."""

    subscription: Subscription
    means: bytes | None


class Source(NamedTuple):
    """What a subscription is paid with: one of both is None.

    Attributes:
        means: A card of its own, sealed.
        customer: Whose default card pays, as it is when a payment is tried.
    """

    means: bytes | None
    customer: str | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in the outbox.

    Attributes:
        subscription: Id of the subscription.
        n: Number of the period that it is about.
        kind: See `Notice`.
        at: When it was written, in seconds since 1970.
        due: When the period is due, in seconds since 1970.
        amount: What the period costs, in tiyin.
    """

    subscription: str
    n: int
    kind: Notice
    at: float
    due: float
    amount: int


class Rows(Protocol):
    """What is done with rows in one transaction. A list may be empty: then nothing is done."""

    @property
    def vault(self) -> Vault:
        """Seals and opens what charges are paid with."""
        ...

    # Locks. Whoever takes one has not read before: SQLite's only writer is chosen here.

    def lock(self, subscription_id: str) -> None:
        """Lock a subscription, if there is one."""
        ...

    def lock_charge(self, charge_id: str) -> None:
        """Lock a charge, if there is one."""
        ...

    def due(self, now: float, limit: int, without: Collection[str]) -> list[Stored]:
        """Lock and read what is due by now and nobody has locked, the longest due first."""
        ...

    def due_ids(self, now: float, limit: int, without: Collection[str]) -> list[str]:
        """Do the same as `due`, and read ids alone: a row that can't be decoded is among them."""
        ...

    # Reading.

    def load(self, subscription_ids: Sequence[str]) -> list[Stored]:
        """Read those of these subscriptions that there are, in any order."""
        ...

    def load_periods(self, which: Sequence[tuple[str, int]]) -> list[Period]:
        """Read those of these periods (subscription, n) that there are, in any order."""
        ...

    def load_charges(self, charge_ids: Sequence[str]) -> list[Charge]:
        """Read those of these charges that there are, in any order."""
        ...

    def load_receipts(self, charge_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Read the receipts that these charges ever had, with the id of the charge before each."""
        ...

    def load_cards(self, customers: Sequence[str]) -> list[StoredCard]:
        """Read the default cards of these customers, whatever their state, in any order."""
        ...

    def periods(self, subscription_id: str) -> list[Period]:
        """Read the periods of a subscription, in their order."""
        ...

    def of_customer(self, customer: str) -> list[str]:
        """Read the ids of the subscriptions that a customer's default card pays."""
        ...

    def oldest(self) -> float | None:
        """Read when the oldest subscription was created; None if there is none."""
        ...

    def mark(self) -> float | None:
        """Read the mark, of which there is one; None before it was stored."""
        ...

    def waking(self, until: float) -> list[Subscription]:
        """Read the subscriptions that have something due by then, in that order."""
        ...

    def outbox(self, limit: int) -> list[Message]:
        """Read the notices that were not sent, the oldest first."""
        ...

    # Writing.

    def add(self, subscription: Subscription, means: bytes | None) -> bool:
        """Store a subscription; False if its id is known."""
        ...

    def save(self, changes: Sequence[tuple[Subscription, Subscription]]) -> None:
        """Store subscriptions as they are (second) where they are as they were (first).

        Raises:
            Overtaken: One of them has another version; then nothing of the transaction may stay.
        """
        ...

    def save_means(self, subscription_id: str, means: bytes | None) -> None:
        """Store another card."""
        ...

    def add_periods(self, new: Sequence[Period]) -> None:
        """Store new periods; one that is there is an error."""
        ...

    def save_periods(self, known: Sequence[Period]) -> None:
        """Store periods that are there."""
        ...

    def add_notices(self, messages: Sequence[Message]) -> None:
        """Store notices, without those whose (subscription, n, kind) is there."""
        ...

    def save_mark(self, at: float) -> None:
        """Store the mark."""
        ...

    def mark_sent(self, message: Message, now: float) -> None:
        """Note that a notice was sent."""
        ...

    def add_charges(self, pairs: Sequence[tuple[Charge, bytes]]) -> list[Charge]:
        """Store charges with what they are paid with, sealed, and the event of each.

        Returns:
            Those whose ids were known, as they are stored.
        """
        ...

    def save_charge(self, change: Save, means: bytes | None) -> None:
        """Store a change of a charge with its event, and another card, sealed, unless it is None.

        The charges' hook is called for what it proves, as whenever a charge is stored.
        """
        ...


class Keeper(Protocol):
    """Where subscriptions are kept: carries out what `payme.recurring.ledger` says.

    An `act` is one of its functions, and gets `Rows` before the arguments.
    """

    @property
    def vault(self) -> Vault:
        """Seals and opens what charges are paid with."""
        ...

    def create_all(self) -> None:
        """Create the tables unless they exist."""
        ...

    def follow(self, hook: Callable[[Rows, Charge], None]) -> None:
        """Call a hook for each proven change of a charge, in the transaction that stores it."""
        ...

    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in one transaction, which is committed."""
        ...

    def read(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry out what only reads."""
        ...

    def inside(self, connection: Any, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in the caller's transaction."""
        ...


class AsyncKeeper(Protocol):
    """The same for asyncio; see `Keeper`. What is carried out does not await."""

    @property
    def vault(self) -> Vault:
        """See `Keeper.vault`."""
        ...

    async def create_all(self) -> None:
        """See `Keeper.create_all`."""
        ...

    def follow(self, hook: Callable[[Rows, Charge], None]) -> None:
        """See `Keeper.follow`."""
        ...

    async def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """See `Keeper.do`."""
        ...

    async def read(self, act: Callable[..., T], *arguments: Any) -> T:
        """See `Keeper.read`."""
        ...

    async def inside(self, connection: Any, act: Callable[..., T], *arguments: Any) -> T:
        """See `Keeper.inside`."""
        ...


# Rows.

COLUMNS: Final = Subscription.__struct_fields__
PERIOD_COLUMNS: Final = Period.__struct_fields__
MESSAGE_COLUMNS: Final = Message.__struct_fields__

# The rule and the card are stored by themselves.
_FIXED: Final = frozenset({"id", "rule", "created"})
CHANGING: Final = tuple(name for name in COLUMNS if name not in _FIXED)
PERIOD_KEY: Final = ("subscription", "n")

_ENCODE: Final = msgspec.json.Encoder().encode
_STATES: Final = {state.value: state for state in SubscriptionState}
_PERIOD_STATES: Final = {state.value: state for state in PeriodState}
_DECODE: Final[dict[str, Callable[[Any], Any]]] = {
    "state": _STATES.__getitem__,
    "rule": msgspec.json.Decoder(SubscriptionRule).decode,
    "terms": msgspec.json.Decoder(tuple[Terms, ...]).decode,
    "openings": msgspec.json.Decoder(tuple[float, ...]).decode,
}
_DECODE_PERIOD: Final[dict[str, Callable[[Any], Any]]] = {
    "state": _PERIOD_STATES.__getitem__,
    "refusals": msgspec.json.Decoder(tuple[float, ...]).decode,
}
_JSON: Final = ("rule", "terms", "openings")


def subscription_row(subscription: Subscription) -> dict[str, Any]:
    """Make the row of a subscription, without its card."""
    row = {name: getattr(subscription, name) for name in COLUMNS}
    for name in _JSON:
        row[name] = _ENCODE(row[name]).decode()
    row["state"] = subscription.state.value
    return row


def changing_row(subscription: Subscription) -> dict[str, Any]:
    """Make what may change of the row of a subscription."""
    row = {name: getattr(subscription, name) for name in CHANGING}
    row["terms"] = _ENCODE(row["terms"]).decode()
    row["openings"] = _ENCODE(row["openings"]).decode()
    row["state"] = subscription.state.value
    return row


def read_subscription(values: Sequence[Any]) -> Subscription:
    """Make a subscription of a row's values, in the order of `COLUMNS`."""
    members = dict(zip(COLUMNS, values, strict=True))
    for name, decode in _DECODE.items():
        members[name] = decode(members[name])
    return Subscription(**members)


def period_row(period: Period) -> dict[str, Any]:
    """Make the row of a period."""
    row = {name: getattr(period, name) for name in PERIOD_COLUMNS}
    row["refusals"] = _ENCODE(row["refusals"]).decode()
    row["state"] = period.state.value
    return row


def read_period(values: Sequence[Any]) -> Period:
    """Make a period of a row's values, in the order of `PERIOD_COLUMNS`."""
    members = dict(zip(PERIOD_COLUMNS, values, strict=True))
    for name, decode in _DECODE_PERIOD.items():
        members[name] = decode(members[name])
    return Period(**members)


def message_row(message: Message) -> dict[str, Any]:
    """Make the row of a notice."""
    return {**msgspec.structs.asdict(message), "kind": message.kind.value}


def read_message(values: Sequence[Any]) -> Message:
    """Make a notice of a row's values, in the order of `MESSAGE_COLUMNS`."""
    members = dict(zip(MESSAGE_COLUMNS, values, strict=True))
    members["kind"] = Notice(members["kind"])
    return Message(**members)
