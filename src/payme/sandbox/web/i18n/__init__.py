"""The languages of the pages: which one a visitor reads, and how a text is said in it."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from payme.checkout import LANGUAGES
from payme.errors.catalogue import Language
from payme.sandbox.web.i18n.developer import WORDS
from payme.sandbox.web.i18n.payer import TEXTS

__all__ = [
    "COOKIE",
    "DEFAULT",
    "NAMES",
    "TEXTS",
    "WORDS",
    "Say",
    "chosen",
    "known",
    "payers",
    "preferred",
    "translator",
]

NAMES: Final[dict[Language, str]] = {"uz": "Oʻzbekcha", "ru": "Русский", "en": "English"}

DEFAULT: Final[Language] = "ru"
"""Language of the checkout page when the link or the form names none (CONFIRMED)."""

COOKIE: Final = "payme_sandbox_language"
"""Keeps the language that a developer chose for the dashboard."""

Say = Callable[[str], str]


def known(name: str | None) -> Language | None:
    """Find a language by its name; None if there is none of that name."""
    return next((language for language in LANGUAGES if language == name), None)


def payers(name: str | None) -> Language:
    """Find the payer's language by its name; others are ignored, as on Payme's page."""
    return known(name) or DEFAULT


def chosen(request: Request) -> Language | None:
    """Find the language that a link has just asked for."""
    return known(request.query_params.get("lang"))


def preferred(request: Request) -> Language:
    """Find a developer's language: the one that was chosen, else the browser's first that we know.

    Args:
        request: Asks for a page.
    """
    # Browsers write the languages in the order of preference.
    accepted = request.headers.get("accept-language", "").split(",")
    wished = [request.cookies.get(COOKIE, ""), *(one.strip()[:2].lower() for one in accepted)]
    for language in (chosen(request), *map(known, wished)):
        if language is not None:
            return language
    return "en"


def translator(language: Language) -> Say:
    """Make the function that says an English text in a language."""
    if language == "en":
        return lambda text: text
    column = 0 if language == "uz" else 1
    return lambda text: WORDS[text][column]
