"""The dashboard of a sandbox with several cash-boxes: all of them, or the one that was chosen."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sandbox_tools import GOOD, HUMO, Clock
from web_tools import Browser, Page

from payme.sandbox import Sandbox
from payme.sandbox.cash_box import CashBox

LISTS = [
    "/",
    "/dashboard/receipts",
    "/dashboard/cards",
    "/dashboard/sms",
    "/dashboard/traffic",
    "/dashboard/ledgers",
]
LANGUAGES = ("UZ", "RU", "EN")
BOOKS, TEA = "5e730e8e0b852a417aa49ceb", "5e730e8e0b852a417aa49cec"


class Billing:
    """A merchant in a few lines, whose transactions have a number of their own."""

    def __init__(self, number: str) -> None:
        self.number = number

    def __call__(self, body: bytes, _headers: object) -> tuple[int, bytes]:
        call = json.loads(body)
        states = {"CreateTransaction": 1, "PerformTransaction": 2, "CancelTransaction": -2}
        result = {"allow": True, "transaction": self.number, "state": states.get(call["method"])}
        times = {"create_time": 5, "perform_time": 6, "cancel_time": 7}
        return 200, json.dumps({"id": call["id"], "result": {**result, **times}}).encode()


class Boxes:
    """A sandbox with two cash-boxes, in each of which something was paid."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.tea = sandbox.first
        self.books = sandbox.add_cash_box(
            merchant_id=BOOKS,
            merchant_name="Kitoblar",
            account_fields={"isbn": "ISBN"},
            merchant=Billing("BOOK-1"),
        )
        self.paid = {
            box.merchant_id: self._pay(box, name, number)
            for box, name, number in ((self.tea, "order_id", GOOD), (self.books, "isbn", HUMO))
        }

    def call(self, box: CashBox, method: str, **params: Any) -> Any:
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        return json.loads(self.sandbox.handle(body, f"{box.merchant_id}:{box.key}"))["result"]

    def _pay(self, box: CashBox, field: str, number: str) -> str:
        made = self.call(box, "receipts.create", amount=500_000, account={field: "A-7"})
        receipt: str = made["receipt"]["_id"]
        token = box.add_card(number=number)
        self.call(box, "receipts.pay", id=receipt, token=token)
        self.call(box, "receipts.send", id=receipt, phone="998901234567")
        return receipt


@pytest.fixture
def boxes(clock: Clock) -> Iterator[Boxes]:
    options: dict[str, Any] = {"merchant": Billing("TEA-1"), "merchant_name": "Choy"}
    fields = {"order_id": "Order"}
    with Sandbox(merchant_id=TEA, account_fields=fields, clock=clock, **options) as sandbox:
        yield Boxes(sandbox)


@pytest.fixture
def browser(boxes: Boxes) -> Browser:
    return Browser(boxes.sandbox)


def switch(page: Page) -> dict[str, bool]:
    """Read the switch: the names on it, and whether each is the one that is shown."""
    found = re.search(r'<nav class="boxes".*?</nav>', page.body, re.DOTALL)
    links = re.findall(r"<a ([^>]*)>([^<]+)</a>", found[0]) if found else []
    return {name: "aria-current" in attributes for attributes, name in links}


def chosen(address: str) -> str:
    return parse_qs(urlsplit(address).query).get("box", [""])[0]


@pytest.mark.parametrize("path", [*LISTS, "/dashboard/receipts/new"])
def test_one_cash_box_needs_no_switch(path: str) -> None:
    with Sandbox(merchant_id=TEA) as sandbox:
        sandbox.add_receipt()
        browser = Browser(sandbox)
        for page in (browser.get(path), browser.get(f"{path}?box={TEA}")):
            assert switch(page) == {}
            assert "Cash-box" not in page.text
            links = page.reader.links.items()
            assert not [to for name, to in links if "box=" in to and name not in LANGUAGES]


# What the page of a list shows of each cash-box and of no other.
PROOF = {
    "/dashboard/cards": {TEA: "860006******6311", BOOKS: "986003******0006"},
    "/dashboard/ledgers": {TEA: "TEA-1", BOOKS: "BOOK-1"},
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_shows_all_cash_boxes_or_the_chosen_one(
    boxes: Boxes, browser: Browser, path: str
) -> None:
    proof = PROOF.get(path, boxes.paid)

    def shown(page: Page) -> set[str]:
        # The list of the test cards below names every one of them.
        body = page.body.partition("<h2>Test cards")[0]
        return {box for box, seen in proof.items() if seen in body}

    page = browser.get(path)
    assert switch(page) == {"All cash-boxes": True, "Choy": False, "Kitoblar": False}
    assert shown(page) == {TEA, BOOKS}
    rows = page.body.partition("<main")[2]
    for name in ("Choy", "Kitoblar"):
        assert rows.count(f">{name}<") > 1, "the rows do not say whose they are"
    for box, name in ((TEA, "Choy"), (BOOKS, "Kitoblar")):
        page = browser.get(f"{path}?box={box}")
        assert [one for one, current in switch(page).items() if current] == [name]
        assert shown(page) == {box}
    assert shown(browser.get(f"{path}?box={'0' * 24}")) == {TEA, BOOKS}


@pytest.mark.parametrize("path", [*LISTS, "/dashboard/receipts/new", "/dashboard/faults"])
def test_every_link_keeps_the_cash_box(boxes: Boxes, browser: Browser, path: str) -> None:
    page = browser.get(f"{path}?box={BOOKS}")
    main = page.body.partition('<nav class="boxes"')
    main = main[0] + main[2].partition("</nav>")[2]
    links = re.findall(r'(?:href|action)="([^"]*)"', main)
    inside = [
        one.replace("&amp;", "&")
        for one in links
        if (one.startswith(("/dashboard", "?")) or one == "/") and "/static/" not in one
    ]
    # A form that asks (GET) carries its fields in place of a query.
    asking = [form.action for form in page.reader.forms if form.method == "get"]
    for form in page.reader.forms:
        assert form.method == "post" or form.fields["box"] == BOOKS
    assert len(inside) >= 10
    assert [one for one in inside if chosen(one) != BOOKS and one not in asking] == []
    # And the switch stays on the page, but for where the other list was turned to.
    turned = browser.get(f"/dashboard/receipts?box={BOOKS}&q=A&offset=50&done=paid")
    (other,) = [
        link.replace("&amp;", "&")
        for link, name in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', turned.body)
        if name == "Choy"
    ]
    assert parse_qs(urlsplit(other).query) == {"q": ["A"], "box": [TEA]}


def test_a_button_keeps_the_cash_box(boxes: Boxes, browser: Browser) -> None:
    start = browser.get(f"/?box={BOOKS}")
    pressed = [
        browser.submit(start, "/lose", method="receipts.pay"),
        browser.submit(start, "/clock", do="advance", by="1m"),
        browser.submit(browser.get(f"/dashboard/faults?box={BOOKS}"), "/clear"),
        browser.submit(browser.get(f"/dashboard/traffic?box={BOOKS}"), "/clear"),
        browser.submit(browser.get(f"/dashboard/clock?box={BOOKS}"), "/clock", do="advance", by=""),
    ]
    for page in pressed:
        assert chosen(page.url) == BOOKS, page.url
        assert chosen(page.reader.links["Receipts"]) == BOOKS


def test_a_new_receipt_is_the_chosen_cash_boxes(boxes: Boxes, browser: Browser) -> None:
    first = browser.get("/dashboard/receipts/new")
    assert switch(first) == {"Choy": True, "Kitoblar": False}
    assert "account.order_id" in first.form("/new").fields
    page = browser.get(f"/dashboard/receipts/new?box={BOOKS}")
    assert switch(page) == {"Choy": False, "Kitoblar": True}
    assert "account.isbn" in page.form("/new").fields
    wrong = browser.submit(page, "/new", amount="none")
    assert (wrong.status, switch(wrong)["Kitoblar"]) == (422, True)
    made = browser.submit(wrong, "/new", amount="1 500,50")
    (newest, _) = boxes.books.receipts()
    assert (newest.amount, len(boxes.tea.receipts())) == (150_050, 1)
    assert newest.id in made.url
    assert chosen(made.url) == BOOKS
    assert "Cash-boxKitoblar" in made.text


@pytest.mark.parametrize("box", ["", f"?box={TEA}"])
def test_a_receipt_is_its_own_cash_boxes_whatever_was_chosen(
    boxes: Boxes, browser: Browser, box: str
) -> None:
    receipt = boxes.books.add_receipt()
    page = browser.get(f"/dashboard/receipts/{receipt}{box}")
    assert "Cash-boxKitoblar" in page.text
    page = browser.submit(page, "/pay", card=GOOD)
    assert boxes.books.debits(receipt) == 1
    assert chosen(page.url) == box.removeprefix("?box=")


def test_the_overview_connects_to_the_chosen_cash_box(boxes: Boxes, browser: Browser) -> None:
    for query, box, other in (
        ("", boxes.tea, boxes.books),
        (f"?box={BOOKS}", boxes.books, boxes.tea),
    ):
        page = browser.get(f"/{query}")
        (start,) = re.findall(r'<details id="start".*?</details>', page.body, re.DOTALL)
        assert box.merchant_id in start
        assert other.merchant_id not in start
        assert f"<dd>{box.name}</dd>" in start


def test_receipts_of_all_cash_boxes_are_in_the_order_of_time(
    boxes: Boxes, browser: Browser, clock: Clock
) -> None:
    made = list(boxes.paid.values())
    for number in range(118):
        clock.advance(1)
        box = (boxes.tea, boxes.books, boxes.books)[number % 3]
        made.append(box.add_receipt())
    listed: list[str] = []
    address = "/dashboard/receipts"
    for _ in range(3):
        page = browser.get(address)
        listed += re.findall(r'<tr id="receipt-([0-9a-f]{24})"', page.body)
        address = f"/dashboard/receipts{page.reader.links.get('Earlier', '')}"
    assert listed[:118] == made[:1:-1]
    assert sorted(listed) == sorted(made)
    page = browser.get(f"/dashboard/receipts?q={boxes.paid[BOOKS]}")
    assert re.findall(r'<tr id="receipt-([0-9a-f]{24})"', page.body) == [boxes.paid[BOOKS]]


def test_calls_that_name_no_cash_box_are_among_all(boxes: Boxes, browser: Browser) -> None:
    boxes.sandbox.handle(b'{"method": "receipts.check", "params": {}}', "nobody:x")
    assert "unknown_cash_box" in browser.get("/dashboard/traffic").text
    for box in (TEA, BOOKS):
        assert "unknown_cash_box" not in browser.get(f"/dashboard/traffic?box={box}").text


def test_traffic_of_one_cash_box_is_forgotten_and_exported_alone(
    boxes: Boxes, browser: Browser
) -> None:
    whole = browser.get("/dashboard/traffic/export").body
    books = browser.get(f"/dashboard/traffic/export?box={BOOKS}").body
    assert (whole.count("receipts.send"), books.count("receipts.send")) == (2, 1)
    browser.submit(browser.get(f"/dashboard/traffic?box={BOOKS}"), "/clear")
    assert {one.cash_box for one in boxes.sandbox.traffic.entries()} == {TEA}
    browser.submit(browser.get("/dashboard/traffic"), "/clear")
    assert boxes.sandbox.traffic.entries() == []


def test_cash_boxes_of_one_name_are_told_apart(browser: Browser, boxes: Boxes) -> None:
    boxes.sandbox.add_cash_box(merchant_id="b" * 20 + "0001", merchant_name="Choy")
    names = [*switch(browser.get("/"))]
    assert names == ["All cash-boxes", "Choy …9cec", "Kitoblar", "Choy …0001"]


@pytest.mark.parametrize(("language", "every"), [("uz", "Barcha kassalar"), ("ru", "Все кассы")])
@pytest.mark.parametrize("path", LISTS)
def test_the_switch_is_in_the_readers_language(
    browser: Browser, path: str, language: str, every: str
) -> None:
    page = browser.get(f"{path}?lang={language}&box={BOOKS}")
    assert [*switch(page)] == [every, "Choy", "Kitoblar"]
    # Another language is another look at the same cash-box.
    assert {chosen(page.reader.links[name]) for name in LANGUAGES} == {BOOKS}
