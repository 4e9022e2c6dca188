"""The whole measurement of the client, from empty environments to a report."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.client import table, targets
from bench.client.contestants import CONTESTANTS, ENVIRONMENTS, OURS
from bench.client.environments import Environment, prepared
from bench.client.imports import import_costs
from bench.client.outcome import PROMISED_IMPORTS, Outcome
from bench.client.rounds import ADDED_ROUND_TRIP, Plan, race, tls_server
from bench.report import Report

PLANS = {
    "near": Plan(rounds=15, burst_seconds=0.3),
    "far": Plan(rounds=7, burst_seconds=0.4),
}
QUICK_PLANS = {
    "near": Plan(rounds=5, burst_seconds=0.1),
    "far": Plan(rounds=3, burst_seconds=0.1),
}
IMPORT_ROUNDS, QUICK_IMPORT_ROUNDS = 9, 3


def measure(quick: bool) -> Report:
    """Measure all contestants.

    Args:
        quick: Take fewer and shorter rounds: a look, not a record.
    """
    environments = prepared()
    plans = QUICK_PLANS if quick else PLANS
    outcome = measured(environments, plans, QUICK_IMPORT_ROUNDS if quick else IMPORT_ROUNDS)
    return Report(
        title=title(plans),
        header=table.HEADER,
        rows=table.rows(outcome),
        targets=targets.judged(outcome),
        notes=table.notes(outcome),
    )


def measured(
    environments: dict[str, Environment], plans: dict[str, Plan], import_rounds: int
) -> Outcome:
    """Take all measurements."""
    statements = [(each.environment, each.statement) for each in CONTESTANTS]
    trusted = environments["tolov"].site_packages / "certifi" / "cacert.pem"
    with tempfile.TemporaryDirectory() as folder, tls_server(Path(folder), trusted) as server:
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
    peers = ", ".join(requirement for name, requirement in ENVIRONMENTS.items() if name != OURS)
    near, far = plans["near"].rounds, plans["far"].rounds
    added = f"{ADDED_ROUND_TRIP * 1e3:.0f} ms"
    return f"Client beside {peers}; {near} rounds on loopback, {far} at +{added}"
