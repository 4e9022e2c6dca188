"""One suite over real HTTP for every adapter: any request gets HTTP 200 and a documented answer."""

import base64
import http.client
import json
import sys
from contextlib import contextmanager

import flask
import pytest
import shopfront_project  # noqa: F401 - Django's handlers ask for settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import re_path
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route

from payme.merchant import wire
from payme.merchant.asgi import asgi_app
from payme.merchant.auth import AllowList
from payme.merchant.core import Order
from payme.merchant.django.views import merchant_view
from payme.merchant.fastapi import payme_router
from payme.merchant.flask import payme_blueprint
from payme.merchant.service import AsyncMerchant, Merchant
from payme.merchant.stores.memory import MemoryStore
from payme.merchant.wsgi import wsgi_app
from support.servers import serving_asgi, serving_wsgi

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
AUTH = {"Authorization": "Basic " + base64.b64encode(f"Paycom:{KEY}".encode()).decode()}
ID = "63119becc4420cbf2712a24c"
NOW = 1_700_000_000_000


class AsyncStore:
    """The store in memory, awaited."""

    def __init__(self, store):
        self.run_now = store.run

    async def run(self, flow):
        return self.run_now(flow)


def store():
    return MemoryStore(
        lambda account: Order(id="7", amount=500) if account == {"order_id": 7} else None,
        lambda event, transaction: None,
    )


def blocking(**options):
    return Merchant(store(), KEY, clock=lambda: NOW, **options)


def asynchronous(**options):
    return AsyncMerchant(AsyncStore(store()), KEY, clock=lambda: NOW, **options)


def fastapi_app(merchant):
    app = FastAPI(max_body_size=10)  # a shop's own limit must not turn an answer into a 413
    app.include_router(payme_router(merchant))
    return app


def starlette_app(merchant):
    app = asgi_app(merchant)
    routes = [Route(path, app) for path in ("/payme", "/payme/")]
    return Starlette(routes=routes, max_body_size=10)  # nor must Starlette's


def flask_app(merchant):
    app = Flask("shop")
    app.config["MAX_CONTENT_LENGTH"] = 10  # a shop's own limit must not turn an answer into a 413
    app.register_blueprint(payme_blueprint(merchant))
    return app


@contextmanager
def serving_django(serving, handler, merchant):
    urls = (re_path("^payme/?$", merchant_view(merchant)),)
    # A project's own limit must not turn an answer into a 400.
    limit = override_settings(ROOT_URLCONF=urls, DATA_UPLOAD_MAX_MEMORY_SIZE=10)
    with limit, serving(handler()) as port:
        yield port


ADAPTERS = {
    "asgi": lambda **options: serving_asgi(asgi_app(asynchronous(**options))),
    "asgi, blocking store": lambda **options: serving_asgi(asgi_app(blocking(**options))),
    "starlette": lambda **options: serving_asgi(starlette_app(asynchronous(**options))),
    "fastapi": lambda **options: serving_asgi(fastapi_app(asynchronous(**options))),
    "wsgi": lambda **options: serving_wsgi(wsgi_app(blocking(**options))),
    "flask": lambda **options: serving_wsgi(flask_app(blocking(**options))),
    "django": lambda **options: serving_django(serving_wsgi, WSGIHandler, blocking(**options)),
    "django, asgi": lambda **options: serving_django(
        serving_asgi, ASGIHandler, blocking(**options)
    ),
}


@pytest.fixture(params=ADAPTERS)
def port(request):
    with ADAPTERS[request.param]() as port:
        yield port


def send(port, body=b"", method="POST", headers=AUTH, path="/payme"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        text = response.read()
        return json.loads(text) if text else None
    finally:
        connection.close()


def call(port, method, params, **options):
    return send(port, json.dumps({"id": 5, "method": method, "params": params}).encode(), **options)


def code(answer):
    return answer["error"]["code"]


CREATE = {"id": ID, "time": NOW - 5, "amount": 500, "account": {"order_id": 7}}


@pytest.mark.parametrize("path", ["/payme", "/payme/"])
def test_a_payment_goes_through(port, path):
    allowed = call(
        port, "CheckPerformTransaction", {"amount": 500, "account": {"order_id": 7}}, path=path
    )
    assert allowed == {"jsonrpc": "2.0", "id": 5, "result": {"allow": True}}
    assert call(port, "CreateTransaction", CREATE, path=path)["result"]["state"] == 1
    assert call(port, "PerformTransaction", {"id": ID}, path=path)["result"]["state"] == 2
    assert (
        call(port, "CancelTransaction", {"id": ID, "reason": 5}, path=path)["result"]["state"] == -2
    )


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic UGF5Y29tOg=="}])
def test_without_the_key_nothing_is_answered(port, headers):
    assert code(call(port, "CheckTransaction", {"id": ID}, headers=headers)) == -32504


def test_asgi_does_without_the_limits_of_starlette(monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette.middleware.body_limit", None)
    with serving_asgi(asgi_app(asynchronous())) as port:
        assert code(call(port, "CheckTransaction", {"id": ID})) == -31003


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_verbs_get_an_answer_of_the_protocol(port, method):
    answer = send(port, method=method)
    assert answer is None if method == "HEAD" else code(answer) == -32300


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", -32700),
        (b"\x00\xff", -32700),
        (b'{"method":"CheckTransaction","params":' + b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"method":"CheckTransaction","params":{"id":7},"id":1}', -32600),
        (b'{"method":"Nope","params":{},"id":1}', -32601),
        (b" " * (wire.MAX_BODY + 5), -32600),
    ],
)
def test_any_body_gets_an_answer_of_the_protocol(port, body, expected):
    assert code(send(port, body)) == expected


@pytest.mark.parametrize(
    "name", ["asgi", "asgi, blocking store", "starlette", "fastapi", "django, asgi"]
)
def test_chunked_body_is_read(name):
    """Under ASGI: wsgiref leaves chunks unread, and may reset the connection before the answer."""
    with ADAPTERS[name]() as port:
        check_chunked(port)


def check_chunked(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    parts = [b'{"id":1,"method":"CheckTransaction",', b'"params":{"id":"x"}}']
    connection.request("POST", "/payme", iter(parts), AUTH, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, code(json.loads(response.read()))) == (200, -31003)
    connection.close()


@pytest.mark.parametrize("name", ADAPTERS)
def test_address_reaches_the_allow_list(name):
    with ADAPTERS[name](allow=AllowList(["127.0.0.1"])) as port:
        assert code(call(port, "CheckTransaction", {"id": ID})) == -31003
    with ADAPTERS[name](allow=AllowList(trusted_proxies=["127.0.0.1"])) as port:
        for address, expected in (("185.234.113.5", -31003), ("203.0.113.1", -32504)):
            headers = {**AUTH, "X-Forwarded-For": address}
            assert code(call(port, "CheckTransaction", {"id": ID}, headers=headers)) == expected


# Who else reads the body ..................................................................


@pytest.mark.parametrize("reads_first", [True, False])
def test_flask_shop_that_reads_every_body_takes_payments(reads_first):
    app = flask_app(blocking())
    app.config["MAX_CONTENT_LENGTH"] = None
    read = []
    if reads_first:
        app.before_request(lambda: read.append(flask.request.get_data()))
    app.after_request(lambda response: (read.append(flask.request.get_data()), response)[1])
    with serving_wsgi(app) as port:
        assert call(port, "CreateTransaction", CREATE)["result"]["state"] == 1
    assert len(read) == 1 + reads_first
    assert b"" not in read


def reading_first(get_response):
    def middleware(request):
        assert request.body
        return get_response(request)

    return middleware


def reading_afterwards(get_response):
    def middleware(request):
        response = get_response(request)
        assert request.body
        return response

    return middleware


@pytest.mark.parametrize("limit", [None, 10])
@pytest.mark.parametrize("middleware", [reading_first, reading_afterwards])
@pytest.mark.parametrize(
    ("serving", "handler"), [(serving_wsgi, WSGIHandler), (serving_asgi, ASGIHandler)]
)
def test_django_middleware_that_reads_every_body_takes_payments(
    middleware, limit, serving, handler
):
    if middleware is reading_first and limit is not None:
        pytest.skip("Django itself refuses what this middleware asks for")
    urls = (re_path("^payme/?$", merchant_view(blocking())),)
    path = f"{__name__}.{middleware.__name__}"
    settings = {"ROOT_URLCONF": urls, "MIDDLEWARE": [path], "DATA_UPLOAD_MAX_MEMORY_SIZE": limit}
    with override_settings(**settings), serving(handler()) as port:
        assert call(port, "CreateTransaction", CREATE)["result"]["state"] == 1
        # A body without a length, as some proxies send it.
        chunked = [json.dumps({"id": 5, "method": "CheckTransaction", "params": {"id": ID}})]
        if serving is serving_asgi:
            answer = send(port, (part.encode() for part in chunked))
            assert answer["result"]["state"] == 1
