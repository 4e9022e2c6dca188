import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from merchant_tools import Shop
from sandbox_tools import BLOCKED, BROKEN, EXPIRED, GOOD, HUMO, NO_SMS, POOR, SLOW
from web_tools import Browser, Page, api

from payme import checkout
from payme.sandbox import Sandbox
from payme.sandbox.clock import system_ms
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.sandbox.web.checkout.attempts import Attempt, Attempts
from payme.sandbox.web.i18n import TEXTS, payers
from payme.sandbox.web.offers import grouped

BACK = "https://shop.uz/paid/:transaction?o=:account.order_id&x=:account.other"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(
        account_fields={"order_id": "Order"},
        merchant_name="Non doʻkoni",
        min_amount=1000,
        max_amount=10**9,
        slow_card_ms=0,
    ) as sandbox:
        yield sandbox


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    return Browser(sandbox)


def link(sandbox: Sandbox, **options: object) -> str:
    arguments = {"merchant_id": sandbox.merchant_id, "account": {"order_id": 7}, "amount": 500_000}
    return checkout.link(**{**arguments, **options}, base_url=sandbox.url)


def give_card(browser: Browser, page: Page, number: str = GOOD, expire: str = "03/99") -> Page:
    return browser.submit(page, "/card", number=number, expire=expire)


def give_code(browser: Browser, page: Page, code: str = "666666") -> Page:
    return browser.submit(page, "/code", code=code)


def only(sandbox: Sandbox) -> str:
    (receipt,) = sandbox.receipts()
    return receipt.id


@pytest.mark.parametrize("spoken", ["uz", "ru", "en"])
def test_a_whole_payment_from_a_link(sandbox: Sandbox, browser: Browser, spoken: str) -> None:
    t = TEXTS[payers(spoken)]
    page = browser.get(link(sandbox, language=spoken, callback=BACK, callback_timeout=2500))
    receipt = only(sandbox)
    assert urlsplit(page.url).path == f"/checkout/{receipt}"
    assert parse_qs(urlsplit(page.url).query) == {
        "back": [BACK],
        "timeout": ["2500"],
        "lang": [spoken],
    }
    assert page.reader.language == spoken
    for shown in ("5 000", "Non doʻkoni", "Order7", t["banner"]):
        assert shown in page.text
    assert sandbox.merchant_id not in page.body
    page = give_card(browser, page, "8600 0691 9540 6311")
    assert t["code_heading"] in page.text
    assert "99890*****66" in page.text
    page = give_code(browser, page)
    assert t["paid"] in page.text
    there = f"https://shop.uz/paid/{receipt}?o=7&x=:account.other"
    assert page.reader.refresh == f"3;url={there}"
    assert page.reader.links[t["back"]] == there
    assert api(sandbox, "receipts.check", id=receipt)["state"] == 4
    assert sandbox.debits(receipt) == 1


def test_the_result_can_be_looked_at_again(sandbox: Sandbox, browser: Browser) -> None:
    page = give_code(browser, give_card(browser, browser.get(link(sandbox))))
    assert TEXTS["ru"]["paid"] in browser.get(page.url).text
    assert page.reader.refresh == ""
    assert sandbox.debits(only(sandbox)) == 1


def test_a_receipt_opens_by_its_id(sandbox: Sandbox, browser: Browser) -> None:
    receipt = sandbox.add_receipt()
    page = browser.get(checkout.receipt_link(receipt, base_url=sandbox.url))
    assert page.url.endswith(f"/checkout/{receipt}?back=null&timeout=15000&lang=ru")
    assert TEXTS["ru"]["paid"] in give_code(browser, give_card(browser, page)).text


@pytest.mark.parametrize("kind", ["paid", "cancelled", "unknown", "nonsense"])
def test_a_paid_or_unknown_receipt_is_gone(sandbox: Sandbox, browser: Browser, kind: str) -> None:
    receipt = sandbox.add_receipt()
    if kind == "paid":
        api(sandbox, "receipts.pay", id=receipt, token=sandbox.add_card())
    if kind == "cancelled":
        api(sandbox, "receipts.cancel", id=receipt)
    wanted = {"unknown": "0" * 24, "nonsense": "x"}.get(kind, receipt)
    page = browser.get(f"/checkout/{wanted}?lang=en")
    assert (page.status, TEXTS["en"]["gone"] in page.text) == (404, True)


def test_a_form_makes_a_receipt(sandbox: Sandbox, browser: Browser) -> None:
    detail = {"receipt_type": 0, "shipping": {"title": "Taxi", "price": 500_000}}
    html = checkout.form(
        sandbox.merchant_id,
        {"order_id": 'A & <b>"1"</b>'},
        500_000,
        language="uz",
        callback="https://shop.uz/?a=1;b=2",
        callback_timeout=0,
        description={"uz": "Non", "en": "Bread"},
        detail=detail,
        base_url=sandbox.url,
    )
    form = Page(sandbox.url, 200, {}, html).form()
    page = browser.request("POST", form.action, form.fields, {"Sec-Fetch-Site": "cross-site"})
    assert "Non" in page.text
    assert 'A & <b>"1"</b>' in page.text
    receipt = api(sandbox, "receipts.get", id=only(sandbox))["receipt"]
    assert receipt["description"] == "Non"
    assert receipt["detail"] == detail
    assert receipt["account"][0]["value"] == 'A & <b>"1"</b>'
    paid = give_code(browser, give_card(browser, page))
    assert paid.reader.refresh == "0;url=https://shop.uz/?a=1;b=2"


def test_a_form_without_callback_returns_to_the_page_that_held_it(
    sandbox: Sandbox, browser: Browser
) -> None:
    fields = {"merchant": sandbox.merchant_id, "amount": "500000", "account[order_id]": "7"}
    page = browser.request("POST", "/checkout", fields, {"Referer": "https://shop.uz/cart"})
    assert parse_qs(urlsplit(page.url).query)["back"] == ["https://shop.uz/cart"]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "5.5"},
        {"amount": ""},
        {"amount": "-5"},
        {"amount": "9" * 40},
        {"detail": "?"},
        {"detail": base64.b64encode(b"[1]").decode()},
        {"detail": base64.b64encode(b"[" * 100_000).decode()},
    ],
)
def test_a_form_that_makes_no_sense_makes_no_receipt(
    sandbox: Sandbox, browser: Browser, change: dict[str, str]
) -> None:
    fields = {"merchant": sandbox.merchant_id, "amount": "500000", "account[order_id]": "7"}
    page = browser.request("POST", "/", {**fields, **change, "lang": "en"})
    assert TEXTS["en"]["bad_link"] in page.text
    assert sandbox.receipts() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"merchant_id": "0" * 24}, "The merchant was not found or is blocked."),
        ({"account": {}}, "The payment details are wrong."),
        ({"amount": 1}, "The amount is too small."),
        ({"amount": 10**10}, "The amount is too large."),
    ],
)
def test_what_payme_refuses_is_said_in_the_payers_language(
    sandbox: Sandbox, browser: Browser, options: dict[str, object], text: str
) -> None:
    page = browser.get(link(sandbox, language="en", callback=BACK, **options))
    assert (page.status, text in page.text) == (422, True)
    assert page.reader.links["Back to the merchant"] == BACK.replace(":transaction", "null")
    assert page.reader.refresh == ""


def test_a_merchant_that_refuses_is_quoted_in_the_payers_language() -> None:
    def merchant(body: bytes, _headers: object) -> tuple[int, bytes]:
        said = {"uz": "Buyurtma <yoʻq>", "ru": "Заказа нет", "en": "No such order"}
        error = {"code": -31050, "message": said, "data": "order_id"}
        return 200, json.dumps({"id": json.loads(body)["id"], "error": error}).encode()

    with Sandbox(merchant=merchant) as sandbox:
        page = Browser(sandbox).get(link(sandbox, language="uz"))
        assert page.status == 422
        assert "Buyurtma <yoʻq>" in page.text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (EXPIRED, "The card has expired."),
        (BLOCKED, "The card is blocked."),
        (NO_SMS, "SMS informing is not connected"),
        ("8600000000000000", "Wrong card number"),
        ("1234", "Check the card number and expiry."),
        ("8600069195406311x", "Check the card number and expiry."),
        ("", "Check the card number and expiry."),
    ],
)
def test_a_card_that_is_refused_may_be_followed_by_another(
    sandbox: Sandbox, browser: Browser, number: str, text: str
) -> None:
    page = give_card(browser, browser.get(link(sandbox, language="en")), number)
    assert (page.status, text in page.text) == (422, True)
    shown = re.findall(r'id="number"[^>]* value="([^"]*)"', page.body)
    assert shown == [grouped(number) if number in TEST_CARDS else ""]
    page = give_code(browser, give_card(browser, page, HUMO, "0399"))
    assert TEXTS["en"]["paid"] in page.text


@pytest.mark.parametrize("expire", ["", "13/99", "3/99", "0399x", "03/2099"])
def test_an_expiry_of_a_wrong_form_is_refused(
    sandbox: Sandbox, browser: Browser, expire: str
) -> None:
    page = give_card(browser, browser.get(link(sandbox, language="en")), GOOD, expire)
    assert TEXTS["en"]["bad_card"] in page.text


@pytest.mark.parametrize(
    ("number", "text"),
    [(POOR, "Not enough money on the card."), (SLOW, "The card refused the payment.")],
)
def test_a_debit_that_fails_leads_back_to_the_card(
    sandbox: Sandbox, browser: Browser, number: str, text: str
) -> None:
    page = give_code(browser, give_card(browser, browser.get(link(sandbox, language="en")), number))
    assert (page.status, text in page.text) == (422, True)
    page = give_code(browser, give_card(browser, page))
    assert TEXTS["en"]["paid"] in page.text
    assert sandbox.debits(only(sandbox)) == 1


def test_a_system_error_is_not_called_a_failure(sandbox: Sandbox, browser: Browser) -> None:
    page = give_card(browser, browser.get(link(sandbox, language="en")), BROKEN)
    page = give_code(browser, page)
    assert TEXTS["en"]["unknown"] in page.text
    page = browser.get(page.reader.links[TEXTS["en"]["pay"]])
    assert TEXTS["en"]["paid"] in give_code(browser, give_card(browser, page)).text


def test_wrong_codes_new_codes_and_old_codes(sandbox: Sandbox, browser: Browser) -> None:
    code = give_card(browser, browser.get(link(sandbox, language="en")))
    assert TEXTS["en"]["bad_code"] in give_code(browser, code, "abc").text
    page = give_code(browser, code, "111111")
    assert (page.status, "Wrong SMS code." in page.text) == (422, True)
    sandbox.clock.advance("2m")
    assert "The SMS code has expired." in give_code(browser, code).text
    fresh = browser.submit(code, "/resend")
    assert len(sandbox.sent_sms()) == 2
    assert TEXTS["en"]["paid"] in give_code(browser, fresh).text


def test_sending_the_code_twice_pays_once(sandbox: Sandbox, browser: Browser) -> None:
    code = give_card(browser, browser.get(link(sandbox, language="en")))
    assert TEXTS["en"]["paid"] in give_code(browser, code).text
    assert TEXTS["en"]["paid"] in give_code(browser, code).text
    assert sandbox.debits(only(sandbox)) == 1


def test_going_back_to_the_code_of_a_card_that_failed_tells_the_same(
    sandbox: Sandbox, browser: Browser
) -> None:
    code = give_card(browser, browser.get(link(sandbox, language="en")), POOR)
    for _ in range(2):
        assert "Not enough money on the card." in give_code(browser, code).text


def test_a_receipt_that_was_paid_meanwhile_is_shown_as_it_is(
    sandbox: Sandbox, browser: Browser
) -> None:
    code = give_card(browser, browser.get(link(sandbox, language="en")))
    api(sandbox, "receipts.pay", id=only(sandbox), token=sandbox.add_card())
    assert TEXTS["en"]["paid"] in give_code(browser, code).text
    assert sandbox.debits(only(sandbox)) == 1


@pytest.mark.parametrize("action", ["drop", "malformed", "http_status", "wrong_id"])
def test_a_lost_answer_is_found_again(sandbox: Sandbox, browser: Browser, action: str) -> None:
    code = give_card(browser, browser.get(link(sandbox, language="en")))
    sandbox.faults.add("receipts.pay", when="after", action=action, times=1)
    assert TEXTS["en"]["paid"] in give_code(browser, code).text
    assert sandbox.debits(only(sandbox)) == 1


def test_an_answer_lost_before_the_effect_is_unknown_and_may_be_repeated(
    sandbox: Sandbox, browser: Browser
) -> None:
    code = give_card(browser, browser.get(link(sandbox, language="en")))
    sandbox.faults.add("receipts.pay", when="before", action="drop", times=1)
    page = give_code(browser, code)
    assert TEXTS["en"]["unknown"] in page.text
    assert page.reader.refresh == "2"
    page = browser.get(page.reader.links[TEXTS["en"]["pay"]])
    assert TEXTS["en"]["paid"] in give_code(browser, give_card(browser, page)).text
    assert sandbox.debits(only(sandbox)) == 1


@pytest.mark.parametrize("method", ["cards.create", "cards.get_verify_code", "cards.verify"])
@pytest.mark.parametrize(("when", "action"), [("before", "drop"), ("after", "wrong_id")])
def test_other_lost_answers_ask_to_try_again(
    sandbox: Sandbox, browser: Browser, method: str, when: Any, action: Any
) -> None:
    sandbox.faults.add(method, when=when, action=action, times=1)
    page = browser.get(link(sandbox, language="en"))
    lost = give_card(browser, page)
    if method == "cards.verify":
        lost = give_code(browser, lost)
    assert (lost.status, TEXTS["en"]["no_answer"] in lost.text) == (422, True)
    assert TEXTS["en"]["paid"] in give_code(browser, give_card(browser, page)).text


def test_a_payment_that_takes_time_is_waited_for() -> None:
    with Sandbox(progression="after_checks:2") as sandbox:
        browser = Browser(sandbox)
        code = give_card(browser, browser.get(link(sandbox, language="en")))
        page = give_code(browser, code)
        seen = [page.text]
        for _ in range(5):
            assert TEXTS["en"]["paid"] in page.text or page.reader.refresh == "2"
            page = browser.get(page.url)
            seen.append(page.text)
        assert TEXTS["en"]["waiting"] in seen[0]
        assert TEXTS["en"]["paid"] in seen[-1]


def test_a_hold_is_called_a_hold(sandbox: Sandbox, browser: Browser) -> None:
    receipt = sandbox.add_receipt(hold=True)
    page = browser.get(f"/checkout/{receipt}?lang=en")
    page = give_code(browser, give_card(browser, page))
    assert TEXTS["en"]["held"] in page.text
    api(sandbox, "receipts.cancel", id=receipt)
    assert TEXTS["en"]["cancelled"] in browser.get(page.url).text


def test_the_language_can_be_changed_on_the_way(sandbox: Sandbox, browser: Browser) -> None:
    page = give_card(browser, browser.get(link(sandbox, callback=BACK)))
    page = browser.get(page.url.partition("?")[0] + page.reader.links["Oʻzbekcha"])
    assert TEXTS["uz"]["code_heading"] in page.text
    assert TEXTS["uz"]["paid"] in give_code(browser, page).text


@pytest.mark.parametrize(
    "back", ["javascript:alert(1)", "data:text/html,x", "//evil.uz", "https://a b", "null", ""]
)
def test_only_web_addresses_are_returned_to(sandbox: Sandbox, browser: Browser, back: str) -> None:
    page = browser.request(
        "POST",
        "/",
        {
            "merchant": sandbox.merchant_id,
            "amount": "500000",
            "account[order_id]": "7",
            "callback": back,
        },
    )
    assert TEXTS["ru"]["back"] not in page.reader.links
    page = browser.get(f"/checkout/{only(sandbox)}?back=javascript:alert(1)")
    assert TEXTS["ru"]["back"] not in page.reader.links


def test_values_of_the_account_are_percent_encoded_in_the_return_address(
    sandbox: Sandbox, browser: Browser
) -> None:
    account = {"order_id": "a b&c=d/е"}
    page = browser.get(link(sandbox, account=account, callback="https://shop.uz/:account.order_id"))
    there = page.reader.links[TEXTS["ru"]["back"]]
    assert there == "https://shop.uz/a%20b%26c%3Dd%2F%D0%B5"


@pytest.mark.parametrize("timeout", ["soon", "-1", "1" * 30, "٣"])
def test_a_timeout_that_is_none_is_the_usual_one(
    sandbox: Sandbox, browser: Browser, timeout: str
) -> None:
    receipt = sandbox.add_receipt()
    page = browser.request("GET", f"/checkout/{receipt}?back=https://shop.uz")
    assert "timeout=15000" in page.form("/card").action
    fields = {"merchant": sandbox.merchant_id, "amount": "5000", "account[order_id]": "7"}
    made = browser.request("POST", "/", {**fields, "callback_timeout": timeout})
    assert "timeout=15000" in made.url


@pytest.mark.parametrize(
    "path", ["/nowhere", "/bT01", "/%00", "/a/b/c", "/checkout", "/favicon.ico"]
)
def test_other_paths_are_not_found(sandbox: Sandbox, browser: Browser, path: str) -> None:
    page = browser.get(path)
    assert page.status in {404, 405}
    assert browser.get(path, Accept="*/*").status in {404, 405}
    assert sandbox.receipts() == []


def test_looking_with_head_makes_no_receipt(sandbox: Sandbox, browser: Browser) -> None:
    assert browser.request("HEAD", link(sandbox)).status == 200
    assert sandbox.receipts() == []


def test_an_attempt_belongs_to_its_receipt(sandbox: Sandbox, browser: Browser) -> None:
    code = give_card(browser, browser.get(link(sandbox)))
    name = urlsplit(code.url).path.rpartition("/")[2]
    other = sandbox.add_receipt()
    pages = [browser.get(f"/checkout/{other}/{attempt}") for attempt in (name, "nobody")]
    for step in ("code", "resend"):
        fields = {**code.form("/code").fields, "code": "666666"}
        pages.append(browser.request("POST", f"/checkout/{other}/{name}/{step}", fields))
    for page in pages:
        # It can still be paid, from the beginning: as after a new start, which forgets attempts.
        assert urlsplit(page.url).path == f"/checkout/{other}"
        assert [form.action.partition("?")[0] for form in page.reader.forms] == [
            f"/checkout/{other}/card"
        ]
    assert sandbox.debits(other) == 0
    assert browser.get(f"/checkout/{'0' * 24}/{name}").status == 404


def test_the_steps_need_the_token_of_the_form(sandbox: Sandbox, browser: Browser) -> None:
    code = give_card(browser, browser.get(link(sandbox)))
    url = code.form("/code").action
    good = code.form("/code").fields["csrf"]
    for token in ("", "x", "é", good + "x"):
        page = browser.request("POST", url, {"csrf": token, "code": "666666"})
        assert page.status == 403
    page = browser.request(
        "POST", url, {"csrf": good, "code": "666666"}, {"Sec-Fetch-Site": "cross-site"}
    )
    assert page.status == 403
    assert sandbox.debits(only(sandbox)) == 0


def test_no_card_no_token_and_no_code_is_on_a_page_or_in_an_address(
    sandbox: Sandbox, browser: Browser
) -> None:
    pages = [browser.get(link(sandbox))]
    pages.append(give_card(browser, pages[-1], HUMO, "03/99"))
    pages.append(give_code(browser, pages[-1], "123987"))
    pages.append(give_code(browser, pages[-1]))
    (card,) = sandbox.cards()
    for page in pages:
        text = page.url + page.body.partition("<details")[0]
        assert HUMO not in text.replace(" ", "")
        assert card.token not in text
        assert card.phone not in text
        assert "123987" not in text
    assert card.token not in repr(Attempt("0" * 24, card.token, "99890*****66"))


def test_old_attempts_make_room() -> None:
    attempts = Attempts()
    first = attempts.add(Attempt("a", "t", "p"))
    for _ in range(1000):
        last = attempts.add(Attempt("a", "t", "p"))
    assert attempts.find(first, "a") is None
    assert attempts.find(last, "a") is not None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fields=st.dictionaries(
        st.sampled_from(["merchant", "amount", "account[order_id]", "lang", "callback", "detail"])
        | st.text(max_size=20),
        st.sampled_from(["500000", "uz", "e30=", "https://x.uz"]) | st.text(max_size=50),
        max_size=8,
    )
)
def test_any_form_is_answered(sandbox: Sandbox, browser: Browser, fields: dict[str, str]) -> None:
    encodable = {
        name.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
        for name, value in fields.items()
    }
    page = browser.request("POST", "/", {"merchant": sandbox.merchant_id, **encodable})
    assert page.status < 500
    assert "SANDBOX" in page.text
    assert not page.reader.inline


def test_the_texts_are_whole_in_every_language() -> None:
    keys = TEXTS["en"].keys()
    for spoken, texts in TEXTS.items():
        assert texts.keys() == keys
        assert all(texts.values())
        assert "{seconds}" in texts["returning"]
        # U+02BB and U+02BC, as Uzbek is written, and not an apostrophe.
        assert spoken != "uz" or not any(mark in text for text in texts.values() for mark in "'`’‘")


@pytest.mark.parametrize("spoken", ["uz", "ru", "en"])
def test_a_decline_that_ends_the_receipt_offers_no_other_card(spoken: str) -> None:
    t = TEXTS[payers(spoken)]
    with Sandbox(merchant=Shop(system_ms), account_fields={"order_id": "Order"}) as sandbox:
        browser = Browser(sandbox)
        page = browser.get(link(sandbox, language=spoken, callback=BACK))
        page = give_code(browser, give_card(browser, page, POOR))
        receipt = only(sandbox)
        assert api(sandbox, "receipts.check", id=receipt) == {"state": 50}
        assert t["failed"] in page.text
        assert t["new_order_note"] in page.text
        assert not page.reader.forms
        # Who comes back to any page of this receipt is told the same, and asked for nothing.
        of_receipt = f"/checkout/{receipt}?lang={spoken}"
        for address in (page.url, page.url.replace("/code", ""), of_receipt):
            again = browser.get(address)
            assert t["new_order_note"] in again.text
            assert not again.reader.forms
        # Nothing but the way back to the shop, which knows the transaction by its id.
        assert f"https://shop.uz/paid/{receipt}?o=7&x=:account.other" in page.body.replace(
            "&amp;", "&"
        )
        assert sandbox.debits(receipt) == 0
