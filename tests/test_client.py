"""Making a client: credentials, addresses, limits."""

import inspect
import json
import ssl
import subprocess
import sys

import pytest

from payme import AsyncPayme, ConfigurationError, InvalidArgument, MemoryTransport, Payme
from payme.cards import AsyncCards, Cards
from payme.receipts import AsyncReceipts, Receipts

ID, KEY = "5e730e8e0b852a417aa49ceb", "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"

BOTH = pytest.mark.parametrize("kind", [Payme, AsyncPayme])


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("PAYME_MERCHANT_ID", "PAYME_KEY", "PAYME_ENVIRONMENT", "PAYME_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@BOTH
@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ("test", "https://checkout.test.paycom.uz/api"),
        ("production", "https://checkout.paycom.uz/api"),
    ],
)
def test_environment_names_the_host(kind, environment, url, monkeypatch):
    assert kind(ID, KEY, environment=environment).base_url == url
    monkeypatch.setenv("PAYME_ENVIRONMENT", environment)
    assert kind(ID, KEY).base_url == url


@BOTH
def test_credentials_come_from_the_environment(kind, monkeypatch):
    monkeypatch.setenv("PAYME_MERCHANT_ID", ID)
    monkeypatch.setenv("PAYME_KEY", KEY)
    client = kind(environment="test")
    assert client.merchant_id == ID
    assert client._session.credentials.key.open() == KEY
    assert kind("a" * 24, environment="test").merchant_id == "a" * 24


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "merchant_id is missing: give it or set PAYME_MERCHANT_ID"),
        ({"merchant_id": ID}, "environment: got '', expected 'test' or 'production'"),
        ({"merchant_id": ID, "environment": "prod"}, "environment: got 'prod'"),
        ({"merchant_id": "a b", "environment": "test"}, "merchant_id: got"),
        ({"merchant_id": f"{ID}:key", "environment": "test"}, "merchant_id: got"),
        ({"merchant_id": ID, "key": "a b", "environment": "test"}, "key: has spaces"),
        ({"merchant_id": ID, "key": "a\r\nX-Evil: 1", "environment": "test"}, "key: has spaces"),
        ({"merchant_id": ID, "key": "калит", "environment": "test"}, "key: has spaces"),
        ({"merchant_id": ID, "key": "a&amp;b", "environment": "test"}, "HTML entity"),
        ({"merchant_id": ID, "base_url": "checkout.paycom.uz"}, "base_url: got"),
        ({"merchant_id": ID, "base_url": "ftp://checkout.paycom.uz"}, "base_url: got"),
        ({"merchant_id": ID, "base_url": "https://"}, "base_url: got"),
        ({"merchant_id": ID, "base_url": "https://h/api?x=1"}, "base_url: got"),
        ({"merchant_id": ID, "base_url": "https://h:99999/api"}, "base_url: got"),
        ({"merchant_id": ID, "base_url": 5}, "base_url: got"),
        ({"merchant_id": ID, "base_url": "http://checkout.paycom.uz/api"}, "in the clear"),
        (
            {
                "merchant_id": ID,
                "environment": "test",
                "base_url": "https://checkout.paycom.uz/api/",
            },
            "base_url is the production host",
        ),
    ],
)
def test_wrong_configuration_is_named(kind, arguments, message):
    with pytest.raises(ConfigurationError) as refused:
        kind(**arguments)
    assert message in str(refused.value)


@BOTH
@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://h.uz/api/", "https://h.uz/api"),
        ("https://h.uz/api", "https://h.uz/api"),
        ("https://h.uz", "https://h.uz/api"),
        ("HTTPS://H.uz:444/x/", "https://h.uz:444/x"),
        ("http://127.0.0.1:3000/api", "http://127.0.0.1:3000/api"),
        ("http://localhost:3000", "http://localhost:3000/api"),
        ("http://[::1]:3000/api", "http://[::1]:3000/api"),
    ],
)
def test_address_is_taken_in_its_common_forms(kind, given, used):
    assert kind(ID, KEY, base_url=given).base_url == used


@BOTH
def test_password_in_an_address_is_not_shown(kind):
    with pytest.raises(ConfigurationError) as refused:
        kind(ID, KEY, base_url="https://user:hunter2@h.uz/api")
    assert "hunter2" not in str(refused.value)


@BOTH
def test_plain_http_to_another_machine_must_be_asked_for(kind):
    with pytest.raises(ConfigurationError, match="allow_http=True"):
        kind(ID, KEY, base_url="http://sandbox:3000/api")
    assert kind(ID, KEY, base_url="http://sandbox:3000/api", allow_http=True)


@BOTH
@pytest.mark.parametrize("weakened", ["certificate", "host name"])
def test_tls_verification_can_t_be_switched_off(kind, weakened):
    context = ssl.create_default_context()
    context.check_hostname = False
    if weakened == "certificate":
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ConfigurationError, match="ssl_context"):
        kind(ID, KEY, environment="test", ssl_context=context)


@BOTH
@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "5"),
        ("timeout", True),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("connect_timeout", 0),
        ("max_attempts", 0),
        ("max_attempts", 1.5),
        ("max_attempts", True),
    ],
)
def test_limits_are_checked(kind, option, given):
    with pytest.raises(InvalidArgument, match=option):
        kind(ID, KEY, environment="test", **{option: given})
    if option != "connect_timeout":
        with pytest.raises(InvalidArgument, match=option):
            kind(ID, KEY, environment="test").with_options(**{option: given})


@BOTH
def test_with_options_changes_only_what_is_given(kind):
    client = kind(ID, KEY, environment="test", timeout=7, max_attempts=2)
    sibling = client.with_options(timeout=1)
    assert sibling._session.limits[:3:2] == (1, 2)
    assert client._session.limits.timeout == 7
    assert type(sibling) is kind
    assert sibling._transport is client._transport


@BOTH
def test_repr_shows_the_cash_box_and_not_the_key(kind):
    client = kind(ID, KEY, environment="test")
    assert ID in repr(client)
    assert KEY not in repr(client) + repr(vars(client))


def test_method_that_needs_the_key_says_so_before_sending():
    def refuse(body, auth):
        raise AssertionError(body)

    client = Payme(ID, "", transport=MemoryTransport(refuse))
    with pytest.raises(ConfigurationError, match=r"receipts\.create needs the key"):
        client.receipts.create(100, {"order_id": 1})


def test_front_end_methods_work_without_a_key():
    seen = []

    def answer(body, auth):
        seen.append(auth)
        request = json.loads(body)
        card = {"number": "8", "expire": "03/99", "token": "t", "recurrent": True, "verify": False}
        return json.dumps({"id": request["id"], "result": {"card": card}}).encode()

    client = Payme(ID, "", transport=MemoryTransport(answer))
    assert client.cards.create("8600069195406311", "0399").verify is False
    assert seen == [ID]


@pytest.mark.parametrize(("blocking", "asyncio"), [(Cards, AsyncCards), (Receipts, AsyncReceipts)])
def test_both_facades_have_the_same_methods_signatures_and_docstrings(blocking, asyncio):
    def public(kind):
        return {name: member for name, member in vars(kind).items() if not name.startswith("_")}

    assert list(public(blocking)) == list(public(asyncio))
    for name, method in public(blocking).items():
        twin = public(asyncio)[name]
        ours, theirs = inspect.signature(method), inspect.signature(twin)
        assert ours.parameters == theirs.parameters, name
        if name != "iterate":
            assert ours.return_annotation == theirs.return_annotation, name
        assert method.__doc__ == twin.__doc__, name
        assert method.__doc__


def test_both_clients_take_the_same_options():
    assert list(inspect.signature(Payme).parameters) == list(
        inspect.signature(AsyncPayme).parameters
    )


def modules_after(statement):
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_stays_small_and_loads_no_server_no_cli_and_no_transport():
    bare = modules_after("pass")
    assert len(modules_after("import payme") - bare) < 80
    loaded = modules_after(
        "from payme import Payme, AsyncPayme; Payme('a' * 24, environment='test')"
    )
    for heavy in ("ssl", "httptools", "anyio", "starlette", "uvicorn", "click", "rich", "sqlite3"):
        assert heavy not in loaded
    assert loaded.isdisjoint({"payme.sandbox", "payme.cli", "payme.demo"})


def test_unknown_name_is_an_attribute_error():
    import payme

    with pytest.raises(AttributeError, match="no attribute 'Paymee'"):
        _ = payme.Paymee
    assert set(payme.__all__) <= set(dir(payme))
    assert all(getattr(payme, name) for name in payme.__all__)
    assert payme.sandbox.Sandbox
    assert payme.errors.NotSent is payme.NotSent
