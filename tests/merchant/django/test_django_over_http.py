"""The suite of the adapters over real HTTP, against Django under WSGI and under ASGI."""

import http.client
import json
from contextlib import contextmanager

import pytest
from adapters.test_adapters import (  # noqa: F401 - the same tests, with this port
    AUTH,
    blocking,
    call,
    code,
    serving_asgi,
    serving_wsgi,
    test_a_payment_goes_through,
    test_any_body_gets_an_answer_of_the_protocol,
    test_other_verbs_get_an_answer_of_the_protocol,
    test_without_the_key_nothing_is_answered,
)
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import re_path

from payme.merchant.auth import AllowList
from payme.merchant.django.views import merchant_view

SERVERS = {
    "wsgi": lambda: serving_wsgi(WSGIHandler()),
    "asgi": lambda: serving_asgi(ASGIHandler()),
}


@contextmanager
def serving(name, **options):
    urls = (re_path("^payme/?$", merchant_view(blocking(**options))),)
    # A project's own limit must not turn an answer into a 400.
    with (
        override_settings(ROOT_URLCONF=urls, DATA_UPLOAD_MAX_MEMORY_SIZE=10),
        SERVERS[name]() as port,
    ):
        yield port


@pytest.fixture(params=SERVERS)
def port(request):
    with serving(request.param) as port:
        yield port


def test_chunked_body_is_read():
    # Under wsgiref it is left unread, and the connection may be reset before the answer is seen.
    parts = [b'{"id":1,"method":"CheckTransaction",', b'"params":{"id":"x"}}']
    with serving("asgi") as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/payme", iter(parts), AUTH, encode_chunked=True)
        assert code(json.loads(connection.getresponse().read())) == -31003
        connection.close()


@pytest.mark.parametrize("name", SERVERS)
def test_address_reaches_the_allow_list(name):
    for allowed, expected in (("127.0.0.1", -31003), ("127.0.0.2", -32504)):
        with serving(name, allow=AllowList([allowed])) as port:
            assert code(call(port, "CheckTransaction", {"id": "x"})) == expected
