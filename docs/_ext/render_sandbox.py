"""Writes what the documentation takes from the sandbox's table of payments."""

from typing import Final

from render import table

from payme.errors.catalogue import Language
from payme.sandbox.engine.payment_table import ROWS, Row

_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("step", "how it ended", "state", "on the card", "then"),
    "uz": ("qadam", "qanday tugadi", "holat", "kartada", "keyin"),
    "ru": ("шаг", "чем кончился", "состояние", "на карте", "дальше"),
}

_STEPS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "expire": "an unpaid receipt's life ends",
        "create": "CreateTransaction",
        "debit": "the card",
        "perform": "PerformTransaction",
        "cancel": "CancelTransaction",
        "finish": "the refund is carried out",
        "release": "a hold's 30 days are over",
        "withdraw": "Payme cancels of its own accord",
        "fiscal": "SetFiscalData",
    },
    "uz": {
        "expire": "toʻlanmagan chek muddati tugadi",
        "create": "CreateTransaction",
        "debit": "karta",
        "perform": "PerformTransaction",
        "cancel": "CancelTransaction",
        "finish": "pul qaytariladi",
        "release": "holdning 30 kuni tugadi",
        "withdraw": "Payme oʻzi bekor qiladi",
        "fiscal": "SetFiscalData",
    },
    "ru": {
        "expire": "срок неоплаченного чека вышел",
        "create": "CreateTransaction",
        "debit": "карта",
        "perform": "PerformTransaction",
        "cancel": "CancelTransaction",
        "finish": "возврат исполняется",
        "release": "30 дней холда прошли",
        "withdraw": "Payme отменяет сам",
        "fiscal": "SetFiscalData",
    },
}

_OUTCOMES: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "done": "done",
        "refused": "refused",
        "performed": "-31007, it has performed",
        "unheard": "no answer",
        "late": "12 hours are over",
    },
    "uz": {
        "done": "bajarildi",
        "refused": "rad etildi",
        "performed": "-31007: allaqachon bajarilgan",
        "unheard": "javob yoʻq",
        "late": "12 soat oʻtdi",
    },
    "ru": {
        "done": "выполнен",
        "refused": "отказ",
        "performed": "-31007: уже проведена",
        "unheard": "нет ответа",
        "late": "прошло 12 часов",
    },
}

_MONEY: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "debit": "taken",
        "hold": "held",
        "capture": "taken from the hold",
        "release": "released",
        "give back": "refunded, or released if it was held",
    },
    "uz": {
        "debit": "yechildi",
        "hold": "ushlab turildi",
        "capture": "ushlangan mablagʻ yechildi",
        "release": "ushlangan mablagʻ boʻshatildi",
        "give back": "qaytarildi; ushlangan boʻlsa, boʻshatildi",
    },
    "ru": {
        "debit": "списано",
        "hold": "захолдировано",
        "capture": "списано из холда",
        "release": "холд снят",
        "give back": "возвращено, а холд снят",
    },
}

_AGAIN: Final[dict[Language, str]] = {
    "en": "the same again, later",
    "uz": "keyinroq yana shu qadam",
    "ru": "то же ещё раз, позже",
}
_REASON: Final[dict[Language, str]] = {
    "en": "{}, reason {}",
    "uz": "{}, sabab {}",
    "ru": "{}, причина {}",
}
_ONLY: Final[dict[Language, str]] = {
    "en": "reason {}",
    "uz": "sabab {}",
    "ru": "причина {}",
}
_NOTHING: Final = "—"


def payments(language: Language) -> str:
    """Write the table of a payment's steps.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each row of `payment_table.ROWS`.
    """
    return table(_HEAD[language], (_row(row, language) for row in ROWS))


def _row(row: Row, language: Language) -> tuple[str, ...]:
    return (
        _step(row, language),
        _OUTCOMES[language][row.outcome],
        _states(row),
        _MONEY[language][row.money] if row.money else _NOTHING,
        _then(row, language),
    )


def _step(row: Row, language: Language) -> str:
    """Name the step, and for a cancellation its reasons."""
    name = _STEPS[language][row.step]
    if row.step != "cancel":
        return name
    reasons = ", ".join(str(reason) for reason in sorted(row.because))
    return f"{name}<br>{_ONLY[language].format(reasons)}"


def _states(row: Row) -> str:
    before = ", ".join(str(int(state)) for state in sorted(row.before))
    return " → ".join([before, *(str(int(state)) for state in row.path)])


def _then(row: Row, language: Language) -> str:
    if row.then is None:
        return _NOTHING
    if row.then == "again":
        return _AGAIN[language]
    name = _STEPS[language][row.then]
    return _REASON[language].format(name, row.reason) if row.reason else name
