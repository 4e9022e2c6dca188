"""Whole payments by clients that others wrote. Run by an interpreter that has only those.

python foreign_flows.py URL MERCHANT_ID KEY CLIENT
"""

import importlib
import sys
import urllib.request

CARD, EXPIRE, CODE = "8600495473316478", "0399", "666666"
PHONE = "998901234567"


def payme_pkg(url, merchant, key):
    # Its own tests, which it offers to its users.
    importlib.import_module("payme.classes.cards").Cards(url, merchant).test()
    importlib.import_module("payme.classes.receipts").Receipts(merchant, key, url).test()


def gateway(package, url, merchant, key):
    """Tolov and paytechuz have the same interface."""
    gateways = f"{package}.gateways.payme"
    http = importlib.import_module(f"{package}.core.http").HttpClient(base_url=url)
    cards = importlib.import_module(f"{gateways}.cards").PaymeCards(http, merchant)
    receipts = importlib.import_module(f"{gateways}.receipts").PaymeReceipts(http, merchant, key)
    token = cards.create(CARD, EXPIRE, save=True, phone=PHONE)["result"]["card"]["token"]
    assert cards.get_verify_code(token)["result"]["sent"] is True
    assert cards.verify(token, CODE)["result"]["card"]["verify"] is True
    made = receipts.create(50_000, {"order_id": 1}, phone=PHONE, callback_url="https://shop.uz")
    receipt = made["result"]["receipt"]["_id"]
    assert receipts.pay(receipt, token)["result"]["receipt"]["state"] == 4
    assert receipts.check(receipt)["result"]["state"] == 4
    assert receipts.get(receipt)["result"]["receipt"]["_id"] == receipt
    assert receipts.send(receipt, PHONE)["result"]["success"] is True
    assert receipts.cancel(receipt, "returned")["result"]["receipt"]["state"] == 21
    # The link that it makes when it is told nothing but the order and the sum.
    shop = importlib.import_module(f"{gateways}.client").PaymeGateway(merchant, key)
    link = shop.create_payment(id=1, amount=500)
    path = link.rpartition("/")[2]
    assert urllib.request.urlopen(f"{url.removesuffix('api')}{path}").status == 200
    assert cards.check(token)["result"]["card"]["recurrent"] is True
    assert cards.remove(token)["result"]["success"] is True


def main(url, merchant, key, client):
    if client == "payme-pkg":
        payme_pkg(url, merchant, key)
    else:
        gateway(client, url, merchant, key)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
