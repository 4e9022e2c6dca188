"""The commands of the page about the grader, run as they stand there."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from flawed_shop import KEY, Shop, serving_shop

from payme.cli.commands import payme

DOCS = Path(__file__).parents[2] / "docs"
SHOP = "https://shop.uz/payme"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(language):
    page = (DOCS / language / "merchant" / "check.md").read_text(encoding="utf-8")
    for block in CONSOLE.findall(page):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "))
            if words[:2] in (["payme", "check-merchant"], ["payme", "trigger"]):
                yield words[1:]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "uz", "ru"])
def test_commands_of_the_page_run(language, tmp_path, monkeypatch):
    monkeypatch.setattr("payme.conformance.endpoint.PAUSE_S", 0.01)
    script = tmp_path / "make-order"
    script.write_text("import random; print(f'order_id={random.randrange(10, 10**6)}')")
    found = list(commands(language))
    assert [words[0] for words in found] == ["check-merchant"] * 2 + ["trigger"] * 3
    for words in found:
        with serving_shop(Shop(orders=10**6 if "--new-order" in words else 9)) as url:
            given = [url if word == SHOP else word for word in words]
            made = f'"{sys.executable}" "{script}"'
            given = [made if word == "./make-order" else word for word in given]
            ended = CliRunner().invoke(payme, given, env={"PAYME_KEY": KEY})
        assert ended.exit_code == 0, ended.output
