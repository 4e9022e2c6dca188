"""What the pages reach of the sandbox that they show."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from payme import redact
from payme.errors.catalogue import Language
from payme.sandbox.engine import LedgerEntry, Receipt
from payme.sandbox.engine.model import Exchange
from payme.sandbox.service import Service
from payme.sandbox.traffic import CAPACITY, Entry
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
        calls = await self.read(self.sandbox.traffic.entries, count, **filters)
        # A call that was refused answers no receipt, but it names one.
        named = {call.receipt_id for call in calls if call.amount is None} - {""}
        receipts = {one: await self.receipt(one) for one in named}
        return [_with_subject(call, receipts.get(call.receipt_id)) for call in calls]

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


def _with_subject(call: Entry, receipt: Receipt | None) -> Entry:
    if call.amount is not None or receipt is None:
        return call
    account = {
        redact.scrub(name): redact.account_value(one) for name, one in receipt.account.items()
    }
    return replace(call, amount=receipt.amount, account=account)
