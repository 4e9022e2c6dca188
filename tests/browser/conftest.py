"""A real browser: Debian's Chromium, driven by Playwright's Python package."""

import shutil
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from browser_tools import LOOKS, Look, Shop, Visitor

from payme.sandbox import Sandbox

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs Playwright: pip install playwright"
    )
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium")
    # Not for the whole session: while it runs, this thread can have no other event loop.
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    fields = {"order_id": "Buyurtma raqami"}
    with Sandbox(account_fields=fields, merchant_id="587f72c72cac0d162c722ae2") as sandbox:
        yield sandbox


@pytest.fixture(params=LOOKS, ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    return request.param


@pytest.fixture
def visitor(chromium: Any, sandbox: Sandbox, look: Look) -> Iterator[Visitor]:
    context = chromium.new_context(
        viewport={"width": look.width, "height": 760},
        color_scheme=look.scheme,
        java_script_enabled=look.javascript,
        accept_downloads=True,
    )
    visitor = Visitor(context.new_page(), sandbox)
    yield visitor
    context.close()
    assert visitor.hosts <= {"127.0.0.1", None, ""}, "a page asked another host"
    assert visitor.complaints == []


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    thread = Thread(target=shop.server.serve_forever, args=(0.05,))
    thread.start()
    yield shop
    shop.server.shutdown()
    thread.join()
    shop.server.server_close()
