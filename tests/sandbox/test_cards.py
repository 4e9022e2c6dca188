import pytest
from sandbox_tools import (
    BLOCKED,
    BROKEN,
    EXPIRED,
    GOOD,
    GOOD_TOO,
    HUMO,
    NO_SMS,
    POOR,
    SLOW,
    Caller,
    Clock,
)

from payme.errors import catalogue
from payme.sandbox.engine.testcards import TEST_CARDS, luhn

TOKENS = "cards.get_verify_code", "cards.verify", "cards.check", "cards.remove"


def kind(method: str, error: tuple[int, str, object]) -> str:
    entry = catalogue.lookup(error[0], method, error[1])
    assert entry is not None
    return entry.kind


def token_call(caller: Caller, method: str, token: str) -> tuple[int, str, object]:
    extra = {"code": "666666"} if method == "cards.verify" else {}
    return caller.no(method, token=token, **extra)


def create(caller: Caller, number: str = GOOD, expire: str = "0399") -> tuple[int, str, object]:
    return caller.no("cards.create", card={"number": number, "expire": expire})


@pytest.mark.parametrize("number", [GOOD, GOOD_TOO, HUMO, NO_SMS, BROKEN, SLOW, POOR])
def test_cards_that_can_be_bound(caller: Caller, number: str) -> None:
    assert caller.card(number)


def test_every_test_card_has_a_right_check_digit() -> None:
    assert all(luhn(number) for number in TEST_CARDS)


@pytest.mark.parametrize(
    ("number", "expire", "code", "meaning"),
    [
        ("8600069195406312", "0399", -31300, "InvalidCard"),
        ("8600000000000009", "0399", -31300, "InvalidCard"),
        (GOOD, "0398", -31300, "InvalidCard"),
        (EXPIRED, "0399", -31301, "CardExpired"),
        (BLOCKED, "0399", -31301, "CardBlocked"),
    ],
)
def test_cards_that_are_refused(
    caller: Caller, number: str, expire: str, code: int, meaning: str
) -> None:
    error = create(caller, number, expire)
    assert error[0] == code
    assert kind("cards.create", error) == meaning


@pytest.mark.parametrize(
    ("number", "expire", "param"),
    [
        ("8600 0691 9540 6311", "0399", "card.number"),
        ("8600069195406311\n", "0399", "card.number"),
        ("８６０００６９１９５４０６３１１", "0399", "card.number"),
        ("860006", "0399", "card.number"),
        ("8" * 19, "0399", "card.number"),
        ("", "0399", "card.number"),
        (GOOD, "1399", "card.expire"),
        (GOOD, "0099", "card.expire"),
        (GOOD, "03/99", "card.expire"),
        (GOOD, "9903", "card.expire"),
        (GOOD, "0399\n", "card.expire"),
    ],
)
def test_malformed_cards(caller: Caller, number: str, expire: str, param: str) -> None:
    code, message, data = create(caller, number, expire)
    assert (code, data) == (-32602, param)
    assert param in message
    assert number == "" or number not in message


def test_save_decides_recurrent(caller: Caller) -> None:
    card = {"number": GOOD, "expire": "0399"}
    assert caller.ok("cards.create", card=card, save=True)["card"]["recurrent"] is True
    assert caller.ok("cards.create", card=card, save=False)["card"]["recurrent"] is False
    assert caller.ok("cards.create", card=card)["card"]["recurrent"] is False


def test_optional_params_of_create(caller: Caller) -> None:
    card = {"number": GOOD, "expire": "0399"}
    extra = {"account": {"order_id": 1}, "customer": "998901304527", "amount": 1500.5}
    assert caller.ok("cards.create", card=card, save=True, **extra)


def test_sms_not_connected(caller: Caller) -> None:
    error = caller.no("cards.get_verify_code", token=caller.card(NO_SMS))
    assert error[0] == -31301
    assert kind("cards.get_verify_code", error) == "SmsNotConnected"
    assert caller.sandbox.sent_sms() == []


def test_the_code_goes_to_the_outbox_masked(caller: Caller) -> None:
    caller.ok("cards.get_verify_code", token=caller.card())
    (sms,) = caller.sandbox.sent_sms()
    assert (sms.kind, sms.code, len(sms.phone)) == ("code", "666666", 12)
    assert sms.phone not in repr(sms)
    assert "666666" not in repr(sms)


def test_wrong_code(caller: Caller) -> None:
    token = caller.card()
    caller.ok("cards.get_verify_code", token=token)
    error = caller.no("cards.verify", token=token, code="111111")
    assert error[0] == -31103
    assert kind("cards.verify", error) == "WrongCode"
    assert caller.ok("cards.check", token=token)["card"]["verify"] is False
    assert caller.ok("cards.verify", token=token, code="666666")["card"]["verify"] is True


def test_three_wrong_codes_lock_until_a_new_code(caller: Caller) -> None:
    token = caller.card()
    caller.ok("cards.get_verify_code", token=token)
    for _ in range(3):
        assert caller.no("cards.verify", token=token, code="1")[0] == -31103
    error = caller.no("cards.verify", token=token, code="666666")
    assert error[0] == -31102
    assert kind("cards.verify", error) == "TooManyAttempts"
    caller.ok("cards.get_verify_code", token=token)
    assert caller.ok("cards.verify", token=token, code="666666")


def test_the_code_expires_after_wait(caller: Caller, clock: Clock) -> None:
    token = caller.card()
    wait = caller.ok("cards.get_verify_code", token=token)["wait"]
    clock.advance(wait + 1)
    error = caller.no("cards.verify", token=token, code="666666")
    assert error[0] == -31101
    assert kind("cards.verify", error) == "CodeExpired"
    caller.ok("cards.get_verify_code", token=token)
    clock.advance(wait)
    assert caller.ok("cards.verify", token=token, code="666666")


def test_a_code_that_was_not_asked_for(caller: Caller) -> None:
    assert caller.no("cards.verify", token=caller.card(), code="666666")[0] == -31101


def test_a_code_works_once(caller: Caller) -> None:
    token = caller.verified()
    assert caller.no("cards.verify", token=token, code="666666")[0] == -31101


@pytest.mark.parametrize("method", TOKENS)
def test_removed_token(caller: Caller, method: str) -> None:
    token = caller.verified()
    caller.ok("cards.remove", token=token)
    assert token_call(caller, method, token) == (-31400, "Карта не найдена.", "deleted")


@pytest.mark.parametrize("method", TOKENS)
def test_unknown_token(caller: Caller, method: str) -> None:
    assert token_call(caller, method, f"{'0' * 24}_abc")[0] == -31400


@pytest.mark.parametrize("method", TOKENS)
@pytest.mark.parametrize("token", ["", "x", "0" * 24, f"{'0' * 24}_", f"{'g' * 24}_a", "_" * 415])
def test_malformed_token(caller: Caller, method: str, token: str) -> None:
    assert token_call(caller, method, token)[0] == -32500


def test_reprs_hide_what_they_hold() -> None:
    from payme.sandbox.engine import Answer, Card, Receipt
    from payme.sandbox.engine.params import CardData, CardsCreate, ReceiptsSend

    receipt = Receipt(
        id="a", number=1, create_time=1, amount=1, account={}, payer={"phone": "998901304527"}
    )
    for value in (
        Answer(b"998901304527"),
        receipt,
        CardsCreate(CardData("8600069195406311", "0399")),
        ReceiptsSend("a", "998901304527"),
    ):
        assert "998901304527" not in repr(value)
        assert GOOD not in repr(value)
    card = Card(token="secret", number=GOOD, expire="0399", recurrent=True, phone="998901234566")
    assert "secret" not in repr(card)
    assert GOOD not in repr(card)
    assert "998901234566" not in repr(card)
