"""A project whose charges can't work does not start, and is told what to do."""

import os
from io import StringIO

import pytest
from conftest_of_charges import KEY, without_table
from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings
from shopfront import routing
from shopfront.hooks import changed

from charges.ledgers import OTHER_KEY
from payme.charges import Policy
from payme.charges.django import charges, configuration
from payme.charges.django.checks import check_database
from payme.errors import ConfigurationError

CANARY = "Canary" * 6
RIGHT = settings.PAYME_CHARGES


def found(**changes):
    setting = {name: value for name, value in {**RIGHT, **changes}.items() if value is not ...}
    with override_settings(PAYME_CHARGES=setting):
        return checks.run_checks()


def test_right_settings_pass(monkeypatch):
    monkeypatch.setattr(routing, "chosen", "default")
    more = {"DATABASE": "default", "POLICY": {"lease": 60, "max_receipts": 2}, "CLIENT": None}
    assert found() == found(**more) == []


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"MERCHANTID": "x"}, "E001", "got MERCHANTID, expected BASE_URL"),
        ({"MERCHANT_ID": ...}, "E002", "merchant_id is missing"),
        ({"MERCHANT_ID": "a b"}, "E002", "merchant_id"),
        ({"KEY": ...}, "E002", "key is missing"),
        ({"KEY": ""}, "E002", "key is missing"),
        ({"KEY": f"{CANARY} {CANARY}"}, "E002", "key: has spaces"),
        ({"KEY": f"{CANARY}&amp;"}, "E002", "key: holds an HTML entity"),
        ({"BASE_URL": ...}, "E002", "environment"),
        ({"BASE_URL": f"http://u:{CANARY}@x"}, "E002", "base_url"),
        ({"BASE_URL": ..., "ENVIRONMENT": "live"}, "E002", "'live'"),
        ({"CLIENT": {"timeuot": 3}}, "E002", "got timeuot"),
        ({"CLIENT": {"timeout": -3}}, "E002", "timeout"),
        ({"CLIENT": 7}, "E002", "CLIENT: expected a dict"),
        ({"LEDGER_KEYS": KEY}, "E003", "expected a list"),
        ({"LEDGER_KEYS": 7}, "E003", "expected a list"),
        ({"LEDGER_KEYS": [KEY, CANARY]}, "E003", "Fernet keys"),
        ({"CHANGED": ""}, "E004", "dotted path"),
        ({"CHANGED": "shopfront.nowhere.changed"}, "E004", "nowhere"),
        ({"CHANGED": "shopfront.hooks.CLOSING"}, "E004", "no function"),
        ({"CHANGED": "shopfront.hooks.awaited"}, "E004", "`async def`"),
        ({"CHANGED": "shopfront.hooks.without_arguments"}, "E004", "one argument"),
        ({"DATABASE": "elsewhere"}, "E005", "'elsewhere'"),
        ({"POLICY": {"leese": 3}}, "E006", "got leese"),
        ({"POLICY": {"lease": 0}}, "E006", "lease"),
        ({"POLICY": {"lease": 9000}}, "E006", "at most"),
        ({"POLICY": {"max_tries": 1.5}}, "E006", "whole number"),
        ({"POLICY": 7}, "E006", "expected a dict"),
        ({"LEDGER_KEYS": []}, "W001", "unencrypted"),
        ({"LEDGER_KEYS": ...}, "W001", "unencrypted"),
    ],
)
def test_a_wrong_setting_is_named_with_a_hint(changes, code, says, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PAYME_")]:
        monkeypatch.delenv(name)
    (message,) = found(**changes)
    assert message.id == f"payme_charges.{code}"
    assert message.is_serious() == code.startswith("E")
    assert says in message.msg
    assert message.hint
    assert CANARY not in str(message)


@pytest.mark.parametrize("given", [None, [], "key"])
def test_a_setting_that_is_missing_is_an_error(given):
    with override_settings(PAYME_CHARGES=given):
        assert [message.id for message in checks.run_checks()] == ["payme_charges.E001"]
        with pytest.raises(ConfigurationError, match="PAYME_CHARGES"):
            charges()
    with override_settings():
        del settings.PAYME_CHARGES
        assert [message.id for message in checks.run_checks()] == ["payme_charges.E001"]


def test_every_wrong_setting_is_told_at_once():
    codes = [one.id[-4:] for one in found(MERCHANT_ID="", LEDGER_KEYS=[""], CHANGED="", POLICY=1)]
    assert codes == ["E002", "E003", "E004", "E006"]


def test_what_is_left_out_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("PAYME_MERCHANT_ID", "m" * 24)
    monkeypatch.setenv("PAYME_KEY", "k" * 36)
    monkeypatch.setenv("PAYME_ENVIRONMENT", "production")
    monkeypatch.delenv("PAYME_BASE_URL", raising=False)
    monkeypatch.setenv("PAYME_LEDGER_KEYS", f"{KEY}, {OTHER_KEY}")
    with override_settings(PAYME_CHARGES={}):
        assert checks.run_checks() == []
        made = charges()
        assert made.client.merchant_id == "m" * 24
        assert "checkout.paycom.uz" in made.client.base_url
        assert configuration.ledger_keys({}) == [KEY, OTHER_KEY]
        assert "encrypted" in repr(made.ledger._vault)


def test_settings_reach_what_is_made():
    setting = {**RIGHT, "DATABASE": "default", "POLICY": {"ask_for": 7.0}}
    setting["CLIENT"] = {"timeout": 3, "proxy": ""}
    with override_settings(PAYME_CHARGES=setting):
        made = charges()
        assert made.ledger.alias == "default"
        assert made._procedures._policy == Policy(ask_for=7.0)
        assert made.client._session.limits.timeout == 3
        assert made.ledger._changed is changed


# The database.


def ids(alias):
    return [message.id for message in check_database(databases=[alias])]


def test_a_database_that_is_not_checked_is_not_asked(alias):
    assert check_database(databases=None) == check_database(databases=["default"]) == []
    with override_settings(PAYME_CHARGES=None):
        assert ids(alias) == []


def test_sqlite_without_immediate_transactions_is_warned_of(alias):
    expected = ["payme_charges.W002"] if alias == "charges_sqlite" else []
    assert ids(alias) == expected
    if expected:
        (message,) = check_database(databases=[alias])
        assert "IMMEDIATE" in message.hint
        options = settings.DATABASES[alias]["OPTIONS"]
        settings.DATABASES[alias]["OPTIONS"] = {**options, "transaction_mode": "IMMEDIATE"}
        try:
            assert ids(alias) == []
        finally:
            settings.DATABASES[alias]["OPTIONS"] = options


@pytest.mark.parametrize("table", ["payme_charge_event", "payme_card"])
def test_tables_that_are_missing_are_warned_of(alias, table):
    with without_table(alias, table):
        message = check_database(databases=[alias])[-1]
    assert message.id == "payme_charges.W003"
    assert f"no table {table}," in message.msg
    assert "showmigrations payme_charges" in message.hint


def test_migrate_on_a_new_database_warns_of_nothing(tmp_path, monkeypatch):
    """Nor on one that an older version has made: what waits to be made is not missing."""
    name, options = str(tmp_path / "new.sqlite3"), {"transaction_mode": "IMMEDIATE"}
    place = {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}
    settings.DATABASES["new"] = place
    connections.settings = connections.configure_settings(settings.DATABASES)
    monkeypatch.setattr(routing, "chosen", "new")
    try:
        assert ids("new") == []
        for target in (["payme_charges", "0001"], []):
            said = StringIO()
            call_command("migrate", *target, database="new", stderr=said, stdout=StringIO())
            assert "payme_charges" not in said.getvalue()
            assert ids("new") == []
        with without_table("new", "payme_card"):
            assert ids("new") == ["payme_charges.W003"]
    finally:
        connections["new"].close()
        del settings.DATABASES["new"]


@pytest.mark.parametrize("alias", ["charges_mariadb"], indirect=True)
def test_tables_that_take_nothing_back_are_an_error(alias, monkeypatch):
    monkeypatch.setattr(connections[alias].features, "supports_transactions", False)
    assert ids(alias) == ["payme_charges.E007"]
