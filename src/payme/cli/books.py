"""What the command line asks of a ledger, and where it finds one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from payme.charges.core import Charge
from payme.charges.ledger import Ledger
from payme.cli.words import tell
from payme.errors import ConfigurationError

if TYPE_CHECKING:
    from payme.charges import Charges, SqlLedger
    from payme.client import Payme
    from payme.recurring import Recurring
    from payme.recurring.rows import Keeper


class Books(Ledger, Protocol):
    """A ledger that also counts, and finds a charge by its receipt; none of it needs its keys.

    Attributes:
        encrypts: Tokens are encrypted.
        seen: Called with each change that was stored and proves something, or needs a person.
    """

    encrypts: bool
    seen: Callable[[Charge], None]

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def begin(self) -> AbstractContextManager[Any]:
        """Begin a transaction for many charges."""
        ...

    def walk(self, state: str | None = None, since: float = 0.0) -> Iterator[Charge]:
        """Read charges page by page."""
        ...

    def charge(self, charge_id: str) -> Charge:
        """Read a charge.

        Raises:
            ChargeNotFound: There is none.
        """
        ...

    def of_receipt(self, receipt_id: str) -> Charge | None:
        """Find the charge that a receipt belongs to now."""
        ...

    def waiting(self) -> int:
        """Count the charges that are due now or later."""
        ...


def without_transactions(box: str | None) -> None:
    """Refuse a cash-box whose transactions nobody reads.

    Raises:
        ConfigurationError: One is named.
    """
    if box is not None:
        raise ConfigurationError(
            "--box: no transactions are compared; expected --transactions, too"
        )


class Source:
    """Where the commands find ledger and client: in the environment."""

    def keys(self) -> str:
        """Say what to do so that tokens are encrypted."""
        return tell(
            "PAYME_LEDGER_KEYS ni bering", "задайте PAYME_LEDGER_KEYS", "set PAYME_LEDGER_KEYS"
        )

    def failures(self) -> tuple[type[Exception], ...]:
        """Return the errors of the ledger's database."""
        from sqlalchemy.exc import SQLAlchemyError

        return (SQLAlchemyError,)

    def books(self, url: str, *, must_exist: bool) -> Books:
        """Open the ledger at an address; see `payme.cli.sql_books.opened`."""
        from payme.cli import sql_books

        return sql_books.opened(url, must_exist=must_exist)

    def transactions(self, given: Any, box: str | None = None) -> AbstractContextManager[Any]:
        """Open the merchant's transactions.

        Args:
            given: What the option `--transactions` says: here their address, None without them.
            box: The cash-box whose they are; None for the only one.

        Raises:
            ConfigurationError: They can't be read, or a cash-box is named and there are none.
        """
        if not given:
            without_transactions(box)
            return nullcontext(None)
        from payme.cli import sql_books

        return sql_books.transactions(given, box)

    def client(self) -> "Payme":
        """Make a client from the environment or a profile, never from arguments."""
        from payme.cli import connection

        return connection.client()

    def charges(self, payme: "Payme", books: Books) -> "Charges":
        """Make what drives charges."""
        from payme.charges import Charges

        return Charges(payme, books)

    def keeper(self, books: Books) -> "Keeper":
        """Return what keeps subscriptions beside the charges, for who reads."""
        from payme.recurring.sql import SqlKeeper

        keeper = SqlKeeper(cast("SqlLedger", books))
        keeper.create_all()
        return keeper

    def recurring(self, charges: "Charges") -> "Recurring":
        """Make what moves subscriptions."""
        from payme.recurring import Recurring

        made = Recurring(charges)
        made.create_all()
        return made
