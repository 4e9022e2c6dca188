import time
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payme.errors import InvalidArgument
from payme.money import MAX_TIYIN, format_som, som, tiyin, tiyin_or_zero


def kind(given):
    """The name of a type: Python refuses to write the longest numbers."""
    return type(given).__name__


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


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (-1, "-0,01"),
        (-100, "-1"),
        (-150_050, "-1 500,50"),
        (-123_456_789, "-1 234 567,89"),
        (Decimal(150_050), "1 500,50"),
        (2**53 * 1000, "90 071 992 547 409 920"),
    ],
)
def test_any_sum_can_be_written(amount, text):
    assert format_som(amount) == text


@pytest.mark.parametrize("amount", [True, 1.0, "5", None, Decimal("0.5"), 10**5000], ids=kind)
def test_what_is_no_sum_is_not_written(amount):
    with pytest.raises(InvalidArgument) as refused:
        format_som(amount)
    assert refused.value.argument == "amount"


@pytest.mark.parametrize(
    "amount",
    [10**27, 10**5000, "9" * 5000, *map(Decimal, ["1E+999999999", "1E-999999999", "9" * 5000])],
    ids=kind,
)
@pytest.mark.parametrize("convert", [som, tiyin])
def test_numbers_beyond_all_money_are_refused_at_once(convert, amount):
    started = time.process_time()
    with pytest.raises(InvalidArgument):
        convert(amount)
    assert time.process_time() - started < 0.5


def test_precision_of_the_callers_arithmetic_is_no_matter():
    with localcontext(prec=3):
        assert som(Decimal("1234567.89")) == 123_456_789
        assert tiyin(Decimal(123_456_789)) == 123_456_789
        assert format_som(Decimal(123_456_789)) == "1 234 567,89"
