"""The errors of the card form as a table."""

from typing import Final

from payme.errors.card_form import ERRORS, RULES, said
from payme.errors.catalogue import Language

_HEADS: Final = {
    "uz": ("kalit", "qayerda", "kodlar", "matn"),
    "ru": ("ключ", "где", "коды", "текст"),
    "en": ("key", "where", "codes", "text"),
}
_PLACES: Final = {
    "uz": {"number": "karta raqami", "expiry": "muddat", "code": "kod", "form": "tugma yonida"},
    "ru": {"number": "номер", "expiry": "срок", "code": "код", "form": "у кнопки"},
    "en": {"number": "number", "expiry": "expiry", "code": "code", "form": "at the button"},
}


def card_errors(language: Language) -> str:
    """Write every key, where its text stands, the codes that lead to it, and the text."""
    rows = [f"| {' | '.join(_HEADS[language])} |", "| --- | --- | --- | --- |"]
    for key, error in ERRORS.items():
        codes = sorted({rule.code for rule in RULES if rule.key == key}, reverse=True)
        shown = ", ".join(f"`{code}`" for code in codes) or "—"
        text = said(key, language).replace("{length}", "6")
        rows.append(f"| `{key}` | {_PLACES[language][error.field]} | {shown} | {text} |")
    return "\n".join(rows)
