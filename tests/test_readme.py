"""Every Python block of the READMEs and the documentation runs, against the sandbox."""

import re
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from payme import configuration
from payme.charges import SqlLedger
from payme.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What an example prints stands behind it, and is read as a promise.
TOLD = re.compile(r"^ *print\(.*\)  # (.*)$", re.MULTILINE)
EXPLAINS = (
    "any method", "istalgan metod", "любой метод", '"90s"',
    "where both ledgers", "ikki daftar", "где расходятся",
)  # fmt: skip
"""Comments behind a `print` which say what it is for, not what it prints."""
# It waits as long as a customer would, until a receipt that was not paid can be given up.
SLOW = ("network.md-1",)


def block_of(page, number, code):
    name = f"{page.relative_to(ROOT)}-{number}"
    marks = [pytest.mark.slow] if name.endswith(SLOW) else []
    return pytest.param(code, id=name, marks=marks)


BLOCKS = [
    block_of(page, number, block)
    for page in PAGES
    if "_build" not in page.parts
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def payme_is_the_sandbox(sandbox, monkeypatch):
    monkeypatch.setenv("PAYME_MERCHANT_ID", sandbox.merchant_id)
    monkeypatch.setenv("PAYME_KEY", sandbox.key)
    monkeypatch.setenv("TEA_KEY", "key-of-the-tea-shop")
    monkeypatch.setenv("BOOK_KEY", "key-of-the-bookshop")
    monkeypatch.setitem(configuration.URLS, "test", sandbox.url)


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs_and_prints_what_it_says(block, sandbox, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # what an example stores
    code = block.replace("https://checkout.test.paycom.uz/api", sandbox.url)
    code = code.replace("paycom-id", sandbox.merchant_id)
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    scope = {"__name__": "__main__", "__file__": str(script)}
    exec(compile(code, str(script), "exec"), scope)
    printed = capsys.readouterr().out
    for told in TOLD.findall(block):
        if not told.startswith(EXPLAINS):
            # Some say why behind a colon, or leave the rest out.
            assert told.rstrip(" …") in printed or told.partition(":")[0] in printed, told
    # An example may leave its database to the end of the program.
    for left in scope.values():
        if isinstance(left, SqlLedger):
            left.close()
        elif isinstance(left, sa.Engine):
            left.dispose()


def test_all_three_readmes_show_the_same_code():
    def code(name):
        blocks = BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))
        return [re.sub(r"\s*#.*", "", block) for block in blocks]

    english = code("README.md")
    assert len(english) >= 6
    assert code("README.uz.md") == english
    assert code("README.ru.md") == english


def test_readme_opens_with_the_two_commands_and_an_example():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("```python") < 800
    assert sys.version_info >= (3, 11)
