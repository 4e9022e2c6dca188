"""People look at saved cards in the admin, and have Payme asked about them after agreement."""

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connections
from django.test.utils import override_settings
from test_django_charges_admin import admin, agree_at, refuse_means, somebody, texts

from payme.charges.django import charges, models, wallet

__all__ = ["admin"]

LIST = "/admin/payme_charges/card/"
PHONE = "998901304527"


def page(card):
    return f"{LIST}{card.id}/change/"


@pytest.fixture
def card(shop):
    return wallet().add("aziza", shop.token)


@pytest.fixture
def other(shop, card):
    token = shop.add_card(number="8600495473316478")
    shop.other = token
    return wallet().add("aziza", token)


def choose(client, word, *cards):
    return client.post(LIST, {"action": word, "_selected_action": [card.id for card in cards]})


def ask(client, word, *cards):
    return agree_at(LIST, client, choose(client, word, *cards).content.decode())


def removed(shop):
    return [card.token for card in shop.cards() if card.removed]


def test_the_list_shows_cards_as_people_know_them(admin, card, other):
    shown = admin.get(LIST).content.decode()
    for one in (card, other):
        assert one.number in shown
    assert "aziza" in shown
    assert "cards.check" in shown
    rows = admin.get(LIST).context["cl"].result_list
    assert [row.first == row.pk for row in sorted(rows, key=lambda row: row.created)] == [
        True, False,
    ]  # fmt: skip


def test_the_list_is_searched_and_filtered(admin, card, other):
    for query, hits in {
        "": 2,
        "q=aziza": 2,
        "q=azi": 0,
        f"q={card.id}": 1,
        "state__exact=ready": 2,
        "state__exact=gone": 0,
    }.items():
        response = admin.get(f"{LIST}?{query}")
        assert response.status_code == 200
        assert len(response.context["cl"].result_list) == hits, query


def test_a_page_shows_the_card_and_no_field(admin, card, other):
    response = admin.get(page(card))
    shown = response.content.decode()
    assert card.number in shown
    assert not response.context["adminform"].form.fields
    assert 'name="_save"' not in shown
    assert [word for word, _ in response.context["words"]] == ["refresh", "remove"]
    offered = admin.get(page(other)).context["words"]
    assert [word for word, _ in offered] == ["refresh", "make_default", "remove"]


@pytest.mark.parametrize("path", ["add/", "{}/delete/"])
def test_nothing_is_added_or_deleted(admin, card, path):
    path = LIST + path.format(card.id)
    assert admin.get(path).status_code == 403
    assert admin.post(path, {"post": "yes"}).status_code == 403
    given = {"action": "delete_selected", "_selected_action": card.id, "post": "yes"}
    admin.post(LIST, given)
    assert models.Card.objects.count() == 1


def test_nothing_is_typed_into_a_card(admin, card):
    assert admin.post(page(card), {"state": "gone", "number": "1"}).status_code == 403
    assert wallet().get(card.id) == card


def test_a_card_is_removed_at_payme_and_here_after_agreement(admin, shop, card, other):
    shown = choose(admin, "remove", card).content.decode()
    assert "can&#x27;t be charged any more" in shown or "can't be charged any more" in shown
    assert "1 card:" in shown
    assert removed(shop) == []
    assert texts(agree_at(LIST, admin, shown)) == [f"{card.id}: removed at Payme and here"]
    assert removed(shop) == [shop.token]
    assert [one.id for one in wallet().list("aziza")] == [other.id]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (card.id, "asked for: remove")


def test_a_removal_whose_answer_is_lost_is_told_so_and_done_again(admin, shop, card):
    shop.faults.add("cards.remove", when="after", action="drop", times=9)
    (text,) = texts(ask(admin, "remove", card))
    assert "it is removing, remove it again later" in text
    assert LogEntry.objects.count() == 1
    shop.faults.clear()
    assert texts(ask(admin, "remove", wallet().get(card.id)))[0].endswith(
        "removed at Payme and here"
    )
    assert wallet().list("aziza") == []


def test_another_default_is_chosen(admin, card, other):
    assert texts(ask(admin, "make_default", other)) == [f"{other.id}: it is the default now"]
    assert wallet().default("aziza").id == other.id
    shown = choose(admin, "make_default", other).content.decode()
    assert "it is the default already" in shown
    assert 'name="agreed"' not in shown


def test_payme_is_asked_about_a_card_again(admin, shop, card, other):
    charges().client.cards.remove(shop.token)
    assert texts(ask(admin, "refresh", card, other)) == [
        f"{one.id}: it is {state}"
        for one, state in sorted([(card, "gone"), (other, "ready")], key=lambda pair: pair[0].id)
    ]
    assert wallet().get(card.id).state == "gone"


def test_when_payme_does_not_answer_the_card_is_as_it_was(admin, shop, card):
    shop.faults.add("cards.check", when="before", action="drop", times=9)
    (text,) = texts(ask(admin, "refresh", card))
    assert text.endswith("it is ready")
    assert "cards.check" in text
    assert wallet().get(card.id) == card


def test_what_the_state_does_not_allow_is_left_out(admin, shop, card, other):
    shop.faults.add("cards.remove", when="after", action="drop", times=9)
    ask(admin, "remove", card)
    shown = choose(admin, "refresh", card, other).content.decode()
    assert "left out: it is being removed" in shown
    assert "1 card:" in shown


def test_a_card_that_is_being_removed_does_not_become_the_default(admin, shop, card):
    shop.faults.add("cards.remove", when="after", action="drop", times=9)
    ask(admin, "remove", card)
    given = {"action": "make_default", "_selected_action": card.id, "agreed": "yes"}
    seen = f"{wallet().get(card.id).changed} {card.id}"
    (text,) = texts(admin.post(LIST, {**given, "seen": seen}, follow=True))
    assert text.endswith("it is removing, remove it again later; nothing was asked for")
    assert LogEntry.objects.count() == 1


def test_what_changed_since_it_was_shown_is_not_asked_for(admin, shop, card):
    shown = choose(admin, "remove", card).content.decode()
    wallet().refresh(card.id)
    (text,) = texts(agree_at(LIST, admin, shown))
    assert "has changed since you looked" in text
    assert removed(shop) == []
    assert not LogEntry.objects.exists()


def test_the_same_agreement_twice_asks_once(admin, shop, card):
    shown = choose(admin, "remove", card).content.decode()
    agree_at(LIST, admin, shown)
    assert "no such card" in texts(agree_at(LIST, admin, shown))[0]
    assert len(removed(shop)) == 1


@pytest.mark.parametrize("seen", ["", "x", "0 nobody", "9 card0", "9 {}"])
def test_a_forged_agreement_asks_for_nothing(admin, shop, card, seen):
    given = {"action": "remove", "_selected_action": card.id, "agreed": "yes"}
    (text,) = texts(admin.post(LIST, {**given, "seen": seen.format(card.id)}, follow=True))
    assert "nothing was asked for" in text
    assert removed(shop) == []


def test_who_may_only_look_asks_for_nothing(admin, shop, card):
    client = somebody("view_card")
    assert client.get(page(card)).context["words"] == []
    given = {"action": "remove", "_selected_action": card.id, "agreed": "yes"}
    client.post(LIST, {**given, "seen": f"{card.changed} {card.id}"})
    assert removed(shop) == []
    User.objects.filter(username="somebody").delete()
    assert somebody("view_charge").get(LIST).status_code == 403


def test_who_may_change_asks(admin, shop, card):
    client = somebody("view_card", "change_card")
    assert texts(ask(client, "remove", card))[0].endswith("removed at Payme and here")


def test_it_works_where_every_request_is_a_transaction(admin, shop, card, other, alias):
    connections[alias].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert admin.get(page(card)).status_code == 200
        assert texts(ask(admin, "make_default", other)) == [f"{other.id}: it is the default now"]
        assert texts(ask(admin, "remove", card)) == [f"{card.id}: removed at Payme and here"]
    finally:
        connections[alias].settings_dict["ATOMIC_REQUESTS"] = False
    assert removed(shop) == [shop.token]
    assert LogEntry.objects.count() == 2


def test_more_than_payme_is_asked_at_once_is_refused(admin, shop, card, other, monkeypatch):
    monkeypatch.setattr("payme.charges.django.admin.CardAdmin.most", 1)
    given = {"action": "remove", "_selected_action": [card.id], "select_across": "1"}
    response = admin.post(LIST, given, follow=True)
    assert "at most 1 saved cards" in texts(response)[0]
    assert removed(shop) == []


@pytest.mark.parametrize("keys", [settings.PAYME_CHARGES["LEDGER_KEYS"], []])
@pytest.mark.filterwarnings("ignore:card tokens are stored unencrypted")
def test_no_page_shows_a_secret(admin, shop, keys):
    key = settings.PAYME_CHARGES["KEY"]
    with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, "LEDGER_KEYS": keys}):
        card = wallet().add(PHONE, shop.token)
        message = f"no card {shop.token} 8600069195406311"
        shop.faults.add("cards.check", when="before", action="rpc_error", times=3, message=message)
        pages = [
            admin.get(LIST),
            admin.get(page(card)),
            choose(admin, "refresh", card),
            ask(admin, "refresh", card),
            admin.get(f"{LIST}{card.id}/history/"),
            admin.get("/admin/"),
        ]
        secrets = [shop.token, shop.token[25:], PHONE, "8600069195406311", key, *keys]
        secrets.append(models.Card.rows.get().fingerprint)
        for response in pages:
            assert response.status_code == 200
            shown = response.content.decode()
            assert [one for one in secrets if one in shown] == []
        assert "860006******6311" in pages[1].content.decode()
        entry = LogEntry.objects.get()
        assert [one for one in secrets if one in entry.change_message + entry.object_repr] == []
        with connections[charges().ledger.alias].execute_wrapper(refuse_means):
            admin.get(LIST)
            admin.get(page(card))
