"""Accounts and the key, as options of the commands that call a merchant."""

import json
import subprocess
import sys
from collections.abc import Iterable
from os import environ
from typing import Any, Final

import click

from payme.cli import connection, profiles
from payme.cli.words import tell

_COMMAND_S: Final = 60.0


def accounts(fields: Iterable[str]) -> list[dict[str, str]]:
    """Read `FIELD=VALUE` options; a field that comes again begins another account.

    Args:
        fields: Such as `order_id=1`, `order_id=2`.

    Raises:
        click.BadParameter: One is no `FIELD=VALUE`.
    """
    found: list[dict[str, str]] = []
    for field in fields:
        name, equals, value = field.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(
                tell(
                    f"{field!r}: MAYDON=QIYMAT kutilgan",
                    f"{field!r}: ожидалось ПОЛЕ=ЗНАЧЕНИЕ",
                    f"got {field!r}, expected FIELD=VALUE",
                ),
                param_hint="--account",
            )
        if not found or name in found[-1]:
            found.append({})
        found[-1][name] = value
    return found


def new_order(command: str) -> dict[str, Any]:
    """Run a command that makes an order and prints its account.

    Args:
        command: For the shell. It prints a JSON object, or FIELD=VALUE in lines or words.

    Raises:
        click.ClickException: It failed, or printed no account.
    """
    try:
        # The user's own command, as they would type it.
        done = subprocess.run(  # noqa: S602
            command, shell=True, stdout=subprocess.PIPE, timeout=_COMMAND_S, check=True
        )
        account = printed_account(done.stdout.decode())
    except (subprocess.SubprocessError, OSError, ValueError, click.BadParameter) as error:
        raise click.ClickException(f"--new-order: {error}") from None
    return account


def printed_account(printed: str) -> dict[str, Any]:
    """Read what a command printed.

    Args:
        printed: A JSON object, or FIELD=VALUE in lines or words.

    Raises:
        ValueError: It is neither.
    """
    if printed.lstrip().startswith("{"):
        account: dict[str, Any] = json.loads(printed)
        return account
    found = accounts(printed.split())
    if len(found) != 1:
        number = len(found)
        raise ValueError(
            tell(
                f"{number} ta account chiqdi, bitta kutilgan",
                f"вывела account: {number}, ожидался один",
                f"printed {number} accounts, expected one",
            )
        )
    return dict(found[0])


def secret_key() -> str:
    """Return the key of the cash-box: of the profile that was named, else `PAYME_KEY`, else asked.

    A key in the arguments could be read by every user of the machine.

    Raises:
        click.UsageError: There is none, and nobody to ask.
    """
    if profiles.chosen():
        return connection.found().key.open()
    key = environ.get("PAYME_KEY", "")
    if not key and not _may_ask():
        raise click.UsageError(
            tell(
                "kassaning kaliti berilmagan: uni PAYME_KEY ga yozing",
                "не задан ключ кассы: укажите его в PAYME_KEY",
                "the key of the cash-box is missing: set PAYME_KEY",
            )
        )
    asked = tell("Kassaning kaliti", "Ключ кассы", "Key of the cash-box")
    return key or str(click.prompt(asked, hide_input=True, err=True))


def _may_ask() -> bool:
    return sys.stdin.isatty()
