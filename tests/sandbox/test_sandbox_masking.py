"""What is shown of what went over the wire: SECURITY.md's promise, for senders who keep no form."""

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
