"""Every route of the sandbox under generated requests: no 500, no hang, and JSON-RPC from /api.

`PAYME_REQUESTS` sets how many requests are sent at least (2,000), `PAYME_SEED` which ones (0).
"""

import base64
import http.client
import json
import os
import re
from collections import Counter
from functools import cache
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from payme.sandbox import Sandbox, control, web
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.testing.strategies import accounts, amounts, card_numbers, phones

REQUESTS = min(int(os.environ.get("PAYME_REQUESTS", "2000")), 10_000_000)
SEED = int(os.environ.get("PAYME_SEED", "0"))
BATCH = 10
ROUND = 2000
TIMEOUT_S = 20
# Faults that are set on the way may slow an answer down, but not for long.
LONGEST_DELAY_MS = 5
MOST_REMEMBERED = 50

FORM = "application/x-www-form-urlencoded"
MERCHANT, KEY = "5e730e8e0b852a417aa49ceb", "k" * 36

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-3, 5) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | text
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


class World:
    """A running sandbox, and all the names that a request may hit something with."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(
            merchant_id=MERCHANT, key=KEY, slow_card_ms=0, seed=1, account_fields={"order_id": "O"}
        ).start()
        self.tokens = [f"{number:024x}_a" for number in range(len(TEST_CARDS))]
        self.receipts = [f"{number:024x}" for number in range(20)]
        self.locations = ["/"]
        self.seen = Counter()
        self._address = urlsplit(self.sandbox.url).netloc
        self._connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        self.routes = self._routes()
        _, page = self.exchange("GET", "/", headers={"Accept": "text/html"})
        self.csrf = re.search(r'name="csrf" value="([^"]+)"', page.decode())[1]
        self.renew()

    def renew(self) -> None:
        """Put cards and receipts in place of those that earlier requests used up or reset."""
        for token, number in zip(self.tokens, TEST_CARDS, strict=True):
            self.sandbox.add_card(token, number=number)
        for number, receipt in enumerate(self.receipts):
            if self.sandbox.receipt(receipt) is None:
                self.sandbox.add_receipt(receipt, hold=number % 4 == 0)

    def _routes(self) -> list[tuple[str, str]]:
        routes = [*control.routes(self.sandbox), *web.routes(self.sandbox, self.sandbox.service)]
        return sorted({(method, route.path) for route in routes for method in route.methods})

    def exchange(self, method, path, body=None, headers=None):
        """Send one request and read all of the answer, on a connection that stays open."""
        connection = self._connection
        kept = connection.sock is not None
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            read = answer.read()
        except (http.client.RemoteDisconnected, ConnectionError):
            connection.close()
            if not kept:
                raise
            return self.exchange(method, path, body, headers)
        self.seen[answer.status] += 1
        location = answer.headers.get("Location", "")
        if location.startswith("/"):
            self.locations = [location, *self.locations][:MOST_REMEMBERED]
        return answer.status, read

    def stop(self) -> None:
        self._connection.close()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def world():
    world = World()
    yield world
    world.stop()


@cache
def ids(world):
    known = st.sampled_from([*world.receipts, *world.tokens, MERCHANT, "0" * 24])
    return known | text


@cache
def values(world):
    """Draw what a form field, a query or a part of a path may be."""
    plausible = ["1", "50", "0399", "03/99", "666666", "111111", "12h", "at_once", "uz", "ru", "on"]
    link = f"m={MERCHANT};ac.order_id=7;a=50000;c=http://127.0.0.1/back;ct=1;l=uz"
    link64 = base64.b64encode(link.encode()).decode()
    known = [*plausible, *TEST_CARDS, *METHODS, link64, "receipts.pay", "after", "drop", "true"]
    return st.sampled_from(known) | ids(world) | numbers.map(str) | text


@cache
def fields(world):
    """Draw the fields of a form or of a query, most of them good for some page."""
    actions = ["delay", "drop", "http_status", "rpc_error", "malformed", "wrong_id", "duplicate"]
    plausible = {
        "number": [*TEST_CARDS],
        "card": [*TEST_CARDS],
        "expire": ["0399", "03/99"],
        "code": ["666666", "111111"],
        "do": ["advance", "freeze", "resume"],
        "by": ["12h", "30d", "1s", "-1s"],
        "method": ["receipts.*", "*", "cards.create"],
        "when": ["before", "after", "mid_body"],
        "action": actions,
        "times": ["1", "", "x"],
        "more": ["", "delay=1", "probability=0.5", "amount=1..5 account.order_id=7", "status=503"],
        "state": ["", "4", "50", "paid"],
        "q": [*world.receipts, "7"],
        "count": ["1", "50", "-1"],
        "offset": ["0", "10", "999999999999"],
        "lang": ["uz", "ru", "en"],
        "merchant": [MERCHANT],
        "amount": ["50000", "0", "1"],
        "account[order_id]": ["7"],
        "description": ["Non"],
        "detail": ["e30=", "x"],
        "callback": ["http://127.0.0.1/back?id=:transaction&o=:account.order_id", "javascript:1"],
        "callback_timeout": ["1", "15000"],
    }
    drawn = {
        name: st.sampled_from(known) | st.sampled_from(known) | values(world)
        for name, known in plausible.items()
    }
    other = st.dictionaries(text, values(world), max_size=2)
    return st.builds(lambda known, more: {**more, **known}, few_of(drawn), other)


def few_of(members):
    """Draw a dictionary with some of the members, or all of them."""
    every = st.fixed_dictionaries(members)
    return every | st.fixed_dictionaries({}, optional=members)


@cache
def params(world):
    """Draw params of a method: some right, some nearly, some not at all."""
    card = st.fixed_dictionaries(
        {"number": st.sampled_from([*TEST_CARDS]) | card_numbers() | text, "expire": values(world)}
    )
    members = {
        "id": ids(world),
        "token": ids(world),
        "card": card | json_values,
        "code": values(world),
        "amount": amounts() | scalars,
        "account": accounts() | json_values,
        "phone": phones() | text,
        "hold": st.booleans() | scalars,
        "save": st.booleans() | scalars,
        "count": scalars,
        "from": scalars,
        "to": scalars,
        "offset": scalars,
        "payer": st.dictionaries(st.sampled_from(["phone", "ip", "id"]), text) | json_values,
        "detail": json_values,
        "description": text,
        "fiscal_data": json_values,
    }
    right = {"id": st.sampled_from(world.receipts), "token": st.sampled_from(world.tokens)}
    return few_of(members) | st.fixed_dictionaries(right) | json_values


def calls(world):
    """Draw requests to /api."""
    auth = st.sampled_from([f"{MERCHANT}:{KEY}"] * 6 + [MERCHANT, f"{MERCHANT}:x", ":", ""])
    document = st.fixed_dictionaries(
        {"method": st.sampled_from(sorted(METHODS)) | text, "params": params(world)},
        optional={"id": scalars, "jsonrpc": st.just("2.0") | scalars},
    )
    body = (document | json_values).map(lambda value: json.dumps(value).encode())
    headers = st.fixed_dictionaries({"X-Auth": auth})
    return st.tuples(
        st.sampled_from(["POST"] * 9 + ["GET", "PUT", "HEAD"]),
        st.sampled_from(["/api", "/api/"]),
        body | st.binary(max_size=40),
        headers,
    )


def control_bodies():
    """Draw bodies of the control API, by the end of the path that wants them."""
    rule = {
        "method": st.sampled_from(["*", "receipts.*", "cards.create"]) | text,
        "when": st.sampled_from(["before", "after", "mid_body"]) | scalars,
        "delay_ms": st.integers(-1, LONGEST_DELAY_MS) | text,
        "times": st.integers(-1, 3) | scalars,
        "probability": st.floats(-1, 2) | scalars,
        "priority": scalars,
        "amount": st.lists(st.integers(0, 10**6), max_size=3) | scalars,
        "account": st.dictionaries(text, scalars, max_size=2) | scalars,
        "card": st.sampled_from([*TEST_CARDS]) | scalars,
        "status": st.integers(0, 700) | scalars,
        "code": scalars,
        "message": scalars,
        "data": json_values,
        "advance_ms": st.sampled_from(["1s", "12h", -1, 5]) | scalars,
    }
    action = st.sampled_from(
        ["delay", "drop", "http_status", "rpc_error", "malformed", "wrong_id", "duplicate"]
    )
    right = {name: rule[name] for name in ("method", "when", "times")}
    faults = st.builds(lambda some, act: {**some, "action": act}, few_of(rule), action)
    moment = st.sampled_from([True, "1h", "30d", 1_700_000_000_000]) | st.integers() | scalars
    clock = st.sampled_from(["advance", "freeze", "resume", "reset"])
    names = ["happy", "declined", "otp_expired", "answer_lost_after_debit", "merchant_down"]
    return {
        "/faults": json_values
        | st.fixed_dictionaries({"action": action}, optional=right)
        | faults
        | st.fixed_dictionaries({"rule": text | st.just("receipts.pay after drop times=1")}),
        "/clock": json_values | st.dictionaries(clock, moment, min_size=1, max_size=1),
        "/scenario": json_values | st.fixed_dictionaries({"name": st.sampled_from(names) | text}),
    }


def pages(world):
    """Draw requests to every other route there is, in the form that it wants or in another."""
    # Resetting takes away what the others need, so it is not drawn as often as they are.
    routes = [route for route in world.routes if not route[1].endswith("/reset")] * 4 + world.routes
    wanted = control_bodies()
    made = {route: requests_of(world, *route, wanted) for route in world.routes}
    other = st.sampled_from(["GET", "POST", "PUT", "OPTIONS"])
    nowhere = sent(world, other, text.map(slashed), sent_as_anything())
    return st.sampled_from([*(made[route] for route in routes), nowhere]).flatmap(lambda one: one)


def requests_of(world, method, path, wanted):
    """Draw requests of one route."""
    holes = re.findall(r"{[^}]+}", path)
    hole = st.sampled_from(world.receipts) | values(world)
    parts = st.lists(hole, min_size=len(holes), max_size=len(holes))
    right = sent_as_form(world)
    if path.startswith(control.PREFIX):
        right = sent_as_json(wanted.get(path.removeprefix(control.PREFIX), json_values))
    paths = parts.map(lambda drawn: fill(path, holes, drawn))
    return sent(world, st.just(method), paths, right | right | sent_as_anything())


def sent(world, method, path, body):
    query = st.none() | fields(world)
    host = st.sampled_from([None] * 19 + ["evil.example", "", "[::1]:1"])
    return st.builds(as_request, method, path, query, body, host)


def walks(world):
    """Draw the next step from where an answer sent the browser: a payer's way through the pages."""
    steps = st.sampled_from(["", "/card", "/code", "/resend", "/pay", "/cancel", "/remove"])
    recent = st.integers(0, 3)
    good = {"number": [*TEST_CARDS][1], "expire": "0399", "code": "666666", "csrf": world.csrf}
    body = st.just((urlencode(good).encode(), FORM)) | sent_as_form(world)

    def walk(number, step, drawn):
        place = urlsplit(world.locations[number % len(world.locations)])
        path = place.path if place.path.startswith("/") else "/"
        address = f"{path.rstrip('/')}{step}"
        method = "POST" if step else "GET"
        return as_request(method, address or "/", dict(parse_qsl(place.query)), drawn)

    return st.builds(walk, recent, steps, body)


@cache
def sent_as_form(world):
    return fields(world).map(lambda form: (urlencode({**form, "csrf": world.csrf}).encode(), FORM))


def sent_as_json(values):
    return values.map(lambda value: (json.dumps(value).encode(), "application/json"))


def sent_as_anything():
    kinds = st.sampled_from([FORM, "application/json", "text/plain"])
    return st.tuples(st.binary(max_size=30), kinds)


def fill(path, holes, parts):
    for hole, part in zip(holes, parts, strict=True):
        path = path.replace(hole, quote(part, safe="=+/"), 1)
    return path


def slashed(path):
    return "/" + quote(path)


def as_request(method, path, query, content, host=None):
    body, kind = content
    address = f"{path}?{urlencode(query)}" if query else path
    headers = {"Content-Type": kind, "Accept": "text/html"} | (
        {} if host is None else {"Host": host}
    )
    return method, address, None if method in {"GET", "HEAD"} else body, headers


def requests(world):
    drawn = calls(world) | pages(world) | pages(world) | walks(world)
    return st.lists(drawn, min_size=BATCH, max_size=BATCH)


def prepare(world, path):
    """Take away what would make a failure or a long wait the right answer."""
    for fault in world.sandbox.faults.list():
        if path.startswith("/api") or fault.rule.delay_ms > LONGEST_DELAY_MS:
            world.sandbox.faults.remove(fault.id)


def check(world, request):
    method, path, body, headers = request
    prepare(world, path)
    status, answer = world.exchange(method, path, body, headers)
    assert status < 500, (request, answer[:300])
    if path.startswith("/api") and method != "HEAD":
        assert status == 200, request
        assert json.loads(answer)["jsonrpc"] == "2.0", (request, answer)


def follow(world):
    """Go where the last answer sent the browser."""
    check(world, ("GET", world.locations[0], None, {"Accept": "text/html"}))


def one_round(world, number):
    """Send a few thousand requests at most: Hypothesis remembers all that it ever drew."""

    @seed(SEED + number)
    @settings(
        max_examples=max(1, min(REQUESTS, ROUND) // (BATCH + 1)),
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(world))
    def run(batch):
        world.renew()
        for request in batch:
            check(world, request)
        follow(world)

    run()


@pytest.mark.slow
def test_no_request_makes_the_sandbox_fail(world):
    number = 0
    while sum(world.seen.values()) < REQUESTS:
        one_round(world, number)
        number += 1
    figures = dict(sorted(world.seen.items()))
    print(sum(figures.values()), "requests:", figures)
    assert {200, 303, 400, 403, 404, 405, 422} <= set(world.seen), figures
    assert world.exchange("POST", "/api", b"{}")[0] == 200
