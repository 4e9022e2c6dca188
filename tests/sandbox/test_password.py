"""Beyond loopback the dashboard and the control API ask for a password."""

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sandbox_tools import GOOD, Process
from web_tools import api

from payme.sandbox import Sandbox
from payme.sandbox.access import knows, password_for
from payme.sandbox.control import PREFIX
from payme.sandbox.web import routes

PASSWORD = "uzum-va-anor"
CONTROL = ("faults", "clock", "receipts", "cards", "sms", "ledger", "exchanges", "difference")


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[Sandbox]:
    with Sandbox(host="0.0.0.0", password=PASSWORD) as sandbox:
        yield sandbox


def ask(
    sandbox: Sandbox, verb: str, path: str, authorization: str | None = None, body: str = ""
) -> tuple[int, http.client.HTTPMessage, str]:
    # As a neighbour would: the right name of the host proves nothing.
    headers = {"Host": "localhost", "Accept": "text/html", "Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    address = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=20)
    try:
        connection.request(verb, path, body or None, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def basic(password: str, login: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def locked_paths(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Every path of the dashboard and of the control API, from the routes themselves."""
    from payme.sandbox import control

    found = [*control.routes(sandbox), *routes(sandbox, sandbox.service)]
    return [
        (verb, route.path.replace("{id}", "1"))
        for route in found
        for verb in (route.methods or set()) - {"HEAD"}
        if route.path.startswith((PREFIX, "/dashboard"))
        and not route.path.startswith("/dashboard/static")
    ] + [("GET", "/")]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"no colon").decode(),
        basic(""),
        basic(PASSWORD + "x"),
        basic("", login=PASSWORD),
        basic(PASSWORD).replace("Basic", "Bearer"),
        PASSWORD,
    ],
)
def test_nobody_gets_in_without_it(open_to_all: Sandbox, authorization: str | None) -> None:
    paths = locked_paths(open_to_all)
    assert {path.partition("/")[2].partition("/")[0] for _, path in paths} == {
        "_sandbox",
        "dashboard",
        "",
    }
    open_to_all.faults.add("cards.check", action="delay")
    for verb, path in paths:
        status, headers, text = ask(open_to_all, verb, path, authorization, "{}")
        assert status == 401, (verb, path)
        assert headers["WWW-Authenticate"].startswith("Basic ")
        assert open_to_all.key not in text
        assert PASSWORD not in text
    # Nothing was done either.
    assert open_to_all.faults.clear() == 1


def test_with_it_everything_is_there(open_to_all: Sandbox) -> None:
    for path in CONTROL:
        assert ask(open_to_all, "GET", f"{PREFIX}/{path}", basic(PASSWORD))[0] == 200
    for path in ("/", "/dashboard/traffic", "/dashboard/sms"):
        assert ask(open_to_all, "GET", path, basic(PASSWORD, login=""))[0] == 200
    status, _, _ = ask(open_to_all, "POST", f"{PREFIX}/reset", basic(PASSWORD), "{}")
    assert status == 200


def test_what_a_payer_and_a_program_need_stays_open(open_to_all: Sandbox) -> None:
    made = api(open_to_all, "receipts.create", amount=500, account={"order_id": 1})
    receipt = made["receipt"]["_id"]
    for path in (f"/checkout/{receipt}", f"/{receipt}", "/dashboard/static/sandbox.css"):
        assert ask(open_to_all, "GET", path)[0] in {200, 303}, path
    status, _, text = ask(open_to_all, "POST", "/api", body='{"method":"x","params":{}}')
    assert (status, json.loads(text)["error"]["code"]) == (200, -32504)


def test_on_loopback_nobody_is_asked() -> None:
    with Sandbox() as sandbox:
        assert sandbox.password is None
        assert ask(sandbox, "GET", "/")[0] == ask(sandbox, "GET", f"{PREFIX}/clock")[0] == 200


def test_a_password_that_was_chosen_is_asked_for_on_loopback_too() -> None:
    with Sandbox(password=PASSWORD) as sandbox:
        assert ask(sandbox, "GET", "/")[0] == ask(sandbox, "GET", f"{PREFIX}/clock")[0] == 401
        assert ask(sandbox, "GET", "/", basic(PASSWORD))[0] == 200
        assert PASSWORD not in repr(sandbox)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.uz"])
def test_each_sandbox_beyond_loopback_has_its_own(host: str) -> None:
    first, second = password_for(host, None), password_for(host, None)
    assert first is not None
    assert first != second
    assert len(first) >= 16
    assert [password_for(one, None) for one in ("127.0.0.1", "::1", "localhost")] == [None] * 3


@pytest.mark.parametrize("password", [" ", "", 5])
def test_what_is_no_password_is_refused(password: Any) -> None:
    with pytest.raises(ValueError, match="password"):
        Sandbox(host="0.0.0.0", password=password)
    assert not knows("x", [(b"authorization", basic("x").encode())] * 2)


def test_a_seed_does_not_tell_it() -> None:
    boxes = [Sandbox(host="0.0.0.0", seed=7) for _ in range(2)]
    assert boxes[0].key == boxes[1].key
    assert boxes[0].password != boxes[1].password
    for box in boxes:
        box.stop()


def remote(process: Process, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    url = process.field("URL").replace("0.0.0.0", "127.0.0.1")
    command = [sys.executable, "-c", "from payme.cli import main; main()"]
    return subprocess.run(
        [*command, "clock", "show", "--url", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **environment},
    )


def test_the_command_line_prints_it_and_sends_it() -> None:
    with Process("--host", "0.0.0.0", "--port", "0") as process:
        password = process.field("Password")
        done = remote(process, {})
        assert done.returncode == 1
        assert "PAYME_SANDBOX_PASSWORD" in done.stderr
        done = remote(process, {"PAYME_SANDBOX_PASSWORD": password})
        assert (done.returncode, done.stderr) == (0, "")
        assert "running" in done.stdout
        _, out, err = process.stop()
    assert password not in out + err
    with Process("--port", "0") as process:
        assert "Password" not in process.banner


def test_it_is_not_shown_in_the_traffic(open_to_all: Sandbox) -> None:
    open_to_all.handle(json.dumps({"method": PASSWORD, "params": {GOOD: PASSWORD}}).encode(), None)
    assert PASSWORD not in str(open_to_all.traffic.entries())
