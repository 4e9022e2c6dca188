"""What is asked of an endpoint, in the order of Payme's own sandbox.

A check is a generator: it yields a verdict for each rule it looks at. It needs one order that
waits for payment; the first scenario frees it again, so the races and the expiry run on it too,
and the second scenario pays it and takes it back.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, cast

from payme.conformance.exchange import Caller, Exchange, basic
from payme.merchant.core import ACCOUNT_CODES, EXPIRY_MS

_RACES: Final = 10
_HUGE: Final = 2 << 20


class Verdict(NamedTuple):
    """What was found about a rule.

    Attributes:
        rule: Id of the rule.
        kept: The endpoint kept it.
        exchanges: What was said.
    """

    rule: str
    kept: bool
    exchanges: tuple[Exchange, ...]


Check = Iterator[Verdict]


class Subject(NamedTuple):
    """An endpoint, and the order to try it with.

    Attributes:
        caller: Calls the endpoint.
        account: Account of an order that waits for payment.
        amount: Its amount in tiyin.
        cumulative: The account takes money any number of times.
    """

    caller: Caller
    account: Mapping[str, Any]
    amount: int
    cumulative: bool = False

    def check_perform(self, **changes: Any) -> Exchange:
        """Ask whether the order may be paid."""
        params = {"amount": self.amount, "account": self.account, **changes}
        return self.caller.call("CheckPerformTransaction", **params)

    def create(self, transaction: str, at: int, **changes: Any) -> Exchange:
        """Create a transaction."""
        params = {"amount": self.amount, "account": self.account, **changes}
        return self.caller.call("CreateTransaction", id=transaction, time=at, **params)

    def perform(self, transaction: str) -> Exchange:
        """Perform a transaction."""
        return self.caller.call("PerformTransaction", id=transaction)

    def cancel(self, transaction: str, reason: int) -> Exchange:
        """Cancel a transaction."""
        return self.caller.call("CancelTransaction", id=transaction, reason=reason)

    def look(self, transaction: str) -> Exchange:
        """Ask what became of a transaction."""
        return self.caller.call("CheckTransaction", id=transaction)


def new_transaction() -> str:
    """Make an id as Payme's are: 24 hex characters."""
    return secrets.token_hex(12)


def now() -> int:
    """Tell the time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def _verdict(rule: str, kept: bool, *exchanges: Exchange) -> Verdict:  # noqa: FBT001
    return Verdict(rule, kept, exchanges)


def authorisation(subject: Subject) -> Check:
    """Come with wrong credentials, with every method."""
    wrong = basic("wrong" + secrets.token_hex(16))
    params: dict[str, dict[str, Any]] = {
        "CheckPerformTransaction": {"amount": subject.amount, "account": subject.account},
        "CreateTransaction": {
            "id": new_transaction(),
            "time": now(),
            "amount": subject.amount,
            "account": subject.account,
        },
        "PerformTransaction": {"id": new_transaction()},
        "CancelTransaction": {"id": new_transaction(), "reason": 1},
        "CheckTransaction": {"id": new_transaction()},
        "GetStatement": {"from": 0, "to": 1},
    }
    for method, members in params.items():
        refused = subject.caller.call(method, wrong, **members)
        yield _verdict("auth-wrong", refused.code == -32504, refused)
    yield from _blank(subject)


def _blank(subject: Subject) -> Check:
    right = subject.caller._auth.partition(" ")[2]  # pyright: ignore[reportPrivateUsage]
    for authorization in ("", "Basic", basic(""), basic("", ""), f"Bearer {right}"):
        refused = subject.caller.call("CheckTransaction", authorization, id=new_transaction())
        yield _verdict("auth-blank", refused.code == -32504, refused)


def wrong_input(subject: Subject) -> Check:
    """Ask with a wrong amount, and for an account that is not there."""
    if not subject.cumulative:
        for amount in (subject.amount + 1, subject.amount - 1):
            asked = subject.check_perform(amount=amount)
            created = subject.create(new_transaction(), now(), amount=amount)
            yield _verdict("wrong-amount", asked.code == created.code == -31001, asked, created)
    nobody = {field: f"no-such-{secrets.token_hex(4)}" for field in subject.account}
    for refused in (
        subject.check_perform(account=nobody),
        subject.create(new_transaction(), now(), account=nobody),
    ):
        yield _verdict("unknown-account", _is_account_error(refused, subject), refused)


def _is_account_error(refused: Exchange, subject: Subject) -> bool:
    message = refused.error.get("message")
    texts = isinstance(message, dict) and {"ru", "uz", "en"} <= set(message)  # pyright: ignore[reportUnknownArgumentType]
    return refused.code in ACCOUNT_CODES and texts and refused.error.get("data") in subject.account


def first_scenario(subject: Subject) -> Check:
    """Create a transaction and cancel it, every mutating call twice."""
    transaction, at = new_transaction(), now()
    allowed = subject.check_perform()
    yield _verdict("check-perform", allowed.result.get("allow") is True, allowed)
    created, again = subject.create(transaction, at), subject.create(transaction, at)
    yield _verdict("create", _is_created(created, transaction), created)
    yield _verdict("repeat-create", _same(created, again), created, again)
    looked = subject.look(transaction)
    yield _verdict("check-transaction", _reports(looked, 1), looked)
    yield from _second_transaction(subject)
    cancelled, repeated = subject.cancel(transaction, 3), subject.cancel(transaction, 3)
    yield _verdict("cancel", _is_cancelled(cancelled, -1), cancelled)
    yield _verdict("repeat-cancel", _same(cancelled, repeated), cancelled, repeated)
    looked = subject.look(transaction)
    yield _verdict("check-transaction", _reports(looked, -1, reason=3), looked)
    late = subject.perform(transaction)
    yield _verdict("perform-cancelled", late.code == -31008, late)
    allowed = subject.check_perform()
    yield _verdict("cancelled-frees", allowed.result.get("allow") is True, allowed)


def _second_transaction(subject: Subject) -> Check:
    other = new_transaction()
    second = subject.create(other, now())
    if subject.cumulative:
        yield _verdict("create", _is_created(second, other), second)
        subject.cancel(other, 3)
    else:
        yield _verdict("busy-order", second.code == -31008, second)


def races(subject: Subject) -> Check:
    """Let two transactions come for the order at the same moment, again and again."""
    if subject.cumulative:
        return
    with ThreadPoolExecutor(2) as pool:
        for _ in range(_RACES):
            pair = [new_transaction(), new_transaction()]
            at = now()
            answers = list(pool.map(subject.create, pair, (at, at)))
            accepted = [one for one, said in zip(pair, answers, strict=True) if said.result]
            yield _verdict("race-create", len(accepted) == 1, *answers)
            for one in accepted:
                subject.cancel(one, 3)


def expiry(subject: Subject) -> Check:
    """Bring a transaction that Payme created more than twelve hours ago."""
    transaction = new_transaction()
    created = subject.create(transaction, now() - EXPIRY_MS - 60_000)
    performed = subject.perform(transaction)
    # It may be refused at once, or stored and then not performed; goods must not go out either way.
    kept = performed.code in (-31008, -31003) and (bool(created.result) or created.code == -31008)
    yield _verdict("expiry", kept, created, performed)
    subject.cancel(transaction, 4)


def second_scenario(subject: Subject) -> Check:
    """Create, perform and cancel, every mutating call twice, and list what happened."""
    transaction, at = new_transaction(), now()
    created = subject.create(transaction, at)
    yield _verdict("create", _is_created(created, transaction), created)
    with ThreadPoolExecutor(2) as pool:
        performed, raced = pool.map(subject.perform, [transaction, transaction])
    again = subject.perform(transaction)
    yield _verdict("perform", _is_performed(performed), performed)
    same = _same(performed, raced) and _same(performed, again)
    yield _verdict("repeat-perform", same, performed, raced, again)
    looked = subject.look(transaction)
    yield _verdict("check-transaction", _reports(looked, 2), looked)
    yield from _paid(subject)
    yield from _refund(subject, transaction)
    yield from _statement(subject, transaction, at)


def _paid(subject: Subject) -> Check:
    if subject.cumulative:
        return
    other = subject.create(new_transaction(), now())
    yield _verdict("paid-order", other.code == -31008 or other.code in ACCOUNT_CODES, other)


def _refund(subject: Subject, transaction: str) -> Check:
    cancelled, again = subject.cancel(transaction, 5), subject.cancel(transaction, 5)
    refused = cancelled.code == -31007
    yield _verdict("cancel", refused or _is_cancelled(cancelled, -2), cancelled)
    yield _verdict("repeat-cancel", _same(cancelled, again), cancelled, again)


def _statement(subject: Subject, transaction: str, at: int) -> Check:
    whole = subject.caller.call("GetStatement", **{"from": at - 60_000, "to": at + 60_000})
    times = [row.get("time") for row in _rows(whole)]
    listed = _listed(whole, transaction) and times == sorted(times, key=lambda moment: moment or 0)
    yield _verdict("statement", listed, whole)
    ends = subject.caller.call("GetStatement", **{"from": at, "to": at})
    yield _verdict("statement", _listed(ends, transaction), ends)
    for period in ({"from": at + 1, "to": at + 2}, {"from": at - 2, "to": at - 1}):
        outside = subject.caller.call("GetStatement", **period)
        empty = "transactions" in outside.result and not _listed(outside, transaction)
        yield _verdict("statement", empty, outside)


def unknown_transactions(subject: Subject) -> Check:
    """Name transactions that nobody created."""
    for said in (
        subject.perform(new_transaction()),
        subject.cancel(new_transaction(), 1),
        subject.look(new_transaction()),
    ):
        yield _verdict("unknown-transaction", said.code == -31003, said)


_HOSTILE: Final[dict[str, tuple[bytes, ...]]] = {
    "bad-json": (b"", b"{", b"\xff\xfe\x00", b"<xml/>", b"[" * 10_000),
    "bad-request": (
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
    "unknown-method": (b'{"id":1,"method":"NoSuchMethod","params":{}}',),
}

_CODES: Final[dict[str, Callable[[int], bool]]] = {
    "bad-json": lambda code: code in (-32700, -32600),
    "bad-request": lambda code: code != -32504,
    "unknown-method": lambda code: code == -32601,
}


def hostile(subject: Subject) -> Check:
    """Send what no client of the protocol sends."""
    for rule, bodies in _HOSTILE.items():
        for body in bodies:
            said = subject.caller.send(body)
            yield _verdict("http-200", said.status == 200 and bool(said.error), said)
            yield _verdict(rule, said.code is not None and _CODES[rule](said.code), said)
    got = subject.caller.send(b"", verb="GET")
    yield _verdict("not-post", got.code == -32300, got)


CHECKS: Final[tuple[Callable[[Subject], Check], ...]] = (
    authorisation,
    wrong_input,
    first_scenario,
    races,
    expiry,
    second_scenario,
    unknown_transactions,
    hostile,
)


def _is_moment(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and len(str(value)) == 13


def _is_created(said: Exchange, transaction: str) -> bool:
    result = said.result
    named = isinstance(result.get("transaction"), str) and bool(transaction)
    return result.get("state") == 1 and named and _is_moment(result.get("create_time"))


def _is_performed(said: Exchange) -> bool:
    result = said.result
    named = isinstance(result.get("transaction"), str)
    return result.get("state") == 2 and named and _is_moment(result.get("perform_time"))


def _is_cancelled(said: Exchange, state: int) -> bool:
    result = said.result
    named = isinstance(result.get("transaction"), str)
    return result.get("state") == state and named and _is_moment(result.get("cancel_time"))


def _reports(said: Exchange, state: int, reason: int | None = None) -> bool:
    result = said.result
    members = {"create_time", "perform_time", "cancel_time", "transaction", "state", "reason"}
    known = members <= set(result) and _is_moment(result.get("create_time"))
    return known and result.get("state") == state and result.get("reason") == reason


def _same(first: Exchange, second: Exchange) -> bool:
    said = (first.result, first.code)
    return said == (second.result, second.code) and said != ({}, None)


def _rows(said: Exchange) -> list[dict[str, Any]]:
    rows = said.result.get("transactions")
    return cast("list[dict[str, Any]]", rows) if isinstance(rows, list) else []


def _listed(said: Exchange, transaction: str) -> bool:
    return any(row.get("id") == transaction for row in _rows(said))
