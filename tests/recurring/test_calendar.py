"""Dates of periods: from the anchor and the number alone, in any zone."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payme.recurring.calendar import STEPS, Every, Terms, Wall

DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))
EVERY = st.builds(Every, st.integers(1, 24), st.sampled_from(sorted(STEPS)))
# No zone of these ever skipped a whole day, as Apia did in 2011.
ZONES = st.sampled_from(
    ["Asia/Tashkent", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
TIMES = st.times().map(lambda at: at.replace(microsecond=0, fold=0))


def terms(anchor, every):
    return Terms(first=0, amount=1000, every=every, anchor=anchor)


def iterated(anchor, every, n):
    """The day of period n by walking, month by month, with the anchor's day remembered."""
    if every.unit in ("day", "week"):
        day = anchor
        for _ in range(n * every.number):
            day += timedelta(days=7 if every.unit == "week" else 1)
        return day
    year, month = anchor.year, anchor.month
    for _ in range(n * every.number * (12 if every.unit == "year" else 1)):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


@given(DAYS, EVERY, st.integers(0, 60))
def test_a_day_counted_from_the_anchor_is_the_one_walked_to(anchor, every, n):
    assert terms(anchor, every).day(n) == iterated(anchor, every, n)


@given(DAYS, EVERY, st.integers(0, 60), ZONES, TIMES)
def test_periods_rise_and_keep_the_day_of_the_anchor(anchor, every, n, zone, at):
    wall, counted = Wall(at, zone), terms(anchor, every)
    assert wall.moment(counted.day(n)) < wall.moment(counted.day(n + 1))
    if STEPS[every.unit].in_months:
        day = counted.day(n)
        assert day.day == min(anchor.day, monthrange(day.year, day.month)[1])


@pytest.mark.parametrize(
    ("anchor", "every", "days"),
    [
        (date(2026, 1, 31), Every(1, "month"), ["2026-01-31", "2026-02-28", "2026-03-31"]),
        (date(2027, 12, 30), Every(2, "month"), ["2027-12-30", "2028-02-29", "2028-04-30"]),
        (date(2028, 2, 29), Every(1, "year"), ["2028-02-29", "2029-02-28", "2030-02-28"]),
        (date(2026, 12, 25), Every(2, "week"), ["2026-12-25", "2027-01-08", "2027-01-22"]),
    ],
)
def test_known_days(anchor, every, days):
    assert [str(terms(anchor, every).day(n)) for n in range(3)] == days


def test_the_29th_of_february_comes_back():
    assert str(terms(date(2028, 2, 29), Every(1, "year")).day(4)) == "2032-02-29"


@given(ZONES, DAYS, TIMES)
def test_the_clock_on_the_wall_shows_the_time_except_in_a_gap(zone, day, at):
    moment = Wall(at, zone).moment(day)
    shown = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(day, at)
    # Only in a gap they differ, by what is skipped; and then the time moves forward.
    assert timedelta(0) <= shown - wanted <= timedelta(hours=1)
    if shown != wanted:
        before = datetime.fromtimestamp(moment - 7200, UTC).astimezone(ZoneInfo(zone)).utcoffset()
        after = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).utcoffset()
        assert after > before
    earlier = datetime.fromtimestamp(moment - 3600, UTC).astimezone(ZoneInfo(zone))
    assert earlier.replace(tzinfo=None) != wanted, "of a doubled time the first counts"


def test_a_skipped_time_moves_forward_and_of_a_doubled_one_the_first_counts():
    berlin = Wall(time(2, 30), "Europe/Berlin")
    at = datetime.fromtimestamp(berlin.moment(date(2026, 3, 29)), UTC)
    assert at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 in Berlin
    at = datetime.fromtimestamp(berlin.moment(date(2026, 10, 25)), UTC)
    assert at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, summer time


def test_the_date_in_tashkent_is_not_the_one_in_utc():
    wall = Wall(time(0), "Asia/Tashkent")
    moment = wall.moment(date(2028, 2, 29))
    assert datetime.fromtimestamp(moment, UTC) == datetime(2028, 2, 28, 19, tzinfo=UTC)
    assert wall.day(moment) == date(2028, 2, 29)
    assert wall.day(moment - 1) == date(2028, 2, 28)


@given(DAYS, EVERY, DAYS)
def test_the_first_period_on_a_day_or_later(anchor, every, day):
    counted = terms(anchor, every)
    n = counted.first_after(day)
    assert counted.day(n) >= day
    assert n == 0 or counted.day(n - 1) < day


@given(DAYS, EVERY, st.integers(0, 40), EVERY, st.integers(0, 10))
def test_terms_that_go_on_keep_the_date_and_the_day_of_the_anchor(anchor, every, n, other, k):
    before = terms(anchor, every)
    after = before.from_period(n, 2000, other)
    assert after.day(n) == before.day(n)
    assert after.day(n + k) < after.day(n + k + 1)
    if STEPS[every.unit].in_months and STEPS[other.unit].in_months:
        day = after.day(n + k)
        assert day.day == min(anchor.day, monthrange(day.year, day.month)[1])
