"""The period of a list or an audit, as a person writes it: days in Tashkent, or moments."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final

from payme.cli.words import tell
from payme.errors import InvalidArgument

TASHKENT: Final = timezone(timedelta(hours=5))


def period(from_: str, to: str | None) -> tuple[datetime, datetime]:
    """Read a period.

    Args:
        from_: Its first day, or the moment that it begins with.
        to: Its last day, or the moment that it ends with; None for now.

    Returns:
        Its beginning and its end, aware.

    Raises:
        InvalidArgument: One of them is neither, or it ends before it begins.
    """
    start = moment("--from", from_)
    end = moment("--to", to, last=True) if to else datetime.now(UTC)
    if start >= end:
        before = tell("--to dan oldingi vaqt", "время раньше --to", "a time before --to")
        raise InvalidArgument("--from", from_, before)
    return start, end


def moment(option: str, written: str, *, last: bool = False) -> datetime:
    """Read a date or a moment; without an offset it is Tashkent's.

    Args:
        option: Name of the option, for the error.
        written: Such as `2026-11-01` or `2026-11-01T09:00:00+05:00`.
        last: A date stands for its end.

    Raises:
        InvalidArgument: It is neither.
    """
    try:
        if len(written) == len("2026-11-01"):
            day = date.fromisoformat(written) + timedelta(days=last)
            return datetime.combine(day, time(), TASHKENT)
        found = datetime.fromisoformat(written)
    except (ValueError, OverflowError):
        expected = tell(
            "2026-11-01 kabi sana yoki 2026-11-01T09:00:00+05:00 kabi vaqt",
            "дата, например 2026-11-01, или момент, например 2026-11-01T09:00:00+05:00",
            "a date such as 2026-11-01 or a moment such as 2026-11-01T09:00:00+05:00",
        )
        raise InvalidArgument(option, written, expected) from None
    return found if found.tzinfo else found.replace(tzinfo=TASHKENT)
