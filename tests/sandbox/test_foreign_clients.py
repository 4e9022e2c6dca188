"""Clients that others wrote, from PyPI and in an environment of their own, are served."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from payme.sandbox import Sandbox

FLOWS = Path(__file__).parent / "foreign_flows.py"
BIN = "Scripts" if sys.platform == "win32" else "bin"
CLIENTS = {"payme-pkg": "3.4.1", "tolov": "2.2.0", "paytechuz": "0.4.1"}

# What each sends and Payme's pages do not have.
LET_PASS = {
    "payme-pkg": {"detail.key", "detail.receipt_type"},
    "tolov": {"phone", "callback_url", "expire_minutes", "detail.receipt_type", "reason"},
    "paytechuz": {"phone", "callback_url", "expire_minutes", "detail.receipt_type", "reason"},
}


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    # Another distribution owns the name `payme` there, too.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PAYME"))}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = tmp_path_factory.mktemp("others")
    venv.create(home, symlinks=sys.platform != "win32")
    interpreter = str(home / BIN / "python")
    wanted = [f"{name}=={version}" for name, version in CLIENTS.items()]
    done = run(sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", *wanted)
    if done.returncode:
        pytest.skip(f"PyPI does not give {', '.join(wanted)}: {done.stderr.strip()[-200:]}")
    return interpreter


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_a_foreign_client_is_served_to_the_end(python: str, client: str) -> None:
    with Sandbox() as sandbox:
        done = run(python, str(FLOWS), sandbox.url, sandbox.merchant_id, sandbox.key, client)
        entries = sandbox.traffic.entries()
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), done.stderr
    remarks = [remark for entry in entries for remark in entry.remarks]
    assert {remark.partition(" param ")[2].partition(":")[0] for remark in remarks} == LET_PASS[
        client
    ]
    assert not [entry.code for entry in entries if entry.refused]


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_a_strict_sandbox_stops_it(python: str, client: str) -> None:
    with Sandbox(strict=True) as sandbox:
        done = run(python, str(FLOWS), sandbox.url, sandbox.merchant_id, sandbox.key, client)
        codes = {entry.code for entry in sandbox.traffic.entries() if entry.refused}
    assert done.returncode == 1
    assert codes == {-32602}
