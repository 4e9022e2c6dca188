"""The example, started as a reader starts it: an order is paid and taken back over HTTP."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from scenarios import AUTH, KEY

from payme.checkout import parse_link

ROOT = Path(__file__).parents[3]


def send(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers["Content-Type"] = "application/json"
        connection.request(method, path, body if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


def payme(port, method, **params):
    body = {"id": 1, "method": method, "params": params}
    status, answer = send(port, "POST", "/payme", body, Authorization=AUTH)
    assert status == 200
    return answer


def start(port, database, key=KEY):
    command = [sys.executable, "-W", "error", "-m", "examples.shop_django", "--port", str(port)]
    command += ["--database", database, "--key", key, "--checkout-url", "http://127.0.0.1:3000"]
    return subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def refused(database, key=KEY):
    """Start a shop that can't be; gives what it says."""
    with start(1, database, key) as process:
        try:
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
    assert process.returncode != 0
    return said


@contextmanager
def served(database):
    """Serve a shop; gives its port. Ctrl-C ends it well."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with start(port, database) as process:
        try:
            wait_for(port, process)
            yield port
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said


def wait_for(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the shop did not start")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def port(request, tmp_path_factory):
    if request.param == "sqlite":
        database = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
    else:
        database = make_database(request.getfixturevalue("postgres_server"))
    with served(database) as port:
        yield port


def make_database(server):
    name = f"shop_django_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.rpartition("/")[0] + f"/{name}"


def order(port):
    status, made = send(port, "POST", "/orders", {"amount": 50_000})
    assert (status, set(made)) == (201, {"id"})
    return made["id"]


def look(port, number):
    status, shown = send(port, "GET", f"/orders/{number}")
    assert status == 200
    return shown


def create(port, number, transaction):
    now = time.time_ns() // 1_000_000
    account = {"order_id": str(number)}
    return payme(
        port, "CreateTransaction", id=transaction, time=now, amount=50_000, account=account
    )


def test_order_is_paid_once_and_taken_back_once(port):
    number = order(port)
    opened = parse_link(look(port, number)["checkout"])
    assert (opened.account, opened.amount) == ({"order_id": str(number)}, 50_000)
    transaction = f"{number:024x}"
    assert create(port, number, transaction)["result"]["state"] == 1
    for _ in range(2):
        assert payme(port, "PerformTransaction", id=transaction)["result"]["state"] == 2
    paid = {"state": "paid", "paid_events": 1, "cancelled_events": 0, "checkout": None}
    assert look(port, number) == paid
    for _ in range(2):
        assert payme(port, "CancelTransaction", id=transaction, reason=5)["result"]["state"] == -2
    assert look(port, number) == {**paid, "state": "closed", "cancelled_events": 1}


def test_requests_at_the_same_moment_are_served(port):
    number = order(port)
    together = threading.Barrier(8)

    def attempt(one):
        together.wait(30)
        return create(port, number, f"{number:020x}{one:04x}")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))
    assert sum("result" in answer for answer in answers) == 1
    assert {answer["error"]["code"] for answer in answers if "error" in answer} == {-31008}


@pytest.mark.parametrize(
    "sent", [{"amount": -5}, {"amount": "abc"}, {}, {"amount": 10.5}, {"amount": True}, [], None]
)
def test_wrong_amount_is_refused_by_name(port, sent):
    status, answer = send(port, "POST", "/orders", sent)
    assert status == 400
    assert "amount" in answer["error"]


@pytest.mark.parametrize("number", ["999999", "abc", "9" * 40])
def test_unknown_order_is_not_found(port, number):
    assert send(port, "GET", f"/orders/{number}") == (404, {"error": "no such order"})
    account = {"order_id": number}
    answer = payme(port, "CheckPerformTransaction", amount=50_000, account=account)
    assert answer["error"]["code"] == -31050


def test_shop_without_a_key_does_not_start(tmp_path):
    assert "keys:" in refused(f"sqlite:///{tmp_path / 'shop.db'}", key="")


def test_shop_on_an_unknown_database_does_not_start():
    said = refused("oracle://scott:tiger@127.0.0.1/orders")
    assert "expected sqlite:/// or postgresql://" in said
    assert "tiger" not in said
