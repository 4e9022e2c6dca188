"""What a shop tells Payme's endpoint about its orders."""

from typing import Any, Protocol, runtime_checkable

from payme.merchant.core import Order, Transaction


@runtime_checkable
class Orders(Protocol):
    """The shop's side, named by `PAYME["ORDERS"]`; an own class need not inherit from this.

    Every method runs inside the database transaction that stores the change: what it writes
    through the ORM is kept exactly when the change is, and what it raises takes the change back.
    What can't be taken back, such as a mail, belongs into `django.db.transaction.on_commit`.

    A fourth method, `released(transaction)`, may be there: it is called when an attempt to pay was
    cancelled or timed out, and its order is free again.
    """

    def find(self, account: dict[str, Any]) -> Order | None:
        """Find what an account names.

        It is called before and after the order is locked, and must lock no rows itself.

        Args:
            account: As the payer gave it, such as `{"order_id": "197"}`; any JSON values.

        Returns:
            The order, or None if there is none; `payme.merchant.core.AccountError` says more.
        """
        ...

    def paid(self, transaction: Transaction) -> None:
        """Hand the goods over; called once for each payment."""
        ...

    def cancelled(self, transaction: Transaction) -> None:
        """Take a paid order back; called once for each refund."""
        ...
