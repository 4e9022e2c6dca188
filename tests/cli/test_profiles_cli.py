"""`payme login` and profiles, and `payme doctor`, each of whose checks is broken here."""

import json
import os
import ssl
import stat
import subprocess
import sys
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time

import pytest
from program_tools import Terminal, environment, process, run, run_json

from payme.sandbox import Sandbox

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


@pytest.fixture
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without credentials in the environment."""
    for name in [one for one in os.environ if one.startswith("PAYME_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PAYME_LANG", "en")
    return tmp_path


def file_of(home):
    return next(home.rglob("profiles.toml"))


def login(box, *more, code=0, key=None):
    arguments = ("login", "--merchant-id", box.merchant_id, "--base-url", box.url, *more)
    return run(*arguments, given=f"{key or box.key}\n", code=code)


LIST = ("receipts", "list", "--from", "2026-01-01")


def test_a_profile_is_kept_and_used(box, home):
    done = login(box)
    assert box.key not in done.output
    assert run_json(*LIST)["count"] == 0
    assert run_json("profiles") == [
        {"profile": "default", "merchant_id": box.merchant_id, "base_url": box.url}
    ]
    assert box.key not in run("profiles").output
    run("logout")
    assert "payme login" in run(*LIST, code=2).stderr
    assert "there is no profile default" in run("logout", code=1).stderr


@POSIX
def test_the_file_is_open_to_its_owner_alone(box, home):
    before = os.umask(0)
    try:
        login(box)
    finally:
        os.umask(before)
    file = file_of(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_read_is_refused(box, home, mode):
    login(box)
    file_of(home).chmod(mode)
    for arguments in (LIST, ("profiles",), ("charges", "run", "--drain"), ("logout",)):
        done = run(*arguments, code=2)
        assert "is open to others" in done.stderr
        assert box.key not in done.output


def test_profiles_by_name(box, home, monkeypatch):
    with Sandbox() as other:
        login(box)
        login(other, "--profile", "shop-2")
        other.add_receipt()
        assert run_json(*LIST, "--profile", "shop-2")["count"] == 1
        assert run_json("--profile", "shop-2", *LIST)["count"] == 1
        assert run_json("receipts", "--profile", "shop-2", *LIST[1:])["count"] == 1
        assert run_json(*LIST)["count"] == 0
        monkeypatch.setenv("PAYME_PROFILE", "shop-2")
        assert run_json(*LIST)["count"] == 1
        assert "there is no profile shop-3" in run(*LIST, "--profile", "shop-3", code=2).stderr
        assert "expected letters" in run(*LIST, "--profile", "../x", code=2).stderr
        # What was lost with a profile is asked about with the same.
        token, receipt = other.add_card(), other.add_receipt()
        other.faults.add("receipts.pay", when="after", action="drop")
        pay = ("receipts", "pay", receipt, "--profile", "shop-2", "--yes")
        told = run_json(*pay, given=token, code=3)["error"]["next"]
        assert told.endswith("--after pay --profile shop-2")


def test_the_environment_comes_before_the_default_profile_and_never_mixes(box, home, monkeypatch):
    with Sandbox() as other:
        login(other)
        other.add_receipt()
        monkeypatch.setenv("PAYME_BASE_URL", box.url)
        done = run(*LIST, code=2)
        assert (
            f"profile default is for {other.url}, and the environment says {box.url}" in done.stderr
        )
        monkeypatch.setenv("PAYME_MERCHANT_ID", box.merchant_id)
        monkeypatch.setenv("PAYME_KEY", box.key)
        assert run_json(*LIST)["count"] == 0


def test_a_key_that_is_refused_or_can_not_be_tried_is_not_stored(box, home):
    assert "refuses the id and the key" in login(box, key="wrong", code=1).stderr
    url = box.url
    box.stop()
    done = run("login", "--merchant-id", "m", "--base-url", url, given="k\n", code=1)
    assert "--no-check" in done.stderr
    assert list(home.rglob("profiles.toml")) == []
    run("login", "--merchant-id", "m", "--base-url", url, "--no-check", given="k\n")
    assert file_of(home)


def test_a_key_is_never_an_argument(box, home):
    done = run("login", "--base-url", box.url, box.key, code=2)
    assert "history" in done.stderr
    assert box.key not in done.output
    assert "no such option" in run("login", "--key", box.key, code=2).stderr


@pytest.mark.parametrize("text", ["[default", '[default]\nkey = "k"\n', "default = 1\n"])
def test_a_damaged_file_is_told(box, home, text):
    login(box)
    file_of(home).write_text(text)
    assert "write it again with payme login" in run(*LIST, code=2).stderr


def test_on_a_terminal_the_key_is_not_shown(box, home):
    arguments = ("login", "--merchant-id", box.merchant_id, "--base-url", box.url)
    terminal = Terminal(*arguments, env=dict(os.environ))
    terminal.until("Key of the cash-box")
    terminal.type(box.key)
    code, _ = terminal.end()
    assert (code, box.key in terminal.seen) == (0, False)


def seen(code=0):
    told = run_json("doctor", "--timeout", "2s", code=code)
    return {one["name"]: one for one in told["checks"]}


def test_all_is_well(box, home):
    login(box)
    found = seen()
    assert {name: one["verdict"] for name, one in found.items()} == {
        "distribution": "ok",
        "credentials": "ok",
        "reachability": "ok",
        "tls": "skipped",
        "clock": "ok",
        "access": "ok",
    }
    text = run("doctor")
    assert "the id and the key are accepted" in text.stdout
    assert box.key not in text.output
    assert box.ledger() == []


def test_no_credentials(home):
    found = seen(code=1)
    assert found["credentials"]["verdict"] == "problem"
    assert "payme login" in found["credentials"]["remedy"]
    assert "access" not in found
    assert run("doctor", code=1).output.count("PAYME_MERCHANT_ID") == 1


@POSIX
def test_a_file_that_others_can_read_is_a_matter_of_its_mode(box, home):
    login(box)
    file_of(home).chmod(0o644)
    found = seen(code=1)["credentials"]
    assert found["seen"].endswith("is open to others (mode 0644)")
    assert found["remedy"].startswith("chmod 600")
    said = run("doctor", code=1).output
    assert "PAYME_" not in said
    assert said.count("chmod 600") == 1


@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_a_list_that_can_not_be_begun_is_an_error_alone(home, monkeypatch, format_):
    monkeypatch.setenv("PAYME_MERCHANT_ID", "m")
    monkeypatch.setenv("PAYME_BASE_URL", "http://127.0.0.1:9/api")
    done = run(*LIST, "--format", format_, code=2)
    assert "needs the key of the cash-box" in done.output
    assert "created" not in done.output
    assert done.output.count("\n") == 1


def test_a_wrong_key(box, home, monkeypatch):
    for name, value in environment(box, PAYME_KEY="wrong").items():
        monkeypatch.setenv(name, value)
    found = seen(code=1)
    assert found["access"]["verdict"] == "problem"
    assert "Check the cash-box id and key" in found["access"]["remedy"]


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:9/api", "does not answer"), ("https://no-such.invalid/api", "no address")],
)
def test_a_host_that_is_not_there(home, monkeypatch, url, said):
    monkeypatch.setenv("PAYME_MERCHANT_ID", "m")
    monkeypatch.setenv("PAYME_KEY", "k")
    monkeypatch.setenv("PAYME_BASE_URL", url)
    found = seen(code=1)
    assert found["reachability"]["verdict"] == "problem"
    assert said in found["reachability"]["seen"]
    assert "access" not in found


class Clock(BaseHTTPRequestHandler):
    skew = 0.0
    posted = 0

    def do_HEAD(self):
        assert self.headers["X-Auth"] is None
        self.send_response_only(405)
        self.send_header("Date", formatdate(time() + self.skew, usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": []}).encode()
        assert body["method"] == "receipts.get_all"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def host(home, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Clock)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("PAYME_MERCHANT_ID", "m")
    monkeypatch.setenv("PAYME_KEY", "k")
    monkeypatch.setenv("PAYME_BASE_URL", f"http://127.0.0.1:{server.server_port}/api")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("skew", "verdict", "said"),
    [
        (0, "ok", "right"),
        (20, "ok", "right"),
        (-20, "ok", "right"),
        (3600, "problem", "s slow"),
        (-3600, "problem", "s fast"),
    ],
)
def test_a_clock_that_is_wrong(host, monkeypatch, skew, verdict, said):
    monkeypatch.setattr(Clock, "skew", skew)
    found = seen(code=1 if verdict == "problem" else 0)
    assert found["clock"]["verdict"] == verdict
    assert said in found["clock"]["seen"]
    assert found["access"]["verdict"] == "ok"


def test_a_certificate_that_nobody_trusts(host, monkeypatch, tmp_path):
    pem = tmp_path / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-keyout", str(pem), "-out", f"{pem}.crt"]
    try:
        subprocess.run(command, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("needs openssl: apt-get install openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pem}.crt", pem)
    host.socket = context.wrap_socket(host.socket, server_side=True, do_handshake_on_connect=False)
    monkeypatch.setenv("PAYME_BASE_URL", f"https://localhost:{host.server_port}/api")
    monkeypatch.setenv("NO_PROXY", "*")
    found = seen(code=1)
    assert found["tls"]["verdict"] == "problem"
    assert "self-signed" in found["tls"]["seen"].replace("self signed", "self-signed")
    assert "SSL_CERT_FILE" in found["tls"]["remedy"]
    assert "access" not in found


def doctor_beside(folder: Path, home) -> dict:
    """Run `payme doctor` where another distribution is installed."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(folder)])}
    done = process("doctor", "--json", env=env)
    return {one["name"]: one for one in json.loads(done.stdout)["checks"]}


def test_another_distribution_that_owns_the_name(home, tmp_path):
    info = tmp_path / "other" / "payme_pkg-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: payme-pkg\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("payme\n")
    found = doctor_beside(info.parent, home)["distribution"]
    assert found["verdict"] == "problem"
    assert "payme-pkg" in found["seen"]
    assert "pip uninstall payme-pkg, then pip install" in found["remedy"]


def test_files_that_were_overwritten(home, tmp_path):
    info = tmp_path / "ours" / "payme_uz-9.0.dist-info"
    (info.parent / "payme").mkdir(parents=True)
    info.mkdir()
    (info.parent / "payme" / "money.py").write_text("changed = True\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: payme-uz\nVersion: 9.0\n")
    (info / "RECORD").write_text("payme/money.py,sha256=AAAA,3\n")
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(["src", str(info.parent), *filter(None, sys.path)]),
    }
    done = process("doctor", "--json", env=env)
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"]}["distribution"]
    assert found["verdict"] == "problem"
    assert "payme/money.py" in found["seen"]
