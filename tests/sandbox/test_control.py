"""The control API: what it shows, what it changes, and whom it turns away."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_tools import GOOD, Caller, connect

from payme.sandbox import Sandbox, SandboxClock
from payme.sandbox.control import PREFIX
from payme.sandbox.engine.faults import FaultRule

HOUR = 3_600_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(clock=SandboxClock(start=1_700_000_000_000, frozen=True)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def send(
        self, verb: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = connect(self.sandbox)
        try:
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(verb, PREFIX + path, sent, JSON | headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def ok(self, verb: str, path: str, body: Any = None) -> dict[str, Any]:
        status, headers, text = self.send(verb, path, body)
        assert status in {200, 201}, text
        assert headers["Content-Type"] == "application/json"
        assert headers["Cache-Control"] == "no-store"
        return json.loads(text)

    def no(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        status, _, text = self.send(verb, path, body, **headers)
        return status, json.loads(text)["error"]


@pytest.fixture
def control(sandbox: Sandbox) -> Control:
    return Control(sandbox)


class TestFaults:
    def test_set_list_and_take_away(self, control: Control) -> None:
        rule = {"method": "receipts.pay", "when": "after", "action": "drop", "times": 1}
        status, _, text = control.send("POST", "/faults", rule)
        fault = json.loads(text)
        assert status == 201
        assert {**fault, **rule} == fault
        assert (fault["left"], fault["fired"]) == (1, 0)
        line = control.ok("POST", "/faults", {"rule": "cards.* before delay delay=2s priority=9"})
        assert (line["delay_ms"], line["priority"], line["left"]) == (2000, 9, None)
        listed = control.ok("GET", "/faults")["faults"]
        assert [one["id"] for one in listed] == [line["id"], fault["id"]]
        assert control.ok("DELETE", f"/faults/{line['id']}") == {"removed": 1}
        assert control.no("DELETE", f"/faults/{line['id']}")[0] == 404
        assert control.ok("DELETE", "/faults") == {"removed": 1}
        assert control.sandbox.faults.list() == []

    def test_it_strikes(self, control: Control) -> None:
        control.ok("POST", "/faults", {"action": "http_status", "status": 418})
        (fault,) = control.sandbox.faults.list()
        assert (fault.rule.method, fault.rule.status) == ("receipts.*", 418)

    @pytest.mark.parametrize(
        ("body", "argument"),
        [
            ({"action": "explode"}, "action"),
            ({"method": "receipts.pay"}, "action"),
            ({"action": "drop", "when": 5}, "when"),
            ({"action": "drop", "tims": 1}, "tims"),
            ({"action": "drop", "card": GOOD + "000000"}, "card"),
            ({"rule": "receipts.pay after"}, "fault"),
            ({"rule": 5}, "rule"),
        ],
    )
    def test_a_bad_rule_is_refused_by_name(
        self, control: Control, body: dict[str, Any], argument: str
    ) -> None:
        status, error = control.no("POST", "/faults", body)
        assert (status, error["argument"]) == (400, argument)
        assert error["expected"]
        assert error["given"]
        told = (f"{argument} is ", f"unknown argument {argument!r}; expected one of ")
        assert error["message"].startswith(told)
        assert GOOD not in json.dumps(error)

    @pytest.mark.parametrize("name", ["x", "-1", "1.0", "٣", "9" * 5000, "%00"])
    def test_an_id_that_is_none(self, control: Control, name: str) -> None:
        connection = connect(control.sandbox)
        target = f"{PREFIX}/faults/{name}".encode()
        connection.putrequest("DELETE", PREFIX, skip_host=False)
        connection._buffer[0] = b"DELETE %s HTTP/1.1" % target  # type: ignore[attr-defined]
        connection.endheaders()
        assert connection.getresponse().status in {400, 404}
        connection.close()


class TestClock:
    def test_show_and_move(self, control: Control) -> None:
        start = 1_700_000_000_000
        shown = control.ok("GET", "/clock")
        assert shown == {"now": start, "iso": "2023-11-14T22:13:20.000+00:00", "frozen": True}
        assert control.ok("POST", "/clock", {"advance": "12h"})["now"] == start + 12 * HOUR
        assert control.ok("POST", "/clock", {"advance": 5})["now"] == start + 12 * HOUR + 5
        assert control.ok("POST", "/clock", {"resume": True})["frozen"] is False
        assert control.ok("POST", "/clock", {"freeze": True})["frozen"] is True
        assert control.ok("POST", "/clock", {"freeze": "2026-03-01T04:00:00Z"})["now"] == (
            1772337600000
        )
        assert control.sandbox.clock.now() == 1772337600000
        assert control.ok("POST", "/clock", {"reset": True}) == shown

    @pytest.mark.parametrize(
        ("body", "argument"),
        [
            ({}, "clock"),
            ({"advance": "1h", "freeze": True}, "clock"),
            ({"resume": False}, "clock"),
            ({"stop": True}, "clock"),
            ({"advance": "soon"}, "advance"),
            ({"advance": None}, "advance"),
            ({"advance": True}, "advance"),
            ({"freeze": False}, "freeze"),
            ({"freeze": "today"}, "freeze"),
        ],
    )
    def test_what_it_does_not_understand(
        self, control: Control, body: dict[str, Any], argument: str
    ) -> None:
        before = control.sandbox.clock.now()
        status, error = control.no("POST", "/clock", body)
        assert (status, error["argument"]) == (400, argument)
        assert control.sandbox.clock.now() == before


class TestWhatItShows:
    def test_receipts_cards_messages_and_ledger_without_a_secret(self, control: Control) -> None:
        caller = Caller(control.sandbox)
        token = caller.verified()
        receipt = caller.receipt(account={"phone": "998901112233", "order_id": 5})
        caller.ok("receipts.pay", id=receipt, token=token)
        caller.ok("receipts.send", id=receipt, phone="998901112233")
        shown = {
            name: control.ok("GET", f"/{name}")[name]
            for name in ("receipts", "cards", "sms", "ledger")
        }
        assert [one["state_name"] for one in shown["receipts"]] == ["PAID"]
        assert shown["receipts"][0]["account"] == {"phone": "99890*****33", "order_id": 5}
        assert [one["number"] for one in shown["cards"]] == ["860006******6311"]
        assert [one["kind"] for one in shown["sms"]] == ["receipt", "code"]
        assert [(one["kind"], one["amount"]) for one in shown["ledger"]] == [("debit", 50_000)]
        text = json.dumps(shown)
        for secret in (token, GOOD, "666666", "998901112233", "0399", control.sandbox.key):
            assert secret not in text

    def test_pages_the_newest_first(self, control: Control) -> None:
        ids = [control.sandbox.add_receipt() for _ in range(5)]
        page = control.ok("GET", "/receipts?count=2&offset=1")["receipts"]
        assert [one["id"] for one in page] == [ids[3], ids[2]]

    @pytest.mark.parametrize(
        ("query", "argument"),
        [
            ("count=0", "count"),
            ("count=501", "count"),
            ("count=x", "count"),
            ("count=", "count"),
            ("offset=-1", "offset"),
            ("count=%D9%A3", "count"),
            ("offset=" + "9" * 30, "offset"),
        ],
    )
    def test_a_bad_page(self, control: Control, query: str, argument: str) -> None:
        status, error = control.no("GET", f"/receipts?{query}")
        assert (status, error["argument"]) == (400, argument)

    def test_what_the_clock_made_due_is_there(self, control: Control) -> None:
        caller = Caller(control.sandbox)
        caller.ok("receipts.cancel", id=caller.paid())
        control.ok("POST", "/clock", {"advance": "1s"})
        assert [one["kind"] for one in control.ok("GET", "/ledger")["ledger"]] == [
            "refund",
            "debit",
        ]
        assert control.ok("GET", "/receipts")["receipts"][0]["state"] == 50


class TestResetAndScenario:
    def test_reset_forgets_all_but_the_credentials(self, control: Control) -> None:
        sandbox = control.sandbox
        caller, before = Caller(sandbox), (sandbox.merchant_id, sandbox.key)
        caller.paid()
        sandbox.faults.add("*", action="delay")
        control.ok("POST", "/clock", {"advance": "1h"})
        assert control.ok("POST", "/reset") == {"reset": True}
        assert (sandbox.ledger(), sandbox.sent_sms(), sandbox.cards()) == ([], [], [])
        assert (sandbox.receipts(), sandbox.faults.list()) == ([], [])
        assert sandbox.clock.now() == 1_700_000_000_000
        assert (sandbox.merchant_id, sandbox.key) == before
        assert caller.paid()

    def test_a_scenario_takes_the_place_of_what_was_set(self, control: Control) -> None:
        names = [one["name"] for one in control.ok("GET", "/scenarios")["scenarios"]]
        assert "declined" in names
        control.sandbox.faults.add("*", action="drop")
        played = control.ok("POST", "/scenario", {"name": "declined"})
        assert set(played) == {"name", "uz", "ru", "en"}
        caller = Caller(control.sandbox)
        assert caller.no("receipts.pay", id="0" * 24, token="x")[0] == -31630
        control.ok("POST", "/scenario", {"name": "happy"})
        assert control.sandbox.faults.list() == []

    @pytest.mark.parametrize(
        ("body", "argument"),
        [
            ({"name": "sad"}, "scenario"),
            ({}, "scenario"),
            ({"name": []}, "scenario"),
            ({"nme": "happy"}, "nme"),
        ],
    )
    def test_an_unknown_scenario(self, control: Control, body: Any, argument: str) -> None:
        status, error = control.no("POST", "/scenario", body)
        assert (status, error["argument"]) == (400, argument)


class TestWhomItTurnsAway:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.uz"])
    def test_a_name_that_is_not_this_computers(self, control: Control, host: str) -> None:
        for verb, path in (("GET", "/faults"), ("POST", "/reset"), ("DELETE", "/faults")):
            status, error = control.no(verb, path, {}, Host=host)
            assert (status, "Host" in error["message"]) == (403, True)

    @pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1:1", "[::1]:5"])
    def test_this_computer_by_any_name(self, control: Control, host: str) -> None:
        assert control.send("GET", "/clock", Host=host)[0] == 200

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    )
    def test_what_a_form_could_send(self, control: Control, kind: str) -> None:
        status, error = control.no("POST", "/reset", {}, **{"Content-Type": kind})
        assert (status, "Content-Type" in error["message"]) == (415, True)

    @pytest.mark.parametrize(
        "page",
        [
            {"Origin": "http://evil.uz"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
        ids=str,
    )
    def test_a_page_of_another_origin(
        self, control: Control, sandbox: Sandbox, page: dict[str, str]
    ) -> None:
        sandbox.faults.add("receipts.pay", action="drop")
        for verb, path in (("DELETE", "/faults"), ("POST", "/reset"), ("POST", "/cors")):
            assert control.no(verb, path, {}, **page)[0] == 403
        assert len(sandbox.faults.list()) == 1

    def test_a_page_of_its_own_passes(self, control: Control, sandbox: Sandbox) -> None:
        own = {"Origin": sandbox.url.removesuffix("/api"), "Sec-Fetch-Site": "same-origin"}
        assert control.send("POST", "/reset", {}, **own)[0] == 200

    def test_json_with_a_charset_passes(self, control: Control) -> None:
        kind = "Application/JSON; charset=utf-8"
        assert control.send("POST", "/reset", {}, **{"Content-Type": kind})[0] == 200

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"5", b"null", b"[" * 50_000])
    def test_what_is_no_json_object(self, control: Control, body: bytes) -> None:
        for path in ("/faults", "/clock", "/scenario", "/reset"):
            assert control.no("POST", path, body)[0] == 400

    def test_a_long_body(self, control: Control) -> None:
        assert control.no("POST", "/faults", b" " * 70_000)[0] == 413

    @pytest.mark.parametrize(
        ("verb", "path"),
        [("PUT", "/faults"), ("GET", "/reset"), ("DELETE", "/clock"), ("POST", "/ledger")],
    )
    def test_other_verbs(self, control: Control, verb: str, path: str) -> None:
        assert control.send(verb, path, {})[0] in {404, 405}

    def test_head_is_get_without_a_body(self, control: Control) -> None:
        status, headers, body = control.send("HEAD", "/clock")
        assert (status, body) == (200, b"")
        assert int(headers["Content-Length"]) > 0


def test_exchanges_with_the_merchant_and_where_the_ledgers_differ() -> None:
    def down(_body: bytes, _headers: object) -> tuple[int, bytes]:
        return 503, b""

    with Sandbox(merchant=down, merchant_pauses=()) as sandbox:
        control = Control(sandbox)
        assert Caller(sandbox).no("receipts.create", amount=1, account={"order_id": 1})
        (exchange,) = control.ok("GET", "/exchanges?count=5")["exchanges"]
        assert (exchange["method"], exchange["status"]) == ("CheckPerformTransaction", 503)
        assert sandbox.key not in json.dumps(exchange)
        assert control.ok("GET", "/difference") == {"difference": []}


def test_a_stopped_store_is_said() -> None:
    with Sandbox() as sandbox:
        control = Control(sandbox)
        sandbox.works.runner.close()
        assert control.no("GET", "/ledger")[0] == 409


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*FaultRule.__struct_fields__, "rule", "advance", "freeze", "resume", "name"]
)
PATHS = ("/faults", "/faults/1", "/clock", "/receipts", "/cards", "/sms", "/ledger", "/exchanges")
OTHERS = ("/scenario", "/scenarios", "/reset", "/")
QUERIES = ("", "?count=1", "?count=-1", "?offset=%FF", "?%00=1", "?count=1&count=2")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    verb=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]),
    path=st.sampled_from([*PATHS, *OTHERS]),
    body=st.dictionaries(NAMES | st.text(max_size=9), JSON_VALUES, max_size=4) | st.binary(),
    query=st.sampled_from(
        ["", "?count=1", "?count=-1", "?offset=%FF", "?%00=1", "?count=1&count=2"]
    ),
)
def test_whatever_is_asked_is_no_fault_of_ours(
    sandbox: Sandbox, verb: str, path: str, body: Any, query: str
) -> None:
    status, _, _ = Control(sandbox).send(verb, path + query, body)
    assert status < 500


def test_it_works_on_a_database_in_a_file(tmp_path: Path) -> None:
    with Sandbox(db=tmp_path / "state.db") as sandbox:
        control = Control(sandbox)
        Caller(sandbox).paid()
        assert len(control.ok("GET", "/receipts")["receipts"]) == 1
        assert control.ok("POST", "/reset") == {"reset": True}
        assert control.ok("GET", "/ledger") == {"ledger": []}
