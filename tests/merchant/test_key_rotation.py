"""A key is changed while the endpoint runs."""

import asyncio
import base64
import functools
import hmac
import json
import logging
import threading

import pytest

from payme import MemoryTransport, Payme
from payme.errors import ConfigurationError
from payme.merchant import AsyncMerchant, Incoming, MemoryStore, Merchant, Order
from payme.merchant.auth import Keyring
from payme.sandbox import Sandbox

OLD, NEW = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C", "mjES8ycLucnvygt4dPwerK2vj45Eensn3ZPr"


def found(account):
    return Order(id=str(account["order_id"]), amount=50_000)


def asked(key):
    """One request that comes with a key."""
    auth = "Basic " + base64.b64encode(f"Paycom:{key}".encode()).decode()
    params = {"amount": 50_000, "account": {"order_id": "7"}}
    body = {"method": "CheckPerformTransaction", "params": params, "id": 1}
    return Incoming("POST", json.dumps(body).encode(), auth)


def code_of(body):
    return json.loads(body).get("error", {}).get("code", 0)


def blocking(source, key):
    merchant = Merchant(MemoryStore(found, print), source)
    return code_of(merchant.answer(asked(key)))


class InLoop:
    """A store of asyncio's, on the one in memory."""

    def __init__(self):
        self.store = MemoryStore(found, print)

    async def run(self, flow):
        return self.store.run(flow)


def in_asyncio(source, key):
    merchant = AsyncMerchant(InLoop(), source)
    return code_of(asyncio.run(merchant.answer(asked(key))))


@pytest.mark.parametrize("call", [blocking, in_asyncio])
def test_function_says_at_each_request_which_keys_are_accepted(call):
    keys = [[OLD], [OLD, NEW], NEW, (NEW,)]
    for accepted in keys:
        came = [call(lambda accepted=accepted: accepted, key) for key in (OLD, NEW)]
        assert came == [0 if key in accepted else -32504 for key in (OLD, NEW)]


def test_running_endpoint_takes_the_new_key_and_drops_the_old_one():
    accepted = [OLD]
    merchant = Merchant(MemoryStore(found, print), lambda: accepted)

    def codes():
        return [code_of(merchant.answer(asked(key))) for key in (OLD, NEW)]

    assert codes() == [0, -32504]
    accepted.append(NEW)  # The same list, changed where it is.
    assert codes() == [0, 0]
    accepted.remove(OLD)
    assert codes() == [-32504, 0]


def test_coroutine_says_which_keys_are_accepted():
    async def stored():
        await asyncio.sleep(0)
        return [NEW]

    for source in (stored, functools.partial(stored), lambda: stored()):
        assert in_asyncio(source, NEW) == 0
        assert in_asyncio(source, OLD) == -32504


def test_function_that_blocks_does_not_block_the_event_loop():
    threads = []

    def stored():
        threads.append(threading.current_thread())
        return NEW

    assert in_asyncio(stored, NEW) == 0
    assert threads[0] is not threading.main_thread()


def test_coroutine_is_refused_where_nobody_would_await_it():
    async def stored():
        return NEW

    with pytest.raises(ConfigurationError, match="coroutine"):
        Merchant(MemoryStore(found, print), stored)
    assert blocking(lambda: stored(), NEW) == -32400


@pytest.mark.parametrize("call", [blocking, in_asyncio])
@pytest.mark.parametrize(
    "given", ["", [], None, 7, ["short"], [NEW, ""], [NEW + "\n"], [f"\r\n{NEW}"], [NEW + "\0"]]
)
def test_keys_that_cannot_be_right_let_nobody_in_and_the_log_says_so(call, given, caplog):
    assert call(lambda: given, NEW) == -32400
    (record,) = caplog.records
    assert "keys:" in caplog.text
    assert NEW not in caplog.text
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize("call", [blocking, in_asyncio])
def test_source_of_keys_that_fails_lets_nobody_in(call):
    def unreachable():
        raise OSError("the vault is shut")

    assert call(unreachable, NEW) == -32400


def test_every_key_is_compared_whole_in_constant_time(monkeypatch):
    compared = []
    real = hmac.compare_digest

    def compare(left, right):
        compared.append(right)
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert blocking(lambda: [OLD, NEW], OLD) == 0
    assert compared == [f"Paycom:{key}".encode() for key in (OLD, NEW)]


def test_keyring_does_not_show_its_keys():
    ring = Keyring(lambda: [OLD, NEW])
    ring.now()
    assert OLD not in repr(ring)
    assert NEW not in repr(ring)


def test_rotation_goes_through_without_a_refused_payment():
    """The steps of the page, with a Payme that comes with the old key, then with the new one."""
    accepted = [OLD]
    states = {str(number): "waiting" for number in range(4)}

    def find(account):
        name = str(account.get("order_id"))
        return Order(id=name, amount=50_000, state=states[name]) if name in states else None

    def happened(event, transaction):
        states[transaction.order_id] = event

    merchant = Merchant(MemoryStore(find, lambda *told: told), lambda: tuple(accepted))

    def endpoint(body, headers):
        return 200, merchant.answer(Incoming("POST", body, headers["Authorization"]))

    def pay(order, key):
        with Sandbox(merchant=endpoint, merchant_key=key) as box:
            payme = Payme(box.merchant_id, box.key, transport=MemoryTransport(box.handle))
            receipt = payme.receipts.create(50_000, {"order_id": order})
            return payme.receipts.pay(receipt.id, box.add_card()).is_paid

    assert pay(0, OLD)
    accepted.append(NEW)
    assert pay(1, OLD)
    assert pay(2, NEW)
    accepted.remove(OLD)
    assert pay(3, NEW)
    assert code_of(merchant.answer(asked(OLD))) == -32504
