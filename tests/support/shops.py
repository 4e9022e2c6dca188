"""An example shop as a process, wired to a sandbox of the test's."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from payme import Payme
from payme.sandbox import Sandbox
from support.ports import free_port

ROOT = Path(__file__).parents[2]
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
LEDGER_KEY = "ZGVtbyBrZXkgb2YgdGhlIGV4YW1wbGUgc2hvcHMhISE="
POOR = "8600318600000007"
CARD_SHOPS = ["shop_fastapi", "shop_flask", "shop_django"]
MANAGE = ["-m", "examples.shop_django.manage"]
PAYME = ["-c", "from payme.cli import main; main()"]
CSRF = re.compile('name="csrfmiddlewaretoken" value="([^"]+)"')
PATIENCE_S = 30


class _StayHere(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class CardShop:
    """A shop whose customer has a saved card.

    Attributes:
        url: Where it is.
        box: The sandbox that plays Payme, and asks the shop.
    """

    def __init__(self, name: str, folder: Path, box: Sandbox, port: int) -> None:
        self.name, self.folder, self.box = name, folder, box
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.database = folder / "shop.db"
        self.process: subprocess.Popen[bytes] | None = None
        self.runner: subprocess.Popen[bytes] | None = None
        self.is_django = name == "shop_django"
        self.token = ""
        self.environment: dict[str, str] = {}
        self._form: tuple[str, str] | None = None

    def start(self, number: str = "8600069195406311") -> None:
        """Start it, with a card that is bound anew."""
        self.token = self.box.add_card(number=number)
        checkout = self.box.url.removesuffix("/api")
        self.environment = {
            **os.environ,
            "PAYME_MERCHANT_ID": self.box.merchant_id,
            "PAYME_KEY": KEY,
            "PAYME_BASE_URL": self.box.url,
            "PAYME_LEDGER_KEYS": LEDGER_KEY,
            "SHOP_CARD_TOKEN": self.token,
            "SHOP_CARD_NUMBER": f"{number[:6]}******{number[-4:]}",
            # What Django's commands read of the shop, which has them as options.
            "SHOP_DATABASE": f"sqlite:///{self.database}",
            "PAYME_CHECKOUT_URL": checkout,
            # What `payme charges` reads.
            "PAYME_LEDGER": f"sqlite:///{self.database}",
        }
        command = ["-m", f"examples.{self.name}", "--port", str(self.port)]
        command += ["--database", f"sqlite:///{self.database}"]
        command += ["--merchant-id", self.box.merchant_id, "--checkout-url", checkout]
        self.process = self._begin(*command)
        self.wait_for(self._listens)
        if self.is_django:
            # As a Django project does, and `examples.together`: beside the server.
            self.runner = self._begin(*MANAGE, "payme_charges", "run", "--in-flight", "5")

    def _begin(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def charges(self, *arguments: str) -> None:
        """Run one of the commands for charges."""
        command = [*MANAGE, "payme_charges"] if self.is_django else [*PAYME, "charges"]
        subprocess.run(
            [sys.executable, *command, *arguments],
            cwd=ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
        )

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def _runs(self) -> bool:
        """Whether the runner is so far that it hears signals; before that they just end it."""
        assert self.runner is not None
        status = Path(f"/proc/{self.runner.pid}/status").read_text()
        heard = int(re.findall(r"SigCgt:\s*(\w+)", status)[0], 16)
        return bool(heard >> (signal.SIGTERM - 1) & 1)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the status that it ends with."""
        assert self.process is not None
        if self.runner is not None and number != signal.SIGKILL:
            self.wait_for(self._runs)
        self.process.send_signal(number)
        if self.runner is not None:
            self.runner.send_signal(number)
            assert self.runner.wait(PATIENCE_S) in (0, -number), self.log()
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Leave nothing of it running."""
        for process in (self.process, self.runner):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def wait_for(self, condition: Any) -> Any:
        until = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < until, f"{self.log()}\n{self.stored_charges()}"
            time.sleep(0.05)
        return found

    def stored_charges(self) -> str:
        """What is stored of the charges, for somebody who asks why nothing happens."""
        rows = self.execute("SELECT id, state, due, leased_until FROM payme_charge")
        return f"{rows} at {time.time()}"

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Any:
        """Ask for a page; gives its status, its text and where it sends the browser."""
        if form is not None and self.is_django:
            token, cookie = self._form = self._form or self._find_form()
            form, headers = {**form, "csrfmiddlewaretoken": token}, {**headers, "Cookie": cookie}
        return self.send(path, form, **headers)

    def _find_form(self) -> tuple[str, str]:
        """Open a page with a form: Django's token against forgery, and the cookie beside it."""
        with build_opener().open(self.url, timeout=PATIENCE_S) as answer:
            (token,) = CSRF.findall(answer.read().decode())
            return token, answer.headers["Set-Cookie"].partition(";")[0]

    def send(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Any:
        """Send what is given and nothing more; gives as `ask` does."""
        body = None if form is None else urlencode(form).encode()
        request = Request(self.url + path, body, headers)
        try:
            with build_opener(_StayHere).open(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode(), None
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers.get("Location")

    def order(self) -> int:
        """Buy, as a browser does; gives the order's number."""
        status, _, location = self.ask("/", {})
        assert status == 303
        return int(location.split("/")[2])

    def pay(self, number: int, seen: str = "") -> int:
        """Click on the saved card."""
        return int(self.ask(f"/orders/{number}/pay", {"seen": seen})[0])

    def page(self, number: int) -> str:
        status, text, _ = self.ask(f"/orders/{number}/pay")
        assert status == 200
        return str(text)

    def execute(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def stored(self, number: int) -> tuple[str, int, int]:
        """State of an order, and how often the goods went out and came back."""
        table = "shop_django_order" if self.is_django else "shop_order"
        sql = f"SELECT state, paid_events, cancelled_events FROM {table} WHERE id = ?"
        return self.execute(sql, number)[0]

    def is_processed(self, number: int) -> bool:
        """Whether nothing is under way: the order's charge rests, or there is none."""
        rows = self.execute("SELECT due FROM payme_charge WHERE id = ?", f"order-{number}")
        return rows in ([], [(None,)])

    def lease_runs_out(self) -> None:
        """Let as much time pass as a killed process keeps its charges for."""
        self.execute("UPDATE payme_charge SET leased_until = 0")

    def debits(self) -> int:
        """Count how often money was taken, over all receipts."""
        return sum(self.box.debits(one.id) for one in self.box.receipts(200))

    @property
    def payme(self) -> Payme:
        return Payme(self.box.merchant_id, KEY, base_url=self.box.url)


@contextmanager
def card_shop(
    name: str, folder: Path, number: str = "8600069195406311", **options: Any
) -> Iterator[CardShop]:
    """Start a sandbox and a shop; both are gone at the end."""
    port = free_port()
    with Sandbox(
        key=KEY,
        account_fields={"order_id": "Order"},
        merchant_url=f"http://127.0.0.1:{port}/payme",
        merchant_key=KEY,
        # A shop that was killed starts again meanwhile, on a busy machine, too.
        merchant_pauses=(0.5, 2.0, 10.0),
        **options,
    ) as box:
        shop = CardShop(name, folder, box, port)
        try:
            shop.start(number)
            yield shop
        finally:
            shop.kill()
