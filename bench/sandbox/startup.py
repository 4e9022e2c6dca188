"""How long the sandbox takes to be there: as a command, and as a pytest fixture."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from tests.support.ports import free_port

from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_MS = 300
FIXTURE_MS = 5
GIVE_UP_S = 20
TESTS = 200
HEADER = ("what", "from, to", "median, ms", "middle half", "most")
NOTES = (
    (
        "The command is timed from the start of the process to the first whole answer of /api, "
        "asked for again and again. The imports are what a server can't do without: they are timed "
        "from the start of a process to its end."
    ),
    (
        f"Fixtures are timed by pytest itself in a run of {TESTS} tests. The first test of a run "
        "loads the sandbox's modules and is listed apart."
    ),
)
RECORDER = """
import json, pathlib
seen = {"setup": [], "teardown": []}
def pytest_runtest_logreport(report):
    if report.when in seen:
        seen[report.when].append(report.duration)
def pytest_sessionfinish():
    pathlib.Path("seen.json").write_text(json.dumps(seen))
"""
TEST = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(number{fixtures}):
    pass
"""
Samples = dict[tuple[str, str], list[float]]
PAYME = ("payme sandbox", "start, first answer")
WITH_FILE = ("payme sandbox --db, {size:,} receipts", "start, first answer")
SANDBOX = ("fixture payme_sandbox", "setup")


def measure(rounds: int, size: int, path: Path) -> Report:
    """Measure starts.

    Args:
        rounds: How many processes of each kind.
        size: Number of receipts in the file.
        path: A database.
    """
    samples: Samples = {}
    for _ in range(rounds):
        for what, took in processes(size, path):
            samples.setdefault(what, []).append(took)
    samples |= dict(fixtures())
    return Report(
        title=f"Sandbox: until it is there; {rounds} rounds",
        header=HEADER,
        rows=[row(what, times) for what, times in samples.items()],
        targets=list(targets(samples, size)),
        notes=NOTES,
    )


def processes(size: int, path: Path) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield what was started and the ms that it took."""
    yield ("python -c pass", "start, end"), ended("pass")
    imports = "import uvicorn, starlette.applications, starlette.routing"
    yield (f"python -c '{imports}'", "start, end"), ended(imports)
    yield PAYME, answered()
    kind, span = WITH_FILE
    yield (kind.format(size=size), span), answered("--db", str(path))


def ended(code: str) -> float:
    """Time an interpreter from start to end, in ms."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - started) * 1e3


def answered(*options: str) -> float:
    """Time `payme sandbox` from start to its first answer, in ms."""
    port = free_port()
    program = Path(sys.executable).with_name("payme")
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(program), "sandbox", "--port", str(port), *options], stdout=subprocess.DEVNULL
    )
    try:
        while not answers(port):
            if process.poll() is not None or time.perf_counter() - started > GIVE_UP_S:
                raise RuntimeError("payme sandbox did not start")
            time.sleep(0.001)
        return (time.perf_counter() - started) * 1e3
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """Return whether a call is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_S)
    try:
        connection.request("POST", "/api", b"{}")
        return b"jsonrpc" in connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()


def fixtures() -> Iterator[tuple[tuple[str, str], list[float]]]:
    """Yield times of fixtures in ms."""
    empty, _ = one_run("")
    yield ("no fixture", "setup"), empty[1:]
    setup, teardown = one_run(", payme_sandbox")
    yield ("first test of a run, with imports", "setup"), setup[:1]
    yield SANDBOX, setup[1:]
    yield ("fixture payme_sandbox", "teardown"), teardown[1:]
    setup, _ = one_run(", payme_client, async_payme_client, payme_clock, payme_faults")
    yield ("all five fixtures", "setup"), setup[1:]


def one_run(fixtures: str) -> tuple[list[float], list[float]]:
    """Run pytest on tests that ask for fixtures; return setup and teardown of each in ms."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "conftest.py").write_text(RECORDER)
        (home / "test_it.py").write_text(TEST.format(tests=TESTS, fixtures=fixtures))
        command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
        subprocess.run(command, cwd=home, env=dict(os.environ), check=True, capture_output=True)
        seen = json.loads((home / "seen.json").read_text())
    return [s * 1e3 for s in seen["setup"]], [s * 1e3 for s in seen["teardown"]]


def row(what: tuple[str, str], times: list[float]) -> list[str]:
    """Return one line of the table."""
    middle = "-"
    if len(times) > 1:
        lower, _, upper = quantiles(times, n=4)
        middle = f"{lower:,.2f} to {upper:,.2f}"
    return [*what, f"{median(times):,.2f}", middle, f"{max(times):,.2f}"]


def targets(samples: Samples, size: int) -> Iterator[Target]:
    """Yield the promises of time."""
    floor = next(times for (what, _), times in samples.items() if "uvicorn" in what)
    with_file = WITH_FILE[0].format(size=size), WITH_FILE[1]
    for what in (PAYME, with_file):
        took = median(samples[what])
        yield Target(
            f"`{what[0]}` answers within {COMMAND_MS} ms",
            f"{took:.0f} ms",
            took < COMMAND_MS,
            f"{median(floor):.0f} ms of it are the interpreter, uvicorn and starlette",
        )
    took = median(samples[SANDBOX])
    yield Target(
        f"fixture payme_sandbox is set up within {FIXTURE_MS} ms",
        f"{took:.2f} ms",
        took < FIXTURE_MS,
    )
