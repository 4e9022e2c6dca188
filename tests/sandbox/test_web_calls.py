"""The traffic page: whose call it was, how much, how long, and how to find it again."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from merchant_tools import Shop
from sandbox_tools import POOR
from web_tools import Browser, api

from payme.sandbox import Sandbox
from payme.sandbox.clock import system_ms
from payme.sandbox.web.backend import Backend


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    return Browser(sandbox)


def methods(browser: Browser, query: str) -> list[str]:
    body = browser.get(f"/dashboard/traffic{query}").body
    return re.findall(r'<code class="method">(.*?)</code>', body)


def raw(sandbox: Sandbox, body: bytes, x_auth: str | None) -> Any:
    return json.loads(sandbox.handle(body, x_auth))


@pytest.mark.parametrize("x_auth", [None, "wrong", "{id}:wrong", "{id}"])
def test_a_call_with_bad_credentials_is_named(
    sandbox: Sandbox, browser: Browser, x_auth: str | None
) -> None:
    given = x_auth and x_auth.replace("{id}", sandbox.merchant_id)
    answer = raw(sandbox, b'{"id":1,"method":"receipts.pay","params":{}}', given)
    assert "error" in answer
    assert methods(browser, "") == ["receipts.pay"]


def test_a_misspelt_method_is_named_as_it_was_sent(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.handle(b'{"method":"receipts.creat"}', None)
    sandbox.handle(b'{"method":"PerformTransaction"}', None)
    assert methods(browser, "") == ["PerformTransaction", "receipts.creat"]
    assert methods(browser, "?q=creat") == ["receipts.creat"]


def test_what_looks_like_no_method_is_not_named(sandbox: Sandbox, browser: Browser) -> None:
    for method in ("8600495473316478", "666666", "<b>x</b>", "a" * 50, ["receipts.pay"], None):
        sandbox.handle(json.dumps({"method": method}).encode(), None)
    for body in (b"[1]", b"x"):
        sandbox.handle(body, None)
    assert methods(browser, "") == ["(no method)"] * 8


def test_a_key_that_was_sent_as_a_method_is_masked() -> None:
    with Sandbox(key="letters.only") as sandbox:
        sandbox.handle(b'{"method":"letters.only"}', None)
        browser = Browser(sandbox)
        assert "letters.only" not in methods(browser, "")[0]
        assert methods(browser, "?q=letters") == []


def test_amount_and_account_are_those_of_the_receipt(sandbox: Sandbox, browser: Browser) -> None:
    made = api(sandbox, "receipts.create", amount=150_050, account={"order_id": "A-7"})
    receipt = made["receipt"]["_id"]
    token = sandbox.add_card(number=POOR)
    params = {"id": receipt, "token": token}
    body = json.dumps({"id": 1, "method": "receipts.pay", "params": params}).encode()
    assert "error" in raw(sandbox, body, f"{sandbox.merchant_id}:{sandbox.key}")
    page = browser.get("/dashboard/traffic")
    for summary in re.findall(r"<summary>(.*?)</summary>", page.body, re.DOTALL):
        assert "order_id A-7" in summary
        assert "1 500,50" in summary
        assert re.search(r'class="took"[^>]*>[<&lt; ]*[\d.]+ ms<', summary)
    (pay, create) = sandbox.traffic.entries()
    assert (create.amount, create.account) == (150_050, {"order_id": "A-7"})
    assert (pay.amount, pay.account) == (None, {})


def test_how_long_a_caller_waited(sandbox: Sandbox) -> None:
    receipt = sandbox.add_receipt()
    api(sandbox, "receipts.check", id=receipt)
    sandbox.faults.add("receipts.check", when="after", action="delay", delay_ms=700)
    sandbox.handle(
        json.dumps({"id": 1, "method": "receipts.check", "params": {"id": receipt}}).encode(),
        f"{sandbox.merchant_id}:{sandbox.key}",
    )
    slow, quick = sandbox.traffic.entries()
    assert 700 <= slow.took_ms < 1200
    assert 0 <= quick.took_ms < 500


def test_a_phone_in_an_account_is_masked_and_cannot_be_found_by_its_digits(
    sandbox: Sandbox, browser: Browser
) -> None:
    api(sandbox, "receipts.create", amount=500, account={"phone": "998935556677"})
    assert "998935556677" not in browser.get("/dashboard/traffic").body
    assert methods(browser, "?q=998935556677") == []
    assert methods(browser, "?q=phone") == ["receipts.create"]


def test_a_secret_in_a_body_is_not_found_by_guessing(sandbox: Sandbox, browser: Browser) -> None:
    token = sandbox.add_card()
    api(sandbox, "cards.check", token=token)
    for guess in (token, token[:8], sandbox.key, sandbox.key[:5], "8600069195406311"):
        assert methods(browser, f"?q={guess.replace('#', '%23').replace('&', '%26')}") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=RECEIPTS.CREATE", ["receipts.create", "receipts.create"]),
        ("?q=a-7", ["receipts.create"]),
        ("?q=1 500,50", ["receipts.create"]),
        ("?q=150050", ["receipts.create"]),
        ("?q=-31602", ["receipts.check"]),
        ("?q=unknown_receipt", ["receipts.check"]),
        ("?q=drop", ["receipts.get"]),
        ("?q=%231", ["receipts.create"]),
        ("?q=a-7&show=refused", []),
        ("?show=refused", ["receipts.get", "receipts.check"]),
        ("?q=%3Cscript%3E", []),
        ("?q=" + "x" * 5000, []),
        ("?q=%20", ["receipts.get", "receipts.check", "receipts.create", "receipts.create"]),
    ],
)
def test_calls_are_found(sandbox: Sandbox, browser: Browser, query: str, found: list[str]) -> None:
    api(sandbox, "receipts.create", amount=150_050, account={"order_id": "A-7"})
    made = api(sandbox, "receipts.create", amount=700, account={"order_id": "B-1"})
    check = {"id": 1, "method": "receipts.check", "params": {"id": "0" * 24}}
    key = f"{sandbox.merchant_id}:{sandbox.key}"
    sandbox.handle(json.dumps(check).encode(), key)
    sandbox.faults.add("receipts.get", when="after", action="drop", times=1)
    get = {"id": 1, "method": "receipts.get", "params": {"id": made["receipt"]["_id"]}}
    with pytest.raises(Exception, match="closed"):
        sandbox.handle(json.dumps(get).encode(), key)
    assert methods(browser, query.replace(" ", "%20")) == found


def test_a_receipt_finds_its_calls(sandbox: Sandbox, browser: Browser) -> None:
    made = [api(sandbox, "receipts.create", amount=500, account={"o": n}) for n in (1, 2)]
    wanted = made[0]["receipt"]["_id"]
    api(sandbox, "receipts.check", id=wanted)
    assert methods(browser, f"?q={wanted}") == ["receipts.check", "receipts.create"]


def test_each_call_has_an_address_of_its_own(sandbox: Sandbox, browser: Browser) -> None:
    for amount in (500, 600):
        api(sandbox, "receipts.create", amount=amount, account={"o": 1})
    page = browser.get("/dashboard/traffic")
    links = [link for text, link in page.reader.links.items() if "Permanent link" in text]
    assert links == ["/dashboard/traffic/2", "/dashboard/traffic/1"]
    one = browser.get(links[1])
    assert one.status == 200
    assert "<details open>" in one.body
    assert '"amount": 500' in one.text
    assert '"amount": 600' not in one.text
    browser.submit(page, "/clear")
    assert browser.get(links[1]).status == 404


def test_the_answer_that_is_lost_is_of_the_method_that_was_picked(
    sandbox: Sandbox, browser: Browser
) -> None:
    page = browser.get("/dashboard/faults")
    assert "<option>receipts.pay</option>" in page.body
    browser.submit(page, "/lose", method="cards.verify")
    (fault,) = sandbox.faults.list()
    assert (fault.rule.method, fault.rule.when, fault.rule.action) == (
        "cards.verify",
        "after",
        "drop",
    )
    assert fault.left == 1
    browser.submit(page, "/lose", method="receipts.*")
    assert [fault.rule.method for fault in sandbox.faults.list()] == [
        "cards.verify",
        "receipts.pay",
    ]


def test_a_page_of_traffic_redacts_what_it_shows_and_no_more(
    sandbox: Sandbox, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(120):
        sandbox.handle(b'{"method":"receipts.check","params":{}}', sandbox.merchant_id)
    from payme.sandbox import traffic

    redacted: list[object] = []
    original = vars(traffic)["_redacted"]

    def counted(document: Any, secrets: Any) -> Any:
        redacted.append(document)
        return original(document, secrets)

    monkeypatch.setattr(traffic, "_redacted", counted)
    browser.get("/dashboard/traffic?q=receipts")
    assert len(redacted) == 100  # a request and an answer for each of fifty calls


def test_the_export_and_the_page_leave_out_what_a_card_has_on_its_back(
    sandbox: Sandbox, browser: Browser
) -> None:
    card = {"number": 5614681234567891, "expire": 1227, "cvc": "987", "cvv2": 654}
    call = {"id": 1, "method": "cards.create", "params": {"card": card}}
    sandbox.handle(json.dumps(call).encode(), sandbox.merchant_id)
    for path in ("/dashboard/traffic", "/dashboard/traffic/1"):
        shown = browser.get(path).body.partition('<main id="main"')[2]
        for secret in ("5614681234567891", "&#34;987", ": 654"):
            assert secret not in shown, secret
    exported = browser.get("/dashboard/traffic/export").body
    for secret in ("5614681234567891", "1227", "987", "654"):
        assert secret not in exported


def refused_payments(sandbox: Sandbox) -> None:
    """Make two receipts, each with a payment that is refused, and one with another amount."""
    for box in (sandbox.first, sandbox.add_cash_box(account_fields={"isbn": "ISBN"})):
        field = "isbn" if box is not sandbox.first else "order_id"
        x_auth = f"{box.merchant_id}:{box.key}"

        def call(method: str, x_auth: str = x_auth, **params: Any) -> Any:
            body = json.dumps({"id": 1, "method": method, "params": params}).encode()
            return raw(sandbox, body, x_auth)

        made = call("receipts.create", amount=150_050, account={field: "A-7"})
        receipt = made["result"]["receipt"]["_id"]
        assert "error" in call("receipts.pay", id=receipt, token=box.add_card(number=POOR))
        call("receipts.check", id=receipt)
    api(sandbox, "receipts.create", amount=70_000, account={"order_id": "B-8"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("1 500,50", 2),
        ("150050", 2),
        ("order_id a-7", 1),
        ("isbn A-7", 1),
        ("A-7", 2),
        ("1 500,51", 0),
        ("B-8", 0),
    ],
)
def test_a_refused_payment_is_found_by_what_the_list_shows(
    sandbox: Sandbox, browser: Browser, query: str, found: int
) -> None:
    refused_payments(sandbox)
    for method in ("receipts.pay", "receipts.check"):
        assert methods(browser, f"?{urlencode({'q': query})}").count(method) == found, method
    only = methods(browser, f"?{urlencode({'q': query, 'show': 'refused'})}")
    assert only == ["receipts.pay"] * found


def test_the_page_of_a_refused_payment_has_its_amount_and_account(
    sandbox: Sandbox, browser: Browser
) -> None:
    refused_payments(sandbox)
    (_, _, pay, *_) = sandbox.traffic.entries()
    assert pay.method == "receipts.pay"
    page = browser.get(f"/dashboard/traffic/{pay.number}")
    assert "isbn A-7" in page.text
    assert "1 500,50" in page.text


def test_a_refused_payment_is_not_found_by_the_phone_in_its_account(
    sandbox: Sandbox, browser: Browser
) -> None:
    made = api(sandbox, "receipts.create", amount=500, account={"phone": "998935556677"})
    params = {"id": made["receipt"]["_id"], "token": sandbox.add_card(number=POOR)}
    body = json.dumps({"id": 1, "method": "receipts.pay", "params": params}).encode()
    raw(sandbox, body, f"{sandbox.merchant_id}:{sandbox.key}")
    page = browser.get("/dashboard/traffic?q=receipts.pay")
    assert "phone 99893*****77" in page.text
    assert "998935556677" not in page.body
    assert methods(browser, "?q=998935556677") == []


def test_a_receipt_is_looked_up_once_and_only_where_it_matters(
    sandbox: Sandbox, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused_payments(sandbox)
    asked: list[str] = []
    original = Backend._subject

    def counted(self: Backend, receipt_id: str) -> Any:
        asked.append(receipt_id)
        return original(self, receipt_id)

    monkeypatch.setattr(Backend, "_subject", counted)
    assert len(methods(browser, "?q=A-7")) == 6
    assert len(asked) == len(set(asked)) == 2


def test_remarks_are_said_in_the_language_of_the_page(sandbox: Sandbox, browser: Browser) -> None:
    api(sandbox, "receipts.create", amount=500, account={"order_id": "A-7"}, **{"{a}<b>": 1})
    page = browser.get("/dashboard/traffic?lang=ru").body
    assert "неизвестный параметр {a}&lt;b&gt;: пропущен, как в Payme" in page
    assert "unknown param" not in page
    assert "unknown param {a}&lt;b&gt;: let pass" in browser.get("/dashboard/traffic?lang=en").body


def test_a_call_to_the_merchant_says_what_it_is_about() -> None:
    with Sandbox(merchant=Shop(system_ms)) as sandbox:
        browser = Browser(sandbox)
        account = {"order_id": "A-7", "phone": "998901304527"}
        made = api(sandbox, "receipts.create", amount=150_050, account=account)
        receipt = made["receipt"]["_id"]
        api(sandbox, "receipts.pay", id=receipt, token=sandbox.add_card())
        body = browser.get("/dashboard/ledgers").body
        found = re.findall(
            r'class="method">(\w+)</code>.*?class="subject">(.*?)</span>\s*(.*?)<span class="took"',
            body,
            re.DOTALL,
        )
        about = "order_id A-7, phone 99890*****27"
        assert [(method, subject) for method, subject, _ in reversed(found)][:3] == [
            ("CheckPerformTransaction", about),
            ("CreateTransaction", about),
            ("PerformTransaction", f"<code>{receipt}</code>"),
        ]
        assert "1 500,50" in found[-1][2].replace("\xa0", " ")
        # On the page of the receipt nobody asks which one it was.
        assert (
            f"<code>{receipt}</code></span>"
            not in browser.get(f"/dashboard/receipts/{receipt}").body
        )
