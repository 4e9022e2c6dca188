"""What follows from each step of a payment: step × outcome × state, as a table.

There is one path for every payment. Without a merchant's billing the steps that would ask it agree
by themselves, and "at once" is a delay of zero between the steps: so a receipt that is paid within
one call and one that waits twelve hours for a merchant obey the same rows.

    create → debit → perform → fiscal           a payment
    create → debit, then confirm_hold: perform  a hold
    cancel → finish → fiscal                    a refund, or the end of a hold

A cancellation is of four kinds, told by its reason: the debit failed (2), the merchant refused or
never answered (3), twelve hours are over (4), somebody asked for it (5). The numbers are CONFIRMED,
when each is sent is INFERRED. Which outcome leads where is mostly our choice: see `standing`.

Two rules are behind the rows. Money that was taken is never forgotten: it is given back as soon as
the payment has certainly failed, and stays where it is while the merchant may still say that it has
performed; what only a person can decide ends in state 20. And what was not asked needs no undoing:
a merchant that CreateTransaction certainly never reached is not asked to cancel.

Everything here is data; `payments` executes it, and the documentation prints it.
"""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import Final, Literal, NamedTuple

from payme.protocol.states import TRANSITIONS, ReceiptState
from payme.sandbox.engine.model import EntryKind, PaymentStep

StepOutcome = Literal["done", "refused", "performed", "unheard", "late"]
"""How a step ended. `done`: it is taken, or the merchant agreed; `refused`: the card or the
merchant said no; `performed`: -31007, the merchant can't cancel because it has performed;
`unheard`: no answer, however often it was asked for; `late`: the time for it is over."""

DEBIT_ERROR, EXECUTION_ERROR, TIMEOUT, REFUND = 2, 3, 4, 5
"""Reasons of CancelTransaction."""

S = ReceiptState
_Path = tuple[ReceiptState, ...]
_States = frozenset[ReceiptState]


class Row(NamedTuple):
    """One line of the table."""

    step: PaymentStep
    outcome: StepOutcome
    before: _States
    """States of the receipt in which it is so."""
    path: _Path = ()
    """States that it goes through; none when it stays where it is."""
    money: EntryKind | Literal["give back"] | None = None
    """What happens on the card; `give back` is a refund of what was taken, or else a release."""
    then: PaymentStep | Literal["again"] | None = None
    """The next step; `again`: the same one, later; None: nothing, until somebody asks for more or
    the end of a hold comes."""
    reason: int = 0
    """Reason of the cancellation that comes next."""
    because: frozenset[int] = frozenset({DEBIT_ERROR, EXECUTION_ERROR, TIMEOUT, REFUND})
    """Of a cancellation: for which reasons it is so."""
    hold: bool | None = None
    """Only for receipts with a hold, or only for those without; None for both."""
    source: str = ""
    """Who cancels, as the receipt shows it."""


def _in(*states: ReceiptState) -> _States:
    return frozenset(states)


_UNPAID: Final = _in(S.BILLING_CREATE, S.DEBITING, S.HOLDING)
_PERFORMING: Final = _in(S.BILLING_PERFORM, S.PERFORM_QUEUED)
_TO_REFUND: Final = _in(S.HELD, S.PAID, S.SUSPENDED, S.PERFORM_QUEUED)
_FAILED: Final = frozenset({DEBIT_ERROR, EXECUTION_ERROR})
_GIVEN_UP: Final = frozenset({DEBIT_ERROR, EXECUTION_ERROR, TIMEOUT})
_ASKED_FOR: Final = frozenset({REFUND})

ROWS: Final[tuple[Row, ...]] = (
    # An unpaid receipt whose life is over.
    Row("expire", "done", _in(S.CREATED), (S.CANCELLED,), source="expired"),
    # CreateTransaction: nothing has left the card. Whether the merchant is asked to cancel depends
    # on whether one of the requests may have arrived.
    Row("create", "done", _in(S.BILLING_CREATE), (S.DEBITING,), then="debit", hold=False),
    Row("create", "done", _in(S.BILLING_CREATE), (S.HOLDING,), then="debit", hold=True),
    Row("create", "refused", _in(S.BILLING_CREATE), then="cancel", reason=EXECUTION_ERROR),
    Row("create", "unheard", _in(S.BILLING_CREATE), then="cancel", reason=EXECUTION_ERROR),
    # The card.
    Row("debit", "done", _in(S.DEBITING), (S.BILLING_PERFORM,), "debit", "perform"),
    Row("debit", "done", _in(S.HOLDING), (S.HELD,), "hold"),
    Row("debit", "refused", _in(S.DEBITING, S.HOLDING), then="cancel", reason=DEBIT_ERROR),
    # PerformTransaction: the money is taken, so silence is no reason to give it back.
    Row("perform", "done", _PERFORMING, (S.PAID,), then="fiscal"),
    Row("perform", "done", _in(S.HELD), (S.PAID,), "capture", "fiscal"),
    Row("perform", "refused", _PERFORMING | {S.HELD}, then="cancel", reason=EXECUTION_ERROR),
    Row("perform", "unheard", _in(S.BILLING_PERFORM), (S.PERFORM_QUEUED,), then="again"),
    Row("perform", "unheard", _in(S.PERFORM_QUEUED, S.HELD), then="again"),
    Row("perform", "late", _PERFORMING | {S.HELD}, then="cancel", reason=TIMEOUT),
    # CancelTransaction, and the merchant agrees or knows of no transaction.
    Row("cancel", "done", _in(S.CREATED), (S.CANCELLED,), because=_ASKED_FOR),
    Row("cancel", "done", _UNPAID, (S.CANCELLED,), because=_GIVEN_UP),
    Row("cancel", "done", _PERFORMING | {S.HELD}, (S.CANCEL_QUEUED,), None, "finish",
        because=_GIVEN_UP),
    Row("cancel", "done", _TO_REFUND, (S.CANCEL_QUEUED,), None, "finish", because=_ASKED_FOR),
    Row("cancel", "done", _in(S.CANCEL_QUEUED), then="finish"),
    Row("cancel", "done", _in(S.CANCELLED)),
    # It says -31007: it has performed. Where nothing was refused before, the receipt is paid.
    Row("cancel", "performed", _in(S.HELD), (S.PAID,), "capture", "fiscal",
        because=frozenset({TIMEOUT})),
    Row("cancel", "performed", _in(S.BILLING_PERFORM), (S.PAID,), then="fiscal",
        because=frozenset({TIMEOUT})),
    Row("cancel", "performed", _in(S.PERFORM_QUEUED, S.SUSPENDED), (S.PAID,), then="fiscal"),
    # It refused to perform, and now says that it did: this takes a person.
    Row("cancel", "performed", _in(S.BILLING_PERFORM), (S.SUSPENDED,), because=_FAILED),
    Row("cancel", "performed", _UNPAID, (S.CANCELLED,), because=_GIVEN_UP),
    Row("cancel", "performed", _in(S.HELD), because=_FAILED | _ASKED_FOR),
    Row("cancel", "performed", _in(S.PAID, S.CANCEL_QUEUED, S.CANCELLED)),
    # It refuses to give back what was bought. Any other refusal counts as silence.
    Row("cancel", "refused", _in(S.PAID, S.HELD), because=_ASKED_FOR),
    # It does not answer: what is certain is done all the same, and it is asked again.
    Row("cancel", "unheard", _UNPAID, (S.CANCELLED,), then="again", because=_GIVEN_UP),
    Row("cancel", "unheard", _PERFORMING | {S.HELD}, (S.CANCEL_QUEUED, S.CANCELLED), "give back",
        "again", because=_FAILED),
    Row("cancel", "unheard", _PERFORMING | {S.HELD}, then="again", because=frozenset({TIMEOUT})),
    Row("cancel", "unheard", _TO_REFUND, (S.CANCEL_QUEUED,), None, "again", because=_ASKED_FOR),
    Row("cancel", "unheard", _in(S.CANCEL_QUEUED, S.CANCELLED), then="again"),
    # It has not answered for twelve hours: a person looks at what may have been sold.
    Row("cancel", "late", _PERFORMING, (S.SUSPENDED,), because=frozenset({TIMEOUT})),
    Row("cancel", "late", _in(S.HELD, S.CANCELLED), because=_GIVEN_UP),
    # What the clock does by itself.
    Row("finish", "done", _in(S.CANCEL_QUEUED), (S.CANCELLED,), "give back", "fiscal"),
    Row("release", "done", _in(S.HELD), (S.CANCEL_QUEUED, S.CANCELLED), "release", "cancel",
        TIMEOUT),
    Row("withdraw", "done", _in(S.PAID), then="cancel", reason=REFUND, source="payme"),
    # Sent once; what the merchant makes of it changes nothing.
    Row("fiscal", "done", _in(S.PAID, S.CANCELLED)),
)  # fmt: skip

ON_ITS_OWN: Final[dict[ReceiptState, PaymentStep]] = {
    S.CREATED: "expire",
    S.HELD: "release",
    S.PAID: "withdraw",
    S.CANCEL_QUEUED: "finish",
}
"""What a receipt waits for that waits for no named step, when its `due_at` comes."""

_Key = tuple[PaymentStep, StepOutcome, ReceiptState, int, bool]


def find_row(
    step: PaymentStep, outcome: StepOutcome, state: ReceiptState, reason: int, *, hold: bool
) -> Row | None:
    """Find what follows from a step.

    Args:
        step: The step.
        outcome: How it ended.
        state: State of the receipt.
        reason: Reason of the cancellation; any number for another step.
        hold: Whether the receipt is one with a hold.

    Returns:
        None if that can't be: no step ends so in that state.
    """
    return _INDEX.get((step, outcome, state, reason if step == "cancel" else 0, hold))


def _indexed() -> dict[_Key, Row]:
    """Spread the rows out, and fail loudly on two for one case or on a way that no receipt goes."""
    index: dict[_Key, Row] = {}
    for row in ROWS:
        for key in _keys(row):
            if key in index:
                raise AssertionError(f"two rows for {key}")
            index[key] = row
    return index


def _keys(row: Row) -> Iterator[_Key]:
    reasons = row.because if row.step == "cancel" else {0}
    holds = (True, False) if row.hold is None else (row.hold,)
    for state, reason, hold in product(row.before, reasons, holds):
        for before, after in pairwise((state, *row.path)):
            if after not in TRANSITIONS[before]:
                raise AssertionError(f"a receipt does not go from {before} to {after}")
        yield row.step, row.outcome, state, reason, hold


_INDEX: Final = _indexed()
