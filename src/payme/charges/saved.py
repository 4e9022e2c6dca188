"""A saved card as a value: what Payme says of it, and whether it may be charged."""

import os
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from payme import exact, redact
from payme.charges.core import Charge, ChargeState, Means, Save
from payme.errors import CardExpired, InvalidArgument, PaymeError, Rejected
from payme.protocol import arguments, calls
from payme.protocol.calls import Call
from payme.protocol.models import Card
from payme.redact import Secret

_LONGEST_ID: Final = 128
_LONGEST_SHOWN: Final = 32
_EXPIRE: Final = re.compile(r"(0[1-9]|1[0-2])/([0-9]{2})")
# The clocks of a shop and of a bank differ, and so do their time zones.
_GRACE_S: Final = 2 * 24 * 3600.0

UNKNOWN_TOKEN: Final = frozenset({-31400, -32500})
"""Codes which say that a token stands for no card: not found, and no token at all (OBSERVED)."""


class CardState(StrEnum):
    """State of a saved card; only one that is `ready` is charged.

    `ready`: may be charged. `expired`: its expiry has passed, or Payme said so. `unverified`: Payme
    said so when it was checked again. `gone`: Payme no longer knows its token. `removing`: its
    removal was begun and Payme has not said yet that it is done.
    """

    READY = "ready"
    EXPIRED = "expired"
    UNVERIFIED = "unverified"
    GONE = "gone"
    REMOVING = "removing"


class SavedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A saved card, without its token.

    Attributes:
        id: Id that the wallet gave it; harmless, unlike the token.
        customer: Whose card it is: the id that the merchant chose.
        number: Masked number, such as `860006******6311`.
        expire: Expiry as Payme shows it, `MM/YY`.
        recurrent: Payme says that the token may be charged again.
        state: Whether it may be charged.
        is_default: It is the card that `charge(customer=…)` takes.
        evidence: What its state rests on, such as `cards.check`.
        created: When it was saved, in seconds since 1970.
        changed: When it changed last.
    """

    id: str
    customer: str
    number: str
    expire: str
    recurrent: bool
    state: CardState = CardState.READY
    is_default: bool = False
    evidence: str = "cards.check"
    created: float = 0.0
    changed: float = 0.0

    @property
    def can_be_charged(self) -> bool:
        """Return whether a payment with it may begin."""
        return self.state is CardState.READY

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            ("id", self.id),
            ("customer", redact.account_value(self.customer)),
            *redact.members(("number", "expire", "state", "is_default", "evidence"), self),
        ]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={member!r}" for name, member in self.__rich_repr__())
        return f"SavedCard({shown})"


class CardNotFound(PaymeError, LookupError):
    """No saved card has this id, or the customer has no default card."""


class CardConflict(PaymeError):
    """The token is saved for another customer, or is being removed."""


class CardUnusable(PaymeError):
    """The card can't be saved, or must not be charged; nothing was stored.

    Attributes:
        reason: `unverified`, `not recurrent`, `expired`, `gone` or `removing`.
        card: The card as it is saved; None where it was refused.
    """

    reason: str
    card: SavedCard | None

    def __init__(self, text: str, reason: str, card: SavedCard | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.card = card


class StoredCard(NamedTuple):
    """A saved card with its token."""

    card: SavedCard
    token: Secret

    def means(self) -> Means:
        """Return what a charge is paid with."""
        return Means(self.token, None, self.card.id)


class Look(NamedTuple):
    """What was learned of a card, to be stored.

    Attributes:
        state: Whether it may be charged.
        evidence: What that rests on.
        card: What `cards.check` answered; None if it was a refusal.
    """

    state: CardState
    evidence: str
    card: Card | None = None


class Addition(NamedTuple):
    """A card that is to be added; or why it was refused."""

    customer: str = ""
    check: Call[Card] | None = None
    recurring: bool = False
    default: bool | None = None
    refusal: InvalidArgument | None = None

    def call(self) -> Call[Card]:
        """Return what to ask, or raise why not: here, where no frame holds the token any more."""
        if self.refusal is not None:
            raise self.refusal
        assert self.check is not None  # noqa: S101 - one of both is there
        return self.check


def addition(customer: str, token: str, *, recurring: bool, default: bool | None) -> Addition:
    """Check what a card is added with; nothing is stored or sent."""
    try:
        return Addition(
            check_customer(customer),
            calls.cards_check(token),
            arguments.flag("recurring", recurring),
            None if default is None else arguments.flag("default", default),
        )
    except InvalidArgument as refusal:
        return Addition(refusal=refusal.with_traceback(None))


def check_customer(given: object) -> str:
    """Check the id of a customer: text of at most 128 visible characters, and no card token."""
    return _visible("customer", given, "customer-17")


def check_card_id(given: object) -> str:
    """Check the id of a saved card, and that it is no card token."""
    return _visible("card_id", given, "the id of a saved card")


def _visible(name: str, given: object, example: str) -> str:
    text = exact.text(given)
    if text is not None and redact.TOKEN in redact.scrub(text):
        # It would be shown in every list and log.
        raise InvalidArgument(name, redact.TOKEN, "an id of yours; are the arguments swapped?")
    if text is None or not text.isprintable() or not 0 < len(text) <= _LONGEST_ID or " " in text:
        expected = f"text of 1 to {_LONGEST_ID} visible characters, such as {example!r}"
        shown = exact.shown(given) if text is None else redact.account_value(text)
        raise InvalidArgument(name, shown, expected)
    return text


def new_card_id() -> str:
    """Make the id of a saved card."""
    # The word in front keeps twenty digits from being taken for a card number, and masked.
    return f"card{os.urandom(10).hex()}"


def judge(card: Card, now: float) -> CardState:
    """Say what `cards.check` means for a card."""
    if not card.verify:
        return CardState.UNVERIFIED
    return CardState.EXPIRED if _has_expired(card.expire, now) else CardState.READY


def require_chargeable(card: Card, now: float, *, recurring: bool) -> None:
    """Refuse a card that can't be saved.

    Raises:
        CardUnusable: It is not verified, has expired, or is not for recurring payments.
    """
    state = judge(card, now)
    if state is CardState.UNVERIFIED:
        raise CardUnusable("the card is not verified: confirm it with the SMS code", state.value)
    if state is CardState.EXPIRED:
        raise CardUnusable(f"the card has expired ({shown_expire(card)})", state.value)
    if recurring and not card.recurrent:
        raise CardUnusable(
            "the card can't be charged again: create its token with save=True", "not recurrent"
        )


def chargeable(stored: StoredCard | None, customer: str) -> StoredCard:
    """Return a customer's default card, if it may be charged.

    Raises:
        CardNotFound: There is none.
        CardUnusable: It must not be charged. No other card is taken in its place: nobody chose it.
    """
    if stored is None:
        whose = redact.account_value(customer)
        raise CardNotFound(f"customer {whose!r} has no default card")
    card = stored.card
    if not card.can_be_charged:
        raise CardUnusable(
            f"the default card {card.number} can't be charged: {card.state}", card.state.value, card
        )
    return stored


def read_refusal(refused: Rejected) -> Look | None:
    """Say what a refusal of `cards.check` means for a card; None if it says nothing about it."""
    evidence = f"{refused.method}: {type(refused).__name__} {refused.code}"
    if refused.code in UNKNOWN_TOKEN:
        return Look(CardState.GONE, evidence)
    return Look(CardState.EXPIRED, evidence) if isinstance(refused, CardExpired) else None


def is_token_unknown(change: Save) -> bool:
    """Return whether a change of a charge says that Payme no longer knows the token."""
    return change.after.state is ChargeState.REFUSED and change.after.code in UNKNOWN_TOKEN


def gone_at(charge: Charge) -> Look:
    """Say what the refusal of a charge means for its card."""
    return Look(CardState.GONE, redact.scrub(f"charge {charge.id}: {charge.evidence}"))


def shown_number(card: Card) -> str:
    """Return the number for people, masked whatever Payme sent."""
    return redact.card_number(card.number)[:_LONGEST_SHOWN]


def shown_expire(card: Card) -> str:
    """Return the expiry for people."""
    return redact.scrub(_printable(card.expire))[:_LONGEST_SHOWN]


def _printable(text: str) -> str:
    """Keep what a database can store and a page can show."""
    return "".join(one for one in text if one.isprintable())


def identity(card: Card) -> str | None:
    """Return what is the same whenever a customer binds the same card; None if nothing is.

    A token is new each time. Where the mask shows the last four digits, a customer has one card of
    that number and expiry; live receipts were seen to hide them (OBSERVED).
    """
    number = shown_number(card)
    return f"{number} {shown_expire(card)}" if number[-4:].isdigit() else None


def _has_expired(expire: str, now: float) -> bool:
    """Return whether an expiry, `MM/YY`, has passed; one that can't be read has not."""
    ends = expires_at(expire)
    return ends is not None and now >= ends + _GRACE_S


def expires_at(expire: str) -> float | None:
    """Return when an expiry, `MM/YY`, passes, in seconds since 1970; None if it can't be read."""
    found = _EXPIRE.fullmatch(expire)
    if found is None:
        return None
    month, year = int(found[1]), 2000 + int(found[2])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()
