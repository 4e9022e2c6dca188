"""A model that the settings name is paid, graded and refunded without a line of code."""

import threading
from decimal import Decimal
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.db.models.signals import post_save
from django.test import override_settings
from scenarios import KEY, START, code
from shopfront import routing
from shopfront.models import Sale

from payme.conformance import grade
from payme.merchant import entities
from payme.merchant.django.checks import check_settings
from payme.merchant.django.configuration import configured
from payme.merchant.django.mapping import ModelOrders, read_mapping

TEXT = {
    "MODEL": "shopfront.Sale",
    "ID_FIELD": "number",
    "ACCOUNT_FIELD": "sale",
    "AMOUNT_FIELD": "total",
    "AMOUNT_UNIT": "sum",
    "STATE_FIELD": "status",
    "WAITING": ["new", "seen"],
    "PAID": "paid",
    "REFUNDED": "refunded",
}
FLAG = {
    "MODEL": "shopfront.Sale",
    "AMOUNT_FIELD": "cents",
    "AMOUNT_UNIT": "tiyin",
    "STATE_FIELD": "back",
    "WAITING": False,
    "PAID": True,
    "REFUNDED": None,
}


def mapped(section):
    given = {name: value for name, value in settings.PAYME.items() if name != "ORDERS"}
    return override_settings(PAYME={**given, "ORDER": section})


@pytest.fixture
def sales(shop):
    Sale.objects.all().delete()
    with mapped(TEXT):
        configured()._clock = lambda: shop.now
        yield shop
    Sale.objects.all().delete()
    configured()._clock = lambda: START


def sale(number, **fields):
    return Sale.objects.create(**{"number": number, "total": Decimal("500.00"), **fields})


def status(number):
    return Sale.objects.get(number=number).status


def pay(shop, count, number, **changes):
    return shop.create(count, account={"sale": number}, **changes)


def test_life_of_a_mapped_order(sales):
    sale("A-7", status="seen")
    saved = []
    note = lambda instance, update_fields, **_: saved.append(  # noqa: E731
        (instance.status, set(update_fields or ()))
    )
    post_save.connect(note, sender=Sale)
    try:
        assert code(pay(sales, 1, "A-7", amount=50_001)) == -31001
        assert pay(sales, 1, "A-7")["result"]["state"] == 1
        assert status("A-7") == "seen"
        assert sales.perform(1)["result"]["state"] == 2
        assert status("A-7") == "paid"
        assert code(pay(sales, 2, "A-7")) == -31008
        assert sales.cancel(1)["result"]["state"] == -2
    finally:
        post_save.disconnect(note, sender=Sale)
    assert status("A-7") == "refunded"
    assert saved == [("paid", {"status"}), ("refunded", {"status"})]
    assert code(pay(sales, 3, "A-7")) == -31053


@pytest.mark.parametrize("written", ["A-8", "", None, True, 1.5, ["A-7"], "x" * 5000, "A-7\0", 7])
def test_account_that_names_no_order(sales, written):
    sale("A-7")
    answer = sales.call("CheckPerformTransaction", amount=50_000, account={"sale": written})
    assert (code(answer), answer["error"]["data"]) == (-31050, "sale")


@pytest.mark.parametrize("written", ["07", " 7", "+7", "٧", 2**70, "9" * 30, "7.0", "seven"])
def test_number_has_one_spelling(sales, written):
    row = sale("A-7", pk=7, cents=50_000, back=False)
    with mapped(FLAG):
        assert row.pk == 7
        account = {"amount": 50_000, "account": {"order_id": "7"}}
        assert sales.call("CheckPerformTransaction", **account)["result"] == {"allow": True}
        account["account"]["order_id"] = written
        assert code(sales.call("CheckPerformTransaction", **account)) == -31050


def test_flag_is_set_and_unset(sales):
    row = sale("A-7", cents=50_000, back=False)
    with mapped(FLAG):
        configured()._clock = lambda: sales.now
        for state, after in (("create", False), ("perform", True), ("cancel", None)):
            options = {"account": {"order_id": row.pk}} if state == "create" else {}
            assert "result" in getattr(sales, state)(1, **options)
            row.refresh_from_db()
            assert row.back is after


def test_order_that_the_shop_closed_meanwhile_is_not_paid(sales):
    sale("A-7")
    pay(sales, 1, "A-7")
    Sale.objects.update(status="closed")
    assert code(sales.perform(1)) == -31008
    assert status("A-7") == "closed"


def test_order_that_was_sent_is_not_refunded(sales):
    sale("A-7")
    pay(sales, 1, "A-7")
    sales.perform(1)
    Sale.objects.update(status="sent")
    assert code(sales.cancel(1, reason=5)) == -31007
    assert (status("A-7"), sales.check(1)["result"]["state"]) == ("sent", 2)


def test_order_that_is_gone_is_refunded_only_where_that_is_set(sales):
    sale("A-7")
    pay(sales, 1, "A-7")
    sales.perform(1)
    Sale.objects.all().delete()
    assert code(sales.cancel(1, reason=5)) == -31007
    with override_settings(PAYME={**settings.PAYME, "REFUND_MISSING": True}):
        assert sales.cancel(1, reason=5)["result"]["state"] == -2


def test_row_that_is_changed_after_find_is_not_written_over(sales):
    """The shop's own code takes no lock of the order: it may come between `find` and the hook."""
    orders = ModelOrders(read_mapping(TEXT))
    payment = entities.Transaction(
        id="1" * 24, order_id="A-7", time=START, amount=50_000, account={}, create_time=START
    )
    sale("A-7", status="closed")
    assert not orders.find({"sale": "A-7"}).refundable
    for hook in (orders.paid, orders.cancelled):
        with pytest.raises(entities.Refuse), transaction.atomic(using=routing.chosen):
            hook(payment)
    assert status("A-7") == "closed"


@pytest.mark.parametrize("total", ["0", "-5"])
def test_amount_that_can_not_be_paid_is_a_failure_and_not_another_amount(sales, total, caplog):
    sale("A-7")
    Sale.objects.update(total=Decimal(total))
    assert code(pay(sales, 1, "A-7", amount=1)) == -32400
    assert "shopfront.Sale.total: got" in caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"AMOUNT_UNIT": ...}, 'AMOUNT_UNIT missing ("tiyin" or "sum")'),
        ({"AMOUNT_UNIT": "soum"}, "AMOUNT_UNIT: got 'soum', expected"),
        ({"AMOUNT_FIELD": "totl"}, "AMOUNT_FIELD: shopfront.Sale has no field of its own 'totl'"),
        ({"AMOUNT_FIELD": "totl"}, "it has back, cents, id, is_paid, number, status, total"),
        ({"AMOUNT_FIELD": "weight"}, "shopfront.Sale.weight is FloatField, expected"),
        ({"STATE_FIELD": 5}, "STATE_FIELD: shopfront.Sale has no field of its own 5"),
        ({"ID_FIELD": "status"}, "ID_FIELD: shopfront.Sale.status is not unique"),
        ({"MODEL": "shopfront.Sail"}, "shopfront.Sail does not exist; shopfront has Event, Order"),
        ({"MODEL": "nothing.Sale"}, "MODEL: nothing.Sale does not exist"),
        ({"MODEL": "Sale"}, "MODEL: got 'Sale', expected app and model as text, such as shop.O"),
        ({"MODEL": Sale}, "MODEL: got <class 'shopfront.models.Sale'>, expected app and model"),
        ({"AMOUNT_UNIT": ["sum"]}, "AMOUNT_UNIT: got ['sum'], expected"),
        ({"WAITING": {"new": 1}}, "WAITING: got {'new': 1}, expected a value of status, which is"),
        ({"PAID": ["paid"]}, "PAID: got ['paid'], expected a value of status, which is CharField"),
        ({"PAID": True}, "PAID: got True, expected a value of status"),
        ({"REFUNDED": b"back"}, "REFUNDED: got b'back', expected a value of status"),
        ({"PAID": "seen"}, "PAID: 'seen' is a value of WAITING, too"),
        ({"REFUNDED": "paid"}, "REFUNDED: 'paid' is PAID, too"),
        ({"PAID": "x" * 11}, "PAID: 'xxxxxxxxxxx' for status: "),
        ({"PAID": None}, "PAID: None for status, which is never NULL"),
        ({"WAITING": []}, "WAITING: got none, expected at least one value"),
        ({"STATE": "status"}, "ORDER: got STATE, expected ACCOUNT_FIELD, AMOUNT_FIELD"),
        ({"ACCOUNT_FIELD": ""}, "ACCOUNT_FIELD: got '', expected a name"),
        ({"ACCOUNT_FIELD": ["sale"]}, "ACCOUNT_FIELD: got ['sale'], expected a name"),
    ],
)
def test_setting_that_is_wrong_names_what_exists(alias, changes, told):
    section = {name: value for name, value in {**TEXT, **changes}.items() if value is not ...}
    with mapped(section):
        (found,) = check_settings()
    assert found.id == "payme.E003"
    assert told in found.msg


def test_mapping_that_is_no_dict_is_shown(alias):
    with mapped("shopfront.Sale"):
        (found,) = check_settings()
    assert "ORDER: got 'shopfront.Sale', expected a dict with MODEL, AMOUNT_FIELD" in found.msg


def test_mapping_beside_a_class_is_refused(alias):
    with override_settings(PAYME={**settings.PAYME, "ORDER": TEXT}):
        (found,) = check_settings()
    assert "ORDERS, ORDER: got both" in found.msg


def test_right_setting_passes(alias):
    for section in (TEXT, FLAG):
        with mapped(section):
            assert check_settings() == []


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def address(alias):
    Sale.objects.all().delete()
    with mapped(TEXT), make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/payme/"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_grader_finds_nothing_broken(address):
    made = []

    def fresh():
        made.append(sale(f"S-{len(made)}"))
        return {"sale": made[-1].number}

    report = grade(address, KEY, account=fresh, amount=50_000, timeout=30)
    assert report.broken == {}
    assert report.complete, report.text()
    assert {row.status for row in Sale.objects.all()} <= {"new", "paid", "refunded"}
