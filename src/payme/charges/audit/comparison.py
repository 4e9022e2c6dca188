"""The comparison: Payme's receipts of a period beside the ledger and the merchant's transactions.

Payme's receipts go into a `Listing`; the charges that were alive in the period are laid beside
them, then the transactions; what is left over only Payme knows. A difference is told after both
sides were read again, because charges may be driven and customers may pay meanwhile.

Payme keeps nothing of a charge by which its orphan could be told for certain. A receipt is taken
for one when a charge asked for the same amount with the same description at that time, and either
the receipt shows the charge's account, or the ledger says that an answer of `receipts.create` was
lost at that time. Some cash-boxes show another account than the one that was given. A receipt that
has a transaction is being paid, and is nobody's orphan.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Self

from payme.charges.audit.books import ChargeBooks, Transactions
from payme.charges.audit.differences import (
    Difference,
    Kind,
    MerchantTransaction,
    Side,
    from_charge,
    from_transaction,
    ledger_side,
    merchant_side,
    owes_nothing,
    payme_side,
    receipt_rests,
)
from payme.charges.audit.listing import SKEW, Listed, Listing
from payme.charges.core import Charge, ChargeState, Event
from payme.client import Payme
from payme.errors import CannotCancel, InvalidArgument, ReceiptNotFound
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState

_ADOPTED: Final = 900.0
"""Seconds after which nobody can be holding the answer of `receipts.create` any more: a lease and
the longest call are over."""


class Audit:
    """One comparison.

    Args:
        payme: The client.
        books: The ledger.
        period: Its beginning and its end, aware.
        transactions: The merchant's transactions; None to compare without them.
        cancel: Cancel orphans.

    Attributes:
        receipts: Receipts that Payme listed.
        charges: Charges that were compared.
        transactions: Transactions of the period; None if they were not compared.
        matched: Listed receipts that have a transaction.
        cancelled: Receipts without a charge that are cancelled: no money moved.
        under_way: Charges, receipts and transactions that are still under way, and receipts that a
            charge may be about to take.
        differ: Differences, without the orphans that were cancelled.
        orphans_cancelled: Orphans that were cancelled.

    Example:
        >>> with Audit(payme, ledger, (start, end)) as audit:
        ...     for difference in audit.differences():
        ...         print(difference)
    """

    def __init__(
        self,
        payme: Payme,
        books: ChargeBooks,
        period: tuple[datetime, datetime],
        *,
        transactions: Transactions | None = None,
        cancel: bool = False,
    ) -> None:
        self._payme = payme
        self._books = books
        self._start, self._end = period
        self._merchant = transactions
        self._cancel = cancel
        self._listed = Listing()
        self.receipts = self.charges = self.cancelled = self.under_way = self.differ = 0
        self.matched = self.orphans_cancelled = 0
        self.transactions: int | None = None if transactions is None else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listed.close()

    def differences(self) -> Iterator[Difference]:
        """Compare.

        Yields:
            The differences, as they are found.

        Raises:
            PaymeError: Payme did not answer: what was found so far is true, and not all.
        """
        self.receipts = self._listed.fill(self._counted())
        for difference in self._all():
            self.differ += not difference.cancelled
            self.orphans_cancelled += difference.cancelled
            yield difference

    def _counted(self) -> Iterator[Receipt]:
        """Read Payme's receipts, and count them for who shows how far it is."""
        for receipt in self._payme.receipts.iterate(self._start, self._end):
            self.receipts += 1
            yield receipt

    def _all(self) -> Iterator[Difference]:
        yield from self._of_charges()
        if self._merchant is not None:
            yield from self._of_transactions(self._merchant)
        self.cancelled = self._listed.cancelled()
        self._find_orphans()
        for listed in self._listed.left():
            yield from self._of_payme(listed)

    def json(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return {
            "from": self._start.isoformat(),
            "to": self._end.isoformat(),
            "receipts": self.receipts,
            "charges": self.charges,
            "transactions": self.transactions,
            "under_way": self.under_way,
            "cancelled_receipts": self.cancelled,
            "orphans_cancelled": self.orphans_cancelled,
            "differ": self.differ,
        }

    # The ledger.

    def _alive(self) -> Iterator[Charge]:
        """Read the charges whose receipts may be of the period."""
        since, until = self._start.timestamp() - SKEW, self._end.timestamp() + SKEW
        alive = self._books.iterate(None, max(since, 0.0))
        return (charge for charge in alive if charge.created <= until)

    def _of_charges(self) -> Iterator[Difference]:
        for charge in self._alive():
            self.charges += 1
            if charge.receipt_id is None:
                self.under_way += not charge.rests
                continue
            listed = self._listed.claim(charge.receipt_id, charge.id)
            if listed is None or from_charge(charge, listed.state, listed.amount):
                yield from self._charge_again(charge.id)
            else:
                self.under_way += not charge.rests

    def _charge_again(self, charge_id: str) -> Iterator[Difference]:
        """Read both sides again; a charge that changed meanwhile is under way."""
        before = self._books.charge(charge_id)
        receipt = self._ask(before.receipt_id)
        if before.receipt_id is None or self._books.charge(charge_id).version != before.version:
            self.under_way += 1
            return
        ledger = ledger_side(before)
        if receipt is None:
            yield Difference(Kind.ONLY_LEDGER, before.receipt_id, before.id, None, ledger)
            return
        kind = from_charge(before, receipt.state, receipt.amount)
        if kind is None:
            self.under_way += not before.rests
            return
        yield Difference(kind, receipt.id, before.id, _said(receipt), ledger)

    # The merchant's transactions.

    def _of_transactions(self, merchant: Transactions) -> Iterator[Difference]:
        """Look up each receipt's transaction, whenever it was made, then each one of the period."""
        for batch in self._listed.batches():
            found = {one.id: one for one in merchant.find([listed.id for listed in batch])}
            self._listed.have_transactions(found)
            for listed in batch:
                yield from self._beside(listed, found.get(listed.id), merchant)
        self.matched = self._listed.transacted()
        count = 0
        for transaction in merchant.between(_millis(self._start), _millis(self._end)):
            count += 1
            if not self._listed.has(transaction.id):
                yield from self._transaction_again(transaction.id, None, merchant)
        self.transactions = count

    def _beside(
        self, listed: Listed, transaction: MerchantTransaction | None, merchant: Transactions
    ) -> Iterator[Difference]:
        if transaction is None and listed.charge is None:
            return  # only Payme knows it, which is told of below
        if from_transaction(transaction, listed.state, listed.amount):
            yield from self._transaction_again(listed.id, listed.charge, merchant)
        elif listed.charge is None:
            self.under_way += not receipt_rests(listed.state)

    def _transaction_again(
        self, receipt_id: str, charge_id: str | None, merchant: Transactions
    ) -> Iterator[Difference]:
        """Read both sides again; a transaction that changed meanwhile is under way."""
        before = _one(merchant, receipt_id)
        receipt = self._ask(receipt_id)
        if _one(merchant, receipt_id) != before:
            self.under_way += 1
            return
        if receipt is None:
            if before is not None and not owes_nothing(before):
                yield Difference(
                    Kind.ONLY_MERCHANT, receipt_id, charge_id, None, merchant=merchant_side(before)
                )
            return
        kind = from_transaction(before, receipt.state, receipt.amount)
        if kind is None:
            self.under_way += charge_id is None and not receipt_rests(receipt.state)
            return
        owner = self._books.of_receipt(receipt_id)
        yield Difference(
            kind,
            receipt_id,
            owner.id if owner else charge_id,
            _said(receipt),
            ledger_side(owner) if owner else None,
            merchant_side(before),
        )

    # What only Payme knows.

    def _find_orphans(self) -> None:
        """Lay the charges beside the unpaid receipts that none of them has."""
        if not self._listed.has_unpaid():
            return
        for charge in self._alive():
            for listed in self._listed.for_money(charge):
                if self._was_made_for(charge, listed):
                    self._listed.suggest(listed.id, charge.id)

    def _was_made_for(self, charge: Charge, listed: Listed) -> bool:
        if (listed.description or "") not in (charge.description or "", charge.id):
            return False
        shown = listed.fields
        common = [name for name in charge.account if name in shown]
        if common:
            return all(shown[name] == str(charge.account[name]) for name in common)
        return any(
            _is_lost_create(event, listed.created / 1000)
            for event in self._books.history(charge.id)
        )

    def _of_payme(self, listed: Listed) -> Iterator[Difference]:
        """Judge a receipt that no charge has claimed."""
        owner = self._books.of_receipt(listed.id)
        if owner is not None:
            yield from self._charge_again(owner.id)
        elif self._merchant is not None and self._merchant.find([listed.id]):
            self.under_way += 1  # its payment has just begun
        elif listed.made_for is None:
            yield Difference(Kind.ONLY_PAYME, listed.id, None, listed.side)
        elif self._may_be_adopted(listed, listed.made_for):
            self.under_way += 1
        else:
            yield self._orphan(listed, listed.made_for)

    def _may_be_adopted(self, listed: Listed, charge_id: str) -> bool:
        """Return whether somebody may be about to store that it is the charge's receipt.

        Only a new charge takes a receipt, and only from an answer that is a few minutes old.
        """
        age = datetime.now(UTC).timestamp() - listed.created / 1000
        return age < _ADOPTED and self._books.charge(charge_id).state is ChargeState.NEW

    def _orphan(self, listed: Listed, charge_id: str) -> Difference:
        charge = self._books.charge(charge_id)
        cancelled = self._cancel and self._cancelled(listed.id)
        return Difference(
            Kind.ORPHAN,
            listed.id,
            charge_id,
            listed.side,
            ledger_side(charge),
            cancelled=cancelled,
        )

    def _cancelled(self, receipt_id: str) -> bool:
        """Cancel an unpaid receipt that is in no charge, and see it cancelled."""
        receipt = self._ask(receipt_id)
        if receipt is None or receipt.state != ReceiptState.CREATED or self._is_known(receipt_id):
            return False
        try:
            return self._payme.receipts.cancel(receipt_id).is_cancelled
        except CannotCancel:
            return False

    def _is_known(self, receipt_id: str) -> bool:
        """Return whether a charge or a transaction has the receipt by now."""
        if self._merchant is not None and self._merchant.find([receipt_id]):
            return True
        return self._books.of_receipt(receipt_id) is not None

    def _ask(self, receipt_id: str | None) -> Receipt | None:
        try:
            return None if receipt_id is None else self._payme.receipts.get(receipt_id)
        except (ReceiptNotFound, InvalidArgument):
            # What can be no id of a receipt is no receipt's.
            return None


def _said(receipt: Receipt) -> Side:
    return payme_side(receipt.state, receipt.amount)


def _one(merchant: Transactions, receipt_id: str) -> MerchantTransaction | None:
    return next(iter(merchant.find([receipt_id])), None)


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _is_lost_create(event: Event, made: float) -> bool:
    is_lost = event.evidence.startswith("receipts.create: ") and event.after is ChargeState.NEW
    return is_lost and abs(event.at - made) < SKEW
