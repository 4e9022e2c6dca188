"""Three books for audits: a Payme that answers from memory, a ledger, and a shop's transactions."""

import json
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import sqlalchemy as sa

from payme import Payme
from payme.charges.audit import Audit
from payme.charges.audit.sql import SqlTransactions
from payme.charges.ledger.sql import charges as charge_table
from payme.charges.ledger.sql import metadata as charge_metadata
from payme.cli import shown
from payme.cli.sql_books import SqlBooks
from payme.merchant.stores.sqlalchemy import metadata as shop_metadata
from payme.merchant.stores.sqlalchemy import transactions as transaction_table
from payme.transport.memory import MemoryTransport

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=1)
BEGUN = START.timestamp()


def receipt_id(number):
    return f"{number:024x}"


def millis(second):
    return int((BEGUN + second) * 1000)


def receipt(number, state=4, amount=None, **members):
    """Write a receipt as Payme does."""
    return {
        "_id": receipt_id(number),
        "create_time": millis(number % 80_000),
        "pay_time": 0,
        "cancel_time": 0,
        "state": int(state),
        "amount": 1000 + number if amount is None else amount,
        "account": [{"name": "order_id", "title": "Order", "value": str(number), "main": True}],
        "description": "",
        **members,
    }


def charge(number, state="paid", amount=None, **members):
    """Write a row of the ledger, for the receipt with the same number."""
    at = BEGUN + number % 80_000
    return {
        "id": f"order-{number}",
        "amount": 1000 + number if amount is None else amount,
        "account": json.dumps({"order_id": number}),
        "state": state,
        "hold": False,
        "receipt_id": receipt_id(number),
        "receipts": 1,
        "attempts": 1,
        "cancels": 0,
        "given_up": False,
        "evidence": "receipts.pay: PAID",
        "tries": 0,
        "due": None,
        "created": at,
        "changed": at + 1,
        "version": 3,
        "means": b"",
        **members,
    }


def transaction(number, state=2, amount=None, **members):
    """Write a row of the shop's transactions, for the receipt with the same number."""
    return {
        "id": receipt_id(number),
        "order_id": str(number),
        "time": millis(number % 80_000),
        "amount": 1000 + number if amount is None else amount,
        "account": {"order_id": str(number)},
        "create_time": millis(number % 80_000),
        "perform_time": 0,
        "cancel_time": 0,
        "state": int(state),
        "reason": None,
        "receivers": [],
        "fiscal": {},
        "reserves": None,
        "box": "",
        **members,
    }


class StubPayme:
    """Answers `receipts.get_all`, `get` and `cancel`, and notes what it is asked."""

    def __init__(self, *receipts):
        self.receipts = list(receipts)
        self.asked = []

    def page(self, offset, count):
        return self.receipts[offset : offset + count]

    def find(self, its_id):
        return next((one for one in self.receipts if one["_id"] == its_id), None)

    def answer(self, method, params):
        if method == "receipts.get_all":
            return self.page(params["offset"], params["count"])
        found = self.find(params["id"])
        if found is None:
            return None
        if method == "receipts.cancel":
            found["state"] = 50
        return {"receipt": found}

    def handle(self, body, _auth):
        asked = json.loads(body)
        self.asked.append((asked["method"], asked["params"]))
        result = self.answer(asked["method"], asked["params"])
        answer = {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}
        if result is None:
            del answer["result"]
            answer["error"] = {"code": -31602, "message": "Чек не найден или оплачен"}
        return json.dumps(answer).encode()

    def methods(self):
        return [method for method, _ in self.asked]


class Three:
    """The books, and audits of them."""

    def __init__(self, url, shop_url, payme):
        self.url, self.shop_url, self.payme = url, shop_url, payme
        self.ledger = sa.create_engine(url)
        self.shop = sa.create_engine(shop_url)
        charge_metadata.create_all(self.ledger)
        shop_metadata.create_all(self.shop)

    def close(self):
        self.ledger.dispose()
        self.shop.dispose()

    def add(self, *, charges=(), transactions=()):
        _insert(self.ledger, charge_table, charges)
        _insert(self.shop, transaction_table, transactions)

    def update(self, number, **values):
        its = transaction_table.c.id == receipt_id(number)
        with self.shop.begin() as connection:
            connection.execute(sa.update(transaction_table).where(its).values(**values))

    @contextmanager
    def audit(self, *, transactions=True, cancel=False, box=None):
        transport = MemoryTransport(self.payme.handle)
        with (
            Payme("5e730e8e0b852a417aa49ceb", "key", transport=transport) as client,
            SqlBooks(self.url, []) as books,
            SqlTransactions(self.shop_url, box=box) as merchant,
            Audit(
                client,
                books,
                (START, END),
                transactions=merchant if transactions else None,
                cancel=cancel,
            ) as audit,
        ):
            yield audit

    def run(self, **options):
        with self.audit(**options) as audit:
            found = list(audit.differences())
            return SimpleNamespace(
                found=found,
                kinds=[(one.kind.value, _number(one)) for one in found],
                **audit.json(),
            )

    def text(self, **options):
        with self.audit(**options) as audit:
            return "\n".join(shown.audit_lines(audit))


def _number(difference):
    return int(difference.receipt_id, 16)


def _insert(engine, table, rows):
    rows = list(rows)
    if rows:
        with engine.begin() as connection:
            connection.execute(sa.insert(table), rows)


@contextmanager
def three_books(url, shop_url, payme=None):
    with closing(Three(url, shop_url, payme or StubPayme())) as books:
        yield books
