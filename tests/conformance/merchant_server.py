"""Serves a function of `Incoming` over real HTTP."""

import threading
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from payme.merchant import wsgi

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def serving(answer, status=200):
    def app(environ, start_response):
        body = answer(wsgi.read(environ))
        start_response(f"{status} X", [("Content-Length", str(len(body)))])
        return [body]

    with make_server("127.0.0.1", 0, app, server_class=Threaded, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/payme"
        finally:
            server.shutdown()
            thread.join()
