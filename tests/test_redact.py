import copy
import pickle

import pytest

from payme import redact
from payme.errors import Rejected

TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGxP9VUEP9r"


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("8600069195406311", "860006******6311"),
        ("8600 0691 9540 6311", "860006******6311"),
        ("860006******6311", "860006******6311"),
        ("1234", "****"),
        ("", ""),
    ],
)
def test_card_number_is_masked_as_payme_masks_it(number, masked):
    assert redact.card_number(number) == masked


@pytest.mark.parametrize(
    ("number", "masked"), [("998901304527", "99890*****27"), ("903595731", "*" * 9), ("", "")]
)
def test_phone_is_masked_as_payme_masks_it(number, masked):
    assert redact.phone(number) == masked


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("card 8600069195406311 refused", "card 860006******6311 refused"),
        ("card 8600-0691-9540-6311", "card 860006******6311"),
        ("call +998 90 130-45-27 now", "call 99890*****27 now"),
        ("call +998 (90) 130-45-27 now", "call 99890*****27 now"),
        (f"token {TOKEN}.", "token <token>."),
        ("X-Auth: 5e730e8e:Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C", "X-Auth: <key>"),
        ("Authorization: Basic UGF5Y29tOnNlY3JldA==", "Authorization: <key>"),
        ("created at 1662098412270", "created at 1662098412270"),
        ("receipt 63119becc4420cbf2712a24c", "receipt 63119becc4420cbf2712a24c"),
        ("receipt 631194671442012271224567", "receipt 631194671442012271224567"),
        ("amount 100000000", "amount 100000000"),
    ],
)
def test_free_text_loses_its_secrets_and_keeps_the_rest(text, kept):
    assert redact.scrub(text) == kept


def test_known_secrets_are_taken_out_whatever_they_look_like():
    assert redact.scrub("code 666666, key a?b&c", ["666666", "a?b&c"]) == (
        "code <redacted>, key <redacted>"
    )


def test_a_secret_that_contains_another_goes_whole():
    assert redact.scrub("abc123def", ["123", "abc123def"]) == "<redacted>"


def test_tree_masks_members_by_name_and_strings_by_looks():
    assert redact.tree(
        {
            "card": {"number": "8600069195406311", "expire": "0399"},
            "token": TOKEN,
            "payer": {"phone": "998901304527", "email": "a@b.uz"},
            "code": 123456,
            "account": {"order_id": 7, "phone": "903595731", "login": "a@b.uz"},
            "note": "call 998901304527",
            "amount": 5000,
            "list": [TOKEN],
        }
    ) == {
        "card": {"number": "860006******6311", "expire": "0399"},
        "token": "<token>",
        "payer": {"phone": "99890*****27", "email": "<e-mail>"},
        "code": "<code>",
        "account": {"order_id": 7, "phone": "*********", "login": "<e-mail>"},
        "note": "call 99890*****27",
        "amount": 5000,
        "list": ["<token>"],
    }


@pytest.mark.parametrize("code", [-31050, -31099, 404, 5])
def test_a_merchant_s_own_error_code_is_shown(code):
    said = {"code": code, "message": {"uz": "Buyurtma topilmadi"}, "data": "order_id"}
    refused = Rejected.of(-31623, "Сервис поставщика услуг работает не корректно", said)
    assert refused.merchant_error["code"] == code
    assert redact.tree({"error": {"code": -31623, "data": said}})["error"]["data"]["code"] == code


@pytest.mark.parametrize("code", ["666666", 666666])
def test_an_sms_code_is_masked_as_text_and_as_a_number(code):
    assert redact.tree({"params": {"token": "t", "code": code}})["params"]["code"] == "<code>"


def test_a_secret_shows_its_mask_everywhere_and_opens_once():
    secret = redact.Secret("666666", redact.CODE)
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}", f"{secret!r:>10}"):
        assert "666666" not in shown
    assert secret.open() == "666666"
    assert not hasattr(secret, "__dict__")
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            copier(secret)
