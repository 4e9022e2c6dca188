"""The example shops under visitors who mean ill: nothing runs, breaks or is bought."""

import json
import re
import socket
from urllib.parse import quote

import pytest

from examples import pages
from payme.charges import Charge, ChargeState
from support.shops import CARD_SHOPS, card_shop

SCRIPT = "<script>alert(1)</script>"
TEXTS = {
    "script": SCRIPT,
    "attribute": "\"'><img src=x onerror=alert(1)>",
    "jinja": "{{7*191}}{% debug %}{{config}}",
    "format": "{0.__class__}%s%n${7*191}",
    "address": "javascript:alert(1)",
    "lines": "x\r\nSet-Cookie: stolen=1\r\n\r\n<h1>",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "long": "A" * 10_000,
    "rtl": "\u202e\u2066uz.emyap",
    "65 bits": str(2**65),
    "digits": "9" * 5_000,
    "below": "-1",
    "nothing": "0",
    "infinite": "1e999",
}
HEADERS = ("Host", "Referer", "Accept-Language", "Origin", "Cookie", "X-HTTP-Method-Override")
BODIES = [
    *(f'{{"amount": {number}}}'.encode() for number in ("NaN", "1e999", "-1", 2**63, 2**65)),
    b'{"amount": ' + b"9" * 5_000 + b"}",
    b'["\\ud800"]',
    b'{"\\ud800": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xff\xfe",
]
ELSEWHERE = ["https://elsewhere.uz", "http://[", "http://[::1", "null", "", "http://\u2488.uz"]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.fixture(scope="module", params=CARD_SHOPS)
def shop(request, tmp_path_factory):
    with card_shop(request.param, tmp_path_factory.mktemp("shop")) as shop:
        yield shop
        assert "Traceback" not in shop.log()


def send(shop, method, path, body=b"", *, announced=None, **headers):
    """Send it as it is: a client of HTTP would refuse the half of it. Gives status and answer.

    Of a body whose length is only announced, nothing follows; then the answer's beginning is given.
    """
    headers = {"Host": f"127.0.0.1:{shop.port}", **headers, "Connection": "close"}
    if method == "POST":
        headers["Content-Length"] = str(announced or len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    with socket.create_connection(("127.0.0.1", shop.port), 10) as connection:
        head = "\r\n".join([*lines, "", ""])
        connection.sendall(head.encode("utf-8", "surrogatepass") + body)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
            if announced:
                break  # some servers first wait for the body, to throw it away
    return int(re.match(rb"HTTP/1.\d (\d+)", answer)[1]), answer.decode("utf-8", "replace")


def books(shop):
    table = "shop_django_order" if shop.is_django else "shop_order"
    return shop.execute(f"SELECT * FROM {table}"), shop.execute("SELECT id FROM payme_charge")


def harmless(status, answer):
    head, _, body = answer.partition("\r\n\r\n")
    assert status < 500, body
    assert "stolen" not in head
    assert "1337" not in body
    if "text/html" in head.lower():
        assert "<script" not in body
        assert "<img" not in body
        assert '="javascript:' not in body


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_text_does_nothing_and_a_get_buys_nothing(shop, text):
    number = shop.order()
    before = books(shop)
    coded = quote(text.encode("utf-8", "surrogatepass"), safe="")
    # The second is also what comes back from a checkout, if it is made up.
    query = f"seen={coded}&state={coded}&transaction={coded}&_method=POST&{coded}=1"
    for path in (f"/{coded}", f"/?{query}", f"/orders/{coded}", f"/orders/{coded}/pay"):
        harmless(*send(shop, "GET", path))
    status, answer = send(shop, "GET", f"/orders/{number}/pay?{query}")
    assert status == 200
    harmless(status, answer)
    for name in HEADERS if text.isprintable() or "\u202e" in text else ():
        headers = {name: text, "Referer": text} if name != "Referer" else {name: text}
        harmless(*send(shop, "GET", f"/orders/{number}/pay", **headers))
    given = json.dumps({"amount": text}).encode()
    status, answer = send(shop, "POST", "/orders", given, **{"Content-Type": JSON})
    assert status in (400, 422)
    harmless(status, answer)
    assert books(shop) == before


def test_a_body_that_no_program_sends_is_refused(shop):
    before = books(shop)
    for body in BODIES:
        for kind in (JSON, "text/plain", FORM):
            status, answer = send(shop, "POST", "/orders", body, **{"Content-Type": kind})
            assert status in (400, 422), (body[:40], kind)
            harmless(status, answer)
    assert books(shop) == before


@pytest.mark.parametrize(
    ("path", "kind"), [("/orders", JSON), ("/orders", FORM), ("/orders/{}/pay", FORM)]
)
def test_a_body_that_is_too_long_is_refused_unread(shop, path, kind):
    path = path.format(shop.order())
    before = books(shop)
    status, answer = send(shop, "POST", path, announced=3 << 20, **{"Content-Type": kind})
    assert status in (400, 403, 413)  # the shop in Django wants its token first
    harmless(status, answer)
    assert books(shop) == before


@pytest.mark.parametrize("text", ["\0", "\ud800", "9" * 100_000, SCRIPT])
def test_what_a_page_is_said_to_have_shown_does_no_harm(shop, text):
    number = shop.order()
    coded = quote(text.encode("utf-8", "surrogatepass"), safe="")
    form = f"seen={coded}".encode()
    status, answer = send(shop, "POST", f"/orders/{number}/pay", form, **{"Content-Type": FORM})
    assert status in (303, 403)  # the shop in Django wants its token first
    harmless(status, answer)


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_another_site_places_and_pays_no_order(shop, origin):
    number = shop.order()
    before = books(shop)
    for path, kind, body in (
        ("/", FORM, b""),
        (f"/orders/{number}/pay", FORM, b"seen="),
        ("/orders", JSON, b'{"amount": 50000}'),
        ("/orders", "text/plain", b'{"amount": 50000}'),
    ):
        status, answer = send(shop, "POST", path, body, Origin=origin, **{"Content-Type": kind})
        assert status == 403, (path, kind)
        harmless(status, answer)
    # Without a header `Origin`, as an old browser sends it: only what no form can send.
    status, _ = send(shop, "POST", "/orders", b'{"amount": 5}', **{"Content-Type": "text/plain"})
    assert status in (400, 422)
    assert books(shop) == before


def test_a_name_that_was_made_to_lead_here_is_not_the_shop(shop):
    """A site whose name is changed to this address counts as its own origin in a browser."""
    before = books(shop)
    name = f"elsewhere.uz:{shop.port}"
    for method, path in (("GET", "/"), ("GET", "/orders/1/pay/"), ("POST", "/")):
        status, answer = send(shop, method, path, Host=name, Origin=f"http://{name}")
        assert status == 400
        assert f"http://{name}" not in answer
    assert books(shop) == before


def test_no_other_site_can_show_a_button_of_the_shop_as_its_own(shop):
    for path in ("/", f"/orders/{shop.order()}/pay"):
        _, answer = send(shop, "GET", path)
        policy = re.search(r"content-security-policy: (.*)\r", answer, re.IGNORECASE)[1]
        assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))


def test_what_payme_says_of_a_refusal_is_text():
    refused = Charge(
        id="order-1", amount=5, account={}, state=ChargeState.REFUSED, message=TEXTS["attribute"]
    )
    page = pages.order(1, "waiting", refused, SCRIPT, f'"{SCRIPT}', SCRIPT)
    assert "<img" not in page
    assert "<script" not in page
    assert f'"{SCRIPT}'.replace('"', "") not in page
