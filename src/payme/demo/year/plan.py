"""What happens in a year, planned by chance: the same seed plans the same year."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

NORMAL_CARDS: Final = ("8600069195406311", "8600495473316478", "9860030100000006")
PRICES: Final = (4_900_000, 9_900_000, 14_900_000)
"""What a month costs, in tiyin."""

KILLS_A_MONTH: Final = 1
_AHEAD: Final = 5
"""Days before a period is due on which something happens at the earliest."""


class What(StrEnum):
    """What happens to a member."""

    JOIN = "joins"
    RUN_DRY = "the card runs dry"
    REFILL = "the card has money again"
    EXPIRE = "the card expires"
    UNBIND = "the payer removes the card at Payme"
    REMOVE = "the payer removes the card in the shop"
    REPLACE = "the payer brings another card"
    LEAVE = "leaves"
    PAUSE = "pauses"
    RESUME = "goes on"


class Event(NamedTuple):
    """One thing that happens."""

    day: date
    member: int
    what: What


class Member(NamedTuple):
    """Who pays every month.

    Attributes:
        number: Counts from 0.
        joined: The day of the first payment, from which the others are counted.
        price: What a month costs, in tiyin.
    """

    number: int
    joined: date
    price: int

    @property
    def subscription(self) -> str:
        """Id of the subscription."""
        return f"club-{self.number}"

    @property
    def customer(self) -> str:
        """Id of the customer."""
        return f"member-{self.number}"

    def due(self, n: int) -> date:
        """Return when period n is due; counted here once more, so that it can be compared."""
        year, month = divmod(self.joined.year * 12 + self.joined.month - 1 + n, 12)
        last = monthrange(year, month + 1)[1]
        return date(year, month + 1, min(self.joined.day, last))


class Plan(NamedTuple):
    """A year.

    Attributes:
        start: Its first day.
        end: The day after its last one.
        members: Who joins in the first month.
        events: What happens, by day.
        kills: Days on which a process is killed.
        backup: The day on whose evening the database is copied.
        disaster: The day on whose evening it is lost, and the copy restored.
    """

    start: date
    end: date
    members: tuple[Member, ...]
    events: dict[date, list[Event]]
    kills: frozenset[date]
    backup: date
    disaster: date


def make(start: date, months: int, subscribers: int, seed: int) -> Plan:
    """Plan a year.

    Args:
        start: Its first day, the first of a month.
        months: How many months.
        subscribers: How many members join in the first month.
        seed: The same seed plans the same year.
    """
    random = Random(seed)  # noqa: S311 - nothing here guards anything
    end = Member(0, start, 0).due(months)
    days = [start + timedelta(days=day) for day in range((end - start).days)]
    first_month = days[: monthrange(start.year, start.month)[1]]
    members = tuple(
        Member(number, random.choice(first_month), random.choice(PRICES))
        for number in range(subscribers)
    )
    events: dict[date, list[Event]] = {}
    for member in members:
        for event in _life(member, end, random):
            events.setdefault(event.day, []).append(event)
    # After everybody has joined, and while there is time to see what comes of it.
    disaster = random.choice(days[len(days) // 2 : -20])
    return Plan(
        start,
        end,
        members,
        events,
        frozenset(random.sample(days, min(KILLS_A_MONTH * months, len(days)))),
        max(disaster - timedelta(days=random.randint(3, 20)), first_month[-1]),
        disaster,
    )


def _life(member: Member, end: date, random: Random) -> Iterator[Event]:
    """Let things happen to a member, one after the other."""
    yield Event(member.joined, member.number, What.JOIN)
    n, busy = 1, member.joined
    while (due := member.due(n)) < end:
        n += 1
        if due - timedelta(days=_AHEAD) <= busy:
            continue
        for days, what in _trouble(random):
            busy = due + timedelta(days=days)
            if busy < end:
                yield Event(busy, member.number, what)
            if what is What.LEAVE:
                return


_SHARES: Final[dict[What, float]] = {
    What.RUN_DRY: 6,
    What.EXPIRE: 1.5,
    What.UNBIND: 1.5,
    What.REMOVE: 1.5,
    What.REPLACE: 2,
    What.LEAVE: 1,
    What.PAUSE: 1.5,
}
"""How many of a hundred payments it happens at; nothing happens at the others."""


def _trouble(random: Random) -> list[tuple[int, What]]:
    """Choose what happens around a payment, in days from due."""
    shares = (*_SHARES.values(), 100 - sum(_SHARES.values()))
    (what,) = random.choices((*_SHARES, None), shares)
    match what:
        case None:
            return []
        case What.RUN_DRY:
            return [(-1, what), _after_refusals(random)]
        case What.EXPIRE | What.UNBIND | What.REMOVE:
            return [(-1, what), _after_a_hard_refusal(random)]
        case What.PAUSE:
            return [(-4, what), (random.choice((2, 20, 45)), What.RESUME)]
        case What.LEAVE:
            return [(random.randint(1, 20), what)]
        case _:
            return [(-4, what)]


def _after_refusals(random: Random) -> tuple[int, What]:
    """A card has money again before one of the retries, after them, or never."""
    days = random.choice((0, 0, 2, 2, 5, 5, 12, 15))
    return days, What.LEAVE if days == 15 else What.REFILL


def _after_a_hard_refusal(random: Random) -> tuple[int, What]:
    days = random.choice((0, 1, 3, 8, 15))
    return days, What.LEAVE if days == 15 else What.REPLACE
