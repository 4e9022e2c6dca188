"""Whatever a server sends, only documented errors come out."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payme.errors import OutcomeUnknown, PaymeError, Rejected, UnreadableAnswer
from payme.protocol import calls
from payme.protocol.calls import Effect
from payme.protocol.inputs import FiscalData
from payme.protocol.models import Receipt
from payme.protocol.outcome import read_answer
from payme.transport.base import Reply

RECEIPT = "63119becc4420cbf2712a24c"
TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGx"

CALLS = st.sampled_from(
    [
        calls.cards_create("8600069195406311", "0399"),
        calls.cards_get_verify_code(TOKEN),
        calls.cards_verify(TOKEN, "666666"),
        calls.cards_check(TOKEN),
        calls.cards_remove(TOKEN),
        calls.receipts_create(100, {"order_id": 1}),
        calls.receipts_pay(RECEIPT, TOKEN),
        calls.receipts_send(RECEIPT, "998901304527"),
        calls.receipts_cancel(RECEIPT),
        calls.receipts_check(RECEIPT),
        calls.receipts_get(RECEIPT),
        calls.receipts_get_all(50, 0, 0),
        calls.receipts_confirm_hold(RECEIPT),
        calls.receipts_set_fiscal_data(
            RECEIPT, FiscalData(receipt_id=1, qr_code_url="https://o.uz")
        ),
        calls.any_method("receipts.p2p", {"token": TOKEN}),
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
STATUSES = st.sampled_from([200, 200, 200, 204, 301, 404, 500, 502, 504])

GOOD = {
    "_id": RECEIPT,
    "state": 4,
    "amount": 100,
    "create_time": 1662098412270,
    "pay_time": 1662098412271,
    "account": [{"name": "order_id", "title": "Buyurtma", "value": "1", "main": True}],
    "card": {"number": "860006******6311", "expire": "9903"},
}


def outcome(call, reply):
    """Read a reply; give the error, or None for a value."""
    try:
        read_answer(call, 7, reply, ("Rw712wMJspZBczFvrG09",))
    except PaymeError as error:
        return error
    return None


@given(CALLS, STATUSES, st.binary())
@example(calls.receipts_pay(RECEIPT, TOKEN), 200, b"[" * 100_000)
@example(calls.receipts_get(RECEIPT), 200, b'{"id":7,"result":' + b'{"a":' * 50_000)
@example(calls.cards_check(TOKEN), 200, b'{"id":7,"result":{"card":{"number":"\xff"}}}')
@example(calls.receipts_pay(RECEIPT, TOKEN), 200, b'{"id":7,"result":1e999}')
def test_arbitrary_bytes(call, status, body):
    error = outcome(call, Reply(status, body))
    assert isinstance(error, UnreadableAnswer)


@given(CALLS, JSON)
def test_arbitrary_json(call, value):
    assert isinstance(outcome(call, Reply(200, json.dumps(value).encode())), PaymeError)


@given(CALLS, JSON)
def test_arbitrary_result(call, value):
    body = json.dumps({"id": 7, "result": value}).encode()
    error = outcome(call, Reply(200, body))
    if error is not None:
        assert isinstance(error, UnreadableAnswer)


@given(CALLS, JSON)
def test_arbitrary_error(call, value):
    body = json.dumps({"id": 7, "error": value}).encode()
    assert isinstance(outcome(call, Reply(200, body)), UnreadableAnswer | Rejected | OutcomeUnknown)


@given(CALLS, st.integers(-40_000, 40_000), JSON, JSON)
def test_any_code_is_final_or_leaves_the_outcome_unknown(call, code, message, data):
    body = json.dumps({"id": 7, "error": {"code": code, "message": message, "data": data}}).encode()
    error = outcome(call, Reply(200, body))
    assert isinstance(error, Rejected | OutcomeUnknown)
    if call.effect is not Effect.READ and code == -32400:
        assert isinstance(error, OutcomeUnknown)


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_one_member_of_a_receipt_replaced_is_read_or_named(member, value):
    receipt = {**GOOD, member: value}
    body = json.dumps({"id": 7, "result": {"receipt": receipt}}).encode()
    error = outcome(calls.receipts_pay(RECEIPT, TOKEN), Reply(200, body))
    if error is not None:
        assert isinstance(error, UnreadableAnswer)
        assert member in str(error) or "about receipt" in str(error)


@pytest.mark.slow
@given(
    st.dictionaries(st.text().filter(lambda name: name not in Receipt.__struct_fields__), JSON),
    st.integers(-(2**40), 2**40),
)
def test_unknown_members_and_states_survive(extra, state):
    receipt = {**extra, **GOOD, "state": state}
    body = json.dumps({"id": 7, "result": {"receipt": receipt}}).encode()
    got = read_answer(calls.receipts_get(RECEIPT), 7, Reply(200, body))
    assert got.state == state
    assert got.raw == receipt
