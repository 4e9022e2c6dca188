"""How Django's admin shows moments, amounts, structures and marks, for all of Payme's apps.

Django writes a value of a page as `str` does, unless it is a field of the model: a moment in UTC
with microseconds, `None`, and a question mark for a boolean that does not apply.
"""

import json
from datetime import UTC, datetime
from typing import Final

from django.utils import timezone
from django.utils.html import format_html

from payme.money import format_som

NOTHING: Final = "-"
"""As Django shows a field that is empty."""


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


def structure(value: object) -> str:
    """Write a structure as JSON that breaks where it must, rather than be cut off."""
    if not value:
        return NOTHING
    return format_html(
        '<span style="overflow-wrap: anywhere">{}</span>', json.dumps(value, ensure_ascii=False)
    )


def mark(applies: bool) -> str:  # noqa: FBT001 - it is what is written
    """Write whether something applies, which is neither good nor bad: an icon would be either."""
    return "yes" if applies else NOTHING
