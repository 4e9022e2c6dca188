import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payme.merchant import core, wire
from payme.merchant.core import Refusal

ID = "63119becc4420cbf2712a24c"


CREATE = b'"time":1,"amount":1,"account":{}}}'


def parse(**members):
    return wire.parse(json.dumps({"id": 5, **members}).encode())


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        (
            "CheckPerformTransaction",
            {"amount": 500, "account": {"phone": "903595731"}},
            core.CheckPerform(500, {"phone": "903595731"}),
        ),
        (
            "CreateTransaction",
            {"id": ID, "time": 1399114284039, "amount": 500, "account": {"order_id": 7}},
            core.Create(ID, 1399114284039, 500, {"order_id": 7}),
        ),
        ("PerformTransaction", {"id": ID}, core.Perform(ID)),
        ("CancelTransaction", {"id": ID, "reason": 5}, core.Cancel(ID, 5)),
        ("CheckTransaction", {"id": ID}, core.Check(ID)),
        ("GetStatement", {"from": 1, "to": 2}, core.Statement(1, 2)),
        (
            "SetFiscalData",
            {"id": ID, "type": "PERFORM", "fiscal_data": {"receipt_id": 121}},
            core.SetFiscalData(ID, "PERFORM", {"receipt_id": 121}),
        ),
        ("ChangePassword", {"password": "x"}, core.ChangePassword("x")),
    ],
)
def test_requests_are_read_as_payme_s_pages_print_them(method, params, expected):
    assert parse(method=method, params=params) == (5, expected, method)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b"null", -32600),
        (b"[]", -32600),
        (b'[{"method":"CheckTransaction","params":{"id":"x"}}]', -32600),
        (b"{}", -32600),
        (b'{"method":"CheckTransaction"}', -32600),
        (b'{"method":"CheckTransaction","params":[]}', -32600),
        (b'{"method":5,"params":{}}', -32600),
        (b'{"method":"Nope","params":{}}', -32601),
        (b'{"method":"CheckTransaction","params":{}}', -32600),
        (b'{"method":"CheckTransaction","params":{"id":5}}', -32600),
        *(
            (b'{"method":"CreateTransaction","params":{"id":"%s",' % bad + CREATE, -32600)
            for bad in (b"", b"a" * 65, b"a b", b"a\\n")
        ),
        (b'{"method":"CreateTransaction","params":{"id":"a\\u0000",' + CREATE, -32602),
        (b'{"method":"GetStatement","params":{"from":"a","to":1}}', -32600),
        (b'{"method":"SetFiscalData","params":{"id":"x","type":"OTHER"}}', -32602),
        (b" " * (wire.MAX_BODY + 1), -32600),
    ],
)
def test_what_is_no_request_gets_its_documented_code(body, code):
    assert wire.parse(body).request.code == code


def test_unknown_method_is_named_in_data():
    assert parse(method="Nope", params={}).request.data == "Nope"


def test_refusal_of_params_names_the_param():
    refusal = parse(method="SetFiscalData", params={"id": ID, "type": "X"}).request
    assert "$.type" in refusal.message.en


def test_errors_go_out_in_three_languages_and_results_bare():
    refused = json.loads(wire.encode(5, core.CANNOT_PERFORM))
    assert refused["id"] == 5
    assert refused["error"]["code"] == -31008
    assert set(refused["error"]["message"]) == {"uz", "ru", "en"}
    assert json.loads(wire.encode("x", {"allow": True})) == {
        "jsonrpc": "2.0",
        "id": "x",
        "result": {"allow": True},
    }


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("call_id", [7, 'a"b', None])
def test_statement_is_an_answer_like_any_other(count, call_id):
    writer, rows = wire.StatementWriter(), [{"id": str(n)} for n in range(count)]
    for row in rows:
        writer.add(row)
    assert json.loads(wire.encode(call_id, writer)) == {
        "jsonrpc": "2.0",
        "id": call_id,
        "result": {"transactions": rows},
    }


@pytest.mark.parametrize(("sent", "echoed"), [(7, 7), ("a", "a"), (None, None), ([1], None)])
def test_id_is_echoed(sent, echoed):
    assert wire.parse(json.dumps({"id": sent}).encode()).id == echoed


@given(st.binary())
def test_any_bytes_are_a_request_or_a_refusal(body):
    parsed = wire.parse(body)
    assert isinstance(parsed.request, Refusal)
    json.loads(wire.encode(parsed.id, parsed.request))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.sampled_from(sorted(wire._METHODS)),
    st.dictionaries(
        st.sampled_from(["id", "time", "amount", "account", "reason", "from", "to", "type"]), VALUES
    ),
    VALUES,
)
def test_any_params_are_a_request_or_a_refusal(method, params, call_id):
    parsed = wire.parse(json.dumps({"method": method, "params": params, "id": call_id}).encode())
    assert isinstance(parsed.request, Refusal | core.Request)
