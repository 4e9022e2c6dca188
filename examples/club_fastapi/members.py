"""Members, their sessions and their messages in SQLAlchemy."""

import hashlib
import hmac
import secrets
from typing import Any

import sqlalchemy as sa

from examples.club.members import Member, whose
from payme.recurring import Message, Notice

metadata = sa.MetaData()

members = sa.Table(
    "club_member",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(60), nullable=False),
    sa.Column("agreed", sa.Float, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
)

# Of a session the database has a hash, so that who reads the database can't log in.
sessions = sa.Table(
    "club_session",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("member", sa.Integer, nullable=False),
)

# The primary key is the rule: no message is shown twice.
messages = sa.Table(
    "club_message",
    metadata,
    sa.Column("subscription", sa.String(116), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(24), primary_key=True),
    sa.Column("member", sa.Integer, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
)

_MEMBER = [members.c[name] for name in Member._fields]
_MESSAGE = [messages.c[name] for name in Message.__struct_fields__]


class SqlMembers:
    """Members in SQLite or PostgreSQL.

    Args:
        database: Its address.
    """

    def __init__(self, database: str) -> None:
        self._engine = sa.create_engine(
            database.replace("postgresql://", "postgresql+psycopg://", 1),
            # Who finds SQLite busy waits, rather than fail.
            # A connection that the database has closed meanwhile is made anew.
            pool_pre_ping=True,
            connect_args={"timeout": 30} if database.startswith("sqlite") else {},
        )
        metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def join(self, name: str, agreed: float) -> Member:
        """Store a new member."""
        new = sa.insert(members).values(name=name, agreed=agreed, round=1).returning(*_MEMBER)
        with self._engine.begin() as connection:
            return Member(*connection.execute(new).one())

    def find(self, member_id: int) -> Member | None:
        """Read a member."""
        rows = self._read(sa.select(*_MEMBER).where(members.c.id == member_id))
        return Member(*rows[0]) if rows else None

    def rejoin(self, member: Member, agreed: float) -> None:
        """Begin another round, unless another click has just done so."""
        same = (members.c.id == member.id, members.c.round == member.round)
        with self._engine.begin() as connection:
            again = sa.update(members).where(*same)
            connection.execute(again.values(agreed=agreed, round=member.round + 1))

    def all(self) -> list[Member]:
        """Read all members, the newest first."""
        rows = self._read(sa.select(*_MEMBER).order_by(members.c.id.desc()))
        return [Member(*row) for row in rows]

    def tell(self, message: Message) -> None:
        """Store a message for a member; the same one is stored once."""
        row = {name: getattr(message, name) for name in Message.__struct_fields__}
        row |= {"kind": message.kind.value, "member": whose(message.subscription)}
        key = ("subscription", "n", "kind")
        there = sa.select(messages.c.n).where(*(messages.c[name] == row[name] for name in key))
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(messages), row)
        except sa.exc.IntegrityError:
            if not self._read(there):
                raise

    def told(self, member: Member) -> list[Message]:
        """Read what a member was told, the newest first."""
        query = sa.select(*_MESSAGE).where(messages.c.member == member.id)
        rows = self._read(query.order_by(messages.c.at.desc(), messages.c.n.desc()))
        return [Message(**{**row._mapping, "kind": Notice(row.kind)}) for row in rows]

    def log_in(self, member: Member) -> str:
        """Begin a session, and return what the browser keeps."""
        token = secrets.token_urlsafe(32)
        with self._engine.begin() as connection:
            connection.execute(sa.insert(sessions), {"hash": _hash(token), "member": member.id})
        return token

    def who(self, token: str | None) -> Member | None:
        """Return whose session it is."""
        if not token:
            return None
        rows = self._read(sa.select(sessions.c.member).where(sessions.c.hash == _hash(token)))
        return self.find(rows[0].member) if rows else None

    def _read(self, query: sa.Select[Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))


def csrf_of(token: str, secret: str) -> str:
    """Make the token against forgery that belongs to what the browser keeps."""
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
