"""How Django's admin shows words, moments, amounts and structures, for all of Payme's apps.

Django writes a value of a page as `str` does, unless it is a field of the model: a moment in UTC
with microseconds, `None`, and a question mark for a boolean that does not apply.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.html import format_html, format_html_join
from django.utils.translation import get_language

from payme import django_words as words
from payme import redact
from payme.django_words import Names
from payme.errors import NotSent, OutcomeUnknown, PaymeError, Rejected
from payme.errors.catalogue import Language, Text
from payme.money import format_som

NOTHING: Final = "-"
"""As Django shows a field that is empty."""


def language() -> Language:
    """Return the language that Django speaks now; English where it is none of ours, or none.

    Django has none in `makemigrations` and `migrate`, so that English is what migrations hold.
    """
    # Without translations Django speaks English, whatever LANGUAGE_CODE says.
    active = get_language() if settings.USE_I18N else None
    short = (active or "").lower().replace("_", "-").partition("-")[0]
    return "uz" if short == "uz" else "ru" if short == "ru" else "en"


def say(text: Text, **values: object) -> str:
    """Say a text in the language that Django speaks now.

    Args:
        text: In all languages.
        values: What stands in its braces.
    """
    said = str(getattr(text, language()))
    return said.format(**values) if values else said


def capital(text: Text) -> str:
    """Say a text with a capital, as where a sentence or a button begins."""
    said = say(text)
    return said[:1].upper() + said[1:]


later: Final[Callable[[Text], Any]] = lazy(say, str)
"""Say a text whenever it is shown, for what is made when a module is loaded."""

capital_later: Final[Callable[[Text], Any]] = lazy(capital, str)


def choices(values: Iterable[str], names: Mapping[str, Text]) -> list[tuple[str, Any]]:
    """Return the choices of a field.

    Args:
        values: What is stored.
        names: What each is called. The English one is in the migrations.
    """
    return [(value, later(names[value])) for value in values]


def called(value: str | None, names: Mapping[str, Text]) -> str:
    """Say what a stored value is called; nothing for none, and itself where it has no name."""
    if value is None:
        return ""
    return say(names[value]) if value in names else value


def name(model: type[models.Model], names: Names, fields: Mapping[str, Text] | None = None) -> None:
    """Give a model and its fields names in all languages, which no migration sees.

    Migrations compare what the class was declared with: `Meta`, and the first argument of a field.
    What is set here is what Django shows.

    Args:
        model: The model.
        names: What it is called.
        fields: What its fields are called, as far as a page shows them.
    """
    model._meta.verbose_name = later(names.one)
    model._meta.verbose_name_plural = later(names.many)
    for which, text in (fields or {}).items():
        field: Any = model._meta.get_field(which)
        field.verbose_name = later(text)


class Titled:
    """What an admin inherits first to have headings of its own."""

    names: Names

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Head the list."""
        above: Any = super()
        context = {"title": say(self.names.choose), **(extra_context or {})}
        shown: HttpResponse = above.changelist_view(request, context)
        return shown

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Head the page of one."""
        above: Any = super()
        context = {"title": say(self.names.look), **(extra_context or {})}
        shown: HttpResponse = above.changeform_view(request, object_id, form_url, context)
        return shown


def failure(error: PaymeError) -> str:
    """Say why Payme did not do what it was asked, without secrets.

    Args:
        error: What was raised.
    """
    if language() != "en":
        if isinstance(error, Rejected):
            why = error.message or error.text(language())
            return f"{error.method}: {error.code} {why} - {say(error.remedy)}"
        if isinstance(error, NotSent):
            return say(words.NOT_SENT, method=error.method)
        if isinstance(error, OutcomeUnknown):
            return say(words.NO_ANSWER, method=error.method)
    return redact.scrub(str(error))


def moment(seconds: float | None) -> str:
    """Write a moment in the site's time zone, to the second, on one line of a list or a page.

    Args:
        seconds: Since 1970; None for none.
    """
    if seconds is None:
        return NOTHING
    local = timezone.localtime(datetime.fromtimestamp(seconds, UTC))
    return format_html('<span style="white-space: nowrap">{}</span>', f"{local:%Y-%m-%d %H:%M:%S}")


def amount(tiyin: int) -> str:
    """Write an amount in soʻm, on one line."""
    return format_som(tiyin).replace(" ", "\N{NO-BREAK SPACE}")


def stacked(lines: Iterable[str]) -> str:
    """Write texts one below the other in a cell; columns beside each other hide the last ones.

    Beside its menu and its filters the admin leaves a list half of a usual screen.
    """
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines if line))


def breakable(text: str | None) -> str:
    """Write an id that may go over several lines where a column is narrow, and is copied whole."""
    if not text:
        return NOTHING
    style = "display: inline-block; min-width: 8ch; overflow-wrap: anywhere"
    return format_html('<span style="{}">{}</span>', style, text)


def structure(value: object) -> str:
    """Write a structure as JSON that breaks where it must, rather than be cut off."""
    if not value:
        return NOTHING
    return format_html(
        '<span style="overflow-wrap: anywhere">{}</span>', json.dumps(value, ensure_ascii=False)
    )


def mark(applies: bool) -> str:  # noqa: FBT001 - it is what is written
    """Write whether something applies, which is neither good nor bad: an icon would be either."""
    return say(words.YES) if applies else NOTHING
