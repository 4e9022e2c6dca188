"""One request as Payme would send it, and what there is to say about the answer."""

from collections.abc import Mapping
from typing import Any, Final

from payme.conformance.checks import form
from payme.conformance.endpoint import Check, new_transaction
from payme.conformance.exchange import Exchange, now
from payme.conformance.findings import (
    ACCOUNT_CODES,
    Expectation,
    Verdict,
    is_moment,
    judge,
    member,
    shown,
    status_200,
    text,
    texts,
)
from payme.errors import InvalidArgument
from payme.errors.catalogue import Text

_DAY_MS: Final = 86_400_000

PARAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "CheckPerformTransaction": ("amount", "account"),
    "CreateTransaction": ("id", "time", "amount", "account"),
    "PerformTransaction": ("id",),
    "CancelTransaction": ("id", "reason"),
    "CheckTransaction": ("id",),
    "GetStatement": ("from", "to"),
}
"""What each method is called with (CONFIRMED). Others take what `--params` holds."""

MEANINGS: Final[Mapping[int, Text]] = {
    -31001: Text("summa notoʻgʻri", "неверная сумма", "the amount is wrong"),
    -31003: Text("tranzaksiya topilmadi", "транзакция не найдена", "no such transaction"),
    -31007: Text("bekor qilib boʻlmaydi", "отменить нельзя", "it can't be cancelled"),
    -31008: Text("bajarib boʻlmaydi", "операцию нельзя выполнить", "it can't be done"),
    -32300: Text("soʻrov POST emas", "запрос не POST", "the request is no POST"),
    -32400: Text("serverning ichki xatosi", "внутренняя ошибка сервера", "the server failed"),
    -32504: Text("kalit rad etildi", "ключ отклонён", "the key is refused"),
    -32600: Text("soʻrov notoʻgʻri", "неверный запрос", "the request is malformed"),
    -32601: Text("bunday metod yoʻq", "нет такого метода", "there is no such method"),
    -32700: Text("soʻrov JSON emas", "запрос не JSON", "the request is not JSON"),
}
"""What the merchant's error codes mean (CONFIRMED)."""

_ACCOUNT: Final = Text("hisob xatosi", "ошибка счёта", "the account is refused")


def meaning(code: int | None) -> Text | None:
    """Return what an error code means; None for one that is not documented."""
    if code in ACCOUNT_CODES:
        return _ACCOUNT
    return None if code is None else MEANINGS.get(code)


def params(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the params of a method as Payme would.

    Args:
        method: Name of the method; any, for one that is not documented.
        given: Params that are known.

    Returns:
        The params: a new `id` and the present `time` for CreateTransaction, the last 24 hours for
        GetStatement, where they are not given.

    Raises:
        InvalidArgument: One is missing.
    """
    moment = now()
    usual: dict[str, dict[str, Any]] = {
        "CreateTransaction": {"id": new_transaction(), "time": moment},
        "GetStatement": {"from": moment - _DAY_MS, "to": moment},
    }
    complete = {**usual.get(method, {}), **given}
    for name in PARAMS.get(method, ()):
        if name not in complete:
            raise InvalidArgument(name, None, f"a value: {method} is called with it")
    return complete


def remarks(call: Exchange) -> list[Verdict]:
    """Return the rules that one answer breaks, as far as it shows by itself.

    Args:
        call: The request and the answer.
    """
    found = [*form(call), *_about(call)]
    return [verdict for verdict in found if verdict.result == "broken"]


def _about(call: Exchange) -> Check:
    if call.code in ACCOUNT_CODES:
        yield judge("account-message", [call], texts(call))
    if not call.has_result or status_200(call).met is False:
        return
    if call.method == "CheckPerformTransaction":
        yield judge("check-perform", [call], member(call, "allow", True))
    if call.method in _ANSWERS:
        rule, states, time = _ANSWERS[call.method]
        yield judge(rule, [call], member(call, "state", *states))
        yield judge(f"{rule}-time", [call], _timestamp(call, time))
        yield judge("transaction-text", [call], text(call, "transaction"))
    if call.method == "CheckTransaction":
        yield judge("check-transaction", [call], member(call, "state", 1, 2, -1, -2))
        yield judge("transaction-text", [call], text(call, "transaction"))
        names = ("create_time", "perform_time", "cancel_time")
        yield judge("unset-times", [call], *(_timestamp(call, name, unset=True) for name in names))
    if call.method == "GetStatement":
        rows = call.result.get("transactions", ...)
        listed = Expectation("result.transactions", "[…]", shown(rows), isinstance(rows, list))
        yield judge("statement", [call], listed)


_ANSWERS: Final[Mapping[str, tuple[str, tuple[int, ...], str]]] = {
    "CreateTransaction": ("create", (1,), "create_time"),
    "PerformTransaction": ("perform", (2,), "perform_time"),
    "CancelTransaction": ("cancel", (-1, -2), "cancel_time"),
}


def _timestamp(call: Exchange, name: str, *, unset: bool = False) -> Expectation:
    value = call.result.get(name, ...)
    met = is_moment(value) or (unset and value == 0 and not isinstance(value, bool))
    return Expectation(f"result.{name}", "Timestamp" + " / 0" * unset, shown(value), met)
