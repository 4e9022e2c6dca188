"""The pages, as HTML. Only the card form needs a script; `wait.js` is a convenience."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from examples.club.club import AMOUNT, NOTICE_DAYS, Account, Books
from examples.club.texts import LANGUAGES, NAMES, day, plain, som, speak, why
from payme.charges import Charge
from payme.errors.catalogue import Language
from payme.recurring import Message, Period, PeriodState, SubscriptionState
from payme.wallet import SavedCard

_PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="csrf" content="{csrf}">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/club.css"></head>
<body>{clock}<header><a class="club" href="/">{club}</a><nav>{languages}</nav></header>
<main class="{kind}"><h1>{title}</h1>{body}</main></body></html>
"""

_BAD = frozenset({PeriodState.REFUSED, PeriodState.UNPAID})


class Reader(NamedTuple):
    """Who looks at a page.

    Attributes:
        language: Of the page.
        csrf: Token against forgery, for forms and the script. Its names are those of Django.
        path: Of the page, for the links to the other languages.
        now: The club's time, if a button moves it; None for the real time.
    """

    language: Language
    csrf: str
    path: str
    now: float | None

    def say(self, key: str, **values: str) -> str:
        """Say a text, safe for HTML."""
        return escape(speak(self.language)(key, **values))

    def day(self, moment: float) -> str:
        """Write a date, which no line is broken in."""
        return f'<span class="date">{escape(day(self.language, moment))}</span>'

    def som(self, amount: int) -> str:
        """Write an amount with its currency."""
        return escape(som(self.language, amount))

    def form(self, action: str, button: str, *, kind: str = "", more: str = "") -> str:
        """Write a form of one button."""
        name = f' class="{kind}"' if kind else ""
        hidden = f'<input type="hidden" name="csrfmiddlewaretoken" value="{escape(self.csrf)}">'
        return (
            f'<form method="post" action="{escape(action)}">{hidden}{more}'
            f"<button{name}>{button}</button></form>"
        )


def sign_up(reader: Reader) -> str:
    """Write the first page: what is sold, what is agreed to, who joins."""
    say, amount = reader.say, plain(AMOUNT)
    fields = (
        f'<label for="name">{say("name")}</label>'
        '<input id="name" name="name" required maxlength="60" autocomplete="name">'
        '<label class="check"><input type="checkbox" name="agree" value="yes" required>'
        f"<span>{say('agree', amount=amount)}</span></label>"
        f'<p class="note">{say("rules", days=str(NOTICE_DAYS))}</p>'
    )
    body = f'<p class="lead">{say("lead", amount=amount)}</p>'
    body += _card(say("join"), reader.form("/join", say("to_card"), more=fields))
    return _page(reader, say("club"), body, kind="narrow")


def card(reader: Reader, account: Account, form: str) -> str:
    """Write the page with the card form.

    Args:
        reader: Who looks.
        account: The member's.
        form: The form, as `payme.card_form` writes it.
    """
    say = reader.say
    what = say("next_with_it")
    if account.subscription is None:
        what = say("first_payment", amount=plain(AMOUNT))
    elif account.debt is not None and account.debt.state in _BAD:
        what = say("debt_with_it", amount=plain(account.debt.amount)) + _current(reader, account)
    body = f'<p class="lead">{what}</p><p id="refused" class="bad" role="alert"></p>{form}'
    if reader.now is not None:
        body += f'<p class="note">{say("test_cards")}</p>'
    body += '<script type="module" src="/club.js"></script>'
    title = say("add_card" if account.subscription is None else "change_card")
    return _page(reader, title, body, kind="narrow")


def account(reader: Reader, account: Account) -> str:
    """Write the member's page: what the matter is, what comes, what was, and the ways out."""
    say = reader.say
    to_do = (
        _card(say("next"), _next(reader, account))
        + _card(say("cards"), _cards(reader, account))
        + _cancel(reader, account)
    )
    done = _card(say("payments"), _payments(reader, account)) + _card(
        say("messages"), _messages(reader, account.messages)
    )
    body = f"{_state(reader, account)}<div>{to_do}</div><div>{done}</div>"
    title = say("hello", name=account.member.name)
    return _page(reader, title, body, kind="wide")


def operator(reader: Reader, books: Books) -> str:
    """Write the operator's page: what was taken, refused and is overdue, and whom it is about."""
    say = reader.say
    tiles = "".join(
        f'<div class="tile {kind}"><dt>{say(key)}</dt><dd>{reader.som(books.amounts[state])}</dd>'
        "</div>"
        for key, state, kind in (
            ("taken", PeriodState.PAID, "good"),
            ("in_progress", PeriodState.OPEN, ""),
            ("being_retried", PeriodState.REFUSED, "bad"),
            ("overdue", PeriodState.UNPAID, "bad"),
            ("given_back", PeriodState.REFUNDED, ""),
        )
    )
    body = f'<dl class="tiles">{tiles}</dl>{_attention(reader, books)}'
    if not books.accounts:
        return _page(reader, say("operator"), f"{body}<p>{say('no_members')}</p>", kind="wide")
    heads = ("member", "subscription", "last", "amount", "reason", "card", "next_one")
    rows = [_row(reader, one) for one in books.accounts]
    body += f'<section class="card full">{_table([say(head) for head in heads], rows)}</section>'
    return _page(reader, say("operator"), body, kind="wide")


def _state(reader: Reader, account: Account) -> str:
    """Say what the matter is, and what to do. An outcome that is not known is no refusal."""
    say, debt = reader.say, account.debt
    if account.subscription is None:
        return _notice("", _begin(reader, account))
    if debt is not None and debt.state is PeriodState.OPEN:
        is_stuck = account.charge is not None and account.charge.needs_attention
        key = "asking" if is_stuck else "pending"
        again = f'<a class="button plain" href="/me">{say("look_again")}</a>'
        again += '<script type="module" src="/wait.js"></script>'
        return _notice("", f"<p>{say(key, amount=plain(debt.amount))}</p>{again}")
    if debt is not None and account.goes_on:
        return _notice("bad", _refusal(reader, account, debt))
    if account.has_ended:
        again = reader.form("/rejoin", say("rejoin"), more=_agreement(reader))
        return _notice("", f"<p>{say('ended')}</p>{again}")
    is_open = ""
    if account.paid_until and account.is_open:
        is_open = f"<p>{say('active', until=day(reader.language, account.paid_until))}</p>"
    if account.state is SubscriptionState.ENDING:
        return _notice("", f"<p>{say('ending')}</p>{is_open}{reader.form('/keep', say('keep'))}")
    if account.state is SubscriptionState.ACTIVE:
        return _notice("good", is_open)
    return _notice("", f"<p>{say('held_up')}</p>{is_open}")


def _begin(reader: Reader, account: Account) -> str:
    say, card = reader.say, account.card
    if card is None or not card.can_be_charged:
        link = f'<a class="button" href="/card">{say("add_card")}</a>'
        return f"<p>{say('no_card_yet')}</p>{link}"
    pay = say("pay_with", amount=plain(AMOUNT), number=card.number)
    return f"<p>{say('not_begun')}</p>{reader.form('/pay', pay)}"


def _refusal(reader: Reader, account: Account, debt: Period) -> str:
    say = reader.say
    reason = escape(why(reader.language, debt.code, debt.message))
    then = (
        say("wait_for_you")
        if debt.retry_at is None or debt.state is PeriodState.UNPAID
        else say("retry_at", at=day(reader.language, debt.retry_at))
    )
    access = say("open_still" if account.is_open else "closed")
    return (
        f"<p><strong>{say('refused', amount=plain(debt.amount))}</strong> {reason}</p>"
        f"<p>{then}{_current(reader, account)} {access}</p>"
        f'<p class="ways"><a class="button" href="/card">{say("change_card")}</a></p>'
        + reader.form("/retry", say("try_again"), kind="plain")
    )


def _current(reader: Reader, account: Account) -> str:
    """Say what else is taken as soon as the unpaid month is paid."""
    one = account.current
    if one is None:
        return ""
    since = day(reader.language, one.due)
    return f" {reader.say('then_current', amount=plain(one.amount), since=since)}"


def _agreement(reader: Reader) -> str:
    return (
        '<label class="check"><input type="checkbox" name="agree" value="yes" required>'
        f"<span>{reader.say('agree', amount=plain(AMOUNT))}</span></label>"
    )


def _next(reader: Reader, account: Account) -> str:
    if not account.next_payments:
        return f"<p>{reader.say('none_next' if account.subscription else 'none_yet')}</p>"
    rows = [[reader.day(one.due), reader.som(one.amount)] for one in account.next_payments]
    return _table([reader.say("date"), reader.say("amount")], rows)


def _payments(reader: Reader, account: Account) -> str:
    if not account.periods:
        return f"<p>{reader.say('none_yet')}</p>"
    rows = [
        [
            f"<span>{reader.day(one.start)} – {reader.day(one.end)}</span>",
            reader.som(one.amount),
            _period_state(reader, one),
        ]
        for one in account.periods
    ]
    return _table([reader.say(head) for head in ("period", "amount", "state")], rows)


def _period_state(reader: Reader, period: Period) -> str:
    kind = {PeriodState.PAID: "good"}.get(period.state, "bad" if period.state in _BAD else "")
    return f'<span class="{kind}">{reader.say(f"period_{period.state}")}</span>'


def _cards(reader: Reader, account: Account) -> str:
    say = reader.say
    change = say("change_card" if account.cards else "add_card")
    link = f'<p><a class="button plain" href="/card">{change}</a></p>'
    if account.has_ended or not account.cards:
        link = ""
    if not account.cards:
        return f"<p>{say('no_card')}</p>{link}"
    saved = "".join(_saved(reader, account, one) for one in account.cards)
    return f'<ul class="cards">{saved}</ul>{link}'


def _saved(reader: Reader, account: Account, card: SavedCard) -> str:
    say = reader.say
    marks = [say("expires", expire=card.expire)]
    marks += [say("pays")] if card.is_default and account.goes_on else []
    marks += [] if card.can_be_charged else [say(f"card_{card.state}")]
    number = escape(card.number)
    remove = ""
    if not card.is_default:
        hidden = f'<input type="hidden" name="card" value="{escape(card.id)}">'
        words = say("remove", number=card.number)
        remove = reader.form("/cards/remove", words, kind="plain", more=hidden)
    return f"<li><b>{number}</b> <small>{' · '.join(marks)}</small>{remove}</li>"


def _messages(reader: Reader, messages: Sequence[Message]) -> str:
    if not messages:
        return f"<p>{reader.say('none_told')}</p>"
    return f'<ul class="messages">{"".join(_message(reader, one) for one in messages)}</ul>'


def _message(reader: Reader, message: Message) -> str:
    return f"<li><small>{reader.day(message.at)}</small><span>{_told(reader, message)}</span></li>"


def _told(reader: Reader, message: Message) -> str:
    due, amount = day(reader.language, message.due), plain(message.amount)
    return reader.say(f"told_{message.kind}", due=due, amount=amount)


def _cancel(reader: Reader, account: Account) -> str:
    """Write the way out. It asks once more by unfolding, which needs no script."""
    say = reader.say
    if not account.goes_on:
        return ""
    what = say("cancel_unpaid")
    if account.debt is None and account.paid_until is not None:
        what = say("cancel_paid", until=day(reader.language, account.paid_until))
    button = reader.form("/cancel", say("cancel_now"), kind="danger")
    return (
        f'<section class="card"><details><summary>{say("cancel")}</summary><p>{what}</p>{button}'
        "</details></section>"
    )


def _attention(reader: Reader, books: Books) -> str:
    told = [
        f"<li>{_name(one.member.name)}: {_what(reader, what)}</li>" for one, what in books.attention
    ]
    if not told:
        return ""
    return _notice("bad", f"<strong>{reader.say('look')}</strong><ul>{''.join(told)}</ul>")


def _what(reader: Reader, what: Message | Charge) -> str:
    if isinstance(what, Message):
        return _told(reader, what)
    return reader.say("look_charge", charge=what.id)


def _row(reader: Reader, account: Account) -> list[str]:
    last = account.periods[0] if account.periods else None
    reason = "" if last is None else escape(why(reader.language, last.code, last.message))
    coming = account.next_payments
    return [
        _name(account.member.name),
        reader.say(f"sub_{account.state or 'none'}"),
        "" if last is None else _period_state(reader, last),
        "" if last is None else f'<span class="sum">{reader.som(last.amount)}</span>',
        reason if last is not None and last.state in _BAD else "",
        escape(account.cards[0].number) if account.cards else "",
        reader.day(coming[0].due) if coming else "",
    ]


def _name(name: str) -> str:
    """Write a name that somebody chose: it turns no other text around, and widens no page."""
    return f'<bdi class="name">{escape(name)}</bdi>'


def _card(title: str, body: str) -> str:
    return f'<section class="card"><h2>{title}</h2>{body}</section>'


def _notice(kind: str, body: str) -> str:
    return f'<section class="card full notice {kind}">{body}</section>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table; on a narrow screen each cell names its column."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-head="{head}">{cell}</td>' for head, cell in zip(heads, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _clock(reader: Reader) -> str:
    if reader.now is None:
        return ""
    say = reader.say
    buttons = "".join(
        reader.form(
            "/clock",
            say(key),
            kind="plain",
            more=f'<input type="hidden" name="days" value="{days}">'
            f'<input type="hidden" name="back" value="{escape(reader.path)}">',
        )
        for key, days in (("a_day", "day"), ("a_month", "month"))
    )
    now = say("clock", now=day(reader.language, reader.now))
    return f'<aside aria-label="{now}"><span>{now}</span>{buttons}</aside>'


def _page(reader: Reader, title: str, body: str, *, kind: str = "") -> str:
    links = "".join(
        f'<a lang="{one}" hreflang="{one}" href="{escape(reader.path)}?lang={one}"'
        f"{' aria-current=true' if one == reader.language else ''}>{NAMES[one]}</a>"
        for one in LANGUAGES
    )
    return _PAGE.format(
        language=reader.language,
        title=title,
        csrf=escape(reader.csrf),
        club=reader.say("club"),
        languages=links,
        kind=kind,
        body=body,
        clock=_clock(reader),
    )
