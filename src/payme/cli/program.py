"""The command `payme` itself: commands that are loaded when they are called, and how it fails."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import click
from click.shell_completion import CompletionItem

from payme.cli.words import tell

if TYPE_CHECKING:
    from payme.cli.failures import Failure

JSON: Final = "--json"

_begun: Final = ContextVar("begun", default=False)
"""A part of the answer is printed already: what fails then is told on the error stream."""


class Lazy(NamedTuple):
    """A command that is imported when it is called: the list of them all stays quick."""

    where: str
    """`module:attribute`."""
    uz: str
    ru: str
    en: str


class _Formatter(click.HelpFormatter):
    """Writes the frame of a help text in the language of this process."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        heading = tell("Foydalanish", "Использование", "Usage")
        super().write_usage(prog, args, f"{heading}: " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        known = {
            "Options": tell("Opsiyalar", "Параметры", "Options"),
            "Commands": tell("Buyruqlar", "Команды", "Commands"),
        }
        super().write_heading(known.get(heading, heading))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        told = [(name, _of_frame(text)) for name, text in rows]
        super().write_dl(told, col_max, col_spacing)


def _of_frame(text: str) -> str:
    """Translate what click writes beside an option; it has no translations of its own."""
    if text == "Show this message and exit.":
        return tell("Shu matnni chiqarish.", "Показать эту справку.", text)
    if text == "Show the version and exit.":
        return tell("Versiyani chiqarish.", "Показать версию.", text)
    body, bracket, extra = text.rpartition("  [")
    if not bracket:
        return text
    extra = extra.replace("required", tell("majburiy", "обязательно", "required"))
    extra = extra.replace("default: ", tell("berilmasa: ", "по умолчанию: ", "default: "))
    return f"{body}{bracket}{extra}"


class _Context(click.Context):
    formatter_class = _Formatter


class Program(click.Group):
    """A group whose commands are loaded when they are called.

    Args:
        name: Name of the program.
        lazily: Its commands.
        **options: Those of `click.Group`.
    """

    context_class = _Context

    def __init__(self, name: str, lazily: Mapping[str, Lazy], **options: Any) -> None:
        super().__init__(name, **options)
        self._lazily: Final = lazily

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._lazily})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in self.commands and cmd_name in self._lazily:
            module, _, attribute = self._lazily[cmd_name].where.partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            speak(command)
            self.commands[cmd_name] = command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, without loading it."""
        rows = [(name, self._short(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _short(self, ctx: click.Context, name: str) -> str:
        lazy = self._lazily.get(name)
        if lazy is not None:
            return tell(lazy.uz, lazy.ru, lazy.en)
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(limit=80)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without loading the commands."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._short(ctx, name)) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click would call a payment whose answer nobody reads a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            from payme.cli.failures import Unheard

            raise Unheard from error

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - the signature is click's
        **extra: Any,
    ) -> Any:
        """Run, and end the process with an exit code; arguments are those of click."""
        given = list(sys.argv[1:] if args is None else args)
        begin = super().main
        if not standalone_mode:
            return begin(given, prog_name, complete_var, standalone_mode=False, **extra)

        def run() -> Any:
            return begin(given, prog_name, complete_var, standalone_mode=False, **extra)

        name = next((one for one in given if one in self._lazily), "")
        sys.exit(_ended(run, given, f"payme {name}".rstrip()))


def stream(lines: Iterable[str]) -> None:
    """Print lines as they come; an error that comes later is not mixed with them.

    Args:
        lines: Parts of one JSON value, or lines of a table.
    """
    for line in lines:
        click.echo(line)
        _begun.set(True)


def _ended(run: Callable[[], Any], given: Sequence[str], command: str) -> int:
    """Run, and say how it failed if it did."""
    _begun.set(False)
    try:
        ended = run()
    except Exception as error:  # noqa: BLE001 - `told` raises what a command does not end with
        if type(error).__name__ == "NoArgsIsHelpError" and isinstance(error, click.UsageError):
            # Since click 8.2: the help text is its message.
            error.show()
            return error.exit_code
        from payme.cli.failures import Unheard, is_unwritten

        if isinstance(error, Unheard):
            _write_no_more()
            return error.exit_code
        if is_unwritten(error):
            _write_no_more()
            _begun.set(True)
        return told(error, given, command)
    return ended if isinstance(ended, int) else 0


def told(error: Exception, given: Sequence[str], command: str = "payme") -> int:
    """Say how a command failed.

    Args:
        error: How.
        given: The arguments of the command, which say whether JSON is wanted.
        command: What it is called.

    Returns:
        The exit code.

    Raises:
        Exception: The error itself, where it is none that a command ends with.
    """
    from payme.cli.failures import failure_of

    failure = failure_of(error, command)
    if failure is None:
        raise error
    _say(failure, getattr(error, "ctx", None), as_json=wants_json(given))
    return failure.exit_code


def _write_no_more() -> None:
    """Let what is still in the buffer go nowhere: at the end of the process it would fail again."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def wants_json(given: Sequence[str]) -> bool:
    """Return whether arguments ask for JSON, which is said before they can be parsed."""
    options = list(given)
    if "--" in options:
        options = options[: options.index("--")]
    follows = ("--format", "json") in pairwise(options)
    return JSON in options or "--format=json" in options or follows


def _say(failure: "Failure", context: click.Context | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(failure.json(), ensure_ascii=False), err=_begun.get())
        return
    if context is not None:
        click.echo(context.get_usage(), err=True)
        hint = tell("Yordam", "Справка", "Help")
        click.echo(f"{hint}: {context.command_path} --help\n", err=True)
    heading = tell("Xato", "Ошибка", "Error")
    click.echo(f"{heading}: {failure.message}", err=True)


def speak(command: click.Command) -> None:
    """Have a command and those below it write their help in the language of this process."""
    command.context_class = _Context
    for one in getattr(command, "commands", cast("dict[str, click.Command]", {})).values():
        speak(one)
