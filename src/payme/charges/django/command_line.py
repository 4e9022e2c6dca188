"""Commands of the command line as commands of `manage.py`, on the ORM and the settings."""

import sys
from argparse import REMAINDER
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout
from functools import partial
from typing import Any, ClassVar, Final, cast

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from payme.charges.django import configuration
from payme.charges.django.books import DjangoBooks
from payme.charges.django.driving import DjangoCharges
from payme.client import Payme
from payme.errors import ConfigurationError

try:
    import click

    from payme.cli.books import Books, Source, without_transactions
    from payme.cli.program import speak, told
    from payme.cli.words import tell
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"click", "rich"}:
        raise
    raise CommandError(
        'the command needs click and rich: pip install "payme-uz[django-charges]"'
    ) from None

__all__ = ["MERCHANT", "ClickCommand", "DjangoSource", "click", "copied"]

MERCHANT: Final = "payme.merchant.django"


class DjangoSource(Source):
    """Where the commands find ledger and client: in the settings."""

    def keys(self) -> str:
        """Say what to do so that tokens are encrypted."""
        setting = 'PAYME_CHARGES["LEDGER_KEYS"]'
        return tell(f"{setting} ni bering", f"задайте {setting}", f"give {setting}")

    def failures(self) -> tuple[type[Exception], ...]:
        """Return the errors of Django's databases."""
        return (Error,)

    def books(self, url: str, *, must_exist: bool) -> Books:  # noqa: ARG002
        """Return the ledger of the settings."""
        return configuration.ledger(configuration.section(), DjangoBooks)

    def transactions(self, given: Any, box: str | None = None) -> AbstractContextManager[Any]:
        """Return the transactions of the project's Merchant API, if it has one.

        Args:
            given: True or False as the option says; None without it.
            box: The cash-box whose they are; None for the only one.

        Raises:
            ConfigurationError: They are asked for, and there are none; or there are those of
                several cash-boxes, and none is named.
        """
        installed = apps.is_installed(MERCHANT)
        if given and not installed:
            raise ConfigurationError(f"--transactions: INSTALLED_APPS has no {MERCHANT}")
        if given is False or not installed:
            without_transactions(box)
            return nullcontext(None)
        from payme.charges.django.transactions import DjangoTransactions

        return nullcontext(DjangoTransactions(box=box))

    def client(self) -> Payme:
        """Make the client of the settings."""
        return configuration.client(configuration.section())

    def charges(self, payme: Payme, books: Books) -> DjangoCharges:
        """Make what drives charges, as patient as the settings say."""
        policy = configuration.policy(configuration.section())
        return DjangoCharges(payme, cast("DjangoBooks", books), policy=policy)


def copied(
    commands: click.Group, name: str, help_: str, instead: Mapping[str, click.Option]
) -> click.Group:
    """Copy commands, which are told by the settings where the ledger is.

    Args:
        commands: Those of the command line.
        name: What they are called here.
        help_: What the group says of itself.
        instead: Options that say something else here.
    """
    group = click.Group(name, help=help_)
    for word, command in commands.commands.items():
        assert command.callback is not None  # noqa: S101 - each of them does something
        group.add_command(
            click.Command(
                word,
                callback=partial(command.callback, url=""),
                params=[
                    instead.get(one.name or "", one) for one in command.params if one.name != "url"
                ],
                help=command.help,
            )
        )
    speak(group)
    return group


class ClickCommand(BaseCommand):
    """Runs one of the commands of a group; exit codes are theirs."""

    source: ClassVar[type[DjangoSource]] = DjangoSource

    _from_shell = False

    def group(self) -> click.Group:
        """Return the commands."""
        raise NotImplementedError

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as from a shell; options before the name of a command are Django's own."""
        self._from_shell = True
        if argv[2:3] in ([], ["--help"], ["-h"]):
            argv = [*argv[:2], "--", "--help"]
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        """Leave everything to the commands."""
        parser.add_argument("arguments", nargs=REMAINDER)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run a command.

        Raises:
            CommandError: It failed, when called from code; `returncode` is its exit code.
        """
        out, err = options.get("stdout") or sys.stdout, options.get("stderr") or sys.stderr
        with redirect_stdout(out), redirect_stderr(err):
            code = self._run([one for one in options["arguments"] if one != "--"])
        if code and self._from_shell:
            sys.exit(code)
        if code:
            raise CommandError(f"{self.group().name} ended with {code}", returncode=code)

    def _run(self, arguments: Sequence[str]) -> int:
        try:
            group = self.group()
            ended: Any = group.main(
                [*arguments],
                prog_name=f"manage.py {group.name}",
                standalone_mode=False,
                obj=self.source(),
            )
        except click.ClickException as error:
            return told(error, arguments)
        return ended if isinstance(ended, int) else 0
