"""The languages of the documentation, and what is different in the site of each."""

from typing import Final, NamedTuple

from payme.errors.catalogue import Language


class Site(NamedTuple):
    """One language's site."""

    name: str
    """The language, in itself."""
    title: str
    choose: str
    """Label of the switch, for screen readers."""
    summary: str


SITES: Final[dict[Language, Site]] = {
    "uz": Site(
        "Oʻzbekcha",
        "payme hujjatlari",
        "Til",
        "Pythonda Payme orqali toʻlov qabul qilish va uni oʻz kompyuteringizda sinab koʻrish.",
    ),
    "ru": Site(
        "Русский",
        "Документация payme",
        "Язык",
        "Приём платежей через Payme на Python и проверка на своём компьютере.",
    ),
    "en": Site(
        "English",
        "payme documentation",
        "Language",
        "Take money with Payme (Uzbekistan) from Python, and rehearse it on your own computer.",
    ),
}

SWITCH: Final = r"^(?:\*\*|\[)English.*·.*·.*\n+"
"""The line that leads from a page to the other languages, for who reads the sources on a forge."""
