"""The FastAPI application on the page of charges: put together, served and used."""

import importlib
import re
import sys
import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from fastapi.testclient import TestClient

from payme.sandbox import Sandbox

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"^```python file\n# shop/api\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(sandbox, tmp_path, monkeypatch):
    (code,) = FILE.findall((DOCS / "en" / "charges.md").read_text(encoding="utf-8"))
    (tmp_path / "api_of_the_page.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    given = {
        "PAYME_LEDGER": f"sqlite:///{tmp_path / 'payme.db'}",
        "PAYME_LEDGER_KEY": Fernet.generate_key().decode(),
        "PAYME_MERCHANT_ID": sandbox.merchant_id,
        "PAYME_KEY": sandbox.key,
        "PAYME_BASE_URL": sandbox.url,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    yield importlib.import_module("api_of_the_page")
    del sys.modules["api_of_the_page"]


def test_an_order_is_paid_in_the_request(api, sandbox):
    with TestClient(api.app) as client:
        for _ in range(2):
            told = client.post("/orders/106/pay", json={"token": sandbox.add_card()}).json()
            assert told == {"state": "paid", "paid": True}
    assert len(sandbox.ledger()) == 1


def test_what_a_request_leaves_is_driven_beside_it(api, sandbox):
    with TestClient(api.app) as client:
        submit = api.app.state.charges.submit
        client.portal.call(submit, "order-7", 50_000, {"order_id": 7}, sandbox.add_card())
        until = time.monotonic() + 20
        while not sandbox.ledger():
            assert time.monotonic() < until
            time.sleep(0.05)
    assert len(sandbox.ledger()) == 1


def test_the_application_is_the_same_in_every_language():
    pages = [(DOCS / name / "charges.md").read_text(encoding="utf-8") for name in ("ru", "uz")]
    (code,) = FILE.findall((DOCS / "en" / "charges.md").read_text(encoding="utf-8"))
    assert [FILE.findall(page) for page in pages] == [[code], [code]]
