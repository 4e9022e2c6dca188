"""`PaymeSubscribeReceipts`, as the specification of this package defines it."""

from typing import Any, ClassVar

from payme.protocol import calls
from payme.protocol.calls import Call, prepare
from payme.protocol.inputs import Payer
from payme.protocol.models import Receipt
from payme.subscribe import SubscribeClient


class PaymeSubscribeReceipts(SubscribeClient):
    """Methods of receipts that return the server's JSON as a plain dict, a JSON-RPC error included.

    New code is better served by `payme.Payme`, which raises errors, returns typed values, and can
    find out what became of a payment whose answer was lost.

    Args:
        base_url: Address of the API, with or without a slash at the end.
        paycom_id: Id of the cash-box.
        paycom_key: Key of the cash-box.
        timeout: Seconds for a call.

    Source: https://developer.help.paycom.uz/metody-subscribe-api/

    Example:
        >>> client = PaymeSubscribeReceipts(
        ...     base_url="https://checkout.test.paycom.uz/api/", paycom_id="...", paycom_key="..."
        ... )
        >>> client.receipts_create(amount=10000, order_id=1)["result"]["receipt"]["state"]
        0
    """

    _WITHOUT_ID: ClassVar = frozenset({"receipts.create"})

    def __init__(self, base_url: str, paycom_id: str, paycom_key: str, timeout: float = 5) -> None:
        super().__init__(base_url, paycom_id, paycom_key, timeout)

    def receipts_create(self, amount: float, order_id: int | str) -> dict[str, Any]:
        """Create a receipt.

        Args:
            amount: Amount in tiyin; a `float` must be whole.
            order_id: Number of the order; goes out as the account field `order_id`.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer. Nobody is charged by creating.
        """
        call = prepare(calls.receipts_create, amount, {"order_id": order_id})
        del order_id
        return self._call(call)

    def receipts_pay(self, invoice_id: str, token: str, phone: str) -> dict[str, Any]:
        """Pay a receipt with a card.

        Args:
            invoice_id: Id of the receipt.
            token: Token of a verified card.
            phone: The payer's phone, twelve digits starting with 998.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer. If its `sent` is not `no`, the money may have been
                taken: ask `receipts_get` before paying anything else.
        """
        call = prepare(_pay, invoice_id, token, phone)
        del invoice_id, token, phone
        return self._call(call)

    def receipts_send(self, invoice_id: str, phone: str) -> dict[str, Any]:
        """Send a receipt to a phone as an SMS.

        Args:
            invoice_id: Id of the receipt.
            phone: Twelve digits starting with 998.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        call = prepare(calls.receipts_send, invoice_id, phone)
        del invoice_id, phone
        return self._call(call)

    def receipts_cancel(self, invoice_id: str) -> dict[str, Any]:
        """Cancel a receipt, refunding it if it was paid.

        Args:
            invoice_id: Id of the receipt.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer; ask `receipts_get`.
        """
        return self._call(prepare(calls.receipts_cancel, invoice_id))

    def receipts_check(self, invoice_id: str) -> dict[str, Any]:
        """Ask for the state of a receipt.

        Args:
            invoice_id: Id of the receipt.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        return self._call(prepare(calls.receipts_check, invoice_id))

    def receipts_get(self, invoice_id: str) -> dict[str, Any]:
        """Read a receipt.

        Args:
            invoice_id: Id of the receipt.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        return self._call(prepare(calls.receipts_get, invoice_id))

    def receipts_get_all(self, count: int, _from: int, _to: int, offset: int) -> dict[str, Any]:
        """Read a page of the receipts of a period.

        Args:
            count: How many, 1 to 50.
            _from: Beginning, milliseconds since 1970 UTC.
            _to: End, likewise.
            offset: How many to skip.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        return self._call(prepare(calls.receipts_get_all, count, _from, _to, offset))


def _pay(invoice_id: str, token: str, phone: str) -> Call[Receipt]:
    return calls.receipts_pay(invoice_id, token, payer=Payer(phone=phone))
