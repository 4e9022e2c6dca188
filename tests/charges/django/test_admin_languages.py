"""The admin speaks Uzbek, Russian and English, as its reader asks, without a word forgotten."""

import copy
import re
from datetime import time
from functools import cache
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings
from django.utils import translation
from test_django_charges_admin import agree_at

from payme import django_words as words
from payme.charges.core import ChargeState
from payme.charges.django import charges, models, wallet
from payme.charges.saved import CardState
from payme.django_display import NOTHING, called, capital_later, failure, language, later, say
from payme.errors import ConfigurationError, NotSent, OutcomeUnknown, Rejected
from payme.errors.catalogue import Text
from payme.merchant.django.models import Reason, State, Transaction
from payme.recurring.core import Notice as Kind
from payme.recurring.core import PeriodState, SubscriptionState
from payme.recurring.django import models as recurring_models
from payme.recurring.django import recurring

CHARGES = "/admin/payme_charges/charge/"
CARDS = "/admin/payme_charges/card/"
SUBSCRIPTIONS = "/admin/payme_recurring/subscription/"
TRANSACTIONS = "/admin/payme/transaction/"
APPS = ("payme", "payme_outbox", "payme_charges", "payme_recurring")

SPEAKING = [
    *settings.MIDDLEWARE[:2],
    "django.middleware.locale.LocaleMiddleware",
    *settings.MIDDLEWARE[2:],
]

pytestmark = pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)


def catalogue(found=None):
    """Every text of the admin."""
    found = vars(words).values() if found is None else found
    for one in found:
        if isinstance(one, Text):
            yield one
        elif isinstance(one, dict):
            yield from catalogue(one.values())
        elif isinstance(one, words.Names):
            yield from catalogue(one)


class Page(HTMLParser):
    """What a reader sees of a page: its texts, buttons and hints."""

    def __init__(self, response):
        super().__init__()
        self.texts, self.hidden, self.option = [], 0, False
        self.feed(response.content.decode())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.hidden += tag in ("script", "style")
        seen = [given.get("placeholder"), given.get("title")]
        if tag == "input" and given.get("type") == "submit":
            seen.append(given.get("value"))
        self.texts += [" ".join(text.split()) for text in seen if text]

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden and data.strip():
            self.texts.append(" ".join(data.split()))


def reader(of):
    client = Client(headers={"accept-language": of})
    client.force_login(User.objects.get(username="admin"))
    return client


def clones(row, states, **names):
    """The same row in each state."""
    made = []
    for number, state in enumerate(states):
        one = copy.copy(row)
        one.state = state.value
        for name, text in names.items():
            setattr(one, name, text.format(number))
        made.append(one)
    type(row).rows.bulk_create(made)


@pytest.fixture
def everything(shop):
    """Rows in every state, so that every word has its place."""
    User.objects.all().delete()
    User.objects.create_superuser("admin")
    Transaction.objects.all().delete()
    charges().submit("1", 50_000, {"1": 1}, shop.token, hold=True)
    charges().submit("2", 50_000, {"1": 2}, shop.token)
    charges().advance("2")
    wallet().add("7", shop.token)
    card = models.Card.rows.get()
    clones(card, CardState, pk="8{}", id="8{}", fingerprint="{}", identity="{}")
    recurring().create("1", 5_000_000, {"1": 1}, shop.token, missed="latest", at=time(0))
    charges().run(drain=True)
    models.Charge.rows.update(due=None)
    clones(models.Charge.rows.get(pk="1"), ChargeState, pk="1{}", id="1{}")
    row = recurring_models.Subscription.rows.get(pk="1")
    clones(row, SubscriptionState, pk="1{}", id="1{}")
    period = recurring_models.Period.rows.get(subscription="1")
    for number, state in enumerate(PeriodState, start=1):
        period.state, period.n = state.value, number
        recurring_models.Period.rows.bulk_create([period])
    notice = recurring_models.Notice.rows.first()
    for kind in Kind:
        notice.kind, notice.n = kind.value, 9
        recurring_models.Notice.rows.bulk_create([notice])
    Transaction.objects.bulk_create(
        Transaction(
            payme_id=f"{number:024}", box="7", order_id=str(number), reserves=str(number),
            time=1, amount=50_000, account={"1": 1}, create_time=1, state=state, reason=reason,
        )
        for number, (state, reason) in enumerate(
            [*((state, None) for state in State), *((State.CANCELLED, why) for why in Reason)]
        )
    )  # fmt: skip
    with override_settings(MIDDLEWARE=SPEAKING):
        yield shop
    translation.deactivate()  # the middleware leaves the last reader's language to the thread
    Transaction.objects.all().delete()


def lists(client, address):
    """The list, with each choice of each filter, and with nothing found."""
    shown = client.get(address)
    yield shown
    filters = re.findall(r'href="(\?[^"]+)"', shown.content.decode())
    assert filters or "charge" not in address
    for query in filters:
        yield client.get(address + query.replace("&amp;", "&"))
    yield client.get(f"{address}?q=nothing")


def pages_of_each(client, address, model):
    for row in getattr(model, "rows", model.objects).all():
        yield client.get(f"{address}{row.pk}/change/")
    yield client.get(f"{address}{row.pk}/history/")


def asked(client, address, model, said):
    """What is asked before each action, of all rows, and what is said of it afterwards."""
    for word in said:
        chosen = {"action": word, "_selected_action": [row.pk for row in model.rows.all()]}
        asking = client.post(address, chosen)
        yield asking
        yield agree_at(address, client, asking.content.decode())
        # Once more: what was shown then is there no longer.
        yield agree_at(address, client, asking.content.decode())
        forged = {**chosen, "agreed": "yes"}
        versions = [
            f"{getattr(row, 'version', row.changed)} {row.pk}" for row in model.rows.all()[:9]
        ]
        yield client.post(address, {**forged, "seen": [*versions, "0 99", ""]}, follow=True)


def of_charges(client):
    yield from lists(client, CHARGES)
    yield from pages_of_each(client, CHARGES, models.Charge)
    yield client.get(f"{CHARGES}2/change/")
    yield from asked(client, CHARGES, models.Charge, words.CHARGE_WORDS)


def of_cards(client):
    yield from lists(client, CARDS)
    yield from pages_of_each(client, CARDS, models.Card)
    yield from asked(client, CARDS, models.Card, words.CARD_WORDS)


def of_subscriptions(client):
    yield from lists(client, SUBSCRIPTIONS)
    yield from pages_of_each(client, SUBSCRIPTIONS, recurring_models.Subscription)
    words_ = words.SUBSCRIPTION_WORDS
    yield from asked(client, SUBSCRIPTIONS, recurring_models.Subscription, words_)


def of_transactions(client):
    yield from lists(client, TRANSACTIONS)
    yield from pages_of_each(client, TRANSACTIONS, Transaction)


def of_the_site(client):
    yield client.get("/admin/")
    for app in ("payme", "payme_charges", "payme_recurring"):
        yield client.get(f"/admin/{app}/")


WALKS = [of_charges, of_cards, of_subscriptions, of_transactions, of_the_site]


def english(in_language):
    """Our English words that are said otherwise in a language, as a page has them."""
    alike = {one.en for one in catalogue() if getattr(one, in_language) == one.en}
    for text in catalogue():
        if getattr(text, in_language).casefold() == text.en.casefold():
            continue
        for part in re.split(r"\{\w+\}", text.en):
            part = part.strip(" ;:,.")
            if re.search(r"[a-z]", part) and part.lstrip("1 ") not in alike:
                yield part.casefold()


@cache
def ours(in_language):
    """What is wholly one of our English words, or has a phrase of ours in it."""
    found = set(english(in_language))
    phrases = "|".join(re.escape(one) for one in found if " " in one)
    return re.compile(rf"(?:{'|'.join(map(re.escape, found))})\Z|.*\b(?:{phrases})\b")


def left_in_english(page, in_language):
    texts = [text.casefold().strip(" :.…?") for text in page.texts]
    return [text for text in texts if ours(in_language).match(text)]


# What is stored, and is data in every language: what a state rests on, and JSON.
DATA = re.compile(
    r"submitted|merchant: \w+|\w+\.\w+(: .*| begins)|asked: .*|[{\[].*|.*8600\d\d\*.*|nothing"
)
# What Django 6.1 has not translated itself.
DJANGOS = {"- Select an option -"}
# Names, which are written alike.
NAMES = re.compile(r"\b(Payme|ID|Django|admin|([Cc]ard)?[0-9a-f]{20,}|\w+\.\w+|[A-Z]\w+Error)\b")


@pytest.mark.slow
@pytest.mark.parametrize("in_language", ["uz", "ru"])
@pytest.mark.parametrize("walk", WALKS)
def test_no_page_has_an_english_word_of_ours(everything, walk, in_language):
    seen = 0
    for response in walk(reader(in_language)):
        assert response.status_code == 200
        page = Page(response)
        assert left_in_english(page, in_language) == []
        # Django's Russian is nearly whole: what is Latin there was not written in three languages.
        assert in_language != "ru" or latin(page) == []
        seen += len(page.texts)
    assert seen > 100


def latin(page):
    texts = [text for text in page.texts if not DATA.fullmatch(text) and text not in DJANGOS]
    return [text for text in texts if re.search(r"[A-Za-z]{2,}", NAMES.sub("", text))]


def test_every_model_is_named_where_permissions_are_given(everything):
    user = User.objects.get(username="admin")
    page = Page(reader("ru").get(f"/admin/auth/user/{user.pk}/change/"))
    # Django keeps the last part in the database, in English for every model.
    given = {text.rpartition(" | ")[0] for text in page.texts if " | Can view " in text}
    ours_ = {text for text in given if "Payme" in text}
    assert "Списания Payme | событие списания" in ours_
    assert len(ours_) == 10
    assert [text for text in ours_ if re.search("[A-Za-z]", text.replace("Payme", ""))] == []


def test_a_word_that_stays_english_is_noticed(alias):
    pages = {
        "<th>needs a person</th>": ["needs a person"],
        "<p>1: it has changed since you looked; nothing was asked for</p>": [
            "1: it has changed since you looked; nothing was asked for"
        ],
        '<input type="submit" value="Refund…"><input type="hidden" value="cancel">': ["refund"],
        "<script>paid</script><td>деньги списаны</td>": [],
    }
    for text, left in pages.items():
        page = Page(type("Response", (), {"content": text.encode()}))
        assert left_in_english(page, "ru") == left


@pytest.mark.parametrize(
    ("active", "spoken"),
    [
        ("uz", "uz"),
        ("uz-latn", "uz"),
        ("uz_UZ", "uz"),
        ("ru", "ru"),
        ("ru-RU", "ru"),
        ("en-gb", "en"),
        ("kk", "en"),
        ("uzs", "en"),
        (None, "en"),
    ],
)
def test_a_language_is_known_with_its_region(active, spoken, monkeypatch, alias):
    monkeypatch.setattr("payme.django_display.get_language", lambda: active)
    assert language() == spoken
    with override_settings(USE_I18N=False):
        assert language() == "en"


def test_words_change_with_the_reader_in_one_process(everything):
    for of, head, title, button, state in [
        ("ru", "Сумма, сум", "Выберите списание", "Отменить", "новое"),
        ("uz-latn", "Summa, soʻm", "Koʻrish uchun chargeʼni tanlang", "Bekor qilish", "yangi"),
        ("en", "Amount, soʻm", "Select charge to view", "Cancel", "new"),
        ("kk", "Amount, soʻm", "Select charge to view", "Cancel", "new"),
        ("ru-RU", "Сумма, сум", "Выберите списание", "Отменить", "новое"),
    ]:
        page = Page(reader(of).get(CHARGES)).texts
        assert {head, title, button, state} <= set(page), of


def test_what_is_made_at_import_is_said_when_it_is_shown(alias):
    text = Text("soʻz {n}", "слово {n}", "word {n}")
    shown, title = later(text), capital_later(text)
    options = models.Charge._meta
    for of, first, heading, name, field, state in [
        ("ru", "слово {n}", "Слово {n}", "списания", "состояние", "новое"),
        ("uz", "soʻz {n}", "Soʻz {n}", "chargeʼlar", "holat", "yangi"),
        ("en", "word {n}", "Word {n}", "charges", "state", "new"),
    ]:
        with translation.override(of):
            assert (str(shown), str(title)) == (first, heading)
            assert str(options.verbose_name_plural) == name
            assert str(options.get_field("state").verbose_name) == field
            assert dict(options.get_field("state").choices)["new"] == state
            assert say(text, n=7).endswith(" 7")
    assert options.verbose_name_raw == "charge"


def test_every_state_has_a_name(alias):
    assert set(words.CHARGE_STATES) == set(ChargeState)
    assert set(words.CARD_STATES) == set(CardState)
    assert set(words.SUBSCRIPTION_STATES) == set(SubscriptionState)
    assert set(words.PERIOD_STATES) == set(PeriodState)
    assert set(words.NOTICE_KINDS) == set(Kind)
    assert called("of tomorrow", words.CHARGE_STATES) == "of tomorrow"
    assert called(None, words.CHARGE_STATES) == ""
    assert NOTHING == "-"


def test_every_text_is_there_in_three_languages_with_the_same_parts(alias):
    texts = [text for text in catalogue() if text != Text("", "", "")]
    assert len(texts) > 150
    for text in texts:
        assert all(text), text
        parts = [set(re.findall(r"\{\w+\}", one)) for one in text]
        # Uzbek and Russian need no plural of the model.
        assert parts[0] == parts[1] == parts[2] - {"{what}"}, text
        assert re.search("[а-яё№]", text.ru) or text.ru in ("ID", "{id}"), text
        assert not re.search("[а-яё]", text.uz + text.en), text


@override_settings(DATABASE_ROUTERS=[])  # else every database that is known is asked
@pytest.mark.parametrize("active", ["uz", "ru", "en"])
def test_no_language_needs_a_migration(alias, active):
    with translation.override(active), override_settings(LANGUAGE_CODE=active):
        for app in APPS:
            call_command("makemigrations", app, check=True, dry_run=True, verbosity=0)


def test_what_payme_says_is_explained_in_the_language(alias):
    lost = OutcomeUnknown("no answer", method="cards.check")
    for error, of, said in [
        (NotSent("no host", method="cards.check"), "ru", "cards.check: в Payme ничего"),
        (lost, "uz", "cards.check: Paymedan aniq javob"),
        (lost, "en", "no answer"),
        (ConfigurationError("key"), "ru", "key"),
    ]:
        with translation.override(of):
            assert failure(error).startswith(said)
    refused = Rejected.of(-31400, "8600495473316478", method="cards.check")
    with translation.override("uz"):
        assert failure(refused).endswith(refused.remedy.uz)
        assert "5473" not in failure(refused)
