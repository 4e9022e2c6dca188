"""The whole measurement of the client, from empty environments to a report."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import connections, table, targets
from bench.client.contestants import CONTESTANTS, PEERS
from bench.client.environments import Environment, prepared
from bench.client.imports import import_costs
from bench.client.outcome import PROMISED_IMPORTS, Outcome
from bench.client.rounds import ADDED_ROUND_TRIP, Plan, Server, race, tls_server
from bench.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANS = {
    "near": Plan(rounds=9, burst_seconds=0.2),
    "far": Plan(rounds=3, burst_seconds=0.3),
}
QUICK_PLANS = {
    "near": Plan(rounds=5, burst_seconds=0.1),
    "far": Plan(rounds=2, burst_seconds=0.1),
}
IMPORT_ROUNDS, QUICK_IMPORT_ROUNDS = 11, 3
CONNECTION_ROUNDS, QUICK_CONNECTION_ROUNDS = 7, 3


def measure(quick: bool) -> Iterator[Report]:
    """Measure all contestants, and what connections cost.

    Args:
        quick: Take fewer and shorter rounds: a look, not a record.
    """
    environments = prepared()
    plans = QUICK_PLANS if quick else PLANS
    outcome = measured(environments, plans, QUICK_IMPORT_ROUNDS if quick else IMPORT_ROUNDS)
    yield Report(
        title=title(plans),
        header=table.HEADER,
        rows=table.rows(outcome),
        targets=targets.judged(outcome),
        notes=table.notes(outcome),
    )
    with server_for(environments) as server:
        rounds = QUICK_CONNECTION_ROUNDS if quick else CONNECTION_ROUNDS
        yield connections.measure(server, rounds)


@contextmanager
def server_for(environments: dict[str, Environment]) -> Iterator[Server]:
    """Run the server; the usual CAs are those of certifi."""
    trusted = environments["tolov"].site_packages / "certifi" / "cacert.pem"
    with tempfile.TemporaryDirectory() as folder, tls_server(Path(folder), trusted) as server:
        yield server


def measured(
    environments: dict[str, Environment], plans: dict[str, Plan], import_rounds: int
) -> Outcome:
    """Take all measurements."""
    statements = [(each.environment, each.statement) for each in CONTESTANTS if each.statement]
    with server_for(environments) as server:
        raced = {
            distance: race(CONTESTANTS, environments, server, server.urls[distance], plan)
            for distance, plan in plans.items()
        }
    return Outcome(
        near=raced["near"],
        far=raced["far"],
        imports=import_costs(environments, [*PROMISED_IMPORTS, *statements], import_rounds),
        sizes={name: environment.size / 1e6 for name, environment in environments.items()},
    )


def title(plans: dict[str, Plan]) -> str:
    """Say what was compared and for how long."""
    peers = ", ".join(PEERS.values())
    near, far = plans["near"].rounds, plans["far"].rounds
    added = f"{ADDED_ROUND_TRIP * 1e3:.0f} ms"
    return f"Client beside {peers}; {near} rounds on loopback, {far} at +{added}"
