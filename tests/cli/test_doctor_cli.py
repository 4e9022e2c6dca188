"""`payme doctor browser`: what a browser makes of a host, and what is said of it."""

import json
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from payme.cli.commands import payme
from payme.cli.doctor import judge
from payme.sandbox import Sandbox

ORIGIN = "https://shop.example"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(payme, ["doctor", "browser", *arguments])


def test_the_sandbox_lets_a_page_in() -> None:
    with Sandbox() as box:
        done = run("--endpoint", box.url)
        assert done.exit_code == 0
        assert "works: the host allows" in done.output
        assert "access-control-allow-headers: X-Auth, Content-Type" in done.output
        assert "no promise" in done.output
        box.cors = False
        done = run("--endpoint", box.url, "--json")
        assert done.exit_code == 1
        told = json.loads(done.output)
        assert (told["verdict"], told["status"], told["allows"]) == ("refused", 200, {})
        assert "Access-Control-Allow-Origin" in told["why"]


def test_nobody_answers() -> None:
    with Sandbox() as box:
        url = box.url
    done = run("--endpoint", url, "--timeout", "2s", "--json")
    assert done.exit_code == 3
    assert json.loads(done.output)["verdict"] == "no_answer"
    assert json.loads(done.output)["status"] is None


@pytest.mark.parametrize(
    ("language", "said"), [("uz", "hech kim javob bermadi"), ("ru", "никто не ответил")]
)
def test_what_was_seen_is_said_in_the_language(
    monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    monkeypatch.setenv("PAYME_LANG", language)
    assert said in run("--endpoint", "http://127.0.0.1:9/api", "--timeout", "2s").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--endpoint", "http://shop.uz/api"),
        ("--endpoint", "ftp://shop.uz"),
        ("--endpoint", "lives"),
        ("--origin", "shop.uz"),
        ("--origin", "https://shop.uz/path"),
        ("--timeout", "0"),
        ("--timeout", "nan"),
    ],
)
def test_what_can_not_be_asked(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert arguments[0].strip("-") in done.output


@pytest.mark.parametrize(
    ("status", "headers", "verdict"),
    [
        (204, {"Origin": "*", "Headers": "X-Auth"}, "works"),
        (200, {"Origin": ORIGIN, "Headers": "content-type, X-AUTH"}, "works"),
        (200, {"Origin": "*", "Headers": "*"}, "works"),
        (200, {"Origin": "*"}, "refused"),
        (200, {"Origin": "*", "Headers": "content-type"}, "refused"),
        (200, {"Origin": "https://other.example", "Headers": "x-auth"}, "refused"),
        (200, {"Origin": f"{ORIGIN}/", "Headers": "x-auth"}, "refused"),
        (200, {"Origin": "null", "Headers": "x-auth"}, "refused"),
        (200, {"Headers": "x-auth"}, "refused"),
        (200, {}, "refused"),
        (302, {"Origin": "*", "Headers": "x-auth"}, "refused"),
        (405, {"Origin": "*", "Headers": "x-auth"}, "refused"),
        (500, {}, "refused"),
    ],
)
def test_an_answer_is_read_as_a_browser_reads_it(
    status: int, headers: dict[str, str], verdict: str
) -> None:
    message = Message()
    for name, value in headers.items():
        message[f"Access-Control-Allow-{name}"] = value
    assert judge(status, message, ORIGIN).verdict == verdict


def test_the_header_twice_is_no_origin() -> None:
    message = Message()
    message["Access-Control-Allow-Origin"] = "*"
    message["access-control-allow-origin"] = "*"
    message["Access-Control-Allow-Headers"] = "x-auth"
    assert judge(204, message, ORIGIN).verdict == "refused"


@pytest.fixture
def host() -> Iterator[Any]:
    seen: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            seen.append((self.command, self.path, dict(self.headers.items())))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_request_without_a_credential_and_no_redirect(host: Any) -> None:
    url, seen = host
    done = run("--endpoint", url, "--origin", "https://shop.uz")
    assert done.exit_code == 1
    assert "status 302" in done.output
    ((verb, path, headers),) = seen
    assert (verb, path) == ("OPTIONS", "/api")
    assert headers["Origin"] == "https://shop.uz"
    assert headers["Access-Control-Request-Method"] == "POST"
    assert headers["Access-Control-Request-Headers"] == "x-auth"
    assert not {"X-Auth", "Cookie", "Authorization"} & set(headers)
