"""A database of a Django project, as the ledgers of this package use it."""

import functools
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

from django.db import DatabaseError, OperationalError, connections, router, transaction

from payme.charges.django.sealed import hiding_parameters
from payme.errors import ConfigurationError

if TYPE_CHECKING:
    from django.db.models import QuerySet

P = ParamSpec("P")
T = TypeVar("T")

_DEADLOCK: Final = 1213
"""Number of the error with which MariaDB and MySQL take a transaction back."""

_TRIES: Final = 5


def hiding(method: Callable[P, T]) -> Callable[P, T]:
    """Keep what is stored out of the frames of a database's error: without keys it is readable."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except DatabaseError as error:
            raise error.with_traceback(None) from None

    return call


class Database(NamedTuple):
    """One of the databases of a project.

    Attributes:
        using: Its alias; None for the one that the routers name.
        model: A model that is kept there.
    """

    using: str | None
    model: Any

    @property
    def alias(self) -> str:
        """Alias of the database."""
        return self.using or router.db_for_write(self.model)

    def rows(self, model: Any) -> "QuerySet[Any]":
        """Return the rows of a model, to be read and written by a ledger."""
        usable(self.alias)
        found: QuerySet[Any] = model.rows.using(self.alias).order_by()
        return found

    @contextmanager
    def committed(self) -> Generator[None]:
        """Open a transaction that is committed at its end, whoever calls.

        Raises:
            ConfigurationError: A transaction is open that somebody else may roll back. The bytes of
                a payment would leave before it is known whether they are remembered.
        """
        connection = usable(self.alias)
        with ExitStack() as block:
            try:
                block.enter_context(transaction.atomic(using=self.alias, durable=True))
            except RuntimeError:
                raise _inside() from None
            if not connection.commit_on_exit:
                raise _inside()
            block.enter_context(hiding_parameters(connection))
            yield

    @contextmanager
    def joined(self) -> Generator[None]:
        """Open a transaction, or join the surrounding one."""
        connection = usable(self.alias)
        with transaction.atomic(using=self.alias), hiding_parameters(connection):
            yield

    def repeating(self, work: Callable[[], T]) -> T:
        """Do work again that MariaDB or MySQL took back to end a deadlock.

        In a surrounding transaction, all of that is gone, and its owner is told.
        """
        for _ in range(_TRIES - 1):
            try:
                return work()
            except OperationalError as error:
                inside = connections[self.alias].in_atomic_block
                if inside or error.args[:1] != (_DEADLOCK,):
                    raise
        return work()

    def begin(self) -> None:
        """Begin a transaction that reads before it writes.

        SQLite gives its lock for writing to nobody who has read before while another wrote. So the
        first statement is a write, of nothing.
        """
        if connections[self.alias].vendor == "sqlite":
            self.model.rows.using(self.alias).filter(pk="").update(id="")


def usable(alias: str) -> Any:
    """Return this thread's connection, without one that broke.

    Django looks after that between two requests, and `run` has none.
    """
    connection: Any = connections[alias]
    if connection.errors_occurred and not connection.in_atomic_block:
        if not connection.is_usable():
            connection.close()
        connection.errors_occurred = False
    return connection


def _inside() -> ConfigurationError:
    return ConfigurationError(
        "charges are driven outside of transaction.atomic, so that what is about to be asked of "
        "Payme is stored first: inside of it, and with ATOMIC_REQUESTS, call submit() and let "
        "`manage.py payme_charges run` go on"
    )
