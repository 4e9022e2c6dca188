"""What each strategy promises, and that the client and the sandbox take what it makes."""

import re

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from payme import Detail, OutcomeUnknown, Payme, Receipt, ReceiptState, Rejected
from payme.errors import CardRejected
from payme.money import MAX_TIYIN
from payme.protocol import arguments as check
from payme.sandbox import Sandbox
from payme.sandbox.engine.testcards import TEST_CARDS, luhn
from payme.testing import strategies
from payme.testing.strategies import (
    accounts,
    amounts,
    card_numbers,
    cards,
    details,
    phones,
    receipts,
)
from payme.transport.memory import MemoryTransport

S = ReceiptState
quick = settings(
    max_examples=60,
    deadline=None,
    # The sandbox may be shared: the examples only add receipts to it.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def drawn(strategy, feature):
    """Draw a value with a feature, without the time that a small one takes."""
    return find(strategy, feature, settings=settings(phases=[Phase.generate], max_examples=2000))


@pytest.fixture(scope="module")
def sandbox():
    sandbox = Sandbox(seed=1, slow_card_ms=0)
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def payme(sandbox):
    return Payme(sandbox.merchant_id, sandbox.key, transport=MemoryTransport(sandbox.handle))


@quick
@given(amounts(), accounts(["order_id", "shop"]))
def test_amounts_and_accounts_make_receipts(payme, amount, account):
    receipt = payme.receipts.create(amount, account)
    assert receipt.amount == amount
    assert set(account) == {"order_id", "shop"}


@quick
@given(accounts(["order_id", "shop"]))
def test_accounts_come_back_as_they_were_sent(account):
    sandbox = Sandbox(account_fields={"order_id": "Order", "shop": "Shop"})
    payme = Payme(sandbox.merchant_id, sandbox.key, transport=MemoryTransport(sandbox.handle))
    shown = {field.name: field.value for field in payme.receipts.create(1, account).account}
    assert shown == {name: str(value) for name, value in account.items()}
    sandbox.stop()


def test_amounts_reach_from_a_tiyin_to_the_largest():
    assert find(amounts(), lambda amount: True) == 1
    assert find(amounts(), lambda amount: amount == MAX_TIYIN) == MAX_TIYIN
    assert find(amounts(7, 9), lambda amount: True) == 7


def test_accounts_hold_text_and_numbers():
    for kind in (str, int):
        drawn(accounts(), lambda account, kind=kind: isinstance(account["order_id"], kind))
    with pytest.raises(ValueError, match="at least one"):
        accounts([])


@quick
@given(cards())
def test_cards_do_what_their_behaviour_says(payme, card):
    pays = card.behaviour == "normal"
    try:
        bound = payme.cards.create(card.number, card.expire)
        payme.cards.get_verify_code(bound.token)
        payme.cards.verify(bound.token, "666666")
        receipt = payme.receipts.create(50_000, {"order_id": 1})
        receipt = payme.receipts.pay(receipt.id, bound.token)
    except CardRejected:
        assert not pays
    except OutcomeUnknown:
        assert card.behaviour == "system_error"
    else:
        assert pays
        assert receipt.is_paid


def test_every_test_card_is_drawn():
    for known in TEST_CARDS.values():
        assert drawn(cards(), lambda card, known=known: card is known)


def test_cards_of_one_behaviour():
    assert drawn(cards("blocked"), lambda card: True).behaviour == "blocked"
    with pytest.raises(ValueError, match="insufficient_funds, no_sms, normal"):
        cards("stolen")


@quick
@given(card_numbers())
def test_card_numbers_are_valid_and_unknown(payme, number):
    assert re.fullmatch(r"(8600|5614|9860)[0-9]{12}", number)
    assert luhn(number)
    assert number not in TEST_CARDS
    with pytest.raises(Rejected) as caught:
        payme.cards.create(number, "0399")
    assert caught.value.code == -31300
    assert number not in str(caught.value)


def test_card_numbers_leave_the_test_cards_out(monkeypatch):
    class Uzcards:
        def __contains__(self, number):
            return number.startswith(("8600", "5614"))

    monkeypatch.setattr(strategies, "TEST_CARDS", Uzcards())
    assert find(card_numbers(), lambda number: True).startswith("9860")


@quick
@given(phones())
def test_phones_are_sent_as_they_are(payme, phone):
    assert check.phone(phone) == phone
    receipt = payme.receipts.create(1, {"order_id": 1})
    assert payme.receipts.send(receipt.id, phone)


@quick
@given(details())
def test_details_are_accepted_with_their_sum(payme, detail):
    amount = int(detail.total)
    assert detail.total == amount
    receipt = payme.receipts.create(amount, {"order_id": 1}, detail=detail)
    assert len(receipt.detail["items"]) == len(detail.items)


@quick
@given(st.data())
def test_details_of_a_given_amount(data):
    amount = data.draw(amounts() | st.integers(1, 3))
    assert data.draw(details(amount)).total == amount


@pytest.mark.parametrize(
    "feature",
    [
        lambda detail: detail.shipping is not None,
        lambda detail: detail.shipping is None,
        lambda detail: len(detail.items) > 1,
        lambda detail: any(item.discount for item in detail.items),
        lambda detail: any(item.count % 1 for item in detail.items),
        lambda detail: any(item.units for item in detail.items),
    ],
)
def test_details_show_every_feature(feature):
    assert isinstance(find(details(), feature), Detail)


@quick
@given(receipts())
def test_receipts_are_consistent(receipt):
    moments = [receipt.create_time, receipt.pay_time, receipt.cancel_time]
    happened = [moment for moment in moments if moment]
    assert happened == sorted(happened)
    assert receipt.create_time > 0
    assert (receipt.cancel_time > 0) == (receipt.state is S.CANCELLED)
    if receipt.is_paid:
        assert receipt.pay_time
    if receipt.pay_time:
        assert receipt.state in {S.PAID, S.CANCEL_QUEUED, S.CANCELLED}
        assert receipt.card
    if receipt.state in {S.CREATED, S.BILLING_CREATE}:
        assert receipt.card is None
    if receipt.is_held:
        assert receipt.card
    if receipt.card:
        assert (receipt.card.number[6:12], receipt.card.expire) == ("******", "9903")
    assert receipt.raw["_id"] == receipt.id
    assert receipt.raw["processing_id"] == (0 if receipt.is_paid or receipt.is_held else None)
    assert repr(receipt)


def test_receipts_are_drawn_in_every_state():
    for state in ReceiptState:
        assert drawn(receipts(), lambda receipt, state=state: receipt.state is state)


def test_receipts_of_chosen_states_and_amounts():
    only = receipts(states=[S.PAID, ReceiptState(99)], amount=st.just(7))
    for number in (4, 99):
        receipt = drawn(only, lambda receipt, number=number: receipt.state == number)
        assert receipt.amount == 7


@pytest.mark.parametrize(("paid", "has_card"), [(False, False), (False, True), (True, True)])
def test_a_cancelled_receipt_has_each_history(paid, has_card):
    def fits(receipt: Receipt) -> bool:
        return bool(receipt.pay_time) == paid and bool(receipt.card) == has_card

    assert drawn(receipts(states=[S.CANCELLED]), fits)
