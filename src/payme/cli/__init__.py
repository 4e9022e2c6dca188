"""The command `payme`."""

import sys
from typing import Final

_INSTALL: Final = 'the payme command needs click and rich: pip install "payme-uz[cli]"'


def main() -> None:
    """Run the command line. Exits with 0, with 1 when the command failed, with 2 when misused."""
    try:
        from payme.cli.commands import payme
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"click", "rich"}:
            raise
        sys.stderr.write(f"payme: {_INSTALL}\n")
        raise SystemExit(2) from None
    payme.main(prog_name="payme")
