"""`manage.py payme_charges`: the commands of `payme charges`, on the ORM and the settings."""

from typing import Final

from payme.charges.django.command_line import MERCHANT, ClickCommand, click, copied
from payme.cli import charges as cli

_GROUP: Final = """Take money from saved cards, each charge once, whatever crashes.

Ledger, keys and credentials are those of the setting PAYME_CHARGES.

\b
  manage.py payme_charges import club.csv
  manage.py payme_charges run
  manage.py payme_charges audit --from 2026-11-01 --to 2026-11-30

\b
Exit codes: 0 done; 1 failed, or not all is well; 2 misused; 3 not known yet.
"""


_INSTEAD: Final = {
    "transactions": click.Option(
        ["--transactions/--no-transactions"],
        default=None,
        help=f"Compare with the transactions of {MERCHANT}, too, or not; done where it is "
        "installed.",
    )
}
"""Options that say something else here; the address of the ledger is left out."""


class Command(ClickCommand):
    """Runs one of the commands; exit codes are theirs."""

    help = "Import, run, list, show, confirm, refund, retry, cancel and audit charges."

    def group(self) -> click.Group:
        """Return the commands of `payme charges`."""
        return copied(cli.charges, "payme_charges", _GROUP, _INSTEAD)
