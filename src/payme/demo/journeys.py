"""The whole journey of a payment against the embedded sandbox."""

import asyncio
import os
import subprocess
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from payme import AsyncPayme, OutcomeUnknown, Payme, Receipt, format_som, som
from payme.cards.subscribe_cards import PaymeSubscribeCards
from payme.demo import words
from payme.receipts.subscribe_receipts import PaymeSubscribeReceipts
from payme.sandbox import Sandbox

CARD, EXPIRE, CODE, PHONE = "8600069195406311", "0399", "666666", "998901304527"


def main() -> None:
    """Run the journeys and print each step."""
    # A console that can't show Uzbek letters must not end a demonstration.
    reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(errors="replace")
    with Sandbox() as sandbox:
        print(words.BEGIN(url=sandbox.url, merchant_id=sandbox.merchant_id))
        with_the_specification(sandbox)
        with_payme(sandbox)
        asyncio.run(with_async_payme(sandbox))
        with_a_crash(sandbox)
    print(f"\n{words.END()}")


def with_the_specification(sandbox: Sandbox) -> None:
    """Walk with the two classes of the specification, which return the server's JSON."""
    _title(words.SPECIFICATION())
    cards = PaymeSubscribeCards(base_url=sandbox.url, paycom_id=sandbox.merchant_id)
    receipts = PaymeSubscribeReceipts(
        base_url=sandbox.url, paycom_id=sandbox.merchant_id, paycom_key=sandbox.key
    )
    card = _result("cards_create", cards.cards_create(number=CARD, expire=EXPIRE, save=True))[
        "card"
    ]
    token = card["token"]
    _result("card_get_verify_code", cards.card_get_verify_code(token=token))
    _result("cards_verify", cards.cards_verify(verify_code=CODE, token=token))
    _result("cards_check", cards.cards_check(token=token))
    created = _result("receipts_create", receipts.receipts_create(amount=50_000_00, order_id=1))
    invoice = created["receipt"]["_id"]
    _result("receipts_send", receipts.receipts_send(invoice_id=invoice, phone=PHONE))
    _result("receipts_pay", receipts.receipts_pay(invoice_id=invoice, token=token, phone=PHONE))
    _result("receipts_check", receipts.receipts_check(invoice_id=invoice))
    _result("receipts_get", receipts.receipts_get(invoice_id=invoice))
    _result("receipts_cancel", receipts.receipts_cancel(invoice_id=invoice))
    now = _millis(datetime.now(UTC))
    page = receipts.receipts_get_all(count=2, _from=0, _to=now, offset=0)
    _say("receipts_get_all", words.RECEIPTS(count=len(page["result"])))
    _result("cards_remove", cards.cards_remove(token=token))


def with_payme(sandbox: Sandbox) -> None:
    """Walk with the blocking client, which returns values and raises errors."""
    _title(words.BLOCKING())
    with Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:
        card = payme.cards.create(CARD, EXPIRE)
        _say("cards.create", f"{card.number}, verify={card.verify}")
        code = payme.cards.get_verify_code(card.token)
        _say("cards.get_verify_code", words.SMS(phone=code.phone, seconds=code.wait // 1000))
        _say("cards.verify", f"verify={payme.cards.verify(card.token, CODE).verify}")

        receipt = payme.receipts.create(som("50 000"), {"order_id": 2})
        _say("receipts.create", _shown(receipt))
        receipt = payme.receipts.pay(receipt.id, card.token)
        _say("receipts.pay", _shown(receipt))
        _say("receipts.check", payme.receipts.check(receipt.id).name)
        _say("receipts.send", payme.receipts.send(receipt.id, PHONE))
        again = payme.receipts.pay(receipt.id, card.token)
        debits = sandbox.debits(receipt.id)
        _say(words.AGAIN(), words.SAME(receipt=_shown(again), debits=debits))

        held = payme.receipts.create(som("120 000"), {"order_id": 3}, hold=True)
        _say("receipts.pay (hold)", _shown(payme.receipts.pay(held.id, card.token, hold=True)))
        _say("receipts.confirm_hold", _shown(payme.receipts.confirm_hold(held.id)))
        _say("receipts.cancel", _shown(payme.receipts.cancel(receipt.id)))

        now = datetime.now(UTC)
        for listed in payme.receipts.iterate(now - timedelta(hours=1), now + timedelta(seconds=1)):
            _say("receipts.iterate", _shown(listed))


async def with_async_payme(sandbox: Sandbox) -> None:
    """Walk with the asyncio client, many payments at a time."""
    _title(words.ASYNCIO())
    async with AsyncPayme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:
        card = await payme.cards.create(CARD, EXPIRE)
        _say("cards.create", card.number)
        _say("cards.get_verify_code", (await payme.cards.get_verify_code(card.token)).sent)
        _say("cards.verify", (await payme.cards.verify(card.token, CODE)).verify)

        async def order(number: int) -> Receipt:
            receipt = await payme.receipts.create(som(10_000 + number), {"order_id": number})
            try:
                return await payme.receipts.pay(receipt.id, card.token)
            except OutcomeUnknown as lost:
                return await payme.receipts.resolve(lost, cancel=True) or receipt

        paid = await asyncio.gather(*(order(number) for number in range(10, 15)))
        went = sum(receipt.is_paid for receipt in paid)
        _say("receipts.create, .pay", words.PAID(paid=went, count=len(paid)))
        first = paid[0]
        _say("receipts.check", (await payme.receipts.check(first.id)).name)
        _say("receipts.send", await payme.receipts.send(first.id, PHONE))

        held = await payme.receipts.create(som(7_500), {"order_id": 15}, hold=True)
        await payme.receipts.pay(held.id, card.token, hold=True)
        _say("receipts.confirm_hold", _shown(await payme.receipts.confirm_hold(held.id)))
        _say("receipts.cancel", _shown(await payme.receipts.cancel(first.id)))

        now = datetime.now(UTC)
        hour, soon = now - timedelta(hours=1), now + timedelta(seconds=1)
        listed = [receipt.id async for receipt in payme.receipts.iterate(hour, soon)]
        _say("receipts.iterate", words.LISTED(count=len(listed)))


# A shop's process that charges a card and is killed before it hears the answer.
_SHOP: Final = """
import sys
from payme import Payme
from payme.charges import Charges, Policy, SqlLedger
url, merchant_id, ledger, token = sys.argv[1:]
with Payme(merchant_id, base_url=url) as payme:
    charges = Charges(payme, SqlLedger(ledger), policy=Policy(lease=1.0))
    charges.charge("order-16", 1_600_000, {"order_id": 16}, token)
"""


def with_a_crash(sandbox: Sandbox) -> None:
    """Kill a process in the middle of a charge, and let another one find out what happened."""
    _title(words.CRASH())
    if find_spec("sqlalchemy") is None:
        _say(words.LEFT_OUT(), words.NEEDS(install="pip install 'payme-uz[sandbox,charges]'"))
        return
    from payme.charges import Charges, Policy, SqlLedger

    warnings.filterwarnings("ignore", "card tokens are stored unencrypted")
    token = sandbox.add_card()
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder, 'payme.db')}"
        ledger = SqlLedger(url)
        _kill_in_the_middle(sandbox, url, token)
        with Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:
            charges = Charges(payme, ledger, policy=Policy(ask_for=3.0, lease=1.0))
            before = charges.get("order-16")
            _say(words.LEDGER(), words.CHARGE(id=before.id, state=before.state))
            charge = charges.charge("order-16", 1_600_000, {"order_id": 16}, token, deadline=30)
            ended = words.CHARGE(id=charge.id, state=charge.state)
            _say(words.ANOTHER(), f"{ended}, {charge.evidence}")
            debits = sandbox.debits(str(charge.receipt_id))
            _say(words.SANDBOX(), words.DEBITS(debits=debits))
        ledger.close()
        if not charge.is_paid or debits != 1:
            raise SystemExit(words.NOT_ONCE(charge=repr(charge), debits=debits))


def _kill_in_the_middle(sandbox: Sandbox, ledger: str, token: str) -> None:
    sandbox.faults.add("receipts.pay", when="after", action="delay", delay_ms=20_000, times=1)
    before = _debits(sandbox)
    command = [sys.executable, "-W", "ignore", "-c", _SHOP, sandbox.url, sandbox.merchant_id]
    shop = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        [*command, ledger, token], env={**os.environ, "PAYME_KEY": sandbox.key}
    )
    try:
        until = time.monotonic() + 30
        while _debits(sandbox) == before:
            if shop.poll() is not None or time.monotonic() > until:
                raise SystemExit(words.ENDED())
            time.sleep(0.02)
    finally:
        shop.kill()
        shop.wait()
    _say("kill -9", words.UNHEARD())


def _debits(sandbox: Sandbox) -> int:
    # Refunds of the receipts that were cancelled before come when they come.
    return sum(entry.kind == "debit" for entry in sandbox.ledger())


def _result(step: str, answer: dict[str, Any]) -> Any:
    if "error" in answer:
        raise SystemExit(f"{step}: {answer['error']}")
    _say(step, _summary(answer["result"]))
    return answer["result"]


def _summary(result: dict[str, Any]) -> str:
    if "card" in result:
        return f"{result['card']['number']}, verify={result['card']['verify']}"
    if "receipt" in result:
        receipt = result["receipt"]
        money = format_som(receipt["amount"])
        return words.RECEIPT(id=receipt["_id"], state=receipt["state"], money=money)
    return ", ".join(f"{name}={value}" for name, value in result.items())


def _shown(receipt: Receipt) -> str:
    money = format_som(receipt.amount)
    return words.MONEY(id=receipt.id, state=receipt.state.name, money=money)


def _title(text: str) -> None:
    print(f"\n{text}")


def _say(step: str, outcome: object) -> None:
    print(f"   {step:<24}{outcome}")


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
