"""Hypothesis strategies for what a merchant's program meets: amounts, cards, receipts and so on.

Every value they make is one that Payme's client accepts; whether a card pays is up to the card.

Example:
    >>> @given(amounts(), accounts(["order_id"]))
    ... def test_an_order_is_paid(amount, account): ...
"""

from collections.abc import Collection, Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import msgspec

from payme.money import MAX_TIYIN
from payme.protocol.inputs import Detail, Item, Shipping
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState
from payme.sandbox.engine.testcards import TEST_CARDS, Behaviour, KnownCard, luhn

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    raise ImportError("payme.testing.strategies needs Hypothesis: pip install hypothesis") from None

__all__ = ["accounts", "amounts", "card_numbers", "cards", "details", "phones", "receipts"]

# A merchant's account is free text and numbers; these bounds are ours. Numbers stay in the range
# that every JSON reader keeps exact.
_MAX_TEXT: Final = 40
_TEXT: Final = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=_MAX_TEXT)

# Uzcard and Humo, which are what a form in Uzbekistan must know at sight.
_CARD_PREFIXES: Final = ("8600", "5614", "9860")
_CARD_DIGITS: Final = 16

_MOBILE_CODES: Final = (
    "20",
    "33",
    "50",
    "77",
    "88",
    "90",
    "91",
    "93",
    "94",
    "95",
    "97",
    "98",
    "99",
)

_EPOCH_MS: Final = 1_400_000_000_000
"""A moment before the first receipt of Payme's, in ms."""
_LAST_MS: Final = 4_000_000_000_000
_MONTH_MS: Final = 30 * 24 * 60 * 60 * 1000

_MAX_DETAIL: Final = 10**11
"""Largest amount of `details()` when none is given: a milliard soʻm."""

S = ReceiptState

# The card is known from the moment it is debited or reserved.
_CARD_KNOWN: Final = frozenset(ReceiptState) - {S.CREATED, S.BILLING_CREATE, S.CANCELLED}

_MAX_LINES: Final = 5
_MAX_COUNT: Final = 20
_THOUSANDTHS: Final = 1000
_MAX_REDUCTION: Final = 5


def amounts(min_value: int = 1, max_value: int = MAX_TIYIN) -> SearchStrategy[int]:
    """Make amounts in tiyin that the client accepts.

    Args:
        min_value: Smallest amount in tiyin.
        max_value: Largest amount in tiyin.

    Returns:
        A strategy of whole numbers.
    """
    return st.integers(min_value, max_value)


def accounts(fields: Iterable[str] = ("order_id",)) -> SearchStrategy[dict[str, str | int]]:
    """Make accounts: a value for each field, text or a whole number.

    Args:
        fields: Names of the cash-box's account fields, at least one.

    Returns:
        A strategy of dictionaries with those names for keys.

    Raises:
        ValueError: There is no field.
    """
    values: SearchStrategy[str | int] = st.integers(0, MAX_TIYIN) | _TEXT
    names = list(fields)
    if not names:
        raise ValueError("an account has at least one field")
    return st.fixed_dictionaries(dict.fromkeys(names, values))


def cards(*behaviours: Behaviour) -> SearchStrategy[KnownCard]:
    """Draw test cards of the sandbox: `.number`, `.expire`, and `.behaviour`: what they do.

    Args:
        behaviours: Which to draw, such as `"normal"` or `"insufficient_funds"`; all by default.

    Returns:
        A strategy of test cards.

    Raises:
        ValueError: No test card does that.
    """
    chosen = [
        card for card in TEST_CARDS.values() if not behaviours or card.behaviour in behaviours
    ]
    if not chosen:
        known = ", ".join(sorted({card.behaviour for card in TEST_CARDS.values()}))
        raise ValueError(f"there is no such test card; the behaviours are {known}")
    return st.sampled_from(chosen)


def card_numbers() -> SearchStrategy[str]:
    """Make card numbers with a right check digit that are none of the test cards'.

    The sandbox has never heard of them. A real card may have such a number, so don't send them to
    Payme.

    Returns:
        A strategy of texts of 16 digits.
    """
    middle = st.text("0123456789", min_size=_CARD_DIGITS - 5, max_size=_CARD_DIGITS - 5)
    bodies = st.builds("{}{}".format, st.sampled_from(_CARD_PREFIXES), middle)
    return bodies.map(_with_check_digit).filter(lambda number: number not in TEST_CARDS)


def phones() -> SearchStrategy[str]:
    """Make phone numbers of Uzbekistan as the API writes them, such as `998901304527`."""
    rest = st.text("0123456789", min_size=7, max_size=7)
    return st.builds("998{}{}".format, st.sampled_from(_MOBILE_CODES), rest)


def details(amount: int | None = None) -> SearchStrategy[Detail]:
    """Make `payme.Detail` values whose lines and delivery add up.

    Args:
        amount: What they add up to, in tiyin; by default each has a sum of its own.

    Returns:
        A strategy of details.
    """
    if amount is None:
        return amounts(max_value=_MAX_DETAIL).flatmap(details)
    return _details(amount)


def receipts(
    *,
    states: Collection[ReceiptState] | None = None,
    amount: SearchStrategy[int] | None = None,
) -> SearchStrategy[Receipt]:
    """Make `payme.Receipt` values as Payme could answer them, with moments that fit the state.

    A cancelled receipt may never have been paid, have been held, or have been paid and given back.

    Args:
        states: In which states; in any by default.
        amount: Where the amounts come from, in tiyin; `amounts()` by default.

    Returns:
        A strategy of receipts.
    """
    chosen = sorted(ReceiptState if states is None else states)
    return _receipts(st.sampled_from(chosen), amounts() if amount is None else amount)


def _with_check_digit(body: str) -> str:
    return next(number for digit in "0123456789" if luhn(number := body + digit))


@st.composite
def _details(draw: st.DrawFn, amount: int) -> Detail:
    price = draw(st.none() | st.integers(0, amount - 1))
    shipping = None if price is None else Shipping(draw(_TEXT.filter(str.strip)), price)
    totals = draw(_parts(amount - (price or 0)))
    return Detail([draw(_item(total)) for total in totals], shipping)


def _parts(whole: int) -> SearchStrategy[list[int]]:
    """Cut an amount into a few positive ones."""
    if whole == 1:
        return st.just([1])
    cuts = st.lists(st.integers(1, whole - 1), unique=True, max_size=_MAX_LINES - 1)
    return cuts.map(lambda places: _differences([0, *sorted(places), whole]))


def _differences(places: list[int]) -> list[int]:
    return [end - start for start, end in pairwise(places)]


@st.composite
def _item(draw: st.DrawFn, total: int) -> Item:
    """Make a line of a given total: price * count - discount."""
    # Goods by weight are counted in thousandths, and priced so that the line stays whole.
    by_weight = draw(st.booleans()) and total <= _MAX_DETAIL
    scale = _THOUSANDTHS if by_weight else 1
    units = draw(st.integers(1, _MAX_COUNT * scale))
    part = -(-total // units) + draw(st.integers(0, _MAX_REDUCTION))
    return Item(
        title=draw(_TEXT.filter(str.strip)),
        price=part * scale,
        count=Decimal(units) / scale if by_weight else units,
        code=draw(st.text("0123456789", min_size=17, max_size=17)),
        vat_percent=draw(st.sampled_from([0, 12, 15])),
        package_code=draw(st.text("0123456789", min_size=1, max_size=7)),
        discount=part * units - total,
        units=draw(st.none() | st.integers(1, 10**7)),
    )


@st.composite
def _receipts(
    draw: st.DrawFn, states: SearchStrategy[ReceiptState], amounts: SearchStrategy[int]
) -> Receipt:
    state = draw(states)
    cancelled = state is S.CANCELLED
    paid = state is S.PAID or (state in {S.CANCEL_QUEUED, S.CANCELLED} and draw(st.booleans()))
    has_card = paid or state in _CARD_KNOWN or (cancelled and draw(st.booleans()))
    created = draw(st.integers(_EPOCH_MS, _LAST_MS))
    later = created + draw(st.integers(0, _MONTH_MS))
    document = {
        **_CONSTANT,
        "_id": draw(_OBJECT_IDS),
        "state": int(state),
        "amount": draw(amounts),
        "create_time": created,
        "pay_time": later if paid else 0,
        "cancel_time": later + draw(st.integers(0, _MONTH_MS)) if cancelled else 0,
        "account": draw(accounts().map(_shown)),
        "card": draw(_PAYING_CARDS) if has_card else None,
        "description": draw(st.just("") | _TEXT),
        "processing_id": 0 if state in {S.PAID, S.HELD} else None,
    }
    return Receipt.read(msgspec.json.encode(document))


def _shown(account: dict[str, str | int]) -> list[dict[str, Any]]:
    """Write an account as receipts show it."""
    return [
        {"name": name, "title": name, "value": str(value), "main": number == 0}
        for number, (name, value) in enumerate(account.items())
    ]


def _paying(card: KnownCard) -> dict[str, str]:
    """Write a card as receipts show it, with the expiry as YYMM."""
    number, expire = card.number, card.expire
    return {"number": f"{number[:6]}******{number[-4:]}", "expire": expire[2:] + expire[:2]}


_OBJECT_IDS: Final = st.text("0123456789abcdef", min_size=24, max_size=24)
_PAYING_CARDS: Final = cards("normal").map(_paying)

# What is the same in every receipt that was recorded.
_CONSTANT: Final[dict[str, Any]] = {
    "type": 2,
    "external": False,
    "operation": -1,
    "category": None,
    "error": None,
    "detail": None,
    "currency": 860,
    "commission": 0,
    "merchant": {"_id": "5e730e8e0b852a417aa49ceb", "name": "test", "type": "Internet"},
    "meta": {"source": "subscribe", "owner": "5e730e8e0b852a417aa49ceb"},
}
