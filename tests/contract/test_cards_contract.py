"""Cards, whichever way Payme is reached."""

import pytest

from payme import Card, VerifyCode
from payme.errors import (
    AccessDenied,
    CardBlocked,
    CardExpired,
    CodeExpired,
    InsufficientFunds,
    InvalidArgument,
    InvalidCard,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    Rejected,
    SmsNotConnected,
    TooManyAttempts,
    WrongCode,
)
from support.clients import outcome
from support.fourteen import CARD, CODE

pytestmark = pytest.mark.anyio

NO_SMS = "8600060921090842"
EXPIRED = "3333336415804657"
BLOCKED = "4444445987459073"
BROKEN = "8600143417770323"
POOR = "8600318600000007"
HUMO = "9860030100000006"


async def test_created_card_is_masked_and_not_verified(payme):
    card = await payme.cards.create("8600 0691 9540 6311", "03/99")
    assert isinstance(card, Card)
    assert card.number == "860006******6311"
    assert card.expire == "03/99"
    assert card.recurrent is True
    assert card.verify is False
    assert card.token
    assert card.raw["token"] == card.token
    assert card.token not in repr(card)


async def test_code_is_sent_to_a_masked_phone(payme):
    card = await payme.cards.create(CARD, "0399")
    code = await payme.cards.get_verify_code(card.token)
    assert isinstance(code, VerifyCode)
    assert code.sent is True
    assert "*" in code.phone
    assert code.wait > 0


async def test_verified_card_stays_verified(payme, token):
    card = await payme.cards.check(token)
    assert isinstance(card, Card)
    assert card.verify is True
    assert card.number == "860006******6311"


async def test_wrong_code_is_refused_and_the_right_one_still_taken(payme):
    card = await payme.cards.create(CARD, "0399")
    await payme.cards.get_verify_code(card.token)
    error = await outcome(payme.cards.verify(card.token, "111111"))
    assert isinstance(error, WrongCode)
    assert error.method == "cards.verify"
    assert (await payme.cards.verify(card.token, CODE)).verify is True


async def test_removed_card_is_gone(payme, token):
    assert await payme.cards.remove(token) is True
    error = await outcome(payme.cards.check(token))
    assert isinstance(error, NotFound)
    assert error.data == "deleted"


async def test_removed_card_does_not_pay(payme, token, unpaid):
    await payme.cards.remove(token)
    assert isinstance(await outcome(payme.receipts.pay(unpaid.id, token)), NotFound)
    assert await payme.receipts.check(unpaid.id) == 0


async def test_unknown_card_is_refused(payme):
    error = await outcome(payme.cards.create("8600069195406312", "0399"))
    assert isinstance(error, InvalidCard)


async def test_card_cannot_be_removed_without_the_key(world, token):
    error = await outcome(world.connect(key="").cards.remove(token))
    assert "key" in str(error)


async def test_front_end_needs_no_key(world, bind):
    front_end = world.connect(key="")
    token = await bind(front_end)
    assert (await front_end.cards.check(token)).verify is True


async def test_one_time_token_pays_once(payme, world, bind, sandbox):
    token = await bind(payme, save=False)
    assert (await payme.cards.check(token)).recurrent is False
    first = await payme.receipts.create(50_000, world.account)
    assert (await payme.receipts.pay(first.id, token)).is_paid
    assert isinstance(await outcome(payme.cards.check(token)), NotFound)
    second = await payme.receipts.create(50_000, world.account)
    assert isinstance(await outcome(payme.receipts.pay(second.id, token)), NotFound)
    assert sandbox.debits(second.id) == 0


async def test_account_and_customer_are_taken(payme, sandbox, world):
    card = await payme.cards.create(CARD, "0399", account=world.account, customer="payer-7")
    assert card.token


# What the sandbox is sure of, and Payme has never said.


async def test_unverified_card_does_not_pay(payme, unpaid, sandbox):
    card = await payme.cards.create(CARD, "0399")
    assert isinstance(await outcome(payme.receipts.pay(unpaid.id, card.token)), Rejected)
    assert sandbox.debits(unpaid.id) == 0


async def test_code_that_was_not_asked_for_is_too_old(payme, sandbox):
    card = await payme.cards.create(CARD, "0399")
    assert isinstance(await outcome(payme.cards.verify(card.token, CODE)), CodeExpired)


async def test_too_many_wrong_codes(payme, sandbox):
    card = await payme.cards.create(CARD, "0399")
    await payme.cards.get_verify_code(card.token)
    told = [type(await outcome(payme.cards.verify(card.token, "111111"))) for _ in range(4)]
    assert told[0] is WrongCode
    assert told[-1] is TooManyAttempts


@pytest.mark.parametrize(
    ("number", "expected"), [(EXPIRED, CardExpired), (BLOCKED, CardBlocked)], ids=["old", "blocked"]
)
async def test_test_card_that_is_refused_at_once(number, expected, payme, sandbox):
    assert type(await outcome(payme.cards.create(number, "0399"))) is expected


async def test_card_without_sms(payme, sandbox):
    card = await payme.cards.create(NO_SMS, "0399")
    assert type(await outcome(payme.cards.get_verify_code(card.token))) is SmsNotConnected


async def test_humo_card_pays(payme, unpaid, bind, sandbox):
    assert (await payme.receipts.pay(unpaid.id, await bind(payme, HUMO))).is_paid


async def test_card_without_money(payme, unpaid, bind, sandbox):
    error = await outcome(payme.receipts.pay(unpaid.id, await bind(payme, POOR)))
    assert type(error) is InsufficientFunds
    assert error.code == -31630
    assert error.receipt_id == unpaid.id
    assert sandbox.debits(unpaid.id) == 0


async def test_system_error_while_paying_is_an_unknown_outcome(payme, unpaid, bind, sandbox):
    error = await outcome(payme.receipts.pay(unpaid.id, await bind(payme, BROKEN)))
    assert type(error) is OutcomeUnknown
    assert error.__cause__.code == -32400
    assert sandbox.debits(unpaid.id) == 0


async def test_malformed_token_is_refused(payme, sandbox):
    assert isinstance(await outcome(payme.cards.check("nonsense")), Rejected)


async def test_key_of_another_cash_box_is_denied(world, unpaid):
    stranger = world.connect(key="x" * 36)
    for refused in (
        stranger.receipts.check(unpaid.id),
        stranger.receipts.create(50_000, world.account),
        stranger.receipts.cancel(unpaid.id),
    ):
        assert isinstance(await outcome(refused), AccessDenied)


@pytest.mark.parametrize(
    "call",
    [
        lambda payme: payme.cards.create("8600", "0399"),
        lambda payme: payme.cards.create(CARD, "1399"),
        lambda payme: payme.cards.create(CARD, "0399", save="false"),
        lambda payme: payme.cards.check(""),
        lambda payme: payme.cards.verify("token", 666666),
        lambda payme: payme.receipts.create(0, {"order_id": 1}),
        lambda payme: payme.receipts.create(True, {"order_id": 1}),
        lambda payme: payme.receipts.create(10.5, {"order_id": 1}),
        lambda payme: payme.receipts.create(50_000, {}),
        lambda payme: payme.receipts.send("0" * 24, "901304527"),
        lambda payme: payme.receipts.get_all(51, 0, 0),
        lambda payme: payme.receipts.get_all(0, 0, 0),
        lambda payme: payme.receipts.get_all(50, 2, 1),
    ],
)
async def test_bad_argument_is_refused_before_anything_is_sent(call, payme):
    error = await outcome(call(payme))
    assert isinstance(error, InvalidArgument)
    assert isinstance(error, ValueError)
    assert error.sent == "no"


async def test_unknown_method_is_refused(payme):
    error = await outcome(payme.call("cards.paint", {"colour": "red"}))
    assert isinstance(error, InvalidRequest)
    assert error.code == -32601
    assert error.method == "cards.paint"
