"""What a handler may reach while it serves one call."""

from dataclasses import dataclass, field
from random import Random

from payme.sandbox.engine.model import State
from payme.sandbox.engine.shapes import ReceiptShapes


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the cash-box and of the sandbox's behaviour."""

    merchant_id: str
    key: str = field(repr=False)
    account_fields: dict[str, str] = field(default_factory=dict[str, str])
    """Title of each account field by its name."""
    min_amount: int | None = None
    """Tiyin."""
    max_amount: int | None = None
    """Tiyin."""
    cancel_after_ms: int = 1000
    """How long a paid receipt stays in the cancellation queue."""
    slow_card_ms: int = 10_000
    """How long the slow test card thinks."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the state it runs against, its time and its source of chance."""

    state: State
    now: int
    rng: Random
    config: Config
    shapes: ReceiptShapes
