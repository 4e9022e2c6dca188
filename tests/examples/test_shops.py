"""The example shops, started as a reader starts them, and driven as Payme drives a merchant."""

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from payme.checkout import parse_link
from payme.conformance import grade
from payme.merchant.core import Transaction
from support.ports import free_port

ROOT = Path(__file__).parents[2]
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
AUTH = "Basic " + base64.b64encode(f"Paycom:{KEY}".encode()).decode()

SHOPS = ["shop_fastapi", "shop_flask", "shop_django"]


def send(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


@contextmanager
def shop(name, database, *options):
    port = free_port()
    command = [sys.executable, "-m", f"examples.{name}", "--port", str(port)]
    command += ["--database", database, "--key", KEY, *options]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stderr=subprocess.PIPE) as process:
        try:
            wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=10)


def wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read().decode()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the shop did not start")


@pytest.fixture(scope="module", params=SHOPS)
def port(request, tmp_path_factory):
    database = f"sqlite:///{tmp_path_factory.mktemp('shop')}/shop.db"
    with shop(request.param, database) as port:
        yield port


def order(port, amount=50_000):
    status, made = send(port, "POST", "/orders", {"amount": amount})
    assert status == 201
    return made["id"]


def look(port, number):
    status, shown = send(port, "GET", f"/orders/{number}")
    assert status == 200
    return shown


def payme(port, method, **params):
    body = {"id": 1, "method": method, "params": params}
    status, answer = send(port, "POST", "/payme", body, Authorization=AUTH)
    assert status == 200
    return answer


def test_new_order_waits_and_offers_a_link(port):
    shown = look(port, number := order(port))
    assert (shown["state"], shown["paid_events"], shown["cancelled_events"]) == ("waiting", 0, 0)
    opened = parse_link(shown["checkout"])
    assert (opened.account, opened.amount) == ({"order_id": str(number)}, 50_000)


def test_order_is_paid_once_and_taken_back_once(port):
    number = order(port)
    transaction = f"{number:024x}"
    account = {"order_id": str(number)}
    now = time.time_ns() // 1_000_000
    payme(port, "CreateTransaction", id=transaction, time=now, amount=50_000, account=account)
    for _ in range(2):
        assert payme(port, "PerformTransaction", id=transaction)["result"]["state"] == 2
    assert look(port, number) == {
        "state": "paid",
        "paid_events": 1,
        "cancelled_events": 0,
        "checkout": None,
    }
    for _ in range(2):
        assert payme(port, "CancelTransaction", id=transaction, reason=5)["result"]["state"] == -2
    shown = look(port, number)
    assert (shown["state"], shown["paid_events"], shown["cancelled_events"]) == ("closed", 1, 1)


@pytest.mark.slow
def test_shop_keeps_every_rule_of_the_merchant_api(port):
    report = grade(
        f"http://127.0.0.1:{port}/payme",
        KEY,
        account=lambda: {"order_id": order(port)},
        amount=50_000,
    )
    assert not report.broken, report.text()
    # Only what is about accounts that take money any number of times.
    assert set(report.unseen) == {"cumulative"}, report.text()


@pytest.mark.parametrize(
    "sent", [{}, {"amount": 0}, {"amount": -5}, {"amount": "abc"}, {"amount": 1.5}, [], None]
)
def test_order_without_a_whole_amount_is_refused(port, sent):
    status, answer = send(port, "POST", "/orders", sent)
    assert status in (400, 422)
    assert "amount" in json.dumps(answer) or "body" in json.dumps(answer)


@pytest.mark.parametrize("number", ["999999", "abc", "٣", "9" * 40])
def test_unknown_order_is_not_found(port, number):
    from urllib.parse import quote

    assert send(port, "GET", f"/orders/{quote(number)}")[0] == 404


@pytest.mark.parametrize("name", SHOPS)
def test_shop_without_a_key_does_not_start(name):
    command = [sys.executable, "-m", f"examples.{name}", "--port", "1", "--key", ""]
    command += ["--database", "sqlite://"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    assert "keys:" in ended.stderr


def test_order_that_was_closed_meanwhile_is_not_paid():
    """`find` saw it wait, and the shop closed it before the hook: only the hook can tell."""
    from examples.shop_flask.orders import ShopOrders
    from examples.tables import metadata, orders

    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    paid = Transaction(id="t", order_id="1", time=1, amount=5, account={}, create_time=1)
    with engine.begin() as connection:
        connection.execute(sa.insert(orders).values(id=1, amount=5, state="closed"))
        with pytest.raises(RuntimeError, match="order 1 does not wait"):
            ShopOrders().paid(connection, paid)
        assert connection.execute(sa.select(orders.c.state, orders.c.paid_events)).one() == (
            "closed",
            0,
        )
    engine.dispose()
