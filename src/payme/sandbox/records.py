"""What one cash-box has stored: to look at, and to put in place before a test."""

from random import Random
from typing import Final, NamedTuple, TypeVar

from payme.protocol.states import ReceiptState
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import Card, Config, Engine, LedgerEntry, Receipt, Sms, ids
from payme.sandbox.engine.testcards import EXPIRE
from payme.sandbox.merchant import Merchant
from payme.sandbox.merchant_driver import MerchantDriver
from payme.sandbox.runner import Job, Runner
from payme.sandbox.settings import check_amount
from payme.sandbox.store import SqliteState

T = TypeVar("T")

_LONGEST: Final = 2**63 - 1


class Works(NamedTuple):
    """What a cash-box runs on."""

    engine: Engine
    runner: Runner
    driver: MerchantDriver
    clock: SandboxClock
    rng: Random


class Records:
    """The records of one cash-box.

    Args:
        works: What it runs on.
    """

    def __init__(self, works: Works) -> None:
        self.works = works
        self.merchant = Merchant(works.driver)

    @property
    def config(self) -> Config:
        """What its engine is told."""
        return self.works.engine.config

    @property
    def merchant_id(self) -> str:
        """Id of the cash-box."""
        return self.config.merchant_id

    @property
    def key(self) -> str:
        """Key of the cash-box."""
        return self.config.key

    def receipts(self, count: int = 50, offset: int = 0) -> list[Receipt]:
        """List receipts, the newest first, each where the clock has brought it.

        Args:
            count: How many at most.
            offset: How many of the newest to skip.

        Returns:
            The receipts as they are stored, with amounts in tiyin and times in ms.
        """
        # SQLite knows no larger number, and no list is longer.
        count, offset = min(count, _LONGEST), min(offset, _LONGEST)
        return self._up_to_date(lambda state: state.list_receipts(None, count=count, offset=offset))

    def receipt(self, receipt_id: str) -> Receipt | None:
        """Find a receipt where the clock has brought it.

        Args:
            receipt_id: Its id.

        Returns:
            The receipt; None if there is none with that id.
        """
        return self._up_to_date(lambda state: state.get_receipt(receipt_id))

    def entries(self, receipt_id: str) -> list[LedgerEntry]:
        """List the movements of money of one receipt.

        Args:
            receipt_id: Its id.

        Returns:
            The movements, the oldest first, with amounts in tiyin; none for an unknown id.
        """
        return self._run(lambda state: state.entries(receipt_id))

    def cards(self, count: int = 50) -> list[Card]:
        """List cards, removed ones included.

        Args:
            count: How many at most.

        Returns:
            The cards, the one that was used last first.
        """
        return self._run(lambda state: state.last_cards(min(count, _LONGEST)))

    def last_entries(self, count: int = 50) -> list[LedgerEntry]:
        """List the end of the ledger.

        Args:
            count: How many movements of money at most.

        Returns:
            The movements, the newest first, with amounts in tiyin.
        """
        return self._up_to_date(lambda state: state.last_entries(min(count, _LONGEST)))

    def last_sms(self, count: int = 50) -> list[Sms]:
        """List the end of the outbox.

        Args:
            count: How many messages at most.

        Returns:
            The messages, the newest first.
        """
        return self._run(lambda state: state.last_sms(min(count, _LONGEST)))

    def debits(self, receipt_id: str) -> int:
        """Count how often a card was debited or held for a receipt.

        Args:
            receipt_id: Its id.

        Returns:
            How often; more than 1 is a bug.
        """
        entries = self._run(lambda state: state.entries(receipt_id))
        return sum(entry.kind in {"debit", "hold"} for entry in entries)

    def ledger(self) -> list[LedgerEntry]:
        """List every movement of money, with those that the clock has made due by now."""
        return self._up_to_date(lambda state: state.entries())

    def sent_sms(self) -> list[Sms]:
        """List the messages that real Payme would have sent, the oldest first."""
        return self._run(lambda state: state.outbox())

    def add_card(
        self,
        token: str | None = None,
        *,
        number: str = "8600069195406311",
        save: bool = True,
        verified: bool = True,
        outcome: str | None = None,
    ) -> str:
        """Bind a card without the calls that it takes, to start a test from there.

        Args:
            token: The token that it will have; by default a new one.
            number: One of the test cards; with `outcome`, any number of 13 to 18 digits.
            save: False makes the token good for one payment.
            verified: Whether the SMS code counts as entered.
            outcome: What the card does from now on, this token and any other of its number:
                `insufficient_funds`, `answer_lost`, `-31630` …; see `known_cards.set`.

        Returns:
            The token.

        Raises:
            ValueError: If the number is not a test card's or the token is not in the form of one.
            InvalidSetting: If the outcome is none.
        """
        cards = self.works.engine.known_cards
        known = cards.find(number) if outcome is None else cards.set(number, outcome)
        if known is None:
            raise ValueError("not a test card of the sandbox")
        if token is not None and not ids.is_token(token):
            raise ValueError("a token is 24 hex digits, an underscore, and letters and digits")
        works = self.works

        def job(state: SqliteState) -> str:
            new = token or ids.token(works.rng, works.clock.now(), state.next_number("card"))
            card = Card(
                token=new,
                number=number,
                expire=known.expire or EXPIRE,
                recurrent=save,
                phone=known.phone,
                verified=verified,
            )
            state.put_card(card)
            return new

        return self._run(job)

    def add_receipt(
        self, receipt_id: str | None = None, *, amount: int = 400_000, hold: bool = False
    ) -> str:
        """Put an unpaid receipt in place without `receipts.create`, to start a test from there.

        Args:
            receipt_id: The id that it will have, 24 hex digits; by default a new one.
            amount: Tiyin.
            hold: Whether it will be paid with a hold.

        Returns:
            The id.

        Raises:
            InvalidSetting: If the amount is none.
        """
        check_amount("amount", amount, least=1)
        works = self.works

        def job(state: SqliteState) -> str:
            now, lasts = works.clock.now(), self.config.receipt_ttl_ms
            number = state.next_number("receipt")
            receipt = Receipt(
                id=receipt_id or ids.object_id(works.rng, now, number),
                number=number,
                create_time=now,
                amount=amount,
                account=dict.fromkeys(self.config.account_fields, ""),
                state=ReceiptState.CREATED,
                due_at=None if lasts is None else now + lasts,
                hold=hold,
            )
            state.put_receipt(receipt)
            return receipt.id

        return self._run(job)

    def _up_to_date(self, job: Job[T]) -> T:
        """Run a job after every move that the clock has made due."""
        works = self.works
        works.driver.catch_up()

        def up_to_date(state: SqliteState) -> T:
            works.engine.apply_due(state, works.clock.now())
            return job(state)

        return self._run(up_to_date)

    def _run(self, job: Job[T]) -> T:
        return self.works.runner.run(job)
