"""Remarks on calls in the language of a page; the engine writes them in English, as its log does.

Who reads a page is not known when a remark is written: it is kept once, and said in the language of
each visitor. What is not in the table, such as the text of a database, stays as it is.
"""

import re
from collections.abc import Callable
from typing import Final

REMARKS: Final[dict[str, tuple[str, str]]] = {
    "unknown param {name}: let pass, as Payme does; a strict sandbox refuses it": (
        "nomaʼlum parametr {name}: Paymedagidek oʻtkazildi; --strict bilan rad etiladi",
        "неизвестный параметр {name}: пропущен, как в Payme; с --strict будет отклонён",
    ),
    "null param {name}: let pass, as Payme does; a strict sandbox refuses it": (
        "{name} parametri null: Paymedagidek oʻtkazildi; --strict bilan rad etiladi",
        "параметр {name} равен null: пропущен, как в Payme; с --strict будет отклонён",
    ),
    "missing param {name}: let pass, as Payme does; a strict sandbox refuses it": (
        "{name} parametri yoʻq: Paymedagidek oʻtkazildi; --strict bilan rad etiladi",
        "нет параметра {name}: пропущено, как в Payme; с --strict будет отклонено",
    ),
    "the call has no access header: Payme reads X-Auth": (
        "soʻrovda ruxsat sarlavhasi yoʻq: Payme X-Auth ni oʻqiydi",
        "в запросе нет заголовка доступа: Payme читает X-Auth",
    ),
    "the header holds id:key in plain text, without a word before it and without Base64": (
        "sarlavhada id:kalit ochiq matnda yoziladi, oldida soʻzsiz va Base64 siz",
        "в заголовке id:ключ пишут открытым текстом, без слова впереди и без Base64",
    ),
    "the id in the header is right, the key after the colon is not": (
        "sarlavhadagi id toʻgʻri, ikki nuqtadan keyingi kalit esa notoʻgʻri",
        "id в заголовке верный, а ключ после двоеточия нет",
    ),
    "the header holds the id alone, and this method needs id:key": (
        "sarlavhada faqat id bor, bu metodga esa id:kalit kerak",
        "в заголовке только id, а этому методу нужны id:ключ",
    ),
    "the header has spaces or quotation marks around the id": (
        "sarlavhada id atrofida boʻshliq yoki qoʻshtirnoq bor",
        "в заголовке вокруг id стоят пробелы или кавычки",
    ),
    "the header is Base64: Payme takes id:key in plain text": (
        "sarlavha Base64 da: Payme id:kalit ni ochiq matnda qabul qiladi",
        "заголовок в Base64: Payme принимает id:ключ открытым текстом",
    ),
    "the id in the header is of no cash-box here: this sandbox has {name}": (
        "sarlavhadagi id bu yerdagi hech bir kassaniki emas: bu sandboxda {name}",
        "id в заголовке не принадлежит ни одной кассе: в этой песочнице {name}",
    ),
    "the sandbox's database failed: {name}": (
        "sandboxning maʼlumotlar bazasi ishlamadi: {name}",
        "база данных песочницы не сработала: {name}",
    ),
    "{name} in the sandbox: please report it": (
        "sandboxdagi xato: {name}; bizga xabar bering",
        "ошибка в песочнице: {name}; пожалуйста, сообщите о ней",
    ),
}
"""What the engine writes, in Uzbek and Russian; `{name}` is filled in."""


def _pattern(remark: str) -> re.Pattern[str]:
    return re.compile(re.escape(remark).replace(re.escape("{name}"), "(?P<name>.+)"), re.DOTALL)


_PATTERNS: Final = [(remark, _pattern(remark)) for remark in REMARKS]


def in_words(remark: str, say: Callable[[str], str]) -> str:
    """Say a remark in the language of a page.

    Args:
        remark: As the engine wrote it, with secrets masked.
        say: Says an English text in that language.
    """
    for known, pattern in _PATTERNS:
        if found := pattern.fullmatch(remark):
            return say(known).format(**found.groupdict())
    return remark
