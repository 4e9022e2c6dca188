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

THEME: Final[dict[str, dict[str, str]]] = {
    "uz": {
        "Toggle site navigation sidebar": "Sahifalar roʻyxatini ochish yoki yopish",
        "Toggle table of contents sidebar": "Shu sahifa mundarijasini ochish yoki yopish",
        "Toggle Light / Dark / Auto color theme": "Yorugʻ, tungi yoki tizimdagi koʻrinish",
        "Toggle navigation of ": "Ochish yoki yopish: ",
    },
    "ru": {
        "Toggle site navigation sidebar": "Открыть или закрыть список страниц",
        "Toggle table of contents sidebar": "Открыть или закрыть содержание страницы",
        "Toggle Light / Dark / Auto color theme": "Светлая, тёмная или системная тема",
        "Toggle navigation of ": "Раскрыть или свернуть: ",
    },
}
"""What the theme tells screen readers, and has in no catalogue: its beginning, and ours."""

COPY_BUTTON: Final = {
    "uz": {
        "copy": "Nusxalash",
        "copy_to_clipboard": "Buferga nusxalash",
        "copy_success": "Nusxalandi!",
        "copy_failure": "Nusxalab boʻlmadi",
    }
}
"""The languages that the copy buttons do not speak by themselves."""

SWITCH: Final = r"^(?:\*\*|\[)English.*·.*·.*\n+"
"""The line that leads from a page to the other languages, for who reads the sources on a forge."""
