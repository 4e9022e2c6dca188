"""How far it goes: the simulation held against what was measured, then beyond it."""

from __future__ import annotations

import os
import tempfile
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench.charges.ledgers import POSTGRESQL
from bench.charges.pipe import DELAY_MS
from bench.charges.simulation import CALLS, Costs, Layout, Predicted, simulate
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.charges.pipe import Outcome
    from bench.charges.runners import Case

LATENCY = DELAY_MS / 1000
STATED = 0.15
"""By how much the simulation may be wrong about a measured run."""
FULL = 0.95
"""Busier than that, and a resource is what holds the others up."""
PROBES = 200


class Scenario(NamedTuple):
    """Something that was not measured."""

    what: str
    boxes: int
    layout: Layout


SCENARIOS = (
    Scenario("1 process", 1, Layout(1, 100, 1, 2, 2)),
    Scenario("1 machine, 2 processes", 1, Layout(2, 100, 1, 2, 2)),
    Scenario("1 machine, 4 processes", 1, Layout(4, 100, 1, 2, 2)),
    Scenario("1 machine, 20 processes", 20, Layout(20, 100, 1, 2, 2)),
    Scenario("5 machines, 20 processes", 20, Layout(20, 100, 5, 2, 2)),
    Scenario("10 machines, 20 processes", 20, Layout(20, 100, 10, 2, 8)),
    Scenario("10 machines, 100 processes", 20, Layout(100, 100, 10, 2, 8)),
    Scenario("25 machines, 100 processes", 20, Layout(100, 100, 25, 2, 8)),
    Scenario("25 machines, 100 processes", 20, Layout(100, 100, 25, 2, 32)),
    Scenario("50 machines, 100 processes", 20, Layout(100, 100, 50, 2, 32)),
)
HEADER = (
    "runners on machines\nof 2 cores",
    "database,\ncores",
    "cash-\nboxes",
    "calls in\nflight",
    "charges/s,\nmeasured",
    "charges/s,\nsimulated",
    "of the\npipe",
    "runner\nbusy",
    "database\nbusy",
    "what is full first",
)
CURE = {
    "runners": "runners: add processes, on more cores",
    "machines": "cores of the runners: add machines",
    "database": "database: add cores, or a database for some of the cash-boxes",
    "": "nothing: Payme's latency is the limit; add calls in flight",
}


def commit_seconds() -> float:
    """Measure how long the disk takes to keep a few bytes."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(PROBES):
            file.write(b"x" * 512)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return median(took)


def measure(outcomes: dict[Case, Outcome]) -> Report:
    """Simulate what was measured, then what was not.

    Args:
        outcomes: What was measured.
    """
    commit = commit_seconds()
    checks = {case: checked(case, each, commit) for case, each in outcomes.items() if each.kept}
    best = min(
        (each for case, each in outcomes.items() if case.ledger == POSTGRESQL),
        key=lambda each: each.cpu,
    )
    beyond = Costs(best.cpu, best.database, 0.0, commit, LATENCY)
    return Report(
        title="Charges: how far it goes, measured and simulated",
        header=HEADER,
        rows=[
            *(measured_row(case, outcomes[case], each) for case, each in checks.items()),
            *(simulated_row(each, simulate(beyond, each.layout)) for each in SCENARIOS),
        ],
        targets=list(error_targets(outcomes, checks)),
        notes=list(notes(beyond)),
    )


def checked(case: Case, outcome: Outcome, commit: float) -> Predicted:
    """Simulate a run that was measured, on the cores that others left to it."""
    costs = Costs(outcome.cpu, outcome.database, outcome.sandbox, commit, LATENCY)
    each = case.in_flight // case.processes
    layout = Layout(case.processes, each, 1, outcome.cores_left, None)
    return simulate(costs, layout)


def measured_row(case: Case, outcome: Outcome, predicted: Predicted) -> list[str]:
    """Return one line about a run that was measured."""
    pipe = case.in_flight / (CALLS * LATENCY)
    return [
        f"{case.name}, {case.ledger}",
        "shared",
        "1",
        f"{case.in_flight:,}",
        f"{outcome.rate:,.0f}",
        f"{predicted.rate:,.0f}",
        f"{outcome.rate / pipe:.2f}",
        f"{predicted.runner:.2f}",
        "-",
        full(predicted),
    ]


def simulated_row(scenario: Scenario, predicted: Predicted) -> list[str]:
    """Return one line about what was not measured."""
    layout = scenario.layout
    in_flight = layout.processes * layout.in_flight
    return [
        scenario.what,
        str(layout.database_cores),
        str(scenario.boxes),
        f"{in_flight:,}",
        "-",
        f"{predicted.rate:,.0f}",
        f"{predicted.rate * CALLS * LATENCY / in_flight:.2f}",
        f"{predicted.runner:.2f}",
        f"{predicted.database:.2f}",
        full(predicted),
    ]


def full(predicted: Predicted) -> str:
    """Say what holds the others up, and what to add."""
    busy = {
        "runners": predicted.runner,
        "machines": predicted.cores,
        "database": predicted.database,
    }
    most = max(busy, key=lambda name: busy[name])
    return CURE[most if busy[most] >= FULL else ""]


def error_targets(outcomes: dict[Case, Outcome], checks: dict[Case, Predicted]) -> Iterator[Target]:
    """Yield the promise that the simulation predicts what was measured."""
    for case, predicted in checks.items():
        measured = outcomes[case].rate
        error = predicted.rate / measured - 1
        yield Target(
            f"the simulation is at most {STATED:.0%} wrong about {case.name}, {case.ledger}",
            f"{error:+.0%}: {predicted.rate:.0f} charges/s, measured {measured:.0f}",
            abs(error) <= STATED,
            f"the machine's other work left {outcomes[case].cores_left:.1f} cores on average; when "
            "it took them, and the bursts in which a runner works, are not in the simulation",
        )


def notes(costs: Costs) -> Iterator[str]:
    """Yield what the figures mean."""
    yield (
        "Rows with a measured figure are runs of the table above, simulated with the CPU that each "
        "took itself and the cores that the machine's other work left; their error is that of the "
        "simulation. Where the whole machine was full, those cores are what the run itself got: "
        "that they agree says little then, and the check counts on a machine that is not. "
        "All other rows are simulated, not measured."
    )
    yield (
        f"Simulated with what the cheapest runner on PostgreSQL took: {costs.runner * 1e3:.2f} ms "
        f"of CPU a charge in the runner, {costs.database * 1e3:.2f} in the database, "
        f"{costs.commit * 1e3:.2f} ms for a commit to reach the disk, and {DELAY_MS} ms "
        "until Payme answers. Runners and database have machines of their own; a process of a "
        "runner uses one core at most."
    )
    yield (
        "Not in the simulation: limits of Payme's own, which nobody has published; locks and "
        "checkpoints of the database, its network, and a disk that many share; what a hook of the "
        "shop's does; and refusals or lost answers, which make a charge cost more calls."
    )


__all__ = ["measure"]
