"""Sends what is wrong: amounts, accounts, and bytes that no client of the protocol sends."""

import secrets
from typing import Any, Final, NamedTuple

import msgspec

from payme.conformance.attempt_checks import not_performed
from payme.conformance.endpoint import Account, Check, Endpoint, new_transaction
from payme.conformance.exchange import Exchange, now
from payme.conformance.findings import (
    ACCOUNT_CODES,
    CUMULATIVE,
    NO_ORDER,
    SILENT,
    Expectation,
    code,
    judge,
    like,
    other_than,
    shown,
    status_200,
    texts,
    unseen,
)
from payme.protocol.merchant_headers import PRINTED_CONTENT_TYPE

WRONG_AMOUNT: Final = -31001
_HUGE: Final = 2 << 20


def wrong_amount(endpoint: Endpoint) -> Check:
    """Ask for an order with another amount than its own, and try to perform what was refused."""
    if endpoint.cumulative:
        yield from (unseen(rule, CUMULATIVE) for rule in ("wrong-amount", "refused-perform"))
        return
    order = endpoint.orders.take()
    if order is None:
        yield unseen("wrong-amount", NO_ORDER)
        return
    for amount in _other_amounts(endpoint.amount):
        transaction = new_transaction()
        asked = endpoint.check_perform(order, amount)
        created = endpoint.create(order, transaction, now(), amount=amount)
        yield judge("wrong-amount", [asked], code(asked, WRONG_AMOUNT))
        yield judge("wrong-amount", [created], code(created, WRONG_AMOUNT))
        if created.has_result:
            endpoint.cancel(transaction, 3)
        else:
            yield from not_performed(endpoint, transaction, created)
    endpoint.orders.give_back(order)


def _other_amounts(amount: int) -> list[int]:
    """Return what is a tiyin beside it, and what a mix-up of som and tiyin makes of it."""
    others = {amount + 1, amount - 1, amount * 100, amount // 100, 1}
    return sorted(one for one in others if one > 0 and one != amount)


def unknown_account(endpoint: Endpoint) -> Check:
    """Ask for accounts that are not there."""
    pattern = endpoint.orders.given[0]
    for nobody in ({name: _nobody(value) for name, value in pattern.items()}, _texts(pattern)):
        transaction = new_transaction()
        for said in (
            endpoint.check_perform(nobody),
            endpoint.create(nobody, transaction, now()),
        ):
            yield judge("unknown-account", [said], code(said, ACCOUNT_CODES))
            if said.has_result:
                endpoint.cancel(transaction, 3)
            if said.code in ACCOUNT_CODES:
                yield judge("account-message", [said], texts(said))
                yield judge("account-field", [said], _names_field(said, nobody))


def _nobody(value: Any) -> str | int:
    number = 900_000_000 + secrets.randbelow(99_999_999)
    return number if isinstance(value, int) else str(number)


def _texts(pattern: Account) -> Account:
    return {name: f"no-such-{secrets.token_hex(4)}" for name in pattern}


def _names_field(said: Exchange, account: Account) -> Expectation:
    expected = " / ".join(map(shown, account))
    named: Any = said.error.get("data", ...)
    met = isinstance(named, str) and named in account
    return Expectation("error.data", expected, shown(named), met)


class _Hostile(NamedTuple):
    """Bodies that break the same rule of the format."""

    rule: str
    bodies: tuple[bytes, ...]

    def expected(self, said: Exchange) -> Expectation:
        """Return what every answer must be."""
        if self.rule == "bad-json":
            return code(said, -32700, -32600)
        return code(said, -32601) if self.rule == "unknown-method" else other_than(said, -32504)


_HOSTILE: Final = (
    _Hostile("bad-json", (b"", b"{", b"\xff\xfe\x00", b"<xml/>", b"[" * 10_000)),
    _Hostile(
        "bad-request",
        (
            b"{}",
            b'{"id":1}',
            b'"text"',
            b'[{"id":1,"method":"CheckTransaction","params":{"id":"x"}}]',
            b'{"id":1,"method":"CheckTransaction"}',
            b'{"id":1,"method":"CheckTransaction","params":[]}',
            b'{"id":1,"method":"CheckTransaction","params":{"id":{}}}',
            b'{"id":1,"method":"CreateTransaction","params":{"id":"x","time":"y","amount":{}}}',
            b'{"id":1,"method":"GetStatement","params":{"from":null,"to":[]}}',
            b'{"id":1,"method":"CheckPerformTransaction","params":{"amount":"1","account":[]}}',
            b" " * _HUGE,
        ),
    ),
    _Hostile("unknown-method", (b'{"id":1,"method":"NoSuchMethod","params":{}}',)),
)


def _malformed(endpoint: Endpoint) -> _Hostile:
    """Name an order that may be paid, with params that are no account or no amount."""
    order, amount = endpoint.orders.given[0], endpoint.amount
    wrong: tuple[dict[str, Any], ...] = (
        {"amount": amount, "account": {}},
        {"amount": amount},
        {"amount": 0, "account": order},
        {"amount": -amount, "account": order},
        {"amount": amount + 0.5, "account": order},
        {"amount": None, "account": order},
    )
    calls = ({"id": 1, "method": "CheckPerformTransaction", "params": params} for params in wrong)
    return _Hostile("bad-request", tuple(map(msgspec.json.encode, calls)))


def hostile(endpoint: Endpoint) -> Check:
    """Send what no client of the protocol sends."""
    for kind in (_malformed(endpoint), *_HOSTILE):
        for body in kind.bodies:
            said = endpoint.caller.send(body)
            yield judge(kind.rule, [said], status_200(said), kind.expected(said))
            if said.status == 0:
                # One that hangs is broken already; the others would take as long again.
                yield unseen(kind.rule, SILENT)
                break
    got = endpoint.caller.send(b"", verb="GET")
    yield judge("not-post", [got], code(got, -32300))


def printed_form(endpoint: Endpoint) -> Check:
    """Call as the page prints a request: with another type, and without `jsonrpc`."""
    params = {"id": new_transaction()}
    headers = {"Content-Type": PRINTED_CONTENT_TYPE}
    usual = endpoint.caller.call("CheckTransaction", params)
    said = endpoint.caller.call("CheckTransaction", params, headers=headers)
    # A style: what is found about HTTP 200 in this answer belongs to this rule alone.
    said = said._replace(method="")
    yield judge("text-json", [said], status_200(said), like(usual, said))
    bare = endpoint.caller.call("CheckTransaction", params, jsonrpc=False)
    yield judge("no-jsonrpc", [bare], like(usual, bare))
