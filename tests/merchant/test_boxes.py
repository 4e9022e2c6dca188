"""Several cash-boxes at one address: the key of a request says whose it is."""

import asyncio
import base64
import hmac
import json

import pytest
from scenarios import AUTH, KEY, START, MemoryShop, code, number

from payme.errors import ConfigurationError
from payme.merchant import (
    AllowList,
    AsyncMerchant,
    AsyncMerchants,
    Expired,
    Incoming,
    Merchant,
    Merchants,
)
from payme.merchant.asgi import answer
from payme.merchant.core import EXPIRY_MS

TEA, BOOKS = "5e730e8e0b852a417aa49ceb", "587f72c72cac0d162c722ae2"
OTHER_KEY = "mjES8ycLucnvygt4dPwerK2vj45Eensn3ZPr"
OTHER_AUTH = "Basic " + base64.b64encode(f"Paycom:{OTHER_KEY}".encode()).decode()


def merchant(keys, store=None, **options):
    store = store or MemoryShop().merchant._store
    return Merchant(store, keys, clock=lambda: START, **options)


class Both(MemoryShop):
    """A shop with two cash-boxes on one store."""

    def __init__(self):
        super().__init__()
        store = self.merchant._store
        self.merchant = Merchants({TEA: merchant(KEY, store), BOOKS: merchant(OTHER_KEY, store)})


def create(shop, count, auth):
    account = {"order_id": "a"}
    params = {"id": number(count), "time": START, "amount": 50_000, "account": account}
    return shop.call("CreateTransaction", auth, **params)


def test_the_key_says_whose_a_request_is():
    shop = Both()
    assert create(shop, 1, AUTH)["result"]["state"] == 1
    assert create(shop, 2, OTHER_AUTH)["result"]["state"] == 1
    assert code(shop.call("PerformTransaction", OTHER_AUTH, id=number(1))) == -31003
    assert shop.call("PerformTransaction", AUTH, id=number(1))["result"]["state"] == 2
    assert [one.box for one in shop.merchant.transactions_of("a", TEA)] == [TEA]
    assert [one.box for one in shop.merchant.transactions_of("a", BOOKS)] == [BOOKS]
    assert [one.id for one in shop.merchant[BOOKS].transactions_of("a")] == [number(2)]


def test_each_cash_box_is_swept():
    shop = Both()
    create(shop, 1, AUTH)
    create(shop, 2, OTHER_AUTH)
    for box in (TEA, BOOKS):
        shop.merchant[box]._clock = lambda: START + EXPIRY_MS + 1
    assert shop.merchant.expire() == Expired(found=2, expired=2, failed=0)


@pytest.mark.parametrize("auth", [None, "", "Basic x", AUTH[:-4], AUTH.replace("Basic", "Bearer")])
def test_nobody_else_is_let_in(auth):
    answered = Both().call("CheckTransaction", auth, id=number(1))
    assert (answered["id"], code(answered)) == (9, -32504)


def test_what_is_no_post_is_refused_as_by_one_merchant():
    refused = json.loads(Both().merchant.answer(Incoming("GET", b"", AUTH)))
    assert code(refused) == -32300


def test_every_key_of_every_cash_box_is_compared(monkeypatch):
    shop = Both()
    compared = []
    compare = hmac.compare_digest

    def counting(*pair):
        compared.append(pair)
        return compare(*pair)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    for auth in (AUTH, OTHER_AUTH, None):
        compared.clear()
        shop.merchant._chosen(
            Incoming("POST", b"", auth), {box: shop.merchant._keys(box) for box in (TEA, BOOKS)}
        )
        assert len(compared) == 2


def test_two_cash_boxes_with_one_key_are_refused_by_name():
    with pytest.raises(ConfigurationError) as refused:
        Merchants({TEA: merchant([KEY, "another key"]), BOOKS: merchant([OTHER_KEY, KEY])})
    assert TEA in str(refused.value)
    assert BOOKS in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_keys_of_each_two_cash_boxes_are_compared():
    apart = {BOOKS: merchant(OTHER_KEY)}
    with pytest.raises(ConfigurationError, match=f"{TEA}.*third"):
        Merchants({TEA: merchant(KEY), **apart, "third": merchant(KEY)})


def unreadable():
    raise OSError("no such file")


def test_one_whose_keys_can_not_be_read_is_reached_by_nobody_and_the_others_go_on(caplog):
    shop = Both()
    store = shop.merchant[TEA]._store
    shop.merchant = Merchants({BOOKS: merchant(unreadable, store), TEA: merchant(KEY, store)})
    assert create(shop, 1, AUTH)["result"]["state"] == 1
    assert code(create(shop, 2, OTHER_AUTH)) == -32504
    assert f"the keys of the cash-box '{BOOKS}' can't be read" in caplog.text


def test_the_same_under_asyncio(caplog):
    store = Store()
    both = AsyncMerchants({BOOKS: AsyncMerchant(store, unreadable), TEA: AsyncMerchant(store, KEY)})
    body = json.dumps({"method": "CheckTransaction", "params": {"id": number(1)}, "id": 9}).encode()
    for auth, expected in ((AUTH, -31003), (OTHER_AUTH, -32504)):
        answered = asyncio.run(both.answer(Incoming("POST", body, auth)))
        assert code(json.loads(answered)) == expected
    assert f"the keys of the cash-box '{BOOKS}' can't be read" in caplog.text


def test_a_key_that_becomes_common_later_lets_nobody_in(caplog):
    shop = Both()
    shop.merchant[BOOKS]._keyring = shop.merchant[TEA]._keyring
    assert code(create(shop, 1, AUTH)) == -32504
    assert TEA in caplog.text
    assert BOOKS in caplog.text


def test_each_cash_box_has_addresses_of_its_own():
    shop = Both()
    shop.merchant[TEA]._allow = AllowList(["185.234.113.1"])
    body = json.dumps({"method": "CheckTransaction", "params": {"id": "x"}, "id": 9}).encode()

    def asked(auth, peer):
        return code(json.loads(shop.merchant.answer(Incoming("POST", body, auth, peer))))

    assert asked(AUTH, "185.234.113.1") == asked(OTHER_AUTH, "203.0.113.9") == -31003
    assert asked(AUTH, "203.0.113.9") == -32504


@pytest.mark.parametrize("given", [{}, None, [], {TEA: None}, {"a b": merchant(KEY)}, {TEA: KEY}])
def test_what_can_be_no_cash_boxes_is_refused(given):
    with pytest.raises(ConfigurationError) as refused:
        Merchants(given)
    assert KEY not in str(refused.value)


def test_a_merchant_keeps_the_name_that_it_has():
    one = merchant(KEY, box=TEA)
    assert Merchants({TEA: one})[TEA]._box == TEA
    with pytest.raises(ConfigurationError, match="already"):
        Merchants({BOOKS: one})


def test_a_merchant_is_as_it_was():
    one = merchant(KEY)
    Merchants({TEA: one})
    assert one._box == ""


class Store:
    """Of asyncio, on the one in memory."""

    def __init__(self):
        self.store = MemoryShop().merchant._store

    async def run(self, flow):
        return self.store.run(flow)


def test_under_asyncio_it_is_the_same():
    store = Store()
    both = AsyncMerchants({TEA: AsyncMerchant(store, KEY), BOOKS: AsyncMerchant(store, OTHER_KEY)})

    async def ask(auth, method, **params):
        body = json.dumps({"method": method, "params": params, "id": 9}).encode()
        return json.loads(await answer(both, Incoming("POST", body, auth)))

    async def talk():
        account = {"order_id": "phone"}
        created = {"id": number(1), "time": START, "amount": 5, "account": account}
        both[TEA]._clock = both[BOOKS]._clock = lambda: START
        assert (await ask(AUTH, "CreateTransaction", **created))["result"]["state"] == 1
        assert code(await ask(OTHER_AUTH, "CheckTransaction", id=number(1))) == -31003
        assert code(await ask(None, "CheckTransaction", id=number(1))) == -32504
        return [one.id for one in await both.transactions_of("phone", TEA)]

    assert asyncio.run(talk()) == [number(1)]
    with pytest.raises(ConfigurationError, match="expected AsyncMerchant"):
        AsyncMerchants({TEA: merchant(KEY)})
