"""A process that ticks: `python -m bench.recurring.worker URL NOW`.

It says `ready`, waits for a line, ticks, and says as JSON what that took.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

from bench.recurring.club import opened


def peak_kib() -> int:
    """Return the most memory that this process ever held, in KiB.

    `ru_maxrss` of a process that was forked from a large one begins at the size of that one.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main(url: str, now: float) -> None:
    """Tick once."""
    warnings.filterwarnings("ignore", message="card tokens are stored unencrypted")
    with opened(url, now) as recurring:
        print("ready", flush=True)
        sys.stdin.readline()
        started, cpu = time.perf_counter(), time.process_time()
        ticked = recurring.tick()
        said = {
            "ticked": ticked,
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "peak_kib": peak_kib(),
        }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
