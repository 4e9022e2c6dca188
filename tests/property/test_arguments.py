"""Whatever is given as an argument: it is refused by name, or it goes out as what it is."""

import datetime as dt
import enum
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payme import AsyncPayme, Payme, checkout
from payme.errors import ConfigurationError, InvalidArgument
from payme.money import format_som, som, tiyin, tiyin_or_zero
from payme.protocol import calls, jsonrpc
from payme.protocol.inputs import Detail, FiscalData, Item, Payer, Shipping

RECEIPT = "63119becc4420cbf2712a24c"
TOKEN = "63119784d15d8d8d093b37b8_ADHrAykwnAIc2hm4hPPriktZ8nnuvR96S9Kzmjb3Fcix25IrJmMKrGx"
NOW = 1_790_000_000_000


class Text(str):
    """As Django's SafeString: its `str()` is no `str` either."""

    __slots__ = ()

    def __str__(self):
        return self


class Number(int):
    pass


class Colour(str, enum.Enum):  # noqa: UP042 - its `str()` is "Colour.RED"
    RED = "red"


class Order(enum.IntEnum):
    FIRST = 7


class Claims:
    """Says that it is text, as Django's SimpleLazyObject does."""

    @property
    def __class__(self):
        return str


any_text = st.text(st.characters(exclude_categories=()), max_size=80)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([10**5000, -(10**5000), 2**63, NOW, NOW // 1000, 0]),
    st.floats(),
    st.decimals(),
    st.sampled_from([Decimal("1E+1000000"), Decimal("1E-1000000"), Decimal("sNaN")]),
    any_text,
    any_text.map(Text),
    st.integers().map(Number),
    st.sampled_from([Colour.RED, Order.FIRST, Claims(), object(), str, "9" * 5000, RECEIPT, TOKEN]),
    st.binary(max_size=20),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
)
anything = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.one_of(any_text, any_text.map(Text), st.integers(), st.none()), scalars),
)

BUILDERS = {
    calls.cards_create: {
        "number": "8600069195406311", "expire": "0399", "save": True, "account": None,
        "customer": None,
    },
    calls.cards_get_verify_code: {"token": TOKEN},
    calls.cards_verify: {"token": TOKEN, "code": "666666"},
    calls.cards_check: {"token": TOKEN},
    calls.cards_remove: {"token": TOKEN},
    calls.receipts_create: {
        "amount": 1, "account": {"order_id": 1}, "description": None, "detail": None, "hold": False,
    },
    calls.receipts_pay: {"receipt_id": RECEIPT, "token": TOKEN, "payer": None, "hold": False},
    calls.receipts_send: {"receipt_id": RECEIPT, "phone": "998901304527"},
    calls.receipts_cancel: {"receipt_id": RECEIPT},
    calls.receipts_check: {"receipt_id": RECEIPT},
    calls.receipts_get: {"receipt_id": RECEIPT},
    calls.receipts_confirm_hold: {"receipt_id": RECEIPT},
    calls.receipts_set_fiscal_data: {"receipt_id": RECEIPT, "fiscal": None},
    calls.receipts_get_all: {"count": 1, "from_": 0, "to": NOW, "offset": 0},
}  # fmt: skip
LINK = {
    "merchant_id": "587f72c72cac0d162c722ae2", "account": {"order_id": 197}, "amount": 500,
    "language": "uz", "callback": None, "callback_timeout": None, "environment": "test",
    "base_url": None,
}  # fmt: skip

ARGUMENTS = [(build, name) for build, known in BUILDERS.items() for name in known]


def refusal(act, *arguments):
    """Act, and return why an argument was refused; None if it was not."""
    try:
        act()
    except InvalidArgument as refused:
        str(refused).encode()
        named = refused.argument.partition(".")[0]
        return (
            refused if named in arguments or refused.argument in arguments else pytest.fail(named)
        )
    return None


def sent(call):
    """The params as they go out; only what encoders take is in them."""
    return json.loads(jsonrpc.encode(call.method, call.params, 1))["params"]


def test_every_method_is_here():
    assert {build.__name__.replace("_", ".", 1) for build in BUILDERS} == set(calls.METHODS)


@pytest.mark.parametrize(("build", "name"), ARGUMENTS)
@given(value=anything)
def test_argument_is_refused_by_name_or_sent(build, name, value):
    # The fiscal data that is asked for cannot be left out, and a period must not end before it
    # begins.
    arguments = {"to": ("to", "from_")}.get(name, (name, "fiscal"))
    made = []
    if refusal(lambda: made.append(build(**{**BUILDERS[build], name: value})), *arguments) is None:
        assert sent(made[0])


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Payer.__struct_fields__, anything)))
def test_payer_is_refused_or_sent(members):
    made = []
    pay = calls.receipts_pay
    act = lambda: made.append(pay(RECEIPT, TOKEN, payer=Payer(**members)))  # noqa: E731
    if refusal(act, "payer", "phone") is None:
        assert sent(made[0])


@pytest.mark.parametrize("convert", [tiyin, som, format_som, tiyin_or_zero])
@given(value=anything)
def test_money_is_refused_or_converted(convert, value):
    made = []
    more = ("discount",) if convert is tiyin_or_zero else ()
    if refusal(lambda: made.append(convert(value, *more)), "amount", *more) is None:
        assert type(made[0]) is (str if convert is format_som else int)


@pytest.mark.parametrize("name", [*LINK, "currency", "scale"])
@given(value=anything)
def test_link_is_refused_or_made_of_text(name, value):
    build, made = checkout.qr_svg if name == "scale" else checkout.link, []
    if refusal(lambda: made.append(build(**{**LINK, name: value})), name) is None:
        assert type(made[0]) is str
        made[0].encode()


@pytest.mark.parametrize("name", [*LINK, "description", "detail", "submit"])
@given(value=anything)
def test_form_is_refused_or_made_of_text(name, value):
    made = []
    if refusal(lambda: made.append(checkout.form(**{**LINK, name: value})), name) is None:
        assert type(made[0]) is str
        made[0].encode()


@pytest.mark.parametrize("read", [checkout.parse_link, checkout.receipt_link])
@given(value=anything)
def test_links_are_read_or_refused(read, value):
    refusal(
        lambda: read(value), "url", "receipt_id", "merchant_id", "amount", "account", "callback"
    )


OPTIONS = [
    "merchant_id",
    "key",
    "environment",
    "base_url",
    "timeout",
    "connect_timeout",
    "max_idle",
]


@pytest.mark.parametrize("kind", [Payme, AsyncPayme])
@pytest.mark.parametrize("name", [*OPTIONS, "max_attempts", "ssl_context"])
@given(value=anything)
def test_option_of_a_client_is_refused_by_name_or_taken(kind, name, value):
    try:
        kind(**{"merchant_id": "5e730e8e", "key": "key", "environment": "test", name: value})
    except ConfigurationError as refused:
        text = str(refused)
        assert name in text
        text.encode()
    except InvalidArgument as refused:
        text = str(refused)
        assert text.startswith(f"{name}: ")
        text.encode()


def test_subclasses_go_out_as_what_they_are():
    account = {Text("order_id"): Colour.RED, "number": Order.FIRST, "more": Number(8)}
    call = calls.receipts_create(Number(5), account, description=Text("Non"))
    assert sent(call) == {
        "amount": 5,
        "account": {"order_id": "red", "number": 7, "more": 8},
        "description": "Non",
    }
    call = calls.receipts_pay(Text(RECEIPT), Text(TOKEN), payer=Payer(name=Text("Ali")))
    assert sent(call) == {"id": RECEIPT, "token": TOKEN, "payer": {"name": "Ali"}}
    made = checkout.parse_link(checkout.link(**{**LINK, "account": account}))
    assert made.account == {"order_id": "red", "number": "7", "more": "8"}


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb", "a\x00b", "\x1b[31m", "\x85"])
def test_text_without_bytes_or_with_control_characters_is_refused(bad):
    for build, argument in (
        (lambda: calls.cards_create("8600069195406311", "0399", customer=bad), "customer"),
        (lambda: calls.receipts_create(1, {"order_id": bad}), "account.order_id"),
        (lambda: calls.receipts_create(1, {bad: 1}), "account"),
        (lambda: calls.receipts_create(1, {"a": 1}, description=bad), "description"),
        (lambda: calls.receipts_pay(RECEIPT, TOKEN, payer=Payer(name=bad)), "payer.name"),
        (lambda: calls.cards_check(bad), "token"),
        (lambda: checkout.link(**{**LINK, "account": {"order_id": bad}}), "account.order_id"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            build()
        assert refused.value.argument == argument


def test_description_may_have_lines():
    assert sent(calls.receipts_create(1, {"a": 1}, description="Non\r\n\tSut")) == {
        "amount": 1, "account": {"a": 1}, "description": "Non\r\n\tSut",
    }  # fmt: skip
    with pytest.raises(InvalidArgument):
        calls.receipts_create(1, {"a": "1\n2"})


def test_number_that_readers_of_json_would_round_is_to_be_given_as_text():
    assert sent(calls.receipts_create(1, {"a": 2**53 - 1}))["account"] == {"a": 2**53 - 1}
    with pytest.raises(InvalidArgument, match="longer number as text"):
        calls.receipts_create(1, {"a": 2**53})
    with pytest.raises(InvalidArgument, match="longer number as text"):
        checkout.link(**{**LINK, "account": {"a": -(2**53)}})


LINE = {
    "title": "Non", "price": 500, "count": 1, "code": "00702001001000001", "vat_percent": 12,
    "package_code": "123456", "discount": 0, "units": None,
}  # fmt: skip


@pytest.mark.parametrize("name", LINE)
@given(value=anything)
def test_a_line_is_refused_by_name_or_sent(name, value):
    made = []
    act = lambda: made.append(Item(**{**LINE, name: value}))  # noqa: E731
    if refusal(act, "item") is None and made[0].total == int(made[0].total) > 0:
        amount = int(made[0].total)
        if amount <= 2**53 - 1:
            assert sent(calls.receipts_create(amount, {"a": 1}, detail=Detail([made[0]])))


@pytest.mark.parametrize("name", ["items", "shipping", "receipt_type"])
@given(value=anything)
def test_a_detail_is_refused_by_name_or_sent(name, value):
    detail = {"items": [Item(**LINE)], "shipping": None, "receipt_type": 0, name: value}
    made = []
    if refusal(lambda: made.append(Detail(**detail)), "detail", "item") is None:
        assert sent(calls.receipts_create(500, {"a": 1}, detail=made[0]))


@pytest.mark.parametrize("name", ["title", "price"])
@given(value=anything)
def test_shipping_is_refused_by_name_or_made(name, value):
    refusal(lambda: Shipping(**{"title": "Taksi", "price": 1, name: value}), "shipping")


@pytest.mark.parametrize("name", FiscalData.__struct_fields__)
@given(value=anything)
def test_fiscal_data_is_refused_by_name_or_sent(name, value):
    made = []
    members = {"receipt_id": 1, "qr_code_url": "https://ofd.soliq.uz/check?t=1", name: value}
    if refusal(lambda: made.append(FiscalData(**members)), "fiscal") is None:
        assert sent(calls.receipts_set_fiscal_data(RECEIPT, made[0]))


@given(st.lists(anything, max_size=3) | st.dictionaries(st.text(), anything) | anything)
def test_params_of_any_method_are_refused_by_name_or_sent(value):
    made = []
    act = lambda: made.append(calls.any_method("some.method", {"given": value}))  # noqa: E731
    if refusal(act, "params") is None:
        assert "given" in sent(made[0])


def test_very_long_numbers_are_shown_in_an_error():
    with pytest.raises(InvalidArgument, match="bits"):
        Item(**{**LINE, "vat_percent": 10**5000})
    with pytest.raises(InvalidArgument, match="given"):
        calls.any_method("some.method", {"given": float("nan")})
