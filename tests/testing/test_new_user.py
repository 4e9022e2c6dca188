"""The package as a new user meets it: a wheel, an empty environment, and the commands we print.

One environment serves every check: the core is installed first, then the sandbox and pytest on top.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BIN = "Scripts" if sys.platform == "win32" else "bin"
TIMEOUT_S = 120

# What would let the checkout or this run shine through into the environment.
_LEAKS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PAYME_")

FOUR_LINES = """\
def test_payment(payme_client, payme_sandbox):
    receipt = payme_client.receipts.create(50_000, {"order_id": 1})
    receipt = payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())
    assert receipt.is_paid
"""

WITH_ASYNCIO = """\
import pytest

@pytest.mark.asyncio
async def test_payment(async_payme_client, payme_sandbox):
    receipt = await async_payme_client.receipts.create(50_000, {"order_id": 1})
    assert (await async_payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())).is_paid
"""


def run(*command, cwd):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_LEAKS)}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


class Newcomer:
    """An empty directory and an environment with nothing of ours but the wheel."""

    def __init__(self, home, wheel):
        self.wheel = wheel
        self.folder = home / "project"
        self.folder.mkdir()
        self.bin = home / "venv" / BIN
        # This run's pip installs into it, which saves the time that a pip of its own takes.
        venv.create(home / "venv", symlinks=sys.platform != "win32")

    def pip_install(self, *requirements):
        pip = sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"
        done = run(*pip, *requirements, cwd=self.folder)
        assert done.returncode == 0, done.stderr

    def run(self, command, *arguments):
        return run(self.bin / command, *arguments, cwd=self.folder)

    def pytest(self, code, *options):
        path = self.folder / "test_shop.py"
        path.write_text(code, encoding="utf-8")
        return self.run("python", "-m", "pytest", "-W", "error", *options, path.name)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = sys.executable, "-m", "pip", "--disable-pip-version-check"
    # The smallest of pytest's requirements: when it can't be had, nothing can.
    probe = run(*pip, "download", "--quiet", "--no-deps", "-d", folder, "iniconfig", cwd=folder)
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["pip failed"])[-1]
        pytest.skip(f"no package index is reachable: {reason}")
    built = run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("payme_uz-*.whl")
    return wheel


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory):
    """The environment after `pip install payme-uz`."""
    newcomer = Newcomer(tmp_path_factory.mktemp("newcomer"), wheel)
    newcomer.pip_install(wheel)
    newcomer.seen = {
        "import": newcomer.run(
            "python", "-c", "import payme; print(payme.Payme('0' * 24, 'k', environment='test'))"
        ),
        "sandbox": newcomer.run("payme", "sandbox"),
        "serve": newcomer.run(
            "python", "-c", "from payme.sandbox import Sandbox as S; S().start()"
        ),
    }
    return newcomer


@pytest.fixture(scope="module")
def newcomer(core):
    """The environment after `pip install "payme-uz[sandbox]" pytest`."""
    core.pip_install(f"{core.wheel}[sandbox]", "pytest")
    return core


def test_the_core_alone_is_imported(core):
    seen = core.seen["import"]
    assert seen.stdout.startswith("Payme("), seen.stderr


def test_the_core_alone_says_how_to_get_the_sandbox(core):
    seen = core.seen["sandbox"]
    assert (seen.returncode, seen.stdout) == (2, "")
    assert re.search(r'pip install "payme-uz\[(cli|sandbox)\]"', seen.stderr)
    assert "Traceback" not in seen.stderr
    assert core.seen["serve"].stderr.rstrip().endswith('pip install "payme-uz[sandbox]"')


def test_four_lines_pass(newcomer):
    assert len(FOUR_LINES.splitlines()) == 4
    done = newcomer.pytest(FOUR_LINES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_first_example_of_the_readme_runs(newcomer):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (newcomer.folder / "example.py").write_text(example[1], encoding="utf-8")
    done = newcomer.run("python", "-W", "error", "example.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PAID ")


def test_the_command_tells_its_version(newcomer):
    (version,) = re.findall(r"payme_uz-(.+?)-", newcomer.wheel.name)
    for command in (["payme"], ["python", "-m", "payme"]):
        done = newcomer.run(*command, "--version")
        assert (done.returncode, done.stdout.strip()) == (0, f"payme {version}")


def test_the_async_client_works_under_pytest_asyncio(newcomer):
    newcomer.pip_install("pytest-asyncio")
    # Older versions want to be told this, and warn until they are.
    scope = "asyncio_default_fixture_loop_scope=function"
    done = newcomer.pytest(WITH_ASYNCIO, "-o", scope)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
