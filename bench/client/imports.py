"""What an import costs: CPU and modules, in fresh interpreters."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.client.environments import Environment

PROBE = """
import json, sys, time
before = len(sys.modules)
cpu = time.process_time_ns()
{statement}
print(json.dumps([time.process_time_ns() - cpu, len(sys.modules) - before]))
"""

Statement = tuple[str, str]
"""The name of an environment and an import statement."""


@dataclass(frozen=True)
class ImportCost:
    """CPU in milliseconds, user and system, and modules, both above a bare interpreter."""

    cpu_ms: float
    modules: int


def probe(environment: Environment, statement: str) -> ImportCost | None:
    """Run one import in a fresh interpreter, away from this checkout; `None` if it fails."""
    command = (str(environment.python), "-I", "-c", PROBE.format(statement=statement))
    with tempfile.TemporaryDirectory() as elsewhere:
        ended = subprocess.run(command, cwd=elsewhere, timeout=60, capture_output=True, check=False)
    if ended.returncode:
        return None
    cpu_ns, modules = json.loads(ended.stdout)
    return ImportCost(cpu_ns / 1e6, modules)


def import_costs(
    environments: dict[str, Environment], statements: Iterable[Statement], rounds: int
) -> dict[Statement, ImportCost]:
    """Return the median cost of each import that works, the statements taking turns."""
    probes: dict[Statement, list[ImportCost]] = {}
    for name, statement in [*dict.fromkeys(statements)] * rounds:
        if cost := probe(environments[name], statement):
            probes.setdefault((name, statement), []).append(cost)
    return {
        statement: ImportCost(median(cost.cpu_ms for cost in costs), costs[0].modules)
        for statement, costs in probes.items()
    }
