import json
import signal
import socket
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console
from sandbox_tools import GOOD, Process

from payme.cli.serve import access_line, cards_table
from payme.sandbox import Sandbox
from payme.sandbox.engine import Answer, Reason


def payme(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from payme.cli import main; main()", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def test_version() -> None:
    done = payme("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("payme 0.")


def test_the_command_line_loads_neither_an_http_client_nor_a_server() -> None:
    code = "import sys, payme.cli.commands; print({'httpcore2', 'uvicorn'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True, timeout=20).strip() == "set()"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_banner_calls_and_a_clean_stop(number: int) -> None:
    with Process("--port", "0", "--account-field", "order_id", "--max-amount", "100") as process:
        merchant, key = process.field("Merchant ID"), process.field("Key")
        url = urlsplit(process.field("URL"))
        assert (url.hostname, url.path) == ("127.0.0.1", "/api")
        assert process.field("SMS code") == "666666"
        assert GOOD in process.banner
        assert "Payme(" in process.banner
        auth = f"{merchant}:{key}"
        card = {"number": GOOD, "expire": "0399"}
        create = {"id": 1, "method": "cards.create", "params": {"card": card}}
        token = process.post(json.dumps(create).encode(), auth)["result"]["card"]["token"]
        for account, amount, code in (
            ({"order_id": 1}, 100, None),
            ({"order": 1}, 100, -31610),
            ({"order_id": 1}, 101, -31612),
        ):
            params = {"amount": amount, "account": account}
            call = {"method": "receipts.create", "params": params}
            answer = process.post(json.dumps(call).encode(), auth)
            assert answer.get("error", {}).get("code") == code
        process.post(b'{"method":"8600069195406311","params":{}}', auth)
        returncode, out, err = process.stop(number)
    assert (returncode, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "Stopped."
    assert "cards.create" in lines[0]
    assert lines[0].endswith("ok")
    assert lines[2].endswith("-31610 wrong_account")
    for secret in (token, key, GOOD, "666666", "0399"):
        assert secret not in out


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("uz", ("haqiqiy pul yechilmaydi", "  Kalit  ", "toʻlaydi, Humo kartasi (payme-uz")),
        ("ru", ("деньги здесь не списываются", "  Ключ  ", "платит, карта Humo (добавлена")),
    ],
)
def test_the_banner_in_the_language(
    language: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYME_LANG", language)
    with Process("--port", "0", "--key", "a-key-of-my-own") as process:
        assert process.stop()[0] == 0
    for one in (*words, "a-key-of-my-own", GOOD, "666666"):
        assert one in process.banner
    for english in ("money", "Key", "Test cards", "pays", "expire"):
        assert english not in process.banner


def test_the_banner_says_which_cards_the_tester_set() -> None:
    with Process("--port", "0", "--card", f"{GOOD}=slow") as process:
        process.stop()
    lines = {line.split()[0]: line for line in process.banner.splitlines() if "   0399 " in line}
    assert "(set by you)" in lines[GOOD]
    assert "(payme-uz's own)" in lines["8600318600000007"]
    assert "(" not in lines["8600495473316478"]


def test_card_numbers_are_whole_on_a_narrow_terminal() -> None:
    printed = StringIO()
    Console(file=printed, width=45).print(cards_table(Sandbox()))
    assert GOOD in printed.getvalue()
    assert "0399" in printed.getvalue()


def test_quiet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Process("--quiet", "--port", str(port), ready="") as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except ConnectionRefusedError:
                assert process.process.poll() is None
        assert process.stop() == (0, "", "")


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = payme("sandbox", "--port", str(port))
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_other_failures(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("no database " * 100)
    done = payme("sandbox", "--port", "0", "--db", str(path))
    assert (done.returncode, "state.db" in done.stderr) == (1, True)
    done = payme("sandbox", "--port", "0", "--merchant-id", "a:b")
    assert (done.returncode, "colon" in done.stderr) == (2, True)


def test_a_host_that_others_can_reach_warns() -> None:
    with Process("--host", "0.0.0.0", "--port", "0") as process:
        _, _, err = process.stop()
    assert "Warning" in err


def test_loopback() -> None:
    from payme.cli.serve import is_loopback

    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.0.1", "::", "example.uz", "")))


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_its_libraries(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from payme.cli import main; main()"
    command = [sys.executable, "-c", code, "sandbox"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "payme-uz[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_access_line() -> None:
    refused = Answer(b"", 0, "receipts.pay", "a" * 24, -31602, Reason.NOT_PAYABLE)
    assert access_line(refused, "12:00:00").plain.split() == [
        "12:00:00",
        "receipts.pay",
        "a" * 24,
        "-31602",
        "not_payable",
    ]
    assert access_line(Answer(b""), "12:00:00").plain.split() == ["12:00:00", "-", "-", "ok"]


def test_access_line_names_the_cash_box() -> None:
    answer = Answer(b"", remarks=("the disk is full",), fault="after drop")
    first, second = access_line(answer, "12:00:00", f"Books {GOOD}").plain.splitlines()
    assert first.endswith("ok  (Books 860006******6311)")
    assert second.endswith("the disk is full  [after drop]")


@pytest.mark.parametrize("several", [True, False])
def test_a_call_names_its_cash_box_where_there_are_several(several: bool) -> None:
    options = ["--cash-box", "id=books key=secret name='Books & tea'"] if several else []
    with Process("--port", "0", "--merchant-id", "tea", "--key", "k", *options) as process:
        body = b'{"id":1,"method":"receipts.get","params":{"id":"000000000000000000000000"}}'
        credentials = ["tea:k", *(["books:secret"] if several else []), "nobody:x"]
        for one in credentials:
            process.post(body, one)
        assert process.process.stdout is not None
        lines = [process.process.stdout.readline().strip() for _ in credentials]
    names = ["  (test)", "  (Books & tea)", ""] if several else ["", ""]
    for line, name in zip(lines, names, strict=True):
        assert "receipts.get" in line
        assert line.endswith(name)
        assert ("(" in line) == bool(name)


@pytest.mark.slow
def test_it_serves_and_stops_when_nobody_reads_what_it_prints() -> None:
    body = b'{"id":1,"method":"receipts.get","params":{"id":"000000000000000000000000"}}'
    with Process("--port", "0") as process:
        auth = f"{process.field('Merchant ID')}:{process.field('Key')}"
        # 2,000 lines are three times what a pipe holds; the pipe is not read in the meantime.
        for _ in range(2000):
            assert process.post(body, auth)["error"]["code"] == -31602
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(timeout=20) == 0


def test_it_serves_on_when_whoever_read_has_gone() -> None:
    body = b'{"id":1,"method":"receipts.get","params":{"id":"000000000000000000000000"}}'
    with Process("--port", "0") as process:
        auth = f"{process.field('Merchant ID')}:{process.field('Key')}"
        assert process.process.stdout is not None
        process.process.stdout.close()
        for _ in range(3):
            assert process.post(body, auth)["error"]["code"] == -31602
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(timeout=20) == 0
        assert process.process.stderr is not None
        assert process.process.stderr.read() == ""
        process.process.stdout = None


def test_a_remark_stands_below_its_call_without_secrets() -> None:
    answer = Answer(b"", remarks=("the disk is full", f"not {GOOD}"))
    first, second, third = access_line(answer, "12:00:00").plain.splitlines()
    assert first.endswith("ok")
    assert second.strip() == "the disk is full"
    assert third.strip() == "not 860006******6311"


@pytest.mark.slow
def test_a_file_that_another_program_holds_is_said(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    done = payme("sandbox", "--port", "0", "--db", str(path))
    other.close()
    assert done.returncode != 0
    assert "another program has it open" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_card_does_what_the_command_line_says() -> None:
    own = "8600111122223333"
    with Process("--port", "0", "--card", f"{own}/0328=-31630", "--card", f"{GOOD}=blocked") as one:
        auth = f"{one.field('Merchant ID')}:{one.field('Key')}"
        for number, expire, code in (
            (own, "0328", None),
            (own, "0399", -31300),
            (GOOD, "0399", -31301),
        ):
            card = {"number": number, "expire": expire}
            call = {"method": "cards.create", "params": {"card": card}}
            answer = one.post(json.dumps(call).encode(), auth)
            assert answer.get("error", {}).get("code") == code
        assert f"{own}" in one.banner
        assert "-31630" in one.banner
    done = payme("sandbox", "--card", f"{own}=free")
    assert done.returncode == 2
    assert "answer_lost" in done.stderr
    assert own not in done.stderr
