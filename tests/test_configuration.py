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
