"""What a merchant tells the endpoint about its orders: one contract for every store.

The methods are the same everywhere. A store that works on a connection of the merchant's database
(`payme.merchant.stores.sqlalchemy`) hands that connection over as the first argument; Django finds
its own, and the store in memory has none.
"""

import inspect
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar, cast, runtime_checkable

from payme.errors import ConfigurationError
from payme.merchant.entities import Event, Method, Order, Transaction

T = TypeVar("T")


@runtime_checkable
class Orders(Protocol):
    """The merchant's side, without a connection; an own class need not inherit from this.

    Every method runs inside the database transaction that stores the change: what it writes is kept
    exactly when the change is, and what it raises takes the change back. Neither commit nor roll
    back there. What can't be taken back, such as an e-mail, is written down and sent afterwards.

    Two more methods may be there. `created(transaction)` is called when an attempt to pay is
    stored, before the card is debited: it reserves the goods. `released(transaction)` is called
    when such an attempt was cancelled or timed out, and its order is free again.

    `created`, `paid` and `cancelled` may raise `Refuse`: it is an answer, and not a failure.

    Example:
        >>> class ShopOrders:
        ...     def find(self, account):
        ...         row = shop.get(str(account.get("order_id")))
        ...         return row and Order(id=str(row.id), amount=row.amount, state=row.state)
        ...
        ...     def paid(self, transaction):
        ...         shop.mark_paid(transaction.order_id)
        ...
        ...     def cancelled(self, transaction):
        ...         shop.close(transaction.order_id)
    """

    def find(self, account: dict[str, Any]) -> Order | None:
        """Find what an account names.

        It is called before and after the order is locked, and must lock no rows itself. With a
        second parameter `method` it is told which request asks: `CheckPerformTransaction`,
        `CreateTransaction`, `PerformTransaction`, or `CancelTransaction` for a refund.

        Args:
            account: As the payer gave it, such as `{"order_id": "197"}`; any JSON values.

        Returns:
            The order in its present state, or None if there is none.

        Raises:
            AccountError: The account can't be paid; the payer sees why.
        """
        ...

    def paid(self, transaction: Transaction) -> None:
        """Hand the goods over: mark the order as paid. Called exactly once for a payment.

        Args:
            transaction: As it is stored, performed.

        Raises:
            Refuse: The goods can't be handed over; Payme gets -31008 and gives the money back.
        """
        ...

    def cancelled(self, transaction: Transaction) -> None:
        """Take a paid order back: the money went back. Called at most once, after `paid`.

        Args:
            transaction: As it is stored, refunded.

        Raises:
            Refuse: The goods can't be taken back; Payme gets -31007, and the order stays paid.
        """
        ...


REQUIRED: Final = ("find", "paid", "cancelled")
"""Methods that every merchant has."""

OPTIONAL: Final = ("created", "released")
"""Most orders stay as they are when an attempt to pay them is made, and when it fails."""


class Shop:
    """The merchant's side, as a store calls it.

    Args:
        orders: The merchant's `Orders`.
        given: Names of what the store hands over before the account.

    Raises:
        ConfigurationError: `orders` has no `find`, or one that can't be called like that.
    """

    def __init__(self, orders: Any, *given: str) -> None:
        if not callable(getattr(orders, "find", None)):
            expected = "an object with find, paid and cancelled"
            raise ConfigurationError(f"orders: got {type(orders).__name__}, expected {expected}")
        self.orders = orders
        try:
            self._tells_method = _takes_method(orders.find, (*given, "account"))
        except ConfigurationError as error:
            if not isinstance(orders, type):
                raise
            called = orders.__name__
            raise ConfigurationError(
                f"orders: got the class {called}, expected an object: {called}()"
            ) from error

    def find(self, *arguments: Any, method: Method) -> Any:
        """Call `find`, which may be a coroutine, and say which request asks if it wants to know."""
        if self._tells_method:
            return self.orders.find(*arguments, method=method)
        return self.orders.find(*arguments)


def _takes_method(find: Callable[..., object], given: tuple[str, ...]) -> bool:
    """Return whether `find` has a parameter `method`; refuse one that can't be called at all."""
    try:
        signature = inspect.signature(find)
    except (TypeError, ValueError):
        # Functions written in C may have none.
        return False
    # Only a parameter of that name counts: `**options` may be handed on to a function without it.
    ways: list[dict[str, str]] = [{}]
    if "method" in signature.parameters:
        ways.insert(0, {"method": ""})
    reason = ""
    for way in ways:
        try:
            signature.bind(*given, **way)
        except TypeError as error:
            reason = str(error)
        else:
            return bool(way)
    names = ", ".join(given)
    raise ConfigurationError(
        f"find: got find{signature}: {reason}; expected find({names}) or find({names}, method)"
    )


def hook(orders: Any, event: Event) -> Any:
    """Return the merchant's hook for an event; None without one."""
    found = getattr(orders, event, None)
    # A base class marks the method that does nothing: then there is nothing to call or confirm.
    return None if getattr(found, "does_nothing", False) else found


def does_nothing(method: T) -> T:
    """Mark the body of an optional method of a base class."""
    cast("Any", method).does_nothing = True
    return method


def value(given: T) -> T:
    """Return what a method of the merchant gave, unless it is a coroutine.

    Raises:
        TypeError: It is one: nobody would run it, and the goods would never be handed over.
    """
    if inspect.iscoroutine(given):
        given.close()
        raise TypeError("a method of Orders is a coroutine; here it must be `def`, not `async def`")
    return given
