"""The specification's classes under the same faults: JSON as it came, or their one exception."""

import json

import pytest

from payme import runtime, subscribe
from payme.cards.subscribe_cards import PaymeSubscribeCards
from payme.errors import PaymeError
from payme.errors.exceptions import PaymeTimeoutException
from payme.receipts.subscribe_receipts import PaymeSubscribeReceipts
from support import gates
from support.faults import DOUBTFUL, FINAL, LOST, SILENT, UNREADABLE, WITHOUT_ID
from support.fourteen import CARD, CODE, PHONE, prepare
from support.gates import Gate
from support.secrecy import assert_hidden, secrets_of, texts_of

CALLS = {
    "cards.create": lambda c, r, s: c.cards_create(CARD, "0399", True),
    "cards.get_verify_code": lambda c, r, s: c.card_get_verify_code(s.unverified),
    "cards.verify": lambda c, r, s: c.cards_verify(CODE, s.unverified),
    "cards.check": lambda c, r, s: c.cards_check(s.token),
    "cards.remove": lambda c, r, s: c.cards_remove(s.token),
    "receipts.create": lambda c, r, s: r.receipts_create(50_000, 1),
    "receipts.pay": lambda c, r, s: r.receipts_pay(s.unpaid, s.token, PHONE),
    "receipts.send": lambda c, r, s: r.receipts_send(s.unpaid, PHONE),
    "receipts.cancel": lambda c, r, s: r.receipts_cancel(s.unpaid),
    "receipts.check": lambda c, r, s: r.receipts_check(s.unpaid),
    "receipts.get": lambda c, r, s: r.receipts_get(s.unpaid),
    "receipts.get_all": lambda c, r, s: r.receipts_get_all(50, 0, 4_102_444_800_000, 0),
}
READS = ["cards.check", "receipts.check", "receipts.get", "receipts.get_all"]

# What these classes call without an id has no id to be compared.
WITHOUT_REQUEST_ID = {method for method in CALLS if method.startswith("cards.")} | {
    "receipts.create"
}
ABOUT_IDS = ("other_call", "refusal_of_other_call", "id_of_another_type")
SHAPES = ("wrong_shape",)
NO_ANSWER = [
    *((fault, "maybe") for fault in LOST),
    *((fault, "yes") for fault in UNREADABLE if not fault.name.startswith((*ABOUT_IDS, *SHAPES))),
]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(runtime, "uniform", lambda low, _high: low)


@pytest.fixture
def connect(sandbox):
    """Make both clients; the pool that they keep for the process is closed at the end."""
    urls = []

    def connect(url, timeout=3):
        urls.append(url)
        cards = PaymeSubscribeCards(url, sandbox.merchant_id, timeout)
        return cards, PaymeSubscribeReceipts(url, sandbox.merchant_id, sandbox.key, timeout)

    yield connect
    for url in set(urls):
        subscribe._TRANSPORTS.pop(url).close()


def call(method, clients, state):
    return CALLS[method](*clients, state)


def check_exception(error, sent, method, state, key):
    assert isinstance(error, PaymeTimeoutException)
    assert isinstance(error, PaymeError)
    assert error.sent == sent
    assert error.method == method
    assert_hidden(secrets_of(state, key), texts_of(error))


@pytest.mark.parametrize(("fault", "sent"), NO_ANSWER, ids=str)
def test_no_answer_is_a_timeout_exception_that_says_whether_it_was_sent(
    fault, sent, connect, server, sandbox
):
    server.otherwise = fault.act
    clients = connect(server.url)
    for method in CALLS:
        state = prepare(sandbox, method)
        with pytest.raises(PaymeTimeoutException) as raised:
            call(method, clients, state)
        check_exception(raised.value, sent, method, state, sandbox.key)
        assert server.methods().count(method) == (3 if method in READS else 1)
        expected = int(fault.executed and method == "receipts.pay")
        assert sandbox.debits(state.unpaid) == expected


@pytest.mark.parametrize("fault", SILENT, ids=str)
@pytest.mark.parametrize("method", ["cards.check", "receipts.pay"])
def test_silence_is_a_timeout_exception(method, fault, connect, server, sandbox):
    server.otherwise = fault.act
    state = prepare(sandbox, method)
    with pytest.raises(PaymeTimeoutException) as raised:
        call(method, connect(server.url, timeout=0.3), state)
    check_exception(raised.value, "maybe", method, state, sandbox.key)
    assert server.methods() == [method]


@pytest.mark.parametrize("method", CALLS)
def test_what_was_not_sent_says_so(method, connect, server, sandbox):
    state = prepare(sandbox, method)
    with gates.refused() as port, pytest.raises(PaymeTimeoutException) as raised:
        call(method, connect(f"http://127.0.0.1:{port}/api"), state)
    check_exception(raised.value, "no", method, state, sandbox.key)


def test_tls_failure_says_that_nothing_was_sent(connect, sandbox, server_tls):
    state = prepare(sandbox)
    with Gate(gates.handshake(server_tls)) as gate, pytest.raises(PaymeTimeoutException) as raised:
        call("receipts.pay", connect(f"https://localhost:{gate.port}/api"), state)
    check_exception(raised.value, "no", "receipts.pay", state, sandbox.key)
    assert gate.seen == b""


@pytest.mark.parametrize("method", [name for name in CALLS if name not in WITHOUT_REQUEST_ID])
@pytest.mark.parametrize(
    "fault", [fault for fault in UNREADABLE if fault.name.startswith(ABOUT_IDS)], ids=str
)
def test_answer_for_another_request_is_no_answer(method, fault, connect, server, sandbox):
    server.otherwise = fault.act
    state = prepare(sandbox, method)
    with pytest.raises(PaymeTimeoutException) as raised:
        call(method, connect(server.url), state)
    check_exception(raised.value, "yes", method, state, sandbox.key)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("name", ["error_-32504", "error_-32400", "error_-39999", "extra", "ids"])
def test_json_rpc_answer_comes_back_untouched(name, method, connect, server, sandbox):
    """An error is a dict too, whatever its code; it is neither raised nor sent again."""
    state = prepare(sandbox, method)
    answers = []

    def act(exchange):
        answer = json.loads(exchange.execute())
        if name.startswith("error"):
            error = {"code": int(name[6:]), "message": {"ru": "нет"}, "data": {"n": 1.5, "q": None}}
            answer = {**answer, "error": error}
            del answer["result"]
        elif name == "extra":
            answer["result"] = {"unknown": [answer["result"], 2**60]}
            answer["more"] = {"члены": "ў"}
        elif method in WITHOUT_REQUEST_ID:
            answer.pop("id", None)
        answers.append(answer)
        exchange.answer(json.dumps(answer).encode())

    server.script(act)
    assert call(method, connect(server.url), state) == answers[0]
    assert server.methods() == [method]


@pytest.mark.parametrize("fault", [*WITHOUT_ID], ids=str)
@pytest.mark.parametrize("method", ["receipts.pay", "receipts.send", "receipts.get"])
def test_answer_without_an_id_about_the_right_receipt_comes_back(
    method, fault, connect, server, sandbox
):
    server.script(fault.act)
    state = prepare(sandbox, method)
    assert call(method, connect(server.url), state)["result"]
    assert server.methods() == [method]


def test_all_errors_of_the_catalogue_faults_are_dicts(connect, server, sandbox):
    state = prepare(sandbox)
    for fault in (*FINAL, *DOUBTFUL):
        server.script(lambda exchange, fault=fault: add_id(exchange, fault))
        answer = call("receipts.pay", connect(server.url), state)
        assert answer["error"]["code"] < 0
        assert answer["error"]["data"]["params"]["token"] == state.token


def add_id(exchange, fault):
    exchange.json.setdefault("id", None)
    fault.act(exchange)


def test_instances_of_one_address_share_connections(connect, server, sandbox):
    state = prepare(sandbox)
    for _ in range(5):
        call("receipts.check", connect(server.url), state)
        call("receipts.get", connect(server.url), state)
    assert server.connections == 1


def test_a_call_without_an_id_has_a_connection_of_its_own(connect, server, sandbox):
    """Its answer can't be told from a stray one: one customer would get another's token."""
    state = prepare(sandbox)
    call("receipts.check", connect(server.url), state)
    for number in range(1, 4):
        call("cards.check", connect(server.url), state)
        call("receipts.check", connect(server.url), state)
        assert server.connections == 1 + number
    server.wait_until(lambda: server.open_connections == 1)


def test_a_stray_answer_never_becomes_the_answer_of_a_call_without_an_id(connect, server, sandbox):
    def twice(exchange):
        body = exchange.execute()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        exchange.send((head + body) * 2)

    server.script(twice)
    cards, _ = connect(server.url)
    first = cards.cards_create("8600069195406311", "0399")
    second = cards.cards_create("8600495473316478", "0399")
    assert first["result"]["card"]["number"] == "860006******6311"
    assert second["result"]["card"]["number"] == "860049******6478"
