"""What the pages reach of the sandbox that they show."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from payme.errors.catalogue import Language
from payme.sandbox.engine import LedgerEntry, Receipt
from payme.sandbox.engine.model import Exchange
from payme.sandbox.service import Service
from payme.sandbox.traffic import CAPACITY, Entry, Subject
from payme.sandbox.web.offers import Offers

if TYPE_CHECKING:
    from payme.sandbox.cash_box import CashBox
    from payme.sandbox.simulator import Simulator

P = ParamSpec("P")
T = TypeVar("T")


class History(NamedTuple):
    """A receipt and all that happened to it."""

    receipt: Receipt
    entries: list[LedgerEntry]
    calls: list[Entry]
    exchanges: list[Exchange]


class Backend:
    """A running sandbox, as its pages see it.

    Args:
        sandbox: The sandbox.
        service: Serves its calls.
    """

    def __init__(self, sandbox: "Simulator", service: Service) -> None:
        self.sandbox = sandbox
        self.service = service
        self.offers = Offers(sandbox.known_cards)

    async def read(self, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look something up without holding up the event loop: a file may make it wait."""
        return await run_in_threadpool(look, *args, **kwargs)

    async def receipt(self, receipt_id: str) -> Receipt | None:
        """Find a receipt of any cash-box, where the clock has brought it."""
        return await self.read(lambda: self.home(receipt_id).receipt(receipt_id))

    async def box(self, receipt_id: str) -> "CashBox":
        """Find the cash-box that has a receipt; the first one if none has it."""
        return await self.read(self.home, receipt_id)

    def home(self, receipt_id: str) -> "CashBox":
        """Find the cash-box that has a receipt, where it may take as long as the disk."""
        boxes = self.sandbox.cash_boxes
        found = self.sandbox.cash_box_of(receipt_id) if len(boxes) > 1 else None
        return found or self.sandbox.first

    async def calls(self, count: int, **filters: Any) -> list[Entry]:
        """List the last calls, each with what its receipt is about.

        Args:
            count: How many at most.
            filters: What `Traffic.entries` takes besides.
        """
        entries = self.sandbox.traffic.entries
        return await self.read(entries, count, about=self._subject, **filters)

    async def call(self, number: int, language: Language) -> Entry | None:
        """Find a call by its number, with what its receipt is about; None when there is none."""
        entry = self.sandbox.traffic.entry
        return await self.read(entry, number, language=language, about=self._subject)

    def _subject(self, receipt_id: str) -> Subject | None:
        # A call that was refused answers no receipt, but it names one.
        receipt = self.home(receipt_id).receipt(receipt_id) if receipt_id else None
        return None if receipt is None else Subject(receipt.amount, receipt.account)

    async def history(self, receipt_id: str, language: Language) -> History | None:
        """Find a receipt and all that happened to it.

        Args:
            receipt_id: Its id.
            language: Language of the remedies for refused calls.
        """
        receipt = await self.receipt(receipt_id)
        if receipt is None:
            return None
        box = await self.box(receipt_id)
        entries = await self.read(box.entries, receipt_id)
        calls = await self.calls(CAPACITY, receipt_id=receipt_id, language=language)
        exchanges = await self.read(box.merchant.exchanges, receipt_id)
        return History(receipt, entries, calls, exchanges)
