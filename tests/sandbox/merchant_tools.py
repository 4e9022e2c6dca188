"""A merchant for the sandbox to ask: the official condition matrix, and ways to fail."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HALF_DAY = 12 * 60 * 60 * 1000
MESSAGE = {"ru": "Нет", "uz": "Yoʻq", "en": "No"}
OK = "ok"

Fate = str | tuple[int, bytes] | Callable[[], None]
"""What happens to a request: `ok`; `refused` (no connection), `timeout`, `lost` (executed, answer
lost), `crash` (a bug), `killed` (executed, and Payme dies before it hears of it); a raw answer in
place of its own; or a function that runs first."""


class Killed(BaseException):
    """Ends the sandbox's work where it is, as a `kill -9` would."""


class No(Exception):
    def __init__(self, code: int, data: object = None) -> None:
        super().__init__(code)
        self.error = {"code": code, "message": MESSAGE, "data": data}


@dataclass
class Transaction:
    id: str
    time: int
    amount: int
    account: dict[str, Any]
    number: int
    state: int = 1
    create_time: int = 0
    perform_time: int = 0
    cancel_time: int = 0
    reason: int | None = None


@dataclass
class Shop:
    """One merchant: orders are paid once, but for "many"; 404 is no order, 666 no amount."""

    clock: Callable[[], int]
    password: str | None = None
    can_cancel: bool = True
    strict: bool = True
    """False makes it answer a repeated CreateTransaction with -31008, against the rules."""
    transactions: dict[str, Transaction] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    fates: dict[str, list[Fate]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, method: str, *fates: Fate) -> None:
        self.fates.setdefault(method, []).extend(fates)

    def methods(self) -> list[str]:
        return [name for name, _ in self.calls]

    def of(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == method]

    def __call__(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        request = json.loads(body)
        name = request["method"]
        with self.lock:
            fates = self.fates.get(name)
            fate = fates.pop(0) if fates else OK
            if fate == "refused":
                raise ConnectionRefusedError
            self.bodies.append(body)
            self.headers.append(headers)
            self.calls.append((name, request["params"]))
        if fate == "timeout":
            raise TimeoutError
        if fate == "crash":
            raise ZeroDivisionError
        if callable(fate):
            fate()
        if isinstance(fate, tuple):
            return fate
        with self.lock:
            answer = self.answer(request, headers)
        if fate == "lost":
            raise ConnectionResetError
        if fate == "killed":
            raise Killed
        return 200, json.dumps(answer).encode()

    def answer(self, request: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        try:
            if self.password is not None and headers["Authorization"] != basic(self.password):
                raise No(-32504)
            handler = getattr(self, request["method"], None)
            if handler is None:
                raise No(-32601, request["method"])
            result = handler(**{NAMES.get(k, k): v for k, v in request["params"].items()})
        except No as no:
            return {"error": no.error, "id": request["id"]}
        return {"result": result, "id": request["id"]}

    def require(self, amount: int, account: dict[str, Any], own: str = "") -> None:
        if account.get("order_id") == 404:
            raise No(-31050, "order_id")
        if amount == 666:
            raise No(-31001)
        for other in self.transactions.values():
            taken = other.account == account and other.id != own and other.state > 0
            if taken and account.get("order_id", "many") != "many":
                raise No(-31008)

    def find(self, id: str) -> Transaction:
        if id not in self.transactions:
            raise No(-31003)
        return self.transactions[id]

    def expire(self, known: Transaction) -> None:
        if known.state == 1 and self.clock() > known.time + HALF_DAY:
            known.state, known.reason, known.cancel_time = -1, 4, self.clock()
            raise No(-31008)

    def CheckPerformTransaction(self, amount: int, account: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.require(amount, account)
        return {"allow": True}

    def CreateTransaction(  # noqa: N802
        self, id: str, time: int, amount: int, account: dict[str, Any]
    ) -> dict[str, Any]:
        known = self.transactions.get(id)
        if known is None:
            self.require(amount, account)
            number = len(self.transactions) + 1
            known = Transaction(id, time, amount, account, number, create_time=self.clock())
            self.transactions[id] = known
        elif known.state != 1 or not self.strict:
            raise No(-31008)
        self.expire(known)
        return {"create_time": known.create_time, "transaction": str(known.number), "state": 1}

    def PerformTransaction(self, id: str) -> dict[str, Any]:  # noqa: N802
        known = self.find(id)
        self.expire(known)
        if known.state < 0:
            raise No(-31008)
        if known.state == 1:
            known.state, known.perform_time = 2, self.clock()
        number, at = str(known.number), known.perform_time
        return {"transaction": number, "perform_time": at, "state": 2}

    def CancelTransaction(self, id: str, reason: int) -> dict[str, Any]:  # noqa: N802
        known = self.find(id)
        if known.state == 2 and not self.can_cancel:
            raise No(-31007)
        if known.state > 0:
            known.state, known.reason, known.cancel_time = -known.state, reason, self.clock()
        number, at = str(known.number), known.cancel_time
        return {"transaction": number, "cancel_time": at, "state": known.state}

    def CheckTransaction(self, id: str) -> dict[str, Any]:  # noqa: N802
        known = self.find(id)
        names = "create_time", "perform_time", "cancel_time", "state", "reason"
        told = {name: getattr(known, name) for name in names}
        return {**told, "transaction": str(known.number)}

    def GetStatement(self, since: int, to: int) -> dict[str, Any]:  # noqa: N802
        rows = sorted(self.transactions.values(), key=lambda one: one.time)
        found = [vars(one) for one in rows if since <= one.time <= to]
        return {"transactions": [{**row, "transaction": str(row["number"])} for row in found]}

    def SetFiscalData(  # noqa: N802
        self, id: str, type: str, fiscal_data: dict[str, Any]
    ) -> dict[str, Any]:
        self.find(id)
        return {"success": True}

    def ChangePassword(self, password: str) -> dict[str, Any]:  # noqa: N802
        self.password = password
        return {"success": True}


NAMES = {"from": "since"}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers that go away are what is being tried."""


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"Paycom:{password}".encode()).decode()


@contextmanager
def served(handle: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """Serve HTTP on loopback with a function that writes the whole answer; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            handle(self, body)

        def log_message(self, *args: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/payme"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def shop_server(shop: Shop) -> Iterator[str]:
    """Serve a shop over HTTP; what it would lose is lost by closing the connection."""

    def handle(request: BaseHTTPRequestHandler, body: bytes) -> None:
        try:
            status, answer = shop(body, dict(request.headers.items()))
        except OSError:
            return
        reply(request, status, answer)

    with served(handle) as url:
        yield url


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
