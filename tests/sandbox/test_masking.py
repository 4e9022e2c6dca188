"""What is shown of what went over the wire: SECURITY.md's promise, for senders who keep no form."""

import dataclasses
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from merchant_tools import Shop, basic
from sandbox_tools import GOOD, Caller, Clock
from web_tools import Browser, api

from payme.sandbox import Sandbox
from payme.sandbox.engine import masking
from payme.sandbox.web.export import pytest_file
from payme.sandbox.web.pages import format_time

PHONE = "998901234567"

sent = st.sampled_from(
    [
        {"card": {"number": int(GOOD), "expire": "0399"}},
        {"card": {"number": float(GOOD), "expire": "0399"}},
        {"pan": int(GOOD)},
        {"card_number": "8600 0691 9540 6311"},
        {"wallet": [{"anything": int(GOOD)}]},
        {"phone": int(PHONE)},
        {"msisdn": PHONE[3:]},
        {"Phone-Number": int(PHONE[3:])},
        {"note": int(PHONE)},
        {"token": "x", "code": 271828},
        {"otp": 271828},
        {"sms_code": "271828"},
        {"account": {"whose": int(PHONE), "order": int(GOOD)}},
    ]
)
methods = st.sampled_from(["cards.create", "cards.verify", "receipts.send", "receipts.create", "x"])


@given(methods, sent)
def test_cards_phones_and_codes_are_masked_as_numbers_and_under_other_names(
    method: str, params: dict[str, Any]
) -> None:
    sandbox = Sandbox()
    try:
        Caller(sandbox).call(method, params)
        shown = (
            f"{sandbox.traffic.entries()} {pytest_file(sandbox.traffic.recorded(), sandbox.config)}"
        )
    finally:
        sandbox.stop()
    # The number of a test card is public, and is what an exported test needs.
    for secret in ("86000691954063110", "8600 0691", PHONE, PHONE[3:], "271828"):
        assert secret not in shown
    assert GOOD not in str(sandbox.traffic.entries())


@given(st.integers(-(2**63), 2**63) | st.floats(allow_nan=True))
def test_other_numbers_stay_as_they_are(number: float) -> None:
    shown = masking.tree({"amount": number})["amount"]
    if isinstance(shown, str):
        assert "*" in shown
        assert len(str(int(number))) >= 12
    else:
        assert shown is number


@pytest.mark.parametrize("written", ["whole", "bare"])
def test_a_merchant_who_answers_with_our_credentials_is_not_quoted(
    clock: Clock, written: str
) -> None:
    credentials = basic("merchants-own-key").removeprefix("Basic ")
    said = credentials if written == "whole" else credentials.rstrip("=")
    shop = Shop(clock)
    refusal = {"code": -32504, "message": f"not {said}", "data": {"header": said}}
    shop.fail("CheckPerformTransaction", (200, json.dumps({"error": refusal}).encode()))
    shop.fail("CheckPerformTransaction", (500, f"debug: {said}".encode()))
    with Sandbox(merchant=shop, merchant_key="merchants-own-key", clock=clock) as sandbox:
        caller = Caller(sandbox)
        for _ in range(2):
            caller.no("receipts.create", amount=500, account={"order_id": 1})
        page = Browser(sandbox).get("/dashboard/ledgers").body
        shown = f"{sandbox.traffic.entries()} {sandbox.merchant.exchanges()} {page}"
    assert said.rstrip("=") not in shown
    assert "merchants-own-key" not in shown


def test_a_password_that_was_changed_is_masked_in_the_traffic_too(clock: Clock) -> None:
    shop = Shop(clock)
    refusal = {"code": -32504, "message": "new-password", "data": basic("new-password")}
    with Sandbox(merchant=shop, clock=clock) as sandbox:
        sandbox.merchant.change_password("new-password")
        shop.fail("CheckPerformTransaction", (200, json.dumps({"error": refusal}).encode()))
        Caller(sandbox).no("receipts.create", amount=500, account={"order_id": 1})
        shown = str(sandbox.traffic.entries())
    assert "new-password" not in shown
    assert basic("new-password").removeprefix("Basic ").rstrip("=") not in shown


def test_a_long_request_to_the_merchant_is_not_kept(clock: Clock) -> None:
    with Sandbox(merchant=Shop(clock), clock=clock) as sandbox:
        Caller(sandbox).ok("receipts.create", amount=500, account={"order_id": "x" * 20_000})
        (exchange,) = sandbox.merchant.exchanges()
    assert len(str(exchange.request)) < 100


def test_a_description_is_masked_on_the_receipts_page() -> None:
    with Sandbox() as sandbox:
        account = {GOOD: "1"}
        params = {"amount": 500, "account": account, "description": f"{GOOD} +{PHONE}"}
        receipt = api(sandbox, "receipts.create", **params)["receipt"]["_id"]
        browser = Browser(sandbox)
        page = browser.get(f"/dashboard/receipts/{receipt}").body
        # What it may be paid with are the numbers of the test cards.
        shown = (
            re.sub(r'<option value="[0-9]+"', "", page) + browser.get("/dashboard/receipts").body
        )
    assert GOOD not in shown
    assert PHONE not in shown


def test_what_stands_in_a_field_that_anybody_names_is_masked_wherever_it_is_shown(
    clock: Clock,
) -> None:
    own, key, merchants = "8600111122223333", "k7dEy?0Plu", "merchants-own-key"
    said = basic(merchants).removeprefix("Basic ")
    shop = Shop(clock)
    refusal = {"code": -31008, "message": f"not {said}", "data": merchants}
    shop.fail("CreateTransaction", (200, json.dumps({"error": refusal}).encode()))
    options = {"cards": {own: "pays"}, "key": key, "merchant_key": merchants}
    with Sandbox(merchant=shop, clock=clock, **options) as sandbox:
        caller = Caller(sandbox)
        account = {own: "1", PHONE: key, "order_id": f"x{merchants}", "nested": {"key": key}}
        caller.no("receipts.create", amount=500, account=account)
        del account["nested"]
        receipt = caller.receipt(account=account, description=f"of {own} {PHONE} {key}")
        caller.no("receipts.pay", id=receipt, token=caller.verified())
        browser = Browser(sandbox)
        paths = (
            f"/dashboard/receipts/{receipt}?lang=en",
            "/dashboard/receipts",
            "/dashboard/traffic",
            "/dashboard/traffic/export",
            "/dashboard/ledgers",
            f"/checkout/{receipt}",
            "/_sandbox/receipts",
            "/_sandbox/exchanges",
        )
        shown = {path: browser.get(path).body for path in paths}
        # The shop's own repr is not ours.
        settings = dataclasses.replace(sandbox.settings, merchant=None)
        shown["repr"] = f"{settings} {sandbox.traffic.entries()}"
    for path, text in shown.items():
        for secret in (own, PHONE, key, merchants, said.rstrip("=")):
            assert secret not in text, path


@pytest.mark.parametrize("ms", [1_700_000_000_000_000, -(2**63), 2**63 - 1])
def test_a_merchant_who_counts_in_microseconds_breaks_no_page(clock: Clock, ms: int) -> None:
    assert format_time(1_700_000_000_000) == "2023-11-15 03:13:20"
    shop = Shop(clock)
    made = {"result": {"create_time": ms, "transaction": "1", "state": 1}}
    shop.fail("CreateTransaction", (200, json.dumps(made).encode()))
    done = {"result": {"perform_time": ms, "transaction": "1", "state": 2}}
    shop.fail("PerformTransaction", (200, json.dumps(done).encode()))
    with Sandbox(merchant=shop, clock=clock) as sandbox:
        Caller(sandbox).paid()
        page = Browser(sandbox).get("/dashboard/ledgers")
    assert page.status == 200
    assert str(ms) in page.text


IKPU = "00702001001000001"


def shown_of(document: Any, secrets: tuple[str, ...] = ()) -> str:
    return json.dumps(masking.tree(document, secrets))


def test_the_ikpu_of_a_line_is_shown_in_both_bodies() -> None:
    sandbox = Sandbox()
    lines = [{"title": "Non", "price": 5, "count": 1, "code": IKPU, "vat_percent": 12,
              "package_code": "123456"}]  # fmt: skip
    try:
        made = api(sandbox, "receipts.create", amount=5, account={}, detail={"items": lines})
        api(sandbox, "receipts.get", id=made["receipt"]["_id"])
        (got, created) = sandbox.traffic.entries()
    finally:
        sandbox.stop()
    for body in (created.request, created.response, got.response):
        assert f'"code": "{IKPU}"' in body


def test_the_ikpu_of_a_merchants_answer_is_shown(clock: Clock) -> None:
    answer = {"allow": True, "detail": {"items": [{"title": "Non", "code": IKPU}]}}

    def merchant(body: bytes, _headers: object) -> tuple[int, bytes]:
        return 200, json.dumps({"id": json.loads(body)["id"], "result": answer}).encode()

    with Sandbox(merchant=merchant, clock=clock) as sandbox:
        api(sandbox, "receipts.create", amount=5, account={"order_id": "7"})
        (exchange,) = sandbox.merchant.exchanges()
    assert IKPU in str(exchange.answer)


def in_line(code: object) -> Any:
    return {"detail": {"items": [{"code": code}]}}


@given(
    st.sampled_from([13, 14, 15, 16, 17, 18, 19]).flatmap(
        lambda length: st.from_regex(rf"[2-9][0-9]{{{length - 1}}}", fullmatch=True)
    ),
    st.sampled_from([str, int]),
)
def test_no_card_is_shown_where_an_ikpu_stands(number: str, kind: type) -> None:
    assert number not in shown_of(in_line(kind(number)))
    assert number not in shown_of({"result": {"receipt": in_line(f"{number} ")}})


@pytest.mark.parametrize(
    "document",
    [
        {"code": IKPU},
        {"token": "x", "params": {"code": IKPU}},
        {"detail": {"code": IKPU}},
        {"detail": {"items": [{"number": IKPU}]}},
        {"detail": {"items": [{"lines": [{"code": IKPU}]}]}},
        {"detail": [{"items": [{"code": IKPU}]}]},
        {"items": [{"code": IKPU}]},
        {"account": in_line(IKPU)},
        {"note": IKPU},
        in_line(int("1" + IKPU[1:])),
        in_line(IKPU[:-1]),
        in_line(IKPU + "1"),
        in_line(IKPU[:-1] + "\u0661"),
        in_line("666666"),
    ],
)
def test_seventeen_digits_elsewhere_stay_masked(document: Any) -> None:
    shown = shown_of(document)
    assert IKPU not in shown
    assert IKPU[6:13] not in shown
    assert "666666" not in shown


def test_a_secret_that_is_told_is_masked_in_an_ikpu_too() -> None:
    assert IKPU in shown_of(in_line(IKPU), ("other",))
    assert IKPU not in shown_of(in_line(IKPU), (IKPU,))
    assert IKPU[:5] not in shown_of(in_line(IKPU), ("0200100",))


@pytest.mark.parametrize("odd", [None, 5, "x", [], [None], [[]], {}, True])
def test_a_detail_of_any_form_can_be_shown(odd: Any) -> None:
    for document in ({"detail": odd}, {"detail": {"items": odd}}, [odd], in_line(odd)):
        masking.tree(document)
