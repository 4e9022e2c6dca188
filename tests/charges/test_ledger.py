"""Both SQL ledgers on SQLite and PostgreSQL: one suite, under threads and on every loop."""

import asyncio
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import sqlalchemy as sa

from charges.ledgers import (
    KEY,
    OTHER_KEY,
    inner,
    make_ledger,
    new_charge,
    next_of,
    sync_engine,
)
from payme import Payer
from payme.charges import AsyncSqlLedger, ChargeConflict, ChargeState, SqlLedger, orders
from payme.charges.core import Means, Overtaken, Save, changed
from payme.charges.ledger import FARTHEST, rows
from payme.errors import ConfigurationError
from payme.protocol.inputs import Detail, Item
from payme.redact import Secret

CARD, OTHER_CARD = (Secret(f"63119784d15d8d8d093b37b{n}_{'Canary' * 8}") for n in (1, 2))
MEANS = Means(CARD)
PAYER = Payer(phone="998901304527", email="aziza.canary@example.uz")

pytestmark = pytest.mark.anyio


def ordered(charge_id="order-1", amount=5000, account=None, **options):
    options = {"description": None, "detail": None, "payer": None, "hold": False, **options}
    token = options.pop("token", CARD.open())
    return orders.order(
        1000.0, charge_id, amount, account or {"order_id": 1}, token, **options
    ).accepted()


async def stored(ledger, charge_id="order-1"):
    return await ledger.load(charge_id)


# The same id is the same charge.


async def test_what_was_stored_is_read_back_whole(ledger):
    detail = Detail([Item(title="Non", price=5000, count=1, code="00702001001000001",
                          vat_percent=12, package_code="123456")])  # fmt: skip
    charge, means = ordered(description="Non, 1 dona", detail=detail, payer=PAYER, hold=True)
    assert await ledger.submit(charge, means) == charge
    read = await stored(ledger)
    assert read.charge == charge
    assert read.means.token.open() == CARD.open()
    assert read.means.payer == PAYER
    assert await stored(ledger, "order-2") is None


async def test_the_same_id_is_the_same_charge(ledger):
    detail = Detail([Item(title="Non", price=5000, count=1, code="00702001001000001",
                          vat_percent=12, package_code="123456")])  # fmt: skip
    charge, means = ordered(detail=detail)
    await ledger.submit(charge, means)
    await ledger.save(next_of(charge, state=ChargeState.OPEN, receipt_id="r" * 24))
    again, other = ordered(detail=detail, token=OTHER_CARD.open(), description="other words")
    known = await ledger.submit(again, other)
    assert orders.same(again, known) is known
    assert (known.version, known.state) == (1, ChargeState.OPEN)
    read = await stored(ledger)
    assert read.means.token.open() == CARD.open()
    assert len(await ledger.history("order-1")) == 2


OTHER_DETAIL = Detail([Item(title="Choy", price=5000, count=1, code="00702001001000001",
                            vat_percent=12, package_code="123456")])  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "differs"),
    [
        ({"amount": 5001}, ("amount",)),
        ({"account": {"order_id": 2}}, ("account",)),
        ({"hold": True}, ("hold",)),
        ({"detail": OTHER_DETAIL}, ("detail",)),
        ({"amount": 1, "hold": True}, ("amount", "hold")),
    ],
)
async def test_other_money_under_the_id_is_refused(asked, differs, ledger):
    charge, means = ordered()
    await ledger.submit(charge, means)
    other, _ = ordered(**asked)
    known = await ledger.submit(other, means)
    with pytest.raises(ChargeConflict) as refused:
        orders.same(other, known)
    assert refused.value.differs == differs
    assert refused.value.charge == charge
    assert all(name in str(refused.value) for name in differs)
    assert (await stored(ledger)).charge == charge


@pytest.mark.parametrize(("number", "text"), [(106, "106"), (7, "007")], ids=str)
async def test_an_account_is_the_same_as_text_and_as_a_number(number, text, ledger):
    charge, means = ordered(account={"order_id": number})
    await ledger.submit(charge, means)
    other, _ = ordered(account={"order_id": text})
    known = await ledger.submit(other, means)
    if text == str(number):
        assert orders.same(other, known) == charge
        return
    with pytest.raises(ChargeConflict) as refused:
        orders.same(other, known)
    assert refused.value.differs == ("account",)


async def test_two_that_submit_at_once_store_one(open_ledger):
    ledgers = [await open_ledger() for _ in range(4)]
    charge, means = ordered()
    known = await asyncio.gather(*(ledger.submit(charge, means) for ledger in ledgers * 3))
    assert known == [charge] * 12
    assert len(await ledgers[0].history("order-1")) == 1


async def test_tables_are_made_by_whoever_comes_first(database):
    """Four workers start at once on an empty database."""
    together = threading.Barrier(4)

    def start():
        together.wait()
        SqlLedger(database, keys=[KEY]).close()

    await asyncio.gather(*(asyncio.to_thread(start) for _ in range(4)))


# The caller's transaction.


async def in_transaction(ledger, act):
    """Run something in a transaction of the merchant's own, on the same database."""
    engine = inner(ledger)._engine
    if isinstance(inner(ledger), AsyncSqlLedger):
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS shop_order (id TEXT)"))
        async with engine.begin() as connection:
            await connection.execute(sa.text("INSERT INTO shop_order VALUES ('1')"))
            await act(connection)
        return
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS shop_order (id TEXT)"))
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO shop_order VALUES ('1')"))
        inner(ledger).submit(*ordered(), connection)
        await act(None)


async def orders_of(ledger):
    def count():
        with sync_engine(ledger).connect() as connection:
            return connection.execute(sa.text("SELECT count(*) FROM shop_order")).scalar()

    if isinstance(inner(ledger), AsyncSqlLedger):
        async with inner(ledger)._engine.connect() as connection:
            return (await connection.execute(sa.text("SELECT count(*) FROM shop_order"))).scalar()
    return count()


@pytest.mark.parametrize("fails", [True, False])
async def test_a_charge_is_stored_beside_the_order_or_not_at_all(fails, ledger):
    async def act(connection):
        if connection is not None:
            await ledger.submit(*ordered(), connection)
        if fails:
            raise ZeroDivisionError

    try:
        await in_transaction(ledger, act)
    except ZeroDivisionError:
        assert fails
    there = 0 if fails else 1
    assert await orders_of(ledger) == there
    assert bool(await stored(ledger)) == bool(there)
    assert len(await ledger.history("order-1")) == there


# Compare-and-set.


async def test_who_comes_late_changes_nothing(ledger):
    charge, means = ordered()
    await ledger.submit(charge, means)
    first = next_of(charge, state=ChargeState.OPEN, receipt_id="r" * 24)
    late = next_of(charge, state=ChargeState.FAILED)
    await ledger.save(first)
    for change in (late, first):
        with pytest.raises(Overtaken):
            await ledger.save(change, Means(OTHER_CARD))
    read = await stored(ledger)
    assert read.charge == first.after
    assert read.means.token.open() == CARD.open()
    assert [event.version for event in await ledger.history("order-1")] == [0, 1]


async def test_a_charge_that_is_gone_can_not_be_saved(ledger):
    with pytest.raises(Overtaken):
        await ledger.save(next_of(new_charge("nobody")))


RACE = 500


async def race(ledger, wins):
    while len(wins) < RACE:
        charge = (await stored(ledger)).charge
        change = next_of(charge, evidence=f"{id(ledger)}")
        try:
            await ledger.save(change)
        except Overtaken:
            continue
        wins.append(change.after.version)


@pytest.mark.slow
async def test_of_two_that_race_one_wins_each_time(open_ledger):
    ledgers = [await open_ledger(), await open_ledger()]
    await ledgers[0].submit(*ordered())
    wins = []
    await asyncio.gather(*(race(ledger, wins) for ledger in ledgers))
    assert sorted(wins) == list(range(1, len(wins) + 1))
    assert (await stored(ledgers[0])).charge.version == len(wins)
    assert len(await ledgers[1].history("order-1")) == len(wins) + 1


RACER = """
import sys
from charges.ledgers import KEY, next_of
from payme.charges import SqlLedger
from payme.charges.core import Overtaken

ledger, left = SqlLedger(sys.argv[1], keys=[KEY]), 250
while left:
    change = next_of(ledger.load("order-1").charge)
    try:
        ledger.save(change)
    except Overtaken:
        continue
    left -= 1
"""


@pytest.mark.slow
def test_of_two_processes_that_race_one_wins_each_time(database):
    ledger = SqlLedger(database, keys=[KEY])
    ledger.submit(*ordered())
    command = [sys.executable, "-c", RACER, database]
    racers = [subprocess.Popen(command, cwd=Path(__file__).parents[1]) for _ in range(2)]
    assert [racer.wait(60) for racer in racers] == [0, 0]
    assert ledger.load("order-1").charge.version == 500
    assert [event.version for event in ledger.history("order-1")] == list(range(501))
    ledger.close()


# The merchant's hook.


class Hook:
    def __init__(self):
        self.told = []
        self.fails = 0

    def __call__(self, connection, charge):
        if self.fails:
            self.fails -= 1
            raise ZeroDivisionError
        self.told.append((charge.state, charge.version))
        connection.execute(sa.text("INSERT INTO shop_order VALUES (:id)"), {"id": charge.id})


@pytest.fixture
async def hook(open_ledger):
    hook = Hook()
    hook.ledger = await open_ledger(changed=hook)

    def make_table(connection):
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS shop_order (id TEXT)"))

    if isinstance(inner(hook.ledger), AsyncSqlLedger):
        async with inner(hook.ledger)._engine.begin() as connection:
            await connection.run_sync(make_table)
    else:
        with inner(hook.ledger)._engine.begin() as connection:
            make_table(connection)
    return hook


WAY = [
    (ChargeState.OPEN, False),
    (ChargeState.PAYING, False),
    (ChargeState.REFUSED, True),
    (ChargeState.OPEN, False),
    (ChargeState.PAYING, False),
    (ChargeState.PAYING, False),
    (ChargeState.PAID, True),
    (ChargeState.REFUNDING, False),
    (ChargeState.REFUNDING, False),
    (ChargeState.REFUNDED, True),
]


async def test_the_hook_runs_once_for_each_proven_change(hook):
    charge, means = ordered()
    await hook.ledger.submit(charge, means)
    for state, _ in WAY:
        change = next_of(charge, state=state)
        await hook.ledger.save(change)
        with pytest.raises(Overtaken):
            await hook.ledger.save(change)
        charge = change.after
    expected = [(state, number) for number, (state, proven) in enumerate(WAY, 1) if proven]
    assert hook.told == expected
    assert await orders_of(hook.ledger) == len(expected)


async def test_a_hook_that_fails_takes_the_change_back(hook):
    charge, means = ordered()
    await hook.ledger.submit(charge, means)
    paid = next_of(charge, state=ChargeState.PAID, due=None)
    hook.fails = 1
    with pytest.raises(ZeroDivisionError):
        await hook.ledger.save(paid)
    assert (await stored(hook.ledger)).charge == charge
    assert await hook.ledger.next_due() == charge.due
    assert len(await hook.ledger.history("order-1")) == 1
    await hook.ledger.save(paid)
    assert hook.told == [(ChargeState.PAID, 1)]
    assert await orders_of(hook.ledger) == 1


# Events.


async def test_every_change_leaves_one_event(ledger):
    charge, means = ordered()
    await ledger.submit(charge, means)
    for number, (state, _) in enumerate(WAY):
        change = next_of(charge, 2000.0 + number, state=state, evidence=f"step {number}")
        await ledger.save(change)
        charge = change.after
    events = await ledger.history("order-1")
    assert [event.version for event in events] == list(range(len(WAY) + 1))
    assert [event.after for event in events[1:]] == [state for state, _ in WAY]
    assert [event.before for event in events] == [None, *(event.after for event in events[:-1])]
    assert [event.evidence for event in events[1:]] == [f"step {n}" for n in range(len(WAY))]
    assert [event.at for event in events[1:]] == [2000.0 + n for n in range(len(WAY))]
    assert await ledger.history("order-2") == []


async def test_an_event_names_the_receipt_that_was_left_behind(ledger):
    charge, means = ordered()
    await ledger.submit(charge, means)
    opened = next_of(charge, state=ChargeState.CANCELLING, receipt_id="r" * 24)
    await ledger.save(opened)
    await ledger.save(next_of(opened.after, state=ChargeState.NEW, receipt_id=None))
    assert [event.receipt_id for event in await ledger.history("order-1")] == [
        None, "r" * 24, "r" * 24,
    ]  # fmt: skip


# Leases.


async def fill(ledger, count, **members):
    for number in range(count):
        charge = new_charge(f"order-{number:03}", **members)
        await ledger.submit(charge, MEANS)


def ids(claimed):
    return [one.charge.id for one in claimed]


async def test_two_owners_never_get_the_same_charge(open_ledger):
    ledgers = [await open_ledger() for _ in range(4)]
    await fill(ledgers[0], 60)
    got = []

    async def claim_all(number, ledger):
        while claimed := await ledger.claim(f"owner-{number}", 1001.0, 1100.0, 3):
            assert len(claimed) <= 3
            got.extend(ids(claimed))
            assert len(got) == len(set(got)), "two owners have the same charge"

    await asyncio.gather(*(claim_all(number, ledger) for number, ledger in enumerate(ledgers)))
    # Rows that another claim has locked are skipped, so one may be left for the next round.
    got += ids(await ledgers[0].claim("last", 1001.0, 1100.0, 60))
    assert sorted(got) == [f"order-{number:03}" for number in range(60)]


async def test_what_is_due_first_is_claimed_first_and_nothing_before_its_time(ledger):
    for number, due in enumerate((1500.0, 1200.0, None, 1300.0)):
        charge = new_charge(f"order-{number}")
        await ledger.submit(charge, MEANS)
        await ledger.save(next_of(charge, due=due))
    assert ids(await ledger.claim("a", 1199.0, 1300.0, 9)) == []
    assert await ledger.next_due() == 1200.0
    assert ids(await ledger.claim("a", 1400.0, 1500.0, 1)) == ["order-1"]
    assert ids(await ledger.claim("a", 1400.0, 1500.0, 9)) == ["order-3"]
    assert await ledger.claim("a", 1400.0, 1500.0, 0) == []


async def test_ids_of_what_is_due_are_read_in_the_order_of_due_and_not_leased(ledger):
    for number, due in enumerate((1500.0, 1200.0, None, 1300.0, 1100.0)):
        charge = new_charge(f"order-{number}")
        await ledger.submit(charge, MEANS)
        await ledger.save(next_of(charge, due=due))
    assert await ledger.due_ids(1099.0, 9) == []
    assert await ledger.due_ids(1100.0, 9) == ["order-4"]
    assert await ledger.due_ids(1400.0, 2) == ["order-4", "order-1"]
    assert ids(await ledger.claim("a", 1400.0, 1450.0, 1)) == ["order-4"]
    assert await ledger.due_ids(1400.0, 9) == ["order-1", "order-3"]
    assert await ledger.due_ids(1450.0, 9) == ["order-4", "order-1", "order-3"]


async def test_a_lease_runs_out_and_is_taken_over(ledger):
    await fill(ledger, 1)
    assert ids(await ledger.claim("dead", 1001.0, 1100.0, 1)) == ["order-000"]
    assert await ledger.claim("heir", 1099.0, 1200.0, 1) == []
    assert await ledger.take("heir", "order-000", 1099.0, 1200.0) is None
    assert ids(await ledger.claim("heir", 1100.0, 1200.0, 1)) == ["order-000"]
    # The dead one comes back and gives back what is no longer its own.
    await ledger.release("dead", "order-000")
    assert await ledger.take("dead", "order-000", 1101.0, 1200.0) is None


async def test_one_charge_is_taken_and_released(ledger):
    await fill(ledger, 1)
    taken = await ledger.take("a", "order-000", 900.0, 1000.0)
    assert taken.charge.id == "order-000"
    assert taken.means.token.open() == CARD.open()
    assert await ledger.take("b", "order-000", 900.0, 1000.0) is None
    await ledger.release("a", "order-000")
    assert (await ledger.take("b", "order-000", 900.0, 1000.0)).charge == taken.charge
    assert await ledger.take("b", "nobody", 900.0, 1000.0) is None


async def test_what_a_clock_that_was_ahead_wrote_is_rewound(ledger):
    now = 1000.0
    for name, due in (("ahead", now + 5e8), ("soon", now + FARTHEST - 1), ("now", now)):
        await ledger.submit(new_charge(name), MEANS)
        await ledger.save(next_of(new_charge(name), due=due))
    rests = new_charge("rests")
    await ledger.submit(rests, MEANS)
    await ledger.save(next_of(rests, state=ChargeState.PAID, due=None))
    await ledger.take("dead", "now", now, now + 5e8)
    await ledger.take("alive", "soon", now, now + FARTHEST - 1)
    await ledger.rewind(now)
    assert (await ledger.load("ahead")).charge.due == now
    assert (await ledger.load("rests")).charge.due is None
    claimed = await ledger.claim("next", now, now + 60, 9)
    assert {stored.charge.id for stored in claimed} == {"ahead", "now"}
    assert await ledger.take("next", "soon", now, now + 60) is None


async def test_a_lease_changes_no_version(ledger):
    await fill(ledger, 1)
    taken = await ledger.take("a", "order-000", 900.0, 1000.0)
    await ledger.save(next_of(taken.charge))
    assert (await stored(ledger, "order-000")).charge.version == 1


# What is due is found by the index.

AT_REST = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO payme_charge (id, amount, account, state, hold, receipts, attempts, cancels, given_up,
  evidence, tries, created, changed, version, means, leased_until)
SELECT 'rests-' || i, 1, '{"a":1}', 'paid', false, 1, 1, 0, false, 'x', 0, 1, 1, 4, 'x', 0 FROM n
"""


def explain(connection, statement, parameters):
    word = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


def test_what_is_due_is_found_by_the_index(database):
    ledger = SqlLedger(database, keys=[KEY])
    for number in range(40):
        ledger.submit(new_charge(f"order-{number}"), MEANS)
    with ledger._engine.begin() as connection:
        text = AT_REST
        if connection.dialect.name == "postgresql":
            text = text.replace("4, 'x'", "4, 'x'::bytea")
        connection.exec_driver_sql(text)
    with ledger._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    ran = []

    @sa.event.listens_for(ledger._engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, many):
        if not statement.startswith("BEGIN"):
            ran.append((statement, parameters))

    assert len(ledger.claim("a", 1001.0, 1100.0, 10)) == 10
    assert len(ledger.due_ids(1001.0, 10)) == 10
    ledger.next_due()
    sa.event.remove(ledger._engine, "before_cursor_execute", note)
    assert len(ran) == 3
    for statement, parameters in ran:
        with ledger._engine.connect() as connection:
            plan = explain(connection, statement, parameters)
        assert "payme_charge_due" in plan, plan
        assert "Seq Scan on payme_charge" not in plan, plan
        assert "SCAN payme_charge\n" not in plan + "\n", plan
    ledger.close()


# Walking through.


async def walked(ledger, state=None, since=0.0):
    return [charge.id async for charge in ledger.iterate(state, since)]


async def test_charges_are_walked_through_in_pages(ledger, monkeypatch):
    monkeypatch.setattr(rows, "PAGE", 7)
    await fill(ledger, 30)
    everyone = [f"order-{number:03}" for number in range(30)]
    for number in (3, 17, 29):
        charge = (await stored(ledger, everyone[number])).charge
        await ledger.save(next_of(charge, 3000.0 + number, state=ChargeState.PAID, due=None))
    assert await walked(ledger) == everyone
    assert await walked(ledger, ChargeState.PAID) == ["order-003", "order-017", "order-029"]
    assert await walked(ledger, None, 3017.0) == ["order-017", "order-029"]
    assert await walked(ledger, ChargeState.NEW, 3017.0) == []


async def test_what_comes_while_walking_does_no_harm(ledger, monkeypatch):
    monkeypatch.setattr(rows, "PAGE", 2)
    await fill(ledger, 6)
    seen = []
    async for charge in ledger.iterate(None, 0.0):
        seen.append(charge.id)
        if len(seen) == 3:
            await ledger.submit(new_charge("order-000a"), MEANS)
            await ledger.submit(new_charge("order-009"), MEANS)
    assert seen == [*(f"order-{number:03}" for number in range(6)), "order-009"]


# Tokens at rest.


def contents(database, ledger=None):
    if database.startswith("sqlite"):
        place = Path(database.removeprefix("sqlite:///")).parent
        return b"".join(file.read_bytes() for file in place.iterdir() if file.is_file())
    import psycopg

    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT means, c::text, e::text FROM payme_charge c "
            "LEFT JOIN payme_charge_event e ON e.charge_id = c.id"
        )
        return b"".join(bytes(row[0]) + f"{row[1]}{row[2]}".encode() for row in rows)


CANARIES = [CARD.open(), CARD.open()[25:], PAYER.phone, PAYER.email]


def shown_in(data):
    return [canary for canary in CANARIES if canary.encode() in data]


def without_keys(make, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args, keys=[], **options)


async def test_tokens_are_encrypted_at_rest(ledger, database):
    charge, means = ordered(payer=PAYER)
    await ledger.submit(charge, means)
    await ledger.save(next_of(charge), means)
    assert b"order-1" in contents(database)
    assert shown_in(contents(database)) == []


def test_the_canary_is_found_where_nothing_is_encrypted(database):
    """A test that could not fail would prove nothing."""
    ledger = without_keys(SqlLedger, database)
    ledger.submit(*ordered(payer=PAYER))
    assert shown_in(contents(database)) == CANARIES
    ledger.close()


@pytest.mark.parametrize("keys", [[OTHER_KEY], []])
async def test_without_the_right_key_nothing_is_opened(keys, ledger, style, database):
    await ledger.submit(*ordered())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = await make_ledger(style, database, keys=keys)
    for read in (
        lambda: other.load("order-1"),
        lambda: other.claim("a", 1001.0, 1100.0, 1),
        lambda: other.take("a", "order-1", 1001.0, 1100.0),
    ):
        with pytest.raises(ConfigurationError, match=r"^keys: "):
            await read()
    # Nothing stays leased to who could not read it.
    assert ids(await ledger.claim("b", 1001.0, 1100.0, 1)) == ["order-1"]
    await other.close()


async def test_keys_are_rotated(open_ledger, database, monkeypatch):
    monkeypatch.setattr(rows, "PAGE", 4)
    old = await open_ledger(keys=[OTHER_KEY])
    await fill(old, 10)
    both = await open_ledger(keys=[KEY, OTHER_KEY])
    assert (await both.load("order-003")).means.token.open() == CARD.open()
    before = (await both.load("order-003")).charge
    await both.rotate()
    new = await open_ledger(keys=[KEY])
    for number in range(10):
        assert (await new.load(f"order-{number:03}")).means.token.open() == CARD.open()
    assert (await new.load("order-003")).charge == before
    with pytest.raises(ConfigurationError):
        await old.load("order-003")


async def test_a_ledger_that_was_begun_without_keys_is_encrypted_by_rotation(open_ledger, database):
    plain = without_keys(SqlLedger, database)
    plain.submit(*ordered(payer=PAYER))
    plain.close()
    ledger = await open_ledger(keys=[KEY])
    assert (await ledger.load("order-1")).means.token.open() == CARD.open()
    await ledger.rotate()
    assert (await ledger.load("order-1")).means.payer == PAYER
    if database.startswith("postgresql"):
        assert shown_in(contents(database)) == []


def test_a_ledger_without_keys_says_so_once_and_where(tmp_path):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        SqlLedger(f"sqlite:///{tmp_path}/a.db").close()
    assert len(said) == 1
    assert "unencrypted" in str(said[0].message)
    assert "Fernet.generate_key" in str(said[0].message)
    assert said[0].filename == __file__


@pytest.mark.parametrize("key", ["short", "Canary" * 9, b"\xff" * 32, 7])
def test_a_key_that_is_none_is_refused_and_not_shown(key):
    with pytest.raises(ConfigurationError, match=r"^keys: ") as refused:
        SqlLedger("sqlite://", keys=[KEY, key])
    assert str(key) not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("mysql+pymysql://u:Canary@h/d", "nonsense:Canary", "", "postgresql"),
        *("sqlite://", "sqlite:///:memory:", "sqlite:///file:a?mode=memory&uri=true"),
    ],
)
def test_another_database_is_refused_by_name(url):
    with pytest.raises(ConfigurationError, match=r"^engine: ") as refused:
        SqlLedger(url, keys=[KEY])
    assert "Canary" not in str(refused.value)


# What a crash of the database or of its host must not do.


def and_with(url: str, option: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{option}"


async def parameters_of(ledger):
    """What a connection of the ledger's was opened with."""
    if isinstance(inner(ledger), SqlLedger):
        with inner(ledger)._engine.connect() as connection:
            return connection.connection.driver_connection.info.get_parameters()
    async with inner(ledger)._engine.connect() as connection:
        raw = await connection.get_raw_connection()
        return raw.driver_connection.info.get_parameters()


async def shown(ledger, name):
    def ask(connection):
        return connection.exec_driver_sql(f"SHOW {name}").scalar()

    asked = inner(ledger)._read(ask)
    return asked if isinstance(inner(ledger), SqlLedger) else await asked


async def test_postgresql_waits_for_the_disk_whatever_its_setting(style, postgres):
    forgetful = and_with(postgres, "options=-csynchronous_commit%3Doff")
    assert "synchronous_commit" in forgetful
    ledger = await make_ledger(style, forgetful)
    assert await shown(ledger, "synchronous_commit") == "on"
    await ledger.close()


@pytest.mark.parametrize(("setting", "then"), [("off", "on"), ("local", "local")])
def test_an_engine_of_the_merchants_waits_for_the_disk_too(postgres, setting, then):
    """Also on connections that were opened before."""
    url = postgres.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(
        url, pool_size=1, connect_args={"options": f"-c synchronous_commit={setting}"}
    )
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == setting
    ledger = SqlLedger(engine, keys=[KEY])
    ledger.create_all()
    ledger.submit(*ordered())
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == then
    engine.dispose()


async def test_a_host_that_vanished_is_not_waited_for_for_hours(style, postgres):
    """Unless the URL says for how long."""
    ledger = await make_ledger(style, and_with(postgres, "tcp_user_timeout=5000"))
    given = await parameters_of(ledger)
    assert given["tcp_user_timeout"] == "5000"
    assert given["connect_timeout"] == "10"
    assert given["keepalives_idle"] == "30"
    await ledger.close()


# What goes wrong shows no secret.


@pytest.mark.parametrize("keys", [[KEY], []])
def test_an_error_of_the_database_shows_no_token(database, keys):
    """With an engine of the merchant's own, whose errors show parameters."""
    import traceback

    url = database.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ledger = SqlLedger(engine, keys=keys)
    charge, means = ordered(payer=PAYER)
    try:
        ledger.submit(charge, means)
    except sa.exc.DBAPIError as error:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = str(error) + "".join(found.format())
    else:
        raise AssertionError("there is no table, and nothing was raised")
    assert "order-1" in text
    assert shown_in(text.encode()) == []
    engine.dispose()


def test_a_change_is_proven_where_a_charge_comes_to_rest():
    charge = new_charge("order-1", state=ChargeState.PAID)
    assert not rows.is_proven(Save(charge, changed(charge, 1.0)))
    assert rows.is_proven(Save(charge, changed(charge, 1.0, state=ChargeState.REFUNDED)))
