"""What an import costs: CPU and modules of whole processes above `python -c pass`.

Nothing runs inside the process besides the statement: a probe that imported anything would hide
what that costs. The CPU is what the kernel charged the ended child.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.client.environments import Environment

NOTHING = "pass"
COUNT = "{statement}\nimport sys\nprint(len(sys.modules))"  # sys is there before any import

Statement = tuple[str, str]
"""The name of an environment and an import statement."""


@dataclass(frozen=True)
class ImportCost:
    """CPU in milliseconds, user and system, and modules, both above a bare interpreter."""

    cpu_ms: float
    modules: int


def process_cpu_ms(environment: Environment, code: str, folder: str) -> float:
    """Run code in a fresh interpreter to its end; return the CPU that the process took.

    Args:
        environment: Whose interpreter.
        code: What it runs.
        folder: Where it runs: away from this checkout, whose sources would be imported.

    Raises:
        ChildProcessError: The process did not end well.
    """
    command = (str(environment.python), "-I", "-c", code)
    child = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise ChildProcessError(f"{code!r} ended with {child.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1e3


def module_count(environment: Environment, statement: str, folder: str) -> int:
    """Return how many modules a process has after a statement."""
    command = (str(environment.python), "-I", "-c", COUNT.format(statement=statement))
    return int(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


def import_costs(
    environments: dict[str, Environment], statements: Iterable[Statement], rounds: int
) -> dict[Statement, ImportCost]:
    """Return the median cost of each import that works, the statements taking turns.

    Each round runs `pass` and every statement once, in a new order, and takes the difference;
    one round before the first fills the caches of the disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        counts = module_counts(environments, statements, folder)
        bare = {(name, NOTHING) for name, _ in counts}
        programs = [*sorted(bare), *(each for each in counts if each[1] != NOTHING)]
        shuffled = random.Random(rounds)
        taken = [
            {
                (name, code): process_cpu_ms(environments[name], code, folder)
                for name, code in shuffled.sample(programs, len(programs))
            }
            for _ in range(rounds + 1)
        ][1:]
    return {
        (name, code): ImportCost(
            median(cpu[name, code] - cpu[name, NOTHING] for cpu in taken), modules
        )
        for (name, code), modules in counts.items()
    }


def module_counts(
    environments: dict[str, Environment], statements: Iterable[Statement], folder: str
) -> dict[Statement, int]:
    """Return the modules that each import brings; an import that fails is left out."""
    counts: dict[Statement, int] = {}
    for name, statement in dict.fromkeys(statements):
        environment = environments[name]
        try:
            after = module_count(environment, statement, folder)
        except subprocess.CalledProcessError:
            continue
        counts[name, statement] = after - module_count(environment, NOTHING, folder)
    return counts
