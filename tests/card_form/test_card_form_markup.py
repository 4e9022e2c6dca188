"""What Python writes into a page, and what the frameworks serve."""

import asyncio
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from payme import card_form
from payme.errors import InvalidArgument

ID = "587f72c72cac0d162c722ae2"
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
HERE = Path(__file__).parent


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in self.found
        self.found[tag] = dict(attrs)


def tags(**given: Any) -> dict[str, dict[str, str | None]]:
    return Tags(card_form.html(given.pop("cashbox", ID), **given)).found


def test_the_form_and_its_script() -> None:
    found = tags()
    assert found["payme-card-form"] == {
        "cashbox": ID,
        "endpoint": "live",
        "save": "ask",
        "code-length": "6",
    }
    assert found["script"] == {
        "type": "module",
        "src": f"/payme/card-form.js?v={card_form.version()}",
        "integrity": card_form.integrity(),
        "crossorigin": "anonymous",
    }
    assert set(found) == {"script", "payme-card-form", "noscript"}


def test_everything_that_can_be_said() -> None:
    found = tags(
        endpoint="http://127.0.0.1:3000",
        lang="ru",
        save="always",
        logo_src="/payme.svg",
        code_length=5,
        src="https://cdn.shop.uz/form.js",
        nonce="abc",
    )
    assert found["payme-card-form"] == {
        "cashbox": ID,
        "endpoint": "http://127.0.0.1:3000/api",
        "lang": "ru",
        "save": "always",
        "logo-src": "/payme.svg",
        "code-length": "5",
    }
    assert found["script"]["src"] == "https://cdn.shop.uz/form.js"
    assert found["script"]["nonce"] == "abc"
    assert "script" not in tags(src=None)
    assert "Чтобы" in card_form.html(ID, lang="ru")


@pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "a'b\"c&d<e>", "&quot;"])
def test_what_is_given_is_escaped(hostile: str) -> None:
    found = tags(logo_src=hostile, src=f"/{hostile}?x", nonce=hostile)
    assert found["payme-card-form"]["logo-src"] == hostile
    assert (found["script"]["src"], found["script"]["nonce"]) == (f"/{hostile}?x", hostile)


@pytest.mark.parametrize("cashbox", [f"{ID}:{KEY}", f"{ID}:", ":", KEY + ":"])
def test_a_key_is_refused_and_never_shown(cashbox: str) -> None:
    with pytest.raises(InvalidArgument, match="cashbox") as refused:
        card_form.html(cashbox)
    shown = f"{refused.value!s} {refused.value!r}"
    assert KEY not in shown
    assert ID not in shown


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("cashbox", ""),
        ("cashbox", "two words"),
        ("cashbox", None),
        ("cashbox", b"x"),
        ("cashbox", "ʻ"),
        ("endpoint", "http://shop.uz"),
        ("endpoint", "production"),
        ("endpoint", "//shop.uz"),
        ("endpoint", "https://user:pw@shop.uz"),
        ("endpoint", None),
        ("lang", "de"),
        ("lang", 1),
        ("save", True),
        ("save", ""),
        ("code_length", 3),
        ("code_length", 10),
        ("code_length", "6"),
        ("code_length", True),
        ("logo_src", ""),
        ("logo_src", "a\nb"),
        ("src", ""),
        ("nonce", "\0"),
    ],
)
def test_bad_input_is_named(argument: str, given: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"^{argument}: got ") as refused:
        card_form.html(**{"cashbox": ID, argument: given})
    assert "pw" not in str(refused.value)


def test_what_a_policy_has_to_allow() -> None:
    assert card_form.csp() == {
        "script-src": "'self'",
        "connect-src": "https://checkout.paycom.uz",
        "img-src": "https://cdn.payme.uz",
    }
    policy = card_form.csp(
        endpoint="http://127.0.0.1:3000/api", logo_src="/l.svg", script_src="'nonce-a'"
    )
    assert policy == {
        "script-src": "'nonce-a'",
        "connect-src": "http://127.0.0.1:3000",
        "img-src": "'self'",
    }
    with pytest.raises(InvalidArgument, match="endpoint"):
        card_form.csp(endpoint="http://shop.uz")


def test_templates_put_it_in_as_it_is() -> None:
    markup = pytest.importorskip("markupsafe")
    form = card_form.html(ID)
    assert str(markup.escape(form)) == form
    jinja = pytest.importorskip("jinja2")
    template = jinja.Environment(autoescape=True).from_string("{{ form }}")
    assert template.render(form=form) == form


def check(get: Any) -> None:
    """Ask a server for the script: `get` gives status, headers and body."""
    status, headers, body = get(f"/payme/card-form.js?v={card_form.version()}", {})
    assert (status, body) == (200, card_form.FILE.read_bytes())
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in headers["cache-control"]
    status, headers, body = get("/payme/card-form.js", {"If-None-Match": headers["etag"]})
    assert (status, body) == (304, b"")


def test_starlette_and_fastapi_serve_it() -> None:
    testclient = pytest.importorskip("starlette.testclient", reason="needs httpx")
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.routing import Route

    from payme.card_form.asgi import PATH, asgi_app
    from payme.card_form.fastapi import card_form_router

    fastapi = FastAPI()
    fastapi.include_router(card_form_router())
    for app in (Starlette(routes=[Route(PATH, asgi_app())]), fastapi):
        client = testclient.TestClient(app)

        def get(path: str, headers: Any, client: Any = client) -> Any:
            answer = client.get(path, headers=headers)
            return answer.status_code, answer.headers, answer.content

        check(get)
        head = client.head(PATH)
        assert (head.status_code, head.content) == (200, b"")
        assert client.post(PATH).status_code == 405
    assert PATH not in fastapi.openapi()["paths"]


def test_the_asgi_application_by_itself() -> None:
    from payme.card_form.asgi import asgi_app

    def get(path: str, headers: Any) -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError

        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        query = path.partition("?")[2].encode()
        scope = {"type": "http", "method": "GET", "query_string": query, "headers": raw}
        asyncio.run(asgi_app()(scope, receive, send))
        start, body = sent
        names = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], names, body["body"]

    check(get)
    with pytest.raises(RuntimeError, match="lifespan"):
        asyncio.run(asgi_app()({"type": "lifespan"}, None, None))  # type: ignore[arg-type]


def test_flask_serves_it_and_writes_the_form() -> None:
    flask = pytest.importorskip("flask")
    from payme.card_form.flask import card_form_blueprint

    app = flask.Flask(__name__)
    app.register_blueprint(card_form_blueprint(cashbox=ID, endpoint="test"))
    client = app.test_client()

    def get(path: str, headers: Any) -> Any:
        answer = client.get(path, headers=headers)
        return answer.status_code, answer.headers, answer.data

    check(get)
    with app.test_request_context():
        page = flask.render_template_string("{{ payme_card_form(lang='uz') }}")
    assert page == card_form.html(ID, endpoint="test", lang="uz")


def test_django_finds_the_file_and_writes_the_form() -> None:
    pytest.importorskip("django")
    done = subprocess.run(
        [sys.executable, HERE / "django_card_form.py"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("passed")
