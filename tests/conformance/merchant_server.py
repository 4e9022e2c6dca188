"""Serves a function of `Incoming` over real HTTP."""

from contextlib import contextmanager

from payme.merchant import wsgi
from support.servers import serving_wsgi

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"


@contextmanager
def serving(answer, status=200):
    def app(environ, start_response):
        body = answer(wsgi.read(environ))
        start_response(f"{status} X", [("Content-Length", str(len(body)))])
        return [body]

    with serving_wsgi(app) as port:
        yield f"http://127.0.0.1:{port}/payme"
