"""Transactions in the database of a Django project."""

from functools import partial
from typing import Any, Final, TypeVar

from django.db import IntegrityError, connections, router, transaction

from payme.errors import ConfigurationError
from payme.flow import run
from payme.merchant import flows
from payme.merchant.django import models
from payme.merchant.django.limiting import limited
from payme.merchant.django.rows import DjangoRows, begin
from payme.merchant.django.signals import send_after_commit
from payme.merchant.entities import Transaction, box_name
from payme.merchant.limits import Deadline, Limits, Turns, checked
from payme.merchant.orders import Orders, Shop
from payme.merchant.stores.rows import adopting, carry_out
from payme.merchant.stores.watch import Watched, cancelling

T = TypeVar("T")


_SINGLE: Final = ("read", "insert")
"""Scopes whose statements stand alone, so that nobody says where they begin and end.

Each sees what is committed when it starts, as in READ COMMITTED.
"""


class DjangoStore:
    """Keeps transactions where Django's models are.

    What is written is written in one `transaction.atomic`, the outermost one: when the answer is
    given, the change is committed.

    Args:
        orders: The shop's side; its `released` is optional.
        using: Alias of the database; by default the one that the routers name.
        limits: How long a request may take, and how many at once. Each thread has a connection of
            its own, so `at_once` is any number unless it is given.

    Raises:
        InvalidArgument: `limits` is no `Limits`.
        ConfigurationError: The `find` of `orders` can't be called with an account, or `using` is no
            database of the project's.

    Example:
        >>> merchant = Merchant(DjangoStore(Orders()), keys=settings.PAYME["KEYS"])
    """

    def __init__(
        self, orders: Orders, using: str | None = None, *, limits: Limits | None = None
    ) -> None:
        self._shop = Shop(orders)
        if using is not None and using not in connections.settings:
            known = ", ".join(connections.settings)
            raise ConfigurationError(f"using: got {using!r}, expected one of DATABASES: {known}")
        self._using = using
        self._limits = checked(limits)
        self._turns = Turns(self._limits.at_once)

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the work of a flow; see `Store.run`."""
        alias = self._alias()
        deadline = Deadline(self._limits)
        return run(flow, lambda work: self._work(alias, work, deadline))

    def transactions_of(self, order_id: str, box: str | None = None) -> list[Transaction]:
        """Read every transaction of an order.

        Args:
            order_id: Id of the order, as `find` names it.
            box: The cash-box whose transactions are read; None for all.

        Returns:
            The transactions in every state by Payme's time, the oldest first.

        Raises:
            InvalidArgument: `order_id` is no text of 1 to 255 characters.
            ConfigurationError: `box` can't be the name of a cash-box.

        Example:
            >>> paid = [one for one in store.transactions_of("7") if one.state == 2]
        """
        alias = self._alias()
        # No `atomic` of its own: a view may ask inside of one.
        deadline = Deadline(self._limits)

        def read(work: flows.Work) -> Any:
            rows = DjangoRows(alias, self._limits, work.box)
            return carry_out(work, rows, self._shop, deadline=deadline)

        return run(flows.of_order(order_id, box), read)

    def adopt(self, box: str) -> int:
        """Give a cash-box the transactions that were kept before cash-boxes had names.

        A project that goes from one cash-box to several does this once, before it serves the first
        request with their names: a paid order is known by its transaction, and only in its
        cash-box. What is named already stays as it is.

        Args:
            box: Id of the cash-box (merchant id) that they came by.

        Returns:
            How many they were.

        Raises:
            ConfigurationError: `box` can't be the name of a cash-box, or it has a transaction of
                the same id or for the same order; nothing is changed then.
        """
        alias, box = self._alias(), box_name(box)
        rows = models.Transaction.objects.using(alias).filter(box="")
        with adopting(box, IntegrityError), transaction.atomic(using=alias):
            return rows.update(box=box)

    def _alias(self) -> str:
        return self._using or router.db_for_write(models.Transaction)

    def _work(self, alias: str, work: flows.Work, deadline: Deadline) -> Any:
        connection = connections[alias]
        with self._turns.taken(deadline):
            connection.ensure_connection()
            with cancelling(connection.connection, deadline, connection.close) as watched:
                return self._in_scope(alias, work, deadline, watched)

    def _in_scope(
        self, alias: str, work: flows.Work, deadline: Deadline, watched: Watched | None
    ) -> Any:
        rows = DjangoRows(alias, self._limits, work.box)
        tell = partial(send_after_commit, alias)
        if work.scope in _SINGLE and _autocommits(alias):
            with limited(alias, self._limits):
                return carry_out(work, rows, self._shop, deadline=deadline, happened=tell)
        with limited(alias, self._limits), transaction.atomic(using=alias, durable=True):
            if work.scope != "cursor":
                begin(alias)
            value = carry_out(work, rows, self._shop, deadline=deadline, happened=tell)
            if watched is not None:
                # COMMIT has to come to an end: nobody would know which.
                watched.disarm()
            return value


def _autocommits(alias: str) -> bool:
    """Return whether each statement may stand alone: nobody's transaction is open.

    Inside of one `atomic` says what it thinks of that.
    """
    connection = transaction.get_connection(alias)
    return connection.get_autocommit() and not connection.in_atomic_block
