"""What `Charges` and `AsyncCharges` do with a ledger, written once, as flows.

A step of these flows asks the ledger, blocking or not, or is one of the client's. Who runs them
only carries the steps out.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from payme.charges import core, orders, saved
from payme.charges.core import Charge, Means, Overtaken, Policy, Save
from payme.charges.ledger import FARTHEST, Ledger, Stored
from payme.charges.ledger.cards import cards_of
from payme.charges.pace import LOOK_SOON, Pace, since_1970
from payme.charges.saved import CardNotFound, CardUnusable
from payme.errors import ConfigurationError, InvalidArgument
from payme.protocol import arguments
from payme.protocol.flows import Session, Sleep
from payme.protocol.inputs import Payer

T = TypeVar("T")

_LOG: Final = logging.getLogger("payme.charges")


class Ask(NamedTuple):
    """Step: ask the ledger. An asyncio ledger has the same methods, whose answers are awaited."""

    act: Callable[[Ledger], Any]


ProcedureStep = core.ChargeStep | Ask

Flow = Generator[ProcedureStep, Any, T]


def asked(act: Callable[[Ledger], T]) -> Flow[T]:
    """Ask the ledger, and return its answer."""
    answer: T = yield Ask(act)
    return answer


def until(deadline: object) -> float:
    """Turn seconds from now into a moment on the monotonic clock."""
    return monotonic() + arguments.seconds("deadline", deadline)


class Begin(Protocol):
    """A flow of the core's: `advance` or `vouch`."""

    def __call__(
        self,
        charge: Charge,
        means: Means,
        session: Session,
        *,
        now: Callable[[], float],
        deadline: float | None = None,
        policy: Policy = core.PATIENT,
    ) -> core.Flow[Charge]:
        """Begin it."""
        ...


class Round(NamedTuple):
    """What a runner found to do.

    Attributes:
        owner: Who holds the leases of what was claimed.
        claimed: What may be begun now.
        seconds: How long to wait for more.
        is_idle: Nothing is left to do, now or later.
    """

    owner: str
    claimed: list[Stored]
    seconds: float
    is_idle: bool


class Procedures:
    """The flows of one `Charges` or `AsyncCharges`.

    Args:
        session: Who calls Payme.
        policy: How patient.
    """

    def __init__(self, session: Session, policy: Policy) -> None:
        self._session = session
        self._policy = check_policy(policy)

    def submit(self, order: orders.Order, connection: Any) -> Flow[Charge]:
        """Store a charge that was asked for, unless its id is known."""
        charge = order.money()
        try:
            means = yield from _means(order, order.payer, connection)
        except (CardNotFound, CardUnusable):
            # The same id is the same charge, whatever has become of the card.
            there = yield from asked(lambda ledger: ledger.load(charge.id))
            if there is None:
                raise
            return orders.same(charge, there.charge)
        known = yield from asked(lambda ledger: ledger.submit(charge, means, connection))
        return orders.same(charge, known)

    def charge(self, order: orders.Order, until: float) -> Flow[Charge]:
        """Store a charge and drive it until it rests or the time is over."""
        return (yield from self._follow((yield from self.submit(order, None)), until))

    def load(self, charge_id: str) -> Flow[Stored]:
        """Read a charge with what it is paid with."""
        known_as = orders.check_id(charge_id)
        stored = yield from asked(lambda ledger: ledger.load(known_as))
        if stored is None:
            raise orders.ChargeNotFound(f"no charge has the id {known_as!r}")
        return stored

    def get(self, charge_id: str) -> Flow[Charge]:
        """Read a charge."""
        return (yield from self.load(charge_id)).charge

    def command(
        self, charge_id: str, word: str, until: float, means: Means | None = None
    ) -> Flow[Charge]:
        """Do what a merchant asks of a charge, and drive it."""
        while True:
            charge = yield from self.get(charge_id)
            change = orders.command(charge, word, since_1970())
            if change is None:
                return (yield from self._follow(charge, until))
            try:
                yield from _saved(change, means)
            except Overtaken:
                # It has just come on; perhaps it can still be done.
                continue
            return (yield from self._follow(change.after, until))

    def pay_with(self, charge_id: str, card: orders.Order, until: float) -> Flow[Charge]:
        """Try again with another card; who pays stays the same."""
        card.require()
        stored = yield from self.load(charge_id)
        means = yield from _means(card, stored.means.payer)
        return (yield from self.command(charge_id, "retry", until, means))

    def vouch(self, charge_id: str, until: float) -> Flow[Charge]:
        """Believe a person that no cancellation is on its way, and read the receipt."""
        charge = yield from self.get(charge_id)
        orders.command(charge, "vouch", since_1970())
        driven = yield from self._drive(charge.id, until, core.vouch)
        return driven or (yield from self.get(charge.id))

    def advance(self, charge_id: str) -> Flow[Charge]:
        """Drive a charge as far as it goes now."""
        charge = yield from self.get(charge_id)
        return (yield from self._drive(charge.id, None)) or (yield from self.get(charge.id))

    def recover(self) -> Flow[int]:
        """Drive once what is due now; gives how many there were."""
        yield from asked(lambda ledger: ledger.rewind(since_1970()))
        begun, driven = since_1970(), 0
        owner = orders.new_owner()
        # What has to wait after it was driven is due later than this began.
        while claimed := (yield from self.claim(owner, 1, begun)):
            yield from self.drive_claimed(owner, claimed[0])
            driven += 1
        return driven

    def due(self, limit: object) -> Flow[list[str]]:
        """Read the ids of what is due and nobody drives."""
        most, now = orders.check_limit(limit), since_1970()
        yield from asked(lambda ledger: ledger.rewind(now))
        return (yield from asked(lambda ledger: ledger.due_ids(now, most)))

    def claim(self, owner: str, limit: int, due: float) -> Flow[list[Stored]]:
        """Lease what is due and nobody drives."""
        if not limit:
            return []
        until = since_1970() + self._policy.lease
        return (yield from asked(lambda ledger: ledger.claim(owner, due, until, limit)))

    def look(self, pace: Pace, running: int) -> Flow[Round]:
        """Claim what may be begun now; say how long to wait for more.

        An outage of the database is waited for. Until the ledger has answered once, its error is
        raised: tables that are missing come with no patience.
        """
        claimed: list[Stored] = []
        # One for each claim, so that who comes late gives nobody else's lease back.
        owner = orders.new_owner()
        try:
            if pace.rewinds():
                yield from asked(lambda ledger: ledger.rewind(since_1970()))
            room = pace.room(running)
            claimed = yield from self.claim(owner, room, since_1970())
            pace.began(len(claimed))
            pace.reached = True
            due = None
            if len(claimed) < room:
                due = yield from asked(lambda ledger: ledger.next_due())
        except ConfigurationError:
            raise
        except Exception as error:
            if not pace.reached:
                raise
            seconds = pace.unreached()
            _LOG.warning("ledger: %s; asked again in %.0f s", type(error).__name__, seconds)
            return Round(owner, claimed, seconds, is_idle=False)
        is_idle = room > 0 and not running and not claimed and due is None
        return Round(owner, claimed, pace.pause(due), is_idle)

    def drive_claimed(self, owner: str, stored: Stored) -> Flow[Charge | None]:
        """Drive one of many; None if nothing was learned of Payme."""
        charge = None
        try:
            charge = yield from self._advance(stored, None, core.advance)
            yield from _released(owner, stored.charge.id)
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            # The hook's, or the database's. The lease stays, so that it is not tried at once.
            _LOG.exception("charge %s could not be driven", stored.charge.id)
        except BaseException:
            with suppress(Exception):
                yield from _released(owner, stored.charge.id)
            raise
        return charge

    def _follow(self, charge: Charge, until: float) -> Flow[Charge]:
        """Drive a charge until it rests or the time is over; wait while somebody else drives it."""
        while not charge.rests and monotonic() < until:
            driven = yield from self._drive(charge.id, until)
            if driven is not None:
                return driven
            yield Sleep(min(LOOK_SOON, max(until - monotonic(), 0)))
            charge = yield from self.get(charge.id)
        return charge

    def _drive(
        self, charge_id: str, until: float | None, begin: Begin = core.advance
    ) -> Flow[Charge | None]:
        """Drive a charge; None if somebody else does."""
        owner, now = orders.new_owner(), since_1970()
        leased = now + self._policy.lease
        stored = yield from asked(lambda ledger: ledger.take(owner, charge_id, now, leased))
        if stored is None:
            return None
        try:
            return (yield from self._advance(stored, until, begin))
        finally:
            yield from _released(owner, charge_id)

    def _advance(self, stored: Stored, until: float | None, begin: Begin) -> Flow[Charge | None]:
        flow = begin(
            stored.charge,
            stored.means,
            self._session,
            now=since_1970,
            deadline=until,
            policy=self._policy,
        )
        try:
            return (yield from flow)
        except Overtaken:
            return None


def check_policy(policy: Policy) -> Policy:
    """Check how patient a policy is: no lease and no pause may look like a clock's mistake."""
    for name in ("lease", "longest_pause"):
        seconds = arguments.seconds(f"policy.{name}", getattr(policy, name))
        if seconds > FARTHEST / 2:
            expected = f"at most {FARTHEST / 2:.0f} seconds"
            raise InvalidArgument(f"policy.{name}", seconds, expected)
    return policy


def _means(order: orders.Order, payer: Payer | None, connection: Any = None) -> Flow[Means]:
    """Return what is paid with: the token that was given, or the customer's default card.

    Raises:
        CardNotFound: The customer has no default card.
        CardUnusable: It must not be charged.
    """
    if order.means is not None:
        return order.means._replace(payer=payer or order.means.payer)
    customer = str(order.customer)
    card = yield from asked(lambda ledger: cards_of(ledger).default(customer, connection))
    return saved.chargeable(card, customer).means()._replace(payer=payer)


def _released(owner: str, charge_id: str) -> Flow[None]:
    yield from asked(lambda ledger: ledger.release(owner, charge_id))


def _saved(change: Save, means: Means | None) -> Flow[None]:
    yield from asked(lambda ledger: ledger.save(change, means))
