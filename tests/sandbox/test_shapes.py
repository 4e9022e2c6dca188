"""Every answer has the shape of the recorded one: same keys in the same order, same types."""

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_tools import Caller, Clock

SAMPLES = json.loads(Path(__file__).with_name("samples.json").read_text(encoding="utf-8"))


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, shape(member)) for name, member in value.items()]
    if isinstance(value, list):
        return [shape(member) for member in value]
    return type(value).__name__


def like(sample: str, result: Any) -> bool:
    recorded = shape(SAMPLES[sample]["result"])
    return recorded == shape(result)


def test_cards(caller: Caller) -> None:
    card = {"number": "8600069195406311", "expire": "0399"}
    created = caller.ok("cards.create", card=card, save=True)
    token = created["card"]["token"]
    assert like("cards.create", created)
    assert created["card"]["number"] == "860006******6311"
    assert created["card"]["expire"] == "03/99"
    assert created["card"]["verify"] is False
    sent = caller.ok("cards.get_verify_code", token=token)
    assert like("cards.get_verify_code", sent)
    assert sent == SAMPLES["cards.get_verify_code"]["result"]
    verified = caller.ok("cards.verify", token=token, code="666666")
    assert like("cards.verify", verified)
    assert verified["card"] == {**created["card"], "verify": True}
    assert caller.ok("cards.check", token=token) == verified
    assert like("cards.check", verified)
    assert caller.ok("cards.remove", token=token) == SAMPLES["cards.remove"]["result"]


def test_receipts(caller: Caller) -> None:
    created = caller.ok("receipts.create", amount=400_000, account={"order_id": 1})
    assert like("receipts.create", created)
    receipt = created["receipt"]["_id"]
    assert like("receipts.get", caller.ok("receipts.get", id=receipt))
    assert caller.ok("receipts.check", id=receipt) == {"state": 0}
    sent = caller.ok("receipts.send", id=receipt, phone="998901304527")
    assert sent == SAMPLES["receipts.send"]["result"]
    paid = caller.ok("receipts.pay", id=receipt, token=caller.verified())
    assert like("receipts.pay", paid)
    assert paid["receipt"]["card"] == {"number": "860006******6311", "expire": "9903"}
    assert paid["receipt"]["processing_id"] == 0
    cancelled = caller.ok("receipts.cancel", id=receipt)
    assert like("receipts.cancel", cancelled)
    assert cancelled["receipt"]["state"] == 21
    assert cancelled["receipt"]["cancel_time"] == 0


def test_get_all(caller: Caller, clock: Clock) -> None:
    cancelled = caller.receipt()
    caller.ok("receipts.cancel", id=cancelled)
    clock.advance(1)
    caller.receipt()
    listed = caller.all(count=2, since=1636398000000, until=1636398000000)
    assert like("receipts.get_all", listed)
    assert [receipt["state"] for receipt in listed] == [0, 50]
    assert [receipt["account"][0]["value"] for receipt in listed] == [2, 1]


# What of a receipt is the same in every recorded answer is the same here.
CONSTANT = ("type", "external", "operation", "category", "error", "currency", "commission")


@pytest.mark.parametrize("field", CONSTANT)
def test_constants(caller: Caller, field: str) -> None:
    sample = SAMPLES["receipts.create"]["result"]["receipt"]
    receipt = caller.ok("receipts.get", id=caller.receipt())["receipt"]
    assert receipt[field] == sample[field]


def test_token_looks_like_a_recorded_one(caller: Caller) -> None:
    recorded = SAMPLES["cards.create"]["result"]["card"]["token"]
    token = caller.card()
    assert len(token) == len(recorded) == 415
    assert int(token[:24], 16)
    assert token[24] == "_"
    assert token[25:].isalnum()


def test_tokens_and_ids_are_unique(caller: Caller) -> None:
    assert len({caller.card() for _ in range(50)}) == 50
    assert len({caller.receipt() for _ in range(50)}) == 50
