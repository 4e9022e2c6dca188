"""The code of the documentation does what its page says: it is served, called and graded.

`tests/test_readme.py` runs every block that is a script. Blocks marked `python file` are parts of a
project, and those of the testing page are tests: here the project is put together, and they run.
"""

import http.client
import importlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from payme import configuration
from payme.conformance.exchange import basic
from payme.merchant import Incoming
from payme.sandbox import Sandbox
from payme.testing.merchant import check_merchant
from support.servers import serving_asgi, serving_wsgi

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
AUTH = "Basic " + b64encode(f"Paycom:{KEY}".encode()).decode()

FILE = re.compile(r"^```python file\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MERCHANT = [DOCS / "en" / "merchant.md", *sorted((DOCS / "en" / "merchant").glob("*.md"))]
TESTING = (DOCS / "en" / "testing.md").read_text(encoding="utf-8")
OUTCOMES = (DOCS / "en" / "outcomes.md").read_text(encoding="utf-8")
SCRIPT = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = [found for page in MERCHANT for found in FILE.findall(page.read_text(encoding="utf-8"))]
FILES = dict(NAMED)
OF_SEVERAL_CASH_BOXES = "project/settings.py"
"""Comes twice: on the page of the endpoint for several cash-boxes, in place of Django's."""

SHOP = {"shop/tables.py", "shop/main.py", "shop/web.py", "migrations/env.py", "test_payme.py"}
DJANGO = {
    "project/settings.py",
    "project/urls.py",
    "shop/models.py",
    "shop/payments.py",
    "shop/receivers.py",
}
CLIENT = "http://127.0.0.1:8000/payme"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The files of the pages, where Python finds them."""
    for path in SHOP:
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(FILES[path], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PAYME_KEY", KEY)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in {"shop", "test_payme"}]:
        del sys.modules[name]


def payme(port, method, **params):
    body = json.dumps({"id": 1, "method": method, "params": params})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/payme", body, {"Authorization": AUTH})
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())


def rows(database, statement, *values):
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def check(port, project):
    """Ask about an order, then grade the endpoint by the pages' own test."""
    database = project / "shop.db"
    rows(database, "INSERT INTO shop_order (id, amount) VALUES (7, 50000), (9, 50000)")
    asked = {"amount": 50_000, "account": {"order_id": "7"}}
    assert payme(port, "CheckPerformTransaction", **asked)["result"] == {"allow": True}

    written = (project / "test_payme.py").read_text(encoding="utf-8")
    assert CLIENT in written
    source = written.replace(CLIENT, f"http://127.0.0.1:{port}/payme")
    (project / "test_payme.py").write_text(source, encoding="utf-8")
    importlib.import_module("test_payme").test_the_endpoint_keeps_the_rules(check_merchant)

    assert rows(database, "SELECT state FROM shop_order WHERE id = 7") == [("closed",)]
    assert payme(port, "CheckPerformTransaction", **asked)["error"]["code"] == -31053
    events = [
        event
        for (event,) in rows(
            database, "SELECT event FROM shop_outbox WHERE order_id = 7 ORDER BY id"
        )
    ]
    assert events[0] == "released"
    assert [event for event in events if event != "released"] == ["paid", "cancelled"]


def closed_while_it_is_paid(port, database):
    """The order is closed by somebody in the moment between `find` and `paid`."""
    rows(database, "INSERT INTO shop_order (id, amount) VALUES (8, 50000)")
    params = {"id": "8" * 24, "time": 2 * 10**12, "amount": 50_000, "account": {"order_id": 8}}
    assert payme(port, "CreateTransaction", **params)["result"]["state"] == 1
    # SQLite's trigger is that somebody: it acts on the store's own write, which comes first.
    closing_it = "UPDATE shop_order SET state = 'closed' WHERE id = 8;"
    rows(
        database,
        "CREATE TRIGGER somebody AFTER UPDATE ON payme_transaction"
        f" WHEN NEW.order_id = '8' BEGIN {closing_it} END",
    )
    assert payme(port, "PerformTransaction", id="8" * 24)["error"]["code"] == -32400
    assert payme(port, "CheckTransaction", id="8" * 24)["result"]["state"] == 1


@pytest.mark.slow
def test_the_endpoint_in_fastapi_keeps_every_rule(project):
    app = importlib.import_module("shop.main").app
    with serving_asgi(app) as port:
        check(port, project)
        closed_while_it_is_paid(port, project / "shop.db")


@pytest.mark.slow
def test_the_endpoint_in_flask_keeps_every_rule(project):
    web = importlib.import_module("shop.web")
    with serving_wsgi(web.app) as port:
        check(port, project)
        closed_while_it_is_paid(port, project / "shop.db")
    web.engine.dispose()


def test_the_metadata_for_alembic_hold_every_table(project):
    scope = {}
    exec(FILES["migrations/env.py"], scope)
    tables = {name for metadata in scope["target_metadata"] for name in metadata.tables}
    assert tables == {"shop_order", "shop_outbox", "payme_transaction", "payme_order_lock"}


@pytest.mark.slow
def test_the_endpoint_in_django_keeps_every_rule(tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "PAYME_KEY": KEY}
    # The script shares the tests' servers.
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *sys.path])

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "django", "startproject", "project", ".")
    for path in DJANGO:
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        with target.open("a", encoding="utf-8") as file:
            file.write(FILES[path])
    told = json.loads(run(HERE / "django_project.py").splitlines()[-1])
    assert not told["broken"]
    assert told["state"] == "closed"
    assert told["asked_again"] == -31053
    assert told["closed_while_it_is_paid"] == 1
    assert [event for event in told["events"] if event != "released"] == ["paid", "cancelled"]
    assert told["admin"]
    assert told["forgotten"] is True


BOXES = {"TEA_KEY": "5e730e8e0b852a417aa49ceb", "BOOK_KEY": "587f72c72cac0d162c722ae2"}
BOX_KEYS = {name: f"{name}-of-the-tests" for name in BOXES}


def test_several_cash_boxes_at_one_address(monkeypatch):
    for name, key in BOX_KEYS.items():
        monkeypatch.setenv(name, key)
    (block,) = (
        block
        for block in SCRIPT.findall(MERCHANT[0].read_text(encoding="utf-8"))
        if "Merchants(" in block
    )
    scope = {"__name__": "shop"}
    exec(compile(block, "shop.py", "exec"), scope)
    account = {"order_id": "7"}
    made = {"id": "7" * 24, "time": time.time_ns() // 10**6, "amount": 50_000, "account": account}
    body = json.dumps({"id": 1, "method": "CreateTransaction", "params": made}).encode()
    for key in BOX_KEYS.values():
        answer = json.loads(scope["merchant"].answer(Incoming("POST", body, basic(key))))
        assert answer["result"]["state"] == 1
    stored = scope["merchant"]["5e730e8e0b852a417aa49ceb"].transactions_of("7")
    assert [one.box for one in stored] == ["5e730e8e0b852a417aa49ceb"]
    assert {one.box for one in scope["store"].transactions_of("7")} == {*BOXES.values()}


def test_several_cash_boxes_in_django(tmp_path):
    (settings,) = (
        code for path, code in NAMED if path == OF_SEVERAL_CASH_BOXES and "BOXES" in code
    )
    environment = {**os.environ, **BOX_KEYS, "DJANGO_SETTINGS_MODULE": "project.settings"}
    environment.update(PAYME_KEY=KEY, PYTHONPATH=os.pathsep.join(sys.path))

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "django", "startproject", "project", ".")
    for path in DJANGO:
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        with target.open("a", encoding="utf-8") as file:
            file.write(FILES[path])
            file.write(settings if path == OF_SEVERAL_CASH_BOXES else "")
    told = json.loads(run(HERE / "django_boxes.py").splitlines()[-1])
    assert told == {box: {"answers": [1, 1], "boxes": [box]} for box in BOXES.values()}


def celery_tasks():
    (block,) = (block for block in SCRIPT.findall(OUTCOMES) if "soft_time_limit" in block)
    scope = {"__name__": "tasks"}
    exec(compile(block, "tasks.py", "exec"), scope)
    return scope


def strike(_number, _frame):
    raise SoftTimeLimitExceeded


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no signal.setitimer here")
def test_a_task_of_celery_stores_what_its_limit_left_open(monkeypatch):
    with Sandbox() as sandbox:
        monkeypatch.setenv("PAYME_MERCHANT_ID", sandbox.merchant_id)
        monkeypatch.setenv("PAYME_KEY", sandbox.key)
        monkeypatch.setitem(configuration.URLS, "test", sandbox.url)
        sandbox.faults.add("receipts.pay", when="after", action="delay", delay_ms=1500, times=1)
        tasks, receipt = celery_tasks(), sandbox.add_receipt()
        tasks["tokens"][7] = sandbox.add_card()
        before = signal.signal(signal.SIGALRM, strike)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            tasks["pay"](7, receipt)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert tasks["unresolved"] == {7: receipt}
        assert tasks["states"] == {}
        tasks["resolve_all"]()
        assert tasks["unresolved"] == {}
        assert tasks["states"] == {7: "PAID"}
        assert sandbox.debits(receipt) == 1
        tasks["payme"].close()


def test_every_file_of_the_pages_is_run_here():
    paths = sorted([*SHOP, *DJANGO, OF_SEVERAL_CASH_BOXES])
    assert sorted(path for path, _ in NAMED) == paths


@pytest.mark.slow
def test_the_tests_of_the_testing_page_pass(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```$", TESTING, re.MULTILINE | re.DOTALL)
    tests = [block for block in blocks if "def test_" in block]
    for number, block in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(block, encoding="utf-8")
    (settings,) = re.findall(r"^```toml\n(.*?)^```$", TESTING, re.MULTILINE | re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    options = ["-W", "error", "-p", "no:cacheprovider", "--strict-markers", "--strict-config"]
    # Hypothesis gives up on a slow machine, unless told that this is one.
    options.append("--hypothesis-profile=ci")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env={name: given for name, given in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(tests)} passed" in done.stdout
    assert len(tests) >= 6
