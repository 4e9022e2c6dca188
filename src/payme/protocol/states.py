"""States of a receipt, as a table.

Everything that reasons about a receipt (the client's flows, the sandbox's engine, the diagrams in
the documentation) reads these tables, so that they can't disagree.

Source: https://developer.help.paycom.uz/metody-subscribe-api/sostoyaniya-cheka/
"""

from enum import IntEnum
from typing import Final, Self


class OpenIntEnum(IntEnum):
    """An integer enumeration that keeps numbers it does not know.

    Payme adds numbers without notice (5 and 6 are missing from older copies of its pages), and a
    reader that fails on one can't tell a merchant whether the money moved. An unknown number
    becomes a member named ``UNKNOWN_<number>`` that compares equal to the integer.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class ReceiptState(OpenIntEnum):
    """State of a receipt. The numbers are Payme's (CONFIRMED)."""

    CREATED = 0
    BILLING_CREATE = 1
    DEBITING = 2
    BILLING_PERFORM = 3
    PAID = 4
    HELD = 5
    HOLDING = 6
    SUSPENDED = 20
    CANCEL_QUEUED = 21
    PERFORM_QUEUED = 30
    CANCELLED = 50


S = ReceiptState

# Which state may follow which. INFERRED from the meaning of the states and from recorded answers;
# no page of Payme's prints the transitions. 4 -> 21 is a refund, 5 -> 21 the release of a hold; an
# unpaid receipt goes to 50 at once (OBSERVED). 20 and 30 are left by Payme's staff or its queue.
TRANSITIONS: Final[dict[ReceiptState, frozenset[ReceiptState]]] = {
    S.CREATED: frozenset({S.BILLING_CREATE, S.CANCELLED}),
    S.BILLING_CREATE: frozenset({S.DEBITING, S.HOLDING, S.SUSPENDED, S.CANCELLED}),
    S.DEBITING: frozenset({S.BILLING_PERFORM, S.SUSPENDED, S.CANCELLED}),
    S.BILLING_PERFORM: frozenset({S.PAID, S.PERFORM_QUEUED, S.SUSPENDED, S.CANCEL_QUEUED}),
    S.HOLDING: frozenset({S.HELD, S.SUSPENDED, S.CANCELLED}),
    S.HELD: frozenset({S.PAID, S.CANCEL_QUEUED}),
    S.PAID: frozenset({S.CANCEL_QUEUED}),
    S.SUSPENDED: frozenset({S.BILLING_PERFORM, S.PAID, S.CANCEL_QUEUED, S.CANCELLED}),
    S.PERFORM_QUEUED: frozenset({S.PAID, S.SUSPENDED, S.CANCEL_QUEUED}),
    S.CANCEL_QUEUED: frozenset({S.CANCELLED}),
    S.CANCELLED: frozenset(),
}

# What a state proves about an earlier call. State 0 proves nothing: the request may still be on its
# way. Neither does 21: it is a queue, and the billing may refuse (-31007, OBSERVED). What
# becomes of such a receipt no page says; that it stays in 21 is INFERRED. Only 50 proves that a
# receipt can take no money any more.
PROVES_PAY: Final = frozenset({S.PAID, S.HELD, S.CANCELLED})
PROVES_CONFIRM: Final = frozenset({S.PAID, S.CANCELLED})
PROVES_CANCEL: Final = frozenset({S.CANCELLED})
