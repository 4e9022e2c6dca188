"""`payme charges import`: charges from a CSV file, in constant memory."""

import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import click

from payme import redact
from payme.charges import Charge, ChargeConflict, orders
from payme.charges.core import Means
from payme.charges.pace import since_1970
from payme.cli import words
from payme.cli.books import Books
from payme.cli.failures import refusal
from payme.errors import InvalidArgument

_BATCH: Final = 500
_ACCOUNT: Final = "account."
_PLAIN: Final = ("id", "amount", "token", "description")
_AMOUNT: Final = re.compile("[0-9]{1,18}")
_SHOWN: Final = 100

# What can't be stored is told once, by its line; the first hundred are in the JSON, too.


class Refusal(NamedTuple):
    """A line that was refused."""

    file: str
    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"line": self.line, "column": self.column, "error": self.reason}


@dataclass
class Count:
    """What became of the lines."""

    stored: int = 0
    known: int = 0
    refused: int = 0
    first: list[Refusal] = field(default_factory=list[Refusal])

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        numbers = {"stored": self.stored, "known": self.known, "refused": self.refused}
        return {**numbers, "errors": [refusal.json() for refusal in self.first]}


class _Wrong(Exception):
    """A line can't be stored; `args` are the column, or None, and the reason."""


class _Line(NamedTuple):
    number: int
    charge: Charge
    means: Means


def read(file: TextIO, books: Books, tell: Callable[[Refusal], None]) -> Count:
    """Store the charges of a file.

    Args:
        file: CSV whose first line names the columns.
        books: Where to store them.
        tell: Told of each line that is refused.

    Returns:
        How many were stored, known and refused.

    Raises:
        click.UsageError: The columns are not those of charges.
    """
    count = Count()

    def refuse(line: int, wrong: _Wrong) -> None:
        refusal = Refusal(file.name, line, *wrong.args)
        count.refused += 1
        if count.refused <= _SHOWN:
            count.first.append(refusal)
        tell(refusal)

    with _progress(file) as advance:
        rows = _rows(_watched(file, advance), refuse)
        header = _header(file.name, _first(rows))
        for batch in _batches(_checked(rows, header, refuse)):
            _store(batch, books, count, refuse)
    return count


_Refuse = Callable[[int, _Wrong], None]


def _watched(file: TextIO, advance: Callable[[int], None]) -> Iterator[str]:
    for line in file:
        advance(len(line))
        yield line


def _rows(lines: Iterable[str], refuse: _Refuse) -> Iterator[tuple[int, list[str]]]:
    """Read rows with the number of their first line; what is no CSV is refused."""
    reader = csv.reader(lines, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = words.tell("CSV emas", "это не CSV", "is no CSV")
            refuse(number, _Wrong(None, f"{what}: {error}"))
        else:
            if row:
                yield number, row


def _first(rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    for _, row in rows:
        return row
    return []


def _header(name: str, columns: list[str]) -> list[str]:
    accounts = [one for one in columns if one.startswith(_ACCOUNT) and one != _ACCOUNT]
    strange = [one for one in columns if one not in _PLAIN and one not in accounts]
    missing = [one for one in ("id", "amount", "token") if one not in columns]
    if not accounts:
        missing.append("account.<field>")
    twice = sorted({one for one in columns if columns.count(one) > 1})
    for about, found in (
        (words.tell("nomaʼlum", "неизвестны", "unknown"), strange),
        (words.tell("ikki marta", "дважды", "twice"), twice),
        (words.tell("yetishmaydi", "не хватает", "missing"), missing),
    ):
        if found:
            named = ", ".join(redact.scrub(repr(one)) for one in found)
            raise click.UsageError(f"{name}:1: {about}: {named}; {_expected()}")
    return columns


def _expected() -> str:
    columns = "id,amount,account.<field>,token[,description]"
    return words.tell(
        f"vergul bilan ajratilgan {columns} ustunlari kutilgan",
        f"ожидались столбцы {columns}, разделённые запятыми",
        f"expected the columns {columns}, separated by commas",
    )


def _checked(
    rows: Iterator[tuple[int, list[str]]], header: list[str], refuse: _Refuse
) -> Iterator[_Line]:
    for number, row in rows:
        try:
            yield _line(number, row, header)
        except _Wrong as wrong:
            refuse(number, wrong)


def _line(number: int, row: list[str], header: list[str]) -> _Line:
    if len(row) != len(header):
        columns = words.tell(
            "{} ta ustun bor, {} ta kutilgan",
            "столбцов {}, ожидалось {}",
            "has {} columns, expected {}",
        )
        raise _Wrong(None, columns.format(len(row), len(header)))
    cells = dict(zip(header, row, strict=True))
    asked = orders.order(
        since_1970(),
        _id(cells["id"]),
        _amount(cells["amount"]),
        {name[len(_ACCOUNT) :]: cells[name] for name in header if name.startswith(_ACCOUNT)},
        cells["token"],
        description=cells.get("description") or None,
        detail=None,
        payer=None,
        hold=False,
    )
    refused = asked.refusal
    if refused is not None:
        raise _Wrong(refused.argument, _in_words(refused))
    return _Line(number, *asked.accepted())


def _id(given: str) -> str:
    # Ids are shown everywhere, where a token must not be.
    if redact.scrub(given) != given:
        swapped = words.tell(
            "karta yoki uning tokeniga oʻxshaydi; ustunlar almashib qolmaganmi?",
            "похоже на карту или её токен; столбцы не перепутаны?",
            "looks like a card or its token; are the columns swapped?",
        )
        raise _Wrong("id", f"id: {swapped}")
    return given


def _amount(given: str) -> int:
    if not _AMOUNT.fullmatch(given):
        expected = "a whole number of tiyin, such as 5000000 for 50 000 soʻm"
        raise _Wrong("amount", _in_words(InvalidArgument("amount", given, expected)))
    return int(given)


# What a column takes, in Uzbek and Russian; in English the refusal says it.
_TAKES: Final = {
    "id": (
        "order-106 kabi, boʻshliqsiz, 1 dan 128 gacha belgi",
        "от 1 до 128 знаков без пробелов, например order-106",
    ),
    "amount": (
        "tiyinlarning butun soni, masalan 50 000 soʻm uchun 5000000",
        "целое число тийинов, например 5000000 для 50 000 сум",
    ),
    "account": ("bir qatorli matn", "текст в одну строку"),
    "token": ("cards.create qaytargan token", "токен, который вернул cards.create"),
    "description": ("boshqaruv belgilarisiz matn", "текст без управляющих символов"),
}


def _in_words(refused: InvalidArgument) -> str:
    """Say in the language of this process why a value was refused."""
    column = str(refused).partition(": got ")[0]
    return refusal(refused, *_TAKES.get(column.partition(".")[0], ()))


def _batches(lines: Iterator[_Line]) -> Iterator[list[_Line]]:
    batch: list[_Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _store(batch: list[_Line], books: Books, count: Count, refuse: _Refuse) -> None:
    """Store a batch in one transaction; a crash in the middle is made good by the next import."""
    stored = known = 0
    conflicts: list[tuple[int, ChargeConflict]] = []
    with books.begin() as connection:
        for line in batch:
            there = books.submit(line.charge, line.means, connection)
            try:
                orders.same(line.charge, there)
            except ChargeConflict as conflict:
                conflicts.append((line.number, conflict))
            else:
                stored += there is line.charge
                known += there is not line.charge
    count.stored += stored
    count.known += known
    for number, found in conflicts:
        refuse(number, _Wrong(_column(found), _other_money(found)))


def _other_money(conflict: ChargeConflict) -> str:
    name, differs = repr(conflict.charge.id), ", ".join(conflict.differs)
    return words.tell(
        f"{name} nomli charge boshqa {differs} bilan bor; nom doim oʻsha pulga tegishli",
        f"списание {name} уже есть, но отличается: {differs}; ID навсегда означает те же деньги",
        str(conflict),
    )


def _column(conflict: ChargeConflict) -> str:
    return "amount" if "amount" in conflict.differs else conflict.differs[0]


def _progress(file: TextIO) -> AbstractContextManager[Callable[[int], None]]:
    """Show how far the file is read, where somebody looks on."""
    path = Path(file.name)
    if not sys.stderr.isatty() or not path.is_file():
        return nullcontext(lambda _size: None)
    from payme.cli.bars import bar

    reading = words.tell("Oʻqilmoqda:", "Чтение:", "Reading")
    return bar(f"{reading} {path.name}", path.stat().st_size)
