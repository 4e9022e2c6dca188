"""A small discrete-event simulation of runners, a database and Payme.

A slot is one charge in flight: it takes what it needs in turn (a process, a core, the database, or
only time), and begins another charge when one is done. Slots are generators that yield what they
wait for; the world lets time jump to the next thing that happens. All times are in seconds.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator
from math import ceil
from typing import NamedTuple

OPERATIONS = 5
"""What a charge asks of its ledger: a claim, three changes, a release."""
CALLS = 2
PIECES = OPERATIONS + CALLS


class Resource:
    """So many can use it at once; the others stand in line.

    Args:
        name: What it is.
        places: How many.
    """

    def __init__(self, name: str, places: int) -> None:
        self.name = name
        self.places = places
        self.free = places
        self.line: deque[Slot] = deque()
        self.used = 0.0


Need = float | Resource
Slot = Generator[Need, None, None]


class World:
    """Time, and what happens in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done = 0
        self._coming: list[tuple[float, int, Slot]] = []
        self._number = 0

    def begin(self, slot: Slot, at: float) -> None:
        """Let a slot begin at a moment."""
        self._number += 1
        heapq.heappush(self._coming, (at, self._number, slot))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._coming and self._coming[0][0] <= until:
            self.now, _, slot = heapq.heappop(self._coming)
            self._go_on(slot)
        self.now = until

    def give_back(self, resource: Resource) -> None:
        """Free a place; who is first in line takes it."""
        resource.free += 1
        if resource.line:
            resource.free -= 1
            self.begin(resource.line.popleft(), self.now)

    def _go_on(self, slot: Slot) -> None:
        while True:
            need = next(slot)
            if not isinstance(need, Resource):
                self.begin(slot, self.now + need)
                return
            if not need.free:
                need.line.append(slot)
                return
            need.free -= 1


class Costs(NamedTuple):
    """What a charge costs, in seconds.

    Attributes:
        runner: CPU of the runner.
        database: CPU of the database's server; 0 for SQLite, whose work is the runner's.
        payme: CPU of Payme where it shares the machine, as the sandbox does; else 0.
        commit: Time of one commit that is only waiting: for the disk, and the network.
        latency: Time until Payme answers a call.
    """

    runner: float
    database: float
    payme: float
    commit: float
    latency: float


class Layout(NamedTuple):
    """What runs where.

    Attributes:
        processes: Runners, all together.
        in_flight: Charges at once in each.
        machines: Machines that the runners are spread over.
        cores: Cores of each that are free for this.
        database_cores: Cores of the database's own machine; None if it shares the runners'.
    """

    processes: int
    in_flight: int
    machines: int
    cores: float
    database_cores: int | None


class Predicted(NamedTuple):
    """What came of it.

    Attributes:
        rate: Charges per second.
        runner: How busy the processes of the runners were, from 0 to 1.
        cores: How busy the cores of their machines were.
        database: How busy the cores of the database were.
    """

    rate: float
    runner: float
    cores: float
    database: float


class _Place(NamedTuple):
    """Where the work of one slot is done."""

    world: World
    costs: Costs
    process: Resource
    cores: Resource
    stretch: float
    """How much longer work takes where a machine has less than whole cores free."""
    database: Resource
    payme: Resource


def _work(place: _Place, process: Resource | None, cores: Resource, seconds: float) -> Slot:
    if not seconds:
        return
    if process is not None:
        yield process
    yield cores
    took = seconds * (place.stretch if cores is place.cores else 1.0)
    yield took
    cores.used += took
    place.world.give_back(cores)
    if process is not None:
        process.used += took
        place.world.give_back(process)


def _operation(place: _Place) -> Slot:
    costs = place.costs
    yield from _work(place, place.process, place.cores, costs.runner / PIECES)
    yield from _work(place, None, place.database, costs.database / OPERATIONS)
    yield costs.commit


def _call(place: _Place) -> Slot:
    costs = place.costs
    yield from _work(place, place.process, place.cores, costs.runner / PIECES)
    yield from _work(place, place.payme, place.cores, costs.payme / CALLS)
    yield costs.latency


# Claim; receipts.create; the receipt and the intent to pay; receipts.pay; the proof; the release.
_CHARGE = (_operation, _call, _operation, _operation, _call, _operation, _operation)


def _slot(place: _Place) -> Slot:
    while True:
        for step in _CHARGE:
            yield from step(place)
        place.world.done += 1


def simulate(
    costs: Costs, layout: Layout, *, warm_up: float = 2.0, seconds: float = 3.0
) -> Predicted:
    """Let charges run for a while, after a time to come into step.

    Args:
        costs: What a charge costs.
        layout: What runs where.
        warm_up: Seconds before anything counts.
        seconds: Seconds that count.
    """
    world = World()
    whole = ceil(layout.cores)
    machines = [Resource("cores", whole) for _ in range(layout.machines)]
    own = layout.database_cores
    databases = [Resource("database", own)] * layout.machines if own else machines
    paymes = [Resource("payme", 1) for _ in machines]
    processes = [Resource("runner", 1) for _ in range(layout.processes)]
    for number, process in enumerate(processes):
        machine = number % layout.machines
        place = _Place(
            world, costs, process, machines[machine], whole / layout.cores,
            databases[machine], paymes[machine],
        )  # fmt: skip
        for slot in range(layout.in_flight):
            world.begin(_slot(place), slot / layout.in_flight * min(costs.latency * 2, warm_up))
    world.run(warm_up)
    used = (processes, machines, databases[:1])
    before = [sum(each.used for each in kind) for kind in used]
    done = world.done
    world.run(warm_up + seconds)
    busy = [
        (sum(each.used for each in kind) - was) / seconds / sum(each.places for each in kind)
        for kind, was in zip(used, before, strict=True)
    ]
    return Predicted((world.done - done) / seconds, *busy)
