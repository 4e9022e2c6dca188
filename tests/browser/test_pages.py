"""What a person does on the pages, done by clicking."""

import json
from pathlib import Path
from typing import Any

import pytest
from browser_tools import LOOKS, Look, Shop, Visitor

from payme import checkout
from payme.sandbox import Sandbox
from payme.sandbox.web.i18n import TEXTS, payers

PATHS = [
    "/",
    "/dashboard/receipts",
    "/dashboard/cards",
    "/dashboard/sms",
    "/dashboard/traffic",
    "/dashboard/faults",
    "/dashboard/clock",
    "/dashboard/ledgers",
]

# WCAG 2: how far the text of each element stands out from the ground behind it.
CONTRAST = """() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".banner")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${element.tagName} ${element.textContent.trim()} ${ratio}`);
  }
  return weak;
}"""

UNNAMED = """() => [...document.querySelectorAll("input, select, button, a")]
  .filter((e) => e.type !== "hidden" && !e.labels?.length && !e.ariaLabel && !e.textContent.trim())
  .map((e) => e.outerHTML)"""


def order(sandbox: Sandbox, **options: Any) -> str:
    arguments = {"language": "uz", "account": {"order_id": 197}, "amount": 12_500_000, **options}
    return checkout.link(sandbox.merchant_id, **arguments, base_url=sandbox.url)


def call(sandbox: Sandbox, method: str, **params: Any) -> Any:
    body = json.dumps({"id": 1, "method": method, "params": params}).encode()
    return json.loads(sandbox.handle(body, f"{sandbox.merchant_id}:{sandbox.key}"))


def fits(visitor: Visitor, look: Look) -> None:
    """See that nothing sticks out, everything has a name, and every text can be read."""
    if not look.javascript:
        return
    page = visitor.page
    page.wait_for_load_state()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, page.url
    assert page.evaluate(CONTRAST) == [], page.url
    assert page.evaluate(UNNAMED) == [], page.url


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoken", "look"),
    [*(("uz", look) for look in LOOKS), ("ru", LOOKS[0]), ("en", LOOKS[2])],
    indirect=["look"],
    ids=str,
)
def test_a_payer_pays_and_returns_to_the_shop(
    sandbox: Sandbox, visitor: Visitor, look: Look, shop: Shop, spoken: Any
) -> None:
    t = TEXTS[payers(spoken)]
    shop.page = checkout.form(
        sandbox.merchant_id,
        {"order_id": "A/197"},
        12_500_000,
        language=spoken,
        callback=f"{shop.url}/back/:transaction?order=:account.order_id",
        callback_timeout=0,
        description={"uz": "Ikkita non", "ru": "Две лепёшки", "en": "Two loaves"},
        base_url=sandbox.url,
    )
    page = visitor.open(f"{shop.url}/cart")
    page.get_by_role("button").click()
    page.get_by_text("SANDBOX").wait_for()
    page.get_by_text("125 000").wait_for()
    page.get_by_text("A/197").wait_for()
    fits(visitor, look)
    page.get_by_label(t["number"]).fill("8600 0691 9540 6311")
    page.get_by_label(t["expire"]).fill("03/99")
    page.get_by_role("button", name=t["continue"]).click()
    page.get_by_label(t["code"]).fill("000000")
    fits(visitor, look)
    page.get_by_role("button", name=t["pay"]).click()
    page.get_by_role("alert").wait_for()
    fits(visitor, look)
    page.get_by_label(t["code"]).fill("666666")
    page.get_by_role("button", name=t["pay"]).click()
    page.wait_for_url(f"{shop.url}/back/**")
    (receipt,) = sandbox.receipts()
    assert shop.visits[-1] == f"/back/{receipt.id}?order=A%2F197"
    assert (int(receipt.state), sandbox.debits(receipt.id)) == (4, 1)


@pytest.mark.parametrize("look", [LOOKS[1], LOOKS[3]], indirect=True, ids=str)
def test_the_payer_sees_the_result_and_may_go_at_once(
    sandbox: Sandbox, visitor: Visitor, look: Look, shop: Shop
) -> None:
    from playwright.sync_api import expect

    page = visitor.open(order(sandbox, callback=f"{shop.url}/thanks", callback_timeout=600_000))
    page.get_by_text(TEXTS["uz"]["test_cards"]).click()
    page.get_by_role("link", name="9860 0301 0000 0006").click()
    expect(page.locator("#number")).to_have_value("9860 0301 0000 0006")
    assert page.get_by_label(TEXTS["uz"]["expire"]).input_value() == "03/99"
    page.get_by_role("button", name=TEXTS["uz"]["continue"]).click()
    page.get_by_label(TEXTS["uz"]["code"]).fill("666666")
    page.keyboard.press("Enter")
    page.get_by_text(TEXTS["uz"]["paid"]).wait_for()
    fits(visitor, look)
    page.get_by_role("link", name=TEXTS["uz"]["back"]).click()
    page.wait_for_url(f"{shop.url}/thanks")


def test_a_fault_set_in_the_dashboard_loses_the_answer_and_not_the_money(
    sandbox: Sandbox, visitor: Visitor, look: Look
) -> None:
    made = call(sandbox, "receipts.create", amount=12_500_000, account={"order_id": 197})
    receipt = made["result"]["receipt"]["_id"]
    page = visitor.open("/")
    page.get_by_role("button", name="Lose the next answer").click()
    page.get_by_text("its answer is lost").wait_for()
    fits(visitor, look)
    page.get_by_role("link", name="Receipts").click()
    page.get_by_role("link", name=receipt).click()
    page.get_by_role("button", name="Pay this receipt").click()
    page.get_by_text("The answer was lost").wait_for()
    page.get_by_text("4 paid").first.wait_for()
    assert page.get_by_text("after drop").count() >= 1
    fits(visitor, look)
    assert sandbox.debits(receipt) == 1


@pytest.mark.parametrize("look", [LOOKS[1], LOOKS[3]], indirect=True, ids=str)
def test_a_fault_is_written_and_removed(sandbox: Sandbox, visitor: Visitor, look: Look) -> None:
    page = visitor.open("/dashboard/faults")
    page.locator("#method").fill("cards.*")
    page.get_by_label("When").select_option("before")
    page.get_by_label("What happens").select_option("rpc_error")
    page.get_by_label("More").fill("code=minus")
    page.get_by_role("button", name="Set the fault").click()
    page.get_by_role("alert").wait_for()
    fits(visitor, look)
    page.get_by_label("More").fill("code=-31002 probability=0.5")
    page.get_by_role("button", name="Set the fault").click()
    page.get_by_text("The fault was set.").wait_for()
    (fault,) = sandbox.faults.list()
    assert (fault.rule.method, fault.rule.code) == ("cards.*", -31002)
    page.get_by_role("button", name="Remove fault").click()
    page.get_by_text("The fault was removed.").wait_for()
    assert sandbox.faults.list() == []


@pytest.mark.slow
def test_moving_the_clock_empties_the_cancellation_queue(
    sandbox: Sandbox, visitor: Visitor, look: Look
) -> None:
    sandbox.clock.freeze()
    receipt = sandbox.add_receipt(amount=12_500_000)
    page = visitor.open(f"/dashboard/receipts/{receipt}")
    page.get_by_role("button", name="Pay this receipt").click()
    page.get_by_role("button", name="Cancel this receipt").click()
    page.get_by_text("21 cancel queued").first.wait_for()
    page.get_by_role("link", name="Clock").click()
    page.get_by_text("The clock stands.").wait_for()
    page.get_by_role("button", name="+1h").click()
    page.get_by_text("The clock was moved.").wait_for()
    fits(visitor, look)
    page.get_by_role("link", name="Receipts").click()
    page.locator(".state", has_text="50 cancelled").wait_for()
    assert [entry.kind for entry in sandbox.entries(receipt)] == ["debit", "refund"]


@pytest.mark.slow
@pytest.mark.parametrize("look", [LOOKS[1], LOOKS[3]], indirect=True, ids=str)
def test_traffic_is_live_and_keeps_open_what_is_read(
    sandbox: Sandbox, visitor: Visitor, look: Look
) -> None:
    call(sandbox, "receipts.get", id="0" * 24)
    page = visitor.open("/dashboard/traffic")
    page.get_by_text("-31602 unknown_receipt").click()
    page.get_by_text("Чек не найден или оплачен").first.wait_for()
    call(sandbox, "receipts.check", id=sandbox.add_receipt())
    page.get_by_text("receipts.check").first.wait_for()
    if look.javascript:
        assert page.locator(".part:visible", has_text="Request").first.is_visible()
    fits(visitor, look)


@pytest.mark.parametrize("look", LOOKS[:1], indirect=True, ids=str)
def test_the_traffic_is_exported(
    sandbox: Sandbox, visitor: Visitor, tmp_path: Path, look: Look
) -> None:
    call(sandbox, "receipts.create", amount=500, account={"order_id": 1})
    page = visitor.open("/dashboard/traffic")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as a pytest file").click()
    assert download.value.suggested_filename == "test_recorded_payme.py"
    path = tmp_path / "test_recorded_payme.py"
    download.value.save_as(path)
    compile(path.read_text(encoding="utf-8"), path, "exec")


@pytest.mark.slow
def test_every_page_fits_the_screen_and_can_be_read(
    sandbox: Sandbox, visitor: Visitor, look: Look
) -> None:
    for number, title in enumerate(("A-197", "A-198", "A-199")):
        made = call(sandbox, "receipts.create", amount=12_500_050, account={"order_id": title})
        receipt = made["result"]["receipt"]["_id"]
        if number:
            page = visitor.open(f"/dashboard/receipts/{receipt}")
            page.get_by_role("button", name="Pay this receipt").click()
            page.get_by_text("The receipt was paid.").wait_for()
    call(sandbox, "receipts.pay", id=receipt, token=sandbox.add_card())
    call(sandbox, "receipts.cancel", id=receipt)
    sandbox.faults.add("receipts.pay", when="after", action="drop", times=1)
    for path in [*PATHS, f"/dashboard/receipts/{receipt}", f"/checkout/{receipt}", "/nowhere"]:
        visitor.page.goto(visitor.base + path)
        fits(visitor, look)
        visitor.complaints[:] = [one for one in visitor.complaints if "404" not in one]
