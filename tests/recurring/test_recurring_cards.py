"""Subscriptions that a customer's default card pays, and cards that can't pay what comes next."""

import inspect
from datetime import UTC, date, datetime

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from charges.ledgers import KEY as LEDGER_KEY
from payme import Payme
from payme.charges import Charges, ChargeState, Policy, SqlLedger
from payme.charges.ledger.sql_cards import cards
from payme.charges.saved import expires_at
from payme.errors import InvalidArgument
from payme.recurring import (
    AsyncRecurring,
    Notice,
    PeriodState,
    Recurring,
    SubscriptionConflict,
    SubscriptionState,
    core,
)
from payme.recurring.core import DAY, Card
from payme.sandbox import Sandbox
from payme.transport.memory import MemoryTransport
from payme.wallet import CardNotFound, CardUnusable, Wallet
from recurring.club_model import START, made

N, P, S = Notice, PeriodState, SubscriptionState
KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
POLICY = Policy(ask_for=0.05, look_for=0.05, first_pause=0.01, longest_pause=0.05, lease=2.0)
PRICE = 5_000_000
NUMBER, OTHER, POOR = "8600069195406311", "8600495473316478", "8600318600000007"


class Club:
    def __init__(self, sandbox, database):
        self.sandbox, self.now = sandbox, START
        self.client = Payme(
            sandbox.merchant_id, KEY, environment="test", transport=MemoryTransport(sandbox.handle)
        )
        self.ledger = SqlLedger(database, keys=[LEDGER_KEY])
        self.wallet = Wallet(self.client, self.ledger)
        self.charges = Charges(self.client, self.ledger, policy=POLICY)
        self.recurring = Recurring(self.charges, now=lambda: self.now)
        self.recurring.create_all()

    def add(self, number=NUMBER, customer="ali", **options):
        return self.wallet.add(customer, self.sandbox.add_card(number=number), **options)

    def create(self, name="club-17", customer="ali", **options):
        options = {"missed": "latest", **options}
        return self.recurring.create(name, PRICE, {"member": 17}, customer=customer, **options)

    def day(self, days=1):
        self.now += days * DAY
        self.recurring.tick()
        self.charges.recover()

    def get(self, name="club-17"):
        return self.recurring.get(name)

    def states(self, name="club-17"):
        return [period.state for period in self.recurring.periods(name)]

    def told(self):
        return [(one.n, one.kind) for one in self.recurring.outbox()]

    def card_of(self, charge_id="club-17:0"):
        return self.ledger.load(charge_id).means.card

    def expire(self, card, expire):
        with self.ledger._engine.begin() as connection:
            ours = sa.update(cards).where(cards.c.id == card.id)
            connection.execute(ours.values(expire=expire))

    def die(self, card):
        with self.ledger._engine.begin() as connection:
            connection.execute(sa.update(cards).where(cards.c.id == card.id).values(state="gone"))


@pytest.fixture
def club(database):
    with Sandbox(key=KEY) as sandbox:
        club = Club(sandbox, database)
        yield club
        club.client.close()
        club.ledger.close()


def test_the_default_card_of_the_moment_pays_each_attempt(club):
    first = club.add()
    assert club.create().customer == "ali"
    club.charges.recover()
    assert (club.states(), club.card_of()) == ([P.PAID], first.id)
    other = club.add(OTHER)
    club.wallet.make_default(other.id)
    club.day(29)
    assert (club.states(), club.card_of("club-17:1")) == ([P.PAID, P.PAID], other.id)


def test_a_retry_takes_the_card_that_is_the_default_by_then(club):
    club.add(POOR)
    club.create()
    club.charges.recover()
    assert club.get().state == S.RETRYING
    other = club.add(OTHER, default=True)
    club.day()
    assert (club.states(), club.card_of()) == ([P.PAID], other.id)


def test_a_card_that_came_is_tried_at_once_when_the_shop_says_so(club):
    club.add(POOR)
    for name in ("club-17", "club-18"):
        club.create(name)
    club.charges.recover()
    other = club.add(OTHER, default=True)
    changed = club.recurring.card_changed("ali")
    assert [one.id for one in changed] == ["club-17", "club-18"]
    club.charges.recover()
    assert club.states("club-17") == club.states("club-18") == [P.PAID]
    assert club.card_of("club-18:0") == other.id
    club.recurring.cancel("club-17", at_period_end=False)
    assert [one.id for one in club.recurring.card_changed("ali")] == ["club-18"]
    assert club.recurring.card_changed("nobody") == []


def test_without_a_card_the_period_is_past_due_and_no_charge_is_made(club):
    card = club.add()
    club.create(trial_until=date(2026, 2, 20))
    club.wallet.remove(card.id)
    club.day(30)
    subscription = club.get()
    assert (subscription.state, subscription.wakes) == (S.PAST_DUE, None)
    assert club.states() == [P.UNPAID]
    assert {(0, N.PAST_DUE), (0, N.CARD_EXPIRING)} <= set(club.told())
    assert list(club.charges.iterate()) == []
    assert club.recurring.periods("club-17")[0].refusals == (), "it was not tried"
    club.day(60)
    assert club.states() == [P.UNPAID], "one debt, and none after it"
    with pytest.raises(CardNotFound):
        club.recurring.retry("club-17")
    with pytest.raises(CardNotFound):
        club.recurring.card_changed("ali")
    assert club.get() == subscription, "what was refused is not stored"
    club.add(OTHER)
    club.recurring.card_changed("ali")
    club.charges.recover()
    assert club.states()[0] == P.PAID
    assert club.sandbox.debits(club.charges.get("club-17:0").receipt_id) == 1


def test_a_person_may_try_again_what_was_opened_without_a_card(club):
    card = club.add()
    club.create(trial_until=date(2026, 2, 20))
    club.die(card)
    club.day(30)
    with pytest.raises(CardUnusable, match="gone"):
        club.recurring.retry("club-17")
    club.add(OTHER, default=True)
    club.recurring.retry("club-17")
    assert club.charges.get("club-17:0").state == ChargeState.NEW
    club.charges.recover()
    assert (club.get().state, club.states()) == (S.ACTIVE, [P.PAID])


def test_what_was_opened_without_a_card_is_given_up_without_a_charge(club):
    card = club.add()
    club.create(trial_until=date(2026, 2, 20))
    club.wallet.remove(card.id)
    club.day(30)
    club.recurring.cancel("club-17")
    assert club.states() == [P.GIVEN_UP]
    assert list(club.charges.iterate()) == []


def test_a_scheduled_retry_without_a_card_waits_for_one(club):
    card = club.add(POOR)
    club.create()
    club.charges.recover()
    club.die(card)
    club.day()
    assert (club.get().state, club.states()) == (S.PAST_DUE, [P.UNPAID])
    assert club.charges.get("club-17:0").attempts == 1


def test_a_card_that_is_removed_while_its_payment_waits_is_a_hard_refusal(club):
    card = club.add()
    club.create()
    club.wallet.remove(card.id)
    club.charges.recover()
    charge = club.charges.get("club-17:0")
    assert (charge.state, charge.attempts) == (ChargeState.REFUSED, 0)
    assert (club.get().state, club.states()) == (S.PAST_DUE, [P.UNPAID])
    assert (0, N.PAST_DUE) in club.told()
    club.day(20)
    assert sum(club.sandbox.debits(one.id) for one in club.sandbox.receipts()) == 0


def test_a_card_that_expires_before_the_next_period_is_told_of_once(club):
    card = club.add()
    club.expire(card, "02/26")  # the next period is due on 28 February, and expiry is its end
    club.create()
    club.charges.recover()
    assert (1, N.CARD_EXPIRING) not in club.told()
    club.day(28)
    club.day()
    assert club.told().count((2, N.CARD_EXPIRING)) == 1, "it is told when the one before is paid"
    assert (1, N.CARD_EXPIRING) not in club.told()
    club.day(29)
    assert club.told().count((2, N.CARD_EXPIRING)) == 1
    assert club.told().count((2, N.UPCOMING)) == 1


def test_a_card_that_turns_bad_meanwhile_is_told_of_with_the_announcement(club):
    card = club.add()
    club.create()
    club.charges.recover()
    club.die(card)
    club.day(26)
    assert {(1, N.UPCOMING), (1, N.CARD_EXPIRING)} <= set(club.told())
    assert club.get().state == S.ACTIVE


def test_who_pays_is_exactly_one(club):
    club.add()
    options = {"missed": "skip"}
    for payer in ({}, {"token": "63119784d15d8d8d093b37b8_first", "customer": "ali"}):
        with pytest.raises(InvalidArgument, match="token or customer"):
            club.recurring.create("club-1", PRICE, {"member": 1}, **payer, **options)
        with pytest.raises(InvalidArgument, match="token or customer"):
            club.recurring.use_card("club-1", **payer)
    with pytest.raises(CardNotFound, match="'bob' has no default card"):
        club.create("club-1", customer="bob")
    with pytest.raises(InvalidArgument, match="customer"):
        club.create("club-1", customer="two words")
    assert club.recurring._keeper.read(lambda rows: rows.load(["club-1"])) == []


def test_asked_again_it_is_the_same_whatever_became_of_the_card(club):
    card = club.add()
    created = club.create()
    club.wallet.remove(card.id)
    assert club.create().id == created.id


def test_a_card_that_cant_be_charged_begins_nothing_in_the_shops_transaction(club):
    with club.ledger._engine.begin() as connection, pytest.raises(CardNotFound):
        club.create("club-1", customer="bob", connection=connection)
    assert club.recurring._keeper.read(lambda rows: rows.load(["club-1"])) == []


def test_it_changes_between_a_card_of_its_own_and_the_customers(club):
    saved = club.add()
    token = club.sandbox.add_card(number=OTHER)
    club.create()
    club.charges.recover()
    assert club.recurring.use_card("club-17", token).customer is None
    club.wallet.remove(saved.id)
    club.day(29)
    assert (club.states(), club.card_of("club-17:1")) == ([P.PAID, P.PAID], None)
    club.add(OTHER, customer="bob")
    assert club.recurring.use_card("club-17", customer="bob").customer == "bob"
    club.day(31)
    assert club.card_of("club-17:2") is not None
    assert club.states() == [P.PAID] * 3


def test_tokens_of_the_wallet_stay_out_of_sight(club):
    club.add()
    club.create()
    with club.ledger._engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT * FROM payme_subscription").mappings().one()
    assert row["means"] is None
    assert row["customer"] == "ali"


def test_both_styles_take_the_same_arguments():
    for name in ("create", "use_card", "card_changed", "check", "adopt"):
        styles = [inspect.signature(getattr(kind, name)) for kind in (Recurring, AsyncRecurring)]
        assert styles[0].parameters == styles[1].parameters


# The core.


CARDS = st.builds(Card, st.booleans(), st.none() | st.floats(START - 60 * DAY, START + 90 * DAY))


def begun(**options):
    rule, terms = made(START, **options)
    return core.create("club-17", rule, terms, START, "ali").after


@given(CARDS, st.sampled_from(["past_due", "cancel", "skip"]), st.integers(0, 60))
def test_an_attempt_is_made_with_a_card_that_may_be_charged_and_with_no_other(card, then, days):
    subscription = begun(after_retries=then)
    now = START + days * DAY
    change = core.tick(subscription, None, None, now)
    made_of = core.paid_with(change, card, now)
    assert made_of.before == change.before
    if card.is_usable or change.submit is None:
        assert (made_of.submit, made_of.after) == (change.submit, change.after)
        return
    assert made_of.submit is None
    period = made_of.periods[-1]
    assert period.state in (P.UNPAID, P.GIVEN_UP)
    assert (made_of.after.debt is None) == (period.state is P.GIVEN_UP)
    assert period.refusals == ()
    assert made_of.after.version > change.after.version
    if then == "past_due":
        assert made_of.after.state is S.PAST_DUE


@given(CARDS)
def test_it_is_told_exactly_when_the_card_cant_pay_what_is_announced(card):
    subscription = msgspec.structs.replace(begun(), next_n=1, told=0, wakes=START)
    due = subscription.due(1)
    change = core.tick(subscription, None, None, due - 3 * DAY)
    told = [one.kind for one in core.paid_with(change, card, due - 3 * DAY).told]
    dead = not card.is_usable or (card.expires is not None and card.expires <= due)
    assert told == [N.UPCOMING, *[N.CARD_EXPIRING] * dead]


@pytest.mark.parametrize("state", [S.ENDING, S.ENDED, S.PAUSED])
def test_what_comes_to_its_end_needs_no_card(state):
    before = msgspec.structs.replace(begun(), next_n=1, state=state)
    paid = core.Change(before, before, told=(core.Told(0, N.CHARGED),))
    assert core.paid_with(paid, Card(is_usable=False), START).told == paid.told


def test_a_card_expires_with_its_month():
    assert expires_at("02/26") == datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    assert expires_at("12/26") == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert expires_at("**/**") is None


def test_a_retry_that_a_person_asks_for_is_refused_where_nothing_is_owed(club):
    club.add()
    club.create()
    club.charges.recover()
    with pytest.raises(SubscriptionConflict):
        club.recurring.retry("club-17")
