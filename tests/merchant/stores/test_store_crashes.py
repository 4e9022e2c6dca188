"""`kill -9` at any point of a request: order and transaction agree, and a repetition goes through.

The points are before every statement that reaches the database, the merchant's own included,
before the commit, and after it.
"""

import pytest
from racing import create_params
from scenarios import START, number
from sqlshop import BlockingShop, opened

from payme.merchant.core import EXPIRY_MS

LATE = START + EXPIRY_MS + 1


def view(shop):
    """What the shop and the store say about order `a`."""
    rows = {int(row["id"], 16): row["state"] for row in shop.statement()}
    return rows, shop.state("a"), [event for event, _ in shop.events()]


CREATED = ({1: 1}, "waiting", [])

# The request, when it comes, and what is stored before and after it.
REQUESTS = {
    "create": ("CreateTransaction", create_params(1, "a"), START, ({}, "waiting", []), CREATED),
    "create instead of an expired one": (
        "CreateTransaction",
        {**create_params(2, "a"), "time": LATE},
        LATE,
        CREATED,
        ({1: -1, 2: 1}, "waiting", ["released"]),
    ),
    "perform": (
        "PerformTransaction",
        {"id": number(1)},
        START,
        CREATED,
        ({1: 2}, "paid", ["paid"]),
    ),
    "cancel": (
        "CancelTransaction",
        {"id": number(1), "reason": 3},
        START,
        CREATED,
        ({1: -1}, "waiting", ["released"]),
    ),
    "refund": (
        "CancelTransaction",
        {"id": number(1), "reason": 5},
        START,
        ({1: 2}, "paid", ["paid"]),
        ({1: -2}, "closed", ["paid", "cancelled"]),
    ),
}


def prepare(shop, wanted):
    """Bring the database to where a request finds it."""
    rows, _, happened = wanted
    if rows:
        shop.create(1)
    if "paid" in happened:
        shop.perform(1)
    assert view(shop) == wanted


# Both stores carry out the same plan; one request of each kind shows that asyncio's commits once.
CASES = [
    *(("blocking", name) for name in REQUESTS),
    ("asyncio", "create instead of an expired one"),
    ("asyncio", "perform"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("style", "name"), CASES)
def test_kill_between_any_two_steps(crash, url, name, style):
    method, params, now, before, after = REQUESTS[name]
    seen = []
    with opened(BlockingShop, url, "a") as shop:
        while True:
            shop.refill("a")
            shop.now = START
            prepare(shop, before)
            shop.now = now
            job = {"method": method, "params": params, "now": now, "point": len(seen)}
            killed = crash(url=url, kind=style, **job)
            seen.append(view(shop))
            repeated = shop.call(method, **params)
            assert "result" in repeated
            assert view(shop) == after
            if not killed:
                break
    # Nothing is stored at any point before the commit, and everything after it.
    points = len(seen) - 2
    assert seen == [before] * points + [after, after]
    assert points >= (2 if name == "create" else 4)
