"""The sandbox's pages in a real browser, looked at closely: axe, focus, keyboard, small screens."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import IMAGES, Visitor, keeps_screenshots

from payme.sandbox import Sandbox
from payme.sandbox.web.i18n import TEXTS

GOOD = "8600069195406311"
POOR = "8600318600000007"
TITLES = {"uz": "Buyurtma raqami", "ru": "Номер заказа", "en": "Order number"}
DETAIL = {
    "receipt_type": 0,
    "items": [
        {"title": "Patir", "price": 500_000, "count": 2, "code": "01905001001000000",
         "vat_percent": 12, "package_code": "1514296"},
        {"title": "Choy", "price": 1_200_000, "count": 1, "code": "00902001001000000",
         "vat_percent": 12, "package_code": "1514297", "discount": 100_000},
    ],
    "shipping": {"title": "Yetkazib berish", "price": 300_000},
}  # fmt: skip


def billing(body: bytes, _headers: object) -> tuple[int, bytes]:
    """A merchant that agrees to all."""
    call = json.loads(body)
    states = {"CreateTransaction": 1, "PerformTransaction": 2, "CancelTransaction": -2}
    result = {"allow": True, "transaction": "T-10045", "state": states.get(call["method"])}
    times = {"create_time": 1_795_000_000_000, "perform_time": 1_795_000_005_000, "cancel_time": 0}
    return 200, json.dumps({"id": call["id"], "result": result | times}).encode()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(
        account_fields={"order_id": TITLES}, merchant_name="Non doʻkoni", seed=7
    ) as sandbox:
        yield sandbox


@pytest.fixture
def visitor(chromium: Any, sandbox: Sandbox) -> Iterator[Visitor]:
    yield from visits(chromium, sandbox)


def visits(chromium: Any, sandbox: Sandbox, **options: Any) -> Iterator[Visitor]:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
        **options,
    )
    visitor = Visitor(context.new_page(), sandbox)
    yield visitor
    context.close()
    assert visitor.hosts <= {"127.0.0.1", None, ""}, "a page asked another host"
    assert [one for one in visitor.complaints if "404" not in one] == []


def call(sandbox: Sandbox, method: str, **params: Any) -> Any:
    body = json.dumps({"id": 1, "method": method, "params": params}).encode()
    return json.loads(sandbox.handle(body, f"{sandbox.merchant_id}:{sandbox.key}"))


def made(sandbox: Sandbox, order: str, amount: int, **more: Any) -> str:
    answer = call(sandbox, "receipts.create", amount=amount, account={"order_id": order}, **more)
    return str(answer["result"]["receipt"]["_id"])


def a_day_of_calls(sandbox: Sandbox) -> dict[str, str]:
    """Make a receipt in each state that looks different, and calls that went wrong."""
    unpaid = made(sandbox, "A-199", 2_400_000, detail=DETAIL, description="Ikkita non va choy")
    paid = made(sandbox, "A-197", 2_400_000, detail=DETAIL)
    held = made(sandbox, "A-200", 7_000_000, hold=True)
    refused = made(sandbox, "A-201", 12_500_050)
    call(sandbox, "receipts.pay", id=paid, token=sandbox.add_card())
    call(sandbox, "receipts.pay", id=held, token=sandbox.add_card(), hold=True)
    call(sandbox, "receipts.pay", id=refused, token=sandbox.add_card(number=POOR))
    call(sandbox, "cards.get_verify_code", token=sandbox.add_card(verified=False))
    sandbox.handle(b'{"id":1,"method":"receipts.get","params":{}}', f"{sandbox.merchant_id}:no")
    sandbox.faults.add("receipts.cancel", when="after", action="drop", times=1)
    return {"unpaid": unpaid, "paid": paid, "held": held, "refused": refused}


def inspect(page: Any, *, width: int) -> None:
    """See that axe finds nothing, nothing sticks out and no table hides a column."""
    api = pytest.importorskip(
        "axe_playwright_python", reason="needs axe: pip install axe-playwright-python"
    )
    page.evaluate((Path(api.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    said = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]
    assert said == [], f"{page.url} at {width}"
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{page.url} at {width}"
    clipped = "[...document.querySelectorAll('.scroll')].some((e) => e.scrollWidth > e.clientWidth)"
    assert not page.evaluate(clipped), f"a table is cut off: {page.url} at {width}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        (1280, "light", "ru"),
        (390, "light", "uz"),
        (390, "dark", "en"),
    ],
)  # fmt: skip
def test_axe_finds_nothing_on_any_page(
    chromium: Any, width: int, scheme: str, language: Any
) -> None:
    fields = {"order_id": TITLES}
    with Sandbox(merchant=billing, account_fields=fields, merchant_name="Non doʻkoni") as sandbox:
        context = chromium.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, locale=language
        )
        page = Visitor(context.new_page(), sandbox).page
        base = sandbox.url.removesuffix("/api")

        def see(path: str) -> None:
            page.goto(base + path)
            inspect(page, width=width)

        see("/")
        receipts = a_day_of_calls(sandbox)
        for path in (
            "/", "/dashboard/receipts", "/dashboard/receipts/new", "/dashboard/cards",
            "/dashboard/sms", "/dashboard/traffic", "/dashboard/traffic?q=nothing",
            "/dashboard/traffic/1", "/dashboard/traffic/999", "/dashboard/faults",
            "/dashboard/clock", "/dashboard/ledgers",
            *(f"/dashboard/receipts/{one}" for one in receipts.values()),
        ):  # fmt: skip
            see(path)
        page.goto(f"{base}/dashboard/receipts/{receipts['unpaid']}")
        page.locator("#card").select_option(POOR)
        page.locator("form[action$='/pay'] button").click()
        page.get_by_role("alert").wait_for()
        inspect(page, width=width)
        page.goto(f"{base}/dashboard/traffic")
        for one in page.locator("summary").all():
            one.click()
        inspect(page, width=width)
        # The checkout, step by step.
        t = TEXTS[language]
        receipt = made(sandbox, "B-1", 5_000_000)
        there = f"{base}/checkout/{receipt}?lang={language}&back={base}/"
        page.goto(there)
        page.locator("summary").click()
        inspect(page, width=width)
        for wrong, card in ((True, "8600 0609 2109 0842"), (False, "8600 3186 0000 0007")):
            page.get_by_role("link", name=card).click()
            page.get_by_role("button", name=t["continue"]).click()
            if wrong:
                page.get_by_role("alert").wait_for()
            else:
                page.locator("#code").wait_for()
            inspect(page, width=width)
        page.locator("#code").fill("666666")
        page.locator("#code-form button").click()
        page.get_by_text(t["new_order_note"]).wait_for()
        inspect(page, width=width)
        context.close()


@pytest.mark.slow
def test_a_renewal_keeps_the_focus_what_is_typed_and_what_is_open(
    sandbox: Sandbox, visitor: Visitor
) -> None:
    made(sandbox, "A-1", 500)
    made(sandbox, "A-2", 600)
    page = visitor.open("/dashboard/traffic")
    page.locator("#call-1 summary").click()
    box = page.locator("#answer-1")
    box.evaluate("(pre) => { pre.scrollTop = 20; }")
    page.locator("#q").fill("what I ty")
    page.locator("#call-1 summary").focus()
    made(sandbox, "A-3", 700)
    page.locator("#call-3").wait_for()
    assert page.evaluate("document.activeElement.closest('li').id") == "call-1"
    assert page.locator("#q").input_value() == "what I ty"
    assert page.locator("#call-1 details").get_attribute("open") is not None
    assert page.locator("#call-3 details").get_attribute("open") is None
    assert box.evaluate("(pre) => pre.scrollTop") == 20
    found = [one.get_attribute("id") for one in page.locator(".calls > li").all()]
    assert found == ["call-3", "call-2", "call-1"]
    # While somebody writes, the list goes on, and the pen stays in the hand.
    page.locator("#q").focus()
    made(sandbox, "A-4", 800)
    page.locator("#call-4").wait_for()
    assert page.evaluate("document.activeElement.id") == "q"
    sandbox.traffic.clear()
    made(sandbox, "A-5", 900)
    page.locator("#call-4").wait_for(state="detached")
    assert page.locator(".calls > li").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_whoever_wants_no_motion(
    chromium: Any, sandbox: Sandbox, motion: str, moves: bool
) -> None:
    for visitor in visits(chromium, sandbox, reduced_motion=motion):
        made(sandbox, "A-1", 500)
        page = visitor.open("/dashboard/traffic")
        before = page.locator("#call-1").evaluate("(e) => getComputedStyle(e).animationName")
        assert before == "none"
        made(sandbox, "A-2", 600)
        page.locator("#call-2").wait_for()
        name = page.locator("#call-2").evaluate("(e) => getComputedStyle(e).animationName")
        assert (name != "none") is moves


@pytest.mark.slow
def test_the_keyboard_alone_makes_a_receipt_and_pays_it(sandbox: Sandbox, visitor: Visitor) -> None:
    page = visitor.open("/")
    keys = page.keyboard

    def to(selector: str) -> None:
        """Press Tab until something is reached, seeing the focus on the way."""
        for _ in range(80):
            keys.press("Tab")
            seen = page.evaluate(
                """(selector) => { const one = document.activeElement;
                const style = getComputedStyle(one);
                return [one.matches(selector), style.outlineStyle !== "none"
                  || one.matches("body"), one.outerHTML.slice(0, 200)]; }""",
                selector,
            )
            assert seen[1], f"no outline: {seen[2]}"
            if seen[0]:
                return
        raise AssertionError(f"Tab never comes to {selector}")

    to("main a.primary")
    keys.press("Enter")
    page.wait_for_url("**/receipts/new")
    to("#amount")
    keys.press("Control+a")
    keys.type("1 500")
    to("button.primary")
    keys.press("Enter")
    page.wait_for_url("**done=created")
    to("a[href^='/checkout/']")
    keys.press("Enter")
    page.wait_for_url("**/checkout/**")
    page.wait_for_load_state()
    page.wait_for_selector("#number:focus")
    keys.type(GOOD)
    keys.press("Tab")
    keys.type("0399")
    assert page.locator("#number").input_value() == "8600 0691 9540 6311"
    assert page.locator("#expire").input_value() == "03/99"
    keys.press("Enter")
    page.wait_for_selector("#code:focus")
    keys.type("111111")
    keys.press("Enter")
    page.get_by_role("alert").filter(has_text="Wrong").wait_for()
    assert page.evaluate("document.activeElement.id") == "code"
    keys.type("666666")
    keys.press("Enter")
    page.get_by_text(TEXTS["en"]["paid"]).wait_for()
    (receipt,) = sandbox.receipts()
    assert (receipt.amount, sandbox.debits(receipt.id)) == (150_000, 1)


def test_what_was_typed_stays_after_an_error_and_never_comes_from_the_server(
    sandbox: Sandbox, visitor: Visitor
) -> None:
    page = visitor.open(f"/checkout/{sandbox.add_receipt()}?lang=en")
    bodies: list[str] = []
    page.on("response", lambda answer: bodies.append(answer.text() if answer.ok else ""))
    page.on("requestfinished", lambda request: bodies.append(request.url))
    real = "5614 6812 3456 7891"
    page.locator("#number").press_sequentially(real.replace(" ", ""))
    assert page.locator("#number").input_value() == real
    page.locator("#expire").fill("1227")
    page.get_by_role("button", name=TEXTS["en"]["continue"]).click()
    page.get_by_role("alert").filter(has_text="Wrong card number").wait_for()
    assert page.locator("#number").input_value() == real
    assert page.locator("#expire").input_value() == "12/27"
    assert page.evaluate("document.activeElement.id") == "number"
    assert page.locator("#number").get_attribute("aria-invalid") == "true"
    assert "5614" not in page.url
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, history.state])")
    assert "5614" not in kept.replace(" ", "")
    for body in bodies:
        assert "56146812" not in body.replace(" ", "")
    page.locator("#number").fill(GOOD)
    page.locator("#expire").fill("0399")
    page.get_by_role("button", name=TEXTS["en"]["continue"]).click()
    page.locator("#code").wait_for()


def test_digits_are_grouped_while_they_are_typed_and_mended(
    sandbox: Sandbox, visitor: Visitor
) -> None:
    page = visitor.open(f"/checkout/{sandbox.add_receipt()}?lang=en")
    number = page.locator("#number")
    number.press_sequentially("860069195406311")
    # A digit was left out: it is put in where it belongs, and the caret stays there.
    for _ in range(13):
        number.press("ArrowLeft")
    number.evaluate("(input) => input.setSelectionRange(3, 3)")
    page.keyboard.type("0")
    assert number.input_value() == "8600 0691 9540 6311"
    assert number.evaluate("(input) => input.selectionStart") == 4
    number.fill("8600-0691 9540 6311")
    assert number.input_value() == "8600 0691 9540 6311"


def test_a_server_that_is_gone_is_said_and_the_card_stays(
    sandbox: Sandbox, visitor: Visitor
) -> None:
    page = visitor.open(f"/checkout/{sandbox.add_receipt()}?lang=en")
    page.route("**/card?*", lambda route: route.abort())
    page.locator("#number").fill(GOOD)
    page.locator("#expire").fill("0399")
    page.get_by_role("button", name=TEXTS["en"]["continue"]).click()
    page.get_by_role("alert").filter(has_text=TEXTS["en"]["no_answer"]).wait_for()
    assert page.locator("#number").input_value() == "8600 0691 9540 6311"
    visitor.complaints[:] = [one for one in visitor.complaints if "ERR_FAILED" not in one]
    page.unroute("**/card?*")
    page.get_by_role("button", name=TEXTS["en"]["continue"]).click()
    page.locator("#code").wait_for()


@pytest.mark.slow
def test_a_hasty_payer_sends_one_card_and_pays_once(sandbox: Sandbox, visitor: Visitor) -> None:
    page = visitor.open(f"/checkout/{sandbox.add_receipt()}?lang=en")
    sandbox.faults.add("*", when="before", action="delay", delay_ms=300)
    page.locator("#number").fill(GOOD)
    page.locator("#expire").fill("0399")
    twice = "(form) => { form.requestSubmit(); form.requestSubmit(); }"
    page.locator("#card-form").evaluate(twice)
    assert page.locator("#card-form button").inner_text() == TEXTS["en"]["sending"]
    page.locator("#code").wait_for()
    page.locator("#code").fill("666666")
    page.locator("#code-form").evaluate(twice)
    page.get_by_text(TEXTS["en"]["paid"]).wait_for()
    methods = [entry.method for entry in sandbox.traffic.entries()]
    assert methods == ["receipts.pay", "cards.verify", "cards.get_verify_code", "cards.create"]


@pytest.mark.slow
def test_the_copy_buttons_copy(sandbox: Sandbox, visitor: Visitor) -> None:
    page = visitor.open("/")
    for id_, text in (("key", sandbox.key), ("merchant-id", sandbox.merchant_id)):
        page.locator(f"[data-copy={id_}]").click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == text
        page.get_by_role("button", name="Copied").wait_for(state="detached")
    made(sandbox, "A-1", 500)
    page.locator("#call-1 summary").click()
    page.locator("[data-copy=request-1]").click()
    page.wait_for_timeout(50)
    assert (
        json.loads(page.evaluate("navigator.clipboard.readText()"))["method"] == "receipts.create"
    )


@pytest.mark.skipif(not keeps_screenshots(), reason="PAYME_SCREENSHOTS makes the pictures anew")
def test_pictures_of_the_documentation(chromium: Any) -> None:
    fields = {"order_id": TITLES}
    with Sandbox(
        merchant=billing, account_fields=fields, merchant_name="Non doʻkoni", seed=7,
        merchant_id="587f72c72cac0d162c722ae2",
    ) as sandbox:  # fmt: skip
        sandbox.clock.freeze(1_795_000_000_000)
        receipts = a_day_of_calls(sandbox)
        base = sandbox.url.removesuffix("/api")
        shots = [
            ("dashboard", 1280, "light", "en", "/"),
            ("dashboard-dark", 1280, "dark", "ru", "/dashboard/traffic"),
            ("receipt", 1280, "light", "en", f"/dashboard/receipts/{receipts['unpaid']}"),
            ("receipt-phone", 390, "light", "uz", f"/dashboard/receipts/{receipts['unpaid']}"),
            ("traffic-phone", 390, "dark", "en", "/dashboard/traffic"),
            ("checkout", 390, "light", "uz", f"/checkout/{receipts['unpaid']}?lang=uz&card={GOOD}"),
        ]
        for name, width, scheme, language, path in shots:
            context = chromium.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, locale=language
            )
            page = context.new_page()
            page.goto(base + path)
            if name == "dashboard":
                page.get_by_text("-31630 insufficient_funds").click()
            page.wait_for_timeout(300)
            if name in {"dashboard", "checkout"}:  # index pages that show the README want PNG
                page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
            else:
                height = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": height})
                given = {"format": "webp", "quality": 80}
                shot = context.new_cdp_session(page).send("Page.captureScreenshot", given)
                (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))
            context.close()
