"""Run the benchmarks: `python -m bench [NAME ...] [--quick] [--save]`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.charges.measure import measure as charges
from bench.client.measure import measure as client
from bench.merchant.measure import measure as merchant
from bench.recurring.measure import measure as recurring
from bench.report import Report, merged, show
from bench.sandbox.measure import measure as sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RESULTS = Path(__file__).with_name("results.md")
BENCHES: dict[str, Callable[[bool], Iterable[Report]]] = {
    "client": client,
    "sandbox": sandbox,
    "merchant": merchant,
    "charges": charges,
    "recurring": recurring,
}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(BENCHES)} (all)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--save", action="store_true", help=f"write them into {RESULTS.name} too, in their places"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Run what was asked for, print each report as it comes, and save them if wanted."""
    options = arguments()
    reports = []
    for name in options.names or BENCHES:
        for report in BENCHES[name](options.quick):
            show(report)
            reports.append(report)
    if options.save:
        saved = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(merged(saved, reports), encoding="utf-8")


if __name__ == "__main__":
    main()
