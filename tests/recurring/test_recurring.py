"""`Recurring` over its two databases: what is stored together, twice, at once and after a crash."""

import base64
import threading
import warnings
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from charges.ledgers import KEY
from payme import Payme
from payme.charges import Charges, ChargeState, SqlLedger
from payme.charges.core import Charge, Means, Save, changed
from payme.errors import ConfigurationError, InvalidArgument
from payme.recurring import (
    Notice,
    PeriodState,
    Recurring,
    SubscriptionConflict,
    SubscriptionNotFound,
    SubscriptionState,
    asked,
    core,
)
from payme.recurring.core import DAY
from payme.recurring.rows import Overtaken
from payme.recurring.sql import SqlRows, notices, periods, subscriptions
from payme.redact import Secret
from payme.transport.memory import MemoryTransport
from recurring.no_receipts import no_receipts

S, P, N = SubscriptionState, PeriodState, Notice
START = datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()  # 11:00 in Tashkent
PRICE = 5_000_000
TOKEN, OTHER = "63119784d15d8d8d093b37b8_first", "63119784d15d8d8d093b37b9_other"
CLIENT = {"merchant_id": "5e730e8e0b852a417aa49ceb", "key": "k" * 36}


class Shop:
    """Subscriptions over a ledger, with charges that end as a test says."""

    def __init__(self, database, now=START, hook=None):
        self.now = now
        self.ledger = SqlLedger(database, keys=[KEY], changed=hook)
        self.client = Payme(**CLIENT, transport=MemoryTransport(no_receipts), environment="test")
        self.charges = Charges(self.client, self.ledger)
        self.recurring = Recurring(self.charges, now=lambda: self.now)
        self.recurring.create_all()

    def create(self, id="club-17", **options):
        options = {"missed": "latest", **options}
        return self.recurring.create(id, PRICE, {"member": 17}, TOKEN, **options)

    def end(self, charge_id, state, **members):
        """Let a charge end, as its driver stores it."""
        stored = self.ledger.load(charge_id)
        members = {"state": state, "due": None, "evidence": "tested", **members}
        after = changed(stored.charge, self.now, **members)
        self.ledger.save(Save(stored.charge, after))

    def pay(self, charge_id):
        self.end(charge_id, ChargeState.PAID, receipt_id="a" * 24, receipts=1)

    def refuse(self, charge_id, code=-31630, message="Недостаточно средств"):
        self.end(charge_id, ChargeState.REFUSED, code=code, message=message, receipts=1)

    def later(self, days):
        self.now += days * DAY
        return self.recurring.tick()

    def get(self, id="club-17"):
        return self.recurring.get(id)

    def states(self, id="club-17"):
        return [period.state for period in self.recurring.periods(id)]

    def kinds(self):
        return [(message.n, message.kind) for message in self.recurring.outbox()]

    def spoil(self, statement):
        """Write what nobody would write."""
        self.ledger._do(lambda connection: connection.exec_driver_sql(statement))

    def close(self):
        self.client.close()
        self.ledger.close()


@pytest.fixture
def open_shop(database):
    made = []

    def opened(**options):
        made.append(Shop(database, **options))
        return made[-1]

    yield opened
    for shop in made:
        shop.close()


@pytest.fixture
def shop(open_shop):
    return open_shop()


def test_a_first_period_that_is_due_is_submitted_with_the_subscription(shop):
    created = shop.create(description="Club")
    assert (created.state, created.next_n, created.debt) == (S.ACTIVE, 1, 0)
    charge = shop.charges.get("club-17:0")
    assert (charge.amount, charge.account) == (PRICE, {"member": 17})
    assert charge.description == "Club (club-17:0)", "receipts carry the id"
    assert shop.states() == [P.OPEN]
    assert shop.create(description="Club") == created, "asked again, it is the same"
    assert shop.recurring.is_entitled("club-17")


def test_it_is_stored_in_the_transaction_of_the_shop(shop):
    connection = shop.ledger._engine.connect()
    shop.create(connection=connection)
    connection.rollback()
    connection.close()
    with pytest.raises(SubscriptionNotFound):
        shop.get()
    with shop.ledger._engine.begin() as connection:
        shop.create(connection=connection)
    assert shop.charges.get("club-17:0").state == ChargeState.NEW


def test_another_rule_under_the_same_id_is_a_conflict(shop):
    shop.create()
    with pytest.raises(SubscriptionConflict, match="exists with another missed"):
        shop.create(missed="all")


def test_a_proven_payment_reaches_the_subscription_in_its_own_transaction(open_shop):
    seen = []

    def hook(connection, charge):
        row = connection.execute(sa.select(periods.c.state).where(periods.c.n == 0)).scalar()
        seen.append((charge.id, charge.state, row))

    shop = open_shop(hook=hook)
    shop.create()
    shop.pay("club-17:0")
    assert seen == [("club-17:0", ChargeState.PAID, P.PAID)], "the shop's hook runs after ours"
    assert (shop.get().debt, shop.states()) == (None, [P.PAID])
    assert shop.kinds() == [(0, N.CHARGED)]


def test_what_the_shops_hook_raises_takes_the_period_back_too(open_shop):
    def hook(connection, charge):
        raise ZeroDivisionError

    shop = open_shop(hook=hook)
    shop.create()
    with pytest.raises(ZeroDivisionError):
        shop.pay("club-17:0")
    assert shop.states() == [P.OPEN]
    assert shop.ledger.load("club-17:0").charge.state == ChargeState.NEW


def test_charges_of_others_are_none_of_its_business(shop):
    shop.create()
    for charge_id in ("order-106", "club-17:1", "club-17:x", ":0", "club-17:00", "other:0"):
        shop.charges.submit(charge_id, PRICE, {"order_id": 1}, TOKEN)
        shop.pay(charge_id)
    assert shop.states() == [P.OPEN]


@pytest.mark.slow
def test_a_year_opens_a_period_a_month(shop):
    shop.create()
    for _ in range(366):
        for n, state in enumerate(shop.states()):
            if state == P.OPEN:
                shop.pay(f"club-17:{n}")
        shop.later(1)
    days = [
        str(datetime.fromtimestamp(one.start, UTC).date())
        for one in shop.recurring.periods("club-17")
    ]
    assert days[:4] == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    assert len(days) == 13
    assert shop.kinds().count((1, N.UPCOMING)) == 1


def test_a_refused_period_is_tried_again_with_the_card_of_the_day(shop):
    shop.create()
    shop.refuse("club-17:0")
    assert (shop.get().state, shop.states()) == (S.RETRYING, [P.REFUSED])
    shop.later(1)
    assert shop.charges.get("club-17:0").state == ChargeState.OPEN
    shop.refuse("club-17:0")
    shop.recurring.use_card("club-17", OTHER)
    stored = shop.ledger.load("club-17:0")
    assert stored.charge.state == ChargeState.OPEN, "tried at once, on the same charge"
    assert stored.means.token == Secret(OTHER)
    shop.pay("club-17:0")
    assert shop.get().state == S.ACTIVE
    shop.later(29)
    assert shop.ledger.load("club-17:1").means.token == Secret(OTHER)


def test_a_hard_refusal_and_a_retry_of_a_person(shop):
    shop.create()
    shop.refuse("club-17:0", code=-31400, message="")
    assert (shop.get().state, shop.get().wakes) == (S.PAST_DUE, None)
    assert not shop.recurring.is_entitled("club-17")
    assert shop.later(30) == 0
    shop.recurring.retry("club-17")
    assert shop.charges.get("club-17:0").state == ChargeState.OPEN


def test_an_end_that_no_hook_told_of_is_found_by_looking(shop, open_shop):
    shop.create()
    deaf = SqlLedger(shop.ledger._engine, keys=[KEY])
    stored = deaf.load("club-17:0")
    paid = changed(stored.charge, START, state=ChargeState.PAID, due=None, evidence="tested")
    deaf.save(Save(stored.charge, paid))
    assert shop.states() == [P.OPEN]
    shop.later(1)
    assert shop.states() == [P.PAID]


def test_cancelling_gives_the_charge_up_in_the_same_transaction(shop):
    shop.create()
    shop.refuse("club-17:0")
    shop.recurring.cancel("club-17")
    charge = shop.charges.get("club-17:0")
    assert (charge.state, charge.given_up) == (ChargeState.CANCELLING, True)
    assert (shop.get().state, shop.states()) == (S.ENDING, [P.GIVEN_UP])
    shop.pay("club-17:0")
    assert (0, N.PAID_AFTER_CANCEL) in shop.kinds()
    shop.later(30)
    assert shop.get().state == S.ENDED
    assert shop.recurring.cancel("club-17").state == S.ENDED


def test_cancelling_what_is_paid_meanwhile_learns_of_it_first(shop):
    shop.create()
    deaf = SqlLedger(shop.ledger._engine, keys=[KEY])
    stored = deaf.load("club-17:0")
    paid = changed(stored.charge, START, state=ChargeState.PAID, due=None, evidence="tested")
    deaf.save(Save(stored.charge, paid))
    shop.recurring.cancel("club-17")
    assert (shop.states(), shop.get().state) == ([P.PAID], S.ENDING)


def test_a_pause_is_never_collected(shop):
    shop.create()
    shop.pay("club-17:0")
    shop.recurring.pause("club-17")
    shop.later(60)
    assert shop.states() == [P.PAID, P.SKIPPED, P.SKIPPED]
    shop.recurring.resume("club-17")
    shop.later(31)
    assert shop.states()[-1] == P.OPEN
    with pytest.raises(SubscriptionConflict):
        shop.recurring.resume("club-17")


def test_a_restart_opens_a_period_at_once(shop):
    shop.create()
    shop.pay("club-17:0")
    shop.recurring.pause("club-17")
    shop.now += 10 * DAY
    assert shop.recurring.resume("club-17", restart=True).debt == 1


def test_a_change_is_stored(shop):
    shop.create()
    changed = shop.recurring.change("club-17", amount=PRICE * 2, every=(3, "month"))
    assert [terms.amount for terms in changed.terms] == [PRICE, PRICE * 2]
    assert shop.get() == changed
    with pytest.raises(InvalidArgument, match="amount, every or anchor"):
        shop.recurring.change("club-17")


def test_the_outbox_is_sent_once(shop):
    shop.create(trial_until=date(2026, 2, 5))
    shop.later(0)
    (message,) = shop.recurring.outbox()
    assert (message.kind, message.n, message.amount) == (N.UPCOMING, 0, PRICE)
    assert message.due - START == pytest.approx(5 * DAY, abs=DAY)
    shop.recurring.sent(message)
    shop.recurring.sent(message)
    assert shop.recurring.outbox() == []


WRITES = ["save", "add_periods", "save_periods", "add_notices", "add_charges"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
def test_a_crash_at_any_write_leaves_nothing_or_all(shop, write, when, monkeypatch):
    ids = [f"club-{number}" for number in range(3)]
    for name in ids:
        shop.create(name)
        shop.pay(f"{name}:0")
    whole = getattr(SqlRows, write)

    def dies(rows, *arguments):
        if when == "after":
            whole(rows, *arguments)
        raise KeyboardInterrupt

    before = [shop.get(name) for name in ids]
    monkeypatch.setattr(SqlRows, write, dies)
    with pytest.raises(KeyboardInterrupt):
        shop.later(29)
    assert [shop.get(name) for name in ids] == before
    assert [shop.states(name) for name in ids] == [[P.PAID]] * 3
    monkeypatch.undo()
    shop.recurring.tick()
    assert [shop.states(name) for name in ids] == [[P.PAID, P.OPEN]] * 3
    assert all(shop.charges.get(f"{name}:1").state == ChargeState.NEW for name in ids)


def test_one_that_fails_does_not_hold_the_others_up(shop, caplog):
    for number in range(5):
        shop.create(f"club-{number}", trial_until=date(2026, 2, 1))
    # Its charge's id is taken by other money.
    shop.charges.submit("club-2:0", 1, {"order_id": 1}, TOKEN)
    shop.later(2)
    opened = [shop.get(f"club-{number}").debt for number in range(5)]
    assert opened == [0, 0, None, 0, 0]
    assert "subscription club-2 could not be ticked" in caplog.text
    assert TOKEN not in caplog.text


def test_one_that_cannot_be_read_does_not_hold_the_others_up(shop, caplog):
    for number in range(3):
        shop.create(f"club-{number}", trial_until=date(2026, 2, 1))
    shop.spoil("UPDATE payme_subscription SET rule = '{' WHERE id = 'club-1'")
    shop.later(2)
    assert [shop.get(f"club-{number}").debt for number in (0, 2)] == [0, 0]
    assert "subscription club-1 could not be ticked" in caplog.text


def test_many_schedulers_open_each_period_once(open_shop):
    shops = [open_shop() for _ in range(3)]
    for number in range(40):
        shops[0].create(f"club-{number}", trial_until=date(2026, 2, 1))
    errors = []

    def tick(shop):
        try:
            shop.later(2)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=tick, args=[shop]) for shop in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(list(shops[0].charges.iterate())) == 40
    assert all(shops[0].states(f"club-{number}") == [P.OPEN] for number in range(40))
    assert shops[0].recurring.tick() == 0


def test_what_comes_late_is_not_stored(shop):
    shop.create()
    before = shop.get()
    shop.pay("club-17:0")
    late = core.pause(before, None, shop.now)
    with pytest.raises(Overtaken):
        shop.recurring._keeper.do(lambda rows: rows.save([(before, late.after)]))
    assert shop.get().state == S.ACTIVE


def test_what_is_due_is_found_by_the_index(shop):
    plan = "EXPLAIN QUERY PLAN" if shop.ledger._engine.dialect.name == "sqlite" else "EXPLAIN"
    settings = [] if plan != "EXPLAIN" else ["SET LOCAL enable_seqscan = off"]
    with shop.ledger._engine.begin() as connection:
        for setting in settings:
            connection.exec_driver_sql(setting)
        query = "SELECT id FROM payme_subscription WHERE wakes <= 1.0 ORDER BY wakes LIMIT 10"
        found = str(connection.exec_driver_sql(f"{plan} {query}").fetchall())
    assert "payme_subscription_wakes" in found
    assert "TEMP B-TREE" not in found
    assert "Sort" not in found


def test_secrets_stay_out_of_sight(shop):
    shop.create()
    assert TOKEN not in repr(shop.get()) + repr(shop.recurring.periods("club-17"))
    with shop.ledger._engine.begin() as connection:
        tables = (subscriptions, periods, notices)
        rows = [connection.execute(sa.select(table)).fetchall() for table in tables]
    assert TOKEN.encode() not in bytes(rows[0][0].means)
    with pytest.raises(InvalidArgument) as refused:
        shop.recurring.use_card("club-17", "token with spaces 123456")
    assert "123456" not in str(refused.value)
    with pytest.raises(InvalidArgument) as refused:
        shop.recurring.create("a", PRICE, {}, TOKEN, missed="skip")
    frames = []
    traceback = refused.value.__traceback__
    while traceback is not None:
        if "payme/recurring" in traceback.tb_frame.f_code.co_filename:
            frames.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert frames
    assert not any(TOKEN in frame for frame in frames)


@pytest.mark.parametrize("word", ["get", "pause", "resume", "cancel", "retry", "periods"])
def test_what_is_not_there_is_said(shop, word):
    with pytest.raises(SubscriptionNotFound, match="no subscription has the id 'club-1'"):
        getattr(shop.recurring, word)("club-1")
    with pytest.raises(InvalidArgument, match="id: "):
        getattr(shop.recurring, word)("club 1")


def test_other_charges_are_refused(tmp_path):
    class Elsewhere:
        pass

    with Payme(**CLIENT, transport=MemoryTransport(no_receipts), environment="test") as client:
        charges = Charges(client, Elsewhere())
        with pytest.raises(ConfigurationError, match="SqlLedger"):
            Recurring(charges)


def test_a_moment_is_in_seconds(shop):
    for bad in (True, "now", 5, 1e12):
        with pytest.raises(InvalidArgument, match="now: "):
            shop.recurring.tick(bad)


def _mixed(shop):
    """Subscriptions of every kind that a tick finds something to do for."""
    shop.create("a-opens", trial_until=date(2026, 2, 10))
    shop.create("b-late", trial_until=date(2026, 2, 2), missed="all", every=(1, "day"))
    shop.create("c-retries")
    shop.refuse("c-retries:0")
    shop.create("d-ends", ends=date(2026, 2, 10))
    shop.pay("d-ends:0")
    shop.create("e-pauses", every=(1, "week"))
    shop.pay("e-pauses:0")
    shop.recurring.pause("e-pauses")
    shop.create("f-cancelled")
    shop.pay("f-cancelled:0")
    shop.recurring.cancel("f-cancelled")
    shop.create("g-unheard")
    deaf = SqlLedger(shop.ledger._engine, keys=[KEY])
    stored = deaf.load("g-unheard:0")
    members = {"state": ChargeState.PAID, "due": None, "evidence": "tested"}
    deaf.save(Save(stored.charge, changed(stored.charge, START, **members)))
    shop.create("h-gives-up", after_retries="skip", retries=(1,), every=(1, "week"))
    shop.refuse("h-gives-up:0")
    shop.create("i-known", trial_until=date(2026, 2, 10))
    shop.charges.submit("i-known:0", PRICE, {"member": 17}, TOKEN)
    shop.pay("i-known:0")


def _all_rows(shop):
    skipped = {"means", "created", "due", "changed", "at"}
    found = []
    with shop.ledger._engine.connect() as connection:
        for name in ("subscription", "period", "notice", "charge", "charge_event"):
            rows = connection.exec_driver_sql(f"SELECT * FROM payme_{name}").mappings()
            kept = [{key: row[key] for key in row.keys() - skipped} for row in rows]
            found.append(sorted(str(sorted(row.items())) for row in kept))
    return found


@pytest.mark.parametrize("days", [0, 1, 3, 8, 12, 31, 90])
def test_a_page_comes_to_what_each_comes_to_by_itself(tmp_path, monkeypatch, days):
    rows = []
    for page in (1, 2, 500):
        monkeypatch.setattr(asked, "PAGE", page)
        shop = Shop(f"sqlite:///{tmp_path / f'page{page}.db'}")
        _mixed(shop)
        shop.later(days)
        shop.later(days)
        rows.append(_all_rows(shop))
        shop.close()
    assert rows[0] == rows[1] == rows[2]


def test_a_charge_that_is_there_already_is_the_periods(shop):
    shop.create(trial_until=date(2026, 2, 1))
    shop.charges.submit("club-17:0", PRICE, {"member": 17}, TOKEN)
    shop.pay("club-17:0")
    shop.later(1)
    assert (shop.states(), shop.get().debt) == ([P.PAID], None), "learned of at once"


def test_many_statements_are_few(shop):
    for number in range(50):
        shop.create(f"club-{number}", trial_until=date(2026, 2, 1))
    statements = []
    sa.event.listen(
        shop.ledger._engine, "before_cursor_execute", lambda *said: statements.append(said[2])
    )
    assert shop.later(1) == 50
    assert len(list(shop.charges.iterate())) == 50
    # A page, an empty one, and what looks whether the ledger is behind.
    assert len(statements) < 25, statements


@pytest.mark.parametrize("keys", [[], [KEY]])
def test_a_page_that_fails_in_the_database_shows_no_card(database, keys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # An engine of the shop's, whose errors show parameters.
        url = database.replace("postgresql://", "postgresql+psycopg://")
        ledger = SqlLedger(sa.create_engine(url), keys=keys)
    ledger.create_all()
    vault = ledger._rows.vault
    charge = Charge(id="order-1", amount=PRICE, account={"member": 17}, due=START)
    pair = (charge, vault.seal(Means(Secret(TOKEN))))
    with pytest.raises(sa.exc.IntegrityError) as refused:
        ledger._do(lambda connection: ledger._rows.submit_all(connection, [pair, pair]))
    ledger.close()
    shown = str(refused.value)
    for secret in (TOKEN, base64.b64encode(bytes(pair[1])).decode(), bytes(pair[1]).decode()):
        assert secret not in shown
