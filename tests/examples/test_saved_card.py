"""The example shops take money from a saved card: once, whatever is clicked, killed or raced."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from examples.tables import changed, metadata, orders

from payme.charges import Charge, ChargeState
from payme.errors import PaymeError
from support.shops import CARD_SHOPS, KEY, MANAGE, POOR, ROOT, card_shop

SEEN = re.compile('name="seen" value="([^"]*)"')


# The shop on Flask has the routes of the one on FastAPI, in another framework's words.
KINDS = [
    pytest.param(name, marks=pytest.mark.slow) if name == "shop_flask" else name
    for name in CARD_SHOPS
]


@pytest.fixture(params=KINDS)
def shop(request, tmp_path):
    with card_shop(request.param, tmp_path) as shop:
        yield shop


@pytest.fixture(params=KINDS)
def poor_shop(request, tmp_path):
    with card_shop(request.param, tmp_path, POOR) as shop:
        yield shop


def test_one_click_pays_and_says_so(shop):
    number = shop.order()
    assert "Pay with 860006******6311" in shop.page(number)
    assert shop.pay(number) == 303
    assert "Paid. Thank you!" in shop.page(number)
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)
    assert shop.is_processed(number)
    assert shop.pay(number) == 303
    assert shop.debits() == 1


def test_the_token_is_encrypted_in_the_database_and_in_no_page_or_log(shop):
    number = shop.order()
    pages = shop.page(number)
    shop.pay(number)
    pages += shop.page(number)
    secret = shop.token.encode()
    assert all(secret not in file.read_bytes() for file in shop.folder.iterdir())
    assert shop.token not in pages


def test_many_clicks_at_once_take_the_money_once(shop):
    number = shop.order()
    with ThreadPoolExecutor(6) as clicks:
        assert set(clicks.map(lambda _: shop.pay(number), range(6))) == {303}
    shop.wait_for(lambda: shop.is_processed(number))
    assert (shop.stored(number), shop.debits(), len(shop.box.receipts())) == (("paid", 1, 0), 1, 1)


def test_a_lost_answer_takes_the_money_once(shop):
    shop.box.faults.add("receipts.pay", when="after", action="drop", times=1)
    number = shop.order()
    shop.pay(number)
    shop.wait_for(lambda: shop.is_processed(number))
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


def test_a_refused_card_is_told_with_what_to_do(poor_shop):
    shop = poor_shop
    number = shop.order()
    first = SEEN.findall(shop.page(number))[0]
    shop.pay(number, first)
    page = shop.page(number)
    assert "Nothing was taken" in page
    assert "Try again with 860031******0007" in page
    assert "Pay with another card" in page
    shop.pay(number, first)  # the second click of a double click
    assert shop.execute("SELECT attempts FROM payme_charge") == [(1,)]
    assert (shop.stored(number), shop.debits()) == (("waiting", 0, 0), 0)


def test_after_a_refusal_the_same_order_is_paid_by_one_click_with_another_card(poor_shop):
    shop = poor_shop
    number = shop.order()
    shop.pay(number)
    refused = SEEN.findall(shop.page(number))[0]
    shop.stop()
    shop.start()
    shop.pay(number, refused)
    assert "Paid" in shop.page(number)
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


@pytest.mark.slow
def test_many_clicks_on_try_again_take_the_money_once(poor_shop):
    shop = poor_shop
    number = shop.order()
    shop.pay(number)
    refused = SEEN.findall(shop.page(number))[0]
    shop.stop()
    shop.start()
    with ThreadPoolExecutor(6) as clicks:
        assert set(clicks.map(lambda _: shop.pay(number, refused), range(6))) == {303}
    shop.wait_for(lambda: shop.is_processed(number))
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_shop_that_is_killed_while_it_charges_ends_with_one_payment(shop, when):
    """Before: `receipts.pay` is on its way. After: the money moved, and nobody heard of it."""
    shop.box.faults.add("receipts.pay", when=when, action="delay", delay_ms=1500, times=1)
    number = shop.order()
    with ThreadPoolExecutor(1) as clicks:
        clicked = clicks.submit(shop.pay, number)
        asked = "SELECT state FROM payme_charge"
        shop.wait_for(lambda: shop.execute(asked) == [("paying",)])
        if when == "after":
            # Not only debited: the shop has heard PerformTransaction, but not the answer.
            shop.wait_for(lambda: shop.stored(number) == ("paid", 1, 0))
        assert shop.stop(signal.SIGKILL) == -signal.SIGKILL
        assert clicked.exception() is not None
    shop.start()
    assert shop.pay(number) == 303  # the customer comes back, and clicks again
    shop.lease_runs_out()
    shop.wait_for(lambda: shop.is_processed(number))
    assert "Paid" in shop.page(number)
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


def checkout(shop, number):
    """Pay at the checkout, as Payme's page does: by a receipt of its own."""
    with shop.payme as payme:
        try:
            receipt = payme.receipts.create(5_000_000, {"order_id": number})
            return payme.receipts.pay(receipt.id, shop.box.add_card()).is_paid
        except PaymeError:
            return False


@pytest.mark.slow
def test_both_ways_raced_take_the_money_once(shop):
    for _ in range(8):
        number = shop.order()
        before = shop.debits()
        with ThreadPoolExecutor(2) as ways:
            by_card = ways.submit(shop.pay, number)
            by_checkout = ways.submit(checkout, shop, number)
            assert by_card.result() == 303
            by_checkout.result()
        shop.wait_for(lambda number=number: shop.is_processed(number))
        state, paid, cancelled = shop.stored(number)
        assert (paid, cancelled) == (shop.debits() - before, 0)
        assert (state, paid) in {("paid", 1), ("waiting", 0)}


def test_an_order_that_was_paid_at_the_checkout_is_not_charged(shop):
    number = shop.order()
    stale = SEEN.findall(shop.page(number))[0]
    assert checkout(shop, number)
    shop.pay(number, stale)
    assert shop.execute("SELECT count(*) FROM payme_charge") == [(0,)]
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)
    assert "Paid" in shop.page(number)


def test_an_order_that_is_charged_is_not_paid_at_the_checkout(shop):
    number = shop.order()
    shop.pay(number)
    assert not checkout(shop, number)
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


@pytest.mark.slow
def test_a_refund_takes_the_goods_back_once(shop):
    number = shop.order()
    shop.pay(number)
    shop.charges("refund", f"order-{number}", "--wait", "1s")
    shop.box.clock.advance("12h")
    shop.lease_runs_out()
    state = "SELECT state FROM payme_charge"
    shop.execute("UPDATE payme_charge SET due = 0 WHERE due IS NOT NULL")
    shop.wait_for(lambda: shop.execute(state) == [("refunded",)])
    assert shop.stored(number) == ("closed", 1, 1)
    assert "This order is closed" in shop.page(number)


def test_what_a_charge_proves_moves_the_order_on_once():
    """Without a billing only the charge tells of it; with one, whoever comes first."""
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(orders.insert().values(id=7, amount=5000))
        for state, stored in [
            (ChargeState.REFUSED, ("waiting", 0, 0)),
            (ChargeState.PAID, ("paid", 1, 0)),
            (ChargeState.PAID, ("paid", 1, 0)),
            (ChargeState.REFUNDED, ("closed", 1, 1)),
            (ChargeState.REFUNDED, ("closed", 1, 1)),
        ]:
            changed(connection, Charge(id="order-7", amount=5000, account={}, state=state))
            columns = (orders.c.state, orders.c.paid_events, orders.c.cancelled_events)
            assert connection.execute(sa.select(*columns)).one() == stored
    engine.dispose()


PROVE = """
from examples.shop_django.models import Order
from examples.shop_django.orders import changed
from payme.charges import Charge, ChargeState
Order.objects.create(pk=7, amount=5000)
for state in "refused", "paid", "paid", "refunded", "refunded":
    changed(Charge(id="order-7", amount=5000, account={}, state=ChargeState(state)))
    order = Order.objects.get()
    print(order.state, order.paid_events, order.cancelled_events)
"""


def test_what_a_charge_proves_moves_the_order_on_once_in_django(tmp_path):
    environment = {
        **os.environ,
        "SHOP_DATABASE": f"sqlite:///{tmp_path / 'shop.db'}",
        "PAYME_MERCHANT_ID": "5e730e8e0b852a417aa49ceb",
        "PAYME_KEY": KEY,
        "PAYME_CHECKOUT_URL": "",
    }
    for command in (["migrate", "--verbosity=0"], ["shell", "--verbosity=0", "--command", PROVE]):
        done = subprocess.run(
            [sys.executable, *MANAGE, *command],
            cwd=ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "waiting 0 0", "paid 1 0", "paid 1 0", "closed 1 1", "closed 1 1",
    ]  # fmt: skip


def test_a_form_of_another_site_is_refused(shop):
    number = shop.order()
    path, form = f"/orders/{number}/pay", {"seen": ""}
    assert shop.ask(path, form, Origin="https://elsewhere.uz")[0] == 403
    assert shop.ask(path, form, Origin="null")[0] == 403
    assert shop.debits() == 0
    assert shop.ask(path, form, Origin=shop.url)[0] == 303
    assert shop.debits() == 1


def test_a_form_without_the_token_of_a_page_is_refused_in_django(tmp_path):
    with card_shop("shop_django", tmp_path) as shop:
        number = shop.order()
        assert shop.send(f"/orders/{number}/pay", {"seen": ""})[0] == 403
        assert shop.send("/", {})[0] == 403
        assert shop.send(f"/orders/{number}/pay", {}, Cookie=f"csrftoken={'a' * 32}")[0] == 403
        assert (shop.stored(number), shop.debits()) == (("waiting", 0, 0), 0)


def test_what_a_server_began_is_finished_by_the_process_beside_it(tmp_path):
    """Only the server is killed, after the money moved: nobody starts it again, or clicks."""
    with card_shop("shop_django", tmp_path) as shop:
        shop.box.faults.add("receipts.pay", when="after", action="delay", delay_ms=1500, times=1)
        number = shop.order()
        with ThreadPoolExecutor(1) as clicks:
            clicked = clicks.submit(shop.pay, number)
            shop.wait_for(lambda: shop.stored(number) == ("paid", 1, 0))
            shop.process.kill()
            assert clicked.exception() is not None
        assert not shop.is_processed(number)
        shop.lease_runs_out()
        shop.wait_for(lambda: shop.is_processed(number))
        assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_shop_ends_when_it_is_told_to(shop, number):
    shop.order()
    assert shop.stop(number) in (0, -number)
    assert "Traceback" not in shop.log()


@pytest.mark.slow
def test_what_is_left_is_finished_in_the_background(shop):
    """Payme is out of reach for as long as the customer waits; nobody clicks after that."""
    down = shop.box.faults.add("receipts.*", when="before", action="http_status", status=503)
    number = shop.order()
    shop.pay(number)
    assert "being processed" in shop.page(number)
    shop.box.faults.remove(down.id)
    shop.execute("UPDATE payme_charge SET due = 0")
    shop.wait_for(lambda: shop.is_processed(number))
    assert (shop.stored(number), shop.debits()) == (("paid", 1, 0), 1)
