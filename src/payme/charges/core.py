"""A charge as states and facts: what is written, and what is asked of Payme next.

Five rules keep money right whatever crashes (see the documentation, "Money that survives a crash"):

1. The same id is the same charge for ever; at most one debit stands behind it.
2. Intent is stored before bytes leave, proof after an answer, and only proof ends a charge.
3. A receipt gets a second `receipts.pay` only after the first was certainly refused or not sent.
4. Another receipt is made only when the one before is proven cancelled.
5. What is stored is all there is: after a crash the same flow goes on from it.

So at any moment at most one receipt of a charge can take money. The table below says where a fact
leads; the flow asks for facts, through the client's own flows, and decides nothing twice.
"""

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from payme import redact
from payme.errors import (
    AccessDenied,
    NotSent,
    OutcomeUnknown,
    PaymeError,
    ReceiptCancelled,
    Rejected,
)
from payme.protocol import calls, flows
from payme.protocol.flows import Inquiry, Session, Sleep
from payme.protocol.inputs import Payer
from payme.protocol.models import Receipt
from payme.protocol.states import PROVES_CONFIRM, PROVES_PAY, ReceiptState
from payme.redact import Secret
from payme.transport.base import Request

T = TypeVar("T")


class ChargeState(StrEnum):
    """State of a charge; `ABOUT` says what each means."""

    NEW = "new"
    OPEN = "open"
    PAYING = "paying"
    HELD = "held"
    REFUSED = "refused"
    CONFIRMING = "confirming"
    CANCELLING = "cancelling"
    REFUNDING = "refunding"
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"


class Fact(StrEnum):
    """What an answer of Payme's, or its absence, says about a receipt."""

    CREATED = "created"
    PAID = "paid"
    HELD = "held"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    NOT_SENT = "not sent"
    WITHDRAWN = "card withdrawn"
    UNKNOWN = "unknown"


S, F = ChargeState, Fact

ABOUT: Final[dict[ChargeState, str]] = {
    S.NEW: "accepted; no receipt of it can take money",
    S.OPEN: "a receipt exists, and no payment of it is unanswered",
    S.PAYING: "a payment may have left",
    S.HELD: "the money is held on the card",
    S.REFUSED: "the last payment was certainly refused",
    S.CONFIRMING: "a confirmation of the hold may have left",
    S.CANCELLING: "a cancellation may have left",
    S.REFUNDING: "a refund may have left",
    S.PAID: "the money was taken",
    S.FAILED: "no receipt of it can take money any more",
    S.REFUNDED: "the money went back",
}

# What rests needs nobody to drive it; a merchant's word (`confirm`, `refund`, another card) moves
# some of it on.
RESTS: Final = frozenset({S.HELD, S.REFUSED, S.PAID, S.FAILED, S.REFUNDED})

# Where a fact leads. Why each row is safe:
# - An unknown answer to `create` leaves an orphan at worst, which nobody will ever pay.
# - REFUSED is only said of the one payment that was under way, so nothing else can be on its way.
# - From PAYING without proof in time the way leads through a cancellation that is *seen*: the
#   payment may arrive late, but not at a cancelled receipt.
# - PAID and HELD while cancelling or refunding count only when every cancellation was certainly
#   refused; the flow asks for that (`Inquiry`), so the fact never comes up otherwise.
# - What OPEN shows is looked at after a payment that did not go through. None is unanswered then,
#   so a receipt that was cancelled meanwhile (a billing does so after a refusal, and Payme when it
#   expires) makes room for another one.
# - WITHDRAWN is said of a saved card before a payment with it leaves, in the transaction that would
#   have stored the intent: nothing is on its way, and another card may be given.
# - CANCELLED while paying was somebody else's doing, a refund perhaps: nobody is charged again.
# - CANCELLED after our own cancellation makes room for another receipt, unless the charge was given
#   up or has used up its receipts; `_after_cancelled` decides.
NEXT: Final[dict[tuple[ChargeState, Fact], ChargeState]] = {
    (S.NEW, F.CREATED): S.OPEN,
    (S.NEW, F.REFUSED): S.FAILED,
    (S.NEW, F.NOT_SENT): S.NEW,
    (S.NEW, F.UNKNOWN): S.NEW,
    (S.OPEN, F.PAID): S.PAID,
    (S.OPEN, F.HELD): S.HELD,
    (S.OPEN, F.CANCELLED): S.NEW,
    (S.OPEN, F.WITHDRAWN): S.REFUSED,
    (S.PAYING, F.PAID): S.PAID,
    (S.PAYING, F.HELD): S.HELD,
    (S.PAYING, F.CANCELLED): S.FAILED,
    (S.PAYING, F.REFUSED): S.REFUSED,
    (S.PAYING, F.NOT_SENT): S.OPEN,
    (S.PAYING, F.UNKNOWN): S.CANCELLING,
    (S.CONFIRMING, F.PAID): S.PAID,
    (S.CONFIRMING, F.CANCELLED): S.FAILED,
    (S.CONFIRMING, F.REFUSED): S.HELD,
    (S.CONFIRMING, F.NOT_SENT): S.CONFIRMING,
    (S.CONFIRMING, F.UNKNOWN): S.CONFIRMING,
    (S.CANCELLING, F.CANCELLED): S.NEW,
    (S.CANCELLING, F.PAID): S.PAID,
    (S.CANCELLING, F.HELD): S.HELD,
    (S.CANCELLING, F.UNKNOWN): S.CANCELLING,
    (S.REFUNDING, F.CANCELLED): S.REFUNDED,
    (S.REFUNDING, F.PAID): S.PAID,
    (S.REFUNDING, F.UNKNOWN): S.REFUNDING,
}

# What a merchant may ask of a charge, and where it leads. What is not here is refused.
COMMANDS: Final[dict[tuple[str, ChargeState], ChargeState]] = {
    ("confirm", S.HELD): S.CONFIRMING,
    ("refund", S.PAID): S.REFUNDING,
    ("cancel", S.NEW): S.FAILED,
    ("cancel", S.OPEN): S.CANCELLING,
    ("cancel", S.PAYING): S.PAYING,
    ("cancel", S.HELD): S.CANCELLING,
    ("cancel", S.REFUSED): S.CANCELLING,
    ("cancel", S.CANCELLING): S.CANCELLING,
    # A person's word that no cancellation is on its way: what the receipt shows counts again.
    ("vouch", S.OPEN): S.OPEN,
    ("vouch", S.CANCELLING): S.CANCELLING,
    ("vouch", S.REFUNDING): S.REFUNDING,
    ("retry", S.REFUSED): S.OPEN,
    ("retry", S.FAILED): S.NEW,
}


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """A charge as it is stored, without its secrets.

    Attributes:
        id: The id that the merchant chose.
        amount: Amount in tiyin.
        account: Fields of the cash-box.
        state: What is known of it.
        description: What is paid for.
        detail: Lines of the fiscal receipt, as JSON.
        hold: The money is held first, and taken by `confirm`.
        receipt_id: The receipt that may take money now; None while there is none.
        receipts: How many receipts were made for it.
        attempts: How many payments were begun.
        cancels: Cancellations of the receipt that may be on their way.
        given_up: The merchant cancelled it: no other receipt will be made.
        evidence: What the last change rests on, such as `receipts.get: PAID`.
        code: Code of the last refusal; None if there was none.
        message: Payme's text of it.
        tries: How often in a row it was driven without coming on.
        due: When it is to be driven next, in seconds since 1970; None while it rests.
        created: When it was accepted, in seconds since 1970.
        changed: When it changed last.
        version: Counts its changes.
    """

    id: str
    amount: int
    account: dict[str, str | int]
    state: ChargeState = S.NEW
    description: str | None = None
    detail: Any = None
    hold: bool = False
    receipt_id: str | None = None
    receipts: int = 0
    attempts: int = 0
    cancels: int = 0
    given_up: bool = False
    evidence: str = "submitted"
    code: int | None = None
    message: str | None = None
    tries: int = 0
    due: float | None = None
    created: float = 0.0
    changed: float = 0.0
    version: int = 0

    @property
    def is_paid(self) -> bool:
        """The money was taken, and not given back."""
        return self.state == S.PAID

    @property
    def rests(self) -> bool:
        """Nothing is under way."""
        return self.state in RESTS

    @property
    def needs_attention(self) -> bool:
        """It can't be proven either way: a person must look at the receipt with Payme."""
        return not self.rests and self.due is None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            *redact.members(("id", "state", "amount", "receipt_id", "attempts", "evidence"), self),
            ("account", redact.tree(self.account, "account")),
        ]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={member!r}" for name, member in self.__rich_repr__())
        return f"Charge({shown})"


class Means(NamedTuple):
    """What a charge is paid with: secrets, kept apart from it.

    Attributes:
        token: Token of the card.
        payer: Who pays.
        card: Id of the saved card that the token is of; None for a token that was given.
    """

    token: Secret
    payer: Payer | None = None
    card: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a charge, never changed itself.

    Attributes:
        charge_id: Id of the charge.
        version: Version that the charge has since.
        at: When, in seconds since 1970.
        before: State that it left; None for its beginning.
        after: State that it came to.
        evidence: What it rests on.
        receipt_id: The receipt that it was about.
    """

    charge_id: str
    version: int
    at: float
    before: ChargeState | None
    after: ChargeState
    evidence: str
    receipt_id: str | None = None


class Save(NamedTuple):
    """Step: store a change, if nobody else changed the charge since it was read.

    The ledger writes charge and event in one transaction, and raises `Overtaken` otherwise. In the
    same transaction it raises `CardWithdrawn` where a payment begins with a saved card that must
    not be charged, and marks a card whose token Payme no longer knows.

    Attributes:
        before: As it was read.
        after: As it is from now on.
        card: Id of the saved card that it is paid with; None for a token that was given.
    """

    before: Charge
    after: Charge
    card: str | None = None


class Overtaken(Exception):
    """Somebody else has changed the charge; what is stored counts."""


class CardWithdrawn(Exception):
    """The saved card must not be charged any more; no payment with it was stored or sent."""


class Policy(NamedTuple):
    """How patient, and how often.

    Attributes:
        ask_for: Seconds to ask about a payment before the receipt is given up.
        look_for: Seconds to look for the end of a cancellation in one go.
        max_receipts: How many receipts a charge may use up.
        max_tries: How often a receipt may prove nothing before a person must look.
        first_pause: Seconds until it is driven again; doubled each time.
        longest_pause: Seconds at most.
        lease: Seconds that a charge belongs to who drives it. When a process is killed, another
            takes its charges over after that; two that meet all the same do no harm.
    """

    ask_for: float = 30.0
    look_for: float = 5.0
    max_receipts: int = 3
    max_tries: int = 60
    first_pause: float = 1.0
    longest_pause: float = 600.0
    lease: float = 180.0


PATIENT: Final = Policy()

ChargeStep = Request | Sleep | Save

Flow = Generator[ChargeStep, Any, T]


def advance(
    charge: Charge,
    means: Means,
    session: Session,
    *,
    now: Callable[[], float],
    deadline: float | None = None,
    policy: Policy = PATIENT,
) -> Flow[Charge]:
    """Drive a charge until it rests, or nothing more can be learned now.

    Args:
        charge: As it is stored.
        means: What it is paid with.
        session: Who calls.
        now: Seconds since 1970.
        deadline: Until when to go on, on the session's clock: no call and no pause lasts longer.
            None to stop at the first pause and leave the rest to whoever finds it due.
        policy: How patient.

    Returns:
        A flow whose value is the charge as it was stored last.
    """
    work = _Work(charge, means, session, now, deadline, policy)
    while not work.stopped and not work.is_late and work.charge.state in _STEPS:
        yield from _STEPS[work.charge.state](work)
    return work.charge


def vouch(
    charge: Charge,
    means: Means,
    session: Session,
    *,
    now: Callable[[], float],
    deadline: float | None = None,
    policy: Policy = PATIENT,
) -> Flow[Charge]:
    """Believe a person that no cancellation of the receipt is on its way, and read it.

    A receipt that is paid then proves that it is; nothing is cancelled again. What is still queued
    proves nothing, whatever the person says.

    Args:
        charge: One that needs attention; another is left alone.
        means: What it is paid with.
        session: Who calls.
        now: Seconds since 1970.
        deadline: Until when the call may last, on the session's clock.
        policy: How patient.

    Returns:
        A flow whose value is the charge as it was stored last.
    """
    work = _Work(charge, means, session, now, deadline, policy)
    if not charge.needs_attention:
        return charge
    inquiry, lost = work.inquiry("receipts.pay", _ends_of(charge.state), cancels=0)
    receipt = yield from inquiry.look()
    if receipt is not None:
        yield from work.see("merchant: vouch; receipts.get", receipt, cancels=lost.cancels)
    else:
        evidence = f"merchant: vouch; asked: {inquiry.report()}"
        yield from work.note(evidence, tries=charge.tries, due=None)
    return work.charge


class _Work:
    """One run of a flow: the charge as it was stored last, and what is needed to go on."""

    def __init__(
        self,
        charge: Charge,
        means: Means,
        session: Session,
        now: Callable[[], float],
        deadline: float | None,
        policy: Policy,
    ) -> None:
        self.charge = charge
        self.means = means
        self.session = session
        self.now = now
        self.deadline = deadline
        self.policy = policy
        self.stopped = False

    def save(self, after: Charge) -> Flow[None]:
        yield Save(self.charge, after, self.means.card)
        self.charge = after

    def note(self, evidence: str, **members: Any) -> Flow[None]:
        """Store what was learned or is about to be done; the charge is due until it rests."""
        state = members.get("state", self.charge.state)
        due = None if state in RESTS else self.now()
        # Only another state is progress: what goes round in a circle must come to an end.
        tries = self.charge.tries if state == self.charge.state else 0
        members = {"due": due, "tries": tries, **members}
        yield from self.save(
            changed(self.charge, self.now(), evidence=redact.scrub(evidence), **members)
        )

    def learn(self, fact: Fact, evidence: str, **members: Any) -> Flow[None]:
        """Go where a fact leads."""
        state = NEXT[self.charge.state, fact]
        if fact is F.CANCELLED:
            state, members = _after_cancelled(self, state, members)
        yield from self.note(evidence, state=state, **members)

    def see(self, method: str, receipt: Receipt, **members: Any) -> Flow[None]:
        """Go where a receipt in a proven state leads."""
        evidence = f"{method}: {receipt.state.name}"
        yield from self.learn(_FACTS[receipt.state], evidence, **members)

    def look(self, inquiry: Inquiry, lost: OutcomeUnknown) -> Flow[None]:
        """Ask for the end of what was sent, and wait when there is none yet."""
        receipt = yield from inquiry.ask(self.seconds(self.policy.look_for))
        if receipt is not None:
            yield from self.see("receipts.get", receipt, cancels=lost.cancels)
        else:
            evidence = f"asked: {inquiry.report()}"
            yield from self.pause(evidence, doubtful=inquiry.was_read, cancels=lost.cancels)

    def refuse(self, refused: Rejected) -> Flow[None]:
        """Go where a certain refusal leads."""
        yield from self.learn(
            F.REFUSED,
            _said(refused),
            code=refused.code,
            message=refused.message,
        )

    def pause(self, evidence: str, *, doubtful: bool = False, **members: Any) -> Flow[None]:
        """Wait, here while there is time, or until somebody finds the charge due.

        An outage may last for days and is waited for. What was read, again and again, and proves
        nothing, is doubtful: a person must look at it.
        """
        tries = self.charge.tries + 1
        policy = self.policy
        longest = min(policy.longest_pause, policy.first_pause * 2 ** min(tries - 1, 30))
        seconds = self.session.runtime.uniform(longest / 2, longest)
        due = None if doubtful and tries >= policy.max_tries else self.now() + seconds
        yield from self.note(evidence, tries=tries, due=due, **members)
        clock = self.session.runtime.clock
        if due is None or self.deadline is None or clock() + seconds >= self.deadline:
            self.stopped = True
        else:
            yield Sleep(seconds)

    @property
    def is_late(self) -> bool:
        """The deadline has passed: nothing else is begun."""
        return self.deadline is not None and self.session.runtime.clock() >= self.deadline

    def calling(self) -> Session:
        """Return who calls; a call that outlasts the deadline counts as lost."""
        return self.session if self.deadline is None else self.session.until(self.deadline)

    def seconds(self, wanted: float) -> float:
        """Return for how long to ask: as wanted, but not past the deadline."""
        if self.deadline is None:
            return wanted
        return max(min(wanted, self.deadline - self.session.runtime.clock()), 0.0)

    def inquiry(
        self, method: str, proofs: frozenset[ReceiptState], cancels: int | None = None
    ) -> tuple[Inquiry, Any]:
        """Make an inquiry that counts the cancellations which are stored as being on their way."""
        receipt_id = self.charge.receipt_id
        lost = OutcomeUnknown("", method=method, receipt_id=receipt_id, sent="maybe")
        lost.cancels = self.charge.cancels if cancels is None else cancels
        return Inquiry(lost, proofs, self.calling()), lost


def changed(charge: Charge, now: float, **members: Any) -> Charge:
    """Make the next version of a charge."""
    return msgspec.structs.replace(charge, version=charge.version + 1, changed=now, **members)


def _after_cancelled(
    work: _Work, state: ChargeState, members: dict[str, Any]
) -> tuple[ChargeState, dict[str, Any]]:
    charge = work.charge
    if state is not S.NEW:
        return state, {**members, "cancels": 0}
    if charge.given_up or charge.receipts >= work.policy.max_receipts:
        return S.FAILED, {**members, "cancels": 0}
    return S.NEW, {**members, "cancels": 0, "receipt_id": None}


def _create(work: _Work) -> Flow[None]:
    charge = work.charge
    # The id goes along, so that an orphan of a lost answer can be told from other receipts.
    words = charge.description or charge.id
    call = calls.receipts_create(charge.amount, charge.account, description=words, hold=charge.hold)
    if charge.detail is not None:
        call.params["detail"] = charge.detail
    try:
        receipt = yield from flows.exchange(call, work.calling())
    except (NotSent, OutcomeUnknown, AccessDenied) as error:
        # A key that does not fit is no fault of the charge's: it waits for the right one.
        yield from work.pause(_said(error))
    except Rejected as refused:
        yield from work.refuse(refused)
    else:
        yield from work.learn(
            F.CREATED,
            "receipts.create: CREATED",
            receipt_id=receipt.id,
            receipts=charge.receipts + 1,
        )


def _begin_to_pay(work: _Work) -> Flow[None]:
    """Store the intent, then let the bytes leave; a crash in between counts as left."""
    charge = work.charge
    if charge.attempts and not (yield from _is_still_open(work)):
        return
    begins = "receipts.pay begins" + (f"; card {work.means.card}" if work.means.card else "")
    nothing: dict[str, Any] = {"code": None, "message": None}
    try:
        yield from work.note(begins, state=S.PAYING, attempts=charge.attempts + 1, **nothing)
    except CardWithdrawn:
        yield from work.learn(F.WITHDRAWN, f"wallet: card {work.means.card} withdrawn", **nothing)
        return
    call = calls.receipts_pay(
        str(charge.receipt_id), work.means.token.open(), payer=work.means.payer, hold=charge.hold
    )
    try:
        receipt = yield from flows.start(call, work.calling())
    except (NotSent, AccessDenied) as error:
        yield from work.pause(_said(error), state=NEXT[S.PAYING, F.NOT_SENT])
    except ReceiptCancelled:
        yield from work.learn(F.CANCELLED, "receipts.pay: ReceiptCancelled")
    except Rejected as refused:
        yield from work.refuse(refused)
    except OutcomeUnknown as lost:
        yield from work.note(_said(lost))
    else:
        if receipt.state in PROVES_PAY:
            yield from work.see("receipts.pay", receipt)
        else:
            yield from work.note(f"receipts.pay: {receipt.state.name}")


def _is_still_open(work: _Work) -> Flow[bool]:
    """Look at a receipt that could not be paid before: it may have come to an end since."""
    inquiry, lost = work.inquiry("receipts.pay", PROVES_PAY)
    receipt = yield from inquiry.look()
    if receipt is not None:
        yield from work.see("receipts.get", receipt, cancels=lost.cancels)
    elif lost.cancels or not inquiry.was_read:
        evidence = f"asked: {inquiry.report()}"
        yield from work.pause(evidence, doubtful=inquiry.was_read, cancels=lost.cancels)
    else:
        return True
    return False


def _ask(work: _Work) -> Flow[None]:
    inquiry, lost = work.inquiry("receipts.pay", PROVES_PAY)
    seconds = work.seconds(work.policy.ask_for)
    receipt = yield from inquiry.ask(seconds)
    if receipt is not None:
        yield from work.see("receipts.get", receipt)
    elif seconds < work.policy.ask_for:
        # Who waits has no more time; somebody else will ask for as long as it takes.
        yield from work.pause(f"asked: {inquiry.report()}", cancels=lost.cancels)
    else:
        yield from work.learn(F.UNKNOWN, f"asked: {inquiry.report()}", cancels=lost.cancels)


def _take_back(work: _Work) -> Flow[None]:
    """Cancel the receipt and see what became of it.

    A cancellation is counted before it leaves, and no more when it is certainly refused. It is
    repeated only after a look has shown that the receipt is neither cancelled nor queued.
    """
    inquiry, lost = work.inquiry("receipts.pay", _ends_of(work.charge.state))
    receipt = (yield from inquiry.look()) if lost.cancels else None
    if lost.cancels and not inquiry.was_read:
        yield from work.pause(f"asked: {inquiry.report()}")
        return
    if receipt is None and not inquiry.is_queued:
        yield from work.note("receipts.cancel begins", cancels=work.charge.cancels + 1)
        inquiry, lost = work.inquiry("receipts.pay", _ends_of(work.charge.state))
        try:
            receipt = yield from _cancel(work, inquiry, lost)
        except NotSent as error:
            yield from work.pause(_said(error), cancels=work.charge.cancels - 1)
            return
    if receipt is None:
        yield from work.look(inquiry, lost)
    else:
        yield from work.see("receipts.get", receipt, cancels=lost.cancels)


def _cancel(work: _Work, inquiry: Inquiry, lost: OutcomeUnknown) -> Flow[Receipt | None]:
    cancel = calls.receipts_cancel(str(work.charge.receipt_id))
    try:
        receipt = yield from flows.exchange(cancel, work.calling())
    except OutcomeUnknown as error:
        yield from work.note(_said(error))
        return None
    except Rejected as error:
        lost.cancels -= 1
        yield from work.note(_said(error), cancels=lost.cancels)
        return None
    return receipt if inquiry.is_proof(receipt) else None


def _ends_of(state: ChargeState) -> frozenset[ReceiptState]:
    return PROVES_CONFIRM if state is S.REFUNDING else PROVES_PAY


def _confirm(work: _Work) -> Flow[None]:
    """Take what is held; the receipt's id makes a second confirmation harmless."""
    call = calls.receipts_confirm_hold(str(work.charge.receipt_id))
    try:
        receipt = yield from flows.start(call, work.calling())
    except ReceiptCancelled:
        yield from work.learn(F.CANCELLED, "receipts.confirm_hold: ReceiptCancelled")
    except Rejected as refused:
        yield from work.refuse(refused)
    except NotSent as error:
        yield from work.pause(_said(error))
    except OutcomeUnknown as error:
        yield from work.note(_said(error))
        yield from work.look(*work.inquiry("receipts.confirm_hold", PROVES_CONFIRM))
    else:
        if receipt.state in PROVES_CONFIRM:
            yield from work.see("receipts.confirm_hold", receipt)
        else:
            yield from work.look(*work.inquiry("receipts.confirm_hold", PROVES_CONFIRM))


_STEPS: Final[dict[ChargeState, Callable[[_Work], Flow[None]]]] = {
    S.NEW: _create,
    S.OPEN: _begin_to_pay,
    S.PAYING: _ask,
    S.CONFIRMING: _confirm,
    S.CANCELLING: _take_back,
    S.REFUNDING: _take_back,
}

_FACTS: Final[dict[ReceiptState, Fact]] = {
    ReceiptState.PAID: F.PAID,
    ReceiptState.HELD: F.HELD,
    ReceiptState.CANCELLED: F.CANCELLED,
}


def _said(error: PaymeError) -> str:
    code = f" {error.code}" if isinstance(error, Rejected) else ""
    return f"{error.method}: {type(error).__name__}{code}"
