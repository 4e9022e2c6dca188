"""What may be given to a client: the rest is refused by name, and never raises anything raw."""

import pytest

from payme import AsyncPayme, Payme
from payme.errors import ConfigurationError, InvalidArgument

ID = "5e730e8e0b852a417aa49ceb"
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"

BOTH = pytest.mark.parametrize("kind", [Payme, AsyncPayme])


class Text(str):
    __slots__ = ()


@BOTH
@pytest.mark.parametrize(
    "address",
    [
        "https://h.uz:0/api",
        "https://h.uz:٤٤٣/api",
        "https://a..b/api",
        "https://.h.uz/api",
        "https://-h.uz/api",
        f"https://{'a' * 64}.uz/api",
        f"https://{'a.' * 127}uz/api",
        "https://ſandbox.uz/api",
        "httpſ://h.uz/api",
        "https://[:::::]/api",
        "https://[1.2.3.4]/api",
        "https://h.uz/\ud800",
        "https://h.uz/тўлов",
        "https://h.uz/a\x00b",
        "https://h.uz/api\r\nX-Evil: 1",
        "https://h.uz/a#b",
        b"https://h.uz/api",
        ["https://h.uz/api"],
    ],
)
def test_address_that_can_not_be_called_is_refused(kind, address):
    with pytest.raises(ConfigurationError, match="base_url: got") as refused:
        kind(ID, KEY, base_url=address)
    str(refused.value).encode()


@BOTH
def test_unusual_addresses_that_can_be_called_are_taken(kind):
    for given, used in (
        ("https://h.uz./api", "https://h.uz./api"),
        ("https://h.uz/a;b/~c%20d@e/", "https://h.uz/a;b/~c%20d@e"),
        ("http://[::ffff:127.0.0.1]/api", "http://[::ffff:127.0.0.1]/api"),
        (Text("https://h.uz"), "https://h.uz/api"),
    ):
        client = kind(ID, KEY, base_url=given, allow_http=True)
        assert (client.base_url, type(client.base_url)) == (used, str)


@BOTH
@pytest.mark.parametrize("wrong", [0, 5.5, b"id", [], {}, "\ud800", object()])
def test_credentials_that_are_no_text_are_refused(kind, wrong):
    with pytest.raises(ConfigurationError, match="merchant_id"):
        kind(wrong, KEY, environment="test")
    with pytest.raises(ConfigurationError, match="key: "):
        kind(ID, wrong, environment="test")


@BOTH
def test_credentials_of_a_subclass_of_str_are_taken_as_text(kind):
    client = kind(Text(ID), Text(KEY), environment=Text("test"))
    assert (client.merchant_id, type(client.merchant_id)) == (ID, str)


@BOTH
@pytest.mark.parametrize("wrong", [5, b"test", ["test"], "\ud800"])
def test_environment_that_is_no_text_is_refused(kind, wrong):
    with pytest.raises(ConfigurationError, match="environment: got"):
        kind(ID, KEY, environment=wrong)


@BOTH
@pytest.mark.parametrize("wrong", ["verify", True, object()])
def test_tls_settings_that_are_none_are_refused(kind, wrong):
    with pytest.raises(ConfigurationError, match=r"expected an ssl\.SSLContext"):
        kind(ID, KEY, environment="test", ssl_context=wrong)


@BOTH
@pytest.mark.parametrize(
    "wrong",
    [float("nan"), float("inf"), -1, 0, 1e6, 10**5000, -(10**5000), True, "10", None, [10**5000]],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize("option", ["timeout", "connect_timeout", "max_attempts"])
def test_limit_that_is_none_is_refused_by_name(kind, option, wrong):
    with pytest.raises(InvalidArgument) as refused:
        kind(ID, KEY, environment="test", **{option: wrong})
    assert refused.value.argument == option


@pytest.fixture
def environment(monkeypatch):
    def set_to(base_url=None, name=None):
        for variable, wanted in (("PAYME_BASE_URL", base_url), ("PAYME_ENVIRONMENT", name)):
            if wanted is None:
                monkeypatch.delenv(variable, raising=False)
            else:
                monkeypatch.setenv(variable, wanted)

    return set_to


LOCAL, ARGUMENT = "http://127.0.0.1:3000/api", "http://127.0.0.1:4000/api"
TEST, PRODUCTION = "https://checkout.test.paycom.uz/api", "https://checkout.paycom.uz/api"


@BOTH
@pytest.mark.parametrize(
    ("arguments", "variables", "used"),
    [
        ({}, (LOCAL, None), LOCAL),
        ({}, ("http://127.0.0.1:3000/", None), LOCAL),
        ({}, (LOCAL, "test"), LOCAL),
        ({}, (TEST, "test"), TEST),
        ({}, ("", "production"), PRODUCTION),
        ({"environment": "test"}, (LOCAL, "production"), TEST),
        ({"environment": "test"}, (PRODUCTION, None), TEST),
        ({"base_url": ARGUMENT}, (LOCAL, "test"), ARGUMENT),
        ({"base_url": ARGUMENT, "environment": "test"}, (LOCAL, None), ARGUMENT),
        ({"base_url": PRODUCTION}, (LOCAL, "test"), PRODUCTION),
    ],
)
def test_an_argument_comes_before_the_environment_and_an_address_before_a_name(
    kind, environment, arguments, variables, used
):
    environment(*variables)
    assert kind(ID, KEY, **arguments).base_url == used


@BOTH
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ((TEST, "production"), "PAYME_ENVIRONMENT='production', but PAYME_BASE_URL is the test"),
        ((PRODUCTION, "test"), "PAYME_ENVIRONMENT='test', but PAYME_BASE_URL is the production"),
        (("localhost", None), "PAYME_BASE_URL: got 'localhost', expected an address"),
        (("http://shop.uz/api", None), "would send the key in the clear"),
        ((None, "staging"), "environment: got 'staging'"),
    ],
)
def test_an_environment_that_can_not_be_right_is_refused(kind, environment, variables, message):
    environment(*variables)
    with pytest.raises(ConfigurationError, match=message):
        kind(ID, KEY)


@BOTH
def test_an_address_with_a_password_in_the_environment_is_refused_without_it(kind, environment):
    environment("https://shop:hidden@h.uz/api")
    with pytest.raises(ConfigurationError, match="<redacted>") as refused:
        kind(ID, KEY)
    assert "hidden" not in str(refused.value)
