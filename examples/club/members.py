"""Members: who they are, and what they were told. Each club keeps them in its own database."""

from typing import NamedTuple, Protocol

from payme.recurring import Message


class Member(NamedTuple):
    """A member.

    Attributes:
        id: Its number.
        name: As it was given.
        agreed: When the member agreed to be charged, in seconds since 1970. A club keeps that: it
            is what the member's bank asks for in a dispute.
        round: Counts the subscriptions of the member: who joins again begins another.
    """

    id: int
    name: str
    agreed: float
    round: int

    @property
    def customer(self) -> str:
        """Whose cards the wallet keeps."""
        return f"member-{self.id}"

    @property
    def subscription(self) -> str:
        """Id of the subscription: the same member in the same round begins it once."""
        return f"club-{self.id}-{self.round}"


class Members(Protocol):
    """Where members are kept."""

    def join(self, name: str, agreed: float) -> Member:
        """Store a new member."""
        ...

    def find(self, member_id: int) -> Member | None:
        """Read a member."""
        ...

    def rejoin(self, member: Member, agreed: float) -> None:
        """Begin another round, unless another click has just done so."""
        ...

    def all(self) -> list[Member]:
        """Read all members, the newest first."""
        ...

    def tell(self, message: Message) -> None:
        """Store a message for a member; the same one is stored once."""
        ...

    def told(self, member: Member) -> list[Message]:
        """Read what a member was told, the newest first."""
        ...


def whose(subscription_id: str) -> int:
    """Return the number of the member whose subscription it is."""
    return int(subscription_id.split("-")[1])
