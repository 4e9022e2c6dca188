"""What a person is asked: secrets, without showing them, and whether money shall move."""

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import click

from payme.cli.failures import Declined
from payme.cli.words import tell

_YES = frozenset({"y", "yes", "ha", "h", "да", "д"})


def secret(what: str) -> str:
    """Ask for a secret: hidden on a terminal, else a line of standard input.

    There is no option for one: every user of a computer reads the arguments of its programs, and
    the shell keeps them in its history.

    Args:
        what: What it is, in the language of this process.

    Raises:
        click.UsageError: There is none.
    """
    if _is_terminal():
        return str(click.prompt(what, hide_input=True, err=True)).strip()
    line = sys.stdin.readline().strip()
    if not line:
        raise click.UsageError(
            tell(
                f"standart kirishda qator yetishmayapti: {what}",
                f"на стандартном вводе нет строки: {what}",
                f"a line is missing on standard input: {what}",
            )
        )
    return line


def refuse_arguments(
    context: click.Context, _argument: click.Parameter, given: tuple[str, ...]
) -> None:
    """Refuse a secret in the arguments, without repeating it."""
    if given:
        raise click.UsageError(
            tell(
                "karta raqami, token va kod argument sifatida berilmaydi: argumentlarni "
                "kompyuterning boshqa foydalanuvchilari koʻradi va shell tarixida saqlaydi. "
                "Buyruqning oʻzi soʻraydi yoki standart kirishdan oʻqiydi",
                "номер карты, токен и код не передают аргументом: аргументы видны другим "
                "пользователям компьютера и остаются в истории оболочки. Команда спросит их сама "
                "или прочтёт со стандартного ввода",
                "card numbers, tokens and codes are not taken as arguments: other users of this "
                "computer see the arguments, and the shell keeps them in its history. The command "
                "asks for them, or reads them from standard input",
            ),
            ctx=context,
        )


no_secrets = click.argument(
    "secrets", nargs=-1, expose_value=False, callback=refuse_arguments, metavar=""
)


def agree(question: str, *, yes: bool) -> None:
    """Ask whether to go on with what moves money.

    Args:
        question: What would be done, to whom, and how much it is.
        yes: It was said beforehand.

    Raises:
        Declined: The answer is no.
        click.UsageError: Nobody can be asked.
    """
    if yes:
        return
    if not _is_terminal():
        raise click.UsageError(
            tell(
                f"{question} Terminal yoʻq, soʻrab boʻlmaydi: rozi boʻlsangiz, --yes qoʻshing",
                f"{question} Терминала нет, спросить некого: если согласны, добавьте --yes",
                f"{question} There is no terminal to ask on: add --yes if you agree",
            )
        )
    choices = tell("[ha/yoʻq]", "[да/нет]", "[y/N]")
    answer = str(click.prompt(f"{question} {choices}", default="", show_default=False, err=True))
    if answer.strip().lower() not in _YES:
        raise Declined(
            tell(
                "Rozilik berilmadi; hech narsa yuborilmadi.",
                "Согласия нет; ничего не отправлено.",
                "Not agreed; nothing was sent.",
            )
        )


def agree_if_asked(question: str, *, yes: bool) -> None:
    """Ask a person at a terminal whether to go on; a program that calls has decided already.

    For commands that scripts called before there was a question, and that the ledger keeps from
    taking or returning the same money twice.

    Args:
        question: What would be done, to whom, and how much it is.
        yes: It was said beforehand.

    Raises:
        Declined: The answer is no.
    """
    if _is_terminal():
        agree(question, yes=yes)


@contextmanager
def told_when_terminated() -> Generator[None]:
    """Have SIGTERM interrupt a call as Ctrl-C does, so that what is unknown is told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_terminal() -> bool:
    return sys.stdin.isatty()
