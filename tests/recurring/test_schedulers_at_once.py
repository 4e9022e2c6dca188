"""Two and three schedulers, as processes, at the same tick: one row and one debit per period."""

import multiprocessing
import os
import time
from datetime import UTC, date, datetime
from datetime import time as clock_time

import pytest
import sqlalchemy as sa

from charges.kill_worker import CLIENT
from charges.killing import MERCHANT, PAYME_KEY, Payme
from charges.ledgers import KEY
from payme import Payme as Client
from payme.charges import Charges, SqlLedger
from payme.charges.ledger.sql import charges
from payme.recurring import Recurring
from payme.recurring.sql import periods
from payme.sandbox import Sandbox
from payme.transport.memory import MemoryTransport
from recurring.club_books import START, count_the_club, set_up, written_notices
from recurring.club_worker import SharedClock, tick_together

MEMBERS = 20
# 11:00 in Tashkent on the last day of each month, an hour after everybody's period is due.
MOMENTS = [
    START,
    *(datetime(2026, month, day, 6, tzinfo=UTC).timestamp() for month, day in [(2, 28), (3, 31)]),
]


@pytest.fixture
def payme(tmp_path):
    # On a line that loses nothing: what goes wrong here is the schedulers' doing.
    payme = Payme(tmp_path / "sandbox.db", faults=[])
    yield payme
    payme.kill()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_at_the_same_tick_each_period_has_one_row_and_one_debit(database, payme, tmp_path, count):
    context = multiprocessing.get_context("forkserver")
    clock, barrier, found = SharedClock(tmp_path / "clock"), context.Barrier(count), context.Queue()
    clock.value = START
    given = (database, payme.url, MERCHANT, PAYME_KEY)
    ledger = SqlLedger(database, keys=[KEY])
    with Client(MERCHANT, PAYME_KEY, base_url=payme.url, **CLIENT) as client:
        recurring = Recurring(Charges(client, ledger), now=lambda: clock.value)
        set_up(recurring, payme, MEMBERS, same_day=True)
        schedulers = [
            context.Process(
                target=tick_together, args=(barrier, found, MOMENTS, clock, *given), daemon=True
            )
            for _ in range(count)
        ]
        for scheduler in schedulers:
            scheduler.start()
        done = [found.get(timeout=60) for _ in schedulers]
        for scheduler in schedulers:
            scheduler.join(30)
            assert scheduler.exitcode == 0
        payme.kill()
        assert count_the_club(recurring, tmp_path / "sandbox.db", MEMBERS) == 3 * MEMBERS
    check_rows(ledger)
    # Each member was one scheduler's, at every tick but the first, when nobody had anything due.
    assert [sum(each) for each in zip(*done, strict=True)][1:] == [MEMBERS, MEMBERS]
    ledger.close()


def check_rows(ledger):
    """As many charges as periods, three of each member, with the numbers 0 to 2."""
    with ledger._engine.connect() as connection:
        opened = connection.execute(sa.select(periods.c.subscription, periods.c.n)).all()
        ids = list(connection.scalars(sa.select(charges.c.id)))
    wanted = {(f"club-{number}", n) for number in range(MEMBERS) for n in range(3)}
    assert sorted(map(tuple, opened)) == sorted(wanted)
    assert sorted(ids) == sorted(f"{name}:{n}" for name, n in wanted)
    assert set(written_notices(ledger).values()) == {1}


# The zone of the process, and of the subscriber.

HOUR = 3600
# What clocks there show at START, when it is 06:00 in UTC.
ZONES = {"UTC": 6, "Asia/Tashkent": 11, "Pacific/Kiritimati": 20, "America/Los_Angeles": 22}


# A shop's server is in one of the two; the others are farther from Tashkent than any.
every_zone = pytest.mark.parametrize(
    "zone",
    [zone if zone in ("UTC", "Asia/Tashkent") else pytest.param(zone, marks=pytest.mark.slow)
     for zone in ZONES],
)  # fmt: skip


def live(zone, database, found, ticks, options):
    """Tick through some days in a process of a zone, and tell when each period was opened."""
    os.environ["TZ"] = zone
    time.tzset()
    now = [float(ticks[0])]
    with Sandbox(key=PAYME_KEY) as box:
        transport = MemoryTransport(box.handle)
        ledger = SqlLedger(database, keys=[KEY])
        with Client(box.merchant_id, PAYME_KEY, environment="test", transport=transport) as client:
            recurring = Recurring(Charges(client, ledger), now=lambda: now[0])
            recurring.create_all()
            recurring.create("club-17", 5_000_000, {"m": 17}, box.add_card(), **options)
            for now[0] in ticks:
                if recurring.tick():
                    recurring.run(drain=True)
            opened = [(one.n, one.start, one.opened) for one in recurring.periods("club-17")]
            debits = sum(entry.kind == "debit" for entry in box.ledger())
        ledger.close()
    found.put((time.localtime(START).tm_hour, opened, debits))


@pytest.fixture
def opened_in(tmp_path):
    """A function: what is opened when every hour of some days is ticked through."""

    def run(zone, first, days, down=0, **options):
        context = multiprocessing.get_context("spawn")
        found = context.SimpleQueue()
        # A quarter past, so that no tick falls on the moment at which a period is due.
        ticks = [int(first.timestamp()) + 900 + HOUR * hours for hours in range(24 * days)]
        ticks = [*ticks[:1], *ticks[1 + down :]]
        options = {"missed": "latest", "at": clock_time(0, 30), **options}
        database = f"sqlite:///{tmp_path / 'payme.db'}"
        process = context.Process(target=live, args=(zone, database, found, ticks, options))
        process.start()
        process.join(100)
        assert process.exitcode == 0
        hour, opened, debits = found.get()
        assert hour == ZONES[zone]
        assert debits == len(opened) == len({n for n, _, _ in opened})
        assert down or all(0 < at - start <= HOUR for _, start, at in opened)
        begun = [at if down else start for _, start, at in opened]
        moments = [datetime.fromtimestamp(moment, UTC) for moment in begun]
        return [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]

    return run


@pytest.mark.slow
@every_zone
def test_the_day_is_the_subscribers_whatever_the_zone_of_the_process(zone, opened_in):
    """Half past midnight in Tashkent is still the day before in UTC, where the month ends later."""
    first = datetime(2028, 1, 30, 20, tzinfo=UTC)  # 31 January, 01:00 in Tashkent
    opened = opened_in(zone, first, 95, anchor=date(2028, 1, 31))
    # 00:30 of 31 January, 29 February, 31 March and 30 April.
    assert opened == [
        "2028-01-30 19:30",
        "2028-02-28 19:30",
        "2028-03-30 19:30",
        "2028-04-29 19:30",
    ]


@every_zone
def test_one_debit_a_day_across_midnight_the_month_and_the_leap_day(zone, opened_in):
    first = datetime(2028, 2, 26, 20, tzinfo=UTC)
    opened = opened_in(zone, first, 5, every=(1, "day"))
    days = ["02-26", "02-27", "02-28", "02-29", "03-01"]
    assert opened == [f"2028-{day} 19:30" for day in days]


@every_zone
def test_what_was_missed_is_opened_one_a_day_of_the_subscribers(zone, opened_in):
    first = datetime(2028, 2, 26, 20, tzinfo=UTC)
    opened = opened_in(zone, first, 4, down=57, every=(1, "day"), missed="all")
    # Up again on 29 February at 12:15 in Tashkent; the next day begins at midnight there.
    assert opened == [
        "2028-02-26 20:15",
        "2028-02-29 07:15",
        "2028-02-29 19:15",
        "2028-03-01 19:15",
    ]
