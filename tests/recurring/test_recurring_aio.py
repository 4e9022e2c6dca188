"""`AsyncRecurring` does what `Recurring` does: the same methods over the same rows."""

import asyncio
import inspect
from datetime import UTC, date, datetime

import pytest

from charges.ledgers import KEY as LEDGER_KEY
from payme import AsyncPayme
from payme.charges import AsyncCharges, AsyncSqlLedger
from payme.errors import ConfigurationError
from payme.recurring import AsyncRecurring, PeriodState, Recurring, SubscriptionState
from payme.recurring.core import DAY
from payme.sandbox import Sandbox
from payme.transport.memory import AsyncMemoryTransport

pytestmark = pytest.mark.anyio

KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
PRICE = 5_000_000
START = datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()


class Club:
    now = START


@pytest.fixture
async def club(database):
    club = Club()
    with Sandbox(key=KEY) as sandbox:
        club.sandbox = sandbox
        transport = AsyncMemoryTransport(sandbox.handle)
        client = AsyncPayme(sandbox.merchant_id, KEY, environment="test", transport=transport)
        club.ledger = AsyncSqlLedger(database, keys=[LEDGER_KEY])
        await club.ledger.create_all()
        club.charges = AsyncCharges(client, club.ledger)
        club.recurring = AsyncRecurring(club.charges, now=lambda: club.now)
        await club.recurring.create_all()
        yield club
        await client.aclose()
        await club.ledger.close()


@pytest.fixture(params=["asyncio"])
def anyio_backend(request):
    return request.param


async def test_two_months(club):
    token = club.sandbox.add_card()
    async with club.ledger._engine.begin() as connection:
        await club.recurring.create(
            "club-17", PRICE, {"member": 17}, token, missed="latest", connection=connection
        )
    again = await club.recurring.create("club-17", PRICE, {"member": 17}, token, missed="latest")
    assert again == await club.recurring.get("club-17")
    await club.recurring.run(drain=True)
    for _ in range(31):
        club.now += DAY
        await club.recurring.tick()
    await club.recurring.run(drain=True)
    states = [period.state for period in await club.recurring.periods("club-17")]
    assert states == [PeriodState.PAID, PeriodState.PAID]
    assert await club.recurring.is_entitled("club-17")
    for message in await club.recurring.outbox():
        await club.recurring.sent(message)
    assert await club.recurring.outbox() == []


async def test_commands(club):
    token = club.sandbox.add_card(number="8600318600000007")
    other = club.sandbox.add_card()
    await club.recurring.create("club-17", PRICE, {"member": 17}, token, missed="latest")
    await club.recurring.run(drain=True)
    assert (await club.recurring.get("club-17")).state == SubscriptionState.RETRYING
    await club.recurring.retry("club-17")
    await club.recurring.run(drain=True)
    await club.recurring.use_card("club-17", other)
    await club.recurring.run(drain=True)
    assert (await club.recurring.get("club-17")).state == SubscriptionState.ACTIVE
    changed = await club.recurring.change("club-17", amount=1, anchor=date(2026, 1, 5))
    assert changed.amount(1) == 1
    assert (await club.recurring.pause("club-17")).state == SubscriptionState.PAUSED
    assert (await club.recurring.resume("club-17")).state == SubscriptionState.ACTIVE
    assert (await club.recurring.cancel("club-17")).state == SubscriptionState.ENDING


async def test_a_runner_stops_cleanly(club):
    stop = asyncio.Event()
    running = asyncio.create_task(club.recurring.run(stop=stop))
    await club.recurring.create("club-9", PRICE, {"m": 9}, club.sandbox.add_card(), missed="skip")
    async with asyncio.timeout(10):
        while not (await club.charges.get("club-9:0")).is_paid:
            await asyncio.sleep(0.02)
    stop.set()
    async with asyncio.timeout(10):
        await running
    assert (await club.recurring.get("club-9")).debt is None


async def test_one_that_fails_does_not_hold_the_others_up(club, caplog):
    token = club.sandbox.add_card()
    await club.charges.submit("club-1:0", 1, {"order_id": 1}, token)
    for number in range(3):
        await club.recurring.create(
            f"club-{number}", PRICE, {"m": number}, token,
            missed="latest", trial_until=date(2026, 2, 1),
        )  # fmt: skip
    club.now += 2 * DAY
    await club.recurring.tick()
    debts = [(await club.recurring.get(f"club-{number}")).debt for number in range(3)]
    assert debts == [0, None, 0]
    assert "subscription club-1 could not be ticked" in caplog.text


async def test_other_charges_are_refused():
    transport = AsyncMemoryTransport(lambda body, auth: body)
    async with AsyncPayme("5e730e8e0b852a417aa49ceb", KEY, transport=transport) as client:
        with pytest.raises(ConfigurationError, match="an AsyncSqlLedger keeps"):
            AsyncRecurring(AsyncCharges(client, object()))


def test_both_have_the_same_methods():
    def methods(kind):
        return {
            name: [
                parameter.replace(annotation="", default="" if name == "run" else parameter.default)
                for parameter in inspect.signature(member).parameters.values()
            ]
            for name, member in vars(kind).items()
            if not name.startswith("_")
        }

    assert methods(Recurring) == methods(AsyncRecurring)
    assert "create" in methods(Recurring)
