"""What a newcomer finds: how to connect, a receipt without code, and what a refusal was about."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from click.testing import CliRunner
from merchant_tools import Shop
from sandbox_tools import BROKEN, GOOD, NO_SMS, POOR
from web_tools import Browser, Page, api

from payme.cli import serve
from payme.cli.commands import payme
from payme.sandbox import InvalidSetting, Sandbox
from payme.sandbox.clock import system_ms
from payme.sandbox.web.i18n import TEXTS, translator
from payme.sandbox.web.pages import format_took

TITLES = {"uz": "Buyurtma raqami", "ru": "Номер заказа", "en": "Order number"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(account_fields={"order_id": TITLES}, max_amount=10**9) as sandbox:
        yield sandbox


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    return Browser(sandbox)


def preformatted(page: Page, id_: str) -> str:
    (text,) = re.findall(rf'<pre[^>]* id="{id_}">(.*?)</pre>', page.body, re.DOTALL)
    return unescape(text)


def banners(page: Page) -> list[tuple[str, str]]:
    found = re.findall(
        r'<(?:p|div) class="notice (\w+)" role="\w+"[^>]*>(.*?)</main>', page.body, re.DOTALL
    )
    return [(kind, unescape(text)) for kind, text in found]


def test_an_empty_overview_says_how_to_connect(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.get("/")
    for shown in (sandbox.url, sandbox.merchant_id, unescape(sandbox.key), "666666"):
        assert shown in page.text
    assert '<details id="start" open>' in page.body
    api(sandbox, "receipts.create", amount=500, account={"order_id": 1})
    assert '<details id="start">' in browser.get("/").body


@pytest.mark.parametrize("fields", [{}, {"order_id": TITLES, "branch": "Branch"}])
def test_the_python_that_is_shown_makes_a_receipt(
    fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(account_fields=fields, min_amount=7_000_000, key='it\'s-"a"-key\\') as sandbox:
        exec(preformatted(Browser(sandbox).get("/"), "python"), {})
        (receipt,) = sandbox.receipts()
        assert capsys.readouterr().out == f"{receipt.id} CREATED\n"
        assert receipt.amount == 7_000_000
        assert set(receipt.account) == (set(fields) or {"order_id"})


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_the_shell_line_that_is_shown_makes_a_receipt() -> None:
    with Sandbox(key='it\'s "a" $key') as sandbox:
        line = preformatted(Browser(sandbox).get("/"), "curl")
        shown = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=20)
        (receipt,) = sandbox.receipts()
        assert json.loads(shown.stdout)["result"]["receipt"]["_id"] == receipt.id


def test_the_address_is_the_browsers_own(sandbox: Sandbox, browser: Browser) -> None:
    def shown(host: str) -> str:
        page = browser.request("GET", "/", headers={"Host": host})
        (address,) = re.findall(r'<code id="address">(.*?)</code>', page.body)
        return unescape(address)

    assert shown("localhost:8080") == "http://localhost:8080/api"
    assert shown("[::1]:8080") == "http://[::1]:8080/api"
    # A header that is no address is not repeated.
    wrong = browser.request("GET", "/", headers={"Host": "localhost:'; rm -rf x #"})
    assert (wrong.status, "rm" in wrong.body) == (403, False)


def test_the_key_is_on_the_overview_alone(sandbox: Sandbox, browser: Browser) -> None:
    receipt = sandbox.add_receipt()
    for path in ("receipts", "receipts/new", f"receipts/{receipt}", "cards", "sms", "traffic",
                 "faults", "clock", "ledgers", "traffic/export"):  # fmt: skip
        assert sandbox.key not in unescape(browser.get(f"/dashboard/{path}").body), path
    assert sandbox.key not in unescape(browser.get(f"/checkout/{receipt}").body)


def test_a_receipt_is_made_without_code(sandbox: Sandbox, browser: Browser) -> None:
    form = browser.get(browser.get("/").reader.links["New receipt"])
    assert "Order number" in form.text
    page = browser.submit(
        form,
        "/new",
        amount="1 500,50",
        **{"account.order_id": "A-7"},
        description="Non",
        hold="yes",
    )
    (receipt,) = sandbox.receipts()
    assert page.url.endswith(f"/dashboard/receipts/{receipt.id}?done=created")
    assert (receipt.amount, receipt.account, receipt.hold) == (150_050, {"order_id": "A-7"}, True)
    assert receipt.description == "Non"
    assert banners(page)[0][0] == "good"


@pytest.mark.parametrize("amount", ["", "0", "-5", "ten", "1.2.3", "9" * 40, "0,001"])
def test_an_amount_that_is_none_makes_no_receipt(
    sandbox: Sandbox, browser: Browser, amount: str
) -> None:
    page = browser.submit(browser.get("/dashboard/receipts/new"), "/new", amount=amount)
    assert page.status == 422
    assert "above zero" in banners(page)[0][1]
    assert page.form("/new").fields["amount"] == amount
    assert sandbox.receipts() == []


def test_a_receipt_that_payme_refuses_is_explained_and_its_form_kept(
    sandbox: Sandbox, browser: Browser
) -> None:
    form = browser.get("/dashboard/receipts/new")
    page = browser.submit(form, "/new", amount="99 000 000", **{"account.order_id": "A-7"})
    kind, said = banners(page)[0]
    assert (page.status, kind) == (422, "bad")
    assert "The call was refused. The amount is too large. (receipts.create, -31612)" in said
    fields = page.form("/new").fields
    assert (fields["amount"], fields["account.order_id"]) == ("99 000 000", "A-7")


def test_a_lost_answer_of_a_new_receipt_is_not_called_a_refusal(
    sandbox: Sandbox, browser: Browser
) -> None:
    sandbox.faults.add("receipts.create", when="after", action="drop", times=1)
    page = browser.submit(browser.get("/dashboard/receipts/new"), "/new", amount="5 000")
    assert "may be in the list" in banners(page)[0][1]
    assert len(sandbox.receipts()) == 1


@pytest.mark.parametrize(
    ("card", "kind", "said"),
    [
        (GOOD, "good", "The receipt was paid."),
        (POOR, "bad", "Not enough money on the card. (receipts.pay, -31630)"),
        (NO_SMS, "bad", "(cards.get_verify_code, -31301)"),
        (BROKEN, "wait", "A system error came"),
    ],
)
def test_the_banner_has_the_colour_of_what_came(
    sandbox: Sandbox, browser: Browser, card: str, kind: str, said: str
) -> None:
    page = browser.get(f"/dashboard/receipts/{sandbox.add_receipt()}")
    page = browser.submit(page, "/pay", card=card)
    found = banners(page)
    assert found[0][0] == kind
    assert said in found[0][1]


def test_a_hold_and_a_payment_under_way_are_not_called_paid(browser: Browser) -> None:
    with Sandbox(progression="clock:1h") as sandbox:
        slow = Browser(sandbox)
        page = slow.get(f"/dashboard/receipts/{sandbox.add_receipt()}")
        page = slow.submit(page, "/pay", card=GOOD)
        assert banners(page)[0][0] == "wait"
        assert "on its way" in banners(page)[0][1]
    with Sandbox() as sandbox:
        held = Browser(sandbox)
        page = held.get(f"/dashboard/receipts/{sandbox.add_receipt(hold=True)}")
        page = held.submit(page, "/pay", card=GOOD)
        assert banners(page)[0][0] == "held"
        assert "The amount is held on the card." in banners(page)[0][1]
        assert 'class="state s5"' in page.body


def test_a_decline_that_ends_the_receipt_says_so_and_its_reason_once() -> None:
    with Sandbox(merchant=Shop(system_ms)) as sandbox:
        browser = Browser(sandbox)
        page = browser.get(f"/dashboard/receipts/{sandbox.add_receipt()}")
        refused = browser.submit(page, "/pay", card=POOR)
        assert "This receipt is closed: paying takes a new one." in banners(refused)[0][1]
        assert refused.body.count('class="notice bad"') == 1
        later = browser.get(page.url)
        assert later.body.count('class="notice bad"') == 1
        assert "Why the payment failed: -31630" in later.text


def test_a_cancellation_that_is_refused_says_why() -> None:
    def merchant(body: bytes, _headers: object) -> tuple[int, bytes]:
        call = json.loads(body)
        if call["method"] == "CancelTransaction":
            said = {"uz": "Jo'natilgan", "ru": "Уже отправлен", "en": "Shipped already"}
            error = {"code": -31007, "message": said}
            return 200, json.dumps({"id": call["id"], "error": error}).encode()
        states = {"CreateTransaction": 1, "PerformTransaction": 2}
        result = {"allow": True, "transaction": "1", "state": states.get(call["method"])}
        times = {"create_time": 5, "perform_time": 6, "cancel_time": 0}
        return 200, json.dumps({"id": call["id"], "result": result | times}).encode()

    with Sandbox(merchant=merchant, merchant_pauses=()) as sandbox:
        browser = Browser(sandbox)
        made = api(sandbox, "receipts.create", amount=500, account={"order_id": 1})
        page = browser.get(f"/dashboard/receipts/{made['receipt']['_id']}")
        page = browser.submit(browser.submit(page, "/pay", card=GOOD), "/cancel")
        kind, said = banners(page)[0]
        assert (page.status, kind) == (422, "bad")
        assert "The call was refused." in said
        assert "(receipts.cancel, -31800)" in said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dashboard/receipts/" + "0" * 24, "There is no receipt with this id here."),
        ("/dashboard/receipts/%3Cscript%3E", "There is no receipt with this id here."),
        ("/dashboard/traffic/77", "This call is not remembered"),
        ("/dashboard/traffic/x", "This call is not remembered"),
        ("/dashboard/nowhere", "There is no such page."),
    ],
)
def test_what_is_not_there_is_a_page_for_a_person_and_json_for_a_program(
    browser: Browser, path: str, said: str
) -> None:
    page = browser.get(path)
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert said in page.text
    assert not page.reader.inline
    asked = browser.get(path, Accept="application/json")
    assert (asked.status, asked.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_the_lines_of_a_receipt_and_their_ikpu_are_shown(
    sandbox: Sandbox, browser: Browser, language: Any
) -> None:
    item = {
        "title": "Non",
        "price": 500_000,
        "count": 3,
        "code": "01905001001000000",
        "vat_percent": 12,
        "package_code": "1514296",
        "discount": 100_000,
    }
    shipping = {"title": "Taxi", "price": 300_050}
    detail = {"receipt_type": 0, "items": [item], "shipping": shipping}
    made = api(
        sandbox, "receipts.create", amount=1_700_050, account={"order_id": "1"}, detail=detail
    )
    page = browser.get(f"/dashboard/receipts/{made['receipt']['_id']}?lang={language}")
    say = translator(language)
    for shown in (
        say("Lines"), "Non", "01905001001000000", "1514296", "5 000", "1 000", "14 000", "Taxi",
        "3 000,50", say("shipping"), TITLES[language],
    ):  # fmt: skip
        assert shown in page.text, shown


def test_a_card_in_a_detail_is_masked_and_nonsense_is_shown_as_it_came(
    sandbox: Sandbox, browser: Browser
) -> None:
    items: list[Any] = [{"title": "8600069195406311", "code": "8600069195406311", "price": 1.5}]
    items += [{"title": "x", "price": 2**60, "count": 2}]
    made = api(
        sandbox, "receipts.create", amount=500, account={"order_id": "1"}, detail={"items": items}
    )
    page = browser.get(f"/dashboard/receipts/{made['receipt']['_id']}")
    section = page.body.partition("<h2>Lines</h2>")[2].partition("</section>")[0]
    assert "8600069195406311" not in section
    assert "1.5" in section
    assert str(2**60) in section or "***" in section


def test_titles_and_names_that_are_none_are_refused() -> None:
    wrong: list[Any] = [{}, {"de": "x"}, {"uz": 1}, 7]
    for title in wrong:
        with pytest.raises(InvalidSetting, match="order_id"):
            Sandbox(account_fields={"order_id": title})
    with pytest.raises(InvalidSetting, match="merchant_name"):
        Sandbox(merchant_name=" ")


def test_receipts_have_the_name_and_the_titles(sandbox: Sandbox) -> None:
    with Sandbox(account_fields={"order_id": TITLES}, merchant_name="Non doʻkoni") as named:
        made = api(named, "receipts.create", amount=500, account={"order_id": "1"})["receipt"]
        assert made["merchant"]["name"] == "Non doʻkoni"
        assert made["account"][0]["title"] == "Номер заказа"
    with Sandbox(account_fields={"order_id": {"en": "Order"}}) as partly:
        made = api(partly, "receipts.create", amount=500, account={"order_id": "1"})["receipt"]
        assert made["account"][0]["title"] == "Order"


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_the_payer_reads_titles_in_their_language(
    sandbox: Sandbox, browser: Browser, language: Any
) -> None:
    made = api(sandbox, "receipts.create", amount=500, account={"order_id": "A-1"})["receipt"]
    page = browser.get(f"/checkout/{made['_id']}?lang={language}")
    assert f"{TITLES[language]}A-1" in page.text.replace(" A-1", "A-1")


def test_a_test_card_is_filled_in_by_a_link_and_no_other_number_is(
    sandbox: Sandbox, browser: Browser
) -> None:
    receipt = sandbox.add_receipt()
    page = browser.get(f"/checkout/{receipt}?lang=en")
    link = page.reader.links["8600 0691 9540 6311"]
    page = browser.get(link)
    fields = page.form("/card").fields
    assert (fields["number"], fields["expire"]) == ("8600 0691 9540 6311", "03/99")
    other = browser.get(f"/checkout/{receipt}?card=4111111111111111&lang=en")
    assert "4111" not in other.body.replace(" ", "")
    assert other.form("/card").fields["number"] == ""


def test_a_code_that_was_sent_again_is_said_once(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.get(f"/checkout/{sandbox.add_receipt()}?lang=en")
    page = browser.submit(page, "/card", number=GOOD, expire="0399")
    assert TEXTS["en"]["sent_again"] not in page.text
    again = browser.submit(page, "/resend")
    assert TEXTS["en"]["sent_again"] in again.text
    wrong = browser.submit(again, "/code", code="1")
    assert TEXTS["en"]["sent_again"] not in wrong.text
    sandbox.faults.add("cards.get_verify_code", when="before", action="drop", times=1)
    lost = browser.submit(page, "/resend")
    assert (lost.status, TEXTS["en"]["no_answer"] in lost.text) == (422, True)
    assert TEXTS["en"]["sent_again"] not in lost.text


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_a_payment_that_fails_on_its_way_is_a_failure_with_its_reason(language: Any) -> None:
    with Sandbox(progression="after_checks:2") as sandbox:
        browser = Browser(sandbox)
        page = browser.get(f"/checkout/{sandbox.add_receipt()}?lang={language}")
        page = browser.submit(page, "/card", number=POOR, expire="0399")
        page = browser.submit(page, "/code", code="666666")
        for _ in range(5):
            page = browser.get(page.url)
        t = TEXTS[language]
        assert t["failed"] in page.text
        assert t["cancelled"] not in page.text
        assert t["new_order_note"] in page.text
        reason = {"uz": "mablagʻ", "ru": "недостаточно", "en": "not enough"}[language]
        assert reason in page.text.lower()
        assert page.reader.refresh == ""


def test_the_script_is_told_where_to_go_and_asks_once(sandbox: Sandbox, browser: Browser) -> None:
    page = browser.get(f"/checkout/{sandbox.add_receipt()}")
    form = page.form("/card")
    sent = {**form.fields, "number": GOOD, "expire": "0399"}
    answer = browser.request("POST", form.action, sent, {"X-Sandbox-Script": "1"})
    assert (answer.status, answer.body) == (204, "")
    assert answer.headers["x-sandbox-next"].startswith("/checkout/")
    # Of forms that are refused it is told what everybody is told.
    refused = browser.request("POST", form.action, {"number": GOOD}, {"X-Sandbox-Script": "1"})
    assert refused.status == 403


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "< 0.1 ms"), (0.4, "0.4 ms"), (12.4, "12 ms"), (3000, "3000 ms"), (12_345, "12.3 s")],
)
def test_a_duration_is_written_shortly(ms: float, text: str) -> None:
    assert format_took(ms) == text


def test_the_command_line_names_the_dashboard_the_merchant_and_the_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(serve, "run", lambda options, _start, **_: given.update(options))
    fields = ["order_id=Buyurtma; Заказ ;Order", "branch=Branch", "user"]
    chosen = [part for field in fields for part in ("--account-field", field)]
    result = CliRunner().invoke(payme, ["sandbox", "--merchant-name", "Non", *chosen])
    assert result.exit_code == 0, result.output
    titles = {"uz": "Buyurtma", "ru": "Заказ", "en": "Order"}
    assert given["account_fields"] == {"order_id": titles, "branch": "Branch", "user": "user"}
    assert given["merchant_name"] == "Non"
    for wrong in ("=Order", "order_id=a;b", "order_id=a;;c"):
        refused = CliRunner().invoke(payme, ["sandbox", "--account-field", wrong])
        assert refused.exit_code == 2
        assert "NAME=TITLE" in refused.output


def test_the_banner_names_the_dashboard(sandbox: Sandbox) -> None:
    lines: list[str] = []
    serve.print_banner(lambda line: lines.append(str(line)), sandbox, None)
    address = sandbox.url.removesuffix("api")
    assert any(line.split() == ["Dashboard", address] for line in lines)
    assert Browser(sandbox).get(address).status == 200
