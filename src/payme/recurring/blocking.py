"""`Recurring`: subscriptions over blocking charges."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, time, timedelta
from threading import Event as Flag
from typing import Any, Final

from payme import flow as driver
from payme.charges import Charges, orders
from payme.charges.ledger import Ledger
from payme.charges.pace import since_1970
from payme.charges.saved import check_customer
from payme.errors import ConfigurationError
from payme.recurring import asked, behind, ledger
from payme.recurring.behind import Watch
from payme.recurring.core import Period, Subscription
from payme.recurring.ledger import Act, LedgerStep
from payme.recurring.rows import Keeper, Message, Source
from payme.recurring.rule import AfterRetries, Missed, check_id

TEN: Final = time(10)
DAY: Final = timedelta(days=1)


class Recurring:
    """Subscriptions: money from a saved card, every month.

    They live in the database of the charges. From now on the charges' ledger tells them of each
    proven change, in the transaction that stores it.

    Args:
        charges: Charges over a `SqlLedger`.
        now: Tells the time in seconds since 1970.

    Raises:
        ConfigurationError: The charges are kept elsewhere.

    Example:
        >>> recurring = Recurring(charges)
        >>> recurring.create_all()
        >>> recurring.create("club-17", 5_000_000, {"member": 17}, card.token, missed="latest")
        >>> recurring.run()
    """

    def __init__(self, charges: Charges, *, now: Callable[[], float] = since_1970) -> None:
        self._charges = charges
        self._session = charges._procedures._session  # pyright: ignore[reportPrivateUsage]
        self._now = now
        self._watch = Watch()
        self._keeper = self._kept_with(charges._ledger)  # pyright: ignore[reportPrivateUsage]
        self._keeper.follow(lambda rows, charge: ledger.learn(rows, charge, now()))

    def _kept_with(self, charges: Ledger) -> Keeper:
        """Return what keeps subscriptions beside charges."""
        # Here, because a ledger of another kind needs no SQLAlchemy.
        from payme.charges.ledger.sql import SqlLedger
        from payme.recurring.sql import SqlKeeper

        if not isinstance(charges, SqlLedger):
            raise ConfigurationError(
                "charges: subscriptions need charges that a SqlLedger keeps; "
                "in a Django project call payme.recurring.django.recurring()"
            )
        return SqlKeeper(charges)

    def create_all(self) -> None:
        """Create the tables unless they exist."""
        self._keeper.create_all()

    def create(
        self,
        id: str,
        amount: int,
        account: Mapping[str, str | int],
        token: str | None = None,
        *,
        customer: str | None = None,
        missed: Missed,
        every: tuple[int, str] = (1, "month"),
        anchor: date | None = None,
        at: time = TEN,
        timezone: str = "Asia/Tashkent",
        trial_until: date | None = None,
        ends: date | None = None,
        late_after: timedelta = DAY,
        max_catch_up: int = 1,
        retries: tuple[int, ...] | None = None,
        grace_days: int = 8,
        after_retries: AfterRetries = "past_due",
        notice_days: int | None = None,
        description: str | None = None,
        connection: Any = None,
    ) -> Subscription:
        """Begin a subscription. A first period that is due now is submitted at once.

        Period n is the charge `{id}:{n}`, which `run` drives, or `charges.advance` at once. Asked
        again with the same id, it returns the same subscription.

        Args:
            id: Id that you choose, such as `club-17`; at most 116 characters, without a colon.
            amount: What a period costs, in tiyin.
            account: Fields of the cash-box settings, the same for every period.
            token: Token of a verified card that may be charged again; or give `customer`.
            customer: Whose default card pays, as `payme.wallet` saved it and as it is when a period
                is tried: another default pays from the next attempt on. Or give `token`.
            missed: What becomes of periods that nobody opened in time, such as while your servers
                were down: `skip` collects none of them, `latest` the last one, `all` each.
            every: Length of a period: a number of days, weeks, months or years.
            anchor: Date that the dates are counted from; today if left out, or the end of the
                trial. From 31 January it is 28 February, 31 March. Nothing before today is billed.
            at: Time of the day at which periods are due.
            timezone: The time zone of that time.
            trial_until: The day on which a trial ends and the first period is due.
            ends: No period begins on this day or later.
            late_after: When a due period that was not opened counts as missed.
            max_catch_up: How many periods are opened on one day at most. When more than 3 were
                missed and all of them were to be collected, a person must say so.
            retries: Days from due on which a refused period is tried again, each inside a period;
                if left out, those of 1, 3 and 7 that are.
            grace_days: Days from due for which access stays while a period is tried again.
            after_retries: What follows the last refusal: `past_due` waits for another card or a
                person, `cancel` ends the subscription, `skip` gives the period up.
            notice_days: Days before due at which a payment is announced; 3 if left out. It is 7 at
                least before the first payment after a trial, before a rise, and for periods of half
                a year or more.
            description: What is paid for.
            connection: Store it in this transaction of yours.

        Returns:
            The subscription as it is stored.

        Raises:
            InvalidArgument: Refused before anything was stored.
            SubscriptionConflict: The id belongs to a subscription with another rule.
            CardNotFound: The customer has no default card.
            CardUnusable: The customer's default card must not be charged.
        """
        card = orders.other_card(token, customer)
        del token
        options = {
            "missed": missed, "every": every, "anchor": anchor, "at": at,
            "timezone": timezone, "trial_until": trial_until, "ends": ends,
            "late_after": late_after, "max_catch_up": max_catch_up, "retries": retries,
            "grace_days": grace_days, "after_retries": after_retries,
            "notice_days": notice_days, "description": description,
        }  # fmt: skip
        source = asked.source(card, self._keeper.vault)
        change = asked.creation(self._now(), id, amount, account, source.customer, options)
        if connection is not None:
            return self._keeper.inside(connection, ledger.create, change, source)
        return self._keeper.do(ledger.create, change, source)

    def change(
        self,
        id: str,
        *,
        amount: int | None = None,
        every: tuple[int, str] | None = None,
        anchor: date | None = None,
    ) -> Subscription:
        """Change what later periods cost, how long they are, or when they begin.

        It holds from the first period that was neither opened nor announced, and that can still be
        announced in time: 7 days ahead for a rise. An open period keeps its amount through every
        retry.

        Args:
            id: Id of the subscription.
            amount: What a period costs, in tiyin.
            every: Length of a period.
            anchor: Date that the dates are counted from.

        Returns:
            The subscription as it is stored.

        Raises:
            InvalidArgument: An argument is not what is expected, or none is given.
            SubscriptionNotFound: There is no such subscription.
            SubscriptionConflict: It is ending or has ended.
        """
        return self._command(id, asked.change(amount, every, anchor))

    def pause(self, id: str) -> Subscription:
        """Skip what becomes due until it is resumed.

        Args:
            id: Id of the subscription.

        Returns:
            The subscription as it is stored.

        Raises:
            SubscriptionNotFound: There is no such subscription.
            SubscriptionConflict: It is neither in its trial nor active.
        """
        return self._command(id, asked.pause())

    def resume(self, id: str, *, restart: bool = False) -> Subscription:
        """Go on after a pause, a cancellation that has not come to its end, or when it is parked.

        What was due in the pause, or missed before it was parked, is not collected.

        Args:
            id: Id of the subscription.
            restart: Begin a period today; otherwise the dates stay as they are.

        Returns:
            The subscription as it is stored.

        Raises:
            InvalidArgument: `restart` of one that is ending: its period is paid.
            SubscriptionNotFound: There is no such subscription.
            SubscriptionConflict: There is nothing to resume.
        """
        return self._command(id, asked.resume(restart))

    def cancel(
        self, id: str, *, at_period_end: bool = True, collect_open: bool = False
    ) -> Subscription:
        """End a subscription; one that has ended stays as it is.

        A period that is not paid yet is given up at once. Should its money come all the same, since
        a payment was on its way, a notice `paid_after_cancel` tells you.

        Args:
            id: Id of the subscription.
            at_period_end: Let it run to the end of its period.
            collect_open: Go on collecting a period that is not paid yet.

        Returns:
            The subscription as it is stored.

        Raises:
            SubscriptionNotFound: There is no such subscription.
        """
        return self._command(id, asked.cancel(at_period_end, collect_open))

    def use_card(
        self, id: str, token: str | None = None, *, customer: str | None = None
    ) -> Subscription:
        """Take another card from now on; an unpaid period is tried with it at once.

        Args:
            id: Id of the subscription.
            token: Token of a verified card that may be charged again; or give `customer`.
            customer: Whose default card pays from now on; or give `token`.

        Returns:
            The subscription as it is stored.

        Raises:
            InvalidArgument: That is no token, or not exactly one of both was given.
            SubscriptionNotFound: There is no such subscription.
            SubscriptionConflict: It has ended.
            CardNotFound: The customer has no default card.
            CardUnusable: The customer's default card must not be charged.
        """
        card = orders.other_card(token, customer)
        del token
        source = asked.source(card, self._keeper.vault)
        return self._command(id, asked.use_card(source.customer), source)

    def card_changed(self, customer: str) -> list[Subscription]:
        """Try at once what a customer owes, with the card that is the default now.

        Call it after `wallet.add` or `wallet.make_default`. Without it another default card is
        taken at the next attempt that is due, and what waits for a card goes on waiting.

        Args:
            customer: Whose card it is.

        Returns:
            The customer's subscriptions that have not ended.

        Raises:
            InvalidArgument: That is no customer's id.
            CardNotFound: There are such subscriptions, and no default card.
            CardUnusable: The default card must not be charged.
        """
        whose = check_customer(customer)
        found = self._keeper.read(ledger.of_customer, whose)
        return [self.use_card(one.id, customer=whose) for one in found if not one.is_over]

    def retry(self, id: str) -> Subscription:
        """Try an unpaid period again at once, or collect what was missed before it was parked.

        Args:
            id: Id of the subscription.

        Returns:
            The subscription as it is stored; `run` tries the period, or `charges.advance` at once.

        Raises:
            SubscriptionNotFound: There is no such subscription.
            SubscriptionConflict: Nothing is unpaid, or it was tried 15 times in 30 days.
            CardNotFound: The customer whose card pays has no default card.
            CardUnusable: That card must not be charged.
        """
        return self._command(id, asked.retry())

    def get(self, id: str) -> Subscription:
        """Read a subscription.

        Args:
            id: Id of the subscription.

        Returns:
            The subscription as it is stored.

        Raises:
            SubscriptionNotFound: There is none.
        """
        return self._keeper.read(ledger.get, check_id(id))

    def is_entitled(self, id: str) -> bool:
        """Return whether the payer may use now what the subscription grants.

        Args:
            id: Id of the subscription.

        Returns:
            True in a trial, while it is active or parked, in the days of grace of a refused period,
            and to the end of one that was cancelled, unless its last period was not paid.

        Raises:
            SubscriptionNotFound: There is no such subscription.
        """
        return self._keeper.read(ledger.is_entitled, check_id(id), self._now())

    def periods(self, id: str) -> list[Period]:
        """Read the periods of a subscription that were opened or skipped, in their order.

        Args:
            id: Id of the subscription.

        Returns:
            The periods, the first first; those to come are not among them.

        Raises:
            SubscriptionNotFound: There is no such subscription.
        """
        return self._keeper.read(ledger.periods, check_id(id))

    def outbox(self, limit: int = 100) -> list[Message]:
        """Read the notices that were not sent yet, the oldest first.

        Each (subscription, period, kind) is written once. Send it, then call `sent`; a crash in
        between sends it twice, so let what sends know `(subscription, n, kind)`.

        Args:
            limit: How many at most.

        Returns:
            The notices, each with subscription, period, kind and amount in tiyin.

        Raises:
            InvalidArgument: `limit` is no positive number.
        """
        return self._keeper.read(ledger.outbox, asked.limit(limit))

    def sent(self, message: Message) -> None:
        """Note that a notice was sent, so that `outbox` does not give it again.

        Args:
            message: As `outbox` gave it.
        """
        self._keeper.do(ledger.mark_sent, message, self._now())

    def tick(self, now: float | None = None) -> int:
        """Do what is due: announce, open, try again, skip, end. Any number may do so at once.

        Args:
            now: Seconds since 1970; the present if left out.

        Returns:
            How many subscriptions had something due.

        Raises:
            LedgerBehind: Payme took money that the ledger does not know; nothing was opened.
            PaymeError: Payme can't be asked about that; nothing was opened.
        """
        clock = self._now()
        moment = clock if now is None else asked.moment(now)
        flow = asked.ticking(self._watch, self._session, clock, moment)
        return driver.run(flow, self._perform)

    def run(
        self,
        *,
        in_flight: int = 10,
        per_second: float | None = None,
        drain: bool = False,
        stop: Flag | None = None,
    ) -> int:
        """Tick, and drive the charges; any number of processes may do so at once.

        Args:
            in_flight: See `Charges.run`.
            per_second: See `Charges.run`.
            drain: End when nothing is due and no charge is under way.
            stop: Ends it when set, after what is under way.

        Returns:
            How often a subscription had something due.

        Raises:
            LedgerBehind: Payme took money that the ledger does not know; nothing was driven. It
                is asked about at the start, and waited for while it can't be.
        """
        flag = stop or Flag()
        pace: dict[str, Any] = {"in_flight": in_flight, "per_second": per_second}
        done = 0
        if drain:
            while not flag.is_set() and (due := self.tick()):
                done += due
                self._charges.run(**pace, drain=True, stop=flag)
            self._charges.run(**pace, drain=True, stop=flag)
            return done
        with ThreadPoolExecutor(1, "payme-recurring") as threads:
            driving: Future[int] | None = None
            try:
                while not flag.is_set() and not (driving and driving.done()):
                    try:
                        done += self.tick()
                    except asked.UNREACHABLE as error:
                        asked.unreachable(error)
                        flag.wait(asked.OUTAGE)
                        continue
                    # Not before it is known that the ledger is not behind.
                    driving = driving or threads.submit(self._charges.run, **pace, stop=flag)
                    flag.wait(asked.LOOK_AGAIN)
            finally:
                flag.set()
            if driving is not None:
                driving.result()
        return done

    def check(self, *, dismiss: bool = False) -> None:
        """See that Payme has taken no money for periods that the ledger does not know.

        `tick` and `run` do so by themselves, at their start and when there is a reason to: a ledger
        that was restored from a backup would open periods again that were paid since.

        Args:
            dismiss: The receipts that are found are of another ledger: do not look at them again.

        Raises:
            LedgerBehind: It does not know some of them; `adopt` takes them in.
        """
        driver.run(behind.dismissing(self._session, self._now(), dismiss), self._perform)

    def adopt(self, receipt_id: str) -> Subscription:
        """Take a receipt that the ledger does not know in as that of its period.

        The period is opened for it unless it was, and its charge is what Payme shows: paid, or
        under way. Older periods that were not opened are skipped: they were resolved without money.
        What else was lost, such as a change of the price or a cancellation, has to be said again.
        No notice is written.

        Args:
            receipt_id: Id of a receipt, such as `LedgerBehind.receipts` has it.

        Returns:
            The subscription.

        Raises:
            InvalidArgument: The receipt was not for a period, or took no money.
            SubscriptionNotFound: There is no such subscription.
            SubscriptionConflict: The period's charge has another receipt that may take money.
        """
        flow = behind.adopting(self._session, receipt_id, self._now())
        return driver.run(flow, self._perform)

    def _command(self, id: str, act: Act, source: Source | None = None) -> Subscription:
        known = self.get(id)
        return self._keeper.do(ledger.command, known, act, source, self._now())

    def _perform(self, step: Any) -> Any:
        if isinstance(step, LedgerStep):
            return self._keeper.do(step.act, *step.arguments)
        return self._charges._perform(step)  # pyright: ignore[reportPrivateUsage]
