"""What is wrong with the books of a year: nothing, if money was taken as it should be."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple

from payme.demo.year.books import Books, Kept, Row
from payme.demo.year.plan import Member, Plan

_TASHKENT: Final = timezone(timedelta(hours=5))
_AT: Final = 10
_DONE: Final = frozenset({"paid", "skipped", "given_up", "refunded"})
_LONGEST_SLEEP: Final = 32 * 86_400.0


class Finding(NamedTuple):
    """Something that is wrong.

    Attributes:
        kind: What, in one word or two.
        name: Subscription, charge, receipt or card.
        text: What was seen.
    """

    kind: str
    name: str
    text: str


def findings(books: Books, plan: Plan) -> list[Finding]:
    """Say what is wrong.

    Args:
        books: All books.
        plan: Who joined, and when.
    """
    members = {member.subscription: member for member in plan.members}
    return [
        *_of_money(books),
        *_of_cards(books),
        *(found for name in members for found in _of_subscription(books, members[name])),
        *(
            Finding("unknown", name, "nobody joined as that")
            for name in books.subscriptions
            if name not in members
        ),
    ]


def _of_money(books: Books) -> Iterator[Finding]:
    """Lay Payme's debits beside the charges, and the charges beside the debits."""
    for receipt in books.unknown:
        yield Finding("unknown debit", receipt, "it names no charge")
    for name, (debits, _, amount, member, _) in books.debited.items():
        charged, state = books.charges.get(name, (0, "missing"))
        if debits > 1:
            yield Finding("double debit", name, f"{debits} debits")
        expected = charged if state == "paid" else 0
        if amount != expected:
            yield Finding(
                "sum", name, f"Payme took {amount} tiyin, the charge is {state}, {charged}"
            )
        if name.partition(":")[0] != f"club-{member}":
            yield Finding("account", name, f"its receipt names member {member}")
    for name, (amount, state) in books.charges.items():
        if state == "paid" and name not in books.debited:
            yield Finding("sum", name, f"the charge is paid, {amount}, and Payme took nothing")
        n = int(name.partition(":")[2])
        if n not in {row.n for row in books.periods.get(name.partition(":")[0], ())}:
            yield Finding("lost period", name, "its charge is there")


def _of_cards(books: Books) -> Iterator[Finding]:
    for token, card in books.wallet.items():
        if books.cards.get(token) != card:
            yield Finding(
                "card", card.customer, f"the wallet has {card.number}, and Payme does not"
            )
    for token, card in books.cards.items():
        if token not in books.wallet:
            yield Finding(
                "card", card.customer, f"Payme has {card.number}, and the wallet does not"
            )


def _of_subscription(books: Books, member: Member) -> Iterator[Finding]:
    name = member.subscription
    kept, rows = books.subscriptions.get(name), books.periods.get(name, [])
    if kept is None:
        yield Finding("lost subscription", name, "its member has joined")
        return
    if [row.n for row in rows] != list(range(kept.next_n)):
        yield Finding("forgotten period", name, f"{[row.n for row in rows]} of {kept.next_n}")
    for row in rows:
        yield from _of_period(books, member, row)
    yield from _of_state(books, member, kept, rows)


def _of_period(books: Books, member: Member, row: Row) -> Iterator[Finding]:
    name = f"{member.subscription}:{row.n}"
    if row.start != _moment(member, row.n):
        yield Finding(
            "date", name, f"due at {row.start:.0f} instead of {_moment(member, row.n):.0f}"
        )
    if row.amount != member.price or (row.charged or row.amount) != row.amount:
        yield Finding("price", name, f"{row.amount} and {row.charged} instead of {member.price}")
    if (row.state == "paid") != (row.charge == "paid"):
        yield Finding("state", name, f"the period is {row.state}, the charge {row.charge}")
    told = books.notices.get((member.subscription, row.n), set())
    wanted = _must_be_told(row)
    if not wanted <= told:
        yield Finding("notice", name, f"{', '.join(sorted(wanted - told))} was not told")


def _must_be_told(row: Row) -> set[str]:
    """Return the notices that a period must have.

    Of what was taken before a backup was restored, the payer was told then.
    """
    if (row.evidence or "").startswith("merchant: adopt"):
        return set()
    because = {
        "charged": row.state == "paid",
        "skipped": row.state == "skipped",
        "refused": row.refusals != "[]",
    }
    return {kind for kind, is_so in because.items() if is_so}


def _of_state(books: Books, member: Member, kept: Kept, rows: list[Row]) -> Iterator[Finding]:
    """See that something will wake a subscription, or that a person knows what is waited for."""
    unresolved = [row for row in rows if row.state not in _DONE]
    debt = next((row for row in unresolved if row.n == kept.debt), None)
    name = member.subscription
    if len(unresolved) > 1 or (unresolved and debt is None):
        yield Finding("debt", name, f"{[row.n for row in unresolved]} are unresolved")
    if debt is not None and debt.charge in (None, "paid"):
        yield Finding("stuck", name, f"period {debt.n} is {debt.state}, its charge {debt.charge}")
    if kept.state == "ended":
        return
    if kept.state == "past_due":
        if debt is None or debt.code is None:
            yield Finding("stuck", name, "past due, and nobody knows why")
    elif kept.wakes is None or not books.now < kept.wakes < books.now + _LONGEST_SLEEP:
        yield Finding("stuck", name, f"{kept.state}, and wakes at {kept.wakes}")
    elif kept.debt is None and _moment(member, kept.next_n) <= books.now:
        yield Finding("forgotten period", name, f"{kept.next_n} is due and was not opened")


def _moment(member: Member, n: int) -> float:
    day = member.due(n)
    return datetime(day.year, day.month, day.day, _AT, tzinfo=_TASHKENT).timestamp()
