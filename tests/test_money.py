from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payme.errors import InvalidArgument
from payme.money import MAX_TIYIN, format_som, som, tiyin, tiyin_or_zero


@pytest.mark.parametrize(
    "amount", [True, False, 10.5, 0, -1, 0.0, "100", None, Decimal("1.5"), 1e300]
)
def test_what_is_not_a_positive_whole_number_of_tiyin_is_refused(amount):
    with pytest.raises(InvalidArgument) as refused:
        tiyin(amount)
    assert refused.value.argument == "amount"
    assert "tiyin" in refused.value.expected
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    "amount", [float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity")]
)
def test_numbers_that_are_no_amounts_are_refused(amount):
    with pytest.raises(InvalidArgument):
        tiyin(amount)
    with pytest.raises(InvalidArgument):
        tiyin_or_zero(amount, "discount")


@pytest.mark.parametrize("amount", [10000, 10000.0, Decimal(10000), Decimal("1E+4")])
def test_whole_numbers_are_taken_exactly(amount):
    assert tiyin(amount) == 10000
    assert type(tiyin(amount)) is int


def test_largest_amount_is_the_largest_that_json_readers_keep_exact():
    assert tiyin(MAX_TIYIN) == 2**53 - 1
    with pytest.raises(InvalidArgument):
        tiyin(MAX_TIYIN + 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 500,50", 150_050),
        ("1500.5", 150_050),
        ("1\u00a0500", 150_000),
        (" 7 ", 700),
        ("0,01", 1),
        (1500, 150_000),
        (Decimal("0.10"), 10),
        ("1 234 567,89", 123_456_789),
    ],
)
def test_som_converts_exactly(text, expected):
    assert som(text) == expected


@pytest.mark.parametrize(
    "amount",
    [
        *["1,500", "1.234.567", "15 00", "", "abc", "-5", "0", "0,00", "1,2.3", "1 5000", "١٥"],
        *[10.5, True, None, Decimal("0.001"), Decimal("NaN")],
    ],
)
def test_som_refuses_what_could_be_misread(amount):
    with pytest.raises(InvalidArgument):
        som(amount)


@given(st.integers(1, MAX_TIYIN))
def test_formatted_amount_reads_back(amount):
    assert som(format_som(amount)) == amount


@given(st.one_of(st.integers(), st.floats(), st.decimals(), st.text(), st.booleans(), st.none()))
def test_tiyin_returns_the_very_amount_or_refuses(amount):
    try:
        taken = tiyin(amount)
    except InvalidArgument:
        return
    assert taken == amount
    assert taken > 0
    assert not isinstance(amount, bool)
