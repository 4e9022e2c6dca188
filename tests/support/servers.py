"""Applications on real sockets, until the test is over."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def serving_wsgi(app: Any) -> Iterator[int]:
    """Serve a WSGI application in threads; gives the port."""
    with make_server("127.0.0.1", 0, app, server_class=_Threaded, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving_asgi(app: Any) -> Iterator[int]:
    """Serve an ASGI application with uvicorn; gives the port."""
    # asyncio sends small answers at once (TCP_NODELAY) only on a socket that says it is TCP.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        started = threading.Event()
        startup = server.startup

        async def announced(sockets: Any = None) -> None:
            await startup(sockets)
            started.set()

        server.startup = announced
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert started.wait(10)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
