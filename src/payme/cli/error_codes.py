"""`payme errors`: what a code means, and what to do about it."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from payme.cli import options
from payme.cli.words import language, tell

if TYPE_CHECKING:
    from payme.errors.catalogue import Entry

_CODE: Final = re.compile(r"-?[0-9]{1,6}")


@click.command(
    "errors",
    # A code begins with a hyphen, as options do.
    context_settings={"ignore_unknown_options": True},
    help=tell(
        """Payme xatosi kodining sababi va davosi; kodsiz hammasi chiqadi.

        \b
          payme errors -31630
          payme errors 31602""",
        """Причина и решение по коду ошибки Payme; без кода выводятся все.

        \b
          payme errors -31630
          payme errors 31602""",
        """Cause and remedy of an error code of Payme's; without a code, all of them.

        \b
          payme errors -31630
          payme errors 31602""",
    ),
)
@click.argument("code", required=False, metavar="[CODE]")
@options.as_json
def errors(*, code: str | None, as_json: bool) -> None:
    """Explain a code; what the user reads about it is above."""
    from payme.errors.catalogue import ENTRIES

    number = None if code is None else _number(code)
    found = [entry for entry in ENTRIES if number in (None, entry.code)]
    if number is not None and not found:
        raise click.ClickException(_unknown(number))
    if as_json:
        click.echo(json.dumps([_json(entry) for entry in found], ensure_ascii=False))
    elif number is None:
        click.echo("\n".join(_row(entry) for entry in found))
    else:
        click.echo("\n\n".join("\n".join(_lines(entry)) for entry in found))


def _number(code: str) -> int:
    if not _CODE.fullmatch(code):
        raise click.UsageError(
            tell(
                f"{code!r}: -31630 kabi kod kutilgan",
                f"{code!r}: ожидался код, например -31630",
                f"{code!r}: expected a code such as -31630",
            )
        )
    # Every code of Payme's is negative; the hyphen is lost in a spreadsheet and a search box.
    return -abs(int(code))


def _unknown(number: int) -> str:
    if -31099 <= number <= -31050:
        return tell(
            f"{number} sotuvchining oʻz xatosi: uning matnini Merchant API manzilingiz bergan",
            f"{number} — ошибка самого продавца: её текст дал ваш адрес Merchant API",
            f"{number} is the merchant's own error: your Merchant API endpoint gave its text",
        )
    return tell(
        f"{number} katalogda yoʻq: xabarni oʻqing va Payme texnik yordamiga yozing",
        f"{number} нет в каталоге: прочтите сообщение и напишите в поддержку Payme",
        f"{number} is not in the catalogue: read its message, and ask Payme's support",
    )


def _row(entry: "Entry") -> str:
    return f"{entry.code:>7}  {entry.kind:<20}  {entry.text._asdict()[language()]}"


def _lines(entry: "Entry") -> Iterator[str]:
    yield f"{entry.code}  {entry.kind}"
    cause, remedy = tell("Sabab", "Причина", "Cause"), tell("Davo", "Решение", "Remedy")
    yield f"  {cause}: {entry.text._asdict()[language()]}"
    yield f"  {remedy}: {entry.remedy._asdict()[language()]}"
    if entry.methods:
        yield f"  {tell('Usullar', 'Методы', 'Methods')}: {', '.join(entry.methods)}"
    if entry.message:
        yield f"  {tell('Xabarda', 'В сообщении', 'In the message')}: {_fragments(entry.message)}"
    yield f"  {tell('Ishonch darajasi', 'Достоверность', 'Evidence')}: {_standing(entry.standing)}"


def _fragments(pattern: str) -> str:
    """Show a pattern of the catalogue, which is a list of parts of words, to people."""
    return ", ".join(f"«{part}…»" for part in pattern.removeprefix("(?i)").split("|"))


def _standing(standing: str) -> str:
    return {
        "confirmed": tell("tasdiqlangan", "подтверждено", "confirmed"),
        "observed": tell("kuzatilgan", "наблюдалось", "observed"),
        "inferred": tell("xulosa", "вывод", "inferred"),
        "our choice": tell("bizning tanlov", "наш выбор", "our choice"),
    }[standing]


def _json(entry: "Entry") -> dict[str, Any]:
    return {
        "code": entry.code,
        "class": entry.kind,
        "cause": entry.text._asdict(),
        "remedy": entry.remedy._asdict(),
        "methods": [*entry.methods],
        "message": entry.message or None,
        "evidence": entry.standing,
    }
