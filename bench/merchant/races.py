"""Two transactions for one order at one moment, on two processes of one shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bench.merchant.payments import CREATED, PERFORMED, now_ms, params_of, request, transaction_id
from bench.merchant.servers import served
from bench.sandbox.load import Lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.merchant.shops import Shop

RIVAL = 1 << 40
"""Added to the number of an order, it makes the id of the second transaction."""


@dataclass
class Raced:
    """What came of the races of one shop.

    Attributes:
        races: How many orders were raced for.
        both: Orders for which both transactions were accepted.
        paid_twice: Orders for which both were performed too: the payer has paid twice.
        neither: Orders for which none was accepted.
        in_turn: Orders for which both were accepted though the second came after the answer to the
            first; as many other orders as were raced for.
    """

    races: int = 0
    both: int = 0
    paid_twice: int = 0
    neither: int = 0
    in_turn: int = 0


def run(shop: Shop, races: int) -> Raced:
    """Race for orders, one after another.

    Args:
        shop: Whose orders, on its own server and a second one on the same database.
        races: How many.
    """
    raced = Raced()
    with served(shop.contestant, shop.environment, shop.database) as second:
        lanes = (Lane(shop.server.port), Lane(second.port))
        for _ in range(races):
            race(shop.next_order(), lanes, raced)
            raced.in_turn += both_in_turn(shop.next_order(), lanes)
        for lane in lanes:
            lane.socket.close()
    return raced


def race(number: int, lanes: Sequence[Lane], raced: Raced) -> None:
    """Create two transactions for an order at once, then perform what was accepted."""
    created = at_once(lanes, "CreateTransaction", rivals(number))
    accepted = [state_of(answer) == CREATED for answer in created]
    both = [{"id": one["id"]} for one in rivals(number)]
    performed = at_once(lanes, "PerformTransaction", both)
    raced.races += 1
    raced.both += all(accepted)
    raced.neither += not any(accepted)
    raced.paid_twice += all(state_of(answer) == PERFORMED for answer in performed)


def both_in_turn(number: int, lanes: Sequence[Lane]) -> bool:
    """Create two transactions for an order one after the other; tell whether both were accepted."""
    answers = [
        at_once([lane], "CreateTransaction", [params])[0]
        for lane, params in zip(lanes, rivals(number), strict=True)
    ]
    return all(state_of(answer) == CREATED for answer in answers)


def rivals(number: int) -> list[dict[str, Any]]:
    """Return the params of two transactions for one order."""
    order = params_of("CreateTransaction", number, now_ms())
    return [{**order, "id": transaction_id(each)} for each in (number, number + RIVAL)]


def at_once(
    lanes: Sequence[Lane], method: str, params: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Send one call on each connection, then take the answers."""
    for lane, own in zip(lanes, params, strict=True):
        lane.socket.sendall(request(1, method, own))
    return [msgspec.json.decode(taken(lane)) for lane in lanes]


def taken(lane: Lane) -> bytes:
    """Wait for an answer."""
    while (body := lane.take()) is None:
        pass
    return body


def state_of(answer: dict[str, Any]) -> int | None:
    """Return the state that a result tells; None for an error."""
    return (answer.get("result") or {}).get("state")
