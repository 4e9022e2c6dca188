"""Saved cards in SQLAlchemy Core, beside the charges: SQLite and PostgreSQL.

Both ledgers run the same functions on a connection, as they do for charges.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from payme.charges import saved
from payme.charges.core import CardWithdrawn, ChargeState, Means, Save
from payme.charges.ledger.cards import NewCard
from payme.charges.ledger.metadata import metadata
from payme.charges.saved import CardConflict, CardState, Look, SavedCard, StoredCard
from payme.charges.vault import Vault
from payme.protocol.models import Card
from payme.redact import Secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_LONGEST_ID: Final = 128
_PAGE: Final = 500

cards = sa.Table(
    "payme_card",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("customer", sa.String(_LONGEST_ID), nullable=False),
    # What is the same whenever a customer binds this card; the id itself while it is being removed.
    sa.Column("identity", sa.String(_LONGEST_ID), nullable=False),
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

_REMOVING: Final = CardState.REMOVING.value
_SHOWN: Final = [cards.c[name] for name in SavedCard.__struct_fields__ if name != "is_default"]
_OLDEST_FIRST: Final = (cards.c.created, cards.c.id)
_DEFAULT_FIRST: Final = (cards.c.chosen.desc(), *_OLDEST_FIRST)


class CardRows(NamedTuple):
    """What both ledgers do with cards on a connection."""

    vault: Vault

    def add(self, connection: sa.Connection, new: NewCard) -> SavedCard:
        """Store a card, once."""
        fingerprint = _fingerprint(new.token)
        known = cards.c.fingerprint == fingerprint
        found = connection.execute(
            sa.select(cards.c.id, cards.c.customer, cards.c.state).where(known)
        ).first()
        if found is None:
            card_id = self._upsert(connection, new, fingerprint)
        else:
            card_id = _same(found, new)
            seen = (known, cards.c.state != _REMOVING)
            connection.execute(sa.update(cards).where(*seen).values(**_seen(new.card, new.now)))
        if new.default:
            self.choose(connection, card_id, new.now)
        stored = self.load(connection, card_id)
        if stored is None:
            raise CardConflict("the card was removed while it was added; bind it again")
        return stored.card

    def _upsert(self, connection: sa.Connection, new: NewCard, fingerprint: str) -> str:
        row = {
            **_seen(new.card, new.now),
            "fingerprint": fingerprint,
            "means": self.vault.seal(Means(new.token)),
        }
        first = {
            "id": saved.new_card_id(),
            "customer": new.customer,
            "identity": saved.identity(new.card) or fingerprint,
            "created": new.now,
            "chosen": None if new.default is False else 0,
        }
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
        found = [_card(row, is_default=row["id"] == first) for row in rows]
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
        query = _select(*theirs, cards.c.state != _REMOVING)
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
        which = (cards.c.id == card_id, cards.c.state != _REMOVING)
        choose = sa.update(cards).where(*which)
        changed = choose.values(chosen=top.scalar_subquery(), changed=now)
        return connection.execute(changed.returning(cards.c.id)).first() is not None

    def store(self, connection: sa.Connection, stored: StoredCard, look: Look, now: float) -> None:
        """Store what was learned of a card."""
        row: dict[str, Any] = {"changed": now}
        if look.card is not None:
            row = _seen(look.card, now)
        row |= {"state": look.state.value, "evidence": look.evidence}
        still = (cards.c.id == stored.card.id, cards.c.state != _REMOVING)
        same = cards.c.fingerprint == _fingerprint(stored.token)
        connection.execute(sa.update(cards).where(*still, same).values(**row))

    def begin_removal(
        self, connection: sa.Connection, card_id: str, now: float
    ) -> StoredCard | None:
        """Store that a card is being removed."""
        begun = {"state": _REMOVING, "evidence": "cards.remove begins", "changed": now}
        # It makes room for the same card, bound again with another token.
        row = {**begun, "identity": cards.c.id}
        statement = sa.update(cards).where(cards.c.id == card_id).values(**row)
        removing = connection.execute(statement.returning(*_SHOWN, cards.c.means))
        found = removing.mappings().first()
        return None if found is None else self._stored(found, is_default=False)

    def forget(self, connection: sa.Connection, stored: StoredCard) -> None:
        """Delete a card that is being removed."""
        ours = (cards.c.id == stored.card.id, cards.c.state == _REMOVING)
        connection.execute(sa.delete(cards).where(*ours))

    def removing(self, connection: sa.Connection, after: str, limit: int) -> list[str]:
        """Read the ids of cards whose removal was begun."""
        which = (cards.c.state == sa.literal_column("'removing'"), cards.c.id > after)
        query = sa.select(cards.c.id).where(*which).order_by(cards.c.id).limit(limit)
        return [row[0] for row in connection.execute(query)]

    def has_to_look(self, change: Save) -> bool:
        """Return whether `guard` has something to do about a change of a charge."""
        return change.card is not None and (_begins(change) or saved.is_token_unknown(change))

    def guard(self, connection: sa.Connection, change: Save) -> None:
        """Let no payment begin with a card that must not be charged; mark one that is unknown.

        Called in the transaction that stores a change of a charge.
        """
        if not self.has_to_look(change):
            return
        if _begins(change):
            # Locked, so that a removal begins after this payment or keeps it from beginning.
            query = sa.select(cards.c.state).where(cards.c.id == change.card)
            state = connection.execute(query.with_for_update(read=True)).scalar()
            if state != CardState.READY.value:
                raise CardWithdrawn(change.card)
        else:
            look = saved.gone_at(change.after)
            row = {"state": look.state.value, "evidence": look.evidence}
            which = (cards.c.id == change.card, cards.c.state != _REMOVING)
            marked = sa.update(cards).where(*which).values(**row, changed=change.after.changed)
            connection.execute(marked)

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
        return StoredCard(_card(row, is_default=is_default), means.token)


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


def _begins(change: Save) -> bool:
    """Return whether a change says that a payment is about to leave."""
    return change.after.state is ChargeState.PAYING is not change.before.state


def _select(*which: "sa.ColumnElement[bool]") -> "sa.Select[Any]":
    return sa.select(*_SHOWN, cards.c.means).where(*which)


def _default(customer: str) -> "sa.Select[Any]":
    theirs = (cards.c.customer == customer, cards.c.chosen.is_not(None))
    query = _select(*theirs, cards.c.state != _REMOVING)
    return query.order_by(*_DEFAULT_FIRST).limit(1)


def _same(found: Any, new: NewCard) -> str:
    """Return the id of a card whose token is known, unless it can't be this customer's."""
    if found.customer != new.customer:
        raise CardConflict("the token is saved for another customer")
    if found.state == _REMOVING:
        raise CardConflict("the card is being removed: bind it again, for another token")
    return str(found.id)


def _seen(card: Card, now: float) -> dict[str, Any]:
    """Make what a row shows of `cards.check`."""
    return {
        "number": saved.shown_number(card),
        "expire": saved.shown_expire(card),
        "recurrent": card.recurrent,
        "state": CardState.READY.value,
        "evidence": "cards.check",
        "changed": now,
    }


def _card(row: Any, *, is_default: bool) -> SavedCard:
    members = {str.__str__(column.name): row[column.name] for column in _SHOWN}
    return msgspec.convert({**members, "is_default": is_default}, SavedCard)


def _fingerprint(token: Secret) -> str:
    return hashlib.sha256(token.open().encode()).hexdigest()


def _insert(dialect: str) -> Any:
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert
