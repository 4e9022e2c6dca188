"""What a handler may reach while it serves one call."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from payme.sandbox.engine.model import State
from payme.sandbox.engine.progression import AT_ONCE, Progression
from payme.sandbox.engine.shapes import ReceiptShapes, Title
from payme.sandbox.engine.testcards import KnownCards


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the cash-box and of the sandbox's behaviour."""

    merchant_id: str
    key: str = field(repr=False)
    account_fields: dict[str, Title] = field(default_factory=dict[str, Title])
    """Title of each account field by its name."""
    merchant_name: str = "test"
    """What the payer reads in place of the id; the recorded samples have this one."""
    min_amount: int | None = None
    """Tiyin."""
    max_amount: int | None = None
    """Tiyin."""
    cancel_after_ms: int = 1000
    """How long a paid receipt stays in the cancellation queue."""
    slow_card_ms: int = 10_000
    """How long the slow test card thinks."""
    receipt_ttl_ms: int | None = None
    """How long a receipt can be paid; None for ever."""
    cancel_paid_after_ms: int | None = None
    """How long after a payment Payme cancels it of its own accord; None for never."""
    progression: Progression = AT_ONCE
    """How a paid receipt comes to its end."""
    cors: bool = True
    """Whether web pages of other origins are answered."""
    strict: bool = False
    """Whether params are refused that Payme lets pass."""
    merchant: bool = False
    """Whether there is a merchant's billing to ask."""
    merchant_key: str = field(default="", repr=False)
    """Password that the billing is asked with."""
    merchant_pauses_ms: tuple[int, ...] = (500, 2000)
    """How long to wait before each repetition of a request that was not answered, in real ms."""


class Delivery(NamedTuple):
    """A result that does not go out as usual."""

    result: dict[str, Any]
    delay_ms: int = 0
    """How long Payme thinks before it answers."""
    lost: str = ""
    """Why the answer is lost on its way; empty for one that arrives."""


class Call(NamedTuple):
    """One call: the state it runs against, its time and its source of chance."""

    state: State
    now: int
    rng: Random
    config: Config
    shapes: ReceiptShapes
    asked: set[str]
    """Ids of the receipts that the merchant is being asked about at this moment."""
    known_cards: KnownCards
    secrets: list[str]
    """What no record of an exchange may show."""
