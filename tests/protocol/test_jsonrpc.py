import json
from decimal import Decimal

import pytest

from payme.errors import ProtocolError
from payme.protocol import jsonrpc


def test_request_has_the_members_of_payme_s_samples_and_no_others():
    body = jsonrpc.encode("receipts.get", {"id": "63119becc4420cbf2712a24c"}, 123)
    assert body == b'{"id":123,"method":"receipts.get","params":{"id":"63119becc4420cbf2712a24c"}}'


def test_request_without_id_leaves_it_out():
    assert json.loads(jsonrpc.encode("cards.check", {"token": "t"}, None)) == {
        "method": "cards.check",
        "params": {"token": "t"},
    }


def test_decimal_goes_out_as_a_number():
    assert b'"count":0.350' in jsonrpc.encode("m", {"count": Decimal("0.350")}, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"id":1}',
        b'{"id":1,"result":null}',
        b'{"id":1,"result":{},"error":{"code":-1}}',
        b'{"id":1,"error":{}}',
        b'{"id":1,"error":{"code":"x"}}',
        b'{"id":1.5,"result":{}}',
        b'{"id":1,"result":{}',
        b'{"id":1,"result":{}}trailing',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"result":' + b"[" * 100_000,
    ],
)
def test_what_is_not_an_answer_is_a_protocol_error(body):
    with pytest.raises(ProtocolError):
        jsonrpc.decode(body)


@pytest.mark.parametrize(
    ("answered", "verdict"),
    [
        (b'{"id":7,"result":{}}', True),
        (b'{"id":8,"result":{}}', False),
        (b'{"id":"7","result":{}}', False),
        (b'{"id":null,"result":{}}', None),
        (b'{"result":{}}', None),
        (b'{"error":{"code":-32700,"message":"Parse error."},"id":null}', True),
        (b'{"error":{"code":-31630}}', False),
    ],
)
def test_answer_is_matched_by_its_id(answered, verdict):
    assert jsonrpc.is_for(jsonrpc.decode(answered), 7) is verdict


def test_answer_to_a_request_without_id_is_ours():
    assert jsonrpc.is_for(jsonrpc.decode(b'{"result":{}}'), None) is True


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ('"Xato"', "Xato"),
        ('{"ru":"Ошибка","en":"Error"}', "Ошибка"),
        ("null", ""),
        ("5", "5"),
        ("{}", ""),
    ],
)
def test_message_may_be_a_string_or_languages(message, text):
    body = f'{{"id":1,"error":{{"code":-1,"message":{message}}}}}'.encode()
    assert jsonrpc.decode(body).error.text == text


def test_result_beside_a_null_error_is_read():
    assert bytes(jsonrpc.decode(b'{"result":{"a":1},"error":null,"id":1}').result) == b'{"a":1}'


def test_excerpt_does_not_show_the_stump_of_a_token_that_was_cut():
    token = b"63119784d15d8d8d093b37b8_" + b"A" * 400
    body = b"x " * 2040 + token
    assert b"63119784" not in jsonrpc.excerpt(body).encode()
    assert "<token>" in jsonrpc.excerpt(token)
