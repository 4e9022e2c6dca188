"""What an order may not be: each of these would let money through, or fail after the debit."""

from decimal import Decimal
from enum import StrEnum

import pytest
from msgspec.structs import replace

from payme.errors import InvalidArgument
from payme.merchant import Order, Receiver


class State(StrEnum):
    PAID = "paid"


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"id": 7}, "id"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"id": "x" * 256}, "id"),
        ({"amount": None}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "50000"}, "amount"),
        ({"amount": 500.5}, "amount"),
        ({"amount": None, "min_amount": 5, "max_amount": 5}, "amount"),
        ({"cumulative": True, "amount": 0}, "amount"),
        ({"cumulative": True, "amount": None, "min_amount": 0}, "min_amount"),
        ({"cumulative": True, "amount": None, "max_amount": 0}, "max_amount"),
        ({"cumulative": True, "amount": None, "max_amount": "9"}, "max_amount"),
        ({"cumulative": True, "amount": None, "min_amount": 9, "max_amount": 5}, "max_amount"),
        ({"cumulative": "no"}, "cumulative"),
        ({"refundable": None}, "refundable"),
        ({"state": "new"}, "state"),
        ({"state": "PAID"}, "state"),
        ({"state": None}, "state"),
        ({"state": 1}, "state"),
        ({"field": 1}, "field"),
        ({"detail": "items"}, "detail"),
        ({"detail": {"items": [object()]}}, "detail"),
        ({"detail": {"price": Decimal(5), "sum": 1j}}, "detail"),
        ({"additional": {"Filial": object()}}, "additional"),
        ({"additional": {(1, 2): "x"}}, "additional"),
        ({"additional": {"name": "\ud800"}}, "additional"),
        ({"receivers": ({"id": "5" * 24, "amount": 1},)}, "receivers"),
        ({"receivers": (Receiver("5" * 24, 0),)}, "receivers"),
        ({"receivers": (Receiver(5, 1),)}, "receivers"),
        ({"receivers": None}, "receivers"),
    ],
)
def test_order_that_cannot_be_right_is_refused_when_it_is_made(fields, named):
    with pytest.raises(InvalidArgument, match=rf"^Order\.{named}: ") as refused:
        Order(**{"id": "7", "amount": 50_000, **fields})
    assert refused.value.argument == f"Order.{named}"


def test_forgotten_amount_is_refused_too():
    with pytest.raises(InvalidArgument, match=r"^Order\.amount: got None, expected .*cumulative"):
        Order(id="7")


@pytest.mark.parametrize("given", [50_000, Decimal("50000.00"), 50_000.0])
def test_whole_amount_of_any_kind_is_a_whole_number(given):
    order = Order(id="7", amount=given)
    assert (order.amount, type(order.amount)) == (50_000, int)


def test_text_of_any_kind_is_plain_text():
    order = Order(id=Name("7"), amount=1, state=State.PAID)
    assert (order, type(order.id), type(order.state)) == (
        Order(id="7", amount=1, state="paid"),
        str,
        str,
    )


def test_list_of_receivers_is_as_good_as_a_tuple():
    parts = [Receiver("5" * 24, 20_000), Receiver("6" * 24, 30_000)]
    assert Order(id="7", amount=50_000, receivers=parts).receivers == tuple(parts)


def test_account_may_take_any_amount_or_one_alone():
    account = Order(id="p", cumulative=True)
    assert replace(account, min_amount=5, max_amount=5).min_amount == 5
    assert replace(account, amount=700).amount == 700
