"""Saved cards in both ledgers, on SQLite and PostgreSQL: what is stored, and who may charge it."""

import asyncio
import sqlite3
import warnings
from contextlib import closing

import pytest
import sqlalchemy as sa

from charges.ledgers import KEY, OTHER_KEY, inner, make_ledger, new_charge, next_of
from payme.charges import SqlLedger
from payme.charges.core import CardWithdrawn, ChargeState, Means, Save
from payme.charges.ledger import sql_cards
from payme.charges.ledger.cards import NewCard
from payme.charges.saved import CardConflict, CardState, Look
from payme.errors import ConfigurationError
from payme.protocol.models import Card
from payme.redact import TOKEN, Secret
from support.clients import ASYNCIO, Awaited

pytestmark = pytest.mark.anyio

S = CardState
NUMBER, OTHER_NUMBER = "860006******6311", "860049******6478"
CANARY = "Canary" * 8


def token(n=1):
    return Secret(f"63119784d15d8d8d093b37b{n}_{CANARY}", TOKEN)


def new(customer="aziza", n=1, number=NUMBER, *, default=None, now=1000.0, **members):
    card = Card(**{
        "number": number, "expire": "03/99", "token": token(n).open(), "recurrent": True,
        "verify": True, **members,
    })  # fmt: skip
    return NewCard(customer, card, token(n), default, now)


@pytest.fixture
def cards(ledger, style):
    return ledger.cards if style == ASYNCIO else Awaited(inner(ledger).cards)


@pytest.fixture
async def two(cards):
    """Two cards of one customer; the first is the default."""
    return await cards.add(new()), await cards.add(new(n=2, number=OTHER_NUMBER, now=1001.0))


async def test_a_card_is_stored_as_payme_shows_it(cards):
    card = await cards.add(new())
    assert (card.customer, card.number, card.expire) == ("aziza", NUMBER, "03/99")
    assert (card.state, card.recurrent, card.is_default) == (S.READY, True, True)
    assert (card.evidence, card.created, card.changed) == ("cards.check", 1000.0, 1000.0)
    stored = await cards.load(card.id)
    assert stored.card == card
    assert stored.token == token()
    assert stored.means() == Means(token(), None, card.id)
    assert await cards.of("aziza") == [card]
    assert (await cards.default("aziza")) == stored
    assert await cards.of("nobody") == []
    assert await cards.default("nobody") is None
    assert await cards.load("card0") is None


async def test_the_same_token_is_kept_once(cards):
    first = await cards.add(new())
    again = await cards.add(new(expire="04/99", recurrent=False, now=1005.0))
    assert (again.id, again.expire, again.recurrent) == (first.id, "04/99", False)
    assert (again.created, again.changed) == (1000.0, 1005.0)
    assert await cards.of("aziza") == [again]


async def test_the_same_card_bound_again_is_kept_once_with_its_newest_token(cards):
    first = await cards.add(new())
    again = await cards.add(new(n=2, now=1005.0))
    assert again.id == first.id
    assert (await cards.load(first.id)).token == token(2)
    # The token before stands for nothing here any more.
    assert len(await cards.of("aziza")) == 1
    assert (await cards.add(new("bek", n=1))).id != first.id


async def test_cards_that_show_no_last_digits_are_told_apart(cards):
    hidden = "626247**********"
    first = await cards.add(new(number=hidden))
    second = await cards.add(new(n=2, number=hidden))
    assert first.id != second.id
    assert (await cards.add(new(n=2, number=hidden))).id == second.id


@pytest.mark.parametrize("other", [{"expire": "04/99"}, {"number": OTHER_NUMBER}])
async def test_another_number_or_expiry_is_another_card(other, cards):
    first = await cards.add(new())
    assert (await cards.add(new(n=2, **other))).id != first.id


async def test_another_customers_token_is_refused(cards):
    card = await cards.add(new())
    with pytest.raises(CardConflict, match="another customer") as refused:
        await cards.add(new("bek"))
    assert "aziza" not in str(refused.value)
    assert await cards.of("bek") == []
    assert await cards.of("aziza") == [card]


async def test_two_customers_may_have_cards_that_look_alike(cards):
    first, second = await cards.add(new()), await cards.add(new("bek", n=2))
    assert first.id != second.id
    assert first.is_default
    assert second.is_default


@pytest.mark.parametrize("same_token", [True, False])
async def test_many_adds_at_once_keep_one_card(same_token, cards):
    added = [new(n=1 if same_token else n) for n in range(6)]
    ends = await asyncio.gather(*(cards.add(one) for one in added))
    assert len({card.id for card in ends}) == 1
    assert len(await cards.of("aziza")) == 1


async def test_of_two_customers_that_add_a_token_at_once_one_gets_it(cards):
    adds = [cards.add(new(f"customer-{n}")) for n in range(6)]
    ends = await asyncio.gather(*adds, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["CardConflict"] * 5 + ["SavedCard"]


@pytest.mark.parametrize(
    "customer",
    ["'; DROP TABLE payme_card; --".replace(" ", ""), "%", "_", "a" * 128, "азиза", "{}"],
)
async def test_a_hostile_customer_has_only_what_is_theirs(customer, cards, two):
    assert await cards.of(customer) == []
    assert await cards.default(customer) is None
    card = await cards.add(new(customer, n=3))
    assert await cards.of(customer) == [card]
    assert len(await cards.of("aziza")) == 2


@pytest.mark.parametrize(
    ("number", "expire", "shown"),
    [
        ("8600069195406311", "03/99", (NUMBER, "03/99")),
        ("8" * 200, "0" * 200, ("888888" + "*" * 26, "<card>")),
        ("8600\0\n06******6311", "03\0/99\x1b[31m", (NUMBER, "03/99[31m")),
    ],
)
async def test_what_payme_shows_is_masked_and_cut(number, expire, shown, cards):
    """The samples of one method show a whole number (CONFIRMED as printed)."""
    card = await cards.add(new(number=number, expire=expire))
    assert card.number == shown[0]
    if shown[1] != "<card>":
        assert card.expire == shown[1]
    assert len(card.expire) <= 32
    assert "0000000000000" not in card.expire


# The default.


async def test_the_first_card_is_the_default_until_another_is_chosen(cards, two):
    first, second = two
    assert (first.is_default, second.is_default) == (True, False)
    assert await cards.choose(second.id, 1002.0)
    assert [card.id for card in await cards.of("aziza")] == [second.id, first.id]
    assert [card.is_default for card in await cards.of("aziza")] == [True, False]
    assert (await cards.default("aziza")).card.id == second.id
    assert not (await cards.load(first.id)).card.is_default
    assert await cards.choose(first.id, 1003.0)
    assert (await cards.default("aziza")).card.id == first.id


async def test_an_added_card_is_the_default_if_it_is_said(cards, two):
    third = await cards.add(new(n=3, expire="05/99", default=True))
    assert third.is_default
    assert (await cards.default("aziza")).card.id == third.id
    assert (await cards.add(new(n=2, number=OTHER_NUMBER, default=True))).id == two[1].id
    assert (await cards.default("aziza")).card.id == two[1].id


async def test_a_card_that_is_not_to_be_the_default_is_none_until_it_is_chosen(cards):
    card = await cards.add(new(default=False))
    assert not card.is_default
    assert await cards.default("aziza") is None
    assert await cards.choose(card.id, 1002.0)
    assert (await cards.default("aziza")).card.id == card.id


async def test_a_choice_concerns_one_customer(cards, two):
    other = await cards.add(new("bek", n=3))
    await cards.choose(two[1].id, 1002.0)
    assert (await cards.default("bek")).card.id == other.id
    assert not await cards.choose("card0", 1002.0)


async def test_all_choose_at_once_and_one_is_the_default(cards):
    made = [await cards.add(new(n=n, expire=f"0{n + 1}/99")) for n in range(6)]
    await asyncio.gather(*(cards.choose(card.id, 1002.0) for card in made))
    assert [card.is_default for card in await cards.of("aziza")].count(True) == 1


async def test_the_default_moves_when_it_is_removed(cards, two):
    first, second = two
    third = await cards.add(new(n=3, expire="05/99"))
    await cards.choose(second.id, 1002.0)
    await cards.choose(third.id, 1003.0)
    for gone, then in ((third, second), (second, first)):
        await cards.forget(await cards.begin_removal(gone.id, 1004.0))
        assert (await cards.default("aziza")).card.id == then.id
    await cards.begin_removal(first.id, 1005.0)
    assert await cards.default("aziza") is None


# Removal.


async def test_a_card_that_is_being_removed_stays_until_it_is_forgotten(cards, two):
    stored = await cards.begin_removal(two[0].id, 1005.0)
    assert stored.token == token()
    assert (stored.card.state, stored.card.evidence) == (S.REMOVING, "cards.remove begins")
    assert await cards.removing("", 10) == [two[0].id]
    assert await cards.removing(two[0].id, 10) == []
    assert not await cards.choose(two[0].id, 1006.0)
    assert await cards.begin_removal(two[0].id, 1006.0)
    await cards.store(stored, Look(S.READY, "late"), 1007.0)
    assert (await cards.load(two[0].id)).card.state is S.REMOVING
    await cards.forget(stored)
    assert await cards.load(two[0].id) is None
    assert await cards.begin_removal(two[0].id, 1008.0) is None
    assert await cards.removing("", 10) == []


async def test_only_a_card_that_is_being_removed_is_forgotten(cards, two):
    await cards.forget(await cards.load(two[0].id))
    assert len(await cards.of("aziza")) == 2


async def test_while_a_card_is_being_removed_it_can_be_bound_again_with_another_token(cards):
    first = await cards.add(new())
    stored = await cards.begin_removal(first.id, 1005.0)
    with pytest.raises(CardConflict, match="being removed"):
        await cards.add(new())
    again = await cards.add(new(n=2))
    assert (again.id != first.id, again.is_default, again.state) == (True, True, S.READY)
    await cards.forget(stored)
    assert await cards.of("aziza") == [again]


# What is learned later.


async def test_a_mark_is_stored_and_taken_back(cards):
    card = await cards.add(new())
    stored = await cards.load(card.id)
    await cards.store(stored, Look(S.GONE, "cards.check: NotFound -31400"), 1005.0)
    gone = (await cards.load(card.id)).card
    assert (gone.state, gone.evidence, gone.changed) == (
        S.GONE,
        "cards.check: NotFound -31400",
        1005,
    )
    assert (gone.number, gone.is_default, gone.can_be_charged) == (NUMBER, True, False)
    seen = new(expire="07/99").card
    await cards.store(stored, Look(S.READY, "cards.check", seen), 1006.0)
    back = (await cards.load(card.id)).card
    assert (back.state, back.expire, back.can_be_charged) == (S.READY, "07/99", True)


async def test_what_was_learned_of_another_token_is_not_stored(cards):
    card = await cards.add(new())
    before = await cards.load(card.id)
    await cards.add(new(n=2))
    await cards.store(before, Look(S.GONE, "late"), 1005.0)
    assert (await cards.load(card.id)).card.state is S.READY


# Charges with a saved card.


async def paying(ledger, card, charge_id="order-1"):
    """Store that a payment begins, as the flow of a charge does."""
    charge = new_charge(charge_id)
    await ledger.submit(charge, Means(token(), None, card.id if card else None))
    begins = next_of(charge, state=ChargeState.PAYING)
    save = Save(*begins[:2], card.id if card else None)
    await ledger.save(save)
    return save.after


@pytest.mark.parametrize("state", [S.EXPIRED, S.UNVERIFIED, S.GONE])
async def test_no_payment_begins_with_a_card_that_is_marked(state, ledger, cards):
    card = await cards.add(new())
    await cards.store(await cards.load(card.id), Look(state, "tested"), 1005.0)
    with pytest.raises(CardWithdrawn):
        await paying(ledger, card)
    assert (await ledger.load("order-1")).charge.state is ChargeState.NEW
    assert len(await ledger.history("order-1")) == 1


@pytest.mark.parametrize("forgotten", [False, True])
async def test_no_payment_begins_once_a_removal_has(forgotten, ledger, cards):
    card = await cards.add(new())
    stored = await cards.begin_removal(card.id, 1005.0)
    if forgotten:
        await cards.forget(stored)
    with pytest.raises(CardWithdrawn):
        await paying(ledger, card)
    assert (await ledger.load("order-1")).charge.state is ChargeState.NEW


async def test_a_payment_that_is_under_way_is_stored_whatever_becomes_of_the_card(ledger, cards):
    card = await cards.add(new())
    charge = await paying(ledger, card)
    await cards.begin_removal(card.id, 1005.0)
    still = next_of(charge, state=ChargeState.PAYING, evidence="asked")
    await ledger.save(Save(*still[:2], card.id))
    paid = next_of(still.after, state=ChargeState.PAID)
    await ledger.save(Save(*paid[:2], card.id))
    assert (await ledger.load("order-1")).charge.is_paid


@pytest.mark.parametrize("code", [-31400, -32500])
async def test_a_token_that_is_unknown_marks_the_card_beside_the_refusal(code, ledger, cards, two):
    charge = await paying(ledger, two[0])
    refused = next_of(charge, state=ChargeState.REFUSED, code=code, evidence="receipts.pay: No")
    await ledger.save(Save(*refused[:2], two[0].id))
    marked = (await cards.load(two[0].id)).card
    assert (marked.state, marked.changed) == (S.GONE, refused.after.changed)
    assert marked.evidence == "charge order-1: receipts.pay: No"
    assert (await cards.load(two[1].id)).card.state is S.READY


@pytest.mark.parametrize(
    ("state", "code"),
    [(ChargeState.REFUSED, -31630), (ChargeState.REFUSED, None), (ChargeState.PAID, -31400)],
)
async def test_another_end_of_a_payment_marks_nothing(state, code, ledger, cards):
    card = await cards.add(new())
    charge = await paying(ledger, card)
    end = next_of(charge, state=state, code=code)
    await ledger.save(Save(*end[:2], card.id))
    assert (await cards.load(card.id)).card.state is S.READY


async def test_a_refusal_does_not_take_a_removal_back(ledger, cards):
    card = await cards.add(new())
    charge = await paying(ledger, card)
    await cards.begin_removal(card.id, 1005.0)
    refused = next_of(charge, state=ChargeState.REFUSED, code=-31400)
    await ledger.save(Save(*refused[:2], card.id))
    assert (await cards.load(card.id)).card.state is S.REMOVING


async def test_a_payment_with_a_plain_token_asks_for_no_card(ledger, cards):
    card = await cards.add(new())
    await cards.begin_removal(card.id, 1005.0)
    charge = await paying(ledger, None)
    refused = next_of(charge, state=ChargeState.REFUSED, code=-31400)
    await ledger.save(refused)
    assert (await ledger.load("order-1")).charge.state is ChargeState.REFUSED


async def test_a_charge_remembers_its_card(ledger, cards):
    card = await cards.add(new())
    await paying(ledger, card)
    assert (await ledger.load("order-1")).means == Means(token(), None, card.id)


async def test_a_removal_waits_for_a_payment_that_is_just_beginning(postgres):
    """PostgreSQL: without the lock both would be stored, and the payment would leave last."""
    from charges.conftest import empty

    empty(postgres)
    blocking = SqlLedger(postgres, keys=[KEY])
    card = blocking.cards.add(new())
    rows = blocking._rows.cards
    change = next_of(new_charge("order-1"), state=ChargeState.PAYING)
    with blocking._engine.begin() as connection:
        rows.guard(connection, Save(*change[:2], card.id))
        removal = asyncio.create_task(
            asyncio.to_thread(blocking.cards.begin_removal, card.id, 1005.0)
        )
        await asyncio.sleep(0.3)
        assert not removal.done()
    assert (await removal).card.state is S.REMOVING
    blocking.close()


# Secrets, keys and tables.


def contents(database):
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            return "\n".join(connection.iterdump()).encode()
    import psycopg

    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT means, c::text FROM payme_card c")
        return b"".join(bytes(row[0]) + row[1].encode() for row in rows)


def without_keys(make, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args, keys=[], **options)


def shows_the_token(data):
    """In the clear, or in the hexadecimal of a dump."""
    return CANARY.encode() in data or CANARY.encode().hex() in data.decode().lower()


async def test_tokens_are_encrypted_at_rest(cards, database):
    card = await cards.add(new())
    await cards.add(new(n=2))
    await cards.begin_removal(card.id, 1005.0)
    assert b"aziza" in contents(database)
    assert not shows_the_token(contents(database))


def test_the_canary_is_found_where_nothing_is_encrypted(database):
    """A test that could not fail would prove nothing."""
    ledger = without_keys(SqlLedger, database)
    ledger.cards.add(new())
    assert shows_the_token(contents(database))
    ledger.close()


async def test_the_keys_of_cards_are_rotated_with_those_of_charges(cards, style, database):
    card = await cards.add(new())
    rotating = await make_ledger(style, database, keys=[OTHER_KEY, KEY])
    await rotating.rotate()
    anew = await make_ledger(style, database, keys=[OTHER_KEY])
    assert (await inner_cards(anew, style).load(card.id)).token == token()
    old = await make_ledger(style, database, keys=[KEY])
    with pytest.raises(ConfigurationError, match=r"^keys: "):
        await inner_cards(old, style).load(card.id)
    for made in (rotating, anew, old):
        await made.close()


def inner_cards(ledger, style):
    return ledger.cards if style == ASYNCIO else Awaited(inner(ledger).cards)


async def test_many_cards_are_rotated(cards, style, database, monkeypatch):
    monkeypatch.setattr(sql_cards, "_PAGE", 2)
    for n in range(5):
        await cards.add(new(n=n, expire=f"0{n + 1}/99"))
    rotating = await make_ledger(style, database, keys=[OTHER_KEY, KEY])
    await rotating.rotate()
    anew = await make_ledger(style, database, keys=[OTHER_KEY])
    for card in await inner_cards(anew, style).of("aziza"):
        assert await inner_cards(anew, style).load(card.id)
    await rotating.close()
    await anew.close()


@pytest.mark.parametrize("keys", [[KEY], []])
def test_an_error_of_the_database_shows_no_token(database, keys):
    """With an engine of the merchant's own, whose errors show parameters."""
    import traceback

    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ledger = SqlLedger(engine, keys=keys)
    ledger.create_all()
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE payme_card DROP COLUMN evidence"))
    try:
        ledger.cards.add(new())
    except sa.exc.DBAPIError as error:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = str(error) + "".join(found.format())
    else:
        raise AssertionError("a column is missing, and nothing was raised")
    assert "aziza" in text
    assert not shows_the_token(text.encode())
    engine.dispose()


async def test_an_older_ledger_gets_the_table_of_cards(cards, ledger, style, database):
    await ledger._do(lambda connection: connection.execute(sa.text("DROP TABLE payme_card")))
    newer = await make_ledger(style, database)
    assert await inner_cards(newer, style).add(new())
    await newer.close()


async def test_what_waits_for_removal_is_found_by_an_index(ledger, cards, database):
    if not database.startswith("sqlite"):
        pytest.skip("PostgreSQL plans by the size of a table, and this one is small")
    await cards.add(new())
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
        query = "SELECT id FROM payme_card WHERE state = 'removing' AND id > '' ORDER BY id LIMIT 9"
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
        assert "payme_card_removing" in plan
        query = "SELECT id FROM payme_card WHERE customer = 'aziza'"
        assert "INDEX" in str(connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
