"""Receipts: invoices, payments, refunds."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime

from payme.errors import OutcomeUnknown
from payme.protocol import arguments, calls, flows
from payme.protocol.calls import prepare
from payme.protocol.flows import AsyncDrive, AsyncRun, Drive, Paginator, Run
from payme.protocol.inputs import Detail, FiscalData, Payer
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState

# What may be secret is dropped before a call is made: error reporters upload the locals of every
# frame that an exception leaves.


class Receipts:
    """Methods of receipts, blocking: `Payme.receipts`."""

    def __init__(self, run: Run, drive: Drive) -> None:
        self._run = run
        self._drive = drive

    def create(
        self,
        amount: int,
        account: Mapping[str, str | int],
        *,
        description: str | None = None,
        detail: Detail | None = None,
        hold: bool = False,
    ) -> Receipt:
        """Create a receipt: an invoice that charges nobody until it is paid.

        Args:
            amount: Amount in tiyin; `payme.som("1 500,50")` converts.
            account: Fields of the cash-box settings, such as `{"order_id": 106}`.
            description: What is paid for.
            detail: Lines for the fiscal receipt; they must add up to the amount.
            hold: Hold the money on payment, take it later with `confirm_hold`.

        Returns:
            The receipt in state 0. Store its id before paying: it is what makes a payment
            repeatable.

        Raises:
            InvalidArgument: Refused before sending.
            ReceiptRejected: Payme refused the amount or the account.
            BillingRejected: The merchant's own endpoint refused.
            OutcomeUnknown: No answer; nobody was charged, create another.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.create
        """
        call = prepare(
            calls.receipts_create,
            amount,
            account,
            description=description,
            detail=detail,
            hold=hold,
        )
        del account
        return self._run(call)

    def pay(
        self,
        receipt_id: str,
        token: str,
        *,
        payer: Payer | None = None,
        hold: bool = False,
    ) -> Receipt:
        """Pay a receipt with a card.

        Args:
            receipt_id: Id of the receipt.
            token: Token of a verified card.
            payer: Who pays, for Payme's anti-fraud checks.
            hold: As it was in `create`.

        Returns:
            The receipt. Only `is_paid` (or `is_held`) means that the money is there; from a state
            on the way, `wait` brings it to its end. A receipt that was paid before is returned as
            it is: its `card` says who paid.

        Raises:
            CardRejected: The card refused; nothing was taken.
            ReceiptCancelled: The receipt was cancelled; create another.
            ReceiptNotFound: There is no such receipt.
            OutcomeUnknown: The money may have been taken: ask with `resolve`. Paying another
                receipt may charge twice.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.pay
        """
        call = prepare(calls.receipts_pay, receipt_id, token, payer=payer, hold=hold)
        del receipt_id, token, payer
        return self._run(call)

    def send(self, receipt_id: str, phone: str) -> bool:
        """Send a receipt to a phone as an SMS, to be paid in Payme.

        Args:
            receipt_id: Id of the receipt.
            phone: Twelve digits starting with 998.

        Returns:
            True.

        Raises:
            InvalidArgument: Refused before sending.
            NotFound: There is no such receipt, or it is paid.
            OutcomeUnknown: No answer; sending it again sends at most a second SMS.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.send
        """
        call = prepare(calls.receipts_send, receipt_id, phone)
        del receipt_id, phone
        return self._run(call)

    def cancel(self, receipt_id: str) -> Receipt:
        """Cancel a receipt: refund a paid one, release a held one, close an unpaid one.

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The receipt. A refund goes through a queue (`is_refund_pending`), which the merchant's
            billing may refuse; only `is_cancelled` means that the money went back. `wait` waits.

        Raises:
            CannotCancel: Not automatically; read the receipt and try again, or ask Payme.
            OutcomeUnknown: No answer; ask with `resolve`.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.cancel
        """
        return self._run(prepare(calls.receipts_cancel, receipt_id))

    def check(self, receipt_id: str) -> ReceiptState:
        """Ask for the state of a receipt.

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The state.

        Raises:
            InvalidArgument: Refused before sending.
            ReceiptNotFound: There is none.
            OutcomeUnknown: No answer to any attempt; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.check
        """
        return self._run(prepare(calls.receipts_check, receipt_id))

    def get(self, receipt_id: str) -> Receipt:
        """Read a receipt.

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The receipt.

        Raises:
            InvalidArgument: Refused before sending.
            ReceiptNotFound: There is none.
            OutcomeUnknown: No answer to any attempt; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.get
        """
        return self._run(prepare(calls.receipts_get, receipt_id))

    def get_all(
        self, count: int, from_: datetime | int, to: datetime | int, offset: int = 0
    ) -> list[Receipt]:
        """Read a page of the receipts of a period; `iterate` reads all pages.

        Args:
            count: How many, 1 to 50.
            from_: Beginning: aware `datetime`, or milliseconds since 1970 UTC.
            to: End, likewise.
            offset: How many to skip.

        Returns:
            The receipts.

        Raises:
            InvalidArgument: Refused before sending.
            OutcomeUnknown: No answer to any attempt; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.get_all
        """
        return self._run(prepare(calls.receipts_get_all, count, from_, to, offset))

    def confirm_hold(self, receipt_id: str) -> Receipt:
        """Take the money that a receipt holds.

        Args:
            receipt_id: Id of a receipt in state 5.

        Returns:
            The receipt in state 4; one that was confirmed before as it is.

        Raises:
            ReceiptRejected: The receipt holds nothing.
            ReceiptCancelled: The hold was released.
            OutcomeUnknown: No answer; ask with `resolve`.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/kholdirovanie
        """
        return self._run(prepare(calls.receipts_confirm_hold, receipt_id))

    def set_fiscal_data(self, receipt_id: str, fiscal: FiscalData) -> bool:
        """Tell Payme about the fiscal receipt that the merchant printed.

        Args:
            receipt_id: Id of the receipt.
            fiscal: The fiscal receipt.

        Returns:
            True.

        Raises:
            InvalidArgument: Refused before sending.
            NotFound: There is no such receipt.
            OutcomeUnknown: No answer; sending it again is safe.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.set_fiscal_data
        """
        return self._run(prepare(calls.receipts_set_fiscal_data, receipt_id, fiscal))

    def resolve(
        self, lost: OutcomeUnknown, *, timeout: float = 30.0, cancel: bool = False
    ) -> Receipt | None:
        """Find out what became of a call whose outcome is unknown.

        The receipt is asked about until its state proves something. State 0 proves nothing right
        after a lost `pay`: the request may still be on its way. Neither does state 21, a queue.
        From the moment a cancellation may have left, only state 50 is an end.

        Args:
            lost: The error; `payme.lost_in` finds it behind an interruption. It may come from
                another process.
            timeout: Seconds to keep asking.
            cancel: When the time is over and nothing is proven, cancel the receipt and see it
                cancelled, for as long again.

        Returns:
            The receipt in the proving state: look at `is_paid`, `is_held`, `is_cancelled`. None for
            a method that moves no money: there is nothing to prove, call it again.

        Raises:
            OutcomeUnknown: Nothing is proven yet. Ask again later; do not create another receipt.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/sostoyaniya-cheka/

        Example:
            >>> try:
            ...     receipt = payme.receipts.pay(receipt_id, token)
            ... except OutcomeUnknown as lost:
            ...     receipt = payme.receipts.resolve(lost, cancel=True)
        """
        seconds = arguments.seconds("timeout", timeout)
        return self._drive(lambda session: flows.resolve(lost, seconds, session, cancel=cancel))

    def wait(self, receipt: Receipt | str, *, timeout: float = 30.0) -> Receipt:
        """Wait until a receipt has come to a proven end: paid, held, or cancelled.

        For a `pay` that returned a state on the way (1, 2, 3, 20, 30), a refund in the queue (21),
        and an invoice that the payer pays on Payme's page.

        Args:
            receipt: The receipt, or its id.
            timeout: Seconds to keep asking.

        Returns:
            The receipt in state 4, 5 or 50. A receipt that was seen in state 21 ends in 50 alone.

        Raises:
            OutcomeUnknown: It has not come to an end yet. Ask again later.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/sostoyaniya-cheka/

        Example:
            >>> receipt = payme.receipts.wait(receipt, timeout=60)
            >>> receipt.is_paid
            True
        """
        seconds = arguments.seconds("timeout", timeout)
        return self._drive(lambda session: flows.wait(receipt, seconds, session))

    def iterate(self, from_: datetime | int, to: datetime | int) -> Iterator[Receipt]:
        """Walk through all receipts of a period.

        Pages of 50 are read as they are needed, so memory does not grow with the period.

        Args:
            from_: Beginning: aware `datetime`, or milliseconds since 1970 UTC.
            to: End, likewise.

        Yields:
            Receipts, each once.

        Raises:
            InvalidArgument: Refused before sending, when the first receipt is asked for.
            OutcomeUnknown: No answer to any attempt for a page; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.get_all
        """
        pages = Paginator(from_, to)
        while not pages.done:
            yield from pages.accept(self._run(pages.next_call()))


class AsyncReceipts:
    """Methods of receipts under asyncio: `AsyncPayme.receipts`."""

    def __init__(self, run: AsyncRun, drive: AsyncDrive) -> None:
        self._run = run
        self._drive = drive

    async def create(
        self,
        amount: int,
        account: Mapping[str, str | int],
        *,
        description: str | None = None,
        detail: Detail | None = None,
        hold: bool = False,
    ) -> Receipt:
        """Create a receipt: an invoice that charges nobody until it is paid.

        Args:
            amount: Amount in tiyin; `payme.som("1 500,50")` converts.
            account: Fields of the cash-box settings, such as `{"order_id": 106}`.
            description: What is paid for.
            detail: Lines for the fiscal receipt; they must add up to the amount.
            hold: Hold the money on payment, take it later with `confirm_hold`.

        Returns:
            The receipt in state 0. Store its id before paying: it is what makes a payment
            repeatable.

        Raises:
            InvalidArgument: Refused before sending.
            ReceiptRejected: Payme refused the amount or the account.
            BillingRejected: The merchant's own endpoint refused.
            OutcomeUnknown: No answer; nobody was charged, create another.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.create
        """
        call = prepare(
            calls.receipts_create,
            amount,
            account,
            description=description,
            detail=detail,
            hold=hold,
        )
        del account
        return await self._run(call)

    async def pay(
        self,
        receipt_id: str,
        token: str,
        *,
        payer: Payer | None = None,
        hold: bool = False,
    ) -> Receipt:
        """Pay a receipt with a card.

        Args:
            receipt_id: Id of the receipt.
            token: Token of a verified card.
            payer: Who pays, for Payme's anti-fraud checks.
            hold: As it was in `create`.

        Returns:
            The receipt. Only `is_paid` (or `is_held`) means that the money is there; from a state
            on the way, `wait` brings it to its end. A receipt that was paid before is returned as
            it is: its `card` says who paid.

        Raises:
            CardRejected: The card refused; nothing was taken.
            ReceiptCancelled: The receipt was cancelled; create another.
            ReceiptNotFound: There is no such receipt.
            OutcomeUnknown: The money may have been taken: ask with `resolve`. Paying another
                receipt may charge twice.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.pay
        """
        call = prepare(calls.receipts_pay, receipt_id, token, payer=payer, hold=hold)
        del receipt_id, token, payer
        return await self._run(call)

    async def send(self, receipt_id: str, phone: str) -> bool:
        """Send a receipt to a phone as an SMS, to be paid in Payme.

        Args:
            receipt_id: Id of the receipt.
            phone: Twelve digits starting with 998.

        Returns:
            True.

        Raises:
            InvalidArgument: Refused before sending.
            NotFound: There is no such receipt, or it is paid.
            OutcomeUnknown: No answer; sending it again sends at most a second SMS.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.send
        """
        call = prepare(calls.receipts_send, receipt_id, phone)
        del receipt_id, phone
        return await self._run(call)

    async def cancel(self, receipt_id: str) -> Receipt:
        """Cancel a receipt: refund a paid one, release a held one, close an unpaid one.

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The receipt. A refund goes through a queue (`is_refund_pending`), which the merchant's
            billing may refuse; only `is_cancelled` means that the money went back. `wait` waits.

        Raises:
            CannotCancel: Not automatically; read the receipt and try again, or ask Payme.
            OutcomeUnknown: No answer; ask with `resolve`.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.cancel
        """
        return await self._run(prepare(calls.receipts_cancel, receipt_id))

    async def check(self, receipt_id: str) -> ReceiptState:
        """Ask for the state of a receipt.

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The state.

        Raises:
            InvalidArgument: Refused before sending.
            ReceiptNotFound: There is none.
            OutcomeUnknown: No answer to any attempt; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.check
        """
        return await self._run(prepare(calls.receipts_check, receipt_id))

    async def get(self, receipt_id: str) -> Receipt:
        """Read a receipt.

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The receipt.

        Raises:
            InvalidArgument: Refused before sending.
            ReceiptNotFound: There is none.
            OutcomeUnknown: No answer to any attempt; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.get
        """
        return await self._run(prepare(calls.receipts_get, receipt_id))

    async def get_all(
        self, count: int, from_: datetime | int, to: datetime | int, offset: int = 0
    ) -> list[Receipt]:
        """Read a page of the receipts of a period; `iterate` reads all pages.

        Args:
            count: How many, 1 to 50.
            from_: Beginning: aware `datetime`, or milliseconds since 1970 UTC.
            to: End, likewise.
            offset: How many to skip.

        Returns:
            The receipts.

        Raises:
            InvalidArgument: Refused before sending.
            OutcomeUnknown: No answer to any attempt; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.get_all
        """
        return await self._run(prepare(calls.receipts_get_all, count, from_, to, offset))

    async def confirm_hold(self, receipt_id: str) -> Receipt:
        """Take the money that a receipt holds.

        Args:
            receipt_id: Id of a receipt in state 5.

        Returns:
            The receipt in state 4; one that was confirmed before as it is.

        Raises:
            ReceiptRejected: The receipt holds nothing.
            ReceiptCancelled: The hold was released.
            OutcomeUnknown: No answer; ask with `resolve`.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/kholdirovanie
        """
        return await self._run(prepare(calls.receipts_confirm_hold, receipt_id))

    async def set_fiscal_data(self, receipt_id: str, fiscal: FiscalData) -> bool:
        """Tell Payme about the fiscal receipt that the merchant printed.

        Args:
            receipt_id: Id of the receipt.
            fiscal: The fiscal receipt.

        Returns:
            True.

        Raises:
            InvalidArgument: Refused before sending.
            NotFound: There is no such receipt.
            OutcomeUnknown: No answer; sending it again is safe.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.set_fiscal_data
        """
        return await self._run(prepare(calls.receipts_set_fiscal_data, receipt_id, fiscal))

    async def resolve(
        self, lost: OutcomeUnknown, *, timeout: float = 30.0, cancel: bool = False
    ) -> Receipt | None:
        """Find out what became of a call whose outcome is unknown.

        The receipt is asked about until its state proves something. State 0 proves nothing right
        after a lost `pay`: the request may still be on its way. Neither does state 21, a queue.
        From the moment a cancellation may have left, only state 50 is an end.

        Args:
            lost: The error; `payme.lost_in` finds it behind an interruption. It may come from
                another process.
            timeout: Seconds to keep asking.
            cancel: When the time is over and nothing is proven, cancel the receipt and see it
                cancelled, for as long again.

        Returns:
            The receipt in the proving state: look at `is_paid`, `is_held`, `is_cancelled`. None for
            a method that moves no money: there is nothing to prove, call it again.

        Raises:
            OutcomeUnknown: Nothing is proven yet. Ask again later; do not create another receipt.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/sostoyaniya-cheka/

        Example:
            >>> try:
            ...     receipt = payme.receipts.pay(receipt_id, token)
            ... except OutcomeUnknown as lost:
            ...     receipt = payme.receipts.resolve(lost, cancel=True)
        """
        seconds = arguments.seconds("timeout", timeout)
        return await self._drive(
            lambda session: flows.resolve(lost, seconds, session, cancel=cancel)
        )

    async def wait(self, receipt: Receipt | str, *, timeout: float = 30.0) -> Receipt:
        """Wait until a receipt has come to a proven end: paid, held, or cancelled.

        For a `pay` that returned a state on the way (1, 2, 3, 20, 30), a refund in the queue (21),
        and an invoice that the payer pays on Payme's page.

        Args:
            receipt: The receipt, or its id.
            timeout: Seconds to keep asking.

        Returns:
            The receipt in state 4, 5 or 50. A receipt that was seen in state 21 ends in 50 alone.

        Raises:
            OutcomeUnknown: It has not come to an end yet. Ask again later.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/sostoyaniya-cheka/

        Example:
            >>> receipt = payme.receipts.wait(receipt, timeout=60)
            >>> receipt.is_paid
            True
        """
        seconds = arguments.seconds("timeout", timeout)
        return await self._drive(lambda session: flows.wait(receipt, seconds, session))

    async def iterate(self, from_: datetime | int, to: datetime | int) -> AsyncIterator[Receipt]:
        """Walk through all receipts of a period.

        Pages of 50 are read as they are needed, so memory does not grow with the period.

        Args:
            from_: Beginning: aware `datetime`, or milliseconds since 1970 UTC.
            to: End, likewise.

        Yields:
            Receipts, each once.

        Raises:
            InvalidArgument: Refused before sending, when the first receipt is asked for.
            OutcomeUnknown: No answer to any attempt for a page; nothing was changed.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.get_all
        """
        pages = Paginator(from_, to)
        while not pages.done:
            for receipt in pages.accept(await self._run(pages.next_call())):
                yield receipt
