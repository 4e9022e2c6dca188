"""How an order is locked until the end of the database transaction, in each kind of database."""

from django.db import connections

from payme.merchant.django.models import OrderLock


def begin(alias: str) -> None:
    """Open a database transaction so that the lock of an order can be taken later in it.

    SQLite has one lock, for writing, and gives it to nobody who has read before: two requests that
    both read and then wrote would fail each other. Its first statement is therefore a write.

    Args:
        alias: Of the database.
    """
    if connections[alias].vendor == "sqlite":
        OrderLock.objects.using(alias).filter(pk="").update(order_id="")


def lock(alias: str, order_id: str) -> None:
    """Wait until an order is ours alone.

    Args:
        alias: Of the database, in whose open transaction this is.
        order_id: Id of the order.
    """
    match connections[alias].vendor:
        case "sqlite":
            return  # The whole database is ours since `begin`.
        case "postgresql":
            _lock_advisory(alias, order_id)
        case _:
            lock_row(alias, order_id)


def _lock_advisory(alias: str, order_id: str) -> None:
    with connections[alias].cursor() as cursor:
        # Two orders with the same hash wait for each other, and that is all.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"payme:{order_id}"]
        )


def lock_row(alias: str, order_id: str) -> None:
    """Lock the row that stands for an order, and make it if it is the first time."""
    rows = OrderLock.objects.using(alias)
    mine = rows.select_for_update().filter(pk=order_id)
    if not mine.exists():
        rows.bulk_create([OrderLock(order_id)], ignore_conflicts=True)
    mine.get()
