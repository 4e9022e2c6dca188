"""The card form, as payers use it and break it. What hurts: a card that reaches the shop."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from form_tools import CODE, EXPIRY, GOOD, Payer, Shop, calls, digits_in

from payme import card_form
from payme.errors.card_form import ERRORS, LABELS, RULES
from payme.sandbox import Sandbox

MERCHANT = "587f72c72cac0d162c722ae2"
LANGUAGES = ["uz", "ru", "en"]
TOKEN = "document.querySelector('payme-card-form')"


@pytest.fixture(scope="module", autouse=True)
def online(chromium: Any) -> None:
    page = chromium.new_page()
    connected = page.evaluate("navigator.onLine")
    page.close()
    if not connected:
        # It says so to the form as well, though the sandbox on loopback would answer.
        pytest.skip("Chromium takes this machine for offline: bring a network interface up")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(merchant_id=MERCHANT) as sandbox:
        yield sandbox


@pytest.fixture
def store() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 390, "height": 760})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: Any) -> Any:
    page = context.new_page()
    page.heard = []
    page.on("console", lambda message: page.heard.append(message.text))
    page.on("pageerror", lambda error: page.heard.append(str(error)))
    return page


@pytest.fixture
def payer(page: Any, store: Shop, box: Sandbox) -> Payer:
    page.goto(store.put(box))
    return Payer(page)


def opened(page: Any, url: str, language: str = "en") -> Payer:
    page.goto(url)
    page.wait_for_function("document.querySelector('payme-card-form').state")
    return Payer(page, language)


def axe(page: Any) -> list[str]:
    api = pytest.importorskip(
        "axe_playwright_python", reason="needs axe: pip install axe-playwright-python"
    )
    page.evaluate((Path(api.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run('payme-card-form')")
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


# 1. Keyboard and screen reader


@pytest.mark.slow
def test_a_card_is_bound_with_the_keyboard_alone(payer: Payer, box: Sandbox, store: Shop) -> None:
    page = payer.page
    keys = page.keyboard
    live = page.get_by_role("status")
    keys.press("Tab")
    keys.type(GOOD)
    keys.press("Tab")
    keys.type(EXPIRY)
    keys.press("Tab")
    keys.press("Space")
    keys.press("Enter")
    payer.waits_for("code")
    assert page.evaluate(f"{TOKEN}.shadowRoot.activeElement.id") == "code"
    assert live.inner_text() == "The code was sent to 99890*****66."
    keys.type("111111")
    keys.press("Enter")
    payer.sees("code", "code_wrong")
    assert page.evaluate(f"{TOKEN}.shadowRoot.activeElement.id") == "code"
    keys.type(CODE)  # what was wrong is selected, and is written over
    keys.press("Enter")
    payer.waits_for("done")
    assert live.inner_text() == payer.label("done")
    assert [(card.recurrent, card.verified) for card in box.cards()] == [(True, True)]
    assert payer.states() == [
        "creating",
        "sending",
        "code",
        "verifying",
        "code",
        "verifying",
        "saving",
        "done",
    ]
    ((_, _, _, body),) = [one for one in store.requests if one[1] == "/cards"]
    assert set(json.loads(body)) == {"token", "certain"}
    assert payer.said("code-sent")[0]["phone"] == "99890*****66"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(chromium: Any, store: Shop, box: Sandbox, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 320, "height": 700}, color_scheme=scheme)
    page = context.new_page()
    style = "<style>:root{color-scheme:light dark}</style>"
    payer = opened(page, store.put(box, before=style))
    assert axe(page) == []
    payer.submit.click()
    assert axe(page) == []
    payer.binds()
    payer.waits_for("code")
    assert axe(page) == []
    payer.code.fill("111111")
    payer.submit.click()
    payer.sees("code", "code_wrong")
    assert axe(page) == []
    payer.code.fill(CODE)
    payer.submit.click()
    payer.waits_for("done")
    assert axe(page) == []
    # That it can find something.
    page.evaluate(f"{TOKEN}.shadowRoot.getElementById('image').removeAttribute('alt')")
    assert any("image-alt" in one for one in axe(page))
    context.close()


def test_every_field_has_its_label_its_error_and_says_when_it_is_wrong(payer: Payer) -> None:
    page = payer.page
    for name in ("number", "expiry"):
        field = page.get_by_label(payer.label(name))
        assert field.get_attribute("aria-invalid") == "false"
        assert field.get_attribute("aria-describedby") == f"{name}-error"
        assert page.locator(f"#{name}-error").count() == 1
    payer.number.press_sequentially("8600")
    payer.expiry.focus()
    payer.sees("number", "number_incomplete")
    assert payer.number.get_attribute("aria-invalid") == "true"
    assert page.evaluate(f"{TOKEN}.shadowRoot.activeElement.id") == "expiry"
    assert payer.said("error") == []  # nobody pressed anything yet
    payer.number.press_sequentially("0")
    assert payer.error("number") == ""


# 2. Typing, pasting, autofill


CARETS: list[tuple[list[str], str, int]] = [
    (["86000", "ArrowLeft", "7"], "8600 70", 6),
    (["86000691", "Backspace"], "8600 069", 8),
    (["86000691", *["ArrowLeft"] * 4, "Backspace"], "8600 691", 3),
    (["86000691", *["ArrowLeft"] * 5, "Delete"], "8600 691", 4),
    (["86000691", "Home", "Delete"], "6000 691", 0),
    (["86000691", *["ArrowLeft"] * 6, "1", "2"], "8601 2006 91", 6),
    (["86000691", "Home", "5"], "5860 0069 1", 1),
    (["86-x", "0 0"], "8600", 4),
]


def test_the_caret_stays_with_its_digit(payer: Payer) -> None:
    for keys, value, caret in CARETS:
        payer.number.fill("")
        payer.number.focus()
        for key in keys:
            if key.isalpha() and len(key) > 2:
                payer.page.keyboard.press(key)
            else:
                payer.page.keyboard.type(key)
        assert payer.number.input_value() == value
        assert payer.number.evaluate("(one) => one.selectionStart") == caret, keys


def paste(payer: Payer, field: Any, text: str) -> None:
    field.focus()
    field.evaluate(
        """(one, text) => { one.setRangeText(text, one.selectionStart, one.selectionEnd, "end");
        const how = { inputType: "insertFromPaste", bubbles: true };
        one.dispatchEvent(new InputEvent("input", how)); }""",
        text,
    )


def test_a_number_is_pasted(payer: Payer) -> None:
    for text, value in [
        ("8600069195406311", "8600 0691 9540 6311"),
        (" 8600-0691-9540-6311\n", "8600 0691 9540 6311"),
        ("860006919540631112", "8600 0691 9540 6311 12"),
    ]:
        payer.number.fill("")
        paste(payer, payer.number, text)
        assert payer.number.input_value() == value


def test_an_expiry_is_pasted_in_any_form(payer: Payer, box: Sandbox) -> None:
    for text in ("0399", "03/99", "3/99", "03/2099", "2099-03", "032099", "03 / 99", " 03-99 "):
        payer.expiry.fill("")
        paste(payer, payer.expiry, text)
        assert payer.expiry.input_value() == "03/99", text
    payer.number.fill(GOOD)
    payer.submit.click()
    payer.waits_for("code")


def test_an_expiry_is_typed_in_any_form(payer: Payer) -> None:
    for typed, value in [
        ("0399", "03/99"),
        ("03/99", "03/99"),
        ("3/99", "03/99"),
        ("03/2099", "03/99"),
        ("2099-03", "03/99"),
        ("1299", "12/99"),
        ("1/30", "01/30"),
    ]:
        payer.expiry.fill("")
        payer.expiry.press_sequentially(typed)
        payer.number.focus()
        assert payer.expiry.input_value() == value, typed


def test_an_expiry_can_be_corrected(payer: Payer) -> None:
    payer.expiry.press_sequentially("0499")
    for _ in range(4):
        payer.page.keyboard.press("Backspace")
    payer.expiry.press_sequentially("399")
    assert payer.expiry.input_value() == "03/99"


def test_an_expiry_that_can_not_be(payer: Payer, box: Sandbox) -> None:
    for typed, key in [
        ("13/99", "expiry_month"),
        ("00/99", "expiry_month"),
        ("03/9", "expiry_incomplete"),
        ("", "expiry_incomplete"),
        ("03/209", "expiry_incomplete"),
    ]:
        payer.page.evaluate(f"{TOKEN}.reset(); said.length = 0")
        payer.types(expiry=typed)
        payer.submit.click()
        told = {"key": key, "paymeCode": None, "field": "expiry", "step": "card"}
        assert payer.said("error") == [told]
        payer.sees("expiry", key)
    assert calls(box, "cards.create") == 0


def test_a_code_is_pasted_with_what_stands_around_it(payer: Payer) -> None:
    payer.binds()
    payer.waits_for("code")
    for text in ("666666", "Kod: 666 666", "Payme: 666-666. 18:30", "Kod 12 uchun 666666"):
        payer.code.fill("")
        paste(payer, payer.code, text)
        assert payer.code.input_value() == CODE
        assert payer.states()[-1] == "code"  # nothing is sent before a press
    payer.submit.click()
    payer.waits_for("done")


def test_the_browser_fills_in(payer: Payer, context: Any, box: Sandbox) -> None:
    page = payer.page
    devtools = context.new_cdp_session(page)
    document = devtools.send("DOM.getDocument", {"depth": -1, "pierce": True})

    def find(node: Any) -> Any:
        attributes = node.get("attributes", [])
        if "cc-number" in attributes:
            return node["backendNodeId"]
        inside = [*node.get("children", []), *node.get("shadowRoots", [])]
        return next(filter(None, map(find, inside)), None)

    payer.number.click()
    card = {"number": GOOD, "name": "A B", "expiryMonth": "03", "expiryYear": "2099", "cvc": ""}
    try:
        devtools.send("Autofill.trigger", {"fieldId": find(document["root"]), "card": card})
    except Exception as error:
        pytest.skip(f"this Chromium fills in nothing: {error}")
    page.wait_for_function(f"{TOKEN}.shadowRoot.getElementById('expiry').value")
    assert payer.number.input_value() == "8600 0691 9540 6311"
    assert payer.expiry.input_value() == "03/99"
    payer.submit.click()
    payer.waits_for("code")


# 3. Test cards and keys in three languages


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_test_card_says_what_is_wrong_beside_its_field(
    page: Any, store: Shop, box: Sandbox, language: Any
) -> None:
    payer = opened(page, store.put(box, lang=language), language)
    for number, key in [
        ("3333336415804657", "card_expired"),
        ("4444445987459073", "card_blocked"),
        ("8600060921090842", "sms_off"),
        ("4111111111111111", "card_unknown"),
    ]:
        payer.binds(number)
        payer.sees("number", key)
        assert page.evaluate(f"{TOKEN}.shadowRoot.activeElement.id") == "number"
        assert payer.number.get_attribute("aria-invalid") == "true"
        # What Payme made no token of can be corrected; the rest is forgotten.
        kept = "" if key == "sms_off" else number
        assert payer.number.input_value().replace(" ", "") == kept
    for number in ("9860030100000006", "8600143417770323", "8600134301849596"):
        payer.binds(number)
        payer.waits_for("code")
        page.get_by_role("button", name=payer.label("other")).click()


REFUSALS = [
    (-31300, "Карта корпоративная.", "cards.create", "card_unsupported"),
    (-31300, "Неверный номер карты", "cards.create", "card_unknown"),
    (-32602, "Invalid Params", "cards.create", "card_unknown"),
    (-31301, "Карта устарела", "cards.create", "card_expired"),
    (-31301, "КАРТА ЗАБЛОКИРОВАНА", "cards.create", "card_blocked"),
    (-31301, "", "cards.create", "sms_off"),
    (-31304, "x", "cards.get_verify_code", "sms_off"),
    (-31900, "x", "cards.create", "card_unsupported"),
    (-31901, "x", "cards.create", "card_unsupported"),
    (-31151, "x", "cards.create", "card_bound"),
    (-31110, "x", "cards.get_verify_code", "sms_failed"),
    (-31103, "x", "cards.verify", "code_wrong"),
    (-31200, "x", "cards.verify", "code_wrong"),
    (-31101, "x", "cards.verify", "code_old"),
    (-31201, "x", "cards.verify", "code_old"),
    (-31102, "x", "cards.verify", "code_attempts"),
    (-31400, "x", "cards.verify", "token_gone"),
    (-32500, "x", "cards.get_verify_code", "token_gone"),
    (-31001, "x", "cards.create", "payme_busy"),
    (-31002, "x", "cards.verify", "payme_busy"),
    (-31100, "x", "cards.get_verify_code", "payme_busy"),
    (-32400, "x", "cards.create", "payme_busy"),
    (-32504, "x", "cards.create", "shop_setup"),
    (-31302, "x", "cards.create", "unknown"),
    (-99999, "x", "cards.verify", "unknown"),
]


@pytest.mark.slow
def test_each_refusal_has_its_key_its_place_and_its_text(
    page: Any, store: Shop, box: Sandbox
) -> None:
    payer = opened(page, store.put(box))
    assert {key for *_, key in REFUSALS} == {rule.key for rule in RULES} | {"unknown"}
    for code, message, method, key in REFUSALS:
        box.faults.clear()
        box.faults.add(method, when="before", action="rpc_error", code=code, message=message or "?")
        page.evaluate(f"{TOKEN}.reset(); said.length = 0")
        payer.binds()
        if method == "cards.verify":
            payer.waits_for("code")
            payer.code.fill(CODE)
            payer.submit.click()
        page.wait_for_function("said.some(([type]) => type === 'error')")
        (told,) = payer.said("error")
        assert (told["key"], told["paymeCode"]) == (key, code), (code, method)
        assert told["field"] == ERRORS[key].field
        for language in LANGUAGES:
            page.evaluate(f"{TOKEN}.lang = '{language}'")
            payer.language = language
            payer.sees(ERRORS[key].field, key, f" ({code})" if key == "unknown" else "")
        stays = method == "cards.verify" and key != "token_gone"
        assert page.evaluate(f"{TOKEN}.state") == ("code" if stays else "card"), (code, method)


def test_a_message_in_three_languages_is_read_too(payer: Payer, store: Shop, page: Any) -> None:
    error = {"code": -31301, "message": {"ru": "Карта заблокирована.", "uz": "x"}}
    page.route(
        "**/api",
        lambda route: route.fulfill(
            headers={"Access-Control-Allow-Origin": "*"}, json={"error": error}
        ),
    )
    payer.binds()
    payer.sees("number", "card_blocked")


def test_a_number_that_fails_its_check_digit_is_told_once(payer: Payer, box: Sandbox) -> None:
    payer.binds("8600069195406312")
    payer.sees("number", "number_suspect")
    assert calls(box, "cards.create") == 0
    payer.submit.click()
    payer.sees("number", "card_unknown")
    assert calls(box, "cards.create") == 1
    payer.binds("8600069195406313", "0301")
    payer.sees("number", "number_suspect")
    payer.sees("expiry", "expiry_past")


def test_a_number_has_16_to_18_digits(payer: Payer, box: Sandbox) -> None:
    for number in ("", "860006919540631", "8600069195406311111"):
        payer.binds(number)
        payer.sees("number", "number_incomplete")
    assert calls(box, "cards.create") == 0


def test_sent_false_is_an_sms_that_failed(payer: Payer, page: Any, box: Sandbox) -> None:
    def answer(route: Any) -> None:
        if "get_verify_code" in (route.request.post_data or ""):
            route.fulfill(
                headers={"Access-Control-Allow-Origin": "*"},
                json={"result": {"sent": False, "phone": "", "wait": 60000}},
            )
        else:
            route.continue_()

    page.route("**/api", answer)
    payer.binds()
    payer.sees("form", "sms_failed")
    assert page.evaluate(f"{TOKEN}.state") == "card"


# 4. Once is once


def test_a_hasty_payer_makes_one_card_and_one_sms(payer: Payer, box: Sandbox) -> None:
    box.faults.add("*", when="before", action="delay", delay_ms=300)
    payer.types()
    payer.page.evaluate(
        f"""() => {{ const form = {TOKEN}.shadowRoot.getElementById("form");
        form.requestSubmit(); form.requestSubmit();
        form.querySelector("#submit").click(); form.querySelector("#submit").click(); }}"""
    )
    payer.page.keyboard.press("Enter")
    payer.waits_for("code")
    assert (calls(box, "cards.create"), len(box.sent_sms())) == (1, 1)
    payer.code.press_sequentially(CODE)
    payer.page.keyboard.press("Enter")
    payer.page.keyboard.press("Enter")
    payer.submit.dblclick(force=True)
    payer.waits_for("done")
    assert calls(box, "cards.verify") == 1


# 5. Lost answers


def test_a_lost_answer_to_create_is_asked_for_once_more(payer: Payer, box: Sandbox) -> None:
    box.faults.add("cards.create", when="mid_body", action="drop", times=1)
    payer.binds()
    payer.waits_for("code")
    assert (calls(box, "cards.create"), len(box.sent_sms())) == (2, 1)


def test_create_is_not_asked_for_a_third_time(payer: Payer, box: Sandbox) -> None:
    box.faults.add("cards.create", when="mid_body", action="drop")
    payer.binds()
    payer.sees("form", "unreachable")
    assert calls(box, "cards.create") == 2
    box.faults.clear()
    payer.binds()
    payer.waits_for("code")


@pytest.mark.parametrize(
    ("action", "when"),
    [
        ("drop", "mid_body"),
        ("http_status", "after"),
        ("malformed", "after"),
        ("wrong_id", "after"),
        ("http_status", "before"),
    ],
)
def test_a_lost_answer_about_the_sms_sends_no_second_one(
    payer: Payer, box: Sandbox, action: Any, when: Any
) -> None:
    box.faults.add("cards.get_verify_code", when=when, action=action, times=1)
    payer.binds()
    payer.waits_for("code")
    assert calls(box, "cards.get_verify_code") == 1
    (told,) = payer.said("error")
    assert told["key"] == ("unreachable" if action == "drop" else "bad_answer")
    assert payer.page.locator("#told").inner_text() == payer.label("maybe")
    assert payer.page.locator("#resend").is_disabled()
    if when == "before":
        return
    payer.code.press_sequentially(CODE)  # the SMS came all the same
    payer.submit.click()
    payer.waits_for("done")


@pytest.mark.parametrize(
    ("when", "action"),
    [
        ("before", "http_status"),
        ("after", "http_status"),
        ("after", "malformed"),
        ("mid_body", "drop"),
    ],
)
def test_a_lost_answer_to_verify_is_settled_by_the_shop(
    payer: Payer, box: Sandbox, store: Shop, when: Any, action: Any
) -> None:
    box.faults.add("cards.verify", when=when, action=action, times=1)
    store.answers = ["unverified"] if when == "before" else []
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.page.wait_for_function("said.some(([type]) => type === 'card')")
    assert payer.said("card")[0]["certain"] is False
    if when == "before":
        payer.sees("form", "not_verified")
        payer.waits_for("code")
        assert not box.cards()[0].verified
        payer.submit.click()
    payer.waits_for("done")
    assert payer.said("card")[-1]["certain"] is (when == "before")
    assert box.cards()[0].verified
    assert calls(box, "cards.verify") == (2 if when == "before" else 1)


def test_a_browser_that_repeats_a_lost_verify_leads_to_a_new_code(
    payer: Payer, page: Any, box: Sandbox
) -> None:
    """Chromium sends a request again when a kept connection closes before a byte came back."""
    page.clock.install()
    box.faults.add("cards.verify", when="after", action="drop", times=1)
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    page.wait_for_function("said.some(([type]) => type === 'error' || type === 'card')")
    if calls(box, "cards.verify") == 1:
        payer.waits_for("done")
        return
    payer.sees("code", "code_old")
    page.clock.fast_forward(61_000)
    page.locator("#resend").click()
    page.wait_for_function("said.filter(([type]) => type === 'code-sent').length === 2")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("done")


def test_a_system_error_of_verify_is_settled_by_the_shop(payer: Payer, box: Sandbox) -> None:
    box.faults.add("cards.verify", when="after", action="rpc_error", times=1)
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("done")
    assert [one["certain"] for one in payer.said("card")] == [False]


def test_a_shop_that_could_not_save_is_asked_again_with_the_same_token(
    payer: Payer, box: Sandbox, store: Shop
) -> None:
    store.answers = ["fails", "fails", True]
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    for _ in range(2):
        payer.sees("form", "not_saved")
        assert payer.page.evaluate(f"{TOKEN}.state") == "saving"
        assert payer.submit.inner_text() == payer.label("retry")
        payer.submit.click()
    payer.waits_for("done")
    assert len({one["token"] for one in payer.said("card")}) == 1
    assert calls(box, "cards.verify") == 1


def test_nobody_answers_in_time(page: Any, store: Shop, box: Sandbox) -> None:
    store.put(box)
    # A real timer of 30 s, made shorter for the test alone.
    page.add_init_script(
        "const real = AbortSignal.timeout; AbortSignal.timeout = (ms) => { "
        "if (ms !== 30000) throw Error(ms); return real.call(AbortSignal, 300); }"
    )
    payer = opened(page, f"{store.url}/")
    box.faults.add("cards.create", when="after", action="delay", delay_ms=2000)
    payer.binds()
    payer.page.wait_for_function("said.some(([type]) => type === 'error')")
    assert payer.said("error")[0]["key"] == "timeout"
    payer.sees("form", "timeout")


def test_offline_sends_nothing_and_keeps_what_was_typed(
    payer: Payer, context: Any, box: Sandbox
) -> None:
    payer.types()
    context.set_offline(True)
    payer.submit.click()
    payer.sees("form", "offline")
    context.set_offline(False)
    assert calls(box, "cards.create") == 0
    payer.submit.click()
    payer.waits_for("code")


def test_offline_before_the_sms_and_before_the_check(
    payer: Payer, context: Any, box: Sandbox
) -> None:
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    context.set_offline(True)
    payer.submit.click()
    payer.sees("form", "offline")
    assert payer.page.evaluate(f"{TOKEN}.state") == "code"
    context.set_offline(False)
    payer.submit.click()
    payer.waits_for("done")
    assert calls(box, "cards.verify") == 1


@pytest.mark.parametrize("step", ["card", "code"])
def test_reload_and_back_begin_anew_without_a_card(
    payer: Payer, store: Shop, box: Sandbox, step: str
) -> None:
    page = payer.page
    payer.types()
    if step == "code":
        payer.submit.click()
        payer.waits_for("code")
    page.reload()
    page.wait_for_function("document.querySelector('payme-card-form').state === 'card'")
    assert (payer.number.input_value(), payer.expiry.input_value()) == ("", "")
    payer.types()
    store.put(box, "/other", body="<p>Other</p>")
    page.goto(f"{store.url}/other")
    page.go_back()
    page.wait_for_function("document.querySelector('payme-card-form')?.state")
    assert page.url == f"{store.url}/"
    assert not digits_in(page.content())


# 6. Time


def test_the_countdown_follows_the_clock_and_gates_resending_alone(
    page: Any, store: Shop, box: Sandbox
) -> None:
    store.put(box)
    page.clock.install(time=1_800_000_000)
    payer = opened(page, f"{store.url}/")
    payer.binds()
    payer.waits_for("code")
    resend = page.locator("#resend")
    (sent,) = payer.said("code-sent")
    assert sent["resendAt"] - page.evaluate("Date.now()") in range(55_000, 60_001)
    assert resend.inner_text() == f"{payer.label('resend')} (1:00)"
    assert resend.is_disabled()
    assert not payer.code.evaluate("(one) => one.readOnly || one.disabled")
    page.clock.run_for(31_000)
    assert re.fullmatch(r".* \(0:(29|28)\)", resend.inner_text())
    live = page.get_by_role("status").inner_text()
    assert live == "The code was sent to 99890*****66."  # seconds are not read out
    # A clock that is put back makes nobody wait longer than Payme said.
    page.clock.set_fixed_time(1_800_000_000 - 7200)
    page.evaluate(f"{TOKEN}.setAttribute('lang', 'en')")
    page.evaluate(f"const it = {TOKEN}; it.parentNode.append(it)")
    assert re.fullmatch(r".* \(1:00\)", resend.inner_text())
    # A tab that slept does not count: the clock does.
    page.clock.set_fixed_time(1_800_000_000 + 7200)
    page.evaluate(f"const it = {TOKEN}; it.parentNode.append(it)")
    assert resend.inner_text() == payer.label("resend")
    resend.click()
    page.wait_for_function("said.filter(([type]) => type === 'code-sent').length === 2")
    assert len(box.sent_sms()) == 2
    assert calls(box, "cards.create") == 1


@pytest.mark.slow
def test_a_wait_is_held_between_10_and_300_seconds(page: Any, payer: Payer) -> None:
    waits = [
        (1, "0:10"),
        (90_000, "1:30"),
        (10**9, "5:00"),
        (None, "1:00"),
        ("x", None),
        (-5, "0:10"),
    ]
    left = [wait for wait, _ in waits]

    def answer(route: Any) -> None:
        if "get_verify_code" in (route.request.post_data or ""):
            result = {"sent": True, "phone": "99890*****66", "wait": left.pop(0)}
            route.fulfill(headers={"Access-Control-Allow-Origin": "*"}, json={"result": result})
        else:
            route.continue_()

    page.route("**/api", answer)
    for _, shown in waits:
        payer.binds()
        payer.waits_for("code")
        text = page.locator("#resend").inner_text()
        assert text == f"{payer.label('resend')} ({shown})" if shown else "NaN" not in text
        page.evaluate(f"{TOKEN}.reset()")


def test_a_resend_that_is_refused_keeps_the_code_step(
    payer: Payer, page: Any, box: Sandbox
) -> None:
    page.clock.install()
    payer.binds()
    payer.waits_for("code")
    page.clock.fast_forward(61_000)
    box.faults.add("cards.get_verify_code", when="before", action="rpc_error", code=-31110)
    page.locator("#resend").click()
    payer.sees("form", "sms_failed")
    assert page.evaluate(f"{TOKEN}.state") == "code"
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("done")


# 7. Policies


def strict(box: Sandbox, **other: str) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        **card_form.csp(endpoint=box.url, logo_src="/logo.svg"),
        "style-src": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        **other,
    }
    return {"Content-Security-Policy": "; ".join(f"{n} {v}" for n, v in policy.items() if v)}


def test_the_strictest_policy_breaks_nothing(page: Any, store: Shop, box: Sandbox) -> None:
    # The shop's own script asks its own server.
    policy = strict(
        box, **{"connect-src": f"{card_form.csp(endpoint=box.url)['connect-src']} 'self'"}
    )
    payer = opened(page, store.put(box, headers=policy))
    styled = page.evaluate(
        f"getComputedStyle({TOKEN}.shadowRoot.getElementById('submit')).backgroundColor"
    )
    assert styled == "rgb(0, 192, 201)"
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("done")
    # What the page's own icon, a data: address, is not allowed is no fault of the form.
    assert [one for one in page.heard if "data:" not in one] == []


def test_without_connect_src_the_form_says_so(page: Any, store: Shop, box: Sandbox) -> None:
    policy = strict(box, **{"connect-src": "'self'"})
    payer = opened(page, store.put(box, headers=policy))
    payer.binds()
    payer.sees("form", "unreachable")
    assert calls(box, "cards.create") == 0


def test_a_host_without_cors_is_unreachable(payer: Payer, box: Sandbox) -> None:
    box.cors = False
    payer.binds()
    payer.sees("form", "unreachable")
    assert calls(box, "cards.create") == 0


def test_the_integrity_is_that_of_the_script(page: Any, store: Shop, box: Sandbox) -> None:
    form = card_form.html(MERCHANT, endpoint=box.url, lang="en", logo_src="/logo.svg")
    wrong = form.replace(card_form.integrity()[:20], "sha384-" + "A" * 13)
    page.goto(store.put(box, body=wrong))
    page.wait_for_timeout(200)
    assert page.evaluate("!customElements.get('payme-card-form')")
    assert any("integrity" in one for one in page.heard)


# 8. Secrets


def test_no_card_reaches_the_shop_the_events_the_storage_the_console_or_the_address(
    payer: Payer, store: Shop, box: Sandbox, context: Any
) -> None:
    page = payer.page
    store.answers = ["fails", True]
    box.faults.add("cards.verify", when="before", action="rpc_error", code=-31103, times=1)
    payer.types()
    payer.submit.click()
    payer.waits_for("code")
    assert (payer.number.input_value(), payer.expiry.input_value()) == ("", "")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.sees("code", "code_wrong")
    payer.submit.click()
    payer.sees("form", "not_saved")
    payer.submit.click()
    payer.waits_for("done")
    assert payer.code.input_value() == ""
    for _verb, path, headers, body in store.requests:
        sent = f"{path} {headers} {body.decode()}"
        assert not digits_in(re.sub(r'"token":"[^"]*"', "", sent)), path
    events = json.dumps([[kind, {**detail, "token": ""}] for kind, detail in page.evaluate("said")])
    assert not digits_in(re.sub(r'"resendAt": \d+', "", events))
    stored = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, name,"
        " history.state, location.href])"
    )
    assert not digits_in(stored)
    assert not digits_in(" ".join(page.heard))
    assert not digits_in(page.evaluate(f"{TOKEN}.outerHTML + {TOKEN}.shadowRoot.innerHTML"))
    assert page.evaluate("indexedDB.databases().then((all) => all.length)") == 0
    assert context.cookies() == []


def test_what_the_browser_sends_payme(payer: Payer, page: Any) -> None:
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one) if one.method == "POST" else None)
    payer.binds()
    payer.waits_for("code")
    for request in sent:
        headers = request.all_headers()
        assert headers["x-auth"] == MERCHANT
        assert "application/json" not in headers.get("content-type", "")
        assert not {"cookie", "referer", "authorization"} & set(headers)
    assert [json.loads(one.post_data)["method"] for one in sent] == [
        "cards.create",
        "cards.get_verify_code",
    ]
    assert json.loads(sent[0].post_data)["params"] == {
        "card": {"number": GOOD, "expire": EXPIRY},
        "save": False,
    }


def test_a_broken_script_leaves_no_field_to_put_a_card_into(
    page: Any, store: Shop, box: Sandbox
) -> None:
    store.broken = True
    body = card_form.html(MERCHANT, endpoint=box.url).replace(card_form.integrity(), "")
    page.goto(store.put(box, body=body))
    page.wait_for_timeout(100)
    assert page.locator("input").count() == 0


def test_a_form_whose_listener_was_broken_puts_nothing_into_the_address(payer: Payer) -> None:
    payer.types()
    payer.page.evaluate(
        f"""() => {{ const form = {TOKEN}.shadowRoot.getElementById("form");
        form.onsubmit = null;
        HTMLFormElement.prototype.submit.call(form); form.requestSubmit(); }}"""
    )
    payer.page.wait_for_timeout(200)
    assert "?" not in payer.page.url
    fields = payer.page.locator("form input, form button")
    assert fields.evaluate_all("(all) => all.filter((one) => one.name).length") == 0
    form = payer.page.locator("#form")
    assert form.get_attribute("action") is None
    for name in ("number", "expiry", "code"):
        field = payer.page.locator(f"#{name}")
        assert field.get_attribute("maxlength") is None
        assert field.get_attribute("data-dd-privacy") == "mask"
        assert {"ym-disable-keys", "ph-no-capture"} <= set(field.get_attribute("class").split())
    host = payer.page.locator("payme-card-form")
    assert {"ym-disable-keys", "ph-no-capture"} <= set(host.get_attribute("class").split())
    assert host.get_attribute("data-dd-privacy") == "mask"


def test_a_setting_that_leads_a_card_or_a_key_astray_stops_the_form(
    page: Any, payer: Payer, store: Shop, box: Sandbox
) -> None:
    right = {"cashbox": MERCHANT, "endpoint": box.url}
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url))
    payer.types()
    for attribute, value in [
        ("cashbox", f"{MERCHANT}:Rw712wMJspZBczFvrG09"),
        ("cashbox", ""),
        ("cashbox", "two words"),
        ("endpoint", "http://shop.uz/api"),
        ("endpoint", "/api"),
        ("endpoint", "ftp://shop.uz"),
        ("endpoint", "javascript:alert(1)"),
        ("endpoint", "http://localhost.evil.uz/api"),
        ("endpoint", "http://127.evil.uz/api"),
        ("endpoint", "constructor"),
        ("endpoint", f"{store.url}/api"),  # the shop's own server
    ]:
        page.heard.clear()
        page.evaluate(f"([name, value]) => {TOKEN}.setAttribute(name, value)", [attribute, value])
        payer.sees("form", "shop_setup")
        payer.submit.click()
        payer.sees("form", "shop_setup")
        assert any("payme-card-form" in one for one in page.heard)
        assert not any("Rw712" in one for one in page.heard)
        page.evaluate(f"([n, v]) => {TOKEN}.setAttribute(n, v)", [attribute, right[attribute]])
        assert payer.error("form") == ""
    page.wait_for_timeout(50)
    assert sent == []
    payer.submit.click()
    payer.waits_for("code")


# 9. Obligations and looks

HOSTILE = """<style>
* { display: none !important; } html, head, body, main { display: block !important }
payme-card-form { display: block !important; font-size: 0 !important; color: transparent !important;
  visibility: hidden !important; text-indent: -9999px !important; line-height: 0 !important;
  letter-spacing: -1em !important; overflow: hidden !important; clip-path: inset(50%) !important }
payme-card-form::part(notice) { display: none !important; visibility: hidden !important;
  opacity: 0 !important; position: absolute !important; left: -9999px !important;
  height: 0 !important; overflow: hidden !important; font-size: 0 !important;
  transform: scale(0) !important; clip-path: inset(50%) !important; color: white !important }
</style>"""


def obligations(page: Any) -> list[str]:
    """Tell which of Payme's parts can't be seen."""
    missing: list[str] = page.evaluate(
        f"""() => {{
          const root = {TOKEN}.shadowRoot;
          const parts = {{ logo: root.querySelector("img").hidden ? root.querySelector("#logo b")
              : root.querySelector("img"), offer: root.querySelector("a"),
            notice: root.querySelector("#notice span"), powered: root.querySelector("#notice b") }};
          return Object.entries(parts).filter(([name, one]) => {{
            const box = one.getBoundingClientRect(), style = getComputedStyle(one);
            one.scrollIntoView();
            const at = one.getBoundingClientRect();
            const top = root.elementFromPoint(at.left + 3, at.top + at.height / 2);
            return !(box.width > 20 && box.height > 8 && box.left >= 0 &&
              one.checkVisibility({{ opacityProperty: true, visibilityProperty: true }}) &&
              style.color !== "rgba(0, 0, 0, 0)" && parseFloat(style.fontSize) >= 12 &&
              (top === one || one.contains(top) || top?.contains(one)));
          }}).map(([name]) => name);
        }}"""
    )
    return missing


@pytest.mark.slow
@pytest.mark.parametrize("logo", ["/logo.svg", "/nothing.svg"])
def test_obligations_are_seen_in_every_state_whatever_the_page_says(
    page: Any, store: Shop, box: Sandbox, logo: str
) -> None:
    payer = opened(page, store.put(box, before=HOSTILE, logo_src=logo))
    page.evaluate(f"{TOKEN}.messages = {{ notice: ' ', offer: '', number: null, code: 5 }}")
    page.wait_for_timeout(100)
    assert page.locator("#logo b").is_visible() is (logo == "/nothing.svg")
    assert page.locator("#image").is_visible() is (logo == "/logo.svg")
    for state in payer.goes_through():
        assert obligations(page) == [], state
        assert page.locator("#notice b").inner_text() == "Powered by Payme"
        assert payer.page.locator("#notice span").inner_text() == payer.label("notice")
        link = page.get_by_role("link", name=payer.label("offer"))
        assert link.get_attribute("href") == "https://cdn.payme.uz/terms/main.html"
        assert link.get_attribute("target") == "_blank"


def test_the_test_of_obligations_can_fail(payer: Payer) -> None:
    payer.page.evaluate(f"{TOKEN}.shadowRoot.querySelector('#notice a').remove()")
    payer.page.evaluate(f"{TOKEN}.shadowRoot.querySelector('#logo').style.opacity = 0")
    with suppress(Exception):
        assert obligations(payer.page) == ["logo"]
    assert payer.page.locator("#notice a").count() == 0


@pytest.mark.parametrize("zoom", [1, 2])
def test_nothing_sticks_out_at_320_pixels_or_twice_the_size(
    chromium: Any, store: Shop, box: Sandbox, zoom: int
) -> None:
    width = 320 if zoom == 1 else 640
    context = chromium.new_context(viewport={"width": width, "height": 700})
    page = context.new_page()
    style = f"<style>html{{font-size:{100 * zoom}%}}body{{margin:8px}}</style>"
    payer = opened(page, store.put(box, before=style))
    for state, language in ((one, two) for one in payer.goes_through() for two in LANGUAGES):
        page.evaluate(f"{TOKEN}.lang = '{language}'")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, state
        out = page.evaluate(
            f"""() => [...{TOKEN}.shadowRoot.querySelectorAll("#form *")].filter((one) =>
              one.id !== "live" && one.checkVisibility() && (one.scrollWidth > one.clientWidth + 1
              && one.clientWidth && getComputedStyle(one).display !== "inline"))
              .map((one) => one.id || one.tagName)"""
        )
        assert out == [], state
    context.close()


def test_the_focus_stays_in_the_form(payer: Payer, page: Any, box: Sandbox) -> None:
    focused = f"{TOKEN}.shadowRoot.activeElement?.id"
    box.faults.add("cards.get_verify_code", when="before", action="delay", delay_ms=400, times=1)
    payer.types()
    payer.expiry.press("Enter")
    payer.waits_for("sending")
    assert page.evaluate(focused) == "submit"
    payer.waits_for("code")
    assert page.evaluate(focused) == "code"
    payer.code.press_sequentially(CODE)
    payer.code.press("Enter")
    payer.waits_for("done")
    assert page.evaluate(focused) == "t-done"
    # Whoever is elsewhere in the page by then stays there.
    page.evaluate(f"{TOKEN}.reset(); {TOKEN}.shadowRoot.activeElement?.blur()")
    payer.binds()
    payer.waits_for("code")
    payer.code.fill(CODE)
    page.evaluate(f"{TOKEN}.shadowRoot.querySelector('form').requestSubmit()")
    page.evaluate(f"{TOKEN}.shadowRoot.activeElement.blur()")
    payer.waits_for("done")
    assert page.evaluate("document.activeElement.tagName") == "BODY"


WORD = "Kartangizniyanabirmartatekshiring" * 8


def test_a_word_without_an_end_does_not_widen_the_form(
    page: Any, store: Shop, box: Sandbox
) -> None:
    payer = opened(page, store.put(box))
    words = dict.fromkeys((*ERRORS, *LABELS), WORD)
    page.evaluate(f"(words) => {{ {TOKEN}.messages = words }}", words)
    for state in payer.goes_through():
        payer.submit.click(timeout=2_000) if state != "done" else None
        wide = page.evaluate(
            f"""() => [document.documentElement.scrollWidth - innerWidth,
              ...[...{TOKEN}.shadowRoot.querySelectorAll("#form *")]
              .filter((one) => one.id !== "live" && one.checkVisibility())
              .map((one) => one.getBoundingClientRect().right - innerWidth)]"""
        )
        assert max(wide) <= 0, state


@pytest.mark.parametrize(
    ("messages", "shown"),
    [
        ({"submit": "{submit} →"}, "Continue →"),
        ({"submit": "{submit}"}, "Continue"),
        ({"submit": "{wait}", "wait": "{submit}!"}, "Continue!"),
        ({"submit": "{resend}: {wait}", "wait": "Бир зум"}, "Send the code again: Бир зум"),
        ({"submit": "{length}, {phone}{nobody}{constructor}"}, "6, {nobody}{constructor}"),
    ],
)
def test_a_text_of_the_page_may_hold_the_one_it_replaces(
    payer: Payer, messages: dict[str, str], shown: str
) -> None:
    payer.page.evaluate(f"(texts) => {{ {TOKEN}.messages = texts }}", messages)
    assert payer.submit.inner_text() == shown
    assert payer.page.heard == []


def test_a_phone_that_looks_like_a_placeholder_is_not_filled(
    page: Any, store: Shop, box: Sandbox
) -> None:
    payer = opened(page, store.put(box))
    answer = {"result": {"sent": True, "phone": "{sent}$&", "wait": 60_000}}
    page.route(
        box.url,
        lambda route: (
            route.fulfill(json=answer)
            if "get_verify_code" in (route.request.post_data or "")
            else route.continue_()
        ),
    )
    payer.binds()
    payer.waits_for("code")
    assert page.locator("#told").inner_text() == "The code was sent to {sent}$&."


def test_inputs_are_large_enough_for_ios_not_to_zoom(page: Any, store: Shop, box: Sandbox) -> None:
    payer = opened(page, store.put(box, before="<style>body{font-size:11px}</style>"))
    assert payer.number.evaluate("(one) => getComputedStyle(one).fontSize") == "16px"


def test_the_page_sets_colours_and_parts(page: Any, store: Shop, box: Sandbox) -> None:
    style = """<style>payme-card-form { --payme-accent: rgb(1, 2, 3); --payme-radius: 0px }
      payme-card-form::part(input) { border-color: rgb(4, 5, 6) }</style>"""
    payer = opened(page, store.put(box, before=style))
    assert payer.submit.evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(1, 2, 3)"
    assert payer.number.evaluate("(one) => getComputedStyle(one).borderColor") == "rgb(4, 5, 6)"
    parts = page.evaluate(
        f"[...{TOKEN}.shadowRoot.querySelectorAll('[part]')].map((one) => one.part.value)"
    )
    assert set(parts) == {"field", "input", "error", "button", "notice"}


# 10. What pages and frameworks do to an element


def test_two_forms_in_a_page_know_nothing_of_each_other(
    page: Any, store: Shop, box: Sandbox
) -> None:
    one = card_form.html(MERCHANT, endpoint=box.url, lang="en", logo_src="/logo.svg")
    two = card_form.html(
        MERCHANT, endpoint=box.url, lang="ru", save="never", logo_src="/logo.svg", src=None
    )
    page.goto(store.put(box, body=f"{one}<div id=second>{two}</div>"))
    second = page.locator("#second payme-card-form")
    second.locator("#number").press_sequentially(GOOD)
    second.locator("#expiry").press_sequentially(EXPIRY)
    second.locator("#submit").click()
    page.wait_for_function("document.querySelectorAll('payme-card-form')[1].state === 'code'")
    assert page.evaluate(f"{TOKEN}.state") == "card"
    assert page.evaluate("said.length") == 0
    assert second.locator("#t-code").inner_text() == "Код из SMS"


def test_the_script_may_be_there_twice(page: Any, store: Shop, box: Sandbox) -> None:
    form = card_form.html(MERCHANT, endpoint=box.url, lang="en", logo_src="/logo.svg")
    again = '<script type="module" src="/payme/card-form.js?again"></script>'
    payer = opened(page, store.put(box, body=again + form + again))
    payer.binds()
    payer.waits_for("code")
    assert page.heard == []
    assert calls(box, "cards.create") == 1


def test_what_was_set_before_the_script_came_counts(page: Any, store: Shop, box: Sandbox) -> None:
    """As with React and Vue, which render, set and listen before a module has run."""
    before = """<script>addEventListener("DOMContentLoaded", () => {}); </script>"""
    form = card_form.html(MERCHANT, endpoint=box.url, logo_src="/logo.svg", src=None)
    early = f"<script>{TOKEN}.messages = {{ submit: 'Олдинга' }}</script>"
    late = '<script type="module" src="/payme/card-form.js"></script>'
    payer = opened(page, store.put(box, before=before, body=form + early + late))
    assert payer.submit.inner_text() == "Олдинга"
    page.evaluate(f"{TOKEN}.messages = {{ submit: 'Давом этиш', wait: '<b>x</b>' }}")
    assert payer.submit.inner_text() == "Давом этиш"
    box.faults.add("cards.create", when="before", action="delay", delay_ms=300)
    payer.binds()
    assert payer.submit.inner_text() == "<b>x</b>"  # text, and no markup
    page.evaluate(f"{TOKEN}.messages = undefined")
    payer.waits_for("code")
    assert payer.submit.inner_text() == payer.label("submit")


def test_a_form_is_made_moved_removed_and_cloned_by_script(
    page: Any, store: Shop, box: Sandbox
) -> None:
    script = '<script type="module" src="/payme/card-form.js"></script><div id="a"></div>'
    page.goto(store.put(box, body=f"{script}<payme-card-form cashbox=x></payme-card-form>"))
    page.evaluate(
        """([cashbox, endpoint]) => {
          const form = document.createElement("payme-card-form");
          const given = { cashbox, endpoint, "logo-src": "/logo.svg" };
          for (const name in given) form.setAttribute(name, given[name]);
          window.made = form; document.getElementById("a").append(form); }""",
        [MERCHANT, box.url],
    )
    form = page.locator("#a payme-card-form")
    form.locator("#number").press_sequentially(GOOD)
    page.evaluate("document.body.prepend(made)")  # moved: what was typed stays
    form = page.locator("body > payme-card-form")
    assert form.locator("#number").input_value() == "8600 0691 9540 6311"
    form.locator("#expiry").press_sequentially(EXPIRY)
    form.locator("#submit").click()
    page.wait_for_function("made.state === 'code'")
    page.evaluate("made.remove()")
    page.wait_for_timeout(50)
    page.evaluate("document.body.append(made)")
    assert page.evaluate("made.state") == "code"
    assert page.evaluate("made.cloneNode(true).state") == "card"
    form.locator("#code").press_sequentially(CODE)
    page.evaluate("made.addEventListener('payme-card', (e) => e.detail.waitUntil(0))")
    form.locator("#submit").click()
    page.wait_for_function("made.state === 'done'")


@pytest.mark.slow
def test_a_token_waits_for_a_listener_that_comes_late(page: Any, store: Shop, box: Sandbox) -> None:
    """React may attach its listeners after hydration, and lose what came before."""
    payer = opened(page, store.put(box))
    clone = f"const old = {TOKEN}; const fresh = old.cloneNode(); old.replaceWith(fresh)"
    page.evaluate(clone)
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("saving")
    page.wait_for_timeout(100)
    assert page.evaluate(f"{TOKEN}.state") == "saving"
    page.evaluate(
        f"""{TOKEN}.addEventListener("payme-card", ({{ detail }}) => {{
          window.late = detail.token; detail.waitUntil(Promise.resolve()); }})"""
    )
    payer.waits_for("done")
    assert page.evaluate("late") == box._run(lambda state: state.last_cards(1))[0].token


def test_a_token_that_nobody_takes_is_told(page: Any, store: Shop, box: Sandbox) -> None:
    page.clock.install()
    payer = opened(page, store.put(box))
    page.evaluate(f"const old = {TOKEN}; old.replaceWith(old.cloneNode())")
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("saving")
    page.clock.run_for(31_000)
    payer.sees("form", "not_saved")


def test_the_events_bubble_but_for_the_one_with_the_token(payer: Payer) -> None:
    page = payer.page
    page.evaluate(
        """() => { window.heard = [];
        for (const type of ["state", "code-sent", "card", "error"])
          document.addEventListener("payme-" + type, () => heard.push(type)); }"""
    )
    payer.submit.click()
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("done")
    assert set(page.evaluate("heard")) == {"state", "code-sent", "error"}


def test_another_cash_box_begins_anew(payer: Payer, page: Any, box: Sandbox) -> None:
    payer.binds()
    payer.waits_for("code")
    page.evaluate(f"{TOKEN}.setAttribute('cashbox', 'f'.repeat(24))")
    assert page.evaluate(f"{TOKEN}.state") == "card"
    payer.binds()
    payer.sees("form", "shop_setup")
    assert payer.said("error")[-1]["paymeCode"] == -32504


def test_a_reset_drops_what_is_under_way(payer: Payer, page: Any, box: Sandbox) -> None:
    box.faults.add("cards.create", when="after", action="delay", delay_ms=400, times=1)
    payer.binds()
    page.evaluate(f"{TOKEN}.reset()")
    page.wait_for_timeout(700)
    assert page.evaluate(f"{TOKEN}.state") == "card"
    assert (payer.number.input_value(), len(box.sent_sms())) == ("", 0)


def test_another_card_begins_anew(payer: Payer, page: Any, box: Sandbox) -> None:
    payer.binds()
    payer.waits_for("code")
    page.get_by_role("button", name=payer.label("other")).click()
    assert page.evaluate(f"{TOKEN}.shadowRoot.activeElement.id") == "number"
    payer.binds("9860030100000006")
    payer.waits_for("code")
    payer.code.press_sequentially(CODE)
    payer.submit.click()
    payer.waits_for("done")
    assert box.cards()[0].number == "9860030100000006"


def test_the_payer_chooses_whether_the_card_is_remembered(payer: Payer, box: Sandbox) -> None:
    choice = payer.page.get_by_role("checkbox", name=payer.label("save"))
    for save, shown, ticked in [
        ("ask", True, False),
        ("ask", True, True),
        ("never", False, False),
        ("always", True, True),
    ]:
        payer.page.evaluate(f"{TOKEN}.setAttribute('save', '{save}'); {TOKEN}.reset()")
        assert choice.count() == shown
        if save == "ask":
            assert not choice.is_checked()
            choice.set_checked(ticked)
        elif save == "always":
            assert choice.is_checked()
            assert choice.is_disabled()
        payer.binds()
        payer.waits_for("code")
        assert box.cards()[0].recurrent is ticked


def test_the_language_is_the_nearest(page: Any, store: Shop, box: Sandbox) -> None:
    form = card_form.html(MERCHANT, endpoint=box.url, logo_src="/logo.svg")
    page.goto(store.put(box, body=form))
    spoken: Any
    for outer, own, spoken in [
        ("ru", "", "ru"),
        ("uz-Latn", "", "uz"),
        ("de", "", "uz"),
        ("en-GB", "", "en"),
        ("ru", "uz", "uz"),
        ("", "", "uz"),
    ]:
        page.evaluate(
            f"""([outer, own]) => {{ document.documentElement.lang = outer;
            if (own) {TOKEN}.lang = own; else {TOKEN}.removeAttribute("lang");
            {TOKEN}.reset(); }}""",
            [outer, own],
        )
        assert page.locator("#t-number").inner_text() == Payer(page, spoken).label("number")
        assert page.locator("#form").get_attribute("lang") == spoken


def test_the_length_of_the_code_can_be_set(page: Any, store: Shop, box: Sandbox) -> None:
    payer = opened(page, store.put(box, code_length=5))
    payer.binds()
    payer.waits_for("code")
    payer.code.press_sequentially("6666")
    payer.submit.click()
    assert payer.error("code") == payer.text("code_incomplete", 5)
    assert calls(box, "cards.verify") == 0


def test_a_listener_that_resets_or_throws_does_not_confuse_the_form(
    payer: Payer, page: Any, box: Sandbox
) -> None:
    page.evaluate(
        f"""{TOKEN}.addEventListener("payme-state", ({{ detail }}) => {{
          if (detail.state === "creating") {TOKEN}.reset(); }})"""
    )
    payer.binds()
    page.wait_for_timeout(200)
    assert page.evaluate(f"{TOKEN}.state") == "card"
    assert calls(box, "cards.create") == 0
