"""What the page on saved cards tells a shop to write does what the page says."""

import re
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from payme import Payme
from payme.charges import SqlLedger
from payme.sandbox import Sandbox
from payme.wallet import CardState, Wallet

PAGE = (Path(__file__).parents[2] / "docs" / "en" / "wallet.md").read_text(encoding="utf-8")
(SHOP,) = re.findall(r"^```python\n(import http\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shop():
    found = {}
    exec(compile(SHOP, "wallet.md", "exec"), found)
    return found


def test_a_shop_answers_the_form_and_removes_only_what_is_the_customers(shop, tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[Fernet.generate_key()])
    with Sandbox() as box, Payme(box.merchant_id, box.key, base_url=box.url, proxy="") as payme:
        wallet = Wallet(payme, ledger)
        save, token = shop["save_card"], box.add_card()
        assert save(wallet, "aziza", token) == (201, "860006******6311")
        assert save(wallet, "aziza", box.add_card(verified=False)) == (409, "unverified")
        assert save(wallet, "bek", token) == (422, "bind the card again")
        payme.cards.remove(gone := box.add_card())
        assert save(wallet, "bek", gone) == (422, "bind the card again")
        (card,) = wallet.list("aziza")
        assert shop["remove_card"](wallet, "bek", card.id) == 404
        assert shop["remove_card"](wallet, "aziza", card.id) == 204
        assert wallet.list("aziza") == []
    ledger.close()


def test_the_page_names_every_state():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [state.value for state in CardState]
