import base64
import builtins
import contextlib
import json
import re
import xml.etree.ElementTree as ET
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payme import Detail, InvalidArgument, Item, checkout

MERCHANT = "587f72c72cac0d162c722ae2"

# What a link can carry, whatever the alphabet.
hostile = st.sampled_from("<>\"'&;=/ ") | st.characters(exclude_categories=["Cs"])
texts = st.text(hostile, min_size=1, max_size=40).filter(str.isprintable)
said = texts.filter(str.strip)
carried = texts.filter(lambda text: ";" not in text)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,15}", fullmatch=True)
amounts = st.integers(1, 2**53 - 1)
addresses = st.from_regex(r"https://shop\.uz/[a-z?&=/:%0-9A-F]{0,30}", fullmatch=True)


class Inputs(HTMLParser):
    """Collects what a browser would send, and every tag that it would see."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.inputs: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.form: dict[str, str | None] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        members = dict(attrs)
        if tag == "form":
            self.form = members
        if tag == "input":
            self.inputs.append((members["name"] or "", members["value"] or ""))


def test_the_worked_sample_of_the_documentation():
    assert checkout.link(MERCHANT, {"order_id": 197}, 500) == (
        "https://checkout.paycom.uz/"
        "bT01ODdmNzJjNzJjYWMwZDE2MmM3MjJhZTI7YWMub3JkZXJfaWQ9MTk3O2E9NTAw"
    )


def test_every_key_of_a_link():
    link = checkout.link(
        MERCHANT,
        {"order_id": 197, "login": "ali"},
        500,
        language="uz",
        callback="https://shop.uz/paid?id=:transaction",
        callback_timeout=5000,
        currency=860,
        environment="test",
    )
    host = "https://test.paycom.uz/"
    assert link.startswith(host)
    assert base64.b64decode(link.removeprefix(host)).decode() == (
        f"m={MERCHANT};ac.order_id=197;ac.login=ali;a=500;l=uz;"
        "c=https://shop.uz/paid?id=:transaction;ct=5000;cr=860"
    )


@given(
    account=st.dictionaries(names, carried, max_size=4),
    amount=amounts,
    language=st.none() | st.sampled_from(checkout.LANGUAGES),
    callback=st.none() | addresses,
    timeout=st.none() | st.integers(0, 2**31 - 1),
    currency=st.none() | st.sampled_from(["860", "UZS"]),
)
def test_a_link_says_what_it_was_given(account, amount, language, callback, timeout, currency):
    link = checkout.link(
        MERCHANT,
        account,
        amount,
        language=language,
        callback=callback,
        callback_timeout=timeout,
        currency=currency,
    )
    read = checkout.parse_link(link)
    assert read == checkout.CheckoutLink(
        merchant_id=MERCHANT,
        account=account,
        amount=amount,
        language=language,
        callback=callback,
        callback_timeout=timeout,
        currency=currency,
    )
    assert checkout.parse_link(urlsplit(link).path) == read


@pytest.mark.parametrize(
    "change", [lambda b: b.rstrip("="), lambda b: b.translate({43: 45, 47: 95})]
)
def test_a_link_is_read_in_either_alphabet_with_or_without_padding(change):
    link = checkout.link(MERCHANT, {"q": "ÿþ~?>"}, 5)
    host, encoded = "https://checkout.paycom.uz/", link.removeprefix("https://checkout.paycom.uz/")
    assert set("=+/") & set(encoded)
    assert checkout.parse_link(host + change(encoded)) == checkout.parse_link(link)


def test_percent_encoded_base64_is_read():
    link = checkout.link(MERCHANT, {}, 5)
    assert checkout.parse_link(link.replace("=", "%3D")) == checkout.parse_link(link)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m=1",
        "a=5",
        "m=1;a=0",
        "m=1;a=-5",
        "m=1;a=5.5",
        "m=1;a=٥",
        "m=1;a=5;a=6",
        "m=1;a=5;amount=6",
        "m=1;a=5;c=javascript:alert(1)",
        "m=1;a=5;ct=soon",
        "m=1;a=5;ct=99999999999",
        "m=1;a=5;ac.=1",
        "m=1;a=5;ac.x=",
        "m=<b>;a=5",
        "m=1;a=5;lonely",
    ],
)
def test_a_link_that_says_nothing_sensible_is_refused(text):
    with pytest.raises(InvalidArgument):
        checkout.parse_link(encoded(text))


@given(st.text() | st.binary().map(lambda body: base64.b64encode(body).decode()))
def test_any_text_is_a_link_or_refused(text):
    with contextlib.suppress(InvalidArgument):
        assert checkout.parse_link(text).amount > 0


def test_other_languages_are_ignored_in_a_link():
    assert checkout.parse_link(encoded("m=1;a=5;l=kk")).language is None


def test_an_empty_return_address_of_a_link_is_none():
    assert checkout.parse_link(encoded("m=1;ac.order_id=7;a=5;c=")).callback is None


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("merchant_id", {"merchant_id": ""}),
        ("merchant_id", {"merchant_id": "a;b"}),
        ("merchant_id", {"merchant_id": 5}),
        ("account", {"account": None}),
        ("account", {"account": {"a=b": 1}}),
        ("account", {"account": {"a;b": 1}}),
        ("account", {"account": {"a[b]": 1}}),
        ("account", {"account": {"": 1}}),
        ("account", {"account": {5: 1}}),
        ("account.order_id", {"account": {"order_id": "1;a=1"}}),
        ("account.order_id", {"account": {"order_id": "1\n2"}}),
        ("account.order_id", {"account": {"order_id": ""}}),
        ("account.order_id", {"account": {"order_id": True}}),
        ("account.order_id", {"account": {"order_id": 1.0}}),
        ("account.order_id", {"account": {"order_id": "\ud800"}}),
        ("amount", {"amount": 0}),
        ("amount", {"amount": 1.5}),
        ("language", {"language": "kk"}),
        ("callback", {"callback": "shop.uz/paid"}),
        ("callback", {"callback": "javascript://x/%0aalert(1)"}),
        ("callback", {"callback": "https://shop.uz/a;b"}),
        ("callback", {"callback": "https://shop.uz/тўлов"}),
        ("callback", {"callback": "https://shop.uz/a b"}),
        ("callback_timeout", {"callback_timeout": -1}),
        ("callback_timeout", {"callback_timeout": True}),
        ("callback_timeout", {"callback_timeout": 1.5}),
        ("currency", {"currency": "soʻm"}),
        ("currency", {"currency": True}),
        ("environment", {"environment": "staging"}),
        ("environment", {"environment": ["test"]}),
        ("base_url", {"base_url": "ftp://x"}),
        ("base_url", {"base_url": 'http://x/" onclick="'}),
    ],
)
def test_what_a_link_cannot_carry_is_refused_by_name(argument, wrong):
    given = {"merchant_id": MERCHANT, "account": {}, "amount": 500, **wrong}
    with pytest.raises(InvalidArgument) as refused:
        checkout.link(**given)
    assert refused.value.argument == argument


def test_a_whole_decimal_is_an_amount():
    assert checkout.parse_link(checkout.link(MERCHANT, {}, Decimal(500))).amount == 500


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:3000", "http://127.0.0.1:3000/api", "http://127.0.0.1:3000/api/"]
)
def test_a_sandbox_is_addressed_by_its_url(base):
    assert checkout.link(MERCHANT, {}, 5, base_url=base).startswith("http://127.0.0.1:3000/bT0")
    assert checkout.receipt_link("a" * 24, base_url=base) == f"http://127.0.0.1:3000/{'a' * 24}"
    assert 'action="http://127.0.0.1:3000"' in checkout.form(MERCHANT, {}, 5, base_url=base)


def test_receipt_links():
    receipt = "63119becc4420cbf2712a24c"
    assert checkout.receipt_link(receipt) == f"https://checkout.paycom.uz/{receipt}"
    test = checkout.receipt_link(receipt, environment="test")
    assert test == f"https://checkout.test.paycom.uz/{receipt}"
    for wrong in ("", "A" * 24, "../../etc", None):
        with pytest.raises(InvalidArgument):
            checkout.receipt_link(wrong)


def test_every_input_of_a_form():
    item = Item(
        title="Non",
        price=250,
        count=2,
        code="00702001001000001",
        vat_percent=12,
        package_code="123456",
    )
    html = checkout.form(
        MERCHANT,
        {"order_id": 197},
        500,
        language="ru",
        callback="https://shop.uz/paid?a=1;b=2",
        callback_timeout=0,
        description={"uz": "Non", "ru": "Хлеб", "en": "Bread"},
        detail=Detail([item]),
        environment="test",
    )
    page = Inputs(html)
    assert page.form == {
        "method": "POST",
        "action": "https://test.paycom.uz",
        "accept-charset": "utf-8",
    }
    sent = dict(page.inputs)
    detail = json.loads(base64.b64decode(sent.pop("detail")))
    assert detail["receipt_type"] == 0
    assert detail["items"][0]["price"] == 250
    assert sent == {
        "merchant": MERCHANT,
        "amount": "500",
        "account[order_id]": "197",
        "lang": "ru",
        "callback": "https://shop.uz/paid?a=1;b=2",
        "callback_timeout": "0",
        "description[uz]": "Non",
        "description[ru]": "Хлеб",
        "description[en]": "Bread",
    }
    assert "Оплатить через Payme" in html


@given(account=st.dictionaries(names, texts, max_size=3), description=said, submit=said)
def test_no_value_breaks_out_of_the_form(account, description, submit):
    html = checkout.form(MERCHANT, account, 500, description=description, submit=submit)
    page = Inputs(html)
    assert page.tags == ["form", *["input"] * (3 + len(account)), "button"]
    assert set(page.attributes) <= {"method", "action", "accept-charset", "type", "name", "value"}
    assert dict(page.inputs) == {
        "merchant": MERCHANT,
        "amount": "500",
        **{f"account[{name}]": value for name, value in account.items()},
        "description": description,
    }


@given(st.text(alphabet="<>\"'&;= /a\n\x00[]", min_size=1))
def test_a_hostile_field_name_is_refused_or_stays_a_name(name):
    try:
        html = checkout.form(MERCHANT, {name: "1"}, 500)
    except InvalidArgument:
        return
    assert (f"account[{name}]", "1") in Inputs(html).inputs


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("description", {"description": ""}),
        ("description", {"description": 5}),
        ("description", {"description": {}}),
        ("description", {"description": {"kk": "Нан"}}),
        ("description", {"description": {"uz": ""}}),
        ("detail", {"detail": "items"}),
        ("detail", {"detail": {"items": object()}}),
        ("submit", {"submit": ""}),
        ("submit", {"submit": " "}),
        ("callback", {"callback": "data:text/html,x"}),
    ],
)
def test_what_a_form_cannot_send_is_refused_by_name(argument, wrong):
    with pytest.raises(InvalidArgument) as refused:
        checkout.form(MERCHANT, {}, 500, **wrong)
    assert refused.value.argument == argument


def test_lines_that_do_not_add_up_are_refused():
    item = Item(
        title="Non",
        price=250,
        count=1,
        code="00702001001000001",
        vat_percent=12,
        package_code="1",
    )
    with pytest.raises(InvalidArgument, match="add up"):
        checkout.form(MERCHANT, {}, 500, detail=Detail([item]))


def test_a_refusal_shows_no_phone():
    with pytest.raises(InvalidArgument) as refused:
        checkout.link(MERCHANT, {"phone": "998901234567;"}, 500)
    assert "998901234567" not in str(refused.value)


def test_a_qr_code_is_the_link_drawn():
    svg = checkout.qr_svg(MERCHANT, {"order_id": 197}, 500)
    assert svg.startswith("<svg ")
    root = ET.fromstring(svg)
    assert root.get("width") == root.get("height")
    segno = pytest.importorskip("segno")
    code = segno.make_qr(checkout.link(MERCHANT, {"order_id": 197}, 500), error="m")
    assert int(root.get("width")) == code.symbol_size(scale=4)[0]
    assert svg != checkout.qr_svg(MERCHANT, {"order_id": 198}, 500)


def test_a_qr_code_without_segno_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "segno":
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=re.escape('pip install "payme-uz[qr]"')):
        checkout.qr_svg(MERCHANT, {}, 500)


@pytest.mark.parametrize("scale", [0, 101, 1.5, True])
def test_a_qr_code_has_a_sensible_scale(scale):
    with pytest.raises(InvalidArgument):
        checkout.qr_svg(MERCHANT, {}, 500, scale=scale)


@pytest.mark.parametrize("order", range(4))
def test_link_whose_base64_ends_in_a_slash_is_read(order):
    # A question mark at the end makes such a link, at one length in three.
    callback = f"https://shop.uz/{'0' * order}?"
    made = checkout.link("m", {"a": 1}, 5, callback=callback)
    for written in (made, f"{made}/", f"{made}//", made.rstrip("=")):
        assert checkout.parse_link(written).callback == callback
