"""HTTP: `POST /api` on a real socket, in a thread of its own."""

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Generator
from threading import Event, Thread
from typing import Any, Final, cast

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from payme.sandbox import control, web
from payme.sandbox.engine import Answer, Reason
from payme.sandbox.engine.wire import MAX_BODY
from payme.sandbox.errors import SandboxError
from payme.sandbox.http_protocol import JoinedProtocol
from payme.sandbox.patience import Patience
from payme.sandbox.service import Service
from payme.sandbox.simulator import Simulator

HangUp = Callable[[Scope], None]
"""Closes the connection that a request came in on."""

Headers = tuple[tuple[bytes, bytes], ...]

_BODY_TIMEOUT_S: Final = 30.0
_HEAD_TIMEOUT_S: Final = 30.0
_START_TIMEOUT_S: Final = 10.0
_TICK_S: Final = 0.1
_TURNS_TO_CLOSE: Final = 3
_BACKLOG: Final = 1024
_LINGER_S: Final = 1.0
_LINGER_BYTES: Final = 16 * MAX_BODY
_JSON: Final = (b"content-type", b"application/json; charset=utf-8")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")

# What a browser is told on behalf of pages of other origins. Front ends were seen to send JSON.
_ANY_ORIGIN: Final[Headers] = ((b"access-control-allow-origin", b"*"),)
_PREFLIGHT: Final[Headers] = (
    *_ANY_ORIGIN,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"X-Auth, Content-Type"),
)


class Api:
    """The ASGI application behind `/api`.

    It answers every request with JSON-RPC over HTTP 200, as Payme does. It is written on bare ASGI,
    because nothing of a framework's request is needed here and every call pays for it.

    Args:
        service: Serves the calls.
        stopping: Set when the server goes down, so that nobody waits for a slow card.
        hang_up: Closes a connection, for the faults that do.
        cors: Tells whether pages of other origins are answered.
    """

    def __init__(
        self,
        service: Service,
        stopping: asyncio.Event,
        hang_up: HangUp,
        cors: Callable[[], bool],
    ) -> None:
        self._service = service
        self._stopping = stopping
        self._hang_up = hang_up
        self._cors = cors
        self._patience = Patience(_BODY_TIMEOUT_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        page = _header(scope, b"origin") is not None
        allowed = page and self._cors()
        if allowed and _is_preflight(scope):
            await send({"type": "http.response.start", "status": 204, "headers": [*_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b""})
            return
        more = _ANY_ORIGIN if allowed else ()
        if scope["method"] != "POST":
            await _send_last(receive, send, self._service.turn_away(Reason.NOT_POST).body, more)
            return
        body = await _read(scope, receive, self._patience)
        if isinstance(body, Reason):
            await _send_last(receive, send, self._service.turn_away(body).body, more)
            return
        answer = await self._service.acall(body, _header(scope, b"x-auth"), self._wait, page=page)
        if answer.delay_ms:
            await self._wait(answer.delay_ms / 1000)
        if answer.fault:
            await self._send_disturbed(scope, receive, send, answer, more)
            return
        await _start(send, answer.body, 200, (_JSON, *more))
        await send({"type": "http.response.body", "body": answer.body})

    async def _send_disturbed(
        self, scope: Scope, receive: Receive, send: Send, answer: Answer, more: Headers
    ) -> None:
        """Send as much of an answer as its fault lets through."""
        body, whole = answer.body, answer.arrives == "whole"
        if answer.arrives != "none":
            kind = _JSON if body[:1] == b"{" else _HTML
            await _start(send, body, answer.status, (kind, *more))
            half = len(body) // 2
            await send({"type": "http.response.body", "body": body[:half], "more_body": True})
            await self._wait(answer.pause_ms / 1000)
            if whole:
                await send({"type": "http.response.body", "body": body[half:]})
        if not whole:
            self._hang_up(scope)
            await _gone(receive)

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


class HttpServer:
    """Runs the sandbox on a socket.

    Args:
        sandbox: Serves the calls, and is looked into and changed.
        host: Address to bind.
        port: Port to bind, 0 for a free one.
    """

    def __init__(self, sandbox: Simulator, host: str, port: int) -> None:
        self._sandbox = sandbox
        self._socket = _bind(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        self._ready = Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = Thread(target=self._run, name="payme-sandbox-http", daemon=True)

    def start(self) -> None:
        """Serve, and return as soon as calls are answered.

        Raises:
            SandboxError: If the server does not come up.
        """
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S) or self._stopping is None:
            raise SandboxError("the sandbox's HTTP server did not start")

    def stop(self) -> None:
        """Stop serving and free the port."""
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            with _uvicorn_silenced(), asyncio.Runner() as runner:
                runner.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        stopping = asyncio.Event()

        def hang_up(scope: Scope) -> None:
            server.hang_up(scope)

        app = application(self._sandbox, stopping, hang_up)
        server = _Server(_config(app), stopping, self._ready)
        self._stopping = stopping
        await server.serve(sockets=[self._socket])


class _Server(uvicorn.Server):
    """uvicorn, told to stop by an event rather than by a flag that it polls ten times a second."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event, ready: Event) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._ready = ready
        # Since when each connection waits for the head of a request, and after which request.
        self._waiting: dict[Any, tuple[Any, float]] = {}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        counter = 0
        while not self._stopping.is_set() and not await self.on_tick(counter):
            counter += 1
            self._end_unfinished(asyncio.get_running_loop().time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_S)

    def _end_unfinished(self, now: float) -> None:
        """Close the connections whose request has begun and never gets as far as its body.

        uvicorn has a limit only for the time between requests.
        """
        waiting: dict[Any, tuple[Any, float]] = {}
        for connection in cast("list[Any]", [*self.server_state.connections]):
            if connection.answering or connection.conn.their_state is not h11.IDLE:
                continue
            cycle, since = self._waiting.get(connection, (connection.cycle, now))
            since = since if cycle is connection.cycle else now
            waiting[connection] = connection.cycle, since
            if now - since > _HEAD_TIMEOUT_S:
                connection.transport.close()
        self._waiting = waiting

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is idle, and wait for the rest as uvicorn does: it always sleeps 100 ms."""
        loop = asyncio.get_running_loop()
        for listening in sockets or ():
            # Only Windows' loop can't. A server that is closed drops what it has just accepted.
            with contextlib.suppress(NotImplementedError):
                loop.remove_reader(listening)
        told: set[Any] = set()
        for _ in range(_TURNS_TO_CLOSE):
            await asyncio.sleep(0)
            for connection in {*self.server_state.connections} - told:
                told.add(connection)
                connection.shutdown()
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)

    def hang_up(self, scope: Scope) -> None:
        """Close the connection that a request came in on, once what was written has left."""
        for connection in [*self.server_state.connections]:
            peer: tuple[Any, ...] = connection.transport.get_extra_info("peername") or ()
            if peer[:2] == tuple(scope["client"] or ()):
                connection.transport.close()


def application(sandbox: Simulator, stopping: asyncio.Event, hang_up: HangUp) -> ASGIApp:
    """Make the ASGI application.

    Args:
        sandbox: Serves the calls, and is looked into and changed.
        stopping: Set when the server goes down.
        hang_up: Closes a connection, for the faults that do.
    """
    api = Api(sandbox.service, stopping, hang_up, lambda: sandbox.config.cors)
    pages = Starlette(
        routes=[*control.routes(sandbox), *web.routes(sandbox, sandbox.service)],
        exception_handlers={404: _not_found, SandboxError: _broken},
    )

    # Before the framework, whose middleware and routing every call would pay for.
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in {"/api", "/api/"}:
            await api(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "not found", "api": "/api"}, status_code=404)


async def _broken(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=503)


async def _read(scope: Scope, receive: Receive, patience: Patience) -> bytes | Reason:
    """Read the body, unless it is too long or does not come."""
    length = _header(scope, b"content-length")
    if length is not None and not _fits(length):
        return Reason.TOO_LARGE
    try:
        async with patience.limit():
            return await _collect(receive)
    except TimeoutError:
        return Reason.INCOMPLETE


def _fits(length: str) -> bool:
    # More digits than any length that fits are not worth converting.
    return length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= MAX_BODY


async def _collect(receive: Receive) -> bytes | Reason:
    message = await receive()
    body: bytes = message.get("body", b"")
    chunks = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY:
            return Reason.TOO_LARGE
    if message["type"] == "http.disconnect":
        return Reason.INCOMPLETE
    return b"".join(chunks) if len(chunks) > 1 else body


def _header(scope: Scope, name: bytes) -> str | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None


def _is_preflight(scope: Scope) -> bool:
    asked = _header(scope, b"access-control-request-method")
    return scope["method"] == "OPTIONS" and asked is not None


async def _start(send: Send, body: bytes, status: int, more: Headers) -> None:
    headers = [*more, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _gone(receive: Receive) -> None:
    """Wait until the connection is closed: before that, uvicorn would answer 500 of its own."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_last(receive: Receive, send: Send, body: bytes, more: Headers) -> None:
    """Answer a request whose body was not read, and close the connection.

    A caller who is still sending would be cut off before it reads the answer, so the answer goes
    out whole, and some more of the body is thrown away before the end.
    """
    await _start(send, body, 200, (_JSON, *more, (b"connection", b"close")))
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            await _discard(receive)
    await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive) -> None:
    left = _LINGER_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            break


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named, and with it on every
    # answer waits 40 ms for the caller's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise SandboxError(f"can't listen on {host}:{port}: {reason}") from error
    return listener


@contextlib.contextmanager
def _uvicorn_silenced() -> Generator[None, None, None]:
    """Keep what uvicorn logs in this thread out of the program's log.

    Its loggers belong to the whole process, and the program may run a uvicorn of its own: so their
    levels and handlers stay as they are.
    """
    mine = threading.get_ident()

    def other_thread(record: logging.LogRecord) -> bool:
        return record.thread != mine

    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access")]
    for logger in loggers:
        logger.addFilter(other_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(other_thread)


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        # Of uvicorn's own, httptools would refuse verbs that it does not know with a page of its
        # own instead of Payme's -32300.
        http=JoinedProtocol,
        interface="asgi3",
        log_config=None,
        server_header=False,
        # X-Forwarded-For must not change by which address a connection is found.
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
