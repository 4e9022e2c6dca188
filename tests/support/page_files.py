"""The files that a page of the documentation puts together, where Python finds them."""

import os
import re
import subprocess
import sys

FILE = re.compile(r"^```python file\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files_of(text):
    """Return the files of a page, or of a part of it, by their paths."""
    return dict(FILE.findall(text))


def append(files, folder):
    """Write files into a folder, behind what stands there."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        with target.open("a", encoding="utf-8") as file:
            file.write(text)


def import_from(files, folder, sandbox, key, monkeypatch):
    """Write the files of an engine's page, and set the environment that they ask for."""
    append(files, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    given = {
        "BROKER_URL": "memory://",
        "PAYME_LEDGER": f"sqlite:///{folder / 'payme.db'}",
        "PAYME_LEDGER_KEY": key,
        "PAYME_MERCHANT_ID": sandbox.merchant_id,
        "PAYME_KEY": sandbox.key,
        "PAYME_BASE_URL": sandbox.url,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


def forget(package):
    """Let the next test import a package anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def django_project(files, app, folder, box):
    """Make a Django project of a page's files, migrated and checked.

    Returns:
        A function that runs Python with these arguments in it, and returns what it prints.
    """
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        "PAYME_MERCHANT_ID": box.merchant_id,
        "PAYME_KEY": box.key,
        "PAYME_BASE_URL": box.url,
        "PAYME_LEDGER_KEYS": "A" * 43 + "=",
        "CARD": box.add_card(),
    }
    environment.pop("PAYME_ENVIRONMENT", None)

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "django", "startproject", "project", ".")
    append(files, folder)
    run("manage.py", "makemigrations", app)
    run("manage.py", "migrate", "--verbosity", "0")
    run("manage.py", "check", "--database", "default")
    return run
