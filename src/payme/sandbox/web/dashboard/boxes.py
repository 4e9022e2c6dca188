"""Which cash-boxes a page of the dashboard shows: all of them, or the one that was chosen.

The choice stands in the address, and every link of a page carries it on. A cookie would be shared
by two tabs, and one of them would show another cash-box at its next renewal without being asked.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from payme.sandbox.cash_box import CashBox

PARAM: Final = "box"
"""Name of the parameter that carries the id of the chosen cash-box."""

# What belongs to the list of one cash-box, and to the last button, is not taken to another.
_LEFT_BEHIND: Final = frozenset({PARAM, "done", "offset"})

T = TypeVar("T")


class BoxLink(NamedTuple):
    """A link of the switch."""

    name: str
    """Empty for all cash-boxes."""
    query: dict[str, str]
    current: bool


class Choice(NamedTuple):
    """The cash-boxes of the sandbox, and the one that a page was asked for."""

    boxes: tuple[CashBox, ...]
    """All of them, the first one first."""
    chosen: CashBox | None
    """None for all."""

    @classmethod
    def of(cls, boxes: tuple[CashBox, ...], request: Request) -> "Choice":
        """Read it from an address; an id that no cash-box has means all."""
        wished = request.query_params.get(PARAM, "")
        several = boxes if len(boxes) > 1 else ()
        return cls(boxes, next((box for box in several if box.merchant_id == wished), None))

    @property
    def shown(self) -> tuple[CashBox, ...]:
        """The cash-boxes whose records are shown."""
        return self.boxes if self.chosen is None else (self.chosen,)

    @property
    def one(self) -> CashBox:
        """The cash-box that is meant where only one can be: the first one if none was chosen."""
        return self.chosen or self.boxes[0]

    @property
    def names(self) -> dict[str, str]:
        """What to call each cash-box beside its records, by its id; empty where one is shown."""
        return {} if len(self.shown) == 1 else names_of(self.boxes)

    def to(self, path: str, **query: str | int) -> str:
        """Write the address of a page of ours that keeps the choice."""
        kept = {PARAM: self.chosen.merchant_id} if self.chosen else {}
        asked = {**query, **kept}
        return f"{path}?{urlencode(asked)}" if asked else path

    def links(self, request: Request, *, one: bool) -> list[BoxLink]:
        """List the links of the switch; there are none where the sandbox has one cash-box.

        Args:
            request: Asks for the page that the links stay on.
            one: Whether the page is about one cash-box, and can't show all.
        """
        if len(self.boxes) == 1:
            return []
        asked = request.query_params.items()
        kept = {name: value for name, value in asked if name not in _LEFT_BEHIND}
        everything = [] if one else [BoxLink("", kept, self.chosen is None)]
        current = self.one if one else self.chosen
        names = names_of(self.boxes)
        return everything + [
            BoxLink(
                names[box.merchant_id],
                {**kept, PARAM: box.merchant_id},
                current is not None and box.merchant_id == current.merchant_id,
            )
            for box in self.boxes
        ]

    def rows(self, look: Callable[[CashBox], Iterable[T]]) -> list[tuple[T, str]]:
        """List the records of the cash-boxes that are shown, one cash-box after the other.

        Args:
            look: Lists the records of one cash-box.

        Returns:
            Each record with the name of its cash-box, empty where only one is shown.
        """
        return [row for rows in self._rows(look) for row in rows]

    def newest(
        self, look: Callable[[CashBox], Iterable[T]], at: Callable[[T], int], count: int
    ) -> list[tuple[T, str]]:
        """List the records of the cash-boxes that are shown, the newest first.

        Args:
            look: Lists the records of one cash-box, the newest first.
            at: Tells the time of a record in ms.
            count: How many at most.
        """
        rows = heapq.merge(*self._rows(look), key=lambda row: at(row[0]), reverse=True)
        return list(islice(rows, count))

    def _rows(self, look: Callable[[CashBox], Iterable[T]]) -> list[list[tuple[T, str]]]:
        names = self.names
        return [[(one, names.get(box.merchant_id, "")) for one in look(box)] for box in self.shown]


def names_of(boxes: tuple[CashBox, ...]) -> dict[str, str]:
    """Name the cash-boxes, by id; where two have one name, the end of the id tells them apart."""
    count = Counter(box.config.merchant_name for box in boxes)

    def name(box: CashBox) -> str:
        given = box.config.merchant_name
        return given if count[given] == 1 else f"{given} …{box.merchant_id[-4:]}"

    return {box.merchant_id: name(box) for box in boxes}
