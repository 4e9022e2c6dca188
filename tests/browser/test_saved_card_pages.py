"""A customer pays with the saved card, in a browser without scripts."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import TIMEOUT_MS

from support.shops import CARD_SHOPS, POOR, CardShop, card_shop

CARD = "860006******6311"


@pytest.fixture(params=CARD_SHOPS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 360, "height": 640}
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    context.close()


def buy(page: Any, shop: CardShop) -> int:
    """Buy the one thing that is sold, and come to the page of the order."""
    page.goto(shop.url)
    page.get_by_role("button", name="Buy for 50 000 soʻm").click()
    page.get_by_role("heading", name="Order").wait_for()
    return int(page.url.split("/")[-2])


@pytest.mark.slow
def test_a_person_pays_with_the_saved_card(page: Any, name: str, tmp_path: Path) -> None:
    with card_shop(name, tmp_path) as shop:
        number = buy(page, shop)
        page.get_by_role("button", name=f"Pay with {CARD}").click()
        page.get_by_text("Paid. Thank you!").wait_for()
        page.go_back()
        page.reload()
        page.get_by_text("Paid. Thank you!").wait_for()
        assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


@pytest.mark.slow
def test_a_double_click_pays_once(page: Any, name: str, tmp_path: Path) -> None:
    with card_shop(name, tmp_path) as shop:
        shop.box.faults.add("receipts.pay", when="before", action="delay", delay_ms=400)
        number = buy(page, shop)
        page.get_by_role("button", name=f"Pay with {CARD}").dblclick()
        page.get_by_text("Paid. Thank you!").wait_for()
        assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)
        assert len(shop.box.receipts()) == 1


@pytest.mark.slow
def test_a_person_whose_card_is_refused_pays_with_another(
    page: Any, name: str, tmp_path: Path
) -> None:
    with card_shop(name, tmp_path, POOR) as shop:
        number = buy(page, shop)
        page.get_by_role("button", name="Pay with 860031******0007").dblclick()
        page.get_by_text("Nothing was taken").wait_for()
        page.get_by_role("button", name="Try again with 860031******0007").wait_for()
        link = page.get_by_role("link", name="Pay with another card").get_attribute("href")
        assert link.startswith(shop.box.url.removesuffix("/api"))
        assert (shop.stored(number), shop.debits()) == (("waiting", 0, 0), 0)


@pytest.mark.slow
def test_the_page_of_a_payment_that_goes_on_looks_by_itself(
    page: Any, name: str, tmp_path: Path
) -> None:
    """The shop is killed while `receipts.pay` is on its way, and started again."""
    with card_shop(name, tmp_path) as shop:
        shop.box.faults.add("receipts.pay", when="before", action="delay", delay_ms=1500, times=1)
        number = buy(page, shop)
        page.get_by_role("button", name=f"Pay with {CARD}").click(no_wait_after=True)
        paying = "SELECT state FROM payme_charge"
        shop.wait_for(lambda: shop.execute(paying) == [("paying",)])
        shop.stop(signal.SIGKILL)
        shop.start()
        page.goto(f"{shop.url}/orders/{number}/pay")
        page.get_by_text("Your payment is being processed").wait_for()
        assert page.get_by_role("button").count() == 0
        shop.lease_runs_out()
        page.get_by_text("Paid. Thank you!").wait_for()
        assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


@pytest.mark.slow
def test_no_card_number_is_asked_for(page: Any, name: str, tmp_path: Path) -> None:
    """The shop has no field for one: a number goes to Payme alone."""
    with card_shop(name, tmp_path) as shop:
        buy(page, shop)
        assert page.locator("input:not([type=hidden])").count() == 0
        assert os.fsencode("860006919540") not in page.content().encode()
