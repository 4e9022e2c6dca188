"""The audit of three books: Payme's receipts, the ledger and the shop's transactions."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from charges.audit_books import (
    StubPayme,
    charge,
    millis,
    receipt,
    receipt_id,
    three_books,
    transaction,
)
from payme.charges.audit import Audit, Kind, MerchantTransaction
from payme.charges.audit.differences import from_charge, from_transaction, receipt_rests
from payme.charges.audit.sql import SqlTransactions
from payme.charges.core import Charge, ChargeState
from payme.errors import ConfigurationError, PaymeError
from payme.merchant.core import TransactionState
from payme.protocol.states import ReceiptState

R, T = ReceiptState, TransactionState

CREATED, PAID, HELD, CANCELLED = R.CREATED, R.PAID, R.HELD, R.CANCELLED


@pytest.fixture
def books(database, tmp_path):
    """All three, ledger and transactions in one database as many shops have it."""
    with three_books(database, database) as books:
        _empty(books)
        yield books


def _empty(books):
    _execute(books.shop, "DELETE FROM payme_transaction")


def _execute(engine, statement):
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def fill(books, *numbers, state=4, charge_state="paid", transaction_state=2):
    """Add payments that all three books agree about."""
    books.payme.receipts += [receipt(number, state) for number in numbers]
    books.add(
        charges=[charge(number, charge_state) for number in numbers],
        transactions=[transaction(number, transaction_state) for number in numbers],
    )


# What is proven, state by state.

# What each pair is worth, written by hand beside the table that the audit reads.
LOSSES = {
    (PAID, None): "not performed",
    (PAID, T.CREATED): "not performed",
    (PAID, T.CANCELLED): "not performed",
    (PAID, T.REFUNDED): "not returned",
    (HELD, T.CANCELLED): "not returned",
    (HELD, T.REFUNDED): "not returned",
    (CREATED, T.PERFORMED): "not paid",
    (CANCELLED, T.PERFORMED): "not paid",
}


@pytest.mark.parametrize("state", [*R, R(77)])
@pytest.mark.parametrize("stored", [None, *T, T(7)])
def test_every_state_of_a_receipt_beside_every_state_of_a_transaction(state, stored):
    one = None if stored is None else MerchantTransaction("r", 1, 5000, stored)
    assert from_transaction(one, state, 5000) == LOSSES.get((state, stored))


# The receipts that a charge at rest may stand on, written by hand, too.
RECEIPTS_OF = {
    "paid": {PAID},
    "held": {HELD},
    "refunded": {CANCELLED},
    "failed": {CANCELLED},
    "refused": {*R, R(77)} - {PAID, HELD, R.CANCEL_QUEUED},
}


@pytest.mark.parametrize("receipt_state", [*R, R(77)])
@pytest.mark.parametrize("charge_state", list(ChargeState))
def test_every_state_of_a_charge_beside_every_state_of_its_receipt(charge_state, receipt_state):
    one = Charge(id="a", amount=5000, account={}, state=charge_state)
    agrees = receipt_state in RECEIPTS_OF.get(charge_state, {*R, R(77)})
    assert from_charge(one, receipt_state, 5000) is (None if agrees else Kind.STATE)
    assert from_charge(one, receipt_state, 5001) is Kind.AMOUNT


def test_what_is_under_way_proves_nothing():
    for state in R:
        if not receipt_rests(state):
            one = MerchantTransaction("r", 1, 5000, T.PERFORMED)
            assert from_transaction(one, state, 5000) is None
    assert not receipt_rests(R.CANCEL_QUEUED)
    assert receipt_rests(R.CANCELLED)


def test_an_amount_that_differs_is_told_and_a_loss_before_it():
    one = MerchantTransaction("r", 1, 5001, T.PERFORMED)
    assert from_transaction(one, PAID, 5000) is Kind.AMOUNT
    assert from_transaction(one, CANCELLED, 5000) is Kind.NOT_PAID


# The three books.


def test_books_that_agree(books):
    fill(books, *range(1, 120))
    told = books.run()
    assert (told.kinds, told.differ) == ([], 0)
    assert (told.receipts, told.charges, told.transactions, told.under_way) == (119, 119, 119, 0)
    assert "receipts.get" not in books.payme.methods()
    assert "119 receipts, 119 charges, 119 transactions, 0 under way: the books agree" in (
        books.text()
    )


@pytest.mark.parametrize("stored", [None, T.CREATED, T.CANCELLED])
@pytest.mark.parametrize("charged", [True, False], ids=["by charge", "by checkout"])
def test_money_for_goods_that_never_went_out(books, stored, charged):
    fill(books, 1, 2)
    books.payme.receipts.append(receipt(3))
    if charged:
        books.add(charges=[charge(3)])
    if stored is not None:
        books.add(transactions=[transaction(3, stored)])
    told = books.run()
    if stored is None and not charged:
        assert told.kinds == [("only payme", 3)]
        return
    assert told.kinds == [("not performed", 3)]
    (found,) = told.found
    assert found.payme == ("PAID", 1003)
    assert found.merchant == (None if stored is None else (stored.name, 1003))
    assert found.charge_id == ("order-3" if charged else None)
    assert found.ledger == (("paid", 1003) if charged else None)


@pytest.mark.parametrize("state", [CREATED, CANCELLED])
@pytest.mark.parametrize("charged", [True, False], ids=["by charge", "by checkout"])
def test_goods_that_went_out_for_nothing(books, state, charged):
    fill(books, 1)
    books.payme.receipts.append(receipt(2, state))
    books.add(transactions=[transaction(2)])
    if charged:
        books.add(charges=[charge(2, "refunded" if state == CANCELLED else "refused")])
    assert books.run().kinds == [("not paid", 2)]


def test_a_refund_that_payme_has_not_made(books):
    fill(books, 1)
    fill(books, 2, transaction_state=T.REFUNDED)
    assert books.run().kinds == [("not returned", 2)]


def test_a_refund_that_both_made(books):
    fill(books, 1, state=CANCELLED, charge_state="refunded", transaction_state=T.REFUNDED)
    assert books.run().kinds == []


@pytest.mark.parametrize("stored", list(T))
def test_a_receipt_in_the_queue_for_cancellation_is_under_way(books, stored):
    books.payme.receipts.append(receipt(1, 21))
    books.add(transactions=[transaction(1, stored)])
    told = books.run()
    assert (told.kinds, told.under_way) == ([], 1)


def test_amounts_that_differ_from_the_transaction(books):
    fill(books, 1)
    books.payme.receipts.append(receipt(2, amount=5000))
    books.add(charges=[charge(2, amount=5000)], transactions=[transaction(2, amount=4999)])
    told = books.run()
    assert told.kinds == [("amount", 2)]
    assert (told.found[0].payme.amount, told.found[0].merchant.amount) == (5000, 4999)


def test_one_receipt_may_differ_from_both(books):
    fill(books, 1, state=CANCELLED)
    told = books.run()
    assert told.kinds == [("state", 1), ("not paid", 1)]


@pytest.mark.parametrize("stored", list(T))
def test_transactions_that_only_the_merchant_has(books, stored):
    fill(books, 1)
    books.add(transactions=[transaction(2, stored)])
    told = books.run()
    over = stored in (T.CANCELLED, T.REFUNDED)
    assert told.kinds == ([] if over else [("only merchant", 2)])
    assert told.transactions == 2


def test_a_transaction_whose_id_can_be_no_receipts(books):
    fill(books, 1)
    books.add(transactions=[{**transaction(2), "id": "x" * 64}])
    with books.audit() as audit:
        assert [one.kind for one in audit.differences()] == [Kind.ONLY_MERCHANT]


def test_a_receipt_of_before_the_period_is_asked_about(books):
    """It was made last month and paid in this one: Payme does not list it."""
    fill(books, 1)
    earlier = receipt(2, CANCELLED)

    class Payme(StubPayme):
        def page(self, offset, count):
            return [one for one in self.receipts[offset : offset + count] if one is not earlier]

    books.payme = Payme(*books.payme.receipts, earlier)
    books.add(transactions=[transaction(2)])
    assert books.run().kinds == [("not paid", 2)]
    earlier["state"] = 4
    assert books.run().kinds == []


def test_a_transaction_of_after_the_period_belongs_to_its_receipt(books):
    """The receipt was made at its end, and paid in the next month."""
    books.payme.receipts.append(receipt(1))
    books.add(charges=[charge(1)], transactions=[transaction(1, time=millis(30 * 86_400))])
    told = books.run()
    assert (told.kinds, told.transactions) == ([], 0)


def test_a_transaction_of_another_period_is_not_looked_at(books):
    fill(books, 1)
    books.add(transactions=[transaction(2, time=millis(-1)), transaction(3, time=millis(86_401))])
    told = books.run()
    assert (told.kinds, told.transactions) == ([], 1)


def test_receipts_of_checkout_are_known_to_the_transactions_alone(books):
    books.payme.receipts += [receipt(1), receipt(2)]
    books.add(transactions=[transaction(1), transaction(2)])
    assert books.run().kinds == []
    told = books.run(transactions=False)
    assert told.kinds == [("only payme", 1), ("only payme", 2)]
    assert told.transactions is None


def test_many_transactions_of_one_millisecond(books):
    """A page ends in the middle of a moment."""
    numbers = range(1, 1300)
    books.payme.receipts += [receipt(number) for number in numbers]
    books.add(
        charges=[charge(number) for number in numbers],
        transactions=[transaction(number, time=millis(number // 900)) for number in numbers],
    )
    assert books.run().transactions == 1299
    assert _ids(books) == [receipt_id(number) for number in numbers]


def test_transactions_whose_ids_do_not_grow_with_time(books):
    numbers = range(1, 1300)
    times = random.Random(7).sample(numbers, len(numbers))
    books.add(
        transactions=[
            transaction(number, time=millis(second // 3))
            for number, second in zip(numbers, times, strict=True)
        ]
    )
    placed = sorted((second // 3, number) for number, second in zip(numbers, times, strict=True))
    assert _ids(books) == [receipt_id(number) for _, number in placed]


def _ids(books):
    with SqlTransactions(books.shop_url) as stored:
        return [one.id for one in stored.between(millis(0), millis(86_400))]


def test_the_store_of_another_cash_box_is_noticed(books):
    fill(books, 1)
    _execute(books.shop, "UPDATE payme_transaction SET id = 'fffffffffffffffffffffff1'")
    assert "no transaction has the id of a receipt" in books.text()
    assert "no transaction has the id" not in books.text(transactions=False)


def test_transactions_that_find_no_receipt_are_asked_about_when_there_are_none_either(books):
    """A mistyped cash-box has none."""
    fill(books, 1)
    assert "no transaction has the id of a receipt" in books.text(box="mistyped")
    books.payme.receipts.clear()
    assert "no transaction has the id" not in books.text(box="mistyped")


# Several cash-boxes in one table. Payme lists the receipts of one.

TEA, BOOKS = "5e730e8e0b852a417aa49ceb", "587f72c72cac0d162c722ae2"


def test_the_payments_of_other_cash_boxes_are_not_compared(books):
    fill(books, 1)
    books.add(
        transactions=[transaction(2, box=BOOKS), transaction(3, box=TEA), transaction(4, box="")]
    )
    assert books.run(box=BOOKS).kinds == [("not performed", 1), ("only merchant", 2)]
    assert books.run(box=TEA).kinds == [("not performed", 1), ("only merchant", 3)]
    told = books.run(box="")
    assert (told.kinds, told.transactions) == ([("only merchant", 4)], 2)


def test_the_same_id_in_two_cash_boxes_is_the_one_of_the_cash_box_that_is_compared(books):
    fill(books, 1)
    books.add(transactions=[transaction(1, T.CANCELLED, box=TEA)])
    assert books.run(box="").kinds == []
    assert books.run(box=TEA).kinds == [("not performed", 1)]


@pytest.mark.parametrize("box", ["", TEA])
def test_the_only_cash_box_need_not_be_named(books, box):
    books.payme.receipts += [receipt(1), receipt(2)]
    books.add(transactions=[transaction(1, box=box), transaction(2, box=box)])
    told = books.run()
    assert (told.kinds, told.transactions) == ([], 2)


@pytest.mark.parametrize("others", [(TEA, BOOKS), ("", TEA)])
def test_several_cash_boxes_are_not_compared_as_one(books, others):
    books.add(transactions=[transaction(n, box=box) for n, box in enumerate(others, 1)])
    names = ", ".join(map(repr, sorted(others)))
    with pytest.raises(ConfigurationError, match=rf"box: .* 2 cash-boxes \({names}\)"):
        SqlTransactions(books.shop_url)


def test_no_more_than_five_of_many_cash_boxes_are_named(books):
    books.add(transactions=[transaction(n, box=f"box-{n}") for n in range(1, 8)])
    with pytest.raises(ConfigurationError, match=r"7 cash-boxes .*'box-5', …\)"):
        SqlTransactions(books.shop_url)


@pytest.mark.parametrize("box", ["two words", "x" * 65, 7])
def test_a_cash_box_that_can_not_be_right_is_refused_before_anything_is_read(books, box):
    with pytest.raises(ConfigurationError, match="box: got"):
        SqlTransactions(books.shop_url, box=box)


def test_a_table_from_before_cash_boxes_had_names_is_read(tmp_path):
    """The shop is started with the new version later than its audit."""
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = sa.create_engine(url)
    columns = "id TEXT PRIMARY KEY, time INTEGER, amount INTEGER, state INTEGER"
    _execute(engine, f"CREATE TABLE payme_transaction ({columns})")
    _execute(engine, "INSERT INTO payme_transaction VALUES ('r', 7, 5000, 2)")
    engine.dispose()
    for box, found in ((None, ["r"]), ("", ["r"]), (TEA, [])):
        with SqlTransactions(url, box=box) as stored:
            assert [one.id for one in stored.find(["r"])] == found
            assert [one.id for one in stored.between(0, 9)] == found


def test_a_charge_of_after_the_period_is_not_looked_at(books):
    at = charge(1)["created"] + 2 * 86_400
    books.add(charges=[charge(1, created=at, changed=at)])
    told = books.run()
    assert (told.kinds, told.charges) == ([], 0)


@pytest.mark.parametrize(("amount", "kinds"), [(1001, []), (1002, [("amount", 1)])])
def test_a_charge_that_changed_before_the_period_has_its_receipt(books, amount, kinds):
    """Its clock was behind Payme's by more than the audit allows for."""
    at = charge(1)["created"] - 86_400
    books.payme.receipts.append(receipt(1))
    books.add(charges=[charge(1, amount=amount, created=at, changed=at)])
    assert books.run(transactions=False).kinds == kinds


# What changes while it is read.


def test_a_charge_that_comes_on_while_it_is_compared_is_under_way(books):
    books.payme.receipts.append(receipt(1, CANCELLED))
    books.add(charges=[charge(1)])
    answer = books.payme.answer

    def then_it_comes_on(method, params):
        if method == "receipts.get":
            _execute(books.ledger, "UPDATE payme_charge SET version = version + 1")
        return answer(method, params)

    books.payme.answer = then_it_comes_on
    told = books.run()
    assert (told.kinds, told.under_way) == ([], 1)


def test_a_payment_that_begins_while_the_rest_is_compared_is_under_way(books, monkeypatch):
    books.payme.receipts.append(receipt(1))
    find = Audit._find_orphans

    def then_somebody_pays(self):
        find(self)
        books.add(transactions=[transaction(1)])

    monkeypatch.setattr(Audit, "_find_orphans", then_somebody_pays)
    told = books.run()
    assert (told.kinds, told.under_way) == ([], 1)


def test_a_payment_that_ends_while_it_is_compared_is_under_way(books):
    """The transaction is performed after it was read, and the receipt is paid after that."""
    fill(books, 1)
    books.payme.receipts.append(receipt(2))
    books.add(transactions=[transaction(2, T.CREATED)])
    answer = books.payme.answer

    def then_it_is_performed(method, params):
        if method == "receipts.get" and params["id"] == receipt_id(2):
            books.update(2, state=int(T.PERFORMED))
        return answer(method, params)

    books.payme.answer = then_it_is_performed
    told = books.run()
    assert (told.kinds, told.under_way) == ([], 1)


def test_a_receipt_that_is_cancelled_while_it_is_compared_agrees(books):
    stale = receipt(1, PAID)
    books.payme.receipts.append(stale)
    books.add(transactions=[transaction(1, T.REFUNDED)])
    answer = books.payme.answer

    def then_it_is_cancelled(method, params):
        if method == "receipts.get":
            stale["state"] = 50
        return answer(method, params)

    books.payme.answer = then_it_is_cancelled
    assert books.run().kinds == []


def test_a_receipt_that_is_being_paid_is_no_orphan(books):
    """Somebody opened its page: it has a transaction, so it must not be cancelled."""
    books.payme.receipts += [receipt(1), receipt(2, CREATED, amount=1001, account=None)]
    lost = {"charge_id": "order-1", "version": 1, "at": charge(1)["created"], "before": "new"}
    lost |= {"after": "new", "evidence": "receipts.create: OutcomeUnknown"}
    books.add(charges=[charge(1)], transactions=[transaction(1), transaction(2, T.CREATED, 1001)])
    _add_event(books, **lost)
    assert books.run(cancel=True).kinds == []
    assert "receipts.cancel" not in books.payme.methods()
    books.update(2, id=receipt_id(9))
    told = books.run(cancel=True, transactions=False)
    assert (told.kinds, told.orphans_cancelled) == ([("orphan", 2)], 1)


def _add_event(books, **members):
    from payme.charges.ledger.sql import events

    with books.ledger.begin() as connection:
        connection.execute(events.insert(), members)


def test_an_orphan_that_somebody_pays_in_the_moment_before_it_is_cancelled_stays(books):
    books.payme.receipts += [receipt(1), receipt(2, CREATED, amount=1001, account=None)]
    books.add(charges=[charge(1)], transactions=[transaction(1)])
    lost = {"charge_id": "order-1", "version": 1, "at": charge(1)["created"], "before": "new"}
    _add_event(books, **lost, after="new", evidence="receipts.create: OutcomeUnknown")
    answer = books.payme.answer

    def then_somebody_pays(method, params):
        if method == "receipts.get":
            books.add(transactions=[transaction(2, T.CREATED, 1001)])
        return answer(method, params)

    books.payme.answer = then_somebody_pays
    told = books.run(cancel=True)
    assert (told.kinds, told.orphans_cancelled) == ([("orphan", 2)], 0)
    assert "receipts.cancel" not in books.payme.methods()


# Hostile pages.


def test_pages_in_no_order(books):
    fill(books, *range(1, 300))
    random.Random(7).shuffle(books.payme.receipts)
    assert books.run().kinds == []


class Growing(StubPayme):
    """The newest first; three new receipts come with each page, and push the others on."""

    def page(self, offset, count):
        found = super().page(offset, count)
        if len(self.receipts) < 400:
            made = len(self.receipts)
            self.receipts[:0] = [receipt(made + one, 50) for one in range(3)]
        return found


class Shrinking(StubPayme):
    """Receipts vanish from the list while it is read, so that others are skipped."""

    def page(self, offset, count):
        return self.receipts[offset + offset // 10 : offset + offset // 10 + count]


class Twice(StubPayme):
    """Every receipt comes twice, on one page and on the next."""

    def page(self, offset, count):
        return [one for one in self.receipts for _ in range(2)][offset : offset + count]


@pytest.mark.parametrize("kind", [Growing, Shrinking, Twice])
def test_pages_that_change_while_they_are_read(books, kind):
    """What a page leaves out is asked for by its id, so nothing is told that is not so."""
    fill(books, *range(1, 200))
    books.payme = kind(*books.payme.receipts)
    told = books.run()
    assert (told.kinds, told.charges, told.transactions) == ([], 199, 199)
    if kind is Twice:
        assert told.receipts == 199


def test_receipts_that_a_page_left_out_differ_all_the_same(books):
    fill(books, *range(1, 200))
    books.payme = Shrinking(*books.payme.receipts)
    for one in books.payme.receipts:
        one["state"] = 50
    kinds = books.run().kinds
    assert sorted(kinds) == sorted(
        (kind, n) for n in range(1, 200) for kind in ("state", "not paid")
    )


def test_receipts_without_an_account_and_of_a_state_nobody_knows(books):
    fill(books, 1, 2)
    books.payme.receipts += [receipt(3, 77, account=None), receipt(4, account=None)]
    books.payme.receipts[0].update(account=None, description=None)
    books.add(transactions=[transaction(3), transaction(4)])
    told = books.run()
    assert (told.kinds, told.under_way) == ([], 1)


def test_an_answer_that_is_lost_in_the_middle_is_read_again(books):
    fill(books, *range(1, 150))
    handle, lost = books.payme.handle, []

    class Lost(Exception):
        sent = True

    def loses_one(body, auth):
        answer = handle(body, auth)
        if len(books.payme.asked) == 2 and not lost:
            lost.append(body)
            raise Lost
        return answer

    books.payme.handle = loses_one
    told = books.run()
    assert (lost != [], told.kinds, told.receipts) == (True, [], 149)


def test_an_audit_that_is_not_answered_in_the_middle_ends_with_an_error(books):
    fill(books, *range(1, 150))

    class Down(Exception):
        status = 503

    def goes_down(method, params):
        if method == "receipts.get_all" and params["offset"]:
            raise Down
        return StubPayme.answer(books.payme, method, params)

    books.payme.answer = goes_down
    with pytest.raises(PaymeError):
        books.run()


# The transactions of a shop.


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nothing", "expected a URL such as"),
        ("sqlite://", "no table payme_transaction"),
    ],
)
def test_transactions_that_can_not_be_read_are_told(url, reason):
    with pytest.raises(ConfigurationError, match=reason):
        SqlTransactions(url)


def test_the_address_of_a_shop_on_asyncio_does_as_well(tmp_path):
    with three_books(f"sqlite:///{tmp_path}/shop.db", f"sqlite:///{tmp_path}/shop.db") as books:
        fill(books, 1)
        books.shop_url = f"sqlite+aiosqlite:///{tmp_path}/shop.db"
        assert books.run().transactions == 1


# Memory.

ROOT = Path(__file__).parents[2]


def peak(count, folder):
    """Compare three books of so many rows, in a process of its own; return its peak in MiB."""
    program = [sys.executable, "-m", "charges.audit_memory", str(count), str(folder)]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path}
    said = subprocess.check_output(program, cwd=ROOT, env=environment, text=True)
    return float(said.split()[0])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_books(tmp_path):
    assert peak(20_000, tmp_path) < peak(2_000, tmp_path) + 8


@pytest.mark.skipif(
    os.environ.get("PAYME_TEST_LONG") != "1", reason="takes minutes: set PAYME_TEST_LONG=1"
)
def test_a_million_of_each_take_less_than_100_mb(tmp_path):
    assert peak(1_000_000, tmp_path) < 100
