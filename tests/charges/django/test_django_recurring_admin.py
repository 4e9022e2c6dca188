"""People look at subscriptions in the admin, ask for something, and checks tell what is wrong."""

import json
import re
from datetime import time
from io import StringIO

import pytest
from conftest_of_charges import without_table
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core import checks
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings
from shopfront import routing
from test_django_charges_admin import admin, agree_at, refuse_means, somebody, texts

from payme.charges.django import charges
from payme.recurring.django import models, recurring
from payme.recurring.django.checks import check_database
from payme.recurring.rule import MOST_ATTEMPTS

__all__ = ["admin"]

LIST = "/admin/payme_recurring/subscription/"
PRICE = 5_000_000
PHONE = "998901304527"


def page(name="club-17"):
    return f"{LIST}{name}/change/"


def create(shop, name="club-17", token=None, **options):
    options = {"missed": "latest", "at": time(0), **options}
    return recurring().create(name, PRICE, {"member": 17}, token or shop.token, **options)


@pytest.fixture
def club(shop):
    create(shop)
    charges().run(drain=True)
    return recurring().get("club-17")


def choose(client, word, *names):
    return client.post(LIST, {"action": word, "_selected_action": names})


def ask(client, word, *names):
    return agree_at(LIST, client, choose(client, word, *names).content.decode())


def offered(client, name="club-17"):
    return [word for word, _ in client.get(page(name)).context["words"]]


def test_the_list_is_shown_searched_and_filtered(admin, shop, club):
    create(shop, "club-18")
    shown = admin.get(LIST).content.decode()
    assert "club-17" in shown
    assert "<div>50 000 soʻm</div>" in shown.replace("\xa0", " ")
    for query, hits in {
        "": 2,
        "q=club-17": 1,
        "q=club": 0,
        "state__exact=active": 2,
        "state__exact=paused": 0,
    }.items():
        response = admin.get(f"{LIST}?{query}")
        assert response.status_code == 200
        assert len(response.context["cl"].result_list) == hits, query


def test_a_page_shows_periods_notices_and_the_charge(admin, shop, club):
    response = admin.get(page())
    shown = response.content.decode()
    assert not response.context["adminform"].form.fields
    assert 'name="_save"' not in shown
    assert [(one["n"], one["state"]) for one in response.context["periods"]] == [(0, "paid")]
    assert [(one["kind"], one["sent"]) for one in response.context["notices"]] == [("charged", "-")]
    link = re.search(r'href="(/admin/payme_charges/charge/club[^"]*)"', shown)[1]
    assert admin.get(link).context["original"].pk == "club-17:0"
    assert "&quot;missed&quot;: &quot;latest&quot;" in shown
    assert offered(admin) == ["pause", "cancel"]


def test_a_pause_is_stored_after_agreement_and_taken_back(admin, club):
    shown = choose(admin, "pause", "club-17").content.decode()
    assert "will be skipped" in shown
    assert "1 subscription:" in shown
    assert recurring().get("club-17") == club
    assert texts(agree_at(LIST, admin, shown)) == ["club-17: it is paused now"]
    assert recurring().get("club-17").state == "paused"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == ("club-17", "asked for: pause")
    assert offered(admin) == ["resume", "cancel"]
    assert texts(ask(admin, "resume", "club-17")) == ["club-17: it is active now"]


def test_a_cancelled_subscription_runs_to_its_end(admin, club):
    assert texts(ask(admin, "cancel", "club-17")) == ["club-17: it is ending now"]
    assert texts(ask(admin, "resume", "club-17")) == ["club-17: it is active now"]


def test_an_unpaid_period_is_tried_again_at_once(admin, shop):
    create(shop, token=shop.add_card(number="8600318600000007"))
    charges().run(drain=True)
    before = recurring().get("club-17")
    assert before.state == "retrying"
    assert "<div>retrying</div><div>unpaid period: 0</div>" in admin.get(LIST).content.decode()
    assert offered(admin) == ["cancel", "retry"]
    assert texts(ask(admin, "retry", "club-17"))[0].startswith("club-17: it is ")
    assert charges().get("club-17:0").state == "open"
    assert recurring().periods("club-17")[0].state == "open"


def test_what_the_state_does_not_allow_is_left_out_and_named(admin, shop, club):
    create(shop, "club-18")
    recurring().pause("club-18")
    shown = choose(admin, "pause", "club-17", "club-18").content.decode()
    assert "1 subscription:" in shown
    assert "club-18: paused" in shown
    assert "left out" in shown
    nothing = choose(admin, "retry", "club-17").content.decode()
    assert "Nothing can be asked for" in nothing


def test_a_period_that_was_tried_too_often_says_so(admin, shop):
    create(shop, token=shop.add_card(number="8600318600000007"))
    charges().run(drain=True)
    now = recurring().get("club-17").changed
    models.Period.rows.update(refusals=json.dumps([now] * MOST_ATTEMPTS))
    shown = choose(admin, "retry", "club-17").content.decode()
    assert "left out: it was tried 15 times in 30 days: wait" in shown
    version = recurring().get("club-17").version
    given = {"action": "retry", "_selected_action": "club-17", "agreed": "yes"}
    forged = admin.post(LIST, {**given, "seen": f"{version} club-17"}, follow=True)
    assert "15 times in 30 days: wait; nothing was asked for" in texts(forged)[0]


def test_what_changed_since_it_was_shown_is_not_asked_for(admin, club):
    shown = choose(admin, "pause", "club-17").content.decode()
    recurring().cancel("club-17")
    (text,) = texts(agree_at(LIST, admin, shown))
    assert "has changed since you looked" in text
    assert recurring().get("club-17").state == "ending"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("seen", ["", "x club-17", "0 nobody", "99 club-17", "1 club 17"])
def test_a_forged_agreement_asks_for_nothing(admin, club, seen):
    given = {"action": "pause", "_selected_action": "club-17", "agreed": "yes", "seen": seen}
    (text,) = texts(admin.post(LIST, given, follow=True))
    assert "nothing was asked for" in text
    assert recurring().get("club-17") == club


@pytest.mark.parametrize("path", ["add/", "club-17/delete/"])
def test_nothing_is_added_typed_or_deleted(admin, club, path):
    assert admin.get(LIST + path).status_code == 403
    assert admin.post(LIST + path, {"post": "yes"}).status_code == 403
    assert admin.post(page(), {"state": "ended"}).status_code == 403
    given = {"action": "delete_selected", "_selected_action": "club-17", "post": "yes"}
    admin.post(LIST, given)
    assert recurring().get("club-17") == club


def test_who_may_only_look_asks_for_nothing(admin, club):
    client = somebody("view_subscription")
    assert offered(client) == []
    given = {"action": "pause", "_selected_action": "club-17", "agreed": "yes"}
    client.post(LIST, {**given, "seen": f"{club.version} club-17"})
    assert recurring().get("club-17") == club


def test_it_works_where_every_request_is_a_transaction(admin, club, alias):
    connections[alias].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert admin.get(page()).status_code == 200
        assert texts(ask(admin, "pause", "club-17")) == ["club-17: it is paused now"]
    finally:
        connections[alias].settings_dict["ATOMIC_REQUESTS"] = False
    assert recurring().get("club-17").state == "paused"


@pytest.mark.parametrize("keys", [settings.PAYME_CHARGES["LEDGER_KEYS"], []])
@pytest.mark.filterwarnings("ignore:card tokens are stored unencrypted")
def test_no_page_shows_a_secret(admin, shop, keys, alias):
    with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, "LEDGER_KEYS": keys}):
        options = {"missed": "latest", "at": time(0)}
        description = f"card 8600495473316478 {PHONE}"
        recurring().create(
            "club-17", PRICE, {"phone": PHONE}, shop.token, description=description, **options
        )
        shop.faults.add("receipts.pay", when="before", action="rpc_error", code=-31630,
                        message=f"no {shop.token} {PHONE}")  # fmt: skip
        charges().advance("club-17:0")
        pages = [
            admin.get(LIST),
            admin.get(page()),
            choose(admin, "cancel", "club-17"),
            ask(admin, "cancel", "club-17"),
            admin.get(f"{LIST}club-17/history/"),
        ]
        secrets = [shop.token, shop.token[25:], PHONE, "8600495473316478", *keys]
        for response in pages:
            assert response.status_code == 200
            shown = response.content.decode()
            assert [one for one in secrets if one in shown] == []
        assert "no &lt;redacted&gt; 99890" in pages[1].content.decode(), "the refusal is shown"
        with connections[alias].execute_wrapper(refuse_means):
            admin.get(LIST)
            admin.get(page())


# Checks.


def test_right_settings_pass(alias):
    assert checks.run_checks() == []


def test_charges_are_needed():
    apps = [name for name in settings.INSTALLED_APPS if name != "payme.charges.django"]
    from payme.recurring.django.checks import check_apps

    with override_settings(INSTALLED_APPS=apps):
        (message,) = check_apps()
    assert message.id == "payme_recurring.E001"
    assert "payme.charges.django" in message.msg


def test_both_must_lie_in_one_database(alias):
    setting = {**settings.PAYME_CHARGES, "DATABASE": "default"}
    with override_settings(PAYME_CHARGES=setting):
        found = [one for one in checks.run_checks() if one.id.startswith("payme_recurring")]
    assert [one.id for one in found] == ["payme_recurring.E002"]
    assert repr(alias) in found[0].msg
    with override_settings(PAYME_CHARGES=None):
        assert not [one for one in checks.run_checks() if one.id.startswith("payme_recurring")]


def test_tables_that_are_missing_are_warned_of(alias):
    assert check_database(databases=[alias]) == check_database(databases=None) == []
    with without_table(alias, "payme_notice"):
        (message,) = check_database(databases=[alias])
        assert check_database(databases=["default"]) == []
    assert message.id == "payme_recurring.W001"
    assert "payme_notice" in message.msg


def test_migrate_on_a_new_database_warns_of_nothing(tmp_path, monkeypatch):
    place = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "new.sqlite3")}
    settings.DATABASES["newer"] = place
    connections.settings = connections.configure_settings(settings.DATABASES)
    monkeypatch.setattr(routing, "chosen", "newer")
    try:
        said = StringIO()
        call_command("migrate", database="newer", stderr=said, stdout=StringIO())
        assert "payme_recurring" not in said.getvalue()
        assert models.Subscription.objects.using("newer").count() == 0
    finally:
        connections["newer"].close()
        del settings.DATABASES["newer"]
