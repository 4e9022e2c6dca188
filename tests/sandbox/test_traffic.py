import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_tools import BROKEN, GOOD, HUMO, NO_SMS, POOR, SLOW, START, Caller, Clock

from payme import Payme
from payme.sandbox import Sandbox
from payme.sandbox.engine import Answer
from payme.sandbox.errors import SandboxFault
from payme.sandbox.traffic import MAX_KEPT, Traffic
from payme.sandbox.web.export import pytest_file
from payme.transport.memory import MemoryTransport

SECRET_KEY = "k7dEy?0Plu/s;MoreThanThirtySixCharact"


def exported(sandbox: Sandbox) -> str:
    traffic = sandbox.traffic
    return pytest_file(traffic.recorded(), sandbox.config, sandbox.known_cards, traffic.secrets)


def replay(source: str) -> None:
    """Run an exported test as the plugin's fixtures would, without the plugin."""
    scope: dict[str, Any] = {}
    exec(compile(source, "exported.py", "exec"), scope)
    test: Callable[..., None] = scope["test_recorded_traffic"]
    options = {k: v for mark in getattr(test, "pytestmark", []) for k, v in mark.kwargs.items()}
    sandbox = Sandbox(**options)
    try:
        transport = MemoryTransport(sandbox.handle)
        with Payme(sandbox.merchant_id, sandbox.key, transport=transport) as client:
            given = {"payme_client": client, "payme_clock": sandbox.clock}
            code = test.__code__
            test(**{name: given[name] for name in code.co_varnames[: code.co_argcount]})
    finally:
        sandbox.stop()


# The record


def test_calls_are_listed_the_newest_first(caller: Caller, sandbox: Sandbox) -> None:
    receipt = caller.paid()
    caller.no("receipts.pay", id=receipt, token="x")
    entries = sandbox.traffic.entries()
    assert [entry.method for entry in entries] == [
        "receipts.pay",
        "receipts.pay",
        "cards.verify",
        "cards.get_verify_code",
        "cards.create",
        "receipts.create",
    ]
    assert [entry.number for entry in entries] == [6, 5, 4, 3, 2, 1]
    assert (entries[0].code, entries[0].reason, entries[0].refused) == (-31602, "not_payable", True)
    assert entries[0].message == "Чек не найден или оплачен"
    assert "receipts.get" in entries[0].remedy
    assert json.loads(entries[0].response)["error"]["code"] == -31602
    assert {entry.at for entry in entries} == {START}
    about = sandbox.traffic.entries(receipt_id=receipt)
    assert [entry.method for entry in about] == ["receipts.pay", "receipts.pay", "receipts.create"]
    assert len(sandbox.traffic.entries(2)) == 2


@pytest.mark.parametrize(
    ("auth", "kind"), [(None, "none"), ("id", "id"), ("id:key", "id:key"), (":", "id:key")]
)
def test_of_the_credentials_only_the_form_is_kept(
    sandbox: Sandbox, auth: str | None, kind: str
) -> None:
    sandbox.handle(b"{}", auth)
    (entry,) = sandbox.traffic.entries()
    assert entry.credential == kind


def test_the_oldest_calls_make_room() -> None:
    traffic = Traffic(capacity=3)
    for _ in range(5):
        traffic.record(1, b"", None, Answer(b"{}"))
    assert [entry.number for entry in traffic.entries()] == [5, 4, 3]
    traffic.clear()
    assert traffic.entries() == []


def test_long_bodies_are_not_kept(caller: Caller, sandbox: Sandbox) -> None:
    caller.receipt(description="x" * MAX_KEPT)
    (entry,) = sandbox.traffic.entries()
    assert "not kept" in entry.request
    assert "not kept" in entry.response


def test_a_fault_is_named(caller: Caller, sandbox: Sandbox) -> None:
    receipt = caller.receipt()
    sandbox.faults.add("receipts.check", when="after", action="drop")
    with pytest.raises(SandboxFault):
        caller.ok("receipts.check", id=receipt)
    assert "after drop" in sandbox.traffic.entries()[0].fault


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[" * 5000, b"[]", b"[{}]", b'"x"', b'{"id":1', b'{"params":' * 900 + b"{}"],
)
def test_any_body_can_be_shown(sandbox: Sandbox, body: bytes) -> None:
    sandbox.handle(body, None)
    (entry,) = sandbox.traffic.entries()
    assert entry.refused
    assert isinstance(entry.request, str)


secrets = st.fixed_dictionaries(
    {
        "number": st.sampled_from([GOOD, HUMO, "4242424242424242", "8600 0691 9540 6311"]),
        "token": st.just("63119784d15d8d8d093b37b8_" + "aZ9" * 130),
        "code": st.from_regex(r"[1-9][0-9]{5}", fullmatch=True),
        "phone": st.from_regex(r"9989[0-9]{8}", fullmatch=True),
    }
)
frames = st.sampled_from(
    [
        '{{"id":1,"method":"cards.verify","params":{{"token":"{token}","code":"{code}"}}}}',
        '{{"id":1,"method":"cards.create","params":{{"card":{{"number":"{number}","expire":"0399"}}}}}}',
        '{{"id":1,"method":"receipts.send","params":{{"id":"0","phone":"{phone}"}}}}',
        '{{"id":1,"method":"{token}","params":{{"{number}":"{phone}"}}}}',
        '{{"id":"{token}","method":"x","params":{{}}}}',
        '[{{"method":"cards.verify","params":{{"token":"{token}","code":"{code}"}}}}]',
        '{{"method":"cards.verify","params":{{"token":"{token}","code":"{code}","phone":"{phone}',
        "key={key}&token={token}&number={number}",
    ]
)


@given(secrets, frames)
def test_no_secret_is_shown(values: dict[str, str], frame: str) -> None:
    sandbox = Sandbox(key=SECRET_KEY)
    try:
        body = frame.format(**values, key=SECRET_KEY).encode()
        sandbox.handle(body, f"{sandbox.merchant_id}:{sandbox.key}")
        traffic = sandbox.traffic
        shown = f"{traffic.entries()} {traffic} {traffic.recorded()} {exported(sandbox)}"
        found = {name for name, value in values.items() if value in frame.format(**values, key="")}
        for name in found - ({"number"} if values["number"] in {GOOD, HUMO} else set()):
            assert values[name] not in shown, name
        assert GOOD not in str(traffic.entries())
        assert SECRET_KEY not in shown
    finally:
        sandbox.stop()


# The export


def test_an_exported_file_passes_under_pytest(
    caller: Caller, sandbox: Sandbox, clock: Clock, tmp_path: Path
) -> None:
    receipt = caller.paid()
    caller.ok("receipts.cancel", id=receipt)
    clock.advance(2000)
    assert caller.state(receipt) == 50
    caller.no("receipts.pay", id=receipt, token=caller.verified(HUMO))
    caller.no("receipts.pay", id="0" * 24, token="x")
    caller.no("receipts.pay", id=caller.receipt(), token=caller.verified(BROKEN))
    caller.no("cards.create", card={"number": "8600000000000000", "expire": "0399"})
    caller.all()
    caller.call("receipts.get", {"id": receipt}, caller.front)
    (tmp_path / "test_it.py").write_text(exported(sandbox), encoding="utf-8")
    limited = Sandbox(account_fields={"order_id": "Buyurtma"}, min_amount=1000)
    Caller(limited).no("receipts.create", amount=1, account={"order_id": 1})
    Caller(limited).no("receipts.create", amount=5000, account={})
    (tmp_path / "test_limits.py").write_text(exported(limited), encoding="utf-8")
    limited.stop()
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    # By its module, so that a checkout works whose installed metadata is older than the plugin.
    plugin = ["-p", "no:payme", "-p", "payme.testing.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_tokens_and_ids_become_variables(caller: Caller, sandbox: Sandbox) -> None:
    receipt = caller.paid()
    source = exported(sandbox)
    for name in ("card_1", "receipt_1"):
        assert source.count(name) > 1
    (card,) = sandbox.cards()
    assert card.token not in source
    assert receipt not in source
    assert sandbox.merchant_id not in source
    assert sandbox.key not in source
    replay(source)


def test_payers_and_accounts_are_not_exported(caller: Caller, sandbox: Sandbox) -> None:
    receipt = caller.receipt(account={"phone": "998935556677", "login": "ali@x.uz"})
    payer = {"phone": "998935556677", "name": "Ali Valiyev", "email": "ali@x.uz", "ip": "10.9.8.7"}
    caller.ok("receipts.pay", id=receipt, token=caller.verified(), payer=payer)
    caller.ok("receipts.send", id=receipt, phone="998935556677")
    caller.no("receipts.send", id=receipt, phone="99893")
    source = exported(sandbox)
    for secret in ("998935556677", "Ali", "ali@x.uz", "10.9.8.7", '"99893"'):
        assert secret not in source
    replay(source)


def test_who_pays_is_masked_in_requests_and_answers(caller: Caller, sandbox: Sandbox) -> None:
    payer = {"phone": "998935556677", "name": "Ali", "email": "ali@x.uz", "ip": "10.9.8.7"}
    caller.ok("receipts.pay", id=caller.receipt(), token=caller.verified(), payer=payer)
    caller.all()
    caller.no("receipts.pay", id="x", token="x", payer="Ali")
    entries = sandbox.traffic.entries()
    for entry in entries:
        for text in (entry.request, entry.response):
            assert not any(part in text for part in ("5556677", "Ali", "ali@x.uz", "10.9.8.7"))
    listed = json.loads(entries[1].response)["result"][0]
    shown = {"phone": "99893*****77", "email": "<e-mail>", "name": "<redacted>"}
    assert listed["payer"] == {**shown, "ip": "<redacted>"}


def test_fiscal_data_and_details_are_repeated(caller: Caller, sandbox: Sandbox) -> None:
    detail = {
        "receipt_type": 0,
        "items": [
            {
                "title": 'Non "o\'zbek"',
                "price": 50_000,
                "count": 1,
                "code": "00702001001000001",
                "vat_percent": 12,
                "package_code": "123456",
            }
        ],
    }
    receipt = caller.receipt(detail=detail, description="a\\b\n'\"")
    fiscal = {"receipt_id": 1, "qr_code_url": "https://ofd.soliq.uz/check?t=1", "date": "2" * 14}
    caller.ok("receipts.set_fiscal_data", id=receipt, fiscal_data=fiscal)
    caller.no("receipts.set_fiscal_data", id=receipt, fiscal_data={**fiscal, "date": "2022"})
    replay(exported(sandbox))


def test_what_a_new_sandbox_would_not_repeat_is_left_out(caller: Caller, sandbox: Sandbox) -> None:
    old = sandbox.add_receipt()
    caller.ok("receipts.pay", id=old, token=caller.verified())
    made = caller.receipt()
    caller.ok("receipts.pay", id=made, token=sandbox.add_card())
    assert caller.state(made) == 4
    caller.raw(b"{")
    caller.call("receipts.get", {"id": made}, "nobody")
    caller.no("nonsense.call", id=1)
    source = exported(sandbox)
    assert source.count("is left out") == 6
    replay(source)


def test_calls_that_faults_struck_are_left_out(caller: Caller, sandbox: Sandbox) -> None:
    receipt, token = caller.receipt(), caller.verified()
    fault = sandbox.faults.add("receipts.pay", when="after", action="rpc_error")
    caller.no("receipts.pay", id=receipt, token=token)
    sandbox.faults.remove(fault.id)
    assert caller.state(receipt) == 4
    assert "after rpc_error struck it" in exported(sandbox)
    replay(exported(sandbox))


@pytest.mark.parametrize("progression", ["after_checks:2", "clock:2s"])
def test_a_progression_is_exported(progression: str) -> None:
    clock = Clock()
    sandbox = Sandbox(clock=clock, progression=progression, receipt_ttl_ms=60_000)
    caller = Caller(sandbox)
    receipt, token = caller.receipt(), caller.verified()
    caller.ok("receipts.pay", id=receipt, token=token)
    states = []
    for _ in range(6):
        clock.advance(1000)
        states.append(caller.state(receipt))
    assert (states[0] == 4, states[-1] == 4) == (False, True)
    late = caller.receipt()
    clock.advance(61_000)
    assert caller.no("receipts.pay", id=late, token=token)[0] == -31403
    source = exported(sandbox)
    assert f'progression="{progression}"' in source.replace("clock:2000ms", "clock:2s")
    replay(source)
    sandbox.stop()


def test_what_a_billing_decided_is_left_out() -> None:
    heard: list[str] = []

    def merchant(body: bytes, _headers: object) -> tuple[int, bytes]:
        call = json.loads(body)
        heard.append(call["method"])
        if heard.count("CheckPerformTransaction") > 1 or call["method"] == "PerformTransaction":
            return 500, b"no"
        result = {"allow": True, "transaction": "1", "state": 1, "create_time": 1}
        return 200, json.dumps({"id": call["id"], "result": result}).encode()

    sandbox = Sandbox(merchant=merchant, merchant_pauses=())
    caller = Caller(sandbox)
    receipt = caller.receipt()
    caller.ok("receipts.pay", id=receipt, token=caller.verified())
    assert caller.state(receipt) == 30
    assert caller.no("receipts.create", amount=500, account={"order_id": 1})[0] == -31623
    source = exported(sandbox)
    assert source.count("the merchant's answer decided it") == 2
    replay(source)
    sandbox.stop()


def test_no_traffic_is_a_test_too(sandbox: Sandbox) -> None:
    replay(exported(sandbox))


actions = st.lists(
    st.sampled_from(
        [
            "receipt",
            "hold",
            "bind",
            "code",
            "wrong_code",
            "pay",
            "cancel",
            "confirm",
            "check",
            "get",
            "remove",
            "second",
            "minute",
            "nonsense",
        ]
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(actions, st.randoms(use_true_random=False), st.booleans())
def test_any_traffic_is_repeated(steps: list[str], chance: Any, limited: bool) -> None:
    clock = Clock()
    sandbox = Sandbox(clock=clock, min_amount=1000 if limited else None)
    caller = Caller(sandbox)
    receipts, tokens = ["0" * 24], ["x"]
    try:
        for step in steps:
            clock.advance(chance.choice([0, 0, 150, 400]))
            receipt, token = chance.choice(receipts), chance.choice(tokens)
            _do(step, caller, clock, receipts, tokens, receipt, token, chance)
        replay(exported(sandbox))
    finally:
        sandbox.stop()


def _do(
    step: str,
    caller: Caller,
    clock: Clock,
    receipts: list[str],
    tokens: list[str],
    receipt: str,
    token: str,
    chance: Any,
) -> None:
    hold = {"hold": True} if chance.random() < 0.3 else {}
    if step in {"receipt", "hold"}:
        flags = {"hold": True} if step == "hold" else {}
        amount = chance.choice([0, 500, 50_000])
        made = caller.call("receipts.create", {"amount": amount, "account": {"a": 1}, **flags})
        receipts += [made["result"]["receipt"]["_id"]] if "result" in made else []
    elif step == "bind":
        number = chance.choice([GOOD, GOOD, HUMO, POOR, SLOW, NO_SMS, "123", "4" * 16])
        card = {"number": number, "expire": chance.choice(["0399", "0399", "0130", "99"])}
        made = caller.call("cards.create", {"card": card, "save": chance.random() < 0.5})
        tokens += [made["result"]["card"]["token"]] if "result" in made else []
    elif step in {"second", "minute"}:
        clock.advance(1000 if step == "second" else 61_000)
    elif step in {"code", "wrong_code"}:
        caller.call("cards.get_verify_code", {"token": token})
        sent = "666666" if step == "code" else "123123"
        caller.call("cards.verify", {"token": token, "code": sent})
    elif step == "remove":
        caller.call("cards.remove", {"token": token})
    elif step == "pay":
        caller.call("receipts.pay", {"id": receipt, "token": token, **hold})
    elif step == "nonsense":
        caller.call("receipts.pay", {"id": receipt, "tokn": token})
    else:
        name = {"confirm": "confirm_hold"}.get(step, step)
        caller.call(f"receipts.{name}", {"id": receipt})


# Memory and time


def test_an_answer_that_is_too_long_is_not_kept_anywhere() -> None:
    traffic = Traffic()
    long = b'{"jsonrpc":"2.0","result":"' + b"x" * 1_000_000 + b'"}'
    traffic.record(1, b"{}", None, Answer(long, 7, "receipts.get", fault="fault 1"))
    (call,) = traffic.recorded()
    assert (call.answer.delay_ms, call.answer.method, call.answer.fault) == (
        7,
        "receipts.get",
        "fault 1",
    )
    assert not any(isinstance(one, bytes) and len(one) > MAX_KEPT for one in (*call, *call.answer))


def test_only_what_is_shown_is_redacted(
    caller: Caller, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = caller.paid()
    for _ in range(20):
        caller.state(receipt)
    caller.no("receipts.get", id="0" * 24)
    redacted: list[object] = []
    original = Traffic._shown

    def counted(self: Traffic, call: Any, *how: Any) -> Any:
        redacted.append(call)
        return original(self, call, *how)

    monkeypatch.setattr(Traffic, "_shown", counted)
    assert len(sandbox.traffic.entries(5)) == len(redacted) == 5
    redacted.clear()
    (refused,) = sandbox.traffic.entries(5, refused=True)
    assert refused.code == -31602
    assert len(redacted) == 1


@pytest.mark.parametrize("slow_card_ms", [10_000, 45_000, 20])
def test_the_slow_card_is_repeated(clock: Clock, slow_card_ms: int) -> None:
    sandbox = Sandbox(clock=clock, slow_card_ms=slow_card_ms)
    caller = Caller(sandbox)
    assert caller.no("receipts.pay", id=caller.receipt(), token=caller.verified(SLOW))[0] == -31630
    source = exported(sandbox)
    sandbox.stop()
    assert "== -31630" in source
    replay(source)


def test_cards_that_the_tester_set_are_repeated_with_other_numbers(clock: Clock) -> None:
    own = {"8600111122223333/0328": "-31630 Not today", "5614681000000016": "slow_pays"}
    sandbox = Sandbox(clock=clock, cards={**own, GOOD: "insufficient_funds"})
    caller = Caller(sandbox)
    for number, expire in (("8600111122223333", "0328"), (GOOD, "0399")):
        made = caller.ok("cards.create", card={"number": number, "expire": expire}, save=True)
        token = made["card"]["token"]
        caller.ok("cards.get_verify_code", token=token)
        caller.ok("cards.verify", token=token, code="666666")
        assert caller.no("receipts.pay", id=caller.receipt(), token=token)[0] == -31630
    caller.ok("receipts.pay", id=caller.receipt(), token=caller.verified("5614681000000016"))
    # The expiry is wrong, although it is a test card's.
    card = {"number": "8600111122223333", "expire": "0399"}
    assert caller.no("cards.create", card=card)[0] == -31300
    source = exported(sandbox)
    sandbox.stop()
    assert not any(secret in source for secret in ("8600111122223333", "5614681000000016", "0328"))
    assert source.count("-31300") == 1
    replay(source)


def test_what_a_strict_sandbox_refused_is_refused_again(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, strict=True)
    Caller(sandbox).no("receipts.create", amount=500, account={"order_id": 1}, expire_minutes=5)
    source = exported(sandbox)
    sandbox.stop()
    assert "strict=True" in source
    replay(source)
