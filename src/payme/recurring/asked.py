"""What a merchant asks of subscriptions: checked, and turned into functions of the core's."""

import logging
from collections.abc import Callable, Generator, Mapping
from datetime import date
from functools import partial
from typing import Any, Final, NamedTuple

from payme import exact, money
from payme.charges import orders
from payme.errors import InvalidArgument
from payme.protocol import arguments
from payme.recurring import core, ledger
from payme.recurring.calendar import Wall
from payme.recurring.core import Change, Period, Subscription
from payme.recurring.ledger import Act
from payme.recurring.rule import check_day, check_every, check_id, check_rule, check_timezone

_LOG: Final = logging.getLogger("payme.recurring")

LOOK_AGAIN: Final = 1.0
"""Seconds between two ticks of a runner."""

PAGE: Final = 500
"""How many subscriptions one transaction of a tick holds."""


def card(token: str) -> orders.Order:
    """Check a card; the error, if any, is raised where no frame holds the token."""
    return orders.other_card(token, None)


def creation(
    now: float,
    subscription_id: str,
    amount: int,
    account: Mapping[str, str | int],
    options: Mapping[str, Any],
) -> Change:
    """Check what a subscription is created with.

    Args:
        now: Seconds since 1970.
        subscription_id: Its id.
        amount: Amount in tiyin.
        account: Fields of the cash-box.
        options: All options of `Recurring.create`.

    Raises:
        InvalidArgument: Names the argument.
    """
    known_as = check_id(subscription_id)
    zone = check_timezone(options["timezone"])
    today = Wall(options["at"], zone).day(now)
    rule, terms = check_rule(today, amount, account, **{**options, "timezone": zone})
    return core.create(known_as, rule, terms, now)


def change(amount: object, every: object, anchor: object) -> Act:
    """Check what is to be changed."""
    if amount is None and every is None and anchor is None:
        raise InvalidArgument("amount", None, "a change: amount, every or anchor")
    return partial(
        _change,
        amount=None if amount is None else money.tiyin(amount),
        every=None if every is None else check_every(every),
        anchor=None if anchor is None else check_day("anchor", anchor),
    )


def _change(
    subscription: Subscription,
    debt: Period | None,
    now: float,
    *,
    amount: int | None,
    every: Any,
    anchor: date | None,
) -> Change:
    return core.change(subscription, debt, now, amount=amount, every=every, anchor=anchor)


def pause() -> Act:
    """Ask for a pause."""
    return core.pause


def resume(restart: object) -> Act:
    """Ask to go on."""
    return partial(core.resume, restart=arguments.flag("restart", restart))


def cancel(at_period_end: object, collect_open: object) -> Act:
    """Ask for an end."""
    return partial(
        core.cancel,
        at_period_end=arguments.flag("at_period_end", at_period_end),
        collect_open=arguments.flag("collect_open", collect_open),
    )


def retry() -> Act:
    """Ask for another attempt."""
    return core.retry


def use_card() -> Act:
    """Ask for another card."""
    return core.use_card


def limit(given: object) -> int:
    """Check how many notices to read."""
    return orders.check_limit(given)


def moment(given: object) -> float:
    """Check a moment: seconds since 1970."""
    if isinstance(given, int | float) and not isinstance(given, bool) and 1e9 <= given < 1e11:
        return float(given)
    raise InvalidArgument("now", exact.shown(given), "seconds since 1970, after 2001")


class Step(NamedTuple):
    """A step of `ticking`: a transaction, in which a function of the ledger's is called."""

    act: Callable[..., Any]
    arguments: tuple[Any, ...]


def ticking(now: float) -> Generator[Step, Any, int]:
    """Do what is due, page by page; one that fails does not hold the others up.

    Args:
        now: Seconds since 1970.

    Returns:
        A flow whose value is how many subscriptions had something due.
    """
    failed: list[str] = []
    done = 0
    while True:
        try:
            ids = yield Step(ledger.tick_page, (now, PAGE, failed))
        except Exception:
            ids = yield Step(ledger.due_ids, (now, PAGE, failed))
            if not ids:
                raise
            yield from _one_by_one(now, ids, failed)
        done += len(ids)
        if not ids:
            return done


def _one_by_one(now: float, ids: list[str], failed: list[str]) -> Generator[Step, Any, None]:
    """Tick a page whose transaction failed, each in a transaction of its own."""
    for subscription_id in ids:
        try:
            yield Step(ledger.tick_one, (now, subscription_id))
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            _LOG.exception("subscription %s could not be ticked", subscription_id)
            failed.append(subscription_id)
