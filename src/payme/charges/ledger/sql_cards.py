"""Saved cards in SQLAlchemy Core, beside the charges: SQLite and PostgreSQL.

Both ledgers run the same functions on a connection, as they do for charges.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from payme.charges import saved
from payme.charges.core import CardWithdrawn, Means, Save
from payme.charges.ledger import card_rows
from payme.charges.ledger.card_rows import REMOVING
from payme.charges.ledger.cards import NewCard
from payme.charges.ledger.metadata import metadata
from payme.charges.ledger.rows import LONGEST_ID
from payme.charges.saved import CardState, Look, SavedCard, StoredCard
from payme.charges.vault import Vault

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_PAGE: Final = 500

cards = sa.Table(
    "payme_card",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("customer", sa.String(LONGEST_ID), nullable=False),
    # What is the same whenever a customer binds this card; the id itself while it is being removed.
    sa.Column("identity", sa.String(LONGEST_ID), nullable=False),
    # SHA-256 of the token: finds it without opening every row, and can't be turned back.
    sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("expire", sa.String(32), nullable=False),
    sa.Column("recurrent", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    # The greatest of a customer is the default; NULL can be none. So the default moves by itself
    # when a card goes, and two that choose at once can't leave two defaults.
    sa.Column("chosen", sa.Integer),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Column("means", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("customer", "identity", name="payme_card_once"),
    sa.Index(
        "payme_card_removing",
        "id",
        sqlite_where=sa.text("state = 'removing'"),
        postgresql_where=sa.text("state = 'removing'"),
    ),
)

_SHOWN: Final = [cards.c[name] for name in card_rows.COLUMNS]
_OLDEST_FIRST: Final = (cards.c.created, cards.c.id)
_DEFAULT_FIRST: Final = (cards.c.chosen.desc(), *_OLDEST_FIRST)


class CardRows(NamedTuple):
    """What both ledgers do with cards on a connection."""

    vault: Vault

    def add(self, connection: sa.Connection, new: NewCard) -> SavedCard:
        """Store a card, once."""
        fingerprint = card_rows.fingerprint(new.token)
        known = cards.c.fingerprint == fingerprint
        found = connection.execute(
            sa.select(cards.c.id, cards.c.customer, cards.c.state).where(known)
        ).first()
        if found is None:
            card_id = self._upsert(connection, new, fingerprint)
        else:
            card_id = card_rows.same(found, new)
            seen = (known, cards.c.state != REMOVING)
            connection.execute(
                sa.update(cards).where(*seen).values(**card_rows.seen(new.card, new.now))
            )
        if new.default:
            self.choose(connection, card_id, new.now)
        stored = self.load(connection, card_id)
        if stored is None:
            raise card_rows.gone_meanwhile()
        return stored.card

    def _upsert(self, connection: sa.Connection, new: NewCard, fingerprint: str) -> str:
        row = {
            **card_rows.seen(new.card, new.now),
            "fingerprint": fingerprint,
            "means": self.vault.seal(Means(new.token)),
        }
        first = card_rows.added(new, fingerprint)
        insert = _insert(connection.dialect.name)(cards).values(**row, **first)
        # Bound again: one card of this customer, with its newest token.
        statement = insert.on_conflict_do_update(
            index_elements=[cards.c.customer, cards.c.identity], set_=row
        ).returning(cards.c.id)
        return str(connection.execute(statement).scalar_one())

    def load(self, connection: sa.Connection, card_id: str) -> StoredCard | None:
        """Read a card."""
        row = connection.execute(_select(cards.c.id == card_id)).mappings().first()
        if row is None:
            return None
        is_default = self._default_id(connection, row["customer"]) == card_id
        return self._stored(row, is_default=is_default)

    def of(self, connection: sa.Connection, customer: str) -> list[SavedCard]:
        """Read the cards of a customer."""
        first = self._default_id(connection, customer)
        query = sa.select(*_SHOWN).where(cards.c.customer == customer)
        rows = connection.execute(query.order_by(*_OLDEST_FIRST)).mappings()
        found = [card_rows.read_card(row, is_default=row["id"] == first) for row in rows]
        return sorted(found, key=lambda card: not card.is_default)

    def default(self, connection: sa.Connection, customer: str) -> StoredCard | None:
        """Read the default card of a customer."""
        row = connection.execute(_default(customer)).mappings().first()
        return None if row is None else self._stored(row, is_default=True)

    def defaults(self, connection: sa.Connection, customers: Sequence[str]) -> list[StoredCard]:
        """Read the default cards of customers."""
        if not customers:
            return []
        theirs = (cards.c.customer.in_(customers), cards.c.chosen.is_not(None))
        query = _select(*theirs, cards.c.state != REMOVING)
        found = connection.execute(query.order_by(*_DEFAULT_FIRST)).mappings()
        first: dict[str, Any] = {}
        for row in found:
            first.setdefault(row["customer"], row)
        return [self._stored(row, is_default=True) for row in first.values()]

    def _default_id(self, connection: sa.Connection, customer: str) -> str | None:
        return connection.execute(_default(customer).with_only_columns(cards.c.id)).scalar()

    def choose(self, connection: sa.Connection, card_id: str, now: float) -> bool:
        """Make a card the default."""
        others = cards.alias("others")
        top = sa.select(sa.func.coalesce(sa.func.max(others.c.chosen), 0) + 1).where(
            others.c.customer == cards.c.customer
        )
        top = top.correlate(cards)
        which = (cards.c.id == card_id, cards.c.state != REMOVING)
        choose = sa.update(cards).where(*which)
        changed = choose.values(chosen=top.scalar_subquery(), changed=now)
        return connection.execute(changed.returning(cards.c.id)).first() is not None

    def store(self, connection: sa.Connection, stored: StoredCard, look: Look, now: float) -> None:
        """Store what was learned of a card."""
        row = card_rows.learned(look, now)
        still = (cards.c.id == stored.card.id, cards.c.state != REMOVING)
        same = cards.c.fingerprint == card_rows.fingerprint(stored.token)
        connection.execute(sa.update(cards).where(*still, same).values(**row))

    def begin_removal(
        self, connection: sa.Connection, card_id: str, now: float
    ) -> StoredCard | None:
        """Store that a card is being removed."""
        # It makes room for the same card, bound again with another token.
        row = {**card_rows.begun_removal(now), "identity": cards.c.id}
        statement = sa.update(cards).where(cards.c.id == card_id).values(**row)
        removing = connection.execute(statement.returning(*_SHOWN, cards.c.means))
        found = removing.mappings().first()
        return None if found is None else self._stored(found, is_default=False)

    def forget(self, connection: sa.Connection, stored: StoredCard) -> None:
        """Delete a card that is being removed."""
        ours = (cards.c.id == stored.card.id, cards.c.state == REMOVING)
        connection.execute(sa.delete(cards).where(*ours))

    def removing(self, connection: sa.Connection, after: str, limit: int) -> list[str]:
        """Read the ids of cards whose removal was begun."""
        which = (cards.c.state == sa.literal_column("'removing'"), cards.c.id > after)
        query = sa.select(cards.c.id).where(*which).order_by(cards.c.id).limit(limit)
        return [row[0] for row in connection.execute(query)]

    def guard(self, connection: sa.Connection, change: Save) -> None:
        """Let no payment begin with a card that must not be charged; mark one that is unknown.

        Called in the transaction that stores a change of a charge.
        """
        if not card_rows.concerns_card(change):
            return
        if card_rows.begins(change):
            # Locked, so that a removal begins after this payment or keeps it from beginning.
            query = sa.select(cards.c.state).where(cards.c.id == change.card)
            state = connection.execute(query.with_for_update(read=True)).scalar()
            if state != CardState.READY.value:
                raise CardWithdrawn(change.card)
        else:
            row = card_rows.learned(saved.gone_at(change.after), change.after.changed)
            which = (cards.c.id == change.card, cards.c.state != REMOVING)
            connection.execute(sa.update(cards).where(*which).values(**row))

    def rotate(self, connection: sa.Connection, after: str) -> str | None:
        """Seal a page of tokens anew, with the first key; return where the next page begins."""
        query = sa.select(cards.c.id, cards.c.means).where(cards.c.id > after)
        page = connection.execute(query.order_by(cards.c.id).limit(_PAGE)).all()
        for card_id, sealed in page:
            # Not over another token that was stored meanwhile.
            unchanged = (cards.c.id == card_id, cards.c.means == sealed)
            anew = self.vault.seal(self.vault.open(bytes(sealed)))
            connection.execute(sa.update(cards).where(*unchanged).values(means=anew))
        return str(page[-1][0]) if page else None

    def _stored(self, row: Any, *, is_default: bool) -> StoredCard:
        means = self.vault.open(bytes(row["means"]))
        return StoredCard(card_rows.read_card(row, is_default=is_default), means.token)


class _Do(Protocol):
    def __call__(self, act: Callable[..., T], *arguments: Any) -> T: ...


class _AsyncDo(Protocol):
    def __call__(self, act: Callable[..., T], *arguments: Any) -> Awaitable[T]: ...


class SqlCards:
    """Saved cards of a `SqlLedger`; see `CardLedger`."""

    def __init__(self, do: _Do, read: _Do, rows: CardRows) -> None:
        self._do = do
        self._read = read
        self._rows = rows

    def add(self, new: NewCard) -> SavedCard:
        """Store a card, once."""
        try:
            return self._do(self._rows.add, new)
        except IntegrityError:
            # Somebody has just stored the token; now it is found.
            return self._do(self._rows.add, new)

    def load(self, card_id: str) -> StoredCard | None:
        """Read a card."""
        return self._read(self._rows.load, card_id)

    def of(self, customer: str) -> list[SavedCard]:
        """Read the cards of a customer."""
        return self._read(self._rows.of, customer)

    def default(self, customer: str, connection: Any = None) -> StoredCard | None:
        """Read the default card of a customer."""
        if connection is not None:
            return self._rows.default(connection, customer)
        return self._read(self._rows.default, customer)

    def choose(self, card_id: str, now: float) -> bool:
        """Make a card the default."""
        return self._do(self._rows.choose, card_id, now)

    def store(self, stored: StoredCard, look: Look, now: float) -> None:
        """Store what was learned of a card."""
        self._do(self._rows.store, stored, look, now)

    def begin_removal(self, card_id: str, now: float) -> StoredCard | None:
        """Store that a card is being removed."""
        return self._do(self._rows.begin_removal, card_id, now)

    def forget(self, stored: StoredCard) -> None:
        """Delete a card that is being removed."""
        self._do(self._rows.forget, stored)

    def removing(self, after: str, limit: int) -> list[str]:
        """Read the ids of cards whose removal was begun."""
        return self._read(self._rows.removing, after, limit)


class AsyncSqlCards:
    """Saved cards of an `AsyncSqlLedger`; see `CardLedger`."""

    def __init__(self, do: _AsyncDo, read: _AsyncDo, rows: CardRows) -> None:
        self._do = do
        self._read = read
        self._rows = rows

    async def add(self, new: NewCard) -> SavedCard:
        """See `SqlCards.add`."""
        try:
            return await self._do(self._rows.add, new)
        except IntegrityError:
            return await self._do(self._rows.add, new)

    async def load(self, card_id: str) -> StoredCard | None:
        """See `SqlCards.load`."""
        return await self._read(self._rows.load, card_id)

    async def of(self, customer: str) -> list[SavedCard]:
        """See `SqlCards.of`."""
        return await self._read(self._rows.of, customer)

    async def default(self, customer: str, connection: Any = None) -> StoredCard | None:
        """See `SqlCards.default`."""
        if connection is not None:
            own = cast("AsyncConnection", connection)
            return await own.run_sync(self._rows.default, customer)
        return await self._read(self._rows.default, customer)

    async def choose(self, card_id: str, now: float) -> bool:
        """See `SqlCards.choose`."""
        return await self._do(self._rows.choose, card_id, now)

    async def store(self, stored: StoredCard, look: Look, now: float) -> None:
        """See `SqlCards.store`."""
        await self._do(self._rows.store, stored, look, now)

    async def begin_removal(self, card_id: str, now: float) -> StoredCard | None:
        """See `SqlCards.begin_removal`."""
        return await self._do(self._rows.begin_removal, card_id, now)

    async def forget(self, stored: StoredCard) -> None:
        """See `SqlCards.forget`."""
        await self._do(self._rows.forget, stored)

    async def removing(self, after: str, limit: int) -> list[str]:
        """See `SqlCards.removing`."""
        return await self._read(self._rows.removing, after, limit)


def _select(*which: "sa.ColumnElement[bool]") -> "sa.Select[Any]":
    return sa.select(*_SHOWN, cards.c.means).where(*which)


def _default(customer: str) -> "sa.Select[Any]":
    theirs = (cards.c.customer == customer, cards.c.chosen.is_not(None))
    query = _select(*theirs, cards.c.state != REMOVING)
    return query.order_by(*_DEFAULT_FIRST).limit(1)


def _insert(dialect: str) -> Any:
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert
