"""What a merchant falls into without noticing, each closed."""

import json
import socket
import threading
import time
from http.client import HTTPConnection

import pytest
import uvicorn
from scenarios import AUTH, KEY, START, Incoming, MemoryShop, code, number

from payme.errors import ConfigurationError, InvalidArgument
from payme.merchant import AccountError, AllowList, Merchant
from payme.merchant.asgi import asgi_app
from payme.merchant.auth import Keys

CHECK = {"amount": 50_000, "account": {"order_id": "a"}}


@pytest.mark.parametrize("method", ["CreateTransaction", "PerformTransaction", "CheckTransaction"])
def test_nul_in_an_id_is_an_invalid_param_whatever_the_method(method):
    params = {"time": START, **CHECK} if method == "CreateTransaction" else {}
    assert code(MemoryShop().call(method, id="a\0b", **params)) == -32602


@pytest.mark.parametrize("given", [None, "", 7, "a b", "é", "9" * 65])
def test_id_of_another_shape_stays_a_malformed_request(given):
    assert code(MemoryShop().create(1, id=given)) == -32600


@pytest.mark.parametrize(
    ("from_", "to", "listed"),
    [
        (START, START, 1),
        (START + 1, START - 1, 0),
        (-(10**400), 10**400, 1),
        (START * 1_000, START * 1_001, 0),
    ],
)
def test_statement_takes_any_whole_bounds(from_, to, listed):
    shop = MemoryShop()
    shop.create(1)
    assert len(shop.statement(from_, to)) == listed


@pytest.mark.parametrize("bound", [1.5, True, None, "1"])
def test_statement_refuses_bounds_that_are_no_whole_numbers(bound):
    assert code(MemoryShop().call("GetStatement", **{"from": bound, "to": START})) == -32600


@pytest.mark.parametrize("time_", [START * 1_000, START * 1_000_000, 2**63, 10**400])
def test_time_in_microseconds_is_refused_and_stores_nothing(time_):
    shop = MemoryShop()
    assert code(shop.create(1, time=time_)) == -32602
    assert code(shop.check(1)) == -31003
    assert shop.create(2)["result"]["transaction"] == number(2)


def test_time_in_seconds_is_an_attempt_that_is_over():
    assert code(MemoryShop().create(1, time=START // 1_000)) == -31008


@pytest.mark.parametrize("key", [KEY + "\n", "\n" + KEY, KEY[:9] + "\r\n" + KEY, KEY + "\0"])
def test_key_with_a_line_break_does_not_start_and_is_not_shown(key):
    with pytest.raises(ConfigurationError, match="line break") as refused:
        Keys([key])
    assert KEY[:9] not in str(refused.value)


@pytest.mark.parametrize("field", [None, 7, object()])
def test_account_error_about_no_field_is_refused_where_it_is_made(field):
    with pytest.raises(InvalidArgument, match="field"):
        AccountError(field)


@pytest.fixture
def behind_a_unix_socket(tmp_path):
    """Send a request to a server on a Unix socket, as a proxy on the same machine does."""
    servers = []

    def send(trusted, forwarded_for):
        shop = MemoryShop()
        allow = AllowList(trusted_proxies=trusted)
        merchant = Merchant(shop.merchant._store, KEY, allow=allow, clock=lambda: START)
        path = str(tmp_path / f"{len(servers)}.sock")
        settings = uvicorn.Config(
            asgi_app(merchant), uds=path, log_config=None, proxy_headers=False
        )
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        servers.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        connection = HTTPConnection("shop")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(path)
        headers = {"Authorization": AUTH}
        if forwarded_for is not None:
            headers["X-Forwarded-For"] = forwarded_for
        body = {"method": "CheckPerformTransaction", "id": 1, "params": CHECK}
        connection.request("POST", "/payme", json.dumps(body), headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return code(answer)

    yield send
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "answered"),
    [
        (["unix"], "185.234.113.7", None),
        (["unix"], "1.2.3.4", -32504),
        (["unix"], "185.234.113.7, 1.2.3.4", -32504),
        (["unix"], None, -32504),
        ([], "185.234.113.7", -32504),
    ],
)
def test_allow_list_works_behind_a_unix_socket(
    behind_a_unix_socket, trusted, forwarded_for, answered
):
    assert behind_a_unix_socket(trusted, forwarded_for) == answered


def test_answer_that_cannot_be_encoded_is_an_answer_of_the_protocol():
    """`Order` refuses it in `find`; nothing escapes as a TypeError."""
    shop = MemoryShop()

    def find(account):
        raise AccountError(object())

    shop.merchant._store._shop.orders.find = find
    body = {"method": "CheckPerformTransaction", "id": 1, "params": CHECK}
    answer = json.loads(shop.answer(Incoming("POST", json.dumps(body).encode(), AUTH)))
    assert code(answer) == -32400
