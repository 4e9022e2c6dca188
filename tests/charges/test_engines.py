"""What both engines share: neither loads the other, and a missing package is named."""

import subprocess
import sys

import pytest

PACKAGES = ("procrastinate", "celery")


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "other"), [PACKAGES, PACKAGES[::-1]])
def test_one_engine_never_loads_the_other(name, other):
    code = f"""
import sys
sys.modules[{other!r}] = None
import payme.charges.engines.{name}
assert {name!r} in sys.modules
assert "payme.charges.engines.{other}" not in sys.modules
"""
    run(code)


def test_charges_load_no_engine():
    code = "import sys, payme.charges; print([n for n in ('celery', 'kombu', 'procrastinate')"
    assert run(f"{code} if n in sys.modules])").strip() == "[]"


@pytest.mark.parametrize(
    ("name", "title"), [("procrastinate", "Procrastinate"), ("celery", "Celery")]
)
def test_a_missing_package_is_named_with_its_extra(name, title):
    code = f"""
import sys
sys.modules[{name!r}] = None
try:
    import payme.charges.engines.{name}
except ImportError as error:
    print(error)
"""
    assert run(code).strip() == (
        f'this module needs {title}: pip install "payme-uz[charges,{name}]"'
    )
