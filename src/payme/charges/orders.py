"""What a merchant asks for: checked, compared with what is stored, and turned into a change."""

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from payme import exact, redact
from payme.charges import saved
from payme.charges.core import COMMANDS, Charge, ChargeState, Means, Save, changed
from payme.errors import InvalidArgument, PaymeError
from payme.protocol import arguments, calls
from payme.protocol.inputs import Detail, Payer

_LONGEST_ID: Final = 128
_ANY_RECEIPT: Final = "0" * 24
_ANY_TOKEN: Final = "token"  # noqa: S105 - stands for one

# What makes a charge the same money; the card may change, and so may the words.
_MONEY: Final = ("amount", "account", "hold", "detail")


class ChargeConflict(PaymeError):
    """The id belongs to a charge with other money, or its state does not allow what is asked.

    Attributes:
        charge: The charge as it is stored.
        differs: Names of what differs; empty for a state.
    """

    charge: Charge
    differs: tuple[str, ...]

    def __init__(self, text: str, charge: Charge, differs: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.charge = charge
        self.differs = differs


class ChargeNotFound(PaymeError, LookupError):
    """No charge has this id."""


class Order(NamedTuple):
    """A charge that was asked for, with what it is paid with; or why it was refused.

    Attributes:
        charge: The charge; None if only another card was asked for.
        means: A token and who pays; None if the customer's default card pays.
        refusal: Why it was refused.
        customer: Whose default card pays; None if a token was given.
        payer: Who pays with that card.
    """

    charge: Charge | None = None
    means: Means | None = None
    refusal: InvalidArgument | None = None
    customer: str | None = None
    payer: Payer | None = None

    def accepted(self) -> tuple[Charge, Means]:
        """Return charge and token, or raise why not: here, where no frame holds the arguments."""
        return self.money(), self.card()

    def card(self) -> Means:
        """Return the token and who pays, or raise why not."""
        self.require()
        assert self.means is not None  # noqa: S101 - there is one if no customer was given
        return self.means

    def money(self) -> Charge:
        """Return the charge, or raise why not."""
        self.require()
        assert self.charge is not None  # noqa: S101 - an order that was accepted has one
        return self.charge

    def require(self) -> None:
        """Raise why it was refused, if it was."""
        if self.refusal is not None:
            raise self.refusal


def order(
    now: float,
    charge_id: str,
    amount: int,
    account: Mapping[str, str | int],
    token: str | None,
    *,
    customer: str | None = None,
    description: str | None,
    detail: Detail | None,
    payer: Payer | None,
    hold: bool,
) -> Order:
    """Check what a charge is asked for with; nothing is stored or sent."""
    try:
        create = calls.receipts_create(
            amount, account, description=description, detail=detail, hold=hold
        )
        charge = Charge(
            id=check_id(charge_id),
            amount=create.params["amount"],
            account=create.params["account"],
            description=create.params.get("description"),
            detail=create.params.get("detail"),
            hold=hold,
            due=now,
            created=now,
            changed=now,
        )
        return _paid_with(charge, token, customer, payer)
    except InvalidArgument as refusal:
        return Order(refusal=refusal.with_traceback(None))


def other_card(token: str | None, customer: str | None = None) -> Order:
    """Check another card for a charge; as `order`, it keeps the arguments out of the error."""
    try:
        return _paid_with(None, token, customer, None)
    except InvalidArgument as refusal:
        return Order(refusal=refusal.with_traceback(None))


def _paid_with(
    charge: Charge | None, token: str | None, customer: str | None, payer: Payer | None
) -> Order:
    if (token is None) == (customer is None):
        given = "neither" if token is None else "both"
        raise InvalidArgument("token or customer", given, "exactly one of them")
    if token is not None:
        return Order(charge, means_of(token, payer))
    whose = saved.check_customer(customer)
    # Who pays is checked as it will be sent.
    return Order(charge, customer=whose, payer=means_of(_ANY_TOKEN, payer).payer)


def means_of(token: str, payer: Payer | None) -> Means:
    """Check a card and who pays with it."""
    pay = calls.receipts_pay(_ANY_RECEIPT, token, payer=payer)
    return Means(pay.params["token"], payer)


def check_state(given: object) -> ChargeState | None:
    """Check a state to look for; None for any."""
    if given is None:
        return None
    try:
        return ChargeState(exact.text(given) or "")
    except ValueError:
        pass
    raise InvalidArgument("state", exact.shown(given), f"one of {', '.join(ChargeState)}")


def check_since(given: object) -> float:
    """Check from when on; returns seconds since 1970."""
    return 0.0 if given is None else arguments.millis("since", given) / 1000


def check_limit(given: object) -> int:
    """Check how many charges to look for."""
    number = exact.whole(given)
    if number is None or number < 1:
        raise InvalidArgument("limit", exact.shown(given), "a whole number, 1 or more")
    return number


def check_id(given: object) -> str:
    """Check the id of a charge: text of at most 128 visible characters, and no card token."""
    text = exact.text(given)
    if text is not None and redact.TOKEN in redact.scrub(text):
        # It would be shown in every list and log.
        raise InvalidArgument("id", redact.TOKEN, "an id of yours; are the arguments swapped?")
    if text is None or not text.isprintable() or not 0 < len(text) <= _LONGEST_ID or " " in text:
        expected = f"text of 1 to {_LONGEST_ID} visible characters, such as 'order-106'"
        raise InvalidArgument("id", given, expected)
    return text


def same(asked: Charge, known: Charge) -> Charge:
    """Return the charge that is stored, unless other money was asked for under its id.

    Raises:
        ChargeConflict: Naming what differs.
    """
    wanted, there = _money(asked), _money(known)
    differs = tuple(name for name in _MONEY if wanted[name] != there[name])
    if differs:
        raise ChargeConflict(
            f"charge {known.id!r} exists with another {', '.join(differs)}; "
            f"an id is the same money for ever",
            known,
            differs,
        )
    return known


def _money(charge: Charge) -> dict[str, Any]:
    """Return what makes a charge the same money.

    A field of an account is compared as text: Payme takes 106 and "106" alike (CONFIRMED) and shows
    "106" for both in the receipts of its samples. That it means the same by them is INFERRED.
    """
    account = {field: str(value) for field, value in charge.account.items()}
    return {name: getattr(charge, name) for name in _MONEY} | {"account": account}


def command(charge: Charge, word: str, now: float) -> Save | None:
    """Turn a merchant's word into a change.

    Args:
        charge: As it is stored.
        word: `confirm`, `refund`, `cancel` or `retry`.
        now: Seconds since 1970.

    Returns:
        The change; None if the charge is there or on its way already.

    Raises:
        ChargeConflict: The state does not allow it.
    """
    if charge.state in _SATISFIES.get(word, ()) and (word != "cancel" or charge.given_up):
        return None
    after = COMMANDS.get((word, charge.state))
    if after is None or (word == "vouch" and not charge.needs_attention):
        raise ChargeConflict(f"charge {charge.id!r} is {charge.state}: can't {word} it", charge)
    return Save(charge, changed(charge, now, **_asked(word, after, now)))


_SATISFIES: Final[dict[str, frozenset[ChargeState]]] = {
    "confirm": frozenset({ChargeState.CONFIRMING, ChargeState.PAID}),
    "refund": frozenset({ChargeState.REFUNDING, ChargeState.REFUNDED}),
    "cancel": frozenset({ChargeState.CANCELLING, ChargeState.PAYING, ChargeState.FAILED}),
}


def _asked(word: str, after: ChargeState, now: float) -> dict[str, Any]:
    rests = after is ChargeState.FAILED
    members: dict[str, Any] = {
        "state": after,
        "evidence": f"merchant: {word}",
        "due": None if rests else now,
        "tries": 0,
    }
    if word == "cancel":
        members["given_up"] = True
    if word == "retry":
        members |= {"given_up": False, "code": None, "message": None}
        if after is ChargeState.NEW:
            members |= {"receipt_id": None, "receipts": 0}
    return members


def new_owner() -> str:
    """Make a name for who leases charges: no two processes share it."""
    return f"{os.getpid()}-{os.urandom(8).hex()}"
