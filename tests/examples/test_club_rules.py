"""What a club decides for itself, over a sandbox: what is taken, what is shown, once."""

import base64
import string
import time
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread

import pytest
from examples.club import pages, web
from examples.club.pages import Reader
from examples.club.settings import Settings
from examples.club.texts import LANGUAGES, TEXTS, choose, day, speak, why
from msgspec.structs import replace

from payme import InvalidArgument
from payme.charges import ChargeState
from payme.errors import NotFound
from payme.recurring import Notice, PeriodState, SubscriptionState
from payme.sandbox import Sandbox
from payme.wallet import CardConflict, CardState, CardUnusable
from support.clubs import DAY, HUMO, POOR, club_at, debits

ZONE = "+05:00"
AFTERNOON = datetime.fromisoformat(f"2026-03-05T14:00:00{ZONE}").timestamp()
NIGHT = datetime.fromisoformat(f"2026-03-05T03:10:20{ZONE}").timestamp()
READER = Reader("en", "csrf", "/me", AFTERNOON)


@pytest.fixture
def box():
    with Sandbox(account_fields={"member": "Member"}) as sandbox:
        yield sandbox


@pytest.fixture
def club(box, tmp_path):
    with club_at(box, tmp_path, AFTERNOON) as club:
        yield club


def joined(club, box, **card):
    member = club.join("Aziza")
    club.bind(member, box.add_card(**card))
    return member


def states(club, member):
    return [str(one.state) for one in club.account(member).periods]


def kinds(club, member):
    club.deliver()
    return [str(one.kind) for one in reversed(club.account(member).messages)]


def shown(club, member, language="en"):
    return pages.account(READER._replace(language=language), club.account(member))


@pytest.mark.parametrize("moment", [AFTERNOON, NIGHT], ids=["afternoon", "night"])
def test_the_first_month_is_paid_in_the_same_visit_at_any_hour(box, tmp_path, moment):
    with club_at(box, tmp_path, moment) as club:
        member = joined(club, box)
        account = club.account(member)
        assert (states(club, member), debits(box), account.is_open) == (["paid"], 1, True)
        # A whole month, not one that began at ten the day before.
        assert account.paid_until >= moment + 28 * DAY - 4 * 3600
        club.move(31)
        assert (states(club, member), debits(box)) == (["paid", "paid"], 2)


def test_a_month_takes_one_month_and_tells_of_it_before_and_after(club, box):
    member = joined(club, box)
    for n in range(3):
        club.move(club.days_of_month())
        assert debits(box) == n + 2
    assert kinds(club, member) == ["charged", *["upcoming", "charged"] * 3]
    account = club.account(member)
    assert [day("en", one.due) for one in account.next_payments] == [
        "5\xa0July\xa02026",
        "5\xa0August\xa02026",
        "5\xa0September\xa02026",
    ]
    messages = [one for one in account.messages if one.kind is Notice.UPCOMING]
    assert [round((one.due - one.at) / DAY) for one in messages] == [3, 3, 3]


@pytest.mark.parametrize("start", ["2026-01-29", "2026-01-30", "2026-01-31", "2026-12-31"])
def test_the_month_button_bills_once_also_at_the_end_of_a_month(box, tmp_path, start):
    moment = datetime.fromisoformat(f"{start}T14:00:00{ZONE}").timestamp()
    with club_at(box, tmp_path, moment) as club:
        member = joined(club, box)
        for n in range(4):
            club.move(club.days_of_month())
            assert (len(states(club, member)), debits(box)) == (n + 2, n + 2)


def test_the_same_token_again_begins_nothing_twice(club, box):
    member = club.join("Aziza")
    token = box.add_card()
    club.bind(member, token)
    club.clock.now += 5
    club.bind(member, token)
    assert (states(club, member), debits(box), len(box.receipts())) == (["paid"], 1, 1)
    assert len(club.account(member).cards) == 1


def test_a_crash_between_card_and_subscription_is_made_good_by_one_click(club, box, monkeypatch):
    member = club.join("Aziza")

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(club._recurring, "create", lambda *_, **__: crash())
        with pytest.raises(KeyboardInterrupt):
            club.bind(member, box.add_card())
    assert "Nothing was taken yet" in shown(club, member)
    club.pay(member)
    assert (states(club, member), debits(box)) == (["paid"], 1)


def test_a_refused_first_month_opens_no_door_and_another_card_pays_at_once(club, box):
    member = joined(club, box, number=POOR)
    account = club.account(member)
    assert (states(club, member), debits(box), account.is_open) == (["refused"], 0, False)
    page = shown(club, member)
    assert "was refused, and nothing was taken" in page
    assert why("en", -31630, "Недостаточно средств на карте") in page
    assert "The club is closed until it is paid" in page
    club.clock.now += 60
    club.bind(member, box.add_card(number=HUMO))
    account = club.account(member)
    assert (states(club, member), debits(box), account.is_open) == (["paid"], 1, True)
    assert [card.is_default for card in account.cards] == [True, False]
    assert kinds(club, member) == ["refused", "charged"]


def test_a_paying_member_has_days_of_grace(club, box):
    member = joined(club, box)
    club.bind(member, box.add_card(number=POOR))
    club.move(31)
    account = club.account(member)
    assert (states(club, member), account.is_open) == (["refused", "paid"], True)
    assert "The club is open to you for now" in shown(club, member)
    club.move(9)
    account = club.account(member)
    assert (account.state, account.is_open) == (SubscriptionState.PAST_DUE, False)
    assert debits(box) == 1


def test_who_pays_late_is_told_beforehand_what_else_is_taken(club, box):
    """Three months unpaid: the oldest and the current one are owed, the one between is skipped."""
    member = joined(club, box)
    club.bind(member, box.add_card(number=POOR))
    club.move(31 + 30 + 31)
    account = club.account(member)
    assert (states(club, member), debits(box)) == (["unpaid", "paid"], 1)
    assert day("en", account.current.due) == "5\xa0June\xa02026"
    assert day("en", account.next_payments[0].due) == "5\xa0July\xa02026"
    for page in (shown(club, member), pages.card(READER, account, "")):
        assert "After that, 50\xa0000 soʻm is taken for the month that began on 5\xa0June" in page
    club.bind(member, box.add_card(number=HUMO))
    club._recurring.run(drain=True)
    assert states(club, member) == ["paid", "skipped", "paid", "paid"]
    assert debits(box) == 3
    assert club.account(member).current is None


def test_a_person_tries_again_and_the_same_card_pays_when_it_has_money(club, box):
    box.faults.add(
        "receipts.pay", when="before", action="rpc_error", code=-31630, message="funds", times=1
    )
    member = joined(club, box)
    assert (states(club, member), debits(box)) == (["refused"], 0)
    with runner(club):
        club.retry(member)
    assert (states(club, member), debits(box)) == (["paid"], 1)
    club.retry(member)  # a second click
    assert debits(box) == 1


def test_cancelled_means_nothing_more_is_taken(club, box):
    member = joined(club, box)
    club.cancel(member)
    club.cancel(member)
    account = club.account(member)
    assert (account.state, account.is_open, account.next_payments) == ("ending", True, [])
    assert "Nothing more is taken" in shown(club, member)
    club.move(40)
    account = club.account(member)
    assert (account.state, account.is_open, debits(box)) == ("ended", False, 1)
    club.keep(member)
    assert club.account(member).state == "ended"


def test_a_cancellation_is_taken_back(club, box):
    member = joined(club, box)
    club.cancel(member)
    club.keep(member)
    club.move(31)
    assert (states(club, member), debits(box)) == (["paid", "paid"], 2)


def test_who_cancels_an_unpaid_month_is_not_charged_for_it(club, box):
    member = joined(club, box, number=POOR)
    club.cancel(member)
    club.bind(member, box.add_card(number=HUMO))
    club.move(40)
    assert (states(club, member), debits(box)) == (["given_up"], 0)


def test_who_has_left_joins_again_once_with_another_agreement(club, box):
    member = joined(club, box)
    club.rejoin(member)
    assert club.members.find(member.id) == member  # it has not ended
    club.cancel(member)
    club.move(40)
    club.rejoin(member)
    club.rejoin(member)  # a second click, of the page before
    again = club.members.find(member.id)
    assert (again.round, again.agreed) == (2, club.clock())
    assert "Pay 50\xa0000 soʻm with 860006******6311" in shown(club, again)
    club.pay(again)
    club.pay(again)  # a second click, of the page before
    assert (states(club, again), debits(box)) == (["paid"], 2)
    assert "charged" in kinds(club, again)


def test_an_unknown_outcome_is_in_progress_and_no_refusal(club, box, monkeypatch):
    monkeypatch.setattr("examples.club.club.DEADLINE_S", 0.3)
    lost = box.faults.add("receipts.pay", when="after", action="drop")
    silent = [
        box.faults.add(name, when="before", action="drop")
        for name in ("receipts.get", "receipts.check", "receipts.cancel")
    ]
    member = joined(club, box)
    account = club.account(member)
    assert (states(club, member), account.is_open) == (["open"], False)
    page = shown(club, member)
    assert "A payment is in progress" in page
    assert 'src="/wait.js"' in page
    assert "/retry" not in page
    assert kinds(club, member) == []
    assert club.books().amounts[PeriodState.OPEN] == 5_000_000
    for fault in (lost, *silent):
        box.faults.remove(fault.id)
    with runner(club):
        until(lambda: states(club, member) == ["paid"])
    assert debits(box) == 1


def test_what_nobody_can_find_out_is_shown_to_the_operator(club, box):
    member = joined(club, box)
    account = club.account(member)
    charge = club._charges.get(f"{member.subscription}:0")
    stuck = replace(charge, state=ChargeState.PAYING, due=None)
    period = replace(account.periods[0], state=PeriodState.OPEN)
    account = account._replace(charge=stuck, debt=period, periods=[period])
    assert "We are asking Payme" in pages.account(READER, account)
    books = club.books()._replace(accounts=[account])
    assert "the outcome of club-1-1:0 is unknown" in pages.operator(READER, books)


# Messages


def test_a_crash_between_showing_and_noting_shows_a_message_once(club, box, monkeypatch):
    member = joined(club, box)

    def crash(_message):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(club._recurring, "sent", crash)
        with pytest.raises(KeyboardInterrupt):
            club.deliver()
    assert len(club.account(member).messages) == 1
    assert kinds(club, member) == ["charged"]
    assert club._recurring.outbox() == []


def test_a_message_reaches_only_its_member(club, box):
    first, second = joined(club, box), joined(club, box, number=HUMO)
    club.cancel(second)
    club.move(32)
    assert kinds(club, first) == ["charged", "upcoming", "charged"]
    assert kinds(club, second) == ["charged", "ended"]


# Cards


def test_only_ones_own_card_that_does_not_pay_is_removed(club, box):
    member, other = joined(club, box), joined(club, box, number=HUMO)
    club.bind(member, box.add_card(number=HUMO))
    paying, old = club.account(member).cards
    club.remove_card(other, old.id)
    club.remove_card(member, paying.id)
    assert [one.id for one in club.account(member).cards] == [paying.id, old.id]
    club.remove_card(member, old.id)
    assert [one.id for one in club.account(member).cards] == [paying.id]


def test_no_token_is_believed_before_payme_was_asked(club, box):
    member, thief = club.join("Aziza"), club.join("Bek")
    token = box.add_card()
    for wrong in ("0" * 24, "", None, 7):
        with pytest.raises((InvalidArgument, NotFound)):
            club.bind(member, wrong)
    club.bind(member, token)
    with pytest.raises(CardConflict):
        club.bind(thief, token)
    for unusable in (box.add_card(verified=False), box.add_card(save=False)):
        with pytest.raises(CardUnusable):
            club.bind(thief, unusable)
    assert (club.account(thief).subscription, debits(box)) == (None, 1)


def reply(club, member, body):
    return web.bind(club, member, body, "en").status


def test_the_form_is_answered_as_it_understands(club, box):
    member = club.join("Aziza")
    for body in (
        b"",
        b"[]",
        b"{}",
        b'{"token": 7}',
        b'{"token": "no token"}',
        b"\xff",
        b"[" * 9999,
    ):
        assert reply(club, member, body) == HTTPStatus.UNPROCESSABLE_ENTITY
    token = box.add_card(verified=False)
    assert reply(club, member, f'{{"token": "{token}"}}'.encode()) == HTTPStatus.CONFLICT
    sent = f'{{"token": "{box.add_card()}"}}'.encode()
    box.faults.add("cards.check", when="before", action="drop", times=9)
    assert reply(club, member, sent) == HTTPStatus.SERVICE_UNAVAILABLE
    assert club.account(member).cards == []
    box.faults.clear()
    assert reply(club, member, sent) == HTTPStatus.CREATED
    assert "can&#x27;t be used" not in shown(club, member)


# Pages


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_a_text_has_the_same_gaps_in_each_language(key):
    gaps = [
        sorted({gap for _, gap, _, _ in string.Formatter().parse(text) if gap})
        for text in TEXTS[key]
    ]
    assert gaps[0] == gaps[1] == gaps[2]
    assert all(text.strip() for text in TEXTS[key])


def test_everything_that_can_happen_has_a_text():
    wanted = {f"told_{kind}" for kind in Notice} | {f"period_{state}" for state in PeriodState}
    wanted |= {f"sub_{state}" for state in SubscriptionState} | {"sub_none"}
    wanted |= {f"card_{state}" for state in CardState if state is not CardState.READY}
    assert wanted <= set(TEXTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_speaks_one_language(club, box, language):
    member = joined(club, box)
    club.move(31)
    reader = READER._replace(language=language)
    written = [
        pages.sign_up(reader),
        pages.card(reader, club.account(member), "<form></form>"),
        pages.account(reader, club.account(member)),
        pages.operator(reader, club.books()),
    ]
    for page in written:
        assert f'<html lang="{language}">' in page
        assert speak(language)("club") in page
        # Names of languages are the only words of another one.
        body = page.partition("</nav>")[2]
        cyrillic = any("а" <= letter <= "я" for letter in body.lower())
        assert cyrillic == (language == "ru")


def test_what_a_member_wrote_is_no_markup(club, box):
    member = club.join('<script>"&')
    for page in (pages.account(READER, club.account(member)), pages.operator(READER, club.books())):
        assert "<script>&quot;" not in page
        assert '<script>"' not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "language"),
    [
        ("ru", "en", "uz", "ru"),
        (None, "en", "uz", "en"),
        ("de", None, "de-DE,ru;q=0.9,en;q=0.8", "ru"),
        (None, None, "fr", "uz"),
        (None, None, None, "uz"),
        ("EN-us", None, None, "en"),
    ],
)
def test_a_page_speaks_the_language_of_its_reader(asked, kept, accepted, language):
    assert choose(asked, kept, accepted) == language


def test_dates_are_those_of_tashkent():
    before_midnight_in_utc = datetime.fromisoformat("2026-02-28T20:00:00+00:00").timestamp()
    assert day("en", before_midnight_in_utc) == "1\xa0March\xa02026"
    assert day("uz", before_midnight_in_utc) == "2026-yil\xa01-mart"
    assert day("ru", before_midnight_in_utc) == "1\xa0марта\xa02026"


# What guards the pages

SETTINGS = Settings(
    "5e730e8e0b852a417aa49ceb", "the key", None, ["a ledger's key"], "till", "secret",
    "sqlite:///club.db", None,
)  # fmt: skip


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "given", [None, "", "Basic", "Basic !", basic("operator:"), basic("operator:tilL"), "Bearer x"]
)
def test_the_till_is_shown_to_nobody_without_its_password(given):
    assert web.is_operator(SETTINGS, basic("operator:till"))
    assert not web.is_operator(SETTINGS, given)
    assert not web.is_operator(SETTINGS._replace(password=""), basic("operator:"))


def test_only_the_page_with_the_form_may_send_anything_elsewhere():
    plain = web.headers(SETTINGS)["Content-Security-Policy"]
    form = web.headers(SETTINGS, has_form=True)["Content-Security-Policy"]
    assert plain.startswith("default-src 'none'; ")
    assert "connect-src 'self';" in plain
    assert "script-src 'self';" in plain
    assert "connect-src https://checkout.paycom.uz 'self'" in form
    assert "unsafe" not in plain + form


def test_settings_are_shown_without_what_is_secret():
    shown = repr(SETTINGS)
    assert all(secret not in shown for secret in ("the key", "ledger", "till", "secret"))
    with pytest.raises(KeyError, match="PAYME_MERCHANT_ID"):
        Settings.from_environment({})


def test_the_real_time_is_moved_by_nobody():
    clock = SETTINGS.clock()
    assert not clock.can_move
    with pytest.raises(RuntimeError, match="sandbox"):
        clock.move_a_day()


def test_no_field_of_the_pages_asks_for_a_card():
    text = Path(pages.__file__).read_text(encoding="utf-8")
    assert "cc-number" not in text
    with pytest.raises(InvalidArgument):
        web.form(SETTINGS._replace(merchant_id="id:key"), "uz")


@contextmanager
def runner(club):
    stop = Event()
    thread = Thread(target=club.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_parts_of_a_page_do_not_contradict_each_other(club, box):
    member = club.join("Aziza")
    assert "There are no more payments" not in shown(club, member)
    club.bind(member, box.add_card())
    assert "payments come from it" in shown(club, member)
    club.cancel(member)
    page = shown(club, member)
    assert "Nothing more is taken" in page
    assert "There are no more payments" in page
    assert "payments come from it" not in page
