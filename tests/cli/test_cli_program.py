"""The program as a whole: its tree of commands, its languages, its errors, how fast it starts."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from program_tools import PROGRAM, environment, process, run, run_json

from payme import checkout
from payme.cli import serve
from payme.cli.commands import COMMANDS, payme
from payme.cli.words import language
from payme.errors.catalogue import ENTRIES
from payme.sandbox import Sandbox
from payme.sandbox.engine import fault_rules

DOCS = Path(__file__).parents[2] / "docs"
TYPED = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def leaves(command, path=("payme",)):
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
        if not command.invoke_without_command:
            return
    yield path, command


EVERY = dict(leaves(payme))
NAMES = [" ".join(path) for path in EVERY]


def test_every_command_of_the_list_can_be_loaded():
    for name, lazy in COMMANDS.items():
        assert payme.get_command(click.Context(payme), name).name == name
        assert all((lazy.uz, lazy.ru, lazy.en))
    assert len(EVERY) > 40


@pytest.mark.parametrize("path", EVERY, ids=NAMES)
def test_every_command_prints_json_and_tells_what_its_options_are(path):
    command = EVERY[path]
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert "--json" in {name for one in options for name in one.opts}
    assert command.help
    assert [one.name for one in options if not one.help and one.name != "months"] == []
    assert not {"--key", "--token", "--number", "--code"} & {
        name for one in options for name in one.opts if path[1] in ("cards", "login", "link")
    }


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_every_command_is_documented(language):
    page = (DOCS / language / "cli.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in page] == []
    named = set(re.findall(r"`(payme(?: [a-z-]+)+)`", page))
    groups = {" ".join(path[:n]) for path in EVERY for n in range(1, len(path))}
    assert named - set(NAMES) - groups == set()


def typed_commands():
    """Every line of a page that calls `payme`, without what a shell does with it."""
    for page in [*DOCS.rglob("*.md"), *DOCS.parent.glob("README*.md")]:
        for block in TYPED.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                called = re.search(
                    r"(?:^|(?<!--queues)[ (])payme ([^>)]+)", line.partition(" # ")[0]
                )
                # Of crontab and `printf … |`, too; not what a command prints.
                if called and re.match(r"\$ |\* |payme ", line):
                    yield called[1].strip()


def parsed(command, words, context=None):
    """Take the words as the program does, and stop before anything is done."""
    context = command.make_context("payme", words, parent=context)
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        _, found, rest = command.resolve_command(context, rest)
        return parsed(found, rest, context)
    return context


def test_every_command_that_a_page_shows_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "club.csv").touch()
    shop = SimpleNamespace(
        merchant=SimpleNamespace(expire=print), outbox=SimpleNamespace(relay=print)
    )
    monkeypatch.setitem(sys.modules, "shop.main", shop)
    shown = sorted(set(typed_commands()))
    assert len(shown) >= 40
    for line in shown:
        try:
            with parsed(payme, shlex.split(line)) as context:
                given = context.params
        except click.exceptions.Exit:  # --help
            continue
        except click.UsageError as error:
            pytest.fail(f"payme {line}: {error.format_message()}")
        if line.startswith("faults add"):
            fault_rules.from_text(" ".join(given["rule"]))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "uz_UZ.UTF-8"}, "uz"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "uz_UZ", "LC_MESSAGES": "ru_RU"}, "ru"),
        ({"LANG": "ru_RU", "PAYME_LANG": "uz"}, "uz"),
        ({"LANG": "ru_RU", "PAYME_LANG": "de"}, "ru"),
        ({"LANG": "run"}, "en"),
        ({"LANG": "Russian_Russia.1251"}, "ru"),
    ],
)
def test_the_language_is_chosen(monkeypatch, variables, expected):
    for name in ("PAYME_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


@pytest.mark.parametrize(
    ("name", "usage", "error"),
    [("uz", "Foydalanish:", "Xato:"), ("ru", "Использование:", "Ошибка:")],
)
def test_help_and_errors_are_in_the_language(name, usage, error):
    env = {**os.environ, "PAYME_LANG": name}
    said = process("receipts", "get-all", "--help", env=env).stdout
    assert said.startswith(usage)
    assert not {"required", "default", "Show this message"} & set(re.split(r"[\[\]:]|\n *", said))
    assert COMMANDS["receipts"][1 if name == "uz" else 2] in process("--help", env=env).stdout
    done = process("receipts", "get", env=env)
    assert error in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("recipts",), "no such command: recipts (did you mean: receipts)"),
        (("receipts", "pays"), "no such command: pays (did you mean: pay)"),
        (("receipts", "get"), "missing: ID"),
        (("receipts", "get", "x", "--jsn"), "no such option: --jsn"),
        (("link", "--amount", "x", "--account", "a=1"), "--amount"),
        (("clock", "advance", "10"), 'say "10s"'),
        (("sandbox", "--receipt-ttl", "10"), 'say "10s"'),
        (("sandbox", "--progression", "clock:10"), 'say "10s"'),
        (("sandbox", "--fault", "receipts.pay before delay delay=10"), 'say "10s"'),
        (("faults", "add", "receipts.pay", "after", "drop", "advance=10"), 'say "10s"'),
        (("sandbox", "--min-amount", "6", "--max-amount", "5"), "is above --max-amount (5)"),
        (("sandbox", "--merchant-key", "x"), "no such option: --merchant-key"),
        (("charges", "confirm", "x", "--wait", "10"), 'say "10s"'),
        (("doctor", "browser", "--timeout", "10"), 'say "10s"'),
        (("trigger", "X", "http://127.0.0.1", "--timeout", "1h10"), "expected a span of time"),
    ],
)
def test_misuse_is_two_and_one_value_as_json(arguments, said, monkeypatch):
    monkeypatch.setenv("PAYME_LANG", "en")
    done = run(*arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""
    done = run(*arguments, "--json", code=2)
    assert done.stderr == ""
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("usage", 2)
    assert said in error["message"]


NOWHERE = "http://127.0.0.1:9"
GO_WRONG = [
    (("faults", "list", "--url", "x"), 2, "manzil boʻlishi kerak", "должен быть адресом"),
    (("clock", "show", "--url", NOWHERE), 1, "sandbox javob bermayapti", "не отвечает"),
    (("sandbox", "--account-field", "a=b;c"), 2, "NOM=SARLAVHA", "ИМЯ=НАЗВАНИЕ"),
    (("trigger", "X", NOWHERE, "--params", "1"), 2, "obyekti kutilgan", "ожидался объект JSON"),
    (("trigger", "X", NOWHERE, "--params", "{"), 2, "JSON emas", "не JSON"),
    (("merchant", "expire", "shop"), 2, "MODUL:NOM", "МОДУЛЬ:ИМЯ"),
    (("merchant", "expire", "json:loads"), 2, "kutilgani", "найдено function"),
    (("recurring", "adopt"), 2, "ikkalasini emas", "не то и другое"),
    (("recurring", "due", "--at", "noon"), 2, "mintaqasi bilan", "с часовым поясом"),
    (("trigger", "X", NOWHERE, "--account", "7"), 2, "MAYDON=QIYMAT", "ПОЛЕ=ЗНАЧЕНИЕ"),
    (("doctor", "browser", "--origin", "shop"), 2, "server nomi kutilgan", "имя сервера"),
    (("receipts", "list", "--from", "x"), 2, "'x' berilgan, 2026-11-01 kabi", "указано 'x', ож"),
    (("charges", "audit", "--from", "2"), 2, "'2' berilgan", "указано '2', ожидалось: дата"),
    (("recipts",), 2, "bunday buyruq yoʻq: recipts (balki: receipts)", "нет такой команды"),
    (("receipts", "get", "x", "y"), 2, "ortiqcha argument: y", "лишний аргумент: y"),
    (("receipts", "get", "x", "--timeout"), 2, "qiymat kutilgan", "ожидалось значение"),
    (("receipts", "get", "x", "--json=1"), 2, "qiymat olmaydi", "не принимает значения"),
    (("link", "--amount", "x"), 2, "'x': butun son kutilgan", "'x': ожидалось целое число"),
    (("link", "--amount", "0"), 2, "0 x>=1 oraligʻida emas", "0 вне диапазона x>=1"),
    (("charges", "run", "--per-second", "x"), 2, "son kutilgan", "ожидалось число"),
    (("link", "--qr", "/"), 2, "'/' papka", "'/' — это папка"),
    (("link", "--language", "de"), 2, "biri kutilgan: 'uz'", "ожидалось одно из: 'uz'"),
    (("check-merchant", NOWHERE, "--amount", "1"), 2, "ikkalasini emas", "не то и другое"),
]


@pytest.mark.parametrize(("arguments", "code", "uz", "ru"), GO_WRONG)
def test_what_goes_wrong_is_said_in_the_language(arguments, code, uz, ru, monkeypatch):
    monkeypatch.setenv("PAYME_KEY", "key-key-key-key")
    for name, said in (("uz", uz), ("ru", ru)):
        monkeypatch.setenv("PAYME_LANG", name)
        assert said in run(*arguments, code=code).stderr


def test_scenarios_are_listed_where_the_terminal_has_no_cyrillic():
    env = {**os.environ, "PAYME_LANG": "ru", "PYTHONIOENCODING": "ascii"}
    done = process("sandbox", "--scenarios", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "попробуйте" in done.stdout


def test_after_two_hyphens_json_is_no_option():
    done = run("errors", "--", "--json", code=2)
    assert done.stdout == ""


def test_a_defect_is_not_hidden(monkeypatch):
    monkeypatch.setattr("payme.cli.error_codes._number", lambda _code: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("errors", "1")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.code} {entry.kind}")
def test_every_code_is_explained_with_and_without_its_hyphen(entry, monkeypatch):
    for name in ("uz", "ru", "en"):
        monkeypatch.setenv("PAYME_LANG", name)
        said = run("errors", str(entry.code)).stdout
        assert entry.text._asdict()[name] in said
        assert entry.remedy._asdict()[name] in said
        assert run("errors", str(-entry.code)).stdout == said
        assert not set("?|\\^$*") & set(said), "a pattern is no text for people"
    told = run_json("errors", str(entry.code))
    assert {one["class"] for one in told} >= {entry.kind}


def test_codes_that_are_none(monkeypatch):
    monkeypatch.setenv("PAYME_LANG", "en")
    assert "is not in the catalogue" in run("errors", "-1", code=1).stderr
    assert "expected a code" in run("errors", "money", code=2).stderr
    assert run("errors").stdout.count("\n") == len(ENTRIES)


ID = "587f72c72cac0d162c722ae2"
LINK = ("link", "--amount", "500", "--account", "order_id=197")


def test_a_link_says_what_was_given(monkeypatch, tmp_path):
    monkeypatch.setenv("PAYME_MERCHANT_ID", ID)
    monkeypatch.delenv("PAYME_BASE_URL", raising=False)
    monkeypatch.setenv("PAYME_ENVIRONMENT", "production")
    expected = "https://checkout.paycom.uz/bT01ODdmNzJjNzJjYWMwZDE2MmM3MjJhZTI7YWMub3JkZXJfaWQ9MTk3O2E9NTAw"
    assert run(*LINK).stdout == f"{expected}\n"
    assert run_json(*LINK) == {"url": expected}
    callback = ("--callback", "https://shop.uz", "--callback-timeout", "15s", "--language", "uz")
    found = checkout.parse_link(run(*LINK, *callback).stdout.strip())
    assert (found.callback_timeout, found.language) == (15_000, "uz")
    monkeypatch.setenv("PAYME_ENVIRONMENT", "test")
    assert run(*LINK).stdout.startswith("https://test.paycom.uz/")
    receipt = "5e730e8e0b852a417aa49ceb"
    assert run("link", "--receipt", receipt).stdout.endswith(f"paycom.uz/{receipt}\n")
    file = tmp_path / "code.svg"
    run(*LINK, "--qr", str(file))
    assert file.read_text().startswith("<svg")


@pytest.mark.parametrize(
    "arguments",
    [
        ("link",),
        LINK[:3],
        ("link", *LINK[3:]),
        (*LINK, "--receipt", ID),
        (*LINK, "--callback", "x"),
    ],
)
def test_a_link_that_can_not_be_made(monkeypatch, arguments):
    monkeypatch.setenv("PAYME_MERCHANT_ID", ID)
    monkeypatch.setenv("PAYME_ENVIRONMENT", "test")
    assert run(*arguments, code=2).stdout == ""


def test_a_link_of_the_sandbox_opens_its_page():
    with Sandbox() as box:
        assert run(*LINK, env=environment(box)).stdout.startswith(
            f"{box.url.removesuffix('/api')}/"
        )


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("segno", (*LINK, "--merchant-id", ID, "--qr", "x.svg"), "cli,qr"),
        ("sqlalchemy", ("charges", "list"), "cli,charges"),
        ("sqlalchemy", ("recurring", "due"), "cli,charges"),
        ("starlette", ("sandbox", "--port", "0"), "sandbox"),
        ("httpcore2", ("trigger", "GetStatement", "http://127.0.0.1:9"), "cli"),
    ],
)
def test_a_missing_extra_is_named(module, arguments, extra):
    code = f"import sys; sys.modules[{module!r}] = None; from payme.cli import main; main()"
    env = {**os.environ, "PAYME_LANG": "en", "PAYME_ENVIRONMENT": "test", "PAYME_KEY": "k"}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert f'pip install "payme-uz[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_without_click_the_extra_is_named_in_the_language():
    code = "import sys; sys.modules['click'] = None; from payme.cli import main; main()"
    env = {**os.environ, "PAYME_LANG": "ru"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 2
    assert done.stderr == 'payme: команде payme нужны click и rich: pip install "payme-uz[cli]"\n'


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("sqlalchemy", ("charges", "list"), "charges"),
        ("starlette", ("sandbox", "--port", "0"), "sandbox"),
        ("segno", (*LINK, "--merchant-id", ID, "--qr", "x.svg"), "qr"),
    ],
)
def test_a_missing_extra_is_a_kind_of_its_own_in_json(module, arguments, extra):
    code = f"import sys; sys.modules[{module!r}] = None; from payme.cli import main; main()"
    env = {**os.environ, "PAYME_LANG": "ru", "PAYME_ENVIRONMENT": "test"}
    command = [sys.executable, "-c", code, *arguments, "--json"]
    error = json.loads(subprocess.run(command, capture_output=True, env=env).stdout)["error"]
    assert (error["kind"], error["exit_code"], error["extra"]) == ("extra", 2, extra)
    assert error["message"].startswith(f"для payme {arguments[0]} нуж")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    script = run("completion", shell).stdout
    assert "_PAYME_COMPLETE" in script
    assert run_json("completion", shell)["script"] in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash: apt-get install bash")
def test_bash_completes(tmp_path):
    launcher = tmp_path / "payme"
    launcher.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    launcher.chmod(0o755)
    typed = """
    eval "$(payme completion bash)"
    complete_it() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
      _payme_completion payme; echo "${COMPREPLY[@]}"; }
    complete_it payme rec
    complete_it payme receipts con
    complete_it payme receipts list --fo
    """
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, env=env)
    assert done.stdout.split("\n")[:3] == ["receipts recurring", "confirm-hold", "--format"]


def test_help_loads_no_command():
    code = """
import sys
from payme.cli.commands import payme
payme.main(["--help"], standalone_mode=False)
heavy = ("msgspec", "rich", "sqlalchemy", "httptools", "asyncio", "ssl", "jinja2")
ours = ("payme.sandbox", "payme.client", "payme.charges", "payme.errors")
print([one for one in sys.modules if one.split(".")[0] in heavy or one.startswith(ours)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_quick():
    """Not much more than click itself takes; a ratio, since machines differ."""

    def best(*arguments):
        times = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True)
            times.append(time.perf_counter() - began)
        return min(times)

    assert best("-m", "payme", "--help") < 3 * best("-c", "import click")


def test_the_sandbox_prints_one_value_as_json():
    command = [*PROGRAM, "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        told = json.loads(sandbox.stdout.readline())
        env = {**os.environ, "PAYME_MERCHANT_ID": told["merchant_id"], "PAYME_KEY": told["key"]}
        env |= {"PAYME_BASE_URL": told["url"], "PAYME_LANG": "en"}
        assert run_json("receipts", "list", "--from", "2026-01-01", env=env)["count"] == 0
        assert run_json("faults", "list", "--url", told["url"]) == []
        assert run_json("clock", "freeze", "--url", told["url"])["frozen"] is True
        added = run_json("faults", "add", "receipts.pay after drop", "--url", told["url"])
        assert added["method"] == "receipts.pay"
        assert run_json("faults", "clear", "--url", told["url"]) == {"removed": 1}
        sandbox.terminate()
        assert sandbox.stdout.read() == ""


@pytest.mark.parametrize("options", [(), ("--merchant-url", "http://127.0.0.1:9/payme")])
def test_the_sandbox_takes_the_key_of_a_billing_from_the_environment_alone(options, monkeypatch):
    given = []
    monkeypatch.setattr(serve, "run", lambda settings, *_, **__: given.append(settings))
    run("sandbox", *options, env={"PAYME_MERCHANT_KEY": "swordfish"})
    assert given[0]["merchant_key"] == "swordfish"
    Sandbox(**given[0]).stop()
