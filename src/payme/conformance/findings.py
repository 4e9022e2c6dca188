"""What a check finds: a rule is kept, broken, or was not seen."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, cast

from payme import redact
from payme.conformance.exchange import Exchange
from payme.errors.catalogue import Text

Result = Literal["kept", "broken", "unseen"]

ACCOUNT_CODES: Final = range(-31099, -31049)
"""Codes of errors about the account (CONFIRMED)."""

CLOCKS_MS: Final = 120_000
"""How far the merchant's clock may be from ours, in ms (our choice)."""

_LANGUAGES: Final = ("ru", "uz", "en")
_DIGITS_OF_MS: Final = 13


class Expectation(NamedTuple):
    """What was expected of an answer, beside what came. The notation is the same in any language.

    Attributes:
        about: Member of the answer, such as `error.code`.
        expected: What it should be.
        got: What it is.
        met: Whether it is.
    """

    about: str
    expected: str
    got: str
    met: bool


class Verdict(NamedTuple):
    """What was found about a rule.

    Attributes:
        rule: Id of the rule.
        result: `kept`, `broken`, or `unseen` when nothing was proved.
        exchanges: What was said.
        expectations: What was compared.
        why: Why it was not seen.
    """

    rule: str
    result: Result
    exchanges: tuple[Exchange, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    why: Text | None = None


def judge(rule: str, exchanges: Iterable[Exchange], *expectations: Expectation) -> Verdict:
    """Return whether a rule was kept: all that it expects is met.

    Args:
        rule: Id of the rule.
        exchanges: What was said.
        *expectations: At least one.
    """
    kept = all(one.met for one in expectations)
    return Verdict(rule, "kept" if kept else "broken", tuple(exchanges), expectations)


def unseen(rule: str, why: Text) -> Verdict:
    """Return that nothing was proved about a rule."""
    return Verdict(rule, "unseen", why=why)


EARLIER: Final = Text(
    "undan oldingi qadam bajarilmadi",
    "не удался шаг, от которого это зависит",
    "a step that it depends on failed",
)
NO_ORDER: Final = Text(
    "toʻlov kutayotgan yana bir buyurtma kerak: --account yoki --new-order bering",
    "нужен ещё один заказ, ждущий оплаты: задайте --account или --new-order",
    "it needs another order that waits for payment: give --account or --new-order",
)
CUMULATIVE: Final = Text(
    "bu qoida bir martalik buyurtmaga tegishli, hisob esa jamgʻariladigan",
    "правило о разовом заказе, а счёт накопительный",
    "the rule is about one-time orders, and the account is cumulative",
)
ONE_TIME: Final = Text(
    "bu qoida jamgʻariladigan hisobga tegishli, buyurtma esa bir martalik",
    "правило о накопительном счёте, а заказ разовый",
    "the rule is about cumulative accounts, and the order is one-time",
)
NOT_REFUNDED: Final = Text(
    "server pulni qaytarmadi (-31007)",
    "сервер отказал в возврате (-31007)",
    "the endpoint refused the refund (-31007)",
)
NO_RACE: Final = Text(
    "poygalarda tranzaksiya yaratilmadi",
    "в гонках транзакции не создавались",
    "no transaction was created in the races",
)
NOT_FREE: Final = Text(
    "buyurtma boʻsh emas edi",
    "заказ не был свободен",
    "the order was not free",
)
SILENT: Final = Text(
    "server undan oldingi notoʻgʻri soʻrovga javob bermadi",
    "сервер не ответил на предыдущий неверный запрос",
    "the endpoint did not answer the malformed request before",
)


def code(said: Exchange, *allowed: int | range) -> Expectation:
    """Expect an error with one of the codes."""
    met = any(said.code in one if isinstance(one, range) else said.code == one for one in allowed)
    return Expectation("error.code", " / ".join(map(_code, allowed)), _outcome(said), met)


def refused(said: Exchange) -> Expectation:
    """Expect any error of the protocol."""
    return Expectation("error.code", "error", _outcome(said), said.code is not None)


def served(said: Exchange) -> Expectation:
    """Expect a result, whatever it holds."""
    return Expectation("answer", "result", _outcome(said), said.has_result)


def other_than(said: Exchange, *codes: int) -> Expectation:
    """Expect an error with another code."""
    met = said.code is not None and said.code not in codes
    return Expectation("error.code", " ".join(f"≠ {one}" for one in codes), _outcome(said), met)


def _code(one: int | range) -> str:
    return f"{one[-1]} … {one[0]}" if isinstance(one, range) else str(one)


def _outcome(said: Exchange) -> str:
    if said.code is not None:
        return str(said.code)
    return "result" if said.has_result else _no_rpc(said)


def _no_rpc(said: Exchange) -> str:
    return f"HTTP {said.status}" if said.status else said.response.decode("utf-8", "replace")


def member(said: Exchange, name: str, *allowed: Any) -> Expectation:
    """Expect a member of the result to be one of the values, of the same type."""
    return compared(f"result.{name}", said.result, name, *allowed, outcome=_outcome(said))


def compared(
    about: str, row: Mapping[str, Any], name: str, *allowed: Any, outcome: str = ""
) -> Expectation:
    """Expect a member of an object to be one of the values, of the same type."""
    value = row.get(name, ...)
    met = any(type(value) is type(one) and value == one for one in allowed)
    got = outcome if value is ... and outcome not in ("", "result") else shown(value)
    return Expectation(about, " / ".join(map(shown, allowed)), got, met)


def shown(value: Any) -> str:
    """Return a value as JSON has it, redacted; a dash for none."""
    if value is ...:
        return "-"
    plain = value if isinstance(value, int | float) else redact.tree(value)
    return json.dumps(plain, ensure_ascii=False)


def text(said: Exchange, name: str) -> Expectation:
    """Expect a member of the result to be a string that is not empty."""
    return is_text(f"result.{name}", said.result, name)


def is_text(about: str, row: Mapping[str, Any], name: str) -> Expectation:
    """Expect a member of an object to be a string that is not empty."""
    value = row.get(name, ...)
    return Expectation(about, "String", shown(value), isinstance(value, str) and value != "")


def is_moment(value: Any) -> bool:
    """Return whether a value is a time in ms since 1970 UTC, as Payme writes it."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and len(str(value)) == _DIGITS_OF_MS


def happened(said: Exchange, name: str) -> Expectation:
    """Expect a member to be a time at which the request was under way."""
    value = said.result.get(name, ...)
    near = is_moment(value) and said.began - CLOCKS_MS <= value <= said.ended + CLOCKS_MS
    return Expectation(f"result.{name}", f"{said.began} ± {CLOCKS_MS}", shown(value), near)


def later(said: Exchange, name: str, before: int) -> Expectation:
    """Expect a member to be a time after another one."""
    value = said.result.get(name, ...)
    met = is_moment(value) and value > before
    return Expectation(f"result.{name}", f"> {before}", shown(value), met)


def same(first: Exchange, again: Exchange) -> Expectation:
    """Expect a result, and the same one again."""
    expected, got = (
        shown(said.result) if said.result else _outcome(said) for said in (first, again)
    )
    return Expectation("result", expected, got, bool(first.result) and first.result == again.result)


def like(usual: Exchange, said: Exchange) -> Expectation:
    """Expect the same outcome as of the usual request: a result, or the same code."""
    expected, got = _outcome(usual), _outcome(said)
    return Expectation("error.code", expected, got, expected == got)


def texts(said: Exchange) -> Expectation:
    """Expect the error's message in three languages."""
    message: Any = said.error.get("message", ...)
    given = cast("dict[str, Any]", message) if isinstance(message, dict) else {}
    met = all(isinstance(given.get(one), str) and given[one] for one in _LANGUAGES)
    expected = "{" + ", ".join(f"{one}: String" for one in _LANGUAGES) + "}"
    return Expectation("error.message", expected, shown(message), met)


def status_200(said: Exchange) -> Expectation:
    """Expect HTTP 200."""
    return Expectation("HTTP", "200", str(said.status or _no_rpc(said)), said.status == 200)
