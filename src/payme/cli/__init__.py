"""The command `payme`."""

import sys

from payme.cli.words import tell


def main() -> None:
    """Run the command line. Exits with 0, with 1 when the command failed, with 2 when misused."""
    try:
        from payme.cli.commands import payme
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"click", "rich"}:
            raise
        needed = tell(
            "payme buyrugʻiga click va rich kerak",
            "команде payme нужны click и rich",
            "the payme command needs click and rich",
        )
        sys.stderr.write(f'payme: {needed}: pip install "payme-uz[cli]"\n')
        raise SystemExit(2) from None
    payme.main(prog_name="payme")
