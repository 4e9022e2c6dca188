"""What the browser's tests share: how a visitor looks at a page, and a shop to come from."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from payme.sandbox import Sandbox

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TIMEOUT_MS = 20_000


class Look(NamedTuple):
    """How a visitor looks at the pages."""

    width: int
    scheme: str
    javascript: bool

    def __str__(self) -> str:
        return f"{self.width}px-{self.scheme}-{'js' if self.javascript else 'nojs'}"


LOOKS = [
    Look(1100, "light", javascript=True),
    Look(1100, "dark", javascript=False),
    Look(360, "light", javascript=False),
    Look(360, "dark", javascript=True),
]


def keeps_screenshots() -> bool:
    """Return whether the pictures of the documentation are to be made anew."""
    return bool(os.environ.get("PAYME_SCREENSHOTS"))


class Visitor:
    """A page of a browser, and what went wrong in it."""

    def __init__(self, page: Any, sandbox: Sandbox) -> None:
        self.page = page
        self.base = sandbox.url.removesuffix("/api")
        self.hosts: set[str | None] = set()
        self.complaints: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        # The status of a page that says what is wrong with a form is no fault of the page.
        if message.type in {"error", "warning"} and "422" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> Any:
        self.page.goto(path if path.startswith("http") else self.base + path)
        return self.page


class Shop:
    """A merchant's site: one page, and a note of who came back."""

    def __init__(self) -> None:
        self.page = ""
        self.visits: list[str] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/favicon.ico":
                    shop.visits.append(self.path)
                body = f"<!DOCTYPE html><title>Shop</title><link rel=icon href=data:,>{shop.page}"
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
