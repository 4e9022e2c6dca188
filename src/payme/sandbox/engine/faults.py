"""Faults: rules that lose, delay or spoil an answer, before the effect or after it.

A fault stands in the wire around the engine, and the engine knows nothing of it. `before`: the
engine never sees the call. `after`: the engine has served the call and what it wrote is stored, so
the money moved, and then the answer is lost or changed. `mid_body`: as `after`, but headers and
half of the body arrive, and then the connection is closed.

What each action does, by when it strikes:

delay       before: the call waits, then is served. after: it is served, and the answer waits.
            mid_body: half of the answer, the wait, the rest.
drop        The connection is closed without an answer.
http_status The answer has that status and a page of HTML.
rpc_error   The answer is an error of JSON-RPC. After the effect: the money moved, and an error says
            that it did not.
malformed   before: a page of HTML under status 200. after: JSON that breaks off half way, with a
            Content-Length that fits.
wrong_id    The answer carries the id of another call. before: it is the error -32400.
duplicate   The call is served twice, as a proxy that repeats requests does. before: the copy comes
            first, and the caller hears of the second. after: the caller hears of the first.

Payme's own calls to the merchant are struck in the same way by a rule that names their method, such
as `PerformTransaction after drop`: there the merchant serves, and the sandbox is the caller. A glob
that fits a method of the Subscribe API is about that API alone.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final, Literal, NamedTuple, cast, get_args

import msgspec

from payme import redact
from payme.sandbox.engine import ids, masking, wire
from payme.sandbox.engine.core import Answer
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.model import State, mask_number
from payme.sandbox.engine.refusals import Refused
from payme.sandbox.errors import InvalidSetting

When = Literal["before", "after", "mid_body"]
Action = Literal["delay", "drop", "http_status", "rpc_error", "malformed", "wrong_id", "duplicate"]
WHENS: Final[tuple[str, ...]] = get_args(When)
ACTIONS: Final[tuple[str, ...]] = get_args(Action)

MAX_FAULTS: Final = 1000
"""How many rules a sandbox holds; rules that are used up make room."""

_EXACT: Final = 2**53
"""Numbers beyond are no longer told apart by every reader of JSON."""

_PAGE: Final = b"<html><body><h1>A fault of the sandbox</h1></body></html>"


class FaultRule(msgspec.Struct, kw_only=True, frozen=True):
    """What a fault matches and does; `payme.sandbox.engine.fault_rules` makes and checks it."""

    method: str = "*"
    """Glob of the method's name."""
    when: When = "before"
    action: Action = "drop"
    account: dict[str, str] | None = None
    """Fields that the account must have, values as text; None for every account."""
    amount: tuple[int | None, int | None] | None = None
    """Smallest and largest amount in tiyin, None for no bound."""
    card: str | None = None
    """Masked number."""
    probability: float = 1.0
    times: int | None = None
    """How often it fires before it is used up; None for ever."""
    priority: int = 0
    """The highest goes first."""
    delay_ms: int = 0
    advance_ms: int = 0
    """How far the sandbox's clock moves when the fault fires."""
    status: int = 503
    code: int = -32400
    message: str = "System error."
    data: Any = None

    def __repr__(self) -> str:
        return f"FaultRule({self.as_json()!r})"

    @property
    def of_merchant(self) -> bool:
        """Whether it is about Payme's calls to the merchant."""
        return not any(fnmatchcase(name, self.method) for name in METHODS)

    def as_json(self) -> dict[str, Any]:
        """Turn it into JSON values without secrets."""
        shown: dict[str, Any] = redact.tree(msgspec.to_builtins(self))
        # `redact` takes every member named `code` for an SMS code, and `data` may hold a card.
        return {**shown, "code": self.code, "data": masking.tree(shown["data"])}


@dataclass(slots=True, eq=False, kw_only=True)
class Fault:
    """A rule that was set."""

    id: int
    rule: FaultRule
    left: int | None
    """How often it may still fire; None for ever."""
    fired: int = 0
    """How often it has fired."""

    def __str__(self) -> str:
        """Say in a few words which fault it is."""
        return f"fault {self.id}: {self.rule.method} {self.rule.when} {self.rule.action}"

    def as_json(self) -> dict[str, Any]:
        """Turn it into JSON values without secrets."""
        return {"id": self.id, **self.rule.as_json(), "left": self.left, "fired": self.fired}


class FaultContext(NamedTuple):
    """What a rule can match of a call, as far as it is known before the call is served."""

    call_id: wire.CallId = None
    method: str = ""
    """Whatever the call names, an unknown method too."""
    receipt_id: str = ""
    account: Mapping[str, Any] = {}
    amount: int | None = None
    card: str = ""
    """Masked number."""
    of_merchant: bool = False
    """Whether it is Payme's call to the merchant."""


def context(body: bytes, state: State, *, of_merchant: bool = False) -> FaultContext:
    """Read what rules can match.

    `receipts.pay` names a receipt and a token only, so its account, amount and card are looked up.

    Args:
        body: Body of the request.
        state: Storage; it is only read.
        of_merchant: Whether it is Payme's call to the merchant.
    """
    try:
        document = wire.decode(body)
        call_id = wire.identifier(document)
    except Refused:
        return FaultContext(of_merchant=of_merchant)
    method, params = document.get("method"), _object(document.get("params"))
    named = params.get("id")
    receipt_id = named if isinstance(named, str) and ids.is_object_id(named) else ""
    receipt = state.get_receipt(receipt_id) if receipt_id else None
    return FaultContext(
        call_id,
        method if isinstance(method, str) else "",
        receipt_id,
        _object(receipt.account if receipt else params.get("account")),
        _amount(receipt.amount if receipt else params.get("amount")),
        _card(params, state) or (receipt.card_number if receipt else None) or "",
        of_merchant,
    )


class Faults:
    """The faults of one sandbox.

    Args:
        rng: Source of chance for rules with a probability, and for nothing else: with the same seed
            and the same calls in the same order, the same faults strike.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._next_id = 1
        self._faults: tuple[Fault, ...] = ()
        self.active = False
        """Whether any fault may still strike: the one thing that a call without faults looks at."""

    def add(self, rule: FaultRule) -> Fault:
        """Set a rule.

        Raises:
            InvalidSetting: If there are too many already.
        """
        if len(self._faults) >= MAX_FAULTS:
            self._faults = tuple(fault for fault in self._faults if fault.left != 0)
        if len(self._faults) >= MAX_FAULTS:
            raise InvalidSetting("faults", len(self._faults), f"at most {MAX_FAULTS}: clear some")
        fault = Fault(id=self._next_id, rule=rule, left=rule.times)
        self._next_id += 1
        order = sorted((*self._faults, fault), key=lambda one: (-one.rule.priority, one.id))
        self._replace(tuple(order))
        return fault

    def list(self) -> "list[Fault]":
        """List the faults in the order in which they are tried, the used up ones included."""
        return [*self._faults]

    def remove(self, fault_id: int) -> bool:
        """Take a fault away. Returns whether there was one."""
        kept = tuple(fault for fault in self._faults if fault.id != fault_id)
        found = len(kept) < len(self._faults)
        self._replace(kept)
        return found

    def clear(self) -> int:
        """Take all faults away. Returns how many there were."""
        count = len(self._faults)
        self._replace(())
        return count

    def choose(self, call: FaultContext) -> Fault | None:
        """Pick the fault that strikes a call: the first that matches and fires.

        Only that one is counted down.
        """
        for fault in self._faults:
            if fault.left != 0 and matches(fault.rule, call) and self._fires(fault.rule):
                fault.fired += 1
                if fault.left is not None:
                    fault.left -= 1
                    self._replace(self._faults)
                return fault
        return None

    def _fires(self, rule: FaultRule) -> bool:
        return rule.probability >= 1 or self._rng.random() < rule.probability

    def _replace(self, faults: tuple[Fault, ...]) -> None:
        self._faults = faults
        self.active = any(fault.left != 0 for fault in faults)


def matches(rule: FaultRule, call: FaultContext) -> bool:
    """Return whether a rule is about a call."""
    return (
        rule.of_merchant is call.of_merchant
        and fnmatchcase(call.method, rule.method)
        and _in_range(rule.amount, call.amount)
        and rule.card in {None, call.card}
        and all(
            name in call.account and as_text(call.account[name]) == value
            for name, value in (rule.account or {}).items()
        )
    )


@dataclass(frozen=True, slots=True)
class Wait:
    """A step: let time pass before going on."""

    delay_ms: int
    """Real time."""
    advance_ms: int
    """Time of the sandbox's clock."""


SERVE: Final = "serve"
"""A step: let the engine serve the call, and send its answer in."""

FaultStep = Wait | Literal["serve"]

FaultSteps = Generator[FaultStep, Answer | None, Answer]


def play(fault: Fault, call: FaultContext) -> FaultSteps:
    """Serve a call that a fault strikes, step by step.

    Args:
        fault: The fault.
        call: The call.

    Yields:
        `SERVE`, to be answered with the engine's answer, and `Wait`.

    Returns:
        What goes out on the wire.
    """
    rule = fault.rule
    if rule.when == "before":
        yield Wait(rule.delay_ms, rule.advance_ms)
    answers: list[Answer] = []
    for _ in range(_servings(rule)):
        answer = yield SERVE
        assert answer is not None  # noqa: S101 - the driver sends an answer in
        answers.append(answer)
    if rule.when != "before":
        # The delay travels with the answer; only the transport can wait.
        yield Wait(0, rule.advance_ms)
    return _cut(rule, _spoiled(rule, call, answers))._replace(fault=str(fault))


def as_text(value: Any) -> str:
    """Write an account value so that 7, 7.0 and "7" are equal."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _amount(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _card(params: Mapping[str, Any], state: State) -> str | None:
    number, token = _object(params.get("card")).get("number"), params.get("token")
    if isinstance(number, str):
        return mask_number(number)
    card = state.get_card(token) if isinstance(token, str) else None
    return mask_number(card.number) if card else None


def _in_range(bounds: tuple[int | None, int | None] | None, amount: int | None) -> bool:
    if bounds is None:
        return True
    low, high = bounds
    return (
        amount is not None and (low is None or low <= amount) and (high is None or amount <= high)
    )


def _servings(rule: FaultRule) -> int:
    if rule.action == "duplicate":
        return 2
    return 0 if rule.when == "before" and rule.action != "delay" else 1


def _spoiled(rule: FaultRule, call: FaultContext, answers: list[Answer]) -> Answer:
    """Make the answer that comes of it, were it to arrive."""
    served = answers[-1 if rule.when == "before" else 0] if answers else _unserved(call)
    match rule.action:
        case "http_status":
            return served._replace(body=_PAGE, status=rule.status)
        case "rpc_error":
            body = wire.error_of(call.call_id, rule.code, rule.message, rule.data)
            return served._replace(body=body, code=rule.code, reason=None)
        case "malformed":
            half = served.body[: len(served.body) // 2]
            return served._replace(body=half if answers else _PAGE)
        case "wrong_id":
            return served._replace(body=_for_another(served.body, call.call_id))
        case _:
            return served


def _unserved(call: FaultContext) -> Answer:
    """Make the answer to a call that the engine has not seen."""
    body = wire.error_of(call.call_id, -32400, "System error.", None)
    # A name that is no method's is the caller's text, and may be anything.
    method = call.method if call.method in METHODS else ""
    return Answer(body, method=method, receipt_id=call.receipt_id, code=-32400)


def _cut(rule: FaultRule, answer: Answer) -> Answer:
    """Say how much of an answer arrives, and when."""
    if rule.when == "mid_body":
        arrives: Literal["whole", "half"] = "whole" if rule.action == "delay" else "half"
        return answer._replace(arrives=arrives, pause_ms=rule.delay_ms)
    waits = answer.delay_ms + (rule.delay_ms if rule.when == "after" else 0)
    return answer._replace(arrives="none" if rule.action == "drop" else "whole", delay_ms=waits)


def _for_another(body: bytes, call_id: wire.CallId) -> bytes:
    answer = {**msgspec.json.decode(body), "id": _another(call_id)}
    return msgspec.json.encode(answer)


def _another(call_id: wire.CallId) -> str | int | float:
    if isinstance(call_id, str):
        return f"{call_id}-another"
    if isinstance(call_id, int | float) and abs(call_id) < _EXACT:
        return call_id + 1
    return 1
