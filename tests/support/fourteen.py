"""The fourteen methods: how each is called, and the state that it needs."""

import json
from typing import Any, NamedTuple

from payme import FiscalData, Payer
from payme.sandbox import Sandbox

CARD = "8600069195406311"
CODE = "666666"
PHONE = "998901304527"
EMAIL = "payer.of@example.uz"
AMOUNT = 50_000


class State(NamedTuple):
    """A card and receipts in every state that a method starts from."""

    unverified: str
    token: str
    unpaid: str
    paid: str
    held: str


def prepare(sandbox: Sandbox, method: str = "") -> State:
    """Make the state in the sandbox, behind the back of the server under test."""
    unverified = sandbox.add_card(verified=False)
    token = sandbox.add_card()
    state = State(
        unverified,
        token,
        sandbox.add_receipt(amount=AMOUNT),
        sandbox.add_receipt(amount=AMOUNT),
        sandbox.add_receipt(amount=AMOUNT, hold=True),
    )
    if method == "cards.verify":
        ask(sandbox, "cards.get_verify_code", token=unverified)
    if method == "receipts.cancel":
        ask(sandbox, "receipts.pay", id=state.paid, token=token)
    if method == "receipts.confirm_hold":
        ask(sandbox, "receipts.pay", id=state.held, token=token, hold=True)
    return state


def ask(sandbox: Sandbox, method: str, **params: Any) -> Any:
    """Call the sandbox in-process."""
    body = json.dumps({"id": 1, "method": method, "params": params}).encode()
    answer = json.loads(sandbox.handle(body, f"{sandbox.merchant_id}:{sandbox.key}"))
    assert "result" in answer, answer
    return answer["result"]


def state_of(sandbox: Sandbox, receipt_id: str) -> int:
    state: int = ask(sandbox, "receipts.check", id=receipt_id)["state"]
    return state


FISCAL = FiscalData(receipt_id=121, qr_code_url="https://ofd.soliq.uz/check?t=EP000000000025")
PAYER = Payer(id="7", phone=PHONE, email=EMAIL, name="Alisher", ip="127.0.0.1")

# Literal, and not read from the package: the table of effects is part of what is tested.
READS = ["cards.check", "receipts.check", "receipts.get", "receipts.get_all"]
CREATES = [
    "cards.create",
    "cards.get_verify_code",
    "cards.verify",
    "cards.remove",
    "receipts.create",
    "receipts.send",
    "receipts.set_fiscal_data",
]
MOVES_MONEY = ["receipts.pay", "receipts.cancel", "receipts.confirm_hold"]
FOURTEEN = [*READS, *CREATES, *MOVES_MONEY]

CALLS: dict[str, Any] = {
    "cards.create": lambda payme, _: payme.cards.create(CARD, "0399"),
    "cards.get_verify_code": lambda payme, s: payme.cards.get_verify_code(s.unverified),
    "cards.verify": lambda payme, s: payme.cards.verify(s.unverified, CODE),
    "cards.check": lambda payme, s: payme.cards.check(s.token),
    "cards.remove": lambda payme, s: payme.cards.remove(s.token),
    "receipts.create": lambda payme, _: payme.receipts.create(AMOUNT, {"order_id": 106}),
    "receipts.pay": lambda payme, s: payme.receipts.pay(s.unpaid, s.token, payer=PAYER),
    "receipts.send": lambda payme, s: payme.receipts.send(s.unpaid, PHONE),
    "receipts.cancel": lambda payme, s: payme.receipts.cancel(s.paid),
    "receipts.check": lambda payme, s: payme.receipts.check(s.unpaid),
    "receipts.get": lambda payme, s: payme.receipts.get(s.unpaid),
    "receipts.get_all": lambda payme, _: payme.receipts.get_all(50, 0, 4_102_444_800_000),
    "receipts.confirm_hold": lambda payme, s: payme.receipts.confirm_hold(s.held),
    "receipts.set_fiscal_data": lambda payme, s: payme.receipts.set_fiscal_data(s.unpaid, FISCAL),
}

RECEIPT_OF: dict[str, Any] = {
    "receipts.pay": lambda s: s.unpaid,
    "receipts.send": lambda s: s.unpaid,
    "receipts.cancel": lambda s: s.paid,
    "receipts.check": lambda s: s.unpaid,
    "receipts.get": lambda s: s.unpaid,
    "receipts.confirm_hold": lambda s: s.held,
    "receipts.set_fiscal_data": lambda s: s.unpaid,
}
"""The receipt that an error of each method must name."""
