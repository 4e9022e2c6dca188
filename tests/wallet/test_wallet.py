"""`Wallet` and `AsyncWallet` against the embedded sandbox, with charges that take saved cards."""

import asyncio
import contextlib
import inspect
import json
import logging
import traceback
import warnings

import pytest

from charges.ledgers import KEY as LEDGER_KEY
from charges.ledgers import inner, make_ledger
from payme import Payer, Payme
from payme.charges import AsyncCharges, ChargeNotFound, Charges, ChargeState, Policy, SqlLedger
from payme.errors import (
    AccessDenied,
    ConfigurationError,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    Rejected,
    ServiceUnavailable,
)
from payme.protocol import flows
from payme.sandbox import Sandbox
from payme.transport.memory import MemoryTransport
from payme.wallet import (
    AsyncWallet,
    CardConflict,
    CardNotFound,
    CardState,
    CardUnusable,
    Wallet,
    procedures,
)
from support.clients import ASYNCIO, Awaited, make

pytestmark = pytest.mark.anyio

KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
NUMBER, OTHER, POOR = "8600069195406311", "8600495473316478", "8600318600000007"
PHONE = "998901304527"
POLICY = Policy(ask_for=0.6, look_for=0.3, first_pause=0.05, longest_pause=0.2, lease=2.0)
ACCOUNT = {"order_id": 106}
S = CardState


@pytest.fixture
def sandbox():
    with Sandbox(key=KEY) as sandbox:
        yield sandbox


class World:
    """A client, a ledger, a wallet and charges of one style, and the sandbox behind them."""

    def __init__(self, style, sandbox, client, ledger):
        self.style = style
        self.sandbox = sandbox
        self.client = client
        self.ledger = ledger
        self.wallet = self.wallet_of(client)
        if style == ASYNCIO:
            self.charges = AsyncCharges(client, ledger, policy=POLICY)
        else:
            self.charges = Awaited(Charges(client._inner, ledger._inner, policy=POLICY))
        self.token = sandbox.add_card(number=NUMBER)

    def wallet_of(self, client):
        if self.style == ASYNCIO:
            return AsyncWallet(client, self.ledger)
        return Awaited(Wallet(client._inner, self.ledger._inner))

    @property
    def cards(self):
        """Where the ledger keeps cards."""
        return self.ledger.cards if self.style == ASYNCIO else Awaited(inner(self.ledger).cards)

    async def add(self, customer="aziza", number=OTHER, **options):
        """Bind another card and save it."""
        return await self.wallet.add(customer, self.sandbox.add_card(number=number), **options)

    def lose(self, method, when="after", times=1, action="drop", **options):
        return self.sandbox.faults.add(method, when=when, action=action, times=times, **options)

    async def pay(self, charge_id="order-106", **options):
        options = {"customer": "aziza", "deadline": 5.0, **options}
        return await self.charges.charge(charge_id, 50_000, ACCOUNT, **options)

    async def shown(self):
        return [(card.number[-4:], card.state) for card in await self.wallet.list("aziza")]

    def debits(self):
        return sum(entry.kind == "debit" for entry in self.sandbox.ledger())

    def removed(self):
        return {card.token for card in self.sandbox.cards() if card.removed}


@contextlib.asynccontextmanager
async def opened(style, sandbox, ledger, key=KEY):
    client = make(style, sandbox.merchant_id, key, base_url=sandbox.url, timeout=3.0, proxy="")
    yield client
    await client.aclose()


@pytest.fixture
async def world(style, sandbox, tmp_path):
    ledger = await make_ledger(style, f"sqlite:///{tmp_path / 'payme.db'}")
    async with opened(style, sandbox, ledger) as client:
        yield World(style, sandbox, client, ledger)
    await ledger.close()


# Adding.


async def test_a_card_is_saved_as_payme_shows_it_and_charged_by_its_customer(world):
    card = await world.wallet.add("aziza", world.token, recurring=True)
    assert (card.customer, card.number, card.expire) == ("aziza", "860006******6311", "03/99")
    assert (card.state, card.is_default, card.can_be_charged) == (S.READY, True, True)
    assert await world.wallet.list("aziza") == [card]
    assert await world.wallet.default("aziza") == card
    assert await world.wallet.get(card.id) == card
    charge = await world.pay()
    assert charge.is_paid
    assert world.debits() == 1
    events = await world.charges.history("order-106")
    assert [e.evidence for e in events][-2] == f"receipts.pay begins; card {card.id}"


async def test_a_card_that_is_not_verified_is_refused(world):
    token = world.sandbox.add_card(verified=False)
    with pytest.raises(CardUnusable, match="not verified") as refused:
        await world.wallet.add("aziza", token)
    assert (refused.value.reason, refused.value.card) == ("unverified", None)
    assert await world.wallet.list("aziza") == []


async def test_for_recurring_payments_payme_must_say_that_it_can_be_charged_again(world):
    token = world.sandbox.add_card(save=False)
    with pytest.raises(CardUnusable, match="can't be charged again") as refused:
        await world.wallet.add("aziza", token, recurring=True)
    assert refused.value.reason == "not recurrent"
    assert await world.wallet.list("aziza") == []
    assert not (await world.wallet.add("aziza", token)).recurrent


async def test_a_card_that_has_expired_is_refused(world, monkeypatch):
    monkeypatch.setattr(procedures, "since_1970", lambda: 4_150_000_000.0)
    with pytest.raises(CardUnusable, match=r"expired \(03/99\)"):
        await world.wallet.add("aziza", world.token)
    assert await world.wallet.list("aziza") == []


async def test_a_token_that_payme_does_not_know_is_refused(world):
    await world.client.cards.remove(world.token)
    with pytest.raises(NotFound):
        await world.wallet.add("aziza", world.token)
    with pytest.raises(InvalidRequest):
        await world.wallet.add("aziza", "no-token-at-all")
    assert await world.wallet.list("aziza") == []


async def test_when_the_answer_of_check_is_lost_it_is_asked_again(world):
    lost = world.lose("cards.check", times=2)
    assert (await world.wallet.add("aziza", world.token)).can_be_charged
    assert lost.left == 0


@pytest.mark.parametrize("when", ["before", "after", "mid_body"])
async def test_while_no_answer_comes_nothing_is_stored_and_it_can_be_added_again(when, world):
    world.lose("cards.check", when=when, times=3)
    with pytest.raises(OutcomeUnknown):
        await world.wallet.add("aziza", world.token)
    assert await world.wallet.list("aziza") == []
    assert (await world.wallet.add("aziza", world.token)).can_be_charged


async def test_a_card_added_many_times_at_once_is_kept_once(world):
    ends = await asyncio.gather(*(world.wallet.add("aziza", world.token) for _ in range(8)))
    assert len({card.id for card in ends}) == 1
    again = await world.add(number=NUMBER)
    assert await world.wallet.list("aziza") == [again]
    assert again.id == ends[0].id


async def test_a_card_of_another_customer_is_refused(world):
    card = await world.wallet.add("aziza", world.token)
    with pytest.raises(CardConflict):
        await world.wallet.add("bek", world.token)
    with pytest.raises(CardNotFound):
        await world.pay(customer="bek")
    assert await world.wallet.list("bek") == []
    assert await world.wallet.list("aziza") == [card]
    assert world.debits() == 0


def answering(**members):
    """A Payme that shows a card otherwise than it was asked for."""

    def handle(body, auth):
        request = json.loads(body)
        card = {"number": "8600069195406311", "expire": "03/99", "recurrent": True, "verify": True}
        result = {"card": {**card, "token": request["params"]["token"], **members}}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()

    return Payme("5e730e8e0b852a417aa49ceb", KEY, transport=MemoryTransport(handle))


def test_what_the_answer_shows_is_masked_and_the_token_that_was_asked_about_is_kept(tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[LEDGER_KEY])
    client = answering(token="63119784d15d8d8d093b37b9_someothertoken")
    card = Wallet(client, ledger).add("aziza", "63119784d15d8d8d093b37b8_token")
    assert card.number == "860006******6311"
    assert ledger.cards.load(card.id).token.open() == "63119784d15d8d8d093b37b8_token"
    ledger.close()


@pytest.mark.parametrize(
    ("expire", "month", "reason"),
    [
        ("11/26", (2026, 11, 30), None),
        ("11/26", (2026, 12, 2), None),  # the clocks of a bank and of a shop may differ
        ("11/26", (2026, 12, 4), "expired"),
        ("12/26", (2027, 1, 2), None),
        ("12/26", (2027, 1, 4), "expired"),
        ("00/00", (2026, 1, 1), None),  # nothing that can be read
        ("13/20", (2026, 1, 1), None),
        ("2611", (2026, 1, 1), None),
    ],
)
def test_a_card_is_good_until_the_end_of_its_month(expire, month, reason, tmp_path, monkeypatch):
    from datetime import UTC, datetime

    monkeypatch.setattr(procedures, "since_1970", lambda: datetime(*month, tzinfo=UTC).timestamp())
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[LEDGER_KEY])
    wallet = Wallet(answering(expire=expire), ledger)
    if reason is None:
        assert wallet.add("aziza", "63119784d15d8d8d093b37b8_token").expire == expire
    else:
        with pytest.raises(CardUnusable) as refused:
            wallet.add("aziza", "63119784d15d8d8d093b37b8_token")
        assert refused.value.reason == reason
    ledger.close()


# The default.


async def test_another_default_is_charged(world):
    first = await world.wallet.add("aziza", world.token)
    second = await world.add()
    assert [first.is_default, second.is_default] == [True, False]
    assert (await world.wallet.make_default(second.id)).is_default
    assert [card.id for card in await world.wallet.list("aziza")] == [second.id, first.id]
    charge = await world.pay()
    receipt = await world.client.receipts.get(charge.receipt_id)
    assert receipt.card.number[-4:] == OTHER[-4:]
    events = await world.charges.history("order-106")
    assert events[-2].evidence == f"receipts.pay begins; card {second.id}"


async def test_when_the_default_is_removed_another_takes_its_place(world):
    first = await world.wallet.add("aziza", world.token)
    second = await world.add(default=True)
    await world.wallet.remove(second.id)
    assert (await world.wallet.default("aziza")).id == first.id
    assert (await world.pay()).is_paid
    await world.wallet.remove(first.id)
    assert await world.wallet.default("aziza") is None
    with pytest.raises(CardNotFound, match="'aziza' has no default card"):
        await world.pay("order-107")
    with pytest.raises(ChargeNotFound):
        await world.charges.get("order-107")


# Charges.


@pytest.mark.parametrize("both", [True, False])
async def test_a_charge_takes_a_token_or_a_customer(both, world):
    await world.wallet.add("aziza", world.token)
    given = {"token": world.token, "customer": "aziza"} if both else {"customer": None}
    said = "both" if both else "neither"
    for ask in (world.charges.charge, world.charges.submit):
        with pytest.raises(InvalidArgument, match=f"got '{said}'.*exactly one") as refused:
            await ask("order-106", 50_000, ACCOUNT, **given)
        assert world.token not in str(refused.value)
    with pytest.raises(InvalidArgument, match="exactly one"):
        await world.charges.pay_with("order-106", **given)
    with pytest.raises(ChargeNotFound):
        await world.charges.get("order-106")


async def test_asked_again_it_is_the_same_charge_whatever_became_of_the_card(world):
    card = await world.wallet.add("aziza", world.token)
    charge = await world.pay()
    assert await world.pay() == charge
    await world.wallet.remove(card.id)
    assert await world.pay() == charge
    assert world.debits() == 1


async def test_a_charge_is_submitted_with_the_card_and_driven_later(world):
    await world.wallet.add("aziza", world.token)
    payer = Payer(phone=PHONE)
    charge = await world.charges.submit("order-106", 50_000, ACCOUNT, customer="aziza", payer=payer)
    assert charge.state == ChargeState.NEW
    assert (await world.ledger.load("order-106")).means.payer == payer
    assert (await world.charges.advance("order-106")).is_paid


async def test_a_charge_with_a_saved_card_is_stored_in_the_merchants_own_transaction(world):
    await world.wallet.add("aziza", world.token)
    engine = inner(world.ledger)._engine
    given = ("order-106", 50_000, ACCOUNT)
    try:
        if world.style == ASYNCIO:
            async with engine.begin() as connection:
                await world.charges.submit(*given, customer="aziza", connection=connection)
                raise ZeroDivisionError
        with engine.begin() as connection:
            world.charges._inner.submit(*given, customer="aziza", connection=connection)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with pytest.raises(ChargeNotFound):
        await world.charges.get("order-106")


async def test_a_card_that_refuses_stays_and_another_one_pays(world):
    """No money on it is nothing that a card is marked for."""
    poor = await world.add(number=POOR)
    good = await world.wallet.add("aziza", world.token)
    assert (await world.pay()).state == ChargeState.REFUSED
    assert (await world.wallet.get(poor.id)).can_be_charged
    await world.wallet.make_default(good.id)
    charge = await world.charges.pay_with("order-106", customer="aziza", deadline=5.0)
    assert (charge.is_paid, charge.receipts) == (True, 1)
    assert world.debits() == 1
    with pytest.raises(CardNotFound):
        await world.charges.pay_with("order-106", customer="bek")


@pytest.mark.parametrize("given", ["token", "customer"])
async def test_with_another_card_the_payer_stays(given, world):
    card = await world.wallet.add("aziza", world.token)
    payer = Payer(phone=PHONE)
    poor = world.sandbox.add_card(number=POOR)
    await world.pay(customer=None, token=poor, payer=payer)
    other = {"token": world.token} if given == "token" else {"customer": "aziza"}
    assert (await world.charges.pay_with("order-106", **other, deadline=5.0)).is_paid
    means = (await world.ledger.load("order-106")).means
    assert (means.payer, means.card) == (payer, card.id if given == "customer" else None)


async def test_a_token_that_payme_no_longer_knows_marks_the_card_and_never_the_money(world):
    await world.add(number=OTHER)
    card = await world.wallet.add("aziza", world.token, default=True)
    await world.client.cards.remove(world.token)
    charge = await world.pay()
    assert (charge.state, charge.code) == (ChargeState.REFUSED, -31400)
    assert world.debits() == 0
    gone = await world.wallet.get(card.id)
    assert (gone.state, gone.is_default, gone.can_be_charged) == (S.GONE, True, False)
    assert gone.evidence == "charge order-106: receipts.pay: NotFound -31400"
    # Nobody chose the other card, so nothing is taken from it.
    with pytest.raises(CardUnusable, match="gone") as refused:
        await world.pay("order-107")
    assert (refused.value.reason, refused.value.card) == ("gone", gone)
    with pytest.raises(ChargeNotFound):
        await world.charges.get("order-107")
    assert (await world.charges.retry("order-106", deadline=5.0)).state == ChargeState.REFUSED
    again = await world.add(number=NUMBER)
    assert (again.id, again.state) == (card.id, S.READY)
    assert (await world.charges.pay_with("order-106", customer="aziza", deadline=5.0)).is_paid
    assert world.debits() == 1


async def test_a_refusal_that_is_not_about_the_token_marks_nothing(world):
    card = await world.wallet.add("aziza", world.token)
    world.lose("receipts.pay", when="before", action="rpc_error", code=-31630, message="-")
    assert (await world.pay()).state == ChargeState.REFUSED
    assert (await world.wallet.get(card.id)).can_be_charged


async def test_a_charge_that_waits_is_not_paid_with_a_card_that_is_being_removed(world):
    card = await world.wallet.add("aziza", world.token)
    await world.charges.submit("order-106", 50_000, ACCOUNT, customer="aziza")
    world.lose("cards.remove", when="before")
    with pytest.raises(OutcomeUnknown):
        await world.wallet.remove(card.id)
    assert world.removed() == set()  # Payme would still take money with it
    charge = await world.charges.advance("order-106")
    assert (charge.state, charge.code) == (ChargeState.REFUSED, None)
    assert charge.evidence == f"wallet: card {card.id} withdrawn"
    assert (charge.attempts, world.debits()) == (0, 0)
    assert (await world.charges.retry("order-106", deadline=5.0)).state == ChargeState.REFUSED
    assert world.debits() == 0
    await world.add()
    assert (await world.charges.pay_with("order-106", customer="aziza", deadline=5.0)).is_paid
    assert world.debits() == 1


async def test_a_charge_whose_card_was_withdrawn_can_be_cancelled(world):
    card = await world.wallet.add("aziza", world.token)
    await world.charges.submit("order-106", 50_000, ACCOUNT, customer="aziza")
    await world.wallet.remove(card.id)
    assert (await world.charges.advance("order-106")).state == ChargeState.REFUSED
    assert (await world.charges.cancel("order-106", deadline=5.0)).state == ChargeState.FAILED
    assert [receipt.state for receipt in world.sandbox.receipts()] == [50]


# Removal.


async def test_a_card_is_removed_at_payme_and_here(world):
    card = await world.wallet.add("aziza", world.token)
    assert await world.wallet.remove(card.id) is None
    assert world.removed() == {world.token}
    assert await world.wallet.list("aziza") == []
    for ask in (world.wallet.remove, world.wallet.get, world.wallet.refresh):
        with pytest.raises(CardNotFound, match=card.id):
            await ask(card.id)


async def test_a_card_that_payme_does_not_know_is_removed_here(world):
    card = await world.wallet.add("aziza", world.token)
    await world.client.cards.remove(world.token)
    await world.wallet.remove(card.id)
    assert await world.wallet.list("aziza") == []


@pytest.mark.parametrize("when", ["before", "after", "mid_body"])
async def test_when_the_answer_of_remove_is_lost_another_call_finishes(when, world):
    card = await world.wallet.add("aziza", world.token)
    world.lose("cards.remove", when=when)
    with pytest.raises(OutcomeUnknown):
        await world.wallet.remove(card.id)
    assert await world.shown() == [("6311", S.REMOVING)]
    assert world.removed() == (set() if when == "before" else {world.token})
    assert await world.wallet.default("aziza") is None
    with pytest.raises(CardNotFound):
        await world.pay()
    with pytest.raises(CardConflict if when == "before" else NotFound):
        await world.wallet.add("aziza", world.token)
    await world.wallet.remove(card.id)
    assert world.removed() == {world.token}
    assert await world.wallet.list("aziza") == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_recover_finishes_the_removals_that_were_begun(when, world):
    made = [await world.wallet.add("aziza", world.token), await world.add()]
    kept = await world.add("bek", number=NUMBER)
    world.lose("cards.remove", when=when, times=2)
    for card in made:
        with pytest.raises(OutcomeUnknown):
            await world.wallet.remove(card.id)
    world.lose("cards.remove", when="before")  # one more is lost, the others are done
    assert await world.wallet.recover() == 1
    assert await world.wallet.recover() == 1
    assert await world.wallet.recover() == 0
    assert await world.wallet.list("aziza") == []
    assert await world.wallet.list("bek") == [kept]


async def test_a_process_that_dies_before_the_removal_leaves_leaves_the_intent(world, monkeypatch):
    class Killed(BaseException):
        pass

    def die(call, session, **_):
        raise Killed

    card = await world.wallet.add("aziza", world.token)
    with monkeypatch.context() as dying:
        dying.setattr(flows, "start", die)
        with pytest.raises(Killed):
            await world.wallet.remove(card.id)
    assert await world.shown() == [("6311", S.REMOVING)]
    assert await world.wallet.recover() == 1
    assert world.removed() == {world.token}


@pytest.mark.parametrize(
    ("code", "error"), [(-32504, AccessDenied), (-31001, Rejected), (-32400, OutcomeUnknown)]
)
async def test_while_payme_refuses_to_remove_it_stays_and_is_not_charged(code, error, world):
    card = await world.wallet.add("aziza", world.token)
    world.lose("cards.remove", when="before", action="rpc_error", code=code, times=2)
    with pytest.raises(error):
        await world.wallet.remove(card.id)
    assert await world.shown() == [("6311", S.REMOVING)]
    if error is AccessDenied:
        with pytest.raises(AccessDenied):
            await world.wallet.recover()
    else:
        assert await world.wallet.recover() == 0
    await world.wallet.remove(card.id)
    assert await world.shown() == []


async def test_without_a_key_no_removal_is_begun(world):
    card = await world.wallet.add("aziza", world.token)
    async with opened(world.style, world.sandbox, world.ledger, key="") as keyless:
        wallet = world.wallet_of(keyless)
        with pytest.raises(ConfigurationError, match=r"cards\.remove needs the key"):
            await wallet.remove(card.id)
        with pytest.raises(ConfigurationError, match=r"cards\.remove needs the key"):
            await wallet.recover()
        assert (await wallet.refresh(card.id)).can_be_charged  # id alone is enough for a look
    assert await world.shown() == [("6311", S.READY)]


def test_an_answer_that_says_no_removes_nothing(tmp_path):
    def handle(body, auth):
        request = json.loads(body)
        return json.dumps({"id": request["id"], "result": {"success": False}}).encode()

    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[LEDGER_KEY])
    card = Wallet(answering(), ledger).add("aziza", "63119784d15d8d8d093b37b8_token")
    client = Payme("5e730e8e0b852a417aa49ceb", KEY, transport=MemoryTransport(handle))
    wallet = Wallet(client, ledger)
    with pytest.raises(ProtocolError, match="success: false"):
        wallet.remove(card.id)
    assert wallet.get(card.id).state is S.REMOVING
    assert wallet.recover() == 0
    ledger.close()


async def test_a_card_is_removed_by_many_at_once(world):
    card = await world.wallet.add("aziza", world.token)
    removals = [world.wallet.remove(card.id) for _ in range(6)]
    ends = await asyncio.gather(*removals, return_exceptions=True)
    assert {type(end) for end in ends} <= {type(None), CardNotFound}
    assert None in ends
    assert await world.shown() == []


async def test_a_card_that_is_being_removed_is_neither_chosen_nor_looked_at(world):
    card = await world.wallet.add("aziza", world.token)
    world.lose("cards.remove", when="before")
    with pytest.raises(OutcomeUnknown):
        await world.wallet.remove(card.id)
    with pytest.raises(CardUnusable, match="being removed"):
        await world.wallet.make_default(card.id)
    asked = world.lose("cards.check", when="before", action="rpc_error")
    assert (await world.wallet.refresh(card.id)).state is S.REMOVING
    assert asked.fired == 0


# Looking again.


async def test_a_card_is_looked_at_again(world, monkeypatch):
    card = await world.wallet.add("aziza", world.token)
    with monkeypatch.context() as later:
        later.setattr(procedures, "since_1970", lambda: 4_150_000_000.0)
        assert (await world.wallet.refresh(card.id)).state is S.EXPIRED
    with pytest.raises(CardUnusable, match="expired"):
        await world.pay()
    back = await world.wallet.refresh(card.id)
    assert (back.state, back.evidence, back.is_default) == (S.READY, "cards.check", True)
    assert (await world.pay()).is_paid


async def test_a_card_that_was_removed_at_payme_is_marked_gone(world):
    card = await world.wallet.add("aziza", world.token)
    await world.client.cards.remove(world.token)
    gone = await world.wallet.refresh(card.id)
    assert (gone.state, gone.evidence) == (S.GONE, "cards.check: NotFound -31400")
    assert (gone.number, gone.is_default) == ("860006******6311", True)
    with pytest.raises(CardUnusable, match="gone"):
        await world.pay()
    assert world.debits() == 0


@pytest.mark.parametrize(
    ("code", "message", "state"),
    [
        (-31301, "Срок действия карты истек", S.EXPIRED),
        (-32500, "Invalid token format.", S.GONE),
        (-31400, "-", S.GONE),
    ],
)
async def test_a_refusal_of_check_that_is_about_the_card_marks_it(code, message, state, world):
    card = await world.wallet.add("aziza", world.token)
    world.lose("cards.check", when="before", action="rpc_error", code=code, message=message)
    assert (await world.wallet.refresh(card.id)).state is state
    assert (await world.wallet.refresh(card.id)).state is S.READY


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"action": "rpc_error", "code": -31001, "message": "-"}, ServiceUnavailable),
        ({"action": "rpc_error", "code": -32504, "message": "-"}, AccessDenied),
        ({"action": "drop"}, OutcomeUnknown),
        ({"action": "http_status"}, OutcomeUnknown),
    ],
)
async def test_what_says_nothing_about_the_card_changes_nothing(fault, error, world):
    card = await world.wallet.add("aziza", world.token)
    world.lose("cards.check", when="before", times=3, **fault)
    with pytest.raises((error, Rejected) if error is ServiceUnavailable else error):
        await world.wallet.refresh(card.id)
    assert await world.wallet.get(card.id) == card


def test_a_card_that_is_no_longer_verified_is_marked(tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[LEDGER_KEY])
    card = Wallet(answering(), ledger).add("aziza", "63119784d15d8d8d093b37b8_token")
    assert Wallet(answering(verify=False), ledger).refresh(card.id).state is S.UNVERIFIED
    other = Wallet(answering(recurrent=False, expire="09/99"), ledger).refresh(card.id)
    assert (other.state, other.recurrent, other.expire) == (S.READY, False, "09/99")
    ledger.close()


# Bad input.


HOSTILE = [
    *("", " ", "a b", "a\0b", "a\nb", "\ud800", "x" * 129, "\u202eaziza", "aziza\u200b"),
    *(None, 7, True, b"aziza", ["aziza"], {"id": 1}, object()),
]


@pytest.mark.parametrize("customer", HOSTILE, ids=[ascii(one)[:20] for one in HOSTILE])
async def test_a_customer_that_is_none_is_refused_before_anything_is_asked(customer, world):
    asked = world.lose("cards.check", when="before")
    for ask in (
        lambda: world.wallet.add(customer, world.token),
        lambda: world.wallet.list(customer),
        lambda: world.wallet.default(customer),
        lambda: world.charges.charge("order-106", 50_000, ACCOUNT, customer=customer),
    ):
        with pytest.raises(InvalidArgument, match="customer"):
            await ask()
    assert asked.fired == 0


@pytest.mark.parametrize("customer", ["aziza@example.uz", PHONE, "';--", "../..", "Ўткир", "%s{0}"])
async def test_a_customer_may_be_what_a_shop_calls_them(customer, world):
    card = await world.wallet.add(customer, world.token)
    assert await world.wallet.list(customer) == [card]
    assert card.customer == customer
    assert (await world.pay(customer=customer)).is_paid
    assert await world.wallet.list(customer[:-1]) == []


async def test_swapped_arguments_are_refused_without_the_token(world):
    with pytest.raises(InvalidArgument, match="swapped") as refused:
        await world.wallet.add(world.token, "aziza")
    assert world.token not in str(refused.value)
    for ask in (world.wallet.get, world.wallet.remove, world.wallet.refresh):
        with pytest.raises(InvalidArgument, match=r"card_id.*swapped") as refused:
            await ask(world.token)
        assert world.token not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"recurring": "false"}, "recurring"),
        ({"recurring": None}, "recurring"),
        ({"default": "false"}, "default"),
        ({"default": 1}, "default"),
    ],
)
async def test_a_switch_that_is_none_is_refused(options, name, world):
    with pytest.raises(InvalidArgument, match=f"{name}: .*True"):
        await world.wallet.add("aziza", world.token, **options)


def test_a_ledger_that_keeps_no_cards_is_refused(sandbox):
    class Bare:
        pass

    client = Payme(sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="")
    with pytest.raises(ConfigurationError, match="Bare keeps no saved cards"):
        Wallet(client, Bare())
    client.close()


def test_a_ledger_may_be_given_as_its_url(sandbox, tmp_path):
    with Payme(sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="") as payme:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wallet = Wallet(payme, f"sqlite:///{tmp_path / 'payme.db'}")
        assert wallet.add("aziza", sandbox.add_card()).can_be_charged
        wallet._ledger.close()


def test_both_wallets_have_the_same_methods():
    for name, method in vars(Wallet).items():
        if name.startswith("_"):
            continue
        twin = vars(AsyncWallet)[name]
        assert inspect.signature(method) == inspect.signature(twin), name
        assert method.__doc__ == twin.__doc__, name
        assert inspect.iscoroutinefunction(twin), name
    assert {name for name in vars(AsyncWallet) if name[0] != "_"} == {
        name for name in vars(Wallet) if name[0] != "_"
    }


# Secrets.


async def test_nothing_shows_a_secret(world, caplog):
    caplog.set_level(logging.DEBUG)
    customer = "aziza.canary@example.uz"
    card = await world.wallet.add(customer, world.token)
    stored = await world.cards.load(card.id)
    world.lose(
        "cards.check", when="before", action="rpc_error", times=3, message=f"{world.token} {KEY}"
    )
    shown = [repr(card), repr(stored), repr(stored.means()), caplog.text, repr(world.wallet)]
    try:
        await world.wallet.refresh(card.id)
    except Rejected as error:
        shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
    await world.client.cards.remove(world.token)
    charge = await world.pay(customer=customer)
    shown += [repr(charge), repr(charge.message), repr(await world.charges.history("order-106"))]
    try:
        await world.pay("order-107", customer=customer)
    except CardUnusable as error:
        shown += [str(error), repr(error), repr(error.card)]
    await world.wallet.remove(card.id)
    try:
        await world.pay("order-107", customer=customer)
    except CardNotFound as error:
        shown += [str(error), repr(error)]
    assert len(shown) == 16
    # SQLite's driver for asyncio logs every statement, and a customer's id is no secret in it.
    for text in [*shown, caplog.text]:
        for secret in (world.token, KEY, LEDGER_KEY):
            assert secret not in text
    shown = [text for text in shown if "aiosqlite" not in text]
    assert [text for text in shown if customer in text] == []


def shown_locals(error):
    found = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    return "".join(found.format())


MISTAKES = {
    "recurring": lambda wallet, charges, card: wallet.add("bek", card(), recurring=1),
    "customer": lambda wallet, charges, card: wallet.add("", card()),
    "swapped": lambda wallet, charges, card: wallet.add(card(), "aziza"),
    "conflict": lambda wallet, charges, card: wallet.add("bek", card()),
    "lost": lambda wallet, charges, card: wallet.add("aziza", card()),
    "both": lambda wallet, charges, card: charges.charge(
        "order-1", 1000, ACCOUNT, card(), customer="aziza"
    ),
    "pay_with": lambda wallet, charges, card: charges.pay_with("order-1", card(), customer="a"),
}


@pytest.mark.parametrize("name", MISTAKES)
async def test_no_frame_of_an_error_holds_a_secret(name, world):
    await world.wallet.add("aziza", world.token)
    if name == "lost":
        world.lose("cards.check", times=9)
    token = world.__dict__.pop("token")
    holder = [token]
    secrets = [token, KEY, LEDGER_KEY]
    try:
        came = MISTAKES[name](inner(world.wallet), inner(world.charges), holder.pop)
        if inspect.isawaitable(came):
            await came
    except Exception as error:
        found = error.with_traceback(error.__traceback__.tb_next)
    else:
        raise AssertionError("nothing was raised")
    text = shown_locals(found)
    assert [number for number, secret in enumerate(secrets) if secret in text] == []
