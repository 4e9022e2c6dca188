"""What Payme's own sandbox does not try: simultaneous requests, and twelve hours that are over."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from payme.conformance.attempt_checks import CANNOT_PERFORM, UNKNOWN, freed
from payme.conformance.endpoint import Account, Check, Endpoint, new_transaction
from payme.conformance.exchange import Exchange, now
from payme.conformance.findings import (
    CLOCKS_MS,
    CUMULATIVE,
    EARLIER,
    NO_ORDER,
    NO_RACE,
    NOT_FREE,
    Expectation,
    code,
    judge,
    member,
    refused,
    same,
    unseen,
)

T = TypeVar("T")

_RACES: Final = 10
EXPIRY_MS: Final = 43_200_000
"""How long a transaction may wait, from its creation in Payme: twelve hours (CONFIRMED)."""


def _at_once(*calls: Callable[[], T]) -> list[T]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def races(endpoint: Endpoint) -> Check:
    """Let two transactions come for an order at the same moment, again and again."""
    order = endpoint.orders.take()
    if order is None:
        yield from (unseen(rule, NO_ORDER) for rule in ("race-create", "race-repeat"))
        return
    yield from _different(endpoint, order)
    yield from _identical(endpoint, order)
    endpoint.orders.give_back(order)


def _different(endpoint: Endpoint, order: Account) -> Check:
    if endpoint.cumulative:
        yield unseen("race-create", CUMULATIVE)
        return
    won = 0
    for _ in range(_RACES):
        pair, at = (new_transaction(), new_transaction()), now()
        said = _at_once(*(partial(endpoint.create, order, one, at) for one in pair))
        accepted = [one for one, came in zip(pair, said, strict=True) if came.has_result]
        won += len(accepted)
        number = Expectation("accepted", "1", str(len(accepted)), len(accepted) <= 1)
        yield judge("race-create", said, number)
        for one in accepted:
            endpoint.cancel(one, 3)
    if won < _RACES // 2:
        yield unseen("race-create", NO_RACE)


def _identical(endpoint: Endpoint, order: Account) -> Check:
    won = False
    for _ in range(_RACES):
        transaction, at = new_transaction(), now()
        said = _at_once(*[partial(endpoint.create, order, transaction, at)] * 2)
        if not any(one.has_result for one in said):
            break
        won = True
        yield judge("race-repeat", said, same(*said))
        endpoint.cancel(transaction, 3)
    if not won:
        yield unseen("race-repeat", NO_RACE)


def expiry(endpoint: Endpoint) -> Check:
    """Bring a transaction that Payme created more than twelve hours ago."""
    rules = ("expiry", "expiry-state", "expiry-frees")
    order = endpoint.orders.take()
    if order is None or not endpoint.check_perform(order).has_result:
        yield from (unseen(rule, NOT_FREE if order else NO_ORDER) for rule in rules)
        return
    transaction = new_transaction()
    created = endpoint.create(order, transaction, now() - EXPIRY_MS - 2 * CLOCKS_MS)
    performed = endpoint.perform(transaction)
    # It may be refused at once, or stored and then not performed; goods must not go out either way.
    at_once = [] if created.has_result else [code(created, CANNOT_PERFORM)]
    expected = code(performed, CANNOT_PERFORM, UNKNOWN)
    yield judge("expiry", [created, performed], *at_once, expected)
    looked = endpoint.look(transaction)
    if performed.has_result:
        endpoint.cancel(transaction, 5)
        yield from (unseen(rule, EARLIER) for rule in rules[1:])
        return
    yield judge("expiry-state", [performed, looked], *_expired(looked))
    yield from freed(endpoint, order, "expiry-frees")


def _expired(looked: Exchange) -> list[Expectation]:
    if looked.has_result:
        return [member(looked, "state", -1), member(looked, "reason", 4)]
    return [code(looked, UNKNOWN)]


def perform_against_cancel(endpoint: Endpoint) -> Check:
    """Perform and cancel a transaction at the same moment, until its order is paid."""
    order = endpoint.orders.take()
    if order is None:
        yield unseen("race-cancel", NO_ORDER)
        return
    for number in range(_RACES):
        transaction = new_transaction()
        if not endpoint.create(order, transaction, now()).has_result:
            if not number:
                yield unseen("race-cancel", NOT_FREE)
            return
        performed, gone = _at_once(
            partial(endpoint.perform, transaction),
            partial(endpoint.cancel, transaction, 3),
        )
        looked = endpoint.look(transaction)
        yield judge("race-cancel", [performed, gone, looked], *_agree(performed, gone, looked))
        if performed.has_result:
            endpoint.cancel(transaction, 5)
            if not endpoint.cumulative:
                return


def _agree(performed: Exchange, gone: Exchange, looked: Exchange) -> list[Expectation]:
    """Expect the end that both answers tell: performed or not, and cancelled from there."""
    if not gone.has_result:
        return [code(gone, -31007), member(looked, "state", 2), member(performed, "state", 2)]
    paid = -2 if performed.has_result else -1
    told = [member(gone, "state", paid), member(looked, "state", paid)]
    return told if performed.has_result else [*told, refused(performed)]
