import datetime as dt
import json
from decimal import Decimal

import pytest

from payme.errors import InvalidArgument
from payme.protocol import calls, jsonrpc
from payme.protocol.calls import Credential, Effect
from payme.protocol.inputs import Detail, FiscalData, Item, Payer, Shipping

TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGx"
RECEIPT = "63119becc4420cbf2712a24c"


def item(**changes):
    return Item(
        **{
            "title": "Non",
            "price": 500_00,
            "count": 2,
            "code": "00702001001000001",
            "vat_percent": 12,
            "package_code": "123456",
            **changes,
        }
    )


# The params of each method as Payme's samples print them.
@pytest.mark.parametrize(
    ("call", "params"),
    [
        (
            calls.cards_create("8600 0691 9540 6311", "03/99"),
            {"card": {"number": "8600069195406311", "expire": "0399"}, "save": True},
        ),
        (
            calls.cards_create(
                "8600069195406311", "0399", save=False, account={"a": 1}, customer="u1"
            ),
            {
                "card": {"number": "8600069195406311", "expire": "0399"},
                "save": False,
                "account": {"a": 1},
                "customer": "u1",
            },
        ),
        (calls.cards_get_verify_code(TOKEN), {"token": TOKEN}),
        (calls.cards_verify(TOKEN, "000001"), {"token": TOKEN, "code": "000001"}),
        (calls.cards_check(TOKEN), {"token": TOKEN}),
        (calls.cards_remove(TOKEN), {"token": TOKEN}),
        (
            calls.receipts_create(2500, {"order_id": 106}),
            {"amount": 2500, "account": {"order_id": 106}},
        ),
        (
            calls.receipts_create(2500, {"order_id": "106"}, description="Non", hold=True),
            {"amount": 2500, "account": {"order_id": "106"}, "description": "Non", "hold": True},
        ),
        (calls.receipts_pay(RECEIPT, TOKEN), {"id": RECEIPT, "token": TOKEN}),
        (
            calls.receipts_pay(
                RECEIPT, TOKEN, payer=Payer(phone="+998 90 130-45-27", id="7"), hold=True
            ),
            {
                "id": RECEIPT,
                "token": TOKEN,
                "payer": {"id": "7", "phone": "998901304527"},
                "hold": True,
            },
        ),
        (calls.receipts_send(RECEIPT, "998901304527"), {"id": RECEIPT, "phone": "998901304527"}),
        (calls.receipts_cancel(RECEIPT), {"id": RECEIPT}),
        (calls.receipts_check(RECEIPT), {"id": RECEIPT}),
        (calls.receipts_get(RECEIPT), {"id": RECEIPT}),
        (calls.receipts_confirm_hold(RECEIPT), {"id": RECEIPT}),
        (
            calls.receipts_get_all(2, 1636398000000, 1636398000000),
            {"count": 2, "from": 1636398000000, "to": 1636398000000, "offset": 0},
        ),
        (
            calls.receipts_set_fiscal_data(
                RECEIPT, FiscalData(receipt_id=121, qr_code_url="https://ofd.soliq.uz/check?t=1")
            ),
            {
                "id": RECEIPT,
                "fiscal_data": {"receipt_id": 121, "qr_code_url": "https://ofd.soliq.uz/check?t=1"},
            },
        ),
    ],
    ids=lambda value: value.method if isinstance(value, calls.Call) else "",
)
def test_params_are_those_of_the_documentation(call, params):
    assert json.loads(jsonrpc.encode(call.method, call.params, None))["params"] == params


@pytest.mark.parametrize(
    ("method", "effect", "credential"),
    [
        ("cards.create", Effect.CREATES, Credential.ID),
        ("cards.get_verify_code", Effect.CREATES, Credential.ID),
        ("cards.verify", Effect.CREATES, Credential.ID),
        ("cards.check", Effect.READ, Credential.ID),
        ("cards.remove", Effect.CREATES, Credential.ID_AND_KEY),
        ("receipts.create", Effect.CREATES, Credential.ID_AND_KEY),
        ("receipts.pay", Effect.MOVES_MONEY, Credential.ID_AND_KEY),
        ("receipts.send", Effect.CREATES, Credential.ID_AND_KEY),
        ("receipts.cancel", Effect.MOVES_MONEY, Credential.ID_AND_KEY),
        ("receipts.check", Effect.READ, Credential.ID_AND_KEY),
        ("receipts.get", Effect.READ, Credential.ID_AND_KEY),
        ("receipts.get_all", Effect.READ, Credential.ID_AND_KEY),
        ("receipts.confirm_hold", Effect.MOVES_MONEY, Credential.ID_AND_KEY),
        ("receipts.set_fiscal_data", Effect.CREATES, Credential.ID_AND_KEY),
        ("transactions.complete", Effect.MOVES_MONEY, Credential.ID_AND_KEY),
    ],
)
def test_effect_and_credential_of_each_method(method, effect, credential):
    call = calls.any_method(method, {})
    assert (call.effect, call.credential) == (effect, credential)


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: calls.cards_create("86000691954", "0399"), "number"),
        (lambda: calls.cards_create("8600069195406311a", "0399"), "number"),
        (lambda: calls.cards_create(8600069195406311, "0399"), "number"),
        (lambda: calls.cards_create("8600069195406311", "1399"), "expire"),
        (lambda: calls.cards_create("8600069195406311", "9903"), "expire"),
        (lambda: calls.cards_create("8600069195406311", "0399", save="yes"), "save"),
        (lambda: calls.cards_create("8600069195406311", "0399", customer=" "), "customer"),
        (lambda: calls.cards_check(""), "token"),
        (lambda: calls.cards_check("a b"), "token"),
        (lambda: calls.cards_check(None), "token"),
        (lambda: calls.cards_verify(TOKEN, 666666), "code"),
        (lambda: calls.receipts_create(0, {"a": 1}), "amount"),
        (lambda: calls.receipts_create(True, {"a": 1}), "amount"),
        (lambda: calls.receipts_create(1.5, {"a": 1}), "amount"),
        (lambda: calls.receipts_create(1, {}), "account"),
        (lambda: calls.receipts_create(1, "order"), "account"),
        (lambda: calls.receipts_create(1, {1: 1}), "account"),
        (lambda: calls.receipts_create(1, {"order_id": None}), "account.order_id"),
        (lambda: calls.receipts_create(1, {"order_id": 1.5}), "account.order_id"),
        (lambda: calls.receipts_create(1, {"order_id": True}), "account.order_id"),
        (lambda: calls.receipts_create(1, {"a": 1}, hold=1), "hold"),
        (lambda: calls.receipts_create(1, {"a": 1}, description=""), "description"),
        (lambda: calls.receipts_create(1, {"a": 1}, detail={"items": []}), "detail"),
        (lambda: calls.receipts_pay("", TOKEN), "receipt_id"),
        (lambda: calls.receipts_pay(RECEIPT, TOKEN, payer="998901304527"), "payer"),
        (lambda: calls.receipts_pay(RECEIPT, TOKEN, payer=Payer(phone="123")), "phone"),
        (lambda: calls.receipts_send(RECEIPT, "8901304527"), "phone"),
        (lambda: calls.receipts_send(RECEIPT, 998901304527), "phone"),
        (lambda: calls.receipts_get_all(51, 0, 0), "count"),
        (lambda: calls.receipts_get_all(0, 0, 0), "count"),
        (lambda: calls.receipts_get_all(True, 0, 0), "count"),
        (lambda: calls.receipts_get_all(1, -1, 0), "from_"),
        (lambda: calls.receipts_get_all(1, 2, 1), "from_"),
        (lambda: calls.receipts_get_all(1, 0, 1.5), "to"),
        (lambda: calls.receipts_get_all(1, dt.datetime(2026, 1, 1), 1), "from_"),
        (lambda: calls.receipts_get_all(1, 0, 0, -1), "offset"),
        (lambda: calls.receipts_set_fiscal_data(RECEIPT, {}), "fiscal"),
        (lambda: calls.any_method("", {}), "method"),
        (lambda: calls.any_method("receipts.get", [1]), "params"),
        (lambda: FiscalData(receipt_id=-1, qr_code_url="https://x"), "fiscal.receipt_id"),
        (lambda: FiscalData(receipt_id=1, qr_code_url="ofd"), "fiscal.qr_code_url"),
        (lambda: FiscalData(receipt_id=1, qr_code_url="https://x", date="2022"), "fiscal.date"),
        (lambda: item(code="123"), "item.code (IKPU)"),
        (lambda: item(code=702001001000001), "item.code (IKPU)"),
        (lambda: item(package_code="abc"), "item.package_code"),
        (lambda: item(vat_percent=101), "item.vat_percent"),
        (lambda: item(count=0), "item.count"),
        (lambda: item(count=0.5), "item.count"),
        (lambda: item(price=0), "item.price"),
        (lambda: item(discount=-1), "item.discount"),
        (lambda: item(discount=100_001), "item.discount"),
        (lambda: item(title=""), "item.title"),
        (lambda: Shipping("", 1), "shipping.title"),
        (lambda: Shipping("Yetkazish", -1), "shipping.price"),
        (lambda: Detail([]), "detail.items"),
        (lambda: Detail([{}]), "detail.items"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_the_argument(build, argument):
    with pytest.raises(InvalidArgument) as refused:
        build()
    assert refused.value.argument == argument
    assert str(refused.value).startswith(f"{argument}: got ")
    assert refused.value.sent == "no"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (1_790_000_000, "it looks like seconds: did you mean 1790000000000?"),
        (1_790_000_000.5, "it looks like seconds: did you mean 1790000000500?"),
        (1_293_839_999_999, "milliseconds since 1970 UTC, not before 2011"),
        (1_790_000_000_000_000_000, "milliseconds since 1970 UTC, not before 2011"),
        (1, "milliseconds since 1970 UTC, not before 2011"),
    ],
)
def test_seconds_are_not_taken_for_milliseconds(given, hint):
    with pytest.raises(InvalidArgument) as refused:
        calls.receipts_get_all(1, given, 1_790_000_000_000)
    assert str(refused.value).startswith("from_: got ")
    assert str(refused.value).endswith(hint)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (0, 0),
        (1_293_840_000_000, 1_293_840_000_000),
        (dt.datetime(2001, 1, 1, tzinfo=dt.UTC), 978_307_200_000),
        (dt.datetime.min.replace(tzinfo=dt.UTC), 0),
    ],
)
def test_beginning_and_early_datetimes_are_taken(given, sent):
    assert calls.receipts_get_all(1, given, 1_790_000_000_000).params["from"] == sent


def test_swapped_arguments_of_pay_are_seen_and_the_token_is_not_shown():
    for receipt, token in ((TOKEN, RECEIPT), (TOKEN, TOKEN), ("!" * 65, TOKEN)):
        with pytest.raises(InvalidArgument, match="are the arguments swapped") as refused:
            calls.receipts_pay(receipt, token)
        assert refused.value.argument == "receipt_id"
        assert str(refused.value).startswith("receipt_id: got '<token>', expected the id that ")
    with pytest.raises(InvalidArgument, match="are the arguments swapped") as refused:
        calls.receipts_pay(RECEIPT, RECEIPT)
    assert refused.value.argument == "token"


def test_moments_go_out_as_milliseconds():
    tashkent = dt.timezone(dt.timedelta(hours=5))
    start = dt.datetime(2021, 11, 9, tzinfo=tashkent)
    end = dt.datetime(2021, 11, 8, 19, 0, 0, 1000, tzinfo=dt.UTC)
    params = calls.receipts_get_all(1, start, end).params
    assert (params["from"], params["to"]) == (1636398000000, 1636398000001)


def test_detail_goes_out_as_documented_and_must_add_up():
    detail = Detail(
        [item(discount=100_00, units=241092), item(count=Decimal("0.5"))],
        shipping=Shipping("Yetkazib berish", 300_00),
    )
    assert detail.total == 900_00 + 250_00 + 300_00
    call = calls.receipts_create(145_000, {"order_id": 1}, detail=detail)
    assert call.params["detail"] == {
        "receipt_type": 0,
        "items": [
            {
                "title": "Non",
                "price": 50000,
                "count": 2,
                "code": "00702001001000001",
                "vat_percent": 12,
                "package_code": "123456",
                "discount": 10000,
                "units": 241092,
            },
            {
                "title": "Non",
                "price": 50000,
                "count": Decimal("0.5"),
                "code": "00702001001000001",
                "vat_percent": 12,
                "package_code": "123456",
            },
        ],
        "shipping": {"title": "Yetkazib berish", "price": 30000},
    }
    with pytest.raises(InvalidArgument, match=r"add up to amount=145001"):
        calls.receipts_create(145_001, {"order_id": 1}, detail=detail)


def test_the_account_that_was_given_is_not_shared():
    account = {"order_id": 1}
    call = calls.receipts_create(1, account)
    account["order_id"] = 2
    assert call.params["account"] == {"order_id": 1}
