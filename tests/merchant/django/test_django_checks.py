"""A project whose settings can't be right does not start."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.test import override_settings

from payme.merchant.auth import PAYME_ADDRESSES
from payme.merchant.django.checks import check_database
from payme.merchant.django.configuration import configured
from payme.merchant.django.models import OrderLock

RIGHT = {"KEYS": ["Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"], "ORDERS": "shopfront.orders.Orders"}


async def coroutine():
    return RIGHT["KEYS"]


def found(payme):
    with override_settings(PAYME=payme):
        return {message.id: message.msg for message in checks.run_checks()}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"KEYS": list},
        {"TELEMETRY": True},
        {"ALLOWED_ADDRESSES": PAYME_ADDRESSES, "TRUSTED_PROXIES": ["10.0.0.0/8"]},
    ],
)
def test_right_settings_pass(more):
    assert found({**RIGHT, **more}) == {}


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"KEYS": []}, "payme.E002", "none"),
        ({"KEYS": [""]}, "payme.E002", "empty"),
        ({"KEYS": [None]}, "payme.E002", "empty"),
        ({"KEYS": [" " * 36]}, "payme.E002", "empty"),
        ({"KEYS": None}, "payme.E002", "none"),
        ({"KEYS": 7}, "payme.E002", "KEYS: got int, expected a list"),
        ({"KEYS": [b"k" * 36]}, "payme.E002", "one of 1 is bytes, expected text"),
        ({"LOGIN": None}, "payme.E002", "login: got NoneType, expected text"),
        ({"KEYS": coroutine}, "payme.E002", "coroutine"),
        ({"TELEMETRY": "yes"}, "payme.E009", "TELEMETRY: got 'yes', expected True or"),
        ({"REFUND_MISSING": "no"}, "payme.E006", "REFUND_MISSING: got 'no', expected True or"),
        ({"ORDERS": ""}, "payme.E003", "ORDERS: got '', expected a dotted path"),
        ({"ORDERS": dict}, "payme.E003", "ORDERS: got type, expected a dotted path"),
        ({"ORDERS": None}, "payme.E003", "ORDERS: got nothing, expected a dotted path"),
        ({"ORDERS": "shopfront.nowhere.Orders"}, "payme.E003", "nowhere"),
        ({"ORDERS": "shopfront.orders.WithoutHooks"}, "payme.E003", "cancelled, paid"),
        ({"ORDERS": "shopfront.orders.Awaited"}, "payme.E003", "async def` paid"),
        ({"ALLOWED_ADDRESSES": ["payme.uz"]}, "payme.E004", "got 'payme.uz', expected addresses"),
        ({"ALLOWED_ADDRESSES": [185]}, "payme.E004", "addresses: got 185, expected addresses"),
        ({"ALLOWED_ADDRESSES": "185.234.113.1"}, "payme.E004", "got str, expected a list"),
        ({"TRUSTED_PROXIES": ["nginx"]}, "payme.E004", "nginx"),
        ({"ALLOWED_ADRESSES": PAYME_ADDRESSES}, "payme.E001", "ALLOWED_ADRESSES"),
    ],
)
def test_wrong_setting_is_named(changes, code, says):
    messages = found({**RIGHT, **changes})
    assert list(messages) == [code]
    assert says in messages[code]


def test_no_database_has_anything_to_say_about_the_tables(mariadb):
    """Django asks only those that it is told; from 6.0 on, all."""
    assert checks.run_checks(databases=[mariadb, "default"]) == []
    # The key has room in InnoDB, whose limit is 3072 bytes; a character takes up to 4.
    assert 4 * OrderLock._meta.pk.max_length <= 3072


@pytest.mark.parametrize("payme", [None, [], "key"])
def test_missing_settings_are_an_error(payme):
    assert list(found(payme)) == ["payme.E001"]


def test_every_wrong_setting_is_reported_at_once():
    assert list(found({"ALLOWED_ADDRESSES": ["?"]})) == ["payme.E002", "payme.E003", "payme.E004"]


def test_key_is_not_printed():
    assert "s3cret" not in str(found({**RIGHT, "KEYS": ["s3cret"]}))


def test_commands_do_not_start_with_a_blank_key():
    blank = override_settings(PAYME={**RIGHT, "KEYS": [""]})
    with blank, pytest.raises(SystemCheckError, match="empty"):
        call_command("check")


def test_endpoint_is_made_anew_when_a_test_overrides_the_setting():
    with override_settings(PAYME=RIGHT):
        first = configured()
        assert configured() is first
        with override_settings(LANGUAGE_CODE="uz"):
            assert configured() is first
    assert configured() is not first


@pytest.mark.parametrize(("transactions", "codes"), [(True, []), (False, ["payme.E005"])])
def test_tables_that_take_nothing_back_are_an_error(sqlite, monkeypatch, transactions, codes):
    from shopfront import routing

    routing.chosen = "sqlite"
    monkeypatch.setattr(connections["sqlite"], "vendor", "mysql")
    monkeypatch.setattr(connections["sqlite"].features, "supports_transactions", transactions)
    assert [error.id for error in check_database(databases=["sqlite"])] == codes
    assert check_database(databases=["another"]) == []
    assert check_database(databases=None) == []


def test_databases_that_take_everything_back_are_not_asked(alias):
    assert check_database(databases=[alias]) == []


# The command asks every database which migrations it has: each must be there.
@pytest.mark.usefixtures("sqlite", "postgresql")
def test_migrations_are_complete(alias):
    call_command("makemigrations", "payme", check=True, dry_run=True, verbosity=0)


def test_without_django_the_error_names_the_extra():
    script = "import sys; sys.modules['django'] = None; import payme.merchant.django"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "payme-uz[django]" in ran.stderr


def test_settings_of_this_project_are_right():
    assert found(settings.PAYME) == {}
