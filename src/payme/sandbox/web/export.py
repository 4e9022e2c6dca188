"""Recorded traffic as a test that anybody can run.

The test makes the same calls against a sandbox of its own. Tokens and ids become variables, because
each sandbox makes its own. Of what the calls carried, only the numbers of the test cards and the
test code, which are public, come out as they were.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec

from payme import redact
from payme.protocol.states import ReceiptState as S
from payme.sandbox.engine import Config, Reason, masking
from payme.sandbox.engine.ids import is_object_id, is_token
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.testcards import CODE, EXPIRE, TEST_CARDS, KnownCards, luhn
from payme.sandbox.traffic import Recorded

_WIDTH: Final = 96
_INDENT: Final = "    "
_SYSTEM_ERROR: Final = -32400
_QUIET_MS: Final = 100
"""Shorter pauses than this are not worth a line; they are added to the next."""

_NO_TOKEN: Final = "0" * 24 + "_unknown"
_NO_RECEIPT: Final = "0" * 24
_UNKNOWN_CARD: Final = "8600000000000007"
_WRONG_CARD: Final = "8600000000000008"
_STAND_IN: Final = "8600000001"
_WRONG_EXPIRE: Final = "0130"
_NO_CODE: Final = "000000"
_NO_FORM: Final = "malformed"
_SUMS: Final = frozenset({"amount", "price"})
_PHONE: Final = "998901234567"
_DATE: Final = "20220706221021"

_IS_PHONE: Final = re.compile(r"998[0-9]{9}")
_IS_NUMBER: Final = re.compile(r"[0-9]{13,18}")
_IS_EXPIRE: Final = re.compile(r"(0[1-9]|1[0-2])[0-9]{2}")
_IS_DATE: Final = re.compile(r"[0-9]{14}")

# The client always sends the right credentials, and only well-formed JSON.
_NOT_THE_CLIENTS: Final = frozenset(
    {Reason.UNKNOWN_CASH_BOX, Reason.WRONG_KEY, Reason.KEY_NEEDED, Reason.SYSTEM_ERROR}
)

# The billing's doing; the other sandbox has none.
_MERCHANTS: Final = frozenset(
    {
        Reason.MERCHANT_UNAVAILABLE,
        Reason.MERCHANT_REFUSED,
        Reason.NOT_CANCELLABLE,
        Reason.IN_PROGRESS,
    }
)
_UNFINISHED: Final = frozenset(
    {S.BILLING_CREATE, S.DEBITING, S.BILLING_PERFORM, S.HOLDING, S.SUSPENDED, S.PERFORM_QUEUED}
)

_HEAD: Final = '''"""Calls that the sandbox recorded, as a test.

It needs `pip install "payme-uz[sandbox]" pytest`; the fixtures come with the package.
"""
'''


class _Variable(NamedTuple):
    name: str


class _Step(NamedTuple):
    """One recorded call, read."""

    method: str
    params: dict[str, Any]
    result: Any
    call: Recorded


def pytest_file(
    recorded: Iterable[Recorded],
    config: Config,
    known: KnownCards | None = None,
    secrets: Collection[str] = (),
) -> str:
    """Write recorded calls as a file for pytest.

    A call is left out, with a comment, when a new sandbox would not answer it in the same way: it
    is about a card or a receipt from before the recording, it was malformed, its credentials were
    wrong, or a fault kept it from being served.

    Args:
        recorded: The calls, the oldest first.
        config: Settings of the sandbox that recorded them.
        known: The cards of that sandbox; those that the tester set come out with other numbers.
        secrets: Strings that are secret there whatever they look like.

    Returns:
        Python source.
    """
    writer = _Writer(config, known or KnownCards(), secrets)
    for call in recorded:
        writer.add(call)
    return writer.text()


class _Writer:
    def __init__(self, config: Config, known: KnownCards, secrets: Collection[str]) -> None:
        self._config = config
        self._known = known
        self._secrets = secrets
        # What the cards that the tester set do, by the numbers that they have in the file.
        self._cards: dict[str, str] = {}
        self._stand_ins: dict[str, str] = {}
        # A merchant's billing, and Payme itself, may have cancelled what nobody was asked to.
        self._moved = config.merchant or config.cancel_paid_after_ms is not None
        self._names: dict[str, _Variable] = {}
        # Ids whose state a new sandbox would not have, because a call about them was left out.
        self._lost: set[str] = set()
        self._lines: list[str] = []
        self._at: int | None = None
        self._imports: set[str] = set()
        self._slow = False

    def add(self, call: Recorded) -> None:
        step = _read(call)
        why = "it was no call of a known method" if step is None else self._why_not(step)
        if step is None or why:
            self._leave_out(step, call.answer.method or "a call", why)
            return
        self._pass_time(call.at)
        self._lines += self._written(step)

    def text(self) -> str:
        body = self._lines or ["pass"]
        fixtures = "payme_client, payme_clock" if self._lines else "payme_client"
        start = ["payme_clock.freeze()"] if self._lines else []
        marker = _marker(self._config, self._cards, slow=self._slow)
        names = sorted(self._imports)
        imports = ["import pytest"] if names or marker else []
        imports += ["", f"from payme import {', '.join(names)}"] if names else []
        parts = [
            _HEAD,
            *([*imports, ""] if imports else []),
            "",
            *([marker] if marker else []),
            f"def test_recorded_traffic({fixtures}):",
            *(f"{_INDENT}{line}" if line else "" for line in [*start, *body]),
        ]
        return "\n".join(parts) + "\n"

    def _why_not(self, step: _Step) -> str:
        """Say why a call can't be repeated; empty when it can."""
        answer = step.call.answer
        if answer.reason in _NOT_THE_CLIENTS:
            return f"it was refused as {answer.reason}"
        if step.method not in METHODS:
            return "it was no call of a known method"
        if answer.fault:
            return f"{answer.fault} struck it"
        state = _member(_member(step.result, "receipt"), "state")
        if answer.reason in _MERCHANTS or (self._moved and state in _UNFINISHED):
            return "the merchant's answer decided it"
        named = {str(step.params.get(name)) for name in ("token", "id")} - {"None"}
        unknown = {one for one in named if _is_ours(one)} - set(self._names)
        known_to_be_unknown = {Reason.UNKNOWN_TOKEN, Reason.UNKNOWN_RECEIPT}
        if named & self._lost or (unknown and answer.reason not in known_to_be_unknown):
            return "it is about a card or a receipt that was not recorded from its beginning"
        return ""

    def _leave_out(self, step: _Step | None, method: str, why: str) -> None:
        self._lines.append(f"# {method} is left out: {why}.")
        if step is not None:
            self._lost |= {str(step.params.get(name)) for name in ("token", "id")}
            self._lost |= {one for one in (_token(step), _receipt_id(step)) if one}

    def _pass_time(self, at: int) -> None:
        if self._at is None:
            self._at = at
        elif at - self._at >= _QUIET_MS:
            self._lines.append(f"payme_clock.advance({at - self._at})")
            self._at = at

    def _written(self, step: _Step) -> list[str]:
        code = step.call.answer.code
        self._slow |= step.call.answer.delay_ms > 0
        params = {name: self._safe(name, value, step) for name, value in step.params.items()}
        call = f"payme_client.call({_source(step.method)}, {{}})"
        if code is None:
            return _statement(*self._expected(step, call), params)
        error = "OutcomeUnknown" if code == _SYSTEM_ERROR else "Rejected"
        self._imports.add(error)
        lines = _statement("", call, params)
        if code == _SYSTEM_ERROR:
            return [f"with pytest.raises({error}):", *_indented(lines)]
        return [
            f"with pytest.raises({error}) as refused:",
            *_indented(lines),
            f"assert refused.value.code == {code}",
        ]

    def _expected(self, step: _Step, call: str) -> tuple[str, str]:
        """Say what is done with a result: what stands before the call, and the call."""
        token, receipt_id = _token(step), _receipt_id(step)
        if step.method == "cards.create" and token:
            return f"{self._name(token, 'card')} = ", f'{call}["card"]["token"]'
        if step.method == "receipts.create" and receipt_id:
            return f"{self._name(receipt_id, 'receipt')} = ", f'{call}["receipt"]["_id"]'
        if self._moved and step.method in {"receipts.check", "receipts.get"}:
            return "", call
        if step.method == "receipts.check":
            return "assert ", f'{call}["state"] == {step.result["state"]}'
        if receipt_id:
            return "assert ", f'{call}["receipt"]["state"] == {step.result["receipt"]["state"]}'
        if token:
            return "assert ", f'{call}["card"]["verify"] is {step.result["card"]["verify"]}'
        return "", call

    def _name(self, value: str, kind: str) -> str:
        number = sum(one.name.startswith(kind) for one in self._names.values()) + 1
        self._names[value] = _Variable(f"{kind}_{number}")
        return f"{kind}_{number}"

    def _safe(self, name: str, value: Any, step: _Step) -> Any:
        """Turn a param into what may stand in the file."""
        if isinstance(value, str) and value in self._names:
            return self._names[value]
        if name == "token":
            return _NO_TOKEN if isinstance(value, str) and is_token(value) else _NO_FORM
        if name == "id":
            return _NO_RECEIPT if isinstance(value, str) else value
        if step.method == "receipts.get_all" and name in {"from", "to"}:
            # The other sandbox lives at another time, so no period would fit: 0 and 0 mean none.
            return 0 if step.call.answer.code is None else value
        return self._plain(name, value)

    def _plain(self, name: str, value: Any) -> Any:
        """Redact a value so that the engine's checks of its form come out as they did."""
        if isinstance(value, Mapping):
            members = cast("Mapping[str, Any]", value)
            if name == "account":
                return redact.account(members, self._secrets)
            plain = {
                redact.scrub(key, self._secrets): self._plain(key, one)
                for key, one in members.items()
            }
            return self._with_expiry(plain, members)
        if isinstance(value, list):
            return [self._plain(name, one) for one in cast("list[Any]", value)]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            # A number where a text belongs is refused, whichever it is.
            told = name in _BY_NAME or masking.is_secret(name) or masking.number(value) != value
            return 0 if told and name not in _SUMS else value
        if masking.is_secret(name):
            return _NO_FORM
        if name == "number":
            return self._number(value)
        replace = _BY_NAME.get(name)
        return replace(value) if replace else redact.scrub(value, self._secrets)

    def _number(self, value: str) -> str:
        card = self._known.find(value)
        if card is None or not card.is_set:
            return _number(value)
        number = value
        if value not in TEST_CARDS:
            # The tester's own number may be a real card's.
            number = self._stand_ins.setdefault(value, f"{_STAND_IN}{len(self._stand_ins):06}")
        known = f"{number}/{EXPIRE}" if card.expire else number
        self._cards[known] = redact.scrub(card.outcome, self._secrets)
        return number

    def _with_expiry(self, plain: dict[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
        """Let the expiry of a card that the tester set be right or wrong, as it was."""
        number, expire = sent.get("number"), sent.get("expire")
        card = self._known.find(number) if isinstance(number, str) else None
        if card is None or not (card.is_set and card.expire and isinstance(expire, str)):
            return plain
        wrong = _WRONG_EXPIRE if _IS_EXPIRE.fullmatch(expire) else _NO_FORM
        return {**plain, "expire": EXPIRE if expire == card.expire else wrong}


def _read(call: Recorded) -> _Step | None:
    try:
        request: Any = msgspec.json.decode(call.request or b"")
        response: Any = msgspec.json.decode(call.response or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    params = _member(request, "params")
    if not call.answer.method or not isinstance(params, dict):
        return None
    named = cast("dict[str, Any]", params)
    return _Step(call.answer.method, named, _member(response, "result"), call)


def _number(value: str) -> str:
    if value in TEST_CARDS:
        return value
    if not _IS_NUMBER.fullmatch(value):
        return _NO_FORM
    return _UNKNOWN_CARD if luhn(value) else _WRONG_CARD


def _expire(value: str) -> str:
    known = any(value == card.expire for card in TEST_CARDS.values())
    return value if known else _WRONG_EXPIRE if _IS_EXPIRE.fullmatch(value) else _NO_FORM


def _code(value: str) -> str:
    return CODE if value == CODE else _NO_CODE


def _phone(value: str) -> str:
    return _PHONE if _IS_PHONE.fullmatch(value) else _NO_FORM


def _date(value: str) -> str:
    return _DATE if _IS_DATE.fullmatch(value) else _NO_FORM


def _somebody(_value: str) -> str:
    return "somebody"


_BY_NAME: Final = {
    "number": _number,
    "expire": _expire,
    "code": _code,
    "phone": _phone,
    "date": _date,
    "name": _somebody,
    "email": _somebody,
    "ip": _somebody,
    "customer": _somebody,
}


def _is_ours(text: str) -> bool:
    return is_object_id(text) or is_token(text)


def _token(step: _Step) -> str:
    return str(_member(_member(step.result, "card"), "token") or "")


def _receipt_id(step: _Step) -> str:
    return str(_member(_member(step.result, "receipt"), "_id") or "")


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _marker(config: Config, cards: dict[str, str], *, slow: bool) -> str:
    """Write the settings that decide how calls are answered, when they are not the usual ones.

    Args:
        config: Settings of the sandbox that recorded them.
        cards: What the cards do that the tester set, by number.
        slow: Whether the slow card was used. What it answers is what is asserted, and a client
            whose patience is shorter would not hear it: so it does not think.
    """
    usual = Config(merchant_id="", key="")
    names = (
        "account_fields",
        "min_amount",
        "max_amount",
        "cancel_after_ms",
        "receipt_ttl_ms",
        "strict",
    )
    chosen = {name: getattr(config, name) for name in names}
    changed = {name: value for name, value in chosen.items() if value != getattr(usual, name)}
    pace = config.progression
    if pace != usual.progression:
        changed["progression"] = f"{pace.kind}:{pace.amount}{'ms' * (pace.kind == 'clock')}"
    if slow:
        changed["slow_card_ms"] = 0
    if cards:
        changed["cards"] = cards
    options = [f"{name}={_source(value)}" for name, value in changed.items()]
    line = f"@pytest.mark.payme_sandbox({', '.join(options)})"
    if len(line) > _WIDTH:
        line = "\n".join(
            ["@pytest.mark.payme_sandbox(", *(f"{_INDENT}{one}," for one in options), ")"]
        )
    return line if changed else ""


def _statement(before: str, call: str, params: dict[str, Any]) -> list[str]:
    head, _, tail = call.partition("{}")
    line = f"{before}{head}{_source(params)}{tail}"
    if len(line) <= _WIDTH:
        return [line]
    members = [f"{_INDENT}{_source(name)}: {_source(one)}," for name, one in params.items()]
    return [f"{before}{head}{{", *members, f"}}{tail}"]


def _indented(lines: list[str]) -> list[str]:
    return [f"{_INDENT}{line}" for line in lines]


def _source(value: Any) -> str:
    """Write a JSON value, with variables in it, as Python."""
    if isinstance(value, _Variable):
        return value.name
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{_source(name)}: {_source(one)}" for name, one in members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_source(one) for one in cast("list[Any]", value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    # As the house style quotes; JSON's escapes are Python's too, but for the surrogates.
    return f'"{text}"' if re.fullmatch(r'[^"\\]*', text) and text.isprintable() else repr(text)
