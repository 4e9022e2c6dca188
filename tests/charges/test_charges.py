"""`Charges` and `AsyncCharges` against the embedded sandbox, with what goes wrong on the way."""

import asyncio
import inspect
import logging
import re
import signal
import threading
import time
import traceback
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.event import listens_for

from charges.ledgers import KEY as LEDGER_KEY
from charges.ledgers import inner, make_ledger, next_of
from payme import Payer, Payme
from payme.charges import (
    AsyncCharges,
    ChargeConflict,
    ChargeNotFound,
    Charges,
    ChargeState,
    Policy,
    SqlLedger,
    pace,
    procedures,
)
from payme.charges.core import Charge
from payme.charges.ledger import FARTHEST
from payme.charges.pace import Pace
from payme.errors import InvalidArgument
from payme.sandbox import Sandbox
from payme.transport.base import Reply
from support.clients import ASYNCIO, Awaited, make

pytestmark = pytest.mark.anyio

KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
POOR = "8600318600000007"
PHONE, EMAIL = "998901304527", "aziza.canary@example.uz"
POLICY = Policy(ask_for=0.6, look_for=0.3, first_pause=0.05, longest_pause=0.2, lease=2.0)
ACCOUNT = {"order_id": 106}


@pytest.fixture
def sandbox():
    with Sandbox(key=KEY) as sandbox:
        yield sandbox


class World:
    """A client, a ledger and charges of one style, and the sandbox behind them."""

    def __init__(self, style, sandbox, client, ledger):
        self.sandbox = sandbox
        self.client = client
        self.ledger = ledger
        self.style = style
        self.charges = self.make()
        self.card, self.poor = sandbox.add_card(), sandbox.add_card(number=POOR)

    def make(self, client=None, policy=POLICY):
        client = client or self.client
        if self.style == ASYNCIO:
            return AsyncCharges(client, self.ledger, policy=policy)
        return Awaited(Charges(client._inner, self.ledger._inner, policy=policy))

    def lose(self, method, when="after", times=1, action="drop", **options):
        return self.sandbox.faults.add(method, when=when, action=action, times=times, **options)

    async def pay(self, charge_id="order-106", **options):
        options = {"token": self.card, "deadline": 5.0, **options}
        return await self.charges.charge(charge_id, 50_000, ACCOUNT, **options)

    async def found(self, *args, **options):
        charges = inner(self.charges).iterate(*args, **options)
        if self.style == ASYNCIO:
            return [charge async for charge in charges]
        return list(charges)

    def standing(self):
        signs = {"debit": 1, "hold": 1, "refund": -1, "release": -1, "capture": 0, "confirm": 0}
        return sum(signs[entry.kind] for entry in self.sandbox.ledger())


@pytest.fixture
async def world(style, sandbox, tmp_path):
    ledger = await make_ledger(style, f"sqlite:///{tmp_path / 'payme.db'}")
    client = make(style, sandbox.merchant_id, KEY, base_url=sandbox.url, timeout=3.0, proxy="")
    yield World(style, sandbox, client, ledger)
    await client.aclose()
    await ledger.close()


# How a charge goes.


async def test_a_charge_is_paid_and_asked_again_it_takes_nothing(world):
    charge = await world.pay()
    assert charge.is_paid
    assert charge.rests
    assert charge.evidence == "receipts.pay: PAID"
    assert await world.pay() == charge
    assert await world.charges.get("order-106") == charge
    assert world.standing() == 1
    events = await world.charges.history("order-106")
    assert [event.after.value for event in events] == ["new", "open", "paying", "paid"]
    assert [event.evidence for event in events][-2:] == ["receipts.pay begins", charge.evidence]


async def test_many_ask_for_the_same_charge_at_once(world):
    """Twelve clicks on one button, in one process: one debit, and all are told the end."""
    ends = await asyncio.gather(*(world.pay() for _ in range(12)))
    assert {end.state for end in ends} == {ChargeState.PAID}
    assert world.standing() == 1
    assert len(world.sandbox.receipts()) == 1


async def test_other_money_is_a_conflict(world):
    await world.pay()
    with pytest.raises(ChargeConflict, match="another amount") as refused:
        await world.charges.charge("order-106", 50_001, ACCOUNT, world.card)
    assert refused.value.differs == ("amount",)


async def test_refused_and_paid_with_another_card(world):
    charge = await world.pay(token=world.poor)
    assert (charge.state, charge.code) == (ChargeState.REFUSED, -31630)
    assert (await world.charges.retry("order-106", deadline=5.0)).state == ChargeState.REFUSED
    charge = await world.charges.pay_with("order-106", world.card, deadline=5.0)
    assert charge.is_paid
    assert (charge.receipts, charge.attempts, charge.code) == (1, 3, None)
    assert world.standing() == 1
    with pytest.raises(ChargeConflict, match="is paid: can't retry it"):
        await world.charges.pay_with("order-106", world.card)


async def test_hold_and_confirm(world):
    charge = await world.pay(hold=True)
    assert charge.state == ChargeState.HELD
    assert (await world.charges.confirm("order-106", deadline=5.0)).is_paid
    assert (await world.charges.confirm("order-106", deadline=5.0)).is_paid


async def test_hold_and_cancel(world):
    await world.pay(hold=True)
    charge = await world.charges.cancel("order-106", deadline=5.0)
    assert charge.state == ChargeState.FAILED
    assert world.sandbox.receipt(charge.receipt_id).state == 50


async def test_refund(world):
    await world.pay()
    charge = await world.charges.refund("order-106", deadline=5.0)
    assert charge.state == ChargeState.REFUNDED
    assert world.standing() == 0
    assert await world.charges.refund("order-106", deadline=5.0) == charge


async def test_cancel_before_anything_was_asked(world):
    await world.charges.submit("order-106", 50_000, ACCOUNT, world.card)
    charge = await world.charges.cancel("order-106", deadline=5.0)
    assert charge.state == ChargeState.FAILED
    assert world.sandbox.receipts() == []
    # Given up stays given up, until somebody retries.
    assert (await world.pay()).state == ChargeState.FAILED
    assert (await world.charges.retry("order-106", deadline=5.0)).is_paid


async def test_cancel_while_a_payment_is_unanswered(world):
    world.lose("receipts.pay", "before")
    world.lose("receipts.get", "before", times=None)
    charge = await world.pay(deadline=0.5)
    assert charge.state == ChargeState.PAYING
    charge = await world.charges.cancel("order-106", deadline=0.2)
    assert charge.given_up
    world.sandbox.faults.clear()
    await world.charges.run(drain=True)
    charge = await world.charges.get("order-106")
    assert charge.state == ChargeState.FAILED
    assert charge.receipts == 1
    assert world.standing() == 0


async def test_cancel_while_the_answer_is_on_its_way(world):
    world.lose("receipts.pay", action="delay", delay_ms=400)
    paying = asyncio.create_task(world.pay())
    while not any(one.state == 4 for one in world.sandbox.receipts()):
        await asyncio.sleep(0.02)
    charge = await world.charges.cancel("order-106", deadline=5.0)
    assert (await paying).is_paid
    assert charge.is_paid
    assert world.standing() == 1


async def test_a_paid_charge_can_not_be_cancelled(world):
    await world.pay()
    with pytest.raises(ChargeConflict, match="is paid: can't cancel it"):
        await world.charges.cancel("order-106")


@pytest.mark.parametrize("when", ["before", "after", "mid_body"])
@pytest.mark.parametrize("method", ["receipts.create", "receipts.pay"])
async def test_a_lost_answer_ends_paid_once(method, when, world):
    world.lose(method, when)
    assert (await world.pay(deadline=10.0)).is_paid
    assert world.standing() == 1


async def test_a_deadline_shorter_than_the_answer(world):
    world.lose("receipts.pay", action="delay", delay_ms=1500)
    begun = time.monotonic()
    charge = await world.pay(deadline=0.5)
    assert time.monotonic() - begun < 1.2
    assert charge.state == ChargeState.PAYING
    assert not charge.rests
    await world.charges.run(drain=True)
    assert (await world.charges.get("order-106")).is_paid
    assert world.standing() == 1


@pytest.mark.slow
async def test_an_outage_is_not_hammered(world):
    """It was: near the deadline a charge was driven again without any pause."""
    world.sandbox.faults.add("receipts.*", when="before", action="http_status", status=503)
    client = world.client.with_options(max_attempts=1)
    charges = world.make(client, Policy(first_pause=0.4, longest_pause=5.0))
    charge = await charges.charge("order-106", 50_000, ACCOUNT, world.card, deadline=1.5)
    assert charge.state == ChargeState.NEW
    assert 1 <= charge.tries <= 4


# A billing that refuses to take money back.


class Billing:
    """Takes every payment, and gives nothing back unless it refunds."""

    def __init__(self, refunds=False):
        self.refunds = refunds

    def __call__(self, body, headers):
        import json

        request = json.loads(body)
        answer = {"id": request["id"]}
        if request["method"] == "CancelTransaction" and not self.refunds:
            answer["error"] = {"code": -31007, "message": {"uz": "-", "ru": "-", "en": "No"}}
        else:
            now = request["params"].get("time", 1)
            state = {"PerformTransaction": 2, "CancelTransaction": -1}.get(request["method"], 1)
            times = {"create_time": now, "perform_time": now, "cancel_time": now}
            answer["result"] = {"allow": True, "transaction": "7", "state": state, **times}
        return 200, json.dumps(answer).encode()


async def test_a_refund_that_the_billing_refuses_leaves_it_paid(style, tmp_path):
    told = []

    def changed(connection, charge):
        told.append(charge.state)

    with Sandbox(key=KEY, merchant=Billing(), merchant_pauses=(0, 0)) as sandbox:
        ledger = await make_ledger(style, f"sqlite:///{tmp_path / 'payme.db'}", changed=changed)
        client = make(style, sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="")
        world = World(style, sandbox, client, ledger)
        assert (await world.pay()).is_paid
        charge = await world.charges.refund("order-106", deadline=5.0)
        assert charge.is_paid
        assert told == [ChargeState.PAID, ChargeState.PAID]
        assert world.standing() == 1
        await client.aclose()
        await ledger.close()


async def test_another_card_after_the_billing_closed_the_receipt(style, tmp_path):
    """Payme cancels a refused receipt with its transaction; another try ended as failed."""
    with Sandbox(key=KEY, merchant=Billing(refunds=True), merchant_pauses=(0, 0)) as sandbox:
        ledger = await make_ledger(style, f"sqlite:///{tmp_path / 'payme.db'}")
        client = make(style, sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="")
        world = World(style, sandbox, client, ledger)
        refused = await world.pay(token=world.poor)
        assert refused.state == ChargeState.REFUSED
        charge = await world.charges.pay_with("order-106", world.card, deadline=5.0)
        assert charge.is_paid
        assert (charge.receipts, charge.attempts) == (2, 2)
        assert charge.receipt_id != refused.receipt_id
        assert world.standing() == 1
        await client.aclose()
        await ledger.close()


async def test_a_receipt_that_was_paid_meanwhile_is_not_paid_again(world):
    """The look before another try: a refusal may have been wrong, or somebody else has paid it."""
    refused = await world.pay(token=world.poor)
    await world.client.receipts.pay(refused.receipt_id, world.card)
    charge = await world.charges.retry("order-106", deadline=5.0)
    assert charge.is_paid
    assert charge.evidence == "receipts.get: PAID"
    assert (charge.attempts, world.standing()) == (1, 1)


@pytest.fixture
async def lost_refund(style, tmp_path):
    """A refund that was lost on its way, and a billing that refuses every later one."""
    with Sandbox(key=KEY, merchant=Billing(), merchant_pauses=(0, 0)) as sandbox:
        ledger = await make_ledger(style, f"sqlite:///{tmp_path / 'payme.db'}")
        client = make(style, sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="")
        world = World(style, sandbox, client, ledger)
        world.charges = world.make(policy=POLICY._replace(max_tries=2))
        await world.pay()
        world.lose("receipts.cancel", "before")
        await world.charges.refund("order-106", deadline=1.0)
        await world.charges.run(drain=True)
        yield world
        await client.aclose()
        await ledger.close()


async def test_a_person_vouches_that_no_cancellation_is_on_its_way(lost_refund):
    """Such a charge stayed where it was for ever: no word could end it."""
    world = lost_refund
    charge = await world.charges.get("order-106")
    assert charge.needs_attention
    assert (charge.state, charge.cancels) == (ChargeState.REFUNDING, 1)
    charge = await world.charges.vouch("order-106")
    assert (charge.state, charge.cancels) == (ChargeState.PAID, 0)
    assert charge.evidence == "merchant: vouch; receipts.get: PAID"
    assert world.standing() == 1
    with pytest.raises(ChargeConflict, match="can't vouch"):
        await world.charges.vouch("order-106")


async def test_nobody_vouches_for_a_receipt_that_can_not_be_read(lost_refund):
    world = lost_refund
    world.lose("receipts.get", "before", times=None)
    charge = await world.charges.vouch("order-106")
    assert charge.needs_attention
    assert (charge.state, charge.cancels) == (ChargeState.REFUNDING, 1)
    assert charge.evidence == "merchant: vouch; asked: the receipt could not be read"


async def test_only_what_needs_attention_is_vouched_for(world):
    await submit(world, 1)
    for charge_id, text in (("order-0", "can't vouch"), ("order-9", "no charge has the id")):
        with pytest.raises((ChargeConflict, ChargeNotFound), match=text):
            await world.charges.vouch(charge_id)
    assert not world.sandbox.receipts()


# What is refused is refused before anything is stored.


@pytest.mark.parametrize(
    ("argument", "asked"),
    [
        ("id", {"id": ""}),
        ("id", {"id": "a b"}),
        ("id", {"id": "x" * 129}),
        ("id", {"id": 106}),
        ("id", {"id": "a\nb"}),
        ("amount", {"amount": 0}),
        ("amount", {"amount": True}),
        ("account", {"account": {}}),
        ("token", {"token": ""}),
        ("token", {"token": "6" * 24}),
        ("payer", {"payer": {"phone": PHONE}}),
        ("detail", {"detail": {"items": []}}),
        ("hold", {"hold": "no"}),
        ("description", {"description": 7}),
        ("deadline", {"deadline": 0}),
        ("deadline", {"deadline": "soon"}),
    ],
)
async def test_an_argument_is_refused_by_name(argument, asked, world):
    given = {"id": "order-106", "amount": 50_000, "account": ACCOUNT, "token": world.card, **asked}
    with pytest.raises(InvalidArgument) as refused:
        await world.charges.charge(**given)
    assert refused.value.argument == argument
    assert await world.found() == []
    assert world.sandbox.receipts() == []


@pytest.mark.parametrize(
    ("argument", "asked"),
    [
        ("in_flight", {"in_flight": 0}),
        ("in_flight", {"in_flight": 1.5}),
        ("per_second", {"per_second": 0}),
        ("per_second", {"per_second": "many"}),
    ],
)
async def test_how_to_run_is_refused_by_name(argument, asked, world):
    with pytest.raises(InvalidArgument) as refused:
        await world.charges.run(drain=True, **asked)
    assert refused.value.argument == argument


@pytest.mark.parametrize(
    ("argument", "asked"),
    [
        ("state", {"state": "done"}),
        ("state", {"state": 7}),
        ("since", {"since": datetime(2026, 1, 1)}),
        ("since", {"since": "today"}),
    ],
)
async def test_what_to_look_for_is_refused_by_name(argument, asked, world):
    with pytest.raises(InvalidArgument) as refused:
        await world.found(**asked)
    assert refused.value.argument == argument


async def test_a_charge_that_is_not_there(world):
    for ask in ("get", "advance", "confirm", "refund", "cancel", "retry"):
        with pytest.raises(ChargeNotFound, match="order-107"):
            await getattr(world.charges, ask)("order-107")
    with pytest.raises(ChargeNotFound):
        await world.charges.pay_with("order-107", world.card)
    assert await world.charges.history("order-107") == []


async def test_charges_are_found_by_state_and_time(world):
    await world.pay("order-1")
    await world.pay("order-2", token=world.poor)
    found = [one.id for one in await world.found("refused")]
    assert found == ["order-2"]
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert [one.id for one in await world.found(since=soon)] == []
    ago = datetime.now(UTC) - timedelta(hours=1)
    assert [one.id for one in await world.found(since=ago)] == ["order-1", "order-2"]


# Who drives.


async def submit(world, count, **options):
    for number in range(count):
        await world.charges.submit(f"order-{number}", 50_000, ACCOUNT, world.card, **options)


async def test_a_run_drains_what_was_submitted(world):
    await submit(world, 25)
    assert await world.charges.run(in_flight=5, drain=True) >= 25
    assert {one.state for one in await world.found()} == {ChargeState.PAID}
    assert world.standing() == 25
    assert await world.charges.run(drain=True) == 0


async def test_no_more_are_in_flight_than_asked_for(world):
    await submit(world, 12)
    at_once, most, lock = 0, 0, threading.Lock()
    advance = inner(world.charges)._procedures._advance

    def begin(change):
        nonlocal at_once, most
        with lock:
            at_once += change
            most = max(most, at_once)

    def counted(*arguments):
        begin(1)
        try:
            return (yield from advance(*arguments))
        finally:
            begin(-1)

    inner(world.charges)._procedures._advance = counted
    await world.charges.run(in_flight=3, drain=True)
    assert most == 3
    assert world.standing() == 12


@pytest.mark.slow
async def test_no_more_are_begun_in_a_second_than_asked_for(world):
    await submit(world, 9)
    begun = time.monotonic()
    await world.charges.run(in_flight=9, per_second=4, drain=True)
    assert 2.0 <= time.monotonic() - begun < 4.0


@pytest.mark.slow
async def test_a_hook_that_fails_holds_up_nobody_else(world, caplog):
    """It ended the whole run."""
    failing = {"order-1"}

    def changed(connection, charge):
        if charge.id in failing:
            raise ZeroDivisionError("the shop's own mistake")

    rows = inner(world.ledger)._rows
    inner(world.ledger)._rows = rows._replace(changed=changed)
    await submit(world, 4)
    stop = asyncio.Event() if world.style == ASYNCIO else threading.Event()
    running = asyncio.create_task(world.charges.run(in_flight=2, stop=stop))
    while len(await world.found("paid")) < 3:
        await asyncio.sleep(0.05)
    assert (await world.charges.get("order-1")).state == ChargeState.PAYING
    assert "order-1 could not be driven" in caplog.text
    failing.clear()
    while not (await world.charges.get("order-1")).is_paid:
        await asyncio.sleep(0.1)
    stop.set()
    assert await running >= 5
    assert world.standing() == 4


async def test_recover_drives_what_is_due_once(world):
    """It went on for as long as Payme was down."""
    await submit(world, 3)
    world.lose("receipts.*", "before", times=30, action="http_status")
    client = world.client.with_options(max_attempts=1)
    charges = world.make(client, POLICY._replace(first_pause=0.001, longest_pause=0.002))
    assert await charges.recover() == 3
    world.sandbox.faults.clear()
    await asyncio.sleep(0.05)
    assert await world.charges.recover() == 3
    assert world.standing() == 3


async def test_ids_of_what_is_due_are_told_and_driven_by_who_asked(world):
    await submit(world, 3)
    due = await world.charges.due()
    assert len(due) == 3
    assert await world.charges.due(limit=2) == due[:2]
    for charge_id in due:
        assert (await world.charges.advance(charge_id)).is_paid
    assert await world.charges.due() == []
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(InvalidArgument, match="limit"):
            await world.charges.due(limit=wrong)


async def test_a_charge_that_was_cancelled_with_its_request_is_recovered(world):
    if world.style != ASYNCIO:
        pytest.skip("a thread can't be cancelled; see the test of Ctrl+C")
    world.lose("receipts.pay", action="delay", delay_ms=500)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.pay(), 0.3)
    assert (await world.charges.get("order-106")).state == ChargeState.PAYING
    assert await world.charges.recover() == 1
    assert (await world.charges.get("order-106")).is_paid
    assert world.standing() == 1


def test_ctrl_c_in_the_middle_of_a_payment_is_recovered(sandbox, tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[LEDGER_KEY])
    sandbox.faults.add("receipts.pay", when="after", action="delay", delay_ms=600, times=1)

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    with Payme(sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="") as payme:
        charges = Charges(payme, ledger, policy=POLICY)
        signal.setitimer(signal.ITIMER_REAL, 0.35)
        try:
            with pytest.raises(KeyboardInterrupt):
                charges.charge("order-106", 50_000, ACCOUNT, sandbox.add_card())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert charges.get("order-106").state == ChargeState.PAYING
        assert charges.recover() == 1
        assert charges.get("order-106").is_paid
    assert len(sandbox.ledger()) == 1
    ledger.close()


async def test_a_clock_that_is_set_back_an_hour_loses_nothing(world, monkeypatch):
    world.lose("receipts.pay")
    world.lose("receipts.get", "before", times=None)
    assert (await world.pay(deadline=0.4)).state == ChargeState.PAYING
    world.sandbox.faults.clear()
    for module in (procedures, inspect.getmodule(type(inner(world.charges)))):
        monkeypatch.setattr(module, "since_1970", lambda: time.time() - 3600)
    monkeypatch.setattr(pace, "since_1970", lambda: time.time() - 3600)
    charge = await world.charges.advance("order-106")
    assert charge.is_paid
    assert (await world.pay("order-107")).is_paid
    assert world.standing() == 2


@pytest.mark.parametrize("by", ["run", "due"])
async def test_what_a_clock_that_was_ahead_put_off_is_not_waited_for(world, by):
    """The process died with the wrong clock; its successor waited until it was right again."""
    await submit(world, 2)
    years = 5e8
    for number, members in enumerate(({"due": time.time() + years}, {})):
        change = next_of(await world.charges.get(f"order-{number}"), **members)
        await world.ledger.save(change)
    await world.ledger.take("who died", "order-1", time.time(), time.time() + years)
    if by == "run":
        await world.charges.run(drain=True)
    else:
        for charge_id in await world.charges.due():
            await world.charges.advance(charge_id)
    assert {one.state for one in await world.found()} == {ChargeState.PAID}
    assert world.standing() == 2


async def test_a_lease_and_a_pause_that_are_not_over_are_left_alone(world):
    await submit(world, 2)
    now = time.time()
    await world.ledger.save(next_of(await world.charges.get("order-0"), due=now + FARTHEST / 2))
    await world.ledger.take("another", "order-1", now, now + FARTHEST / 2)
    assert await world.charges.recover() == 0


@pytest.mark.parametrize("name", ["lease", "longest_pause"])
@pytest.mark.parametrize("seconds", [901.0, 0, -1.0, "long", float("nan")])
async def test_a_policy_that_a_ledger_would_take_for_a_wrong_clock_is_refused(name, seconds, world):
    with pytest.raises(InvalidArgument, match=rf"policy\.{name}"):
        world.make(policy=POLICY._replace(**{name: seconds}))


class Outage:
    """A ledger that fails for a while, as one whose database is restarted."""

    def __init__(self, ledger):
        self._ledger = ledger
        self.fails = False

    def __getattr__(self, name):
        if self.fails:
            raise ConnectionResetError("the database has gone")
        return getattr(self._ledger, name)


@pytest.mark.slow
@pytest.mark.parametrize("drain", [True, False])
async def test_an_outage_of_the_database_ends_no_run(drain, world, caplog):
    """It did, and the charges waited for somebody to start it again."""
    outage = Outage(inner(world.ledger))
    world.ledger = Awaited(outage) if world.style != ASYNCIO else outage
    charges = world.make()
    await submit(world, 8)
    world.lose("receipts.pay", action="delay", delay_ms=300, times=None)
    stop = asyncio.Event() if world.style == ASYNCIO else threading.Event()
    running = asyncio.create_task(charges.run(in_flight=4, drain=drain, stop=stop))
    while not await world.found("paying"):
        await asyncio.sleep(0.02)
    outage.fails = True
    await asyncio.sleep(1.2)
    assert not running.done()
    outage.fails = False
    while len(await world.found("paid")) < 8:
        await asyncio.sleep(0.05)
    stop.set()
    await running
    assert world.standing() == 8
    assert "ledger: ConnectionResetError" in caplog.text


async def test_a_ledger_that_never_answered_is_an_error_at_once(world):
    outage = Outage(inner(world.ledger))
    world.ledger = Awaited(outage) if world.style != ASYNCIO else outage
    charges = world.make()
    outage.fails = True
    with pytest.raises(ConnectionResetError):
        await charges.run()


# Both classes are one.


def members(kind):
    return {name: one for name, one in vars(kind).items() if inspect.isfunction(one)}


def as_blocking(text):
    for there, here in (
        ("AsyncIterator", "Iterator"),
        ("Async", ""),
        ("asyncio.locks.Event", "Flag"),
    ):
        text = text.replace(there, here)
    return re.sub(r"; each is a thread", "", text)


def test_both_have_the_same_methods_and_say_the_same():
    one, other = members(Charges), members(AsyncCharges)
    public = [name for name in one if not name.startswith("_")]
    assert public == [name for name in other if not name.startswith("_")]
    for name in public:
        assert as_blocking(inspect.getdoc(other[name])) == as_blocking(inspect.getdoc(one[name]))
        signatures = [str(inspect.signature(kind[name])) for kind in (one, other)]
        mine, theirs = (as_blocking(text).replace("in_flight: int = 100", "in_flight: int = 10")
                        for text in signatures)  # fmt: skip
        assert mine.replace("threading.Event", "Flag") == theirs
        if name != "iterate":
            assert inspect.iscoroutinefunction(other[name])


# Pace.


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


STUCK = Charge(id="a", amount=1, account={}, tries=1, due=1.0)
DONE = Charge(id="a", amount=1, account={}, state=ChargeState.PAID)


def test_what_is_in_flight_halves_and_recovers_by_one():
    clock = Clock()
    pace = Pace(16, None, clock)
    assert (pace.room(0), pace.room(10), pace.room(99)) == (16, 6, 0)
    pace.struggled()
    pace.struggled()  # of the same outage
    assert pace.room(0) == 8
    clock.now += 1.0
    pace.struggled()
    assert pace.room(0) == 4
    pace.learn(DONE)
    pace.learn(None)
    pace.learn(STUCK)
    assert pace.room(0) == 5
    for _ in range(9):
        clock.now += 1.0
        pace.struggled()
    assert pace.room(0) == 1
    for _ in range(50):
        pace.learn(DONE)
    assert pace.room(0) == 16


@pytest.mark.parametrize(
    ("status", "body", "room"),
    [
        (200, b'{"result":{"receipt":{"state":4}}}', 16),
        (200, b'{"error":{"code":-31630,"message":"No"}}', 16),
        (200, b'{"error":{"code":-32400,"message":"Busy"}}', 8),
        (503, b"", 8),
        (404, b"", 16),
    ],
)
def test_an_answer_that_says_too_much_slows_down(status, body, room):
    pace = Pace(16, None, Clock())
    pace.heard(Reply(status, body))
    assert pace.room(0) == room


@pytest.mark.parametrize("action", ["rpc_error", "drop", "http_status"])
async def test_a_run_slows_down_while_payme_struggles(action, world, monkeypatch):
    """Only charges that ended unproven did that; many a lost answer changed nothing."""
    seen, struggled = [], Pace.struggled
    monkeypatch.setattr(
        Pace, "struggled", lambda pace: (struggled(pace), seen.append(pace.room(0)))
    )
    await submit(world, 6)
    world.lose("receipts.pay", action=action, times=1)
    await world.charges.run(in_flight=4, drain=True)
    assert seen == [2]
    assert world.standing() == 6


@pytest.mark.parametrize(("rate", "most"), [(5, 5), (0.5, 1), (2.5, 2)])
def test_in_no_second_more_are_begun(rate, most):
    clock, begun = Clock(), []
    pace = Pace(100, rate, clock)
    for _ in range(1000):
        room = pace.room(0)
        pace.began(room)
        begun += [clock.now] * room
        clock.now += 0.01
    for moment in begun:
        assert sum(moment <= other < moment + 1 - 1e-6 for other in begun) <= most
    assert len(begun) == 10 * rate if rate <= 1 else 10 * most


# Secrets.


async def test_nothing_shows_a_secret(world, caplog):
    caplog.set_level(logging.DEBUG)
    payer = Payer(phone=PHONE, email=EMAIL)
    world.lose("receipts.create", action="rpc_error", message=f"no {world.card} {KEY} {PHONE}")
    world.lose("receipts.pay", action="rpc_error", code=-31630, message=f"{world.poor} {PHONE}")
    charge = await world.pay(token=world.poor, payer=payer)
    events = await world.charges.history("order-106")
    shown = [repr(charge), repr(events), repr(charge.evidence), repr(charge.message), caplog.text]
    shown.append(repr(await world.ledger.load("order-106")))
    for text in shown:
        for secret in (world.card, world.poor, KEY, LEDGER_KEY, PHONE, EMAIL):
            assert secret not in text


def shown_locals(error):
    found = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    return "".join(found.format())


MISTAKES = {
    "phone": lambda charges, card: charges.charge(
        "order-1", 1000, ACCOUNT, card(), payer=Payer(phone=PHONE + "0")
    ),
    "amount": lambda charges, card: charges.charge("order-1", 0, ACCOUNT, card()),
    "deadline": lambda charges, card: charges.charge("order-1", 1, ACCOUNT, card(), deadline=-1),
    "submit": lambda charges, card: charges.submit("order 1", 1, ACCOUNT, card()),
    "conflict": lambda charges, card: charges.charge("order-106", 1, ACCOUNT, card()),
    "another card": lambda charges, card: charges.pay_with("order-106", card() + "\n"),
    "not refused": lambda charges, card: charges.pay_with("order-106", card()),
    "pay_with deadline": lambda charges, card: charges.pay_with("order-106", card(), deadline=0),
}


@pytest.mark.parametrize("name", MISTAKES)
async def test_no_frame_of_an_error_holds_a_secret(name, world):
    await world.pay()
    blocking_charges = inner(world.charges)
    card = world.__dict__.pop("card")
    holder = [card]
    secrets = [card, KEY, LEDGER_KEY, PHONE]
    try:
        came = MISTAKES[name](blocking_charges, holder.pop)
        if inspect.isawaitable(came):
            await came
    except Exception as error:
        found = error.with_traceback(error.__traceback__.tb_next)
    else:
        raise AssertionError("nothing was raised")
    text = shown_locals(found)
    assert [number for number, secret in enumerate(secrets) if secret in text] == []


async def test_a_database_that_fails_in_the_middle_shows_nothing(world):
    engine = inner(world.ledger)._engine
    engine = getattr(engine, "sync_engine", engine)

    @listens_for(engine, "before_cursor_execute")
    def fail(connection, cursor, statement, parameters, context, many):
        if (
            statement.startswith("UPDATE payme_charge")
            and "evidence" in statement.split("WHERE")[0]
        ):
            raise ZeroDivisionError

    try:
        await world.pay(payer=Payer(phone=PHONE, email=EMAIL))
    except ZeroDivisionError as error:
        found = error
    secrets = [KEY, LEDGER_KEY, PHONE, EMAIL]
    ours = found.__traceback__
    while ours is not None and "payme/charges" not in ours.tb_frame.f_code.co_filename:
        ours = ours.tb_next
    text = shown_locals(found.with_traceback(ours))
    assert "_advance" in text
    assert [secret for secret in (*secrets, world.card) if secret in text] == []


def test_a_ledger_may_be_given_as_its_url(sandbox, tmp_path):
    with Payme(sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="") as payme:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            charges = Charges(payme, f"sqlite:///{tmp_path / 'payme.db'}")
        assert charges.charge("order-106", 50_000, ACCOUNT, sandbox.add_card()).is_paid
        charges._ledger.close()
