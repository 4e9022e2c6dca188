"""One server in a process of its own: `python -m bench.sandbox.server KIND [FILE]`.

KIND is `echo` (a bare Starlette application that sends the body back), `echo, httptools` (the same
on uvicorn's other protocol), `memory` or `file`. All of them listen with the sandbox's own uvicorn
settings, in a thread, while the main thread waits for lines on stdin: `cpu` asks for the CPU used
so far, a number for that many unpaid receipts.
"""

from __future__ import annotations

import json
import sys
import time
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from payme.sandbox import Sandbox
from payme.sandbox.server import _bind, _config

if TYPE_CHECKING:
    from starlette.requests import Request

HOST = "127.0.0.1"


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


class Echo:
    """The yardstick: what a framework and the HTTP server cost when there is nothing to do.

    Args:
        http: Which of uvicorn's protocols it speaks.
    """

    def __init__(self, http: Literal["h11", "httptools"]) -> None:
        self._socket = _bind(HOST, 0)
        application = Starlette(routes=[Route("/api", echo, methods=["POST"])])
        config = _config(application)
        # Bare: how the sandbox writes its answers is a part of the sandbox.
        config.http, config.loop = http, "asyncio"
        self._server = uvicorn.Server(config)

    def start(self) -> dict[str, Any]:
        listen = {"sockets": [self._socket]}
        Thread(target=self._server.run, kwargs=listen, daemon=True).start()
        while not self._server.started:
            time.sleep(0.01)
        return {"port": self._socket.getsockname()[1], "auth": "echo", "token": "", "receipt": ""}

    def receipts(self, count: int) -> list[str]:
        return [""] * count


class Ours:
    """The sandbox, in memory or in a file."""

    def __init__(self, db: str | None) -> None:
        self._sandbox = Sandbox(host=HOST, db=db, seed=1)

    def start(self) -> dict[str, Any]:
        sandbox = self._sandbox.start()
        return {
            "port": int(sandbox.url.rsplit(":", 1)[1].partition("/")[0]),
            "auth": f"{sandbox.merchant_id}:{sandbox.key}",
            "token": sandbox.add_card(),
            "receipt": sandbox.add_receipt(),
        }

    def receipts(self, count: int) -> list[str]:
        return [self._sandbox.add_receipt() for _ in range(count)]


def main(kind: str, db: str | None = None) -> None:
    """Serve until stdin ends."""
    server = (
        Ours(db) if kind in {"memory", "file"} else Echo("h11" if kind == "echo" else "httptools")
    )
    print(json.dumps(server.start()), flush=True)
    for line in sys.stdin:
        if line.strip() == "cpu":
            answer: Any = time.process_time_ns()
        else:
            answer = server.receipts(int(line))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
