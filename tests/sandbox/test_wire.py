import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_tools import Caller, check_answer

from payme.sandbox import Sandbox
from payme.sandbox.engine import Reason
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.refusals import ANSWERS

CHECK = {"method": "cards.check", "params": {"token": "x"}}


def code(answer: dict[str, Any]) -> int:
    return answer["error"]["code"]


# Envelope


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"{'id': 1}",
        b"NaN",
        b'{"id": NaN}',
        b'{"id": Infinity}',
        b'{"id": 1e999}',
        b'{"id": ' + b"1" * 10_000 + b"}",
        b'{"id": "\xff"}',
        b'{"id": "\xed\xa0\x80"}',
        b'{"id": "\\ud800"}',
        b'{"id": "\\udc00\\ud800"}',
        b"\xef\xbb\xbf{}",
        json.dumps(CHECK).encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id":1} trailing',
        b"\x00",
    ],
)
def test_not_json(caller: Caller, body: bytes) -> None:
    answer = caller.raw(body)
    assert code(answer) == -32700
    assert answer["id"] is None


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"true", b"[]", b"[[]]", b"{}"])
def test_not_a_call(caller: Caller, body: bytes) -> None:
    assert code(caller.raw(body)) == -32600


def test_batches_are_refused(caller: Caller) -> None:
    answer = caller.raw(json.dumps([CHECK, CHECK]).encode())
    assert (code(answer), answer["id"]) == (-32600, None)


@pytest.mark.parametrize("depth", [500, 5_000])
def test_deep_params(caller: Caller, depth: int) -> None:
    body = b'{"method":"cards.check","params":{"token":%s%s}}' % (b"[" * depth, b"]" * depth)
    assert code(caller.raw(body)) in {-32602, -32700}


def test_too_large(caller: Caller) -> None:
    assert code(caller.raw(b" " * (1024 * 1024 + 1))) == -32600
    whole = json.dumps(CHECK).encode().ljust(1024 * 1024)
    assert code(caller.raw(whole)) == -32500


@pytest.mark.parametrize("value", [1, 0, -5, 1.5, "text", "", None, 10**30, "я"])
def test_id_is_echoed(caller: Caller, value: Any) -> None:
    for extra in ({}, {"method": "no.such"}, {"params": 5}):
        answer = caller.raw(json.dumps({**CHECK, **extra, "id": value}).encode())
        assert "id" in answer
        assert answer["id"] == value


def test_id_is_left_out_when_there_was_none(caller: Caller) -> None:
    for extra in ({}, {"method": "no.such"}, {"method": 5}, {"params": []}):
        assert "id" not in caller.raw(json.dumps({**CHECK, **extra}).encode())


@pytest.mark.parametrize("value", [True, [], {}, [1]])
def test_id_of_another_type(caller: Caller, value: Any) -> None:
    answer = caller.raw(json.dumps({**CHECK, "id": value}).encode())
    assert (code(answer), answer["error"]["data"], answer["id"]) == (-32600, "id", None)


@pytest.mark.parametrize(
    ("extra", "data"),
    [
        ({"method": 5}, "method"),
        ({"method": None}, "method"),
        ({"params": None}, "params"),
        ({"params": []}, "params"),
        ({"params": "x"}, "params"),
        ({"jsonrpc": "1.0"}, "jsonrpc"),
        ({"jsonrpc": 2.0}, "jsonrpc"),
    ],
)
def test_invalid_requests(caller: Caller, extra: dict[str, Any], data: str) -> None:
    answer = caller.raw(json.dumps({**CHECK, **extra}).encode())
    assert (code(answer), answer["error"]["data"]) == (-32600, data)


def test_missing_members(caller: Caller) -> None:
    assert caller.raw(b'{"params":{}}')["error"]["data"] == "method"
    assert caller.raw(b'{"method":"cards.check"}')["error"]["data"] == "params"


def test_jsonrpc_may_be_sent(caller: Caller) -> None:
    body = json.dumps({**CHECK, "jsonrpc": "2.0", "extra": 1}).encode()
    assert code(caller.raw(body)) == -32500


def test_unknown_method(caller: Caller) -> None:
    answer = caller.call("receipts.hold", {})
    assert (code(answer), answer["error"]["data"]) == (-32601, "receipts.hold")
    long = caller.call("x" * 10_000, {})
    assert len(long["error"]["data"]) < 200


def test_of_duplicate_keys_the_last_counts(caller: Caller) -> None:
    body = b'{"method":"no.such","method":"cards.check","params":{"token":1,"token":"x"}}'
    assert code(caller.raw(body)) == -32500


def test_a_param_that_is_no_param(strict: Caller) -> None:
    answer = strict.call("cards.check", {"token": "x", "tokne": "y"})
    assert (code(answer), answer["error"]["data"]) == (-32602, "tokne")
    assert "tokne" in answer["error"]["message"]
    long = strict.call("cards.check", {"token": "x", "y" * 10_000: 1})
    assert len(json.dumps(long)) < 1000


# Credentials

FRONT = sorted(name for name in METHODS if name.startswith("cards."))
BACK = sorted(name for name in METHODS if name.startswith("receipts."))


def test_all_fourteen_methods_are_there() -> None:
    assert (len(FRONT), len(BACK)) == (5, 9)


def denied(caller: Caller, method: str, auth: str | None) -> Any:
    """Data of -32504; False when the call got past the door."""
    body = json.dumps({"method": method, "params": {}}).encode()
    answer = check_answer(caller.sandbox.handle(body, auth))
    if code(answer) != -32504:
        assert code(answer) == -32602
        return False
    assert answer["error"]["message"] == "Access denied."
    return answer["error"]["data"]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_credentials(caller: Caller, method: str) -> None:
    merchant, key = caller.sandbox.merchant_id, caller.sandbox.key
    assert denied(caller, method, f"{merchant}:{key}") is False
    for wrong in (None, "", "x", f"x:{key}", ":", f":{key}", merchant.upper() + "0", "я", "\udc80"):
        assert denied(caller, method, wrong) == "invalid_id"
    for wrong in ("", "x", key[:-1], f"{key}x", f" {key}", f"{key}:"):
        assert denied(caller, method, f"{merchant}:{wrong}") is None
    assert denied(caller, method, merchant) is (False if method in FRONT else None)


def test_a_key_may_contain_colons() -> None:
    sandbox = Sandbox(merchant_id="m", key="a:b:c")
    caller = Caller(sandbox)
    assert denied(caller, "receipts.get", "m:a:b:c") is False
    assert denied(caller, "receipts.get", "m:a") is None
    sandbox.stop()


def test_an_unknown_method_needs_a_known_cash_box(caller: Caller) -> None:
    assert code(caller.call("no.such", {}, auth="x")) == -32504
    assert code(caller.call("no.such", {}, auth=caller.front)) == -32601


def test_every_reason_has_an_answer() -> None:
    assert set(ANSWERS) == set(Reason)


# Whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "token",
        "code",
        "card",
        "number",
        "expire",
        "save",
        "id",
        "amount",
        "account",
        "hold",
        "payer",
        "phone",
        "count",
        "from",
        "to",
        "offset",
        "detail",
        "receipt_type",
        "items",
        "fiscal_data",
        "receipt_id",
        "qr_code_url",
        "description",
    ]
)
CALLS = st.fixed_dictionaries(
    {"method": st.sampled_from(sorted(METHODS)) | st.text(max_size=5)},
    optional={
        "id": JSON,
        "params": st.dictionaries(NAMES, JSON, max_size=5) | JSON,
        "jsonrpc": st.just("2.0") | JSON,
    },
)

SHARED = Caller(Sandbox(seed=1))


@pytest.fixture(scope="module", autouse=True)
def _shared() -> Iterator[None]:
    yield
    SHARED.sandbox.stop()


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    SHARED.raw(body)


@given(JSON)
def test_any_json(value: Any) -> None:
    SHARED.raw(json.dumps(value).encode())


@given(CALLS)
def test_any_call(call: dict[str, Any]) -> None:
    answer = SHARED.raw(json.dumps(call).encode())
    assert "error" not in answer or code(answer) != -32400


@given(st.text(max_size=80))
def test_any_credentials(auth: str) -> None:
    answer = check_answer(SHARED.sandbox.handle(json.dumps(CHECK).encode(), auth))
    assert code(answer) == -32504


@given(st.integers(0, 2**32), st.data())
def test_mangled_calls(seed: int, data: st.DataObject) -> None:
    good = (
        b'{"id":1,"method":"receipts.create","params":{"amount":1000,"account":{"order_id":1},'
        b'"detail":{"receipt_type":0,"items":[]},"hold":false,"description":"x"}}'
    )
    body = bytearray(good)
    rng = random.Random(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        body[rng.randrange(len(body))] = rng.randrange(256)
    answer = SHARED.raw(bytes(body))
    assert "error" not in answer or code(answer) != -32400


def test_a_broken_handler_is_a_system_error_and_leaves_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, token = caller.receipt(), caller.verified()
    shapes = caller.sandbox.works.engine._shapes

    def fail(_receipt: object) -> dict[str, Any]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(shapes, "single", fail)
        answer = caller.call("receipts.pay", {"id": receipt, "token": token})
    assert (code(answer), answer["id"]) == (-32400, 1)
    assert (caller.state(receipt), caller.sandbox.debits(receipt)) == (0, 0)


def test_a_broken_listener_costs_no_answer(caller: Caller) -> None:
    def fail(_answer: object) -> None:
        raise ZeroDivisionError

    caller.sandbox.first.service._listener = fail
    assert caller.receipt()
