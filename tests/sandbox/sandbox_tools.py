"""What the sandbox's tests share: a clock to turn, and a caller that speaks plain JSON."""

import http.client
import json
import signal
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

from payme.sandbox import Sandbox

GOOD = "8600069195406311"
GOOD_TOO = "8600495473316478"
HUMO = "9860030100000006"
NO_SMS = "8600060921090842"
EXPIRED = "3333336415804657"
BLOCKED = "4444445987459073"
BROKEN = "8600143417770323"
SLOW = "8600134301849596"
POOR = "8600318600000007"

UNKNOWN_ID = "0" * 24
START = 1_700_000_000_000


class Clock:
    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int) -> None:
        self.now += ms


class Caller:
    """Calls a sandbox in-process, and refuses an answer that is not JSON-RPC."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.front = sandbox.merchant_id
        self.back = f"{sandbox.merchant_id}:{sandbox.key}"

    def raw(self, body: bytes, auth: str | None = None) -> dict[str, Any]:
        return check_answer(self.sandbox.handle(body, self.back if auth is None else auth))

    def call(self, method: str, params: Any, auth: str | None = None) -> dict[str, Any]:
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        return self.raw(body, auth)

    def ok(self, method: str, **params: Any) -> Any:
        answer = self.call(method, params)
        assert "result" in answer, answer
        return answer["result"]

    def no(self, method: str, **params: Any) -> tuple[int, str, Any]:
        error = self.call(method, params)["error"]
        return error["code"], error["message"], error["data"]

    def card(self, number: str = GOOD, *, save: bool = True) -> str:
        card = {"number": number, "expire": "0399"}
        return self.ok("cards.create", card=card, save=save)["card"]["token"]

    def verified(self, number: str = GOOD, *, save: bool = True) -> str:
        token = self.card(number, save=save)
        self.ok("cards.get_verify_code", token=token)
        self.ok("cards.verify", token=token, code="666666")
        return token

    def receipt(self, amount: int = 50_000, **params: Any) -> str:
        params = {"account": {"order_id": 1}, **params}
        return self.ok("receipts.create", amount=amount, **params)["receipt"]["_id"]

    def paid(self) -> str:
        receipt = self.receipt()
        self.ok("receipts.pay", id=receipt, token=self.verified())
        return receipt

    def held(self) -> str:
        receipt = self.receipt(hold=True)
        self.ok("receipts.pay", id=receipt, token=self.verified(), hold=True)
        return receipt

    def state(self, receipt: str) -> int:
        return self.ok("receipts.check", id=receipt)["state"]

    def all(self, count: int = 50, offset: int = 0, since: int = 0, until: int = 0) -> list[Any]:
        window = {"from": since, "to": until}
        return self.ok("receipts.get_all", count=count, offset=offset, **window)


def check_answer(body: bytes) -> dict[str, Any]:
    """Parse an answer and hold it against JSON-RPC 2.0."""
    answer = json.loads(body)
    assert isinstance(answer, dict)
    assert answer["jsonrpc"] == "2.0"
    assert ("result" in answer) != ("error" in answer)
    assert set(answer) <= {"jsonrpc", "id", "result", "error"}
    if "error" in answer:
        assert set(answer["error"]) == {"code", "message", "data"}
        assert isinstance(answer["error"]["code"], int)
        assert isinstance(answer["error"]["message"], str)
        assert answer["error"]["message"]
    return answer


def connect(sandbox: Sandbox, timeout: float = 10) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=timeout)


def post(
    sandbox: Sandbox, body: bytes, auth: str | None = None, path: str = "/api"
) -> dict[str, Any]:
    """Send one request over HTTP; the answer must be JSON-RPC over 200."""
    connection = connect(sandbox)
    try:
        headers = {} if auth is None else {"X-Auth": auth}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("application/json")
        return check_answer(response.read())
    finally:
        connection.close()


class Process:
    """`payme sandbox` as a process of its own, on a free port."""

    def __init__(self, *options: str, ready: str = "Ctrl-C") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from payme.cli import main; main()", "sandbox", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.banner = ""
        while ready and ready not in self.banner:
            line = self.process.stdout.readline()
            assert line, self.finish()
            self.banner += line

    def field(self, name: str) -> str:
        (line,) = (line for line in self.banner.splitlines() if line.startswith(f"  {name} "))
        return line.removeprefix(f"  {name} ").strip()

    def post(self, body: bytes, auth: str, timeout: float = 10) -> dict[str, Any]:
        netloc = urlsplit(self.field("URL")).netloc
        connection = http.client.HTTPConnection(netloc, timeout=timeout)
        try:
            connection.request("POST", "/api", body, {"X-Auth": auth})
            return check_answer(connection.getresponse().read())
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
