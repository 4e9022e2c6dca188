import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_tools import GOOD, GOOD_TOO, HUMO, SLOW, Caller

from payme import redact
from payme.errors import catalogue
from payme.sandbox import InvalidSetting, Sandbox, SandboxFault
from payme.sandbox.engine import fault_rules
from payme.sandbox.engine.faults import ACTIONS, MAX_FAULTS, WHENS, FaultRule

LOST = "the connection was closed"


def attempt(caller: Caller, receipt: str, token: str) -> Any:
    """Pay; what comes back: a JSON answer, bytes that are none, a status, or that it was lost."""
    call = {"id": 7, "method": "receipts.pay", "params": {"id": receipt, "token": token}}
    try:
        body = caller.sandbox.handle(json.dumps(call).encode(), caller.back)
    except SandboxFault as fault:
        return LOST if fault.status is None else fault.status
    try:
        return json.loads(body)
    except ValueError:
        return body


@pytest.mark.parametrize(
    ("when", "action", "debits"),
    [("before", action, int(action in {"delay", "duplicate"})) for action in ACTIONS]
    + [(when, action, 1) for when in ("after", "mid_body") for action in ACTIONS],
)
def test_before_nothing_moves_and_after_it_has_moved(
    caller: Caller, when: Any, action: Any, debits: int
) -> None:
    receipt, token = caller.receipt(), caller.verified()
    caller.sandbox.faults.add("receipts.pay", when=when, action=action, times=1)
    attempt(caller, receipt, token)
    assert caller.sandbox.debits(receipt) == debits
    assert caller.state(receipt) == (4 if debits else 0)


def test_what_the_caller_hears(caller: Caller) -> None:
    def heard(when: Any, action: Any) -> Any:
        receipt, token = caller.receipt(), caller.verified()
        caller.sandbox.faults.add("receipts.pay", when=when, action=action, times=1, status=502)
        return attempt(caller, receipt, token)

    paid = {"jsonrpc", "id", "result"}
    assert set(heard("before", "delay")) == set(heard("after", "delay")) == paid
    assert set(heard("mid_body", "delay")) == paid
    assert heard("before", "drop") == heard("after", "drop") == LOST
    assert heard("before", "http_status") == heard("after", "http_status") == 502
    system_error = {"code": -32400, "message": "System error.", "data": None}
    assert heard("before", "rpc_error") == {"jsonrpc": "2.0", "id": 7, "error": system_error}
    assert heard("after", "rpc_error") == {"jsonrpc": "2.0", "id": 7, "error": system_error}
    assert heard("before", "malformed").startswith(b"<html>")
    assert heard("after", "malformed").startswith(b'{"jsonrpc":"2.0","id":7,"result":')
    assert heard("before", "wrong_id") == {"jsonrpc": "2.0", "id": 8, "error": system_error}
    other = heard("after", "wrong_id")
    assert (other["id"], other["result"]["receipt"]["state"]) == (8, 4)
    # The copy comes first, and the caller hears of the second, which is refused.
    assert heard("before", "duplicate")["error"]["code"] == -31602
    assert heard("after", "duplicate")["result"]["receipt"]["state"] == 4
    assert {heard("mid_body", action) for action in ACTIONS if action != "delay"} == {LOST}


def test_a_duplicated_creation_makes_two_receipts(caller: Caller) -> None:
    caller.sandbox.faults.add("receipts.create", when="after", action="duplicate", times=1)
    first = caller.receipt()
    assert [receipt["_id"] for receipt in caller.all()].index(first) == 1
    assert len(caller.all()) == 2


def test_an_error_of_your_own(caller: Caller) -> None:
    caller.sandbox.faults.add(
        "receipts.create",
        when="before",
        action="rpc_error",
        code=-31610,
        message="Неверные данные",
        data={"field": ["order_id", None]},
    )
    error = caller.no("receipts.create", amount=1, account={})
    assert error == (-31610, "Неверные данные", {"field": ["order_id", None]})


@pytest.mark.parametrize("call_id", [None, "abc", 1.5, 2**60, -3])
def test_a_wrong_id_is_never_the_right_one(caller: Caller, call_id: Any) -> None:
    caller.sandbox.faults.add("*", when="after", action="wrong_id")
    body = json.dumps({"id": call_id, "method": "cards.check", "params": {"token": "x"}}).encode()
    assert json.loads(caller.sandbox.handle(body, caller.back))["id"] not in {call_id, None}
    without = caller.sandbox.handle(b'{"method":"cards.check","params":{}}', caller.back)
    assert json.loads(without)["id"] == 1


class TestWhatItMatches:
    def strikes(self, caller: Caller, receipt: str, token: str, **rule: Any) -> bool:
        fault = caller.sandbox.faults.add(
            **{"method": "*", "action": "drop", "when": "before"} | rule
        )
        attempt(caller, receipt, token)
        caller.sandbox.faults.clear()
        return fault.fired == 1

    @pytest.mark.parametrize(
        ("glob", "struck"),
        [
            ("receipts.pay", True),
            ("receipts.*", True),
            ("*", True),
            ("*.p?y", True),
            ("receipts.[op]*", True),
            ("receipts.c*", False),
            ("cards.*", False),
        ],
    )
    def test_methods(self, caller: Caller, glob: str, struck: bool) -> None:
        assert self.strikes(caller, "0" * 24, "x", method=glob) is struck

    def test_the_account_of_the_receipt(self, caller: Caller) -> None:
        receipt = caller.receipt(account={"order_id": 7, "shop": "Chilonzor"})
        assert self.strikes(caller, receipt, "x", account={"order_id": 7})
        assert self.strikes(caller, receipt, "x", account={"order_id": "7"})
        assert self.strikes(caller, receipt, "x", account={"order_id": 7.0, "shop": "Chilonzor"})
        assert not self.strikes(caller, receipt, "x", account={"order_id": 8})
        assert not self.strikes(caller, receipt, "x", account={"order_id": 7, "shop": "x"})
        assert not self.strikes(caller, receipt, "x", account={"other": 7})

    def test_the_amount_of_the_receipt(self, caller: Caller) -> None:
        receipt = caller.receipt(500)
        matching: list[Any] = [500, (500, 500), (1, 500), (500, 900), (None, 500), (500, None)]
        for amount in matching:
            assert self.strikes(caller, receipt, "x", amount=amount)
        others: list[Any] = [499, (1, 499), (501, None)]
        for amount in others:
            assert not self.strikes(caller, receipt, "x", amount=amount)
        assert not self.strikes(caller, "0" * 24, "x", amount=(0, None))

    def test_the_card_behind_the_token(self, caller: Caller) -> None:
        receipt, token = caller.receipt(), caller.verified(GOOD)
        assert self.strikes(caller, receipt, token, card=GOOD)
        assert self.strikes(caller, receipt, token, card="860006******6311")
        assert not self.strikes(caller, receipt, token, card=GOOD_TOO)
        assert not self.strikes(caller, caller.receipt(), "x", card=GOOD)

    def test_account_and_amount_and_card_of_the_params(self, caller: Caller) -> None:
        fault = caller.sandbox.faults.add(
            "receipts.create", account={"a": 1}, amount=5, when="after", action="delay"
        )
        card = caller.sandbox.faults.add("cards.create", card=HUMO, when="after", action="delay")
        caller.receipt(5, account={"a": 1})
        caller.receipt(5.0, account={"a": "1"})
        caller.receipt(6, account={"a": 1})
        caller.card(HUMO)
        caller.card(GOOD)
        assert (fault.fired, card.fired) == (2, 1)

    def test_the_card_that_paid(self, caller: Caller) -> None:
        receipt = caller.paid()
        fault = caller.sandbox.faults.add("receipts.cancel", card=GOOD, action="delay")
        caller.ok("receipts.cancel", id=receipt)
        assert fault.fired == 1

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":[]}', b'{"params":{"id":1}}'])
    def test_what_can_not_be_read_is_struck_by_the_widest_glob_alone(
        self, caller: Caller, body: bytes
    ) -> None:
        narrow = caller.sandbox.faults.add("receipts.*", action="drop")
        wide = caller.sandbox.faults.add("*", action="rpc_error", code=-1)
        assert json.loads(caller.sandbox.handle(body, None))["error"]["code"] == -1
        assert (narrow.fired, wide.fired) == (0, 1)


class TestWhichOneStrikes:
    def test_the_highest_priority_then_the_oldest(self, caller: Caller) -> None:
        add = caller.sandbox.faults.add
        low = add("receipts.check", action="delay")
        second = add("receipts.check", action="delay", priority=5, times=1)
        third = add("receipts.check", action="delay", priority=5, times=2)
        receipt = caller.receipt()
        for _ in range(4):
            caller.state(receipt)
        assert [fault.fired for fault in (low, second, third)] == [1, 1, 2]
        assert [fault.left for fault in (low, second, third)] == [None, 0, 0]
        assert [fault.id for fault in caller.sandbox.faults.list()] == [2, 3, 1]

    def test_one_that_does_not_fire_lets_the_next_one(self, caller: Caller) -> None:
        never = caller.sandbox.faults.add("*", action="drop", probability=0, times=1, priority=1)
        next_one = caller.sandbox.faults.add("*", when="after", action="delay")
        caller.receipt()
        assert (never.fired, never.left, next_one.fired) == (0, 1, 1)

    def test_a_call_without_a_fault_looks_at_one_flag(self, sandbox: Sandbox) -> None:
        faults = sandbox.faults
        assert not faults.active
        fault = faults.add("*", action="drop", times=1)
        assert faults.active
        with pytest.raises(SandboxFault):
            sandbox.handle(b"{}", None)
        assert not faults.active
        assert (fault.left, faults.list()) == (0, [fault])
        faults.add("*", action="drop")
        assert faults.active
        assert faults.clear() == 2
        assert (faults.active, faults.list()) == (False, [])

    def test_remove(self, sandbox: Sandbox) -> None:
        fault = sandbox.faults.add("*", action="drop")
        assert not sandbox.faults.remove(fault.id + 1)
        assert sandbox.faults.remove(fault.id)
        assert not sandbox.faults.active
        sandbox.handle(b"{}", None)

    def test_too_many(self, sandbox: Sandbox) -> None:
        for _ in range(MAX_FAULTS):
            fault = sandbox.faults.add("*", action="delay")
        with pytest.raises(InvalidSetting, match="at most 1000"):
            sandbox.faults.add("*", action="delay")
        fault.left = 0
        sandbox.faults.add("*", action="delay")
        assert len(sandbox.faults.list()) == MAX_FAULTS


class TestChance:
    def run(self, seed: int) -> tuple[str, list[bool]]:
        caller = Caller(Sandbox(seed=seed, clock=lambda: 0))
        fault = caller.sandbox.faults.add("receipts.check", action="delay", probability=0.5)
        struck = []
        receipt = caller.receipt()
        for _ in range(64):
            before = fault.fired
            caller.state(receipt)
            struck.append(fault.fired > before)
        return receipt, struck

    def test_the_same_seed_is_the_same_run(self) -> None:
        assert self.run(1) == self.run(1)
        assert self.run(1) != self.run(2)
        assert 10 < sum(self.run(1)[1]) < 54

    def test_chance_in_faults_changes_no_token(self) -> None:
        plain, faulty = (Caller(Sandbox(seed=3, clock=lambda: 0)) for _ in range(2))
        faulty.sandbox.faults.add("*", when="after", action="delay", probability=0.5)
        assert [plain.card() for _ in range(5)] == [faulty.card() for _ in range(5)]

    def test_a_rule_that_is_sure_draws_no_chance(self) -> None:
        def struck(sure: int) -> list[bool]:
            sandbox = Sandbox(seed=3)
            sandbox.faults.add("*", action="delay", priority=1, times=sure or None)
            if not sure:
                sandbox.faults.clear()
            fault = sandbox.faults.add("*", action="delay", probability=0.5)
            found = []
            for _ in range(40 + sure):
                before = fault.fired
                sandbox.handle(b"{}", None)
                found.append(fault.fired > before)
            return found[sure:]

        assert struck(0) == struck(7)

    def test_a_reset_begins_the_same_run_again(self) -> None:
        sandbox = Sandbox(seed=4, clock=lambda: 0)
        runs = []
        for _ in range(2):
            caller = Caller(sandbox)
            fault = sandbox.faults.add("cards.*", when="after", action="delay", probability=0.5)
            runs.append(([caller.card() for _ in range(20)], fault.fired))
            sandbox.reset()
        assert runs[0] == runs[1]
        assert sandbox.faults.list() == []


class TestTime:
    def test_a_fault_may_move_the_clock(self, caller: Caller) -> None:
        clock, receipt = caller.sandbox.clock, caller.receipt()
        start = clock.now()
        caller.sandbox.faults.add(
            "receipts.pay", when="before", action="delay", delay_ms=0, advance_ms="12h", times=1
        )
        paid = caller.ok("receipts.pay", id=receipt, token=caller.verified())
        assert paid["receipt"]["pay_time"] == clock.now() == start + 12 * 3_600_000
        caller.sandbox.faults.add(
            "receipts.cancel", when="after", action="drop", advance_ms=5000, times=1
        )
        with pytest.raises(SandboxFault):
            caller.ok("receipts.cancel", id=receipt)
        assert caller.ok("receipts.get", id=receipt)["receipt"]["cancel_time"] == start + 43_201_000

    def test_at_the_end_of_time_the_call_goes_on(self, caller: Caller) -> None:
        caller.sandbox.clock.freeze("9999-12-31T23:59:59Z")
        caller.sandbox.faults.add("*", action="delay", delay_ms=0, advance_ms="1d")
        assert caller.receipt()

    def test_a_caller_in_process_may_say_how_long_it_would_wait(self, caller: Caller) -> None:
        receipt, token = caller.receipt(), caller.verified()
        body = json.dumps({"method": "receipts.pay", "params": {"id": receipt, "token": token}})
        caller.sandbox.faults.add("receipts.pay", when="after", action="delay", delay_ms="10s")
        with pytest.raises(SandboxFault, match=r"no answer within 9\.5 seconds") as caught:
            caller.sandbox.handle(body.encode(), caller.back, 9.5)
        assert (caught.value.sent, caught.value.status) == (True, None)
        assert caller.sandbox.debits(receipt) == 1
        assert b"-31602" in caller.sandbox.handle(body.encode(), caller.back, 10)

    @pytest.mark.parametrize("when", WHENS)
    def test_every_wait_counts(self, caller: Caller, when: Any) -> None:
        caller.sandbox.faults.add("*", when=when, action="delay", delay_ms=300)
        with pytest.raises(SandboxFault, match=r"no answer within 0\.2 seconds"):
            caller.sandbox.handle(b"{}", caller.back, 0.2)
        assert caller.sandbox.handle(b"{}", caller.back, 0.3)

    def test_the_slow_card_is_too_slow_as_well(self, caller: Caller) -> None:
        receipt, token = caller.receipt(), caller.verified(SLOW)
        body = json.dumps({"method": "receipts.pay", "params": {"id": receipt, "token": token}})
        with pytest.raises(SandboxFault, match="no answer within 3 seconds"):
            caller.sandbox.handle(body.encode(), caller.back, 3)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"method": "receipt.*"}, "method"),
    ({"method": ""}, "method"),
    ({"method": 7}, "method"),
    ({"when": "during"}, "when"),
    ({"when": ["after"]}, "when"),
    ({"action": "explode"}, "action"),
    ({"action": None}, "action"),
    ({"account": {}}, "account"),
    ({"account": "order_id"}, "account"),
    ({"account": {"": 1}}, "account"),
    ({"account": {"order_id": True}}, "account"),
    ({"account": {"order_id": None}}, "account"),
    ({"account": {"order_id": [1]}}, "account"),
    ({"amount": -1}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": "5"}, "amount"),
    ({"amount": 1.5}, "amount"),
    ({"amount": (2, 1)}, "amount"),
    ({"amount": (1, 2, 3)}, "amount"),
    ({"amount": (None, None)}, "amount"),
    ({"amount": 2**53}, "amount"),
    ({"card": "8600"}, "card"),
    ({"card": 8600069195406311}, "card"),
    ({"card": "8600 0691 9540 6311"}, "card"),
    ({"probability": 1.01}, "probability"),
    ({"probability": -0.1}, "probability"),
    ({"probability": float("nan")}, "probability"),
    ({"probability": True}, "probability"),
    ({"probability": "1"}, "probability"),
    ({"times": 0}, "times"),
    ({"times": 1.0}, "times"),
    ({"priority": "high"}, "priority"),
    ({"delay_ms": -1}, "delay_ms"),
    ({"delay_ms": "soon"}, "delay_ms"),
    ({"advance_ms": "1y"}, "advance_ms"),
    ({"status": 200}, "status"),
    ({"status": 204}, "status"),
    ({"status": 304}, "status"),
    ({"status": 600}, "status"),
    ({"status": "503"}, "status"),
    ({"code": 1.5}, "code"),
    ({"message": ""}, "message"),
    ({"message": "x" * 1001}, "message"),
    ({"message": 5}, "message"),
    ({"data": "x" * 1000}, "data"),
    ({"data": object()}, "data"),
    ({"data": json.loads("[" * 60 + "]" * 60)}, "data"),
    ({"tims": 1}, "tims"),
]


@pytest.mark.parametrize(("changed", "argument"), BAD)
def test_a_bad_rule_is_refused_by_name(
    sandbox: Sandbox, changed: dict[str, Any], argument: str
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        sandbox.faults.add_json({"method": "receipts.pay", "action": "drop", **changed})
    error = caught.value
    assert error.argument == argument
    assert error.expected
    plain = f"{argument} is {error.given}: expected {error.expected}"
    unknown = f"unknown argument {argument!r}; expected {error.expected}"
    assert str(error) in {plain, unknown}
    assert "8600069195406311" not in str(error)
    assert sandbox.faults.list() == []


@given(
    st.dictionaries(
        st.sampled_from([*FaultRule.__struct_fields__, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_whatever_is_given_is_a_rule_or_refused(given: dict[str, Any]) -> None:
    try:
        rule = fault_rules.rule(given)
    except InvalidSetting:
        return
    assert isinstance(rule, FaultRule)


class TestALineOfText:
    @pytest.mark.parametrize(
        ("line", "meant"),
        [
            (
                "receipts.pay after drop",
                {"method": "receipts.pay", "when": "after", "action": "drop"},
            ),
            (
                "receipts.* before delay delay=10s probability=0.2 times=3 priority=-1",
                {"method": "receipts.*", "when": "before", "action": "delay"}
                | {"delay_ms": 10_000, "probability": 0.2, "times": 3, "priority": -1},
            ),
            (
                "* after rpc_error code=-31622 message='It is down' data='{\"a\": [1]}'",
                {"method": "*", "when": "after", "action": "rpc_error"}
                | {"code": -31622, "message": "It is down", "data": {"a": [1]}},
            ),
            (
                "* mid_body http_status status=504 data=text advance=1h30m",
                {"method": "*", "when": "mid_body", "action": "http_status"}
                | {"status": 504, "data": "text", "advance_ms": 5_400_000},
            ),
            (
                "* before drop amount=10..20 card=860006******6311 account.id=7 account.b=x=y",
                {"method": "*", "when": "before", "action": "drop", "amount": (10, 20)}
                | {"card": GOOD, "account": {"id": "7", "b": "x=y"}},
            ),
            (
                "* before drop amount=10..",
                {"method": "*", "when": "before", "action": "drop", "amount": (10, None)},
            ),
            (
                "* before drop amount=..10",
                {"method": "*", "when": "before", "action": "drop", "amount": (None, 10)},
            ),
            ("* before drop amount=10", {"method": "*", "action": "drop", "amount": 10}),
            ("* before drop times=", {"method": "*", "action": "drop"}),
        ],
    )
    def test_it_means_the_same_as_the_arguments(self, line: str, meant: dict[str, Any]) -> None:
        assert fault_rules.from_text(line) == fault_rules.rule(meant)

    @pytest.mark.parametrize(
        ("line", "argument"),
        [
            ("", "fault"),
            ("receipts.pay after", "fault"),
            ("receipts.pay after times=1", "fault"),
            ("receipts.pay after drop 1", "fault"),
            ("receipts.pay after 'drop", "fault"),
            ("receipt.pay after drop", "method"),
            ("receipts.pay later drop", "when"),
            ("receipts.pay after lose", "action"),
            ("* after drop times=once", "times"),
            ("* after drop tims=1", "tims"),
            ("* after delay delay=long", "delay"),
            ("* after drop amount=a..b", "amount"),
            ("* after drop amount=..", "amount"),
            ("* after drop probability=half", "probability"),
            ("* after drop card=8600", "card"),
            ("* after drop account=7", "account"),
            ("* after drop account.=7", "account"),
            ("* after http_status status=99999999999999999999", "status"),
        ],
    )
    def test_a_bad_one_is_refused_by_name(self, line: str, argument: str) -> None:
        with pytest.raises(InvalidSetting) as caught:
            fault_rules.from_text(line)
        assert caught.value.argument == argument

    @given(st.text(max_size=60))
    def test_any_text_is_a_rule_or_refused(self, text: str) -> None:
        for line in (text, f"* after drop {text}"):
            try:
                fault_rules.from_text(line)
            except InvalidSetting:
                continue


def test_what_is_no_secret_of_a_bad_rule_is_legible(sandbox: Sandbox) -> None:
    # The largest number has as many digits as a card, and a code is no SMS code here.
    with pytest.raises(InvalidSetting) as caught:
        sandbox.faults.add("receipts.pay", action="rpc_error", code="refused")
    said = redact.scrub(str(caught.value))
    assert "code is 'refused'" in said
    assert "9_007_199_254_740_991" in said


def test_a_fault_shows_no_secret(sandbox: Sandbox) -> None:
    fault = sandbox.faults.add(
        "receipts.pay",
        action="drop",
        card=GOOD,
        account={"phone": "998901234566"},
        message=f"card {GOOD} of 998901234566",
        data={"token": "a" * 24 + "_" + "b" * 50, "key": "secret key", "card": int(GOOD)},
    )
    for text in (repr(fault), str(fault), json.dumps(fault.as_json())):
        for secret in (GOOD, "998901234566", "b" * 50, "secret key"):
            assert secret not in text
    assert fault.as_json()["code"] == -32400


def test_a_fault_is_told_to_the_log(caller: Caller) -> None:
    told = []
    caller.sandbox.first.service._listener = told.append
    caller.sandbox.faults.add("receipts.*", when="before", action="rpc_error", code=-31630)
    caller.no("receipts.pay", id="a" * 24, token="x")
    (answer,) = told
    assert (answer.method, answer.receipt_id, answer.code) == ("receipts.pay", "a" * 24, -31630)
    assert answer.fault == "fault 1: receipts.* before rpc_error"
    caller.sandbox.faults.add("*", when="before", action="rpc_error")
    caller.call(GOOD, {})
    assert told[-1].method == ""


def test_a_broken_store_costs_no_answer(caller: Caller) -> None:
    caller.sandbox.faults.add("*", when="after", action="delay")
    caller.sandbox.stop()
    assert caller.no("receipts.check", id="a" * 24)[0] == -32400


def test_the_texts_that_faults_use_mean_something_to_the_client() -> None:
    assert catalogue.lookup(-31403, "receipts.pay", "Срок действия чека истёк.") is not None
