"""Web pages of other origins: what a browser is told, and what a page may do."""

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from web_tools import Browser

from payme.sandbox import InvalidSetting, Sandbox

ORIGIN = "https://shop.uz"
CARD = {"number": "8600069195406311", "expire": "0399"}


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> Any:
        return json.loads(self.body)["error"]


def send(sandbox: Sandbox, verb: str, headers: dict[str, str], body: bytes | None = None) -> Got:
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    try:
        connection.request(verb, "/api", body, headers)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Got(response.status, names, response.read())
    finally:
        connection.close()


def preflight(sandbox: Sandbox) -> Got:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-auth"}
    return send(sandbox, "OPTIONS", {"Origin": ORIGIN, **asked})


def call(sandbox: Sandbox, method: str, params: Any, auth: str, origin: str | None = ORIGIN) -> Got:
    headers = {"X-Auth": auth, **({"Origin": origin} if origin else {})}
    body = json.dumps({"id": 1, "method": method, "params": params}).encode()
    return send(sandbox, "POST", headers, body)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def test_a_preflight_is_answered(box: Sandbox) -> None:
    got = preflight(box)
    assert (got.status, got.body) == (204, b"")
    assert got.headers["access-control-allow-origin"] == "*"
    assert got.headers["access-control-allow-methods"] == "POST"
    assert got.headers["access-control-allow-headers"] == "X-Auth, Content-Type"
    assert "access-control-allow-credentials" not in got.headers


def test_a_page_binds_a_card_with_the_id_alone(box: Sandbox) -> None:
    made = call(box, "cards.create", {"card": CARD, "save": True}, box.merchant_id)
    assert made.headers["access-control-allow-origin"] == "*"
    token = json.loads(made.body)["result"]["card"]["token"]
    sent = call(box, "cards.get_verify_code", {"token": token}, box.merchant_id)
    assert json.loads(sent.body)["result"]["sent"] is True
    done = call(box, "cards.verify", {"token": token, "code": "666666"}, box.merchant_id)
    assert json.loads(done.body)["result"]["card"]["verify"] is True


@pytest.mark.parametrize("cors", [True, False])
@pytest.mark.parametrize("key", ["right", "wrong", "empty"])
def test_a_page_that_sends_the_key_is_refused_and_told_why(
    box: Sandbox, key: str, cors: bool
) -> None:
    box.cors = cors
    auth = f"{box.merchant_id}:{({'right': box.key, 'wrong': 'x' * 36, 'empty': ''})[key]}"
    got = call(box, "cards.create", {"card": CARD}, auth)
    assert (got.error["code"], got.error["data"]) == (-32504, "key_in_page")
    assert "web page sent the key" in got.error["message"]
    assert box.cards() == []
    # Its server may.
    assert "result" in json.loads(
        call(box, "cards.create", {"card": CARD}, f"{box.merchant_id}:{box.key}", None).body
    )


@pytest.mark.parametrize("method", ["cards.check", "cards.remove", "receipts.create"])
def test_a_page_may_call_nothing_else(box: Sandbox, method: str) -> None:
    got = call(box, method, {"token": "x"}, box.merchant_id)
    assert got.error["code"] == -32504
    if method.startswith("cards."):
        assert got.error["data"] == "not_for_pages"
        served = call(box, method, {"token": "x"}, box.merchant_id, None)
        assert served.error["code"] == -32500


def test_a_host_without_cors(box: Sandbox) -> None:
    box.cors = False
    got = preflight(box)
    assert (got.status, got.error["code"]) == (200, -32300)
    answered = call(box, "cards.create", {"card": CARD}, box.merchant_id)
    assert not [name for one in (got, answered) for name in one.headers if "allow" in name]


def test_options_without_a_page_is_a_verb_like_any_other(box: Sandbox) -> None:
    for headers in ({}, {"Origin": ORIGIN}, {"Access-Control-Request-Method": "POST"}):
        assert send(box, "OPTIONS", headers).error["code"] == -32300


@pytest.mark.parametrize(
    ("action", "more"), [("http_status", {"status": 503}), ("malformed", {}), ("rpc_error", {})]
)
def test_a_page_may_read_disturbed_answers(box: Sandbox, action: Any, more: Any) -> None:
    box.faults.add("cards.create", when="before", action=action, **more)
    got = call(box, "cards.create", {"card": CARD}, box.merchant_id)
    assert got.headers["access-control-allow-origin"] == "*"


def test_a_page_is_held_to_the_rules_while_a_fault_is_set(box: Sandbox) -> None:
    box.faults.add("cards.create", when="after", action="delay", delay_ms=1)
    got = call(box, "cards.create", {"card": CARD}, f"{box.merchant_id}:{box.key}")
    assert got.error["data"] == "key_in_page"


def test_answers_to_servers_are_as_before(box: Sandbox) -> None:
    got = call(box, "cards.create", {"card": CARD}, box.merchant_id, None)
    assert set(got.headers) <= {"content-type", "content-length", "date"}


def test_the_switch_goes_back_with_a_reset(box: Sandbox) -> None:
    box.cors = False
    box.reset()
    assert box.cors
    with Sandbox(cors=False) as strict:
        strict.cors = True
        strict.reset()
        assert not strict.cors


def test_the_switch_is_a_bool(box: Sandbox) -> None:
    with pytest.raises(InvalidSetting, match="cors"):
        box.cors = "no"  # type: ignore[assignment]


def test_the_switch_of_the_control_api(box: Sandbox) -> None:
    def control(verb: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(box.url).netloc, timeout=10)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(verb, "/_sandbox/cors", sent, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    assert control("GET") == (200, {"allow": True})
    assert control("POST", {"allow": False}) == (200, {"allow": False})
    assert not box.cors
    for wrong in ({}, {"allow": 1}, {"allow": True, "origin": "*"}):
        status, told = control("POST", wrong)
        assert (status, told["error"]["argument"]) == (400, "cors")
    assert not box.cors


def test_the_switch_of_the_dashboard(box: Sandbox) -> None:
    browser = Browser(box)
    page = browser.submit(browser.get("/dashboard/faults"), "/cors", allow="no")
    assert "Calls from pages of other origins are refused" in page.text
    assert not box.cors
    page = browser.submit(page, "/cors", allow="yes")
    assert "Calls from pages of other origins are answered" in page.text
    assert box.cors


def test_the_switch_of_the_command_line() -> None:
    from click.testing import CliRunner

    from payme.cli import sandbox_command, serve

    given: list[Any] = []
    original, serve.run = serve.run, lambda options, *_a, **_k: given.append(options["cors"])
    try:
        for arguments in ([], ["--no-cors"]):
            done = CliRunner().invoke(sandbox_command.sandbox, arguments)
            assert done.exit_code == 0, done.output
    finally:
        serve.run = original
    assert given == [True, False]
