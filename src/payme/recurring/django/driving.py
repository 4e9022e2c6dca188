"""`DjangoRecurring`: subscriptions over `DjangoCharges`."""

from collections.abc import Callable
from typing import Final

from payme.charges import Charge
from payme.charges.django import charges
from payme.charges.django.driving import DjangoCharges
from payme.charges.django.ledger import DjangoLedger
from payme.charges.ledger import Ledger
from payme.charges.pace import since_1970
from payme.errors import ConfigurationError
from payme.recurring import Recurring, ledger
from payme.recurring.django.rows import DjangoKeeper
from payme.recurring.rows import Keeper, Rows

# No lock: one that another thread holds during a fork would stay locked in the child.
_made: Final[dict[str, "DjangoRecurring"]] = {}


class DjangoRecurring(Recurring):
    """`Recurring` over `DjangoCharges`, for a project with several cash-boxes.

    What only stores joins a surrounding `transaction.atomic`; `run` is called outside of one.

    Args:
        charges: Charges over a `DjangoLedger`.
        now: Tells the time in seconds since 1970.

    Raises:
        ConfigurationError: The charges are kept elsewhere.

    Example:
        >>> recurring = DjangoRecurring(DjangoCharges(payme, DjangoLedger(keys=[ledger_key])))
    """

    def __init__(self, charges: DjangoCharges, *, now: Callable[[], float] = since_1970) -> None:
        super().__init__(charges, now=now)
        self.charges = charges

    def _kept_with(self, charges: Ledger) -> Keeper:
        if not isinstance(charges, DjangoLedger):
            raise ConfigurationError("charges: expected charges that a DjangoLedger keeps")
        return DjangoKeeper(charges)


def configured() -> DjangoRecurring:
    """Return the subscriptions over the charges of the settings, made once in a process.

    Raises:
        ConfigurationError: Something is missing or can't be right.
    """
    over = charges()
    found = _made.get("recurring")
    # Other settings, as a test overrides them, make other charges.
    if found is None or found.charges is not over:
        found = _made["recurring"] = DjangoRecurring(over)
    return found


def following(ledger_of_charges: DjangoLedger) -> None:
    """Let subscriptions hear of what a ledger proves, whoever drives the charge."""
    DjangoKeeper(ledger_of_charges).follow(_learn)


def _learn(rows: Rows, charge: Charge) -> None:
    ledger.learn(rows, charge, since_1970())
