"""Random card numbers, tokens, keys, codes and phones never appear in any text."""

import contextlib
import json
import logging
import traceback

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from payme import AsyncPayme, ConfigurationError, MemoryTransport, Payer, Payme, redact
from payme.errors import InvalidArgument, PaymeError
from payme.protocol import calls
from payme.protocol.models import Card, Receipt, VerifyCode
from payme.transport.base import Reply, TransportError

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ID, RECEIPT = "5e730e8e0b852a417aa49ceb", "63119becc4420cbf2712a24c"

cards = st.text(DIGITS, min_size=16, max_size=16)
tokens = st.builds(
    "{}_{}".format,
    st.text("0123456789abcdef", min_size=24, max_size=24),
    st.text(LETTERS, min_size=20, max_size=390),
)
keys = st.text(LETTERS + "?%&@#!$*+=", min_size=20, max_size=36)
codes = st.text(DIGITS, min_size=6, max_size=6)
phones = st.text(DIGITS, min_size=9, max_size=9).map("998{}".format)
separators = st.sampled_from(["", " ", "-"])


def spaced(digits, separator):
    return separator.join(digits[at : at + 4] for at in range(0, len(digits), 4))


def shown(error):
    """All text that an error can become."""
    lines = traceback.format_exception(error)
    return "\n".join([repr(error), str(error), repr(vars(error)), *lines])


class Echo:
    """A server that repeats whatever it was told, in every way it can."""

    def __init__(self, how):
        self.how = how

    def send(self, request):
        text = f"{request.auth} {request.body.decode()}"
        if self.how == "lost":
            raise TransportError(f"reset while sending {text}", sent=True)
        if self.how == "refused":
            raise TransportError(f"refused {text}", sent=False)
        if self.how == "html":
            return Reply(500, f"<html>{text}</html>".encode())
        sent = json.loads(request.body)
        error = {"code": -31630, "message": text, "data": {"sent": sent, "text": text}}
        return Reply(200, json.dumps({"id": sent["id"], "error": error}).encode())

    def close(self):
        pass


@settings(deadline=None)
@given(cards, tokens, keys, codes, phones, st.sampled_from(["lost", "refused", "html", "rpc"]))
def test_no_error_of_a_call_shows_a_secret_even_when_the_server_echoes_it(
    card, token, key, code, phone, how
):
    assume(code not in f"{ID}{RECEIPT}{card[:6]}{card[-4:]}{phone[:5]}")
    client = Payme(ID, key, transport=Echo(how), max_attempts=1)
    for call in (
        lambda: client.cards.create(card, "0399"),
        lambda: client.cards.verify(token, code),
        lambda: client.cards.remove(token),
        lambda: client.receipts.pay(RECEIPT, token, payer=Payer(phone=phone)),
        lambda: client.receipts.send(RECEIPT, phone),
        lambda: client.call("receipts.p2p", {"token": token, "card": {"number": card}}),
    ):
        try:
            call()
        except PaymeError as error:
            text = shown(error)
            # The test's own lines are in the traceback, its values are not.
            for secret in (card, token, key, phone):
                assert secret not in text
            request_id = str(error.request_id)
            assert code not in text.replace(request_id, "")


@given(cards, separators, tokens, codes, phones)
def test_refused_arguments_are_shown_masked(card, separator, token, code, phone):
    for build in (
        lambda: calls.cards_create(spaced(card, separator) + "x", "0399"),
        lambda: calls.cards_create(int("1" + card), "0399"),
        lambda: calls.cards_check(f"{token} {token}"),
        lambda: calls.cards_verify(token, int("1" + code)),
        lambda: calls.receipts_send(RECEIPT, phone + "5"),
        lambda: calls.receipts_pay(f"{token} ", token),
        lambda: calls.receipts_create(f"{card}", {"order_id": 1}),
    ):
        try:
            build()
        except InvalidArgument as error:
            text = shown(error)
            for secret in (card, token, phone, "1" + code):
                assert secret not in text


@given(cards, separators, tokens, phones)
def test_scrub_finds_secrets_in_the_middle_of_text(card, separator, token, phone):
    text = redact.scrub(f"pay {spaced(card, separator)}, with {token}; call +{phone}!")
    for secret in (card, spaced(card, separator), token, phone):
        assert secret not in text
    assert text.startswith("pay ")
    assert text.endswith("!")


@given(cards, tokens, keys, phones)
def test_no_repr_shows_a_secret(card, token, key, phone):
    wire = {
        "_id": RECEIPT,
        "state": 4,
        "amount": 100,
        "create_time": 1,
        "account": [{"name": "phone", "value": phone}],
        "card": {"number": card, "expire": "9903"},
        "description": f"{phone} {card}",
    }
    values = [
        Card(card, "03/99", token, recurrent=True, verify=True, number_hash=token),
        VerifyCode(sent=True, phone=phone, wait=60000),
        Payer(phone=phone, email="a@b.uz"),
        Receipt.read(json.dumps(wire).encode()),
        calls.cards_create(card, "0399"),
        calls.receipts_pay(RECEIPT, token, payer=Payer(phone=phone)),
        Payme(ID, key, environment="test"),
        AsyncPayme(ID, key, environment="test"),
    ]
    text = repr(values)
    for secret in (card, token, key, phone):
        assert secret not in text


@given(keys)
def test_refused_keys_are_not_shown(key):
    for bad in (f"{key} {key}", f"{key}&amp;{key}", f"{key}\n"):
        with pytest.raises(ConfigurationError) as refused:
            Payme(ID, bad, environment="test")
        assert key not in shown(refused.value)


def test_a_call_is_logged_by_method_and_outcome_without_a_secret(caplog):
    caplog.set_level(logging.DEBUG)
    client = Payme(ID, "Rw712wMJspZBczFvrG09", transport=MemoryTransport(lambda body, auth: b"{}"))
    with contextlib.suppress(PaymeError):
        client.cards.verify("63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPP", "666666")
    assert "cards.verify -: UnreadableAnswer in " in caplog.text
    assert "ADHrAykwnAIc2hm4hPP" not in caplog.text
    assert "Rw712wMJspZBczFvrG09" not in caplog.text
