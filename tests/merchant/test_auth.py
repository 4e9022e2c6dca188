import base64

import pytest

from payme.errors import ConfigurationError
from payme.merchant.auth import PAYME_ADDRESSES, AllowList, Keys

KEY, TEST = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C", "mjES8ycLucnvygt4dPwerK2vj45Eensn3ZPr"


def basic(text, scheme="Basic"):
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_login_and_key_are_admitted(scheme):
    assert Keys(KEY).admit(basic(f"Paycom:{KEY}", scheme))


def test_several_keys_are_admitted_during_a_rotation():
    keys = Keys([KEY, TEST])
    assert keys.admit(basic(f"Paycom:{KEY}"))
    assert keys.admit(basic(f"Paycom:{TEST}"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        basic("Paycom:"),
        basic("Paycom"),
        basic(":"),
        basic(KEY),
        basic(f":{KEY}"),
        basic(f"paycom:{KEY}"),
        basic(f"Paycom:{KEY}x"),
        basic(f"Paycom:{KEY[:-1]}"),
        basic(f"Paycom:{KEY}", "Bearer"),
        f"Paycom:{KEY}",
        basic(f"Paycom:{KEY}\n"),
        "Basic \xff",
    ],
)
def test_anything_else_is_not_admitted(header):
    assert not Keys([KEY, TEST]).admit(header)


@pytest.mark.parametrize("keys", [[], "", [""], ["   "], [KEY, ""], "short", [None]])
def test_a_merchant_without_a_key_does_not_start(keys):
    with pytest.raises(ConfigurationError, match="keys"):
        Keys(keys)


def test_keys_are_not_shown():
    assert KEY not in repr(Keys(KEY)) + repr(Keys([KEY, TEST]))


def test_payme_s_fifteen_addresses_are_allowed_and_their_neighbours_are_not():
    allow = AllowList()
    assert len(PAYME_ADDRESSES) == 15
    assert all(allow.admit(address) for address in PAYME_ADDRESSES)
    for other in ("185.234.113.0", "185.234.113.16", "127.0.0.1", "::1", "", None, "nonsense"):
        assert not allow.admit(other)
    assert allow.admit("::ffff:185.234.113.7")


def test_forwarded_address_is_read_only_behind_a_trusted_proxy():
    direct = AllowList()
    assert not direct.admit("203.0.113.9", "185.234.113.1")
    behind = AllowList(trusted_proxies=["10.0.0.0/8"])
    assert behind.admit("10.0.0.2", "185.234.113.1")
    assert behind.admit("10.0.0.2", "185.234.113.1, 10.0.0.1")
    assert not behind.admit("10.0.0.2", "185.234.113.1, 203.0.113.9")
    assert not behind.admit("10.0.0.2", None)
    assert not behind.admit("10.0.0.2", "garbage")
    assert not behind.admit("203.0.113.9", "185.234.113.1")


def test_address_that_is_none_is_refused_at_the_start():
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        AllowList(trusted_proxies=["proxy.local"])


@pytest.mark.parametrize("key", [KEY + "\n", " " + KEY, KEY[:9] + "\r\n" + KEY[9:], KEY + "\0"])
def test_key_with_a_line_break_or_a_space_is_refused_at_the_start(key):
    """Payme never sends it: every payment would be refused, and nobody would see why."""
    with pytest.raises(ConfigurationError, match="a line break, or a space at an end") as refused:
        Keys([TEST, key])
    assert KEY[:9] not in str(refused.value)


@pytest.mark.parametrize("peer", [None, ""])
def test_proxy_behind_a_unix_socket_is_trusted_when_it_is_named(peer):
    trusting = AllowList(trusted_proxies=["unix"])
    assert trusting.admit(peer, "185.234.113.5")
    assert not trusting.admit(peer, "203.0.113.1")
    assert not trusting.admit(peer, None)
    assert not trusting.admit(peer, "185.234.113.5, 203.0.113.1")
    assert not trusting.admit("203.0.113.1", "185.234.113.5")
    assert not AllowList().admit(peer, "185.234.113.5")
