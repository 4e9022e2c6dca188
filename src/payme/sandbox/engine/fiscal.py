"""Fiscal receipts as a cash-box's virtual fiscal module would issue them. None is real."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

_TASHKENT: Final = timezone(timedelta(hours=5))
_TERMINAL: Final = "EP000000000025"
_FIRST_SIGN: Final = 800_000_000_000


def data(number: int, now: int) -> dict[str, Any]:
    """Make the `fiscal_data` of SetFiscalData.

    Args:
        number: Place in the order of fiscal receipts, from 1.
        now: Time in ms.
    """
    sign = str(_FIRST_SIGN + number)
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=now)
    date = moment.astimezone(_TASHKENT).strftime("%Y%m%d%H%M%S")
    url = f"https://ofd.soliq.uz/check?t={_TERMINAL}&r={number}&c={date}&s={sign}"
    return {
        "receipt_id": number,
        "status_code": 0,
        "message": "accepted",
        "terminal_id": _TERMINAL,
        "fiscal_sign": sign,
        "qr_code_url": url,
        "date": date,
    }
