"""An audit as JSON; `payme.cli.shown` writes it for people."""

import json
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from payme.charges.audit.comparison import Audit
from payme.charges.audit.differences import Difference, Side

_SPOOL: Final = 1 << 20
"""Bytes of differences that are kept in memory; the rest goes into a file."""


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


def _members(difference: Difference) -> dict[str, Any]:
    members = difference._asdict()
    sides = {name: side.json() for name, side in members.items() if isinstance(side, Side)}
    return {**members, "kind": difference.kind.value, **sides}
