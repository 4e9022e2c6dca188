import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from jinja2.ext import extract_from_ast
from sandbox_tools import GOOD, POOR, Clock
from starlette.types import Scope
from web_tools import Browser, Page, api

from payme.errors.catalogue import Language, lookup
from payme.protocol.states import ReceiptState
from payme.sandbox import Sandbox, SandboxClock
from payme.sandbox.engine.ledgers import Difference
from payme.sandbox.engine.model import EntryKind
from payme.sandbox.engine.testcards import OUTCOMES, REFUSED, TEST_CARDS
from payme.sandbox.web import dashboard
from payme.sandbox.web.dashboard.frame import MISSING, NOTICES
from payme.sandbox.web.i18n import WORDS, translator
from payme.sandbox.web.i18n.remarks import REMARKS
from payme.sandbox.web.pages import Pages, state_name
from payme.sandbox.web.security import Guard, allowed_host

PAGES = [
    "/",
    "/dashboard/receipts",
    "/dashboard/receipts/new",
    "/dashboard/cards",
    "/dashboard/sms",
    "/dashboard/traffic",
    "/dashboard/faults",
    "/dashboard/clock",
    "/dashboard/ledgers",
]
POSTS = [
    "/dashboard/receipts/new",
    "/dashboard/receipts/{id}/pay",
    "/dashboard/receipts/{id}/cancel",
    "/dashboard/receipts/{id}/confirm",
    "/dashboard/traffic/clear",
    "/dashboard/faults",
    "/dashboard/faults/lose",
    "/dashboard/faults/cors",
    "/dashboard/faults/clear",
    "/dashboard/faults/1/remove",
    "/dashboard/clock",
]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    return Browser(sandbox)


def receipt_page(browser: Browser, receipt: str) -> Page:
    return browser.get(f"/dashboard/receipts/{receipt}")


@pytest.mark.parametrize("path", PAGES)
def test_pages_let_nothing_in_from_outside(sandbox: Sandbox, browser: Browser, path: str) -> None:
    api(sandbox, "receipts.create", amount=500, account={"order_id": 1})
    page = browser.get(path)
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert not page.reader.inline
    # The sandbox's own address is there to be copied; nothing is loaded from another.
    assert "//" not in page.body.removeprefix("<!DOCTYPE html>").replace(browser.base, "")
    assert (
        browser.get("/dashboard/static/sandbox.css").headers["content-type"].startswith("text/css")
    )
    assert browser.get("/dashboard/static/..%2fpages.py").status == 404


def test_who_asks_for_the_dashboard_is_led_to_it(browser: Browser) -> None:
    assert urlsplit(browser.get("/dashboard/").url).path == "/"
    assert browser.get("/dashboard/nowhere").status == 404


@pytest.mark.parametrize(
    "host",
    [
        *("evil.uz", "127.0.0.1.evil.uz", "", "localhost.evil.uz:80"),
        *("[::1].evil.uz", "[::1", "localhost:80:evil.uz", "127.0.0.1@evil.uz"),
    ],
)
def test_other_names_are_refused(sandbox: Sandbox, browser: Browser, host: str) -> None:
    receipt = sandbox.add_receipt()
    paths = [*PAGES, f"/checkout/{receipt}", f"/{receipt}", "/bT01", "/dashboard/traffic/export"]
    paths += ["/dashboard/traffic/1", "/dashboard/receipts?box=1", f"/dashboard/receipts/{receipt}"]
    for path in paths:
        page = browser.request("GET", path, headers={"Host": host}, follow=False)
        assert page.status == 403, path
    assert browser.request("POST", "/", {}, {"Host": host}).status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:99", "127.0.0.2", "[::1]:3000", "a.localhost"]
)
def test_names_of_this_computer_are_served(sandbox: Sandbox, browser: Browser, host: str) -> None:
    assert browser.request("GET", "/", headers={"Host": host}).status == 200


def scope(*headers: tuple[bytes, bytes], server: tuple[str, int] | None = None) -> Scope:
    return {"type": "http", "headers": list(headers), "server": server}


def test_the_address_that_was_bound_is_a_good_name() -> None:
    assert allowed_host(scope((b"host", b"box.lan:3000")), "box.lan")
    assert allowed_host(scope((b"host", b"10.0.0.5:3000"), server=("10.0.0.5", 3000)))
    assert not allowed_host(scope((b"host", b"evil.uz"), server=("10.0.0.5", 3000)), "box.lan")
    assert not allowed_host(scope())
    assert not allowed_host(scope((b"host", b"localhost"), (b"host", b"evil.uz")))
    assert not allowed_host(scope((b"host", b":3000")), "")


@pytest.mark.parametrize("path", POSTS)
def test_every_form_needs_the_token(sandbox: Sandbox, browser: Browser, path: str) -> None:
    receipt = sandbox.add_receipt()
    sandbox.faults.add("receipts.pay", action="drop")
    token = browser.get("/dashboard/faults").form().fields["csrf"]
    form = {
        "card": GOOD,
        "amount": "500",
        "do": "freeze",
        "method": "*",
        "when": "after",
        "action": "drop",
    }
    box = sandbox.add_cash_box()
    for sent, site, query in (
        ({}, "same-origin", ""),
        ({}, "same-origin", f"?box={box.merchant_id}&csrf={token}"),
        ({"csrf": "x"}, "none", ""),
        ({"csrf": token}, "same-site", ""),
        ({"csrf": token}, "cross-site", f"?box={box.merchant_id}"),
    ):
        url = path.format(id=receipt) + query
        page = browser.request("POST", url, {**form, **sent}, {"Sec-Fetch-Site": site})
        assert page.status == 403
    assert len(sandbox.faults.list()) == 1
    assert [one.id for one in sandbox.receipts()] == [receipt]
    assert box.receipts() == []
    assert not sandbox.clock.frozen
    assert api(sandbox, "receipts.check", id=receipt)["state"] == 0


def test_the_token_is_another_in_every_sandbox(sandbox: Sandbox) -> None:
    assert Guard().token != Guard().token
    assert Guard().token not in repr(Guard())


def test_who_asks_for_no_page_is_told_where_to_call(browser: Browser) -> None:
    page = browser.get("/", Accept="*/*")
    assert "POST /api" in page.body
    # A page of another site would load it as a script otherwise, and see by that what runs here.
    assert page.headers["x-content-type-options"] == "nosniff"


def test_a_receipt_is_paid_with_a_button(sandbox: Sandbox, browser: Browser) -> None:
    receipt = api(sandbox, "receipts.create", amount=5_000_050, account={"order_id": "A-7"})
    receipt_id = receipt["receipt"]["_id"]
    page = receipt_page(browser, receipt_id)
    assert "50 000,50" in page.text
    page = browser.submit(page, "/pay", card=GOOD)
    assert "The receipt was paid." in page.text
    assert "4 paid" in page.text
    assert "debit on the card 860006******6311" in page.text
    assert sandbox.debits(receipt_id) == 1
    page = browser.submit(page, "/cancel")
    assert "21 cancel queued" in page.text
    sandbox.clock.advance("1m")
    assert "50 cancelled" in receipt_page(browser, receipt_id).text


def test_the_timeline_has_a_call_after_what_it_did() -> None:
    # One that stands: whatever happens, happens in the same millisecond.
    with Sandbox(clock=SandboxClock(start=1_700_000_000_000, frozen=True)) as sandbox:
        made = api(sandbox, "receipts.create", amount=500, account={"order_id": "1"})
        browser = Browser(sandbox)
        page = browser.submit(receipt_page(browser, made["receipt"]["_id"]), "/pay", card=POOR)
        page = browser.submit(page, "/pay", card=GOOD)
    shown = re.findall(r"</time> <span>(.*?)</span></li>", page.body)
    assert [said.split(" on ")[0] for said in shown] == [
        "created",
        "receipts.create: ok",
        "debit",
        "paid",
        "receipts.pay: -31630 insufficient_funds",
        "receipts.pay: ok",
    ]


@pytest.mark.parametrize(
    ("language", "path", "said"),
    [
        ("uz", "faults", "Nosozlik qoʻyilmadi."),
        ("ru", "faults", "Сбой не поставлен."),
        ("ru", "clock", "Часы не переведены."),
    ],
)
def test_what_was_wrong_with_a_form_is_said_in_the_readers_language(
    browser: Browser, language: str, path: str, said: str
) -> None:
    token = browser.get(f"/dashboard/{path}").form().fields["csrf"]
    wrong = {"csrf": token, "method": "never", "do": "advance", "by": "soon"}
    cookie = {"Cookie": f"payme_sandbox_language={language}"}
    page = browser.request("POST", f"/dashboard/{path}", wrong, cookie)
    assert page.status == 422
    banner = re.findall(r'<div class="notice bad"[^>]*>(.*?)</div>', page.body)
    assert len(banner) == 1
    assert f"<p>{said}</p>" in banner[0]
    assert '<p lang="en">' in banner[0]


def test_a_refused_payment_says_so(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.submit(receipt_page(browser, sandbox.add_receipt()), "/pay", card=POOR)
    assert page.status == 422
    (banner,) = re.findall(r'<div class="notice bad" role="alert"[^>]*>(.*?)</div>', page.body)
    for said in ("The payment was refused.", "Not enough money", "receipts.pay, -31630"):
        assert said in banner
    meaning = lookup(-31630, "receipts.pay", "Недостаточно средств на карте")
    assert meaning is not None
    assert meaning.remedy.en.replace("`", "") in banner
    assert 'class="notice good"' not in page.body
    assert f'<option value="{POOR}" selected>' in page.body
    assert "insufficient_funds" in page.text
    assert "0 created" in page.text


def test_a_hold_is_confirmed_with_a_button(sandbox: Sandbox, browser: Browser) -> None:
    receipt = sandbox.add_receipt(hold=True)
    page = browser.submit(receipt_page(browser, receipt), "/pay", card=GOOD)
    assert "5 held" in page.text
    page = browser.submit(page, "/confirm")
    assert "The hold was confirmed." in page.text
    assert [entry.kind for entry in sandbox.entries(receipt)] == ["hold", "capture"]


def test_an_unknown_receipt_or_card_is_not_found(sandbox: Sandbox, browser: Browser) -> None:
    assert receipt_page(browser, "0" * 24).status == 404
    page = receipt_page(browser, sandbox.add_receipt())
    assert browser.submit(page, "/pay", card="1").status == 404
    url = page.form("/pay").action.replace(page.url.rpartition("/")[2], "0" * 24)
    assert browser.request("POST", url, page.form("/pay").fields).status == 404


def test_receipts_are_filtered(sandbox: Sandbox, browser: Browser) -> None:
    one, two = (
        api(sandbox, "receipts.create", amount=500, account={"order_id": name}, description=text)
        for name, text in (("first", "Non"), ("second", "Choy"))
    )
    one, two = one["receipt"]["_id"], two["receipt"]["_id"]
    api(sandbox, "receipts.cancel", id=one)
    for query, found in (
        ("", {one, two}),
        ("?state=50", {one}),
        ("?state=0&q=SECOND", {two}),
        ("?q=choy", {two}),
        (f"?q={one}", {one}),
        ("?q=%3Cscript%3E", set()),
    ):
        page = browser.get(f"/dashboard/receipts{query}")
        assert {id_ for id_ in (one, two) if id_ in page.text} == found, query


def test_receipts_are_paged(sandbox: Sandbox, browser: Browser) -> None:
    made = [sandbox.add_receipt() for _ in range(60)]
    first = browser.get("/dashboard/receipts")
    last = browser.get("/dashboard/receipts" + first.reader.links["Earlier"])
    assert "Earlier" not in last.reader.links
    shown = [re.findall(r"receipts/([0-9a-f]{24})", page.body) for page in (first, last)]
    assert [*shown[0], *shown[1]] == made[::-1]
    assert browser.get("/dashboard/receipts?offset=bad&state=x").status == 200


def test_cards_and_messages_are_listed_masked(sandbox: Sandbox, browser: Browser) -> None:
    token = sandbox.add_card(verified=False)
    api(sandbox, "cards.get_verify_code", token=token)
    cards = browser.get("/dashboard/cards").body.partition("Test cards")[0]
    assert "860006******6311" in cards
    assert token not in cards
    sms = browser.get("/dashboard/sms").text
    assert "666666" in sms
    assert "99890*****66" in sms
    api(sandbox, "receipts.send", id=sandbox.add_receipt(), phone="998931112233")
    page = browser.get("/dashboard/sms")
    assert "99893*****33" in page.text
    assert "998931112233" not in page.body


def test_traffic_shows_both_bodies_and_the_reason(sandbox: Sandbox, browser: Browser) -> None:
    receipt = sandbox.add_receipt()
    sandbox.handle(
        json.dumps(
            {"id": 7, "method": "receipts.pay", "params": {"id": receipt, "token": "x"}}
        ).encode(),
        f"{sandbox.merchant_id}:{sandbox.key}",
    )
    page = browser.get("/dashboard/traffic")
    for shown in ("receipts.pay", "-32500", "malformed_token", "X-Auth: id:key", "bind the card"):
        assert shown in page.text, shown
    assert sandbox.key not in page.body
    api(sandbox, "receipts.check", id=receipt)
    assert "receipts.check" in browser.get("/dashboard/traffic").text
    assert "receipts.check" not in browser.get("/dashboard/traffic?show=refused").text
    page = browser.submit(page, "/clear")
    assert "The traffic was forgotten." in page.text
    assert sandbox.traffic.entries() == []


def test_the_answer_that_is_lost_is_the_next_one(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.submit(browser.get("/"), "/lose", method="receipts.pay")
    assert "its answer is lost" in page.text
    api(sandbox, "receipts.check", id=sandbox.add_receipt())
    assert [fault.left for fault in sandbox.faults.list()] == [1]
    receipt = sandbox.add_receipt()
    page = browser.submit(receipt_page(browser, receipt), "/pay", card=GOOD)
    assert "The answer was lost" in page.text
    assert "4 paid" in page.text
    assert sandbox.debits(receipt) == 1
    assert "after drop" in page.text


def set_fault(browser: Browser, **change: str) -> Page:
    forms = browser.get("/dashboard/faults").reader.forms
    fields = next(one.fields for one in forms if one.action == "/dashboard/faults")
    good = {"method": "receipts.pay", "when": "after", "action": "drop", "times": "1", "more": ""}
    return browser.request("POST", "/dashboard/faults", {**fields, **good, **change})


def test_faults_are_set_and_removed(sandbox: Sandbox, browser: Browser) -> None:
    more = (
        'code=-31622 message="Yopiq" amount=1..5 card=8600069195406311 account.order_id=7 '
        "probability=0.5 delay=2s"
    )
    page = set_fault(browser, when="before", action="rpc_error", times="", more=more)
    (fault,) = sandbox.faults.list()
    assert (fault.rule.code, fault.rule.message, fault.rule.amount) == (-31622, "Yopiq", (1, 5))
    assert (fault.left, fault.rule.probability) == (None, 0.5)
    for shown in ("for ever", "probability 0.5", "1..5", "860006******6311", "2000 ms", "-31622"):
        assert shown in page.text, shown
    page = browser.submit(page, "/remove")
    assert "The fault was removed." in page.text
    sandbox.faults.add("*", action="drop")
    browser.submit(browser.get("/dashboard/faults"), "/clear")
    assert sandbox.faults.list() == []


@pytest.mark.parametrize(
    "change",
    [{"method": "nothing"}, {"when": "never"}, {"times": "0"}, {"more": "x"}, {"more": "'"}],
)
def test_a_fault_that_makes_no_sense_is_explained(
    sandbox: Sandbox, browser: Browser, change: dict[str, str]
) -> None:
    page = set_fault(browser, **change)
    assert (page.status, "expected" in page.text) == (422, True)
    assert sandbox.faults.list() == []


@pytest.mark.parametrize(
    ("step", "ms"), [("1m", 60_000), ("12h", 43_200_000), ("30d", 2_592_000_000)]
)
def test_the_clock_is_moved(sandbox: Sandbox, browser: Browser, step: str, ms: int) -> None:
    start = sandbox.clock.freeze()
    page = browser.get("/dashboard/clock")
    assert ("by", step) in page.form("/clock").buttons
    page = browser.submit(page, "/clock", do="advance", by=step)
    assert "The clock was moved." in page.text
    assert sandbox.clock.now() == start + ms


def test_the_clock_is_stopped_and_started(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.submit(browser.get("/dashboard/clock"), "/clock", do="freeze")
    assert sandbox.clock.frozen
    assert "The clock stands." in page.text
    page = browser.submit(page, "/clock", do="resume")
    assert not sandbox.clock.frozen


@pytest.mark.parametrize("by", ["", "soon", "-1h", "1" * 30 + "h"])
def test_a_span_that_is_none_is_explained(sandbox: Sandbox, browser: Browser, by: str) -> None:
    sandbox.clock.freeze(1_700_000_000_000)
    page = browser.submit(browser.get("/dashboard/clock"), "/clock", do="advance", by=by)
    assert (page.status, sandbox.clock.now()) == (422, 1_700_000_000_000)


def test_nobodys_link_puts_words_on_a_page(browser: Browser) -> None:
    page = browser.get("/dashboard/faults?done=%3Cb%3EYou%20won%3C/b%3E")
    assert "You won" not in page.body


def test_hostile_texts_stay_texts(sandbox: Sandbox, browser: Browser) -> None:
    evil = '"><script>alert(1)</script><b onclick=x>'
    made = api(
        sandbox, "receipts.create", amount=5, account={evil: evil, "o": evil}, description=evil
    )
    receipt = made["receipt"]["_id"]
    sandbox.handle(json.dumps({"method": evil, "params": {evil: evil}}).encode(), None)
    calls = [f"/dashboard/traffic/{entry.number}" for entry in sandbox.traffic.entries()]
    for path in [*PAGES, *calls, f"/dashboard/receipts/{receipt}", f"/checkout/{receipt}"]:
        page = browser.get(path)
        assert page.status == 200
        assert not page.reader.inline, path
        assert "<script>alert" not in page.body


EVIL = '"><script>alert(1)</script><b onclick=x>'


def hostile(clock: Clock) -> Sandbox:
    """Make a sandbox in which whatever a tester or a merchant may name is hostile."""
    line = {
        "title": EVIL,
        "code": EVIL,
        "package_code": EVIL,
        "units": EVIL,
        "count": 1,
        "price": 5,
    }
    answer = {"allow": True, "transaction": EVIL, "state": 1, "detail": {"items": [line]}}

    def merchant(body: bytes, _headers: object) -> tuple[int, bytes]:
        call = json.loads(body)
        if call["method"] == "PerformTransaction":
            texts = dict.fromkeys(("uz", "ru", "en"), EVIL)
            refusal = {"code": -31008, "message": texts, "data": EVIL}
            return 200, json.dumps({"id": call["id"], "error": refusal}).encode()
        times = {"create_time": 5, "cancel_time": 7}
        result = {**answer, **times, "state": -1 if call["method"][0:3] == "Can" else 1}
        return 200, json.dumps({"id": call["id"], "result": result}).encode()

    options: dict[str, Any] = {
        "merchant": merchant,
        "merchant_name": EVIL,
        "account_fields": {"order_id": dict.fromkeys(("uz", "ru", "en"), EVIL), "o": EVIL},
        "clock": clock,
    }
    cards = {"8600111122223333": f"-31630 {EVIL}", "8600111122224444/0328": "pays"}
    return Sandbox(cards=cards, **options)


def hostile_paths(sandbox: Sandbox) -> list[str]:
    """Do in each cash-box what leaves a trace of the names, and list the pages that show it."""
    other = sandbox.add_cash_box(merchant_name=EVIL)
    paths: list[str] = []
    for box in (sandbox.first, other):

        def call(method: str, auth: str = f"{box.merchant_id}:{box.key}", **params: Any) -> Any:
            body = json.dumps({"id": 1, "method": method, "params": params}).encode()
            return json.loads(sandbox.handle(body, auth))

        line = {"title": EVIL, "code": EVIL, "package_code": EVIL, "count": 1, "price": 5}
        detail = {"items": [line], "shipping": {"title": EVIL, "price": 5}}
        account = {"order_id": EVIL, "o": EVIL}
        for number in ("8600111122223333", "8600111122224444"):
            made = call(
                "receipts.create", amount=5, account=account, description=EVIL, detail=detail
            )
            receipt = made["result"]["receipt"]["_id"]
            paths += [f"/dashboard/receipts/{receipt}"]
            call("receipts.pay", id=receipt, token=box.add_card(number=number))
        paths += [f"/checkout/{box.add_receipt()}", f"/dashboard/receipts/{box.add_receipt()}"]
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_hostile_names_of_cash_boxes_titles_cards_and_lines_stay_texts(
    language: str, clock: Clock
) -> None:
    with hostile(clock) as sandbox:
        browser = Browser(sandbox)
        paths = [*PAGES, *hostile_paths(sandbox)]
        paths += [f"/dashboard/traffic/{one.number}" for one in sandbox.traffic.entries()]
        chosen = ["", EVIL, sandbox.merchant_id, sandbox.cash_boxes[1].merchant_id]
        seen: set[str] = set()
        for path in paths:
            for box in chosen:
                query = urlencode({"lang": language, "box": box, "q": EVIL, "state": EVIL})
                for address in (f"{path}?{query}", f"{path}?lang={language}&box={box[:24]}"):
                    page = browser.get(address)
                    assert page.status in {200, 404}, path
                    assert not page.reader.inline, path
                    assert "<script>alert" not in page.body, path
                    if EVIL in page.reader.text:
                        seen.add(path.rpartition("/")[0])
        # The texts are there to be read: none of these pages got away by not showing them.
        shown = {"/dashboard/receipts", "/dashboard/traffic", "/checkout"}
        assert shown <= seen


@pytest.mark.parametrize("path", ["/dashboard/receipts?box={id}", "/dashboard/traffic/1", "/"])
def test_other_sites_see_and_frame_no_page(browser: Browser, sandbox: Sandbox, path: str) -> None:
    api(sandbox, "receipts.create", amount=5, account={})
    address = path.replace("{id}", sandbox.merchant_id)
    assert browser.request("GET", address, headers={"Host": "evil.uz"}).status == 403
    page = browser.request("GET", address, headers={"Origin": "https://evil.uz"})
    assert page.status == 200
    assert "access-control-allow-origin" not in page.headers
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_a_chosen_cash_box_leads_nowhere_else(clock: Clock) -> None:
    with hostile(clock) as sandbox:
        browser = Browser(sandbox)
        sandbox.add_cash_box(merchant_name="B")
        for box in ("//evil.uz", "https://evil.uz", "\r\nSet-Cookie: x=1", "../x", "javascript:1"):
            page = browser.get("/dashboard/clock?" + urlencode({"box": box}))
            form = page.form("/clock")
            answer = browser.request(
                "POST",
                "/dashboard/clock?" + urlencode({"box": box}),
                {**form.fields, "do": "freeze"},
                {"Sec-Fetch-Site": "same-origin"},
                follow=False,
            )
            assert answer.headers["location"] == "/dashboard/clock?done=frozen"
            assert "set-cookie" not in answer.headers


def test_an_account_that_may_be_a_phone_is_masked(sandbox: Sandbox, browser: Browser) -> None:
    made = api(sandbox, "receipts.create", amount=5, account={"phone": "998935556677"})
    receipt = made["receipt"]["_id"]
    for path in (
        "/",
        "/dashboard/receipts",
        f"/dashboard/receipts/{receipt}",
        "/dashboard/traffic",
    ):
        assert "998935556677" not in browser.get(path).body, path
    assert "998935556677" in browser.get(f"/checkout/{receipt}").body


class Billing:
    """A merchant in a few lines, that forgets a cancellation when told to."""

    def __init__(self) -> None:
        self.refuses = False

    def __call__(self, body: bytes, _headers: object) -> tuple[int, bytes]:
        call = json.loads(body)
        states = {"CreateTransaction": 1, "PerformTransaction": 2, "CancelTransaction": -2}
        times = {"create_time": 5, "perform_time": 6, "cancel_time": 7}
        result = {"allow": True, "transaction": "T-1", "state": states.get(call["method"]), **times}
        answer = {"id": call["id"], "result": result}
        if self.refuses:
            return 500, b"no"
        return 200, json.dumps(answer).encode()


def test_both_ledgers_and_their_difference() -> None:
    billing = Billing()
    with Sandbox(merchant=billing, merchant_pauses=()) as sandbox:
        browser = Browser(sandbox)
        assert "They agree." in browser.get("/dashboard/ledgers").text
        made = api(sandbox, "receipts.create", amount=500, account={"order_id": 1})
        receipt = made["receipt"]["_id"]
        page = browser.submit(receipt_page(browser, receipt), "/pay", card=GOOD)
        assert "4 paid" in page.text
        assert "PerformTransaction" in page.text
        page = browser.get("/dashboard/ledgers")
        for shown in ("T-1", "debit", "CreateTransaction", "They agree."):
            assert shown in page.text, shown
        billing.refuses = True
        browser.submit(receipt_page(browser, receipt), "/cancel")
        page = browser.get("/dashboard/ledgers")
        assert "CancelTransaction" in page.text
        assert "They agree." not in page.text
        assert sandbox.merchant_id in browser.get("/").text
        assert sandbox.key not in page.body


def test_a_receipt_page_names_what_is_due(sandbox: Sandbox, browser: Browser) -> None:
    receipt = sandbox.add_receipt(hold=True)
    api(sandbox, "receipts.pay", id=receipt, token=sandbox.add_card(), hold=True)
    assert "due: leaves state 5 by itself" in receipt_page(browser, receipt).text


def test_a_form_that_is_too_long_or_no_form_is_refused(browser: Browser) -> None:
    assert browser.request("POST", "/", {"x": "y" * 300_000}).status == 413
    assert browser.request("POST", "/", {f"x{n}": "" for n in range(600)}).status == 400


def test_the_overview_leads_everywhere(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.get("/")
    for path in PAGES:
        assert path in page.reader.links.values(), path
    sandbox.clock.freeze()
    sandbox.faults.add("*", action="drop")
    page = browser.get("/")
    assert "stands" in page.text
    assert page.reader.links["Faults"] == "/dashboard/faults"
    assert parse_qs(urlsplit(page.url).query) == {}


def spoken() -> set[str]:
    """Collect what the dashboard's templates and tables say, in English."""
    templates = Pages()._templates
    said = {
        text
        for name in templates.list_templates()
        for _, _, text in extract_from_ast(
            templates.parse(templates.loader.get_source(templates, name)[0]), ["_"]
        )
        if text is not None  # a name of a table, which is taken from there below
    }
    named = {card.note for card in TEST_CARDS.values()} | {*MISSING.values()}
    named |= {notice.text for notice in NOTICES.values()}
    named |= {note for _, note in OUTCOMES.values()} | {REFUSED}
    kinds = {*get_args(EntryKind), *get_args(Difference.__annotations__["what"])}
    states = {state_name(state, lambda text: text).partition(" ")[2] for state in ReceiptState}
    sources = [one.read_text("utf-8") for one in Path(dashboard.__file__).parent.glob("*.py")]
    spoken = {text for one in sources for text in re.findall(r'say\("([^"]+)"\)', one)}
    said |= {*REMARKS}
    return said | named | kinds | states | spoken | {"shipping", "discount"}


def test_every_word_is_there_in_uzbek_and_russian_and_none_is_left_over() -> None:
    assert spoken() == set(WORDS)


@pytest.mark.parametrize("language", ["uz", "ru"])
def test_translations_keep_what_is_filled_in(language: Language) -> None:
    say = translator(language)
    for english in WORDS:
        said = say(english)
        assert said.strip()
        assert set(re.findall(r"{\w+}", said)) == set(re.findall(r"{\w+}", english)), english
        for name in re.findall(r"receipts\.\*|cards\.\w+|--[\w-]+", english):
            assert name in said


@pytest.mark.parametrize(
    ("path", "headers", "language"),
    [
        ("/", {}, "en"),
        ("/?lang=uz", {}, "uz"),
        ("/?lang=de", {}, "en"),
        ("/", {"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.5"}, "ru"),
        ("/", {"Accept-Language": "de, uz-UZ"}, "uz"),
        ("/", {"Accept-Language": "ru", "Cookie": "payme_sandbox_language=uz"}, "uz"),
        ("/?lang=en", {"Cookie": "payme_sandbox_language=uz"}, "en"),
        ("/", {"Cookie": "payme_sandbox_language=../x"}, "en"),
    ],
)
def test_dashboard_speaks_the_language_that_was_chosen(
    browser: Browser, path: str, headers: dict[str, str], language: str
) -> None:
    page = browser.request("GET", path, headers={"Accept": "text/html", **headers})
    assert page.reader.language == language
    assert {"uz": "Umumiy", "ru": "Обзор", "en": "Overview"}[language] in page.reader.text
    kept = page.headers.get("set-cookie", "")
    assert kept.startswith(f"payme_sandbox_language={language};") == (path == f"/?lang={language}")


@pytest.mark.parametrize("language", ["uz", "ru"])
def test_every_page_is_in_one_language(sandbox: Sandbox, browser: Browser, language: str) -> None:
    receipt = api(sandbox, "receipts.create", amount=500, account={})["receipt"]["_id"]
    for number in (POOR, GOOD):
        params = {"id": receipt, "token": sandbox.add_card(number=number)}
        body = json.dumps({"method": "receipts.pay", "params": params}).encode()
        sandbox.handle(body, f"{sandbox.merchant_id}:{sandbox.key}")
    sandbox.faults.add("receipts.*", when="after", action="drop", times=1)
    meaning = lookup(-31630, "receipts.pay", "Недостаточно средств на карте")
    assert meaning is not None
    for path in (*PAGES, f"/dashboard/receipts/{receipt}"):
        page = browser.get(f"{path}?lang={language}")
        assert page.status == 200
        heading = re.search(r"<h1>([^<]+)", page.body)
        assert heading is not None
        assert heading[1].strip() in {words[language == "ru"] for words in WORDS.values()}
    for path in ("/dashboard/traffic", f"/dashboard/receipts/{receipt}"):
        remedy = getattr(meaning.remedy, language).replace("`", "")
        assert remedy in browser.get(f"{path}?lang={language}").reader.text
