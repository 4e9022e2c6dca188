"""Comes with credentials that are not the right ones, with every method."""

import secrets
from typing import Any, Final

from payme.conformance.endpoint import Account, Check, Endpoint, new_transaction
from payme.conformance.exchange import LOGIN, Caller, Credentials, basic, now
from payme.conformance.findings import code, judge
from payme.redact import KEY

DENIED: Final = -32504

TEST_STAND: Final = "Uzcard:someRandomString1545343543545"
"""What Payme's test stand comes with to be refused; printed in many repositories (OBSERVED)."""


def access(endpoint: Endpoint) -> Check:
    """Try each kind of wrong credentials with each method."""
    nobody = endpoint.orders.given[0]
    methods = _methods(
        {name: f"no-such-{secrets.token_hex(4)}" for name in nobody}, endpoint.amount
    )
    for rule, kinds in _kinds(endpoint.caller).items():
        for credentials in kinds:
            for method, params in methods.items():
                said = endpoint.caller.call(method, params, credentials)
                yield judge(rule, [said], code(said, DENIED))


def _methods(account: Account, amount: int) -> dict[str, dict[str, Any]]:
    # The account is nobody's: whoever lets this in must not block the order.
    return {
        "CheckPerformTransaction": {"amount": amount, "account": account},
        "CreateTransaction": {
            "id": new_transaction(),
            "time": now(),
            "amount": amount,
            "account": account,
        },
        "PerformTransaction": {"id": new_transaction()},
        "CancelTransaction": {"id": new_transaction(), "reason": 1},
        "CheckTransaction": {"id": new_transaction()},
        "GetStatement": {"from": 1, "to": 2},
    }


def wrong(caller: Caller) -> Credentials:
    """Return credentials with a password that was never anybody's."""
    return _password(caller, "wrong-" + secrets.token_hex(16), "<wrong>")


def _password(caller: Caller, password: str, note: str) -> Credentials:
    return Credentials(basic(password, caller.login), f"Authorization: Basic {caller.login}:{note}")


def _kinds(caller: Caller) -> dict[str, list[Credentials]]:
    key, encoded = caller.key, basic(caller.key, caller.login).partition(" ")[2]
    stand = Credentials(basic(TEST_STAND, LOGIN), f"Authorization: Basic {LOGIN}:{TEST_STAND}")
    operation = "Test-Operation: Paycom"
    return {
        "auth-wrong": [wrong(caller)],
        "auth-blank": [
            Credentials("", "Authorization: -"),
            Credentials("Basic", "Authorization: Basic"),
            _password(caller, "", ""),
            Credentials(basic("", ""), "Authorization: Basic :"),
            Credentials(f"Bearer {encoded}", f"Authorization: Bearer {KEY}"),
            Credentials(f"Basic {key}", f"Authorization: Basic {KEY}, not in Base64"),
        ],
        "auth-part": [
            _password(caller, key + "x", f"{KEY}x"),
            _password(caller, "x" + key, f"x{KEY}"),
            _password(caller, "x:" + key, f"x:{KEY}"),
            _password(caller, key + ":x", f"{KEY}:x"),
            _password(caller, key[:-1], f"{KEY}[:-1]"),
            _password(caller, key[1:], f"{KEY}[1:]"),
            *([_password(caller, key.swapcase(), f"{KEY}.swapcase()")] * (key != key.swapcase())),
        ],
        "auth-login": [
            Credentials(basic(key, login), f"Authorization: Basic {login}:{KEY}")
            for login in ("", "x" + caller.login, "someone")
        ],
        "auth-test-stand": [stand, stand._replace(test_operation=True)],
        "auth-test-operation": [
            Credentials("", operation, test_operation=True),
            wrong(caller)._replace(note=operation, test_operation=True),
            _password(caller, "Test-Operation", "Test-Operation"),
        ],
    }
