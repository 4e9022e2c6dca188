"""A process that plays another time, for simulations."""

import time

import pytest

from payme.charges.pace import play_at, play_now, since_1970


@pytest.fixture(autouse=True)
def now():
    yield
    play_now()


def test_it_is_at_that_time_and_goes_on_from_it():
    play_at(1_800_000_000.0)
    first = since_1970()
    assert 0 <= first - 1_800_000_000 < 60
    time.sleep(0.01)
    assert since_1970() - first >= 0.009


def test_it_comes_back():
    play_at(1_800_000_000.0)
    play_now()
    assert abs(since_1970() - time.time()) < 60
