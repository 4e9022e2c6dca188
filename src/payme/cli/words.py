"""The languages of the command line: which one this process speaks, and texts in all three."""

import os
from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["uz", "ru", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("uz", "ru", "en")

PAYME_LANG: Final = "PAYME_LANG"

# The first that is set decides about messages (POSIX, "Environment Variables"), even where it
# names a language that there are no texts in.
_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def language() -> Language:
    """Return the language of messages: `PAYME_LANG`, else the locale's, else English."""
    return _known(os.environ.get(PAYME_LANG, "")) or _known(_locale()) or "en"


def tell(uz: str, ru: str, en: str) -> str:
    """Choose a text.

    Args:
        uz: In Uzbek.
        ru: In Russian.
        en: In English.

    Returns:
        The one in the language of this process.
    """
    return {"uz": uz, "ru": ru, "en": en}[language()]


# The upkeep of a merchant's endpoint, which `payme merchant` and `manage.py` both offer: what it
# does, and what it counts.
EXPIRE: Final = (
    "Payme yaratib, oʻn ikki soat ichida yakunlamagan tranzaksiyalarni bekor qilish.",
    "Отменить транзакции, которые Payme создала и не провела за двенадцать часов.",
    "Cancel transactions that Payme created and did not perform within twelve hours.",
)
RELAY: Final = (
    "Hooklar toʻlovlar bilan birga yozib qoʻygan ishlarni bajarish.",
    "Выполнить задания, которые хуки записали вместе с платежами.",
    "Run the jobs that hooks stored with their payments.",
)
EVERY: Final = (
    "Toʻxtatilguncha shunday oraliqda qarab turish, masalan 5s.",
    "Не завершаться и смотреть так часто, например 5s, пока не остановят.",
    "Go on, and look so often, such as 5s, until stopped.",
)
_COUNTED: Final = {
    "found": ("topildi", "найдено", "found"),
    "expired": ("bekor qilindi", "отменено", "expired"),
    "done": ("bajarildi", "выполнено", "done"),
    "failed": ("bajarilmadi", "не удалось", "failed"),
}


def counted(numbers: Mapping[str, int]) -> str:
    """Write what was counted.

    Args:
        numbers: By the names of a sweep or a relay.

    Returns:
        A line such as `found 2, expired 2, failed 0`.
    """
    return ", ".join(f"{tell(*_COUNTED[name])} {number}" for name, number in numbers.items())


def _known(name: str) -> Language | None:
    short = name[:2].lower()
    # `uzs` and `run` are no languages; `uz_UZ.UTF-8`, `ru-RU` and Windows' `Russian_Russia` are.
    whole = not name[2:3].isalpha() or name.lower().startswith(("uzbek", "russian", "english"))
    return next((one for one in LANGUAGES if one == short and whole), None)


def _locale() -> str:
    for name in _LOCALE:
        if os.environ.get(name):
            return os.environ[name]
    if os.name == "nt":
        import locale

        return locale.getlocale()[0] or ""
    return ""
