"""The merchant's side of a cash-box: what it was asked, what it said, where it differs."""

from functools import partial
from typing import Any, Final

from payme.sandbox.engine import Receipt, flows, ledgers
from payme.sandbox.engine.ledgers import Difference
from payme.sandbox.engine.merchant_calls import MerchantReply
from payme.sandbox.engine.model import Exchange, MerchantTransaction
from payme.sandbox.engine.refusals import Refused
from payme.sandbox.errors import SandboxError
from payme.sandbox.merchant_driver import NO_MERCHANT, MerchantDriver
from payme.sandbox.store import SqliteState

_PAGE: Final = 500


class Merchant:
    """The merchant's side of a cash-box: what it was asked, what it said, where it differs.

    Args:
        driver: Drives the calls.
    """

    def __init__(self, driver: MerchantDriver) -> None:
        self._driver = driver

    def __repr__(self) -> str:
        return f"Merchant(asked={self._driver.engine.config.merchant})"

    @property
    def asked(self) -> bool:
        """Whether there is a merchant that the sandbox asks."""
        return self._driver.engine.config.merchant

    def exchanges(self, receipt_id: str | None = None) -> list[Exchange]:
        """List what the merchant was asked and what it answered, without secrets.

        Args:
            receipt_id: Only those about this receipt. CheckPerformTransaction is about none: it is
                asked before there is one.
        """
        return self._driver.runner.run(lambda state: state.exchanges(receipt_id))

    def last_exchanges(self, count: int = 50) -> list[Exchange]:
        """List the last exchanges, the newest first."""
        return self._driver.runner.run(lambda state: state.last_exchanges(count))

    def ledger(self, count: int = 1000) -> list[MerchantTransaction]:
        """List what the merchant last said about each transaction, by receipt id.

        Args:
            count: How many at most; of more, the newest.

        Returns:
            The transactions, with amounts in tiyin and times in ms.
        """
        return self._driver.runner.run(lambda state: state.last_transactions(count))[::-1]

    def transaction(self, receipt_id: str) -> MerchantTransaction | None:
        """Find what the merchant last said about a receipt's transaction.

        Args:
            receipt_id: Id of the receipt, which is the transaction's.

        Returns:
            The transaction; None if the merchant said nothing yet.
        """
        return self._driver.runner.run(lambda state: state.get_transaction(receipt_id))

    def difference(self) -> list[Difference]:
        """Compare Payme's ledger with what the merchant answered.

        Returns:
            One row for each matter in which they disagree, or in which the merchant's last word is
            missing. What is still under way shows as well.
        """
        self._driver.catch_up()
        rows: list[Difference] = []
        for receipt, transaction in self._pairs():
            rows += ledgers.difference(receipt, transaction)
        return rows

    def reconcile(self) -> list[Difference]:
        """Ask the merchant about every transaction, and compare what it says with Payme's ledger.

        CheckTransaction is sent for each, then GetStatement for the whole time.

        Raises:
            SandboxError: If GetStatement is not answered as it must be.
        """
        self._driver.catch_up()
        for transaction in [transaction for _, transaction in self._pairs()]:
            self.check(transaction.receipt_id)
        rows = self.difference()
        ours = {receipt.id: receipt for receipt, known in self._pairs() if known.state is not None}
        times = [receipt.payment.time for receipt in ours.values()]
        if not times:
            return rows
        reply = self.statement(min(times), max(times))
        if reply.result is None:
            raise SandboxError(f"GetStatement was not answered: {reply.outcome}")
        found = ledgers.compare_statement(ours, reply.result["transactions"])
        return rows + [row for row in found if row not in rows]

    def check(self, receipt_id: str) -> MerchantReply:
        """Ask CheckTransaction.

        Args:
            receipt_id: Id of the receipt, which is the transaction's.

        Returns:
            What the merchant answered, or why it did not.
        """
        return self._ask("CheckTransaction", {"id": receipt_id}, receipt_id)

    def statement(self, from_: int, to: int) -> MerchantReply:
        """Ask GetStatement.

        Args:
            from_: First moment in ms.
            to: Last moment in ms.

        Returns:
            What the merchant answered, or why it did not.
        """
        return self._ask("GetStatement", {"from": from_, "to": to})

    def change_password(self, password: str) -> MerchantReply:
        """Ask ChangePassword; if the merchant agrees, it is asked with the new one from then on.

        Payme's templates have the method, its pages no longer do.

        Args:
            password: The new password.

        Returns:
            What the merchant answered, or why it did not.
        """
        self._driver.engine.keep_secret(password)
        reply = self._ask("ChangePassword", {"password": password})
        if reply.agreed:
            self._driver.use_password(password)
        return reply

    def retry(self, receipt_id: str) -> Receipt:
        """Take up a payment before its time, or one that was left to a person (state 20).

        Args:
            receipt_id: Id of the receipt.

        Returns:
            The receipt as it is then.

        Raises:
            SandboxError: If there is no such receipt.
        """
        self._require()
        receipt = self._driver.flow(lambda call: flows.resume(call, receipt_id))
        if isinstance(receipt, Refused):
            raise SandboxError(receipt.message)
        return receipt

    def run_due(self) -> None:
        """Take every step that is due by the clock: repetitions, cancellations, timeouts.

        A sandbox that was started does this by itself within a tenth of a second.
        """
        self._driver.run_due()

    def _ask(self, method: str, params: dict[str, Any], receipt_id: str = "") -> MerchantReply:
        self._require()
        reply = self._driver.flow(lambda call: flows.inquire(call, method, params, receipt_id))
        if isinstance(reply, Refused):
            raise SandboxError(reply.message)
        return reply

    def _require(self) -> None:
        if not self.asked:
            raise SandboxError(NO_MERCHANT)

    def _pairs(self) -> list[tuple[Receipt, MerchantTransaction]]:
        """Read both ledgers, page by page: no call of the API waits for all of it."""
        pairs: list[tuple[Receipt, MerchantTransaction]] = []
        after: str | None = ""
        while after is not None:
            page, after = self._driver.runner.run(partial(_page, after))
            pairs += page
        return pairs


def _page(
    after: str, state: SqliteState
) -> tuple[list[tuple[Receipt, MerchantTransaction]], str | None]:
    transactions = state.transactions(after, _PAGE)
    found = ((state.get_receipt(one.receipt_id), one) for one in transactions)
    pairs = [(receipt, one) for receipt, one in found if receipt is not None]
    return pairs, transactions[-1].receipt_id if len(transactions) == _PAGE else None
