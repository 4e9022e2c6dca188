"""The engines' code on the page of subscriptions, and the line for cron: run as the page says."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from datetime import time
from pathlib import Path

import click
import pytest
from cryptography.fernet import Fernet

from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.cli.commands import payme as command_line
from payme.recurring import PeriodState, Recurring
from payme.sandbox import Sandbox
from support.page_files import files_of, forget, import_from
from support.postgres import postgres_database

PAGE = (Path(__file__).parents[2] / "docs" / "en" / "recurring.md").read_text(encoding="utf-8")
FILES = files_of(PAGE)


def command(beginning):
    """The command of the page that begins so, without its program."""
    (found,) = re.findall(rf"^\$ {re.escape(beginning)}(.*)$", PAGE, re.MULTILINE)
    return shlex.split(beginning)[1:] + shlex.split(found)


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def club(sandbox, tmp_path, monkeypatch):
    """The files of the page, where Python finds them, and the environment that they ask for."""
    key = Fernet.generate_key().decode()
    import_from(FILES, tmp_path, sandbox, key, monkeypatch)
    yield tmp_path
    forget("club")


def sign_up(recurring, sandbox):
    recurring.create_all()
    recurring.create(
        "club-17", 5_000_000, {"member": 17}, sandbox.add_card(), missed="latest", at=time(0)
    )


def test_every_file_of_the_page_is_run_here():
    """Or in `test_docs_django_recurring`."""
    django = {"project/settings.py", "club/models.py", "club/views.py"}
    assert {*FILES} == django | {"club/tasks.py", "club/jobs.py"}


def test_a_period_is_paid_by_the_celery_app_of_the_page(club, sandbox):
    tasks = importlib.import_module("club.tasks")
    tasks.app.conf.update(task_always_eager=True, task_eager_propagates=True)
    recurring = tasks.engine._recurring()
    sign_up(recurring, sandbox)
    tasks.engine.tick.apply().get()
    tasks.engine.defer("club-17:0")
    assert [one.state for one in recurring.periods("club-17")] == [PeriodState.PAID]
    told = set(re.findall(r"payme\.charges\.[a-z]+(?=`)", PAGE))
    assert told <= set(tasks.app.tasks)
    recurring._charges._client.close()
    recurring._charges._ledger.close()


@pytest.mark.parametrize(
    "words",
    [
        "celery -A club.tasks worker",
        pytest.param("celery -A club.tasks beat", marks=pytest.mark.slow),
    ],
)
def test_the_commands_of_the_page_start_celery(club, words):
    run("celery", *command(words), "--help")


@pytest.mark.slow
def test_a_period_is_paid_by_the_procrastinate_app_of_the_page(club, sandbox, monkeypatch):
    with postgres_database() as url:
        monkeypatch.setenv("PAYME_LEDGER", url)
        run("procrastinate", "--app", "club.jobs.app", "schema", "--apply")
        ledger = SqlLedger(url, keys=[os.environ["PAYME_LEDGER_KEY"]])
        with Payme() as payme:
            recurring = Recurring(Charges(payme, ledger))
            sign_up(recurring, sandbox)
            jobs = importlib.import_module("club.jobs")
            with jobs.app.open():
                jobs.engine.defer("club-17:0")
            worker = command("procrastinate --app club.jobs.app worker")
            run("procrastinate", *worker, "--one-shot")
            assert [one.state for one in recurring.periods("club-17")] == [PeriodState.PAID]
        ledger.close()


def run(module, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_line_for_cron_names_a_command_and_its_options():
    (line,) = re.findall(r"^\*/5 \* \* \* \* (.*)$", PAGE, re.MULTILINE)
    lock, _, words = line.partition(" payme ")
    # tests/cli/test_recurring_cron.py runs it.
    assert lock.startswith("flock -n -E 0 ")
    group, name, *options = words.split()
    context = click.Context(command_line)
    found = command_line.get_command(context, group).commands[name]
    assert set(options) <= {text for option in found.params for text in option.opts}
