"""Members and their messages in Django's ORM."""

from django.db.models import F

from examples.club.members import Member, whose
from examples.club_django import models
from payme.recurring import Message, Notice

_MESSAGE = Message.__struct_fields__


class DjangoMembers:
    """Members in the project's database; who is logged in is Django's session."""

    def join(self, name: str, agreed: float) -> Member:
        """Store a new member."""
        return _member(models.Member.objects.create(name=name, agreed=agreed))

    def find(self, member_id: int) -> Member | None:
        """Read a member."""
        row = models.Member.objects.filter(pk=member_id).first()
        return None if row is None else _member(row)

    def rejoin(self, member: Member, agreed: float) -> None:
        """Begin another round, unless another click has just done so."""
        same = models.Member.objects.filter(pk=member.id, round=member.round)
        same.update(agreed=agreed, round=F("round") + 1)

    def all(self) -> list[Member]:
        """Read all members, the newest first."""
        return [_member(row) for row in models.Member.objects.order_by("-pk")]

    def tell(self, message: Message) -> None:
        """Store a message for a member; the same one is stored once."""
        row = {name: getattr(message, name) for name in _MESSAGE}
        row |= {"kind": message.kind.value, "member_id": whose(message.subscription)}
        models.Told.objects.bulk_create([models.Told(**row)], ignore_conflicts=True)

    def told(self, member: Member) -> list[Message]:
        """Read what a member was told, the newest first."""
        rows = models.Told.objects.filter(member=member.id).order_by("-at", "-n", "-pk")
        return [Message(**{**row, "kind": Notice(row["kind"])}) for row in rows.values(*_MESSAGE)]


def _member(row: models.Member) -> Member:
    return Member(row.pk, row.name, row.agreed, row.round)
