"""An audit as text, and as JSON."""

import json
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from payme.charges.audit.comparison import Audit
from payme.charges.audit.differences import Difference, Side

_SPOOL: Final = 1 << 20
"""Bytes of differences that are kept in memory; the rest goes into a file."""


def lines(audit: Audit) -> Iterator[str]:
    """Write the differences as they are found, and the numbers."""
    for difference in audit.differences():
        yield _text(difference)
    yield _numbers(audit)
    if _is_another_shop(audit):
        yield (
            "no transaction has the id of a receipt: are they of this cash-box, and of this "
            "environment?"
        )


def json_lines(audit: Audit) -> Iterator[str]:
    """Write an audit as JSON; nothing is written unless it came to its end."""
    with SpooledTemporaryFile(_SPOOL, "w+", encoding="utf-8") as spool:
        for number, difference in enumerate(audit.differences()):
            written = json.dumps(_members(difference), ensure_ascii=False)
            spool.write(f"{',' if number else ''}\n {written}")
        head = json.dumps(audit.json())
        yield f'{head[:-1]}, "differences": ['
        spool.seek(0)
        for line in spool:
            if line.strip():
                yield line.rstrip("\n")
        yield "]}"


def _text(difference: Difference) -> str:
    kind, receipt_id, charge_id, payme, ledger, merchant, cancelled = difference
    sides = f"payme: {_said(payme)}  ledger: {_said(ledger)}  merchant: {_said(merchant)}"
    done = "; cancelled now" if cancelled else ""
    return f"{kind:<13}  receipt {receipt_id or '-'}  charge {charge_id or '-'}  {sides}{done}"


def _said(side: Side | None) -> str:
    return side.text() if side else "-"


def _members(difference: Difference) -> dict[str, Any]:
    members = difference._asdict()
    sides = {name: side.json() for name, side in members.items() if isinstance(side, Side)}
    return {**members, "kind": difference.kind.value, **sides}


def _numbers(audit: Audit) -> str:
    counted = [f"{audit.receipts} receipts", f"{audit.charges} charges"]
    if audit.transactions is not None:
        counted.append(f"{audit.transactions} transactions")
    found = f"{audit.differ} differences" if audit.differ else "the books agree"
    if audit.orphans_cancelled:
        found += f", {audit.orphans_cancelled} orphans cancelled"
    return f"{', '.join(counted)}, {audit.under_way} under way: {found}"


def _is_another_shop(audit: Audit) -> bool:
    return bool(audit.receipts and audit.transactions is not None and not audit.matched)
