"""Receipts, whichever way Payme is reached."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from payme import Detail, Item, Receipt, ReceiptState, Shipping
from payme.errors import (
    AlreadyPaid,
    CannotCancel,
    InvalidArgument,
    NotFound,
    ReceiptCancelled,
    ReceiptNotFound,
    ReceiptRejected,
    Rejected,
)
from support.clients import outcome
from support.fourteen import FISCAL, PAYER, PHONE

pytestmark = pytest.mark.anyio

UNKNOWN = "0" * 24


async def test_created_receipt_is_unpaid(payme, world):
    before = datetime.now(UTC) - timedelta(minutes=5)
    receipt = await payme.receipts.create(50_000, world.account, description="Non, 2 dona")
    assert isinstance(receipt, Receipt)
    assert len(receipt.id) == 24
    assert receipt.state is ReceiptState.CREATED
    assert receipt.amount == 50_000
    assert receipt.description == "Non, 2 dona"
    assert receipt.card is None
    assert (receipt.is_paid, receipt.is_held, receipt.is_cancelled) == (False, False, False)
    assert before < receipt.created_at < datetime.now(UTC) + timedelta(minutes=5)
    assert receipt.paid_at is None
    assert receipt.raw["_id"] == receipt.id


async def test_paid_receipt_shows_the_masked_card(payme, unpaid, token):
    receipt = await payme.receipts.pay(unpaid.id, token, payer=PAYER)
    assert receipt.id == unpaid.id
    assert receipt.state is ReceiptState.PAID
    assert receipt.is_paid
    assert receipt.amount == unpaid.amount
    assert receipt.card.number == "860006******6311"
    assert receipt.paid_at >= receipt.created_at
    assert await payme.receipts.check(unpaid.id) is ReceiptState.PAID


async def test_debit_happens_once(payme, paid, token, sandbox):
    assert sandbox.debits(paid.id) == 1
    await outcome(payme.receipts.pay(paid.id, token))
    assert sandbox.debits(paid.id) == 1


async def test_receipt_is_not_paid_twice(payme, paid, token, sandbox):
    again = await payme.receipts.pay(paid.id, token)
    assert (again.id, again.state, again.pay_time) == (paid.id, paid.state, paid.pay_time)
    assert sandbox.debits(paid.id) == 1
    error = await outcome(payme.call("receipts.pay", {"id": paid.id, "token": token}))
    assert isinstance(error, AlreadyPaid)
    assert error.receipt_id == paid.id
    assert error.method == "receipts.pay"
    assert error.sent == "yes"
    assert sandbox.debits(paid.id) == 1


async def test_get_reads_what_create_made(payme, unpaid):
    assert await payme.receipts.get(unpaid.id) == unpaid


async def test_check_tells_the_state(payme, unpaid):
    state = await payme.receipts.check(unpaid.id)
    assert state is ReceiptState.CREATED
    assert state == 0


async def test_detail_is_taken(payme, world):
    bread = Item(
        title="Non",
        price=500_000,
        count=2,
        code="00702001001000001",
        vat_percent=12,
        package_code="123456",
    )
    detail = Detail([bread], shipping=Shipping("Yetkazib berish", 50_000))
    receipt = await payme.receipts.create(1_050_000, world.account, detail=detail)
    assert receipt.amount == 1_050_000
    error = await outcome(payme.receipts.create(1_050_001, world.account, detail=detail))
    assert isinstance(error, InvalidArgument)


async def test_unpaid_receipt_is_closed_at_once(payme, unpaid, token):
    receipt = await payme.receipts.cancel(unpaid.id)
    assert receipt.state is ReceiptState.CANCELLED
    assert receipt.is_cancelled
    assert receipt.cancelled_at
    assert isinstance(await outcome(payme.receipts.pay(unpaid.id, token)), ReceiptCancelled)


async def test_refund_goes_through_the_queue(payme, paid):
    receipt = await payme.receipts.cancel(paid.id)
    assert receipt.is_refund_pending
    assert not receipt.is_cancelled
    assert not receipt.is_paid
    assert (await payme.receipts.wait(receipt)).is_cancelled
    assert await payme.receipts.check(paid.id) == ReceiptState.CANCELLED


async def test_refund_returns_the_money(payme, paid, sandbox):
    await payme.receipts.cancel(paid.id)
    assert sandbox.debits(paid.id) == 1
    end = time.monotonic() + 5
    while await payme.receipts.check(paid.id) != ReceiptState.CANCELLED:
        assert time.monotonic() < end
        sandbox.ledger()
        time.sleep(0.05)
    kinds = [entry.kind for entry in sandbox.ledger() if entry.receipt_id == paid.id]
    assert kinds[0] == "debit"
    assert len(kinds) == 2


async def test_cancelling_again_does_no_harm(payme, unpaid):
    await payme.receipts.cancel(unpaid.id)
    again = await outcome(payme.receipts.cancel(unpaid.id))
    assert isinstance(again, CannotCancel | NotFound) or again.is_cancelled


async def test_receipt_is_sent_by_sms(payme, unpaid, sandbox):
    assert await payme.receipts.send(unpaid.id, "+998 90 130-45-27") is True
    assert PHONE in sandbox.sent_sms()[-1].phone


async def test_fiscal_data_is_taken(payme, paid, sandbox):
    assert await payme.receipts.set_fiscal_data(paid.id, FISCAL) is True


@pytest.mark.parametrize("method", ["get", "check", "cancel"])
async def test_unknown_receipt_is_not_found(method, payme):
    error = await outcome(getattr(payme.receipts, method)(UNKNOWN))
    assert isinstance(error, NotFound)
    assert error.receipt_id == UNKNOWN


async def test_unknown_receipt_is_neither_paid_nor_sent(payme, token, sandbox):
    assert isinstance(await outcome(payme.receipts.pay(UNKNOWN, token)), ReceiptNotFound)
    assert isinstance(await outcome(payme.receipts.send(UNKNOWN, PHONE)), NotFound)
    assert isinstance(await outcome(payme.receipts.confirm_hold(UNKNOWN)), ReceiptNotFound)
    assert isinstance(await outcome(payme.receipts.set_fiscal_data(UNKNOWN, FISCAL)), NotFound)


# Holds. Payme's test host offers none.


async def test_hold_takes_no_money_until_it_is_confirmed(sandbox, payme, held):
    assert held.state is ReceiptState.HELD
    assert held.is_held
    assert not held.is_paid
    receipt = await payme.receipts.confirm_hold(held.id)
    assert receipt.state is ReceiptState.PAID
    assert receipt.is_paid
    assert receipt.paid_at


async def test_hold_is_released_by_a_cancel(payme, held, sandbox):
    receipt = await payme.receipts.cancel(held.id)
    assert (await payme.receipts.wait(receipt)).is_cancelled
    assert isinstance(await outcome(payme.receipts.confirm_hold(held.id)), ReceiptCancelled)
    assert sandbox.debits(held.id) == 1


async def test_only_a_hold_is_confirmed(payme, world, paid, sandbox):
    unpaid = await payme.receipts.create(50_000, world.account)
    assert isinstance(await outcome(payme.receipts.confirm_hold(unpaid.id)), ReceiptRejected)
    assert (await payme.receipts.confirm_hold(paid.id)).is_paid
    assert sandbox.debits(paid.id) == 1


async def test_confirmed_hold_is_refunded(sandbox, payme, held):
    await payme.receipts.confirm_hold(held.id)
    assert (await payme.receipts.cancel(held.id)).is_refund_pending


async def test_hold_must_be_said_twice(payme, world, token, sandbox):
    receipt = await payme.receipts.create(50_000, world.account, hold=True)
    assert isinstance(await outcome(payme.receipts.pay(receipt.id, token)), Rejected)
    assert sandbox.debits(receipt.id) == 0


# Lists.


@pytest.fixture
def period(sandbox):
    """A period with 120 receipts in it, and their ids."""
    start = int(time.time() * 1000)
    ids = [sandbox.add_receipt(amount=1000 + number) for number in range(120)]
    time.sleep(0.002)
    return datetime.fromtimestamp(start / 1000, UTC), datetime.now(UTC), ids


async def test_get_all_gives_typed_receipts(payme, paid):
    now = int(time.time() * 1000)
    day = 86_400_000
    receipts = await payme.receipts.get_all(50, now - day, now + day)
    assert paid.id in {receipt.id for receipt in receipts}
    assert all(isinstance(receipt, Receipt) for receipt in receipts)


async def test_pages_of_get_all_follow_each_other(payme, period):
    start, end, ids = period
    pages = [await payme.receipts.get_all(50, start, end, offset) for offset in (0, 50, 100, 150)]
    assert [len(page) for page in pages] == [50, 50, 20, 0]
    assert sorted(one.id for page in pages for one in page) == sorted(ids)
    (third,) = await payme.receipts.get_all(1, start, end, 2)
    assert third.id == pages[0][2].id


async def test_iterate_walks_through_all_pages(payme, period):
    start, end, ids = period
    walked = [receipt async for receipt in payme.receipts.iterate(start, end)]
    assert sorted(receipt.id for receipt in walked) == sorted(ids)
    assert {receipt.amount for receipt in walked} == {1000 + number for number in range(120)}


async def test_iterate_gives_each_receipt_once_while_new_ones_come(payme, period, sandbox):
    start, end, ids = period
    walked = []
    async for receipt in payme.receipts.iterate(start, end + timedelta(hours=1)):
        walked.append(receipt.id)
        if len(walked) in (10, 60):
            sandbox.add_receipt()
    assert len(walked) == len(set(walked))
    assert set(ids) <= set(walked)


async def test_iterate_over_an_empty_period(payme):
    empty = [one async for one in payme.receipts.iterate(1_300_000_000_000, 1_300_000_001_000)]
    assert empty == []


async def test_moments_must_be_aware(payme):
    naive = datetime(2024, 1, 1)
    assert isinstance(await outcome(payme.receipts.get_all(50, naive, naive)), InvalidArgument)


# Other ways in.


async def test_call_gives_the_json_of_the_result(payme, unpaid):
    assert await payme.call("receipts.check", {"id": unpaid.id}) == {"state": 0}
    got = await payme.call("receipts.get", {"id": unpaid.id})
    assert got["receipt"] == unpaid.raw


async def test_call_raises_what_a_typed_method_raises(payme):
    error = await outcome(payme.call("receipts.get", {"id": UNKNOWN}))
    assert isinstance(error, NotFound)
    assert error.receipt_id == UNKNOWN


async def test_raw_keeps_what_is_not_modelled(payme, paid):
    assert paid.raw["state"] == 4
    assert paid.raw["_id"] == paid.id
    assert set(paid.raw) >= {"create_time", "pay_time", "amount", "account", "card", "merchant"}


async def test_sibling_calls_too(payme, unpaid):
    sibling = payme.with_options(timeout=15, max_attempts=1)
    assert sibling.merchant_id == payme.merchant_id
    assert await sibling.receipts.check(unpaid.id) == 0
    await sibling.aclose()
    assert await payme.receipts.check(unpaid.id) == 0


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
async def test_refusal_speaks_the_language_of_the_payer(language, payme, paid, token):
    errors = [
        await outcome(payme.receipts.cancel(UNKNOWN)),
        await outcome(payme.receipts.get(UNKNOWN)),
        await outcome(payme.call("cards.paint", {})),
    ]
    for error in errors:
        assert isinstance(error, Rejected)
        sentence = error.text(language)
        assert sentence.endswith((".", "!", "?"))
        assert sentence not in {error.text(other) for other in {"uz", "ru", "en"} - {language}}
        assert getattr(error.remedy, language)
        assert isinstance(await outcome(ask(error, "de")), InvalidArgument)


async def ask(error, language):
    return error.text(language)


async def test_refusal_shows_neither_key_nor_token(payme, paid, token, sandbox):
    error = await outcome(payme.receipts.pay(paid.id, token))
    for text in (str(error), repr(error), repr(payme), repr(paid)):
        assert sandbox.key not in text
        assert token not in text
