"""The engines' code on the page of charges: put together and run by the commands of the page."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.sandbox import Sandbox
from support.page_files import files_of, forget, import_from
from support.postgres import postgres_database

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "en" / "charges.md").read_text(encoding="utf-8")
FILES = files_of(PAGE)
ENGINES = {"shop/tasks.py", "shop/jobs.py", "shop/checkout.py"}


def command(beginning):
    """The command of the page that begins so, without its program."""
    (found,) = re.findall(rf"^\$ {re.escape(beginning)}(.*)$", PAGE, re.MULTILINE)
    return shlex.split(beginning)[1:] + shlex.split(found)


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox, tmp_path, monkeypatch):
    """The files of the page, where Python finds them, and the environment that they ask for."""
    key = Fernet.generate_key().decode()
    import_from({path: FILES[path] for path in ENGINES}, tmp_path, sandbox, key, monkeypatch)
    yield tmp_path
    forget("shop")


def test_a_charge_is_paid_by_the_celery_app_of_the_page(shop, sandbox):
    payments = importlib.import_module("shop.tasks")
    payments.app.conf.update(task_always_eager=True, task_eager_propagates=True)
    charges = payments.engine._charges()
    charges.submit("order-106", 50_000, {"order_id": 106}, sandbox.add_card())
    payments.engine.defer("order-106")
    assert charges.get("order-106").is_paid
    charges._client.close()
    charges._ledger.close()


@pytest.mark.parametrize(
    "words",
    [
        "celery -A shop.tasks worker",
        pytest.param("celery -A shop.tasks beat", marks=pytest.mark.slow),
    ],
)
def test_the_commands_of_the_page_start_celery(shop, words):
    arguments = command(words)
    done = subprocess.run(
        [sys.executable, "-m", "celery", *arguments, "--help"],
        cwd=shop, env=environment(shop), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for option in [argument for argument in arguments if argument.startswith("--")]:
        assert option in done.stdout


def test_names_that_the_page_routes_and_limits_are_those_of_the_tasks(shop):
    payments = importlib.import_module("shop.tasks")
    payments.app.finalize()
    told = set(re.findall(r"payme\.charges\.(?:advance|sweep)\b", PAGE))
    assert told == {name for name in payments.app.tasks if name.startswith("payme.")}
    (rate,) = re.findall(r"`task_annotations = (\{.*?\}\})`", PAGE)
    (routes,) = re.findall(r"`task_routes = (\{.*?\}\})`", PAGE)
    payments.app.conf.update(task_annotations=eval(rate), task_routes=eval(routes))
    route = payments.app.amqp.router.route({}, payments.engine.advance.name)
    assert route["queue"].name == "payments"


def environment(shop):
    paths = os.pathsep.join([str(shop), *sys.path])
    return {**os.environ, "PYTHONPATH": paths}


@pytest.mark.slow
def test_order_charge_and_job_of_the_page_are_stored_together_and_paid(shop, sandbox, monkeypatch):
    with postgres_database() as url:
        monkeypatch.setenv("PAYME_LEDGER", url)
        run_procrastinate(shop, *command("procrastinate --app shop.jobs.app schema"))
        ledger = SqlLedger(url, keys=[os.environ["PAYME_LEDGER_KEY"]])
        database = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        checkout = importlib.import_module("shop.checkout")
        with Payme() as payme, database.begin() as connection:
            charges = Charges(payme, ledger)
            connection.execute(sa.text("CREATE TABLE shop_order (id int)"))
            checkout.place(connection, charges, 106, sandbox.add_card())
        assert not ledger.load("order-106").charge.rests
        worker = command("procrastinate --app shop.jobs.app worker")
        run_procrastinate(shop, *worker, "--one-shot")
        assert ledger.load("order-106").charge.is_paid
        with database.connect() as connection:
            # The sweep may have deferred it again before it was leased.
            left = connection.execute(sa.text("SELECT DISTINCT status FROM procrastinate_jobs"))
            assert set(left.scalars()) <= {"todo"}
        database.dispose()
        ledger.close()


def run_procrastinate(shop, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "procrastinate", *arguments],
        cwd=shop, env=environment(shop), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_file_of_the_engines_is_run_here():
    assert set(FILES) >= ENGINES
    assert {name for name in FILES if "Engine" in FILES[name] or "engine" in FILES[name]} == ENGINES
