"""A shop with the card form in its page, and a note of all that reaches its server."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from payme import card_form
from payme.errors.card_form import ERRORS, LABELS, said
from payme.sandbox import Sandbox

GOOD = "8600069195406311"
EXPIRY = "0399"
CODE = "666666"

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 112 28"><rect width="112" height="28"'
    ' rx="6" fill="#00c0c9"/><text x="56" y="20" font-family="sans-serif" font-size="17"'
    ' font-weight="700" text-anchor="middle" fill="#fff">Payme</text></svg>'
)

# Keeps all that the form says, and hands the token to the shop as a shop would.
LISTEN = """
window.said = []; window.verdicts = [];
const form = document.querySelector("payme-card-form");
for (const type of ["state", "code-sent", "card", "error"])
  form.addEventListener("payme-" + type, (event) => {
    const { waitUntil, ...detail } = event.detail;
    said.push([type, detail]);
    if (waitUntil) waitUntil(fetch("/cards", { method: "POST", body: JSON.stringify(detail) })
      .then((answer) => answer.json()));
  });
"""


class Shop:
    """A server with a page; `answers` are what it says to tokens, in turn."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[Any] = []
        self.broken = False
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                shop.requests.append((self.command, self.path, dict(self.headers.items()), body))
                status, headers, sent = shop.respond(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_OPTIONS = _serve  # noqa: N815 - names of the library

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,))

    def respond(self, path: str) -> tuple[int, dict[str, str], bytes]:
        path = path.partition("?")[0]
        if path == card_form.PATH and self.broken:
            return 200, {"Content-Type": "text/javascript"}, b"throw new Error('broken')"
        if path == card_form.PATH:
            return 200, {"Content-Type": "text/javascript"}, card_form.FILE.read_bytes()
        if path == "/logo.svg":
            return 200, {"Content-Type": "image/svg+xml"}, LOGO.encode()
        if path == "/listen.js":
            return 200, {"Content-Type": "text/javascript"}, LISTEN.encode()
        if path == "/cards":
            answer = self.answers.pop(0) if self.answers else True
            if answer == "fails":
                return 500, {}, b"no JSON"
            return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        if path in self.pages:
            page, headers = self.pages[path]
            return 200, {"Content-Type": "text/html; charset=utf-8", **headers}, page.encode()
        return 404, {}, b""

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def put(
        self,
        sandbox: Sandbox,
        path: str = "/",
        *,
        before: str = "",
        body: str | None = None,
        headers: dict[str, str] | None = None,
        **given: Any,
    ) -> str:
        """Put the form into a page, and give the page's address."""
        given = {"endpoint": sandbox.url, "lang": "en", "logo_src": "/logo.svg", **given}
        form = body if body is not None else card_form.html(sandbox.merchant_id, **given)
        page = (
            "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Shop</title>"
            '<meta name=viewport content="width=device-width"><link rel=icon href=data:,>'
            f"{before}<main><h1>Card</h1>{form}</main><script type=module src=/listen.js></script>"
        )
        self.pages[path] = page, headers or {}
        return f"{self.url}{path}"


class Payer:
    """Somebody at the form."""

    def __init__(self, page: Any, language: Any = "en") -> None:
        self.page = page
        self.language = language
        self.number = page.locator("#number")
        self.expiry = page.locator("#expiry")
        self.code = page.locator("#code")
        self.submit = page.locator("#submit")

    def label(self, key: str) -> str:
        return str(getattr(LABELS[key], self.language))

    def text(self, key: str, length: int = 6) -> str:
        return said(key, self.language).replace("{length}", str(length))

    def types(self, number: str = GOOD, expiry: str = EXPIRY) -> None:
        self.number.fill(number)
        self.expiry.fill(expiry)

    def binds(self, number: str = GOOD, expiry: str = EXPIRY) -> None:
        self.types(number, expiry)
        self.submit.click()

    def waits_for(self, state: str, timeout: int = 10_000) -> None:
        self.page.wait_for_function(
            "(state) => document.querySelector('payme-card-form').state === state",
            arg=state,
            timeout=timeout,
        )

    def goes_through(self) -> Iterator[str]:
        """Go through the states of a card that is bound; each is looked at before the next."""
        yield "card"
        self.binds()
        self.waits_for("code")
        yield "code"
        self.code.press_sequentially(CODE)
        self.submit.click()
        self.waits_for("done")
        yield "done"

    def error(self, field: str) -> str:
        return str(self.page.locator(f"#{field}-error").inner_text())

    def sees(self, field: str, key: str, more: str = "") -> None:
        self.page.wait_for_function(
            """([field, text]) => document.querySelector("payme-card-form").shadowRoot
              .getElementById(field + "-error").textContent === text""",
            arg=[field, self.text(key) + more],
            timeout=5_000,
        )
        assert field == "form" or ERRORS[key].field in (field, "form")

    def said(self, kind: str) -> list[Any]:
        events: list[Any] = self.page.evaluate("said")
        return [detail for name, detail in events if name == kind]

    def states(self) -> list[str]:
        return [detail["state"] for detail in self.said("state")]


def calls(sandbox: Sandbox, method: str) -> int:
    """Count the calls of a method that reached Payme."""
    return sum(entry.method == method for entry in sandbox.traffic.entries(500))


def digits_in(text: str) -> set[str]:
    """Find what may be of a card: its number, whole or in groups, its expiry, the SMS code."""
    plain = re.sub(r"(?<=\d)[ \-](?=\d)", "", text)
    return {one for one in (GOOD, "03/99", CODE) if one in plain or one in text}
