"""`payme merchant`: the upkeep of a merchant's endpoint, for cron."""

import asyncio
import inspect
import os
import sys
import time
from importlib import import_module
from typing import Any, Final

import click

_GROUP: Final = """Cancel what was never performed, and run what payments left to do.

\b
Both take the place of your object, as a server's command line does:
  payme merchant expire shop.main:merchant
  payme merchant relay shop.main:outbox --every 5

\b
Exit codes: 0 done; 1 some failed, see the log; 2 misused.
"""

_FAILED: Final = 1


class _Place(click.ParamType[Any]):
    """An object of the shop's: a module, a colon, a name."""

    name = "module:name"

    def __init__(self, method: str, kinds: str) -> None:
        self._method = method
        self._kinds = kinds

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        module, colon, name = str(value).partition(":")
        if not colon or not module or not name:
            self.fail(f"{value!r}: expected MODULE:NAME, such as shop.main:merchant", param, ctx)
        # As `python -m` does: the shop lies where the command is run.
        if os.getcwd() not in sys.path:  # noqa: PTH109 - `sys.path` holds text
            sys.path.insert(0, os.getcwd())  # noqa: PTH109
        try:
            found: Any = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            self.fail(f"{value}: {error}", param, ctx)
        if not callable(getattr(found, self._method, None)):
            self.fail(f"{value} is {type(found).__name__}, expected {self._kinds}", param, ctx)
        return found


@click.group(help=_GROUP)
def merchant() -> None:
    """The upkeep of an endpoint; what the user reads about it is above."""


_EVERY = click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    help="Go on, and look every so many seconds, until stopped.",
)


@merchant.command("expire")
@click.argument("endpoint", type=_Place("expire", "a Merchant or AsyncMerchant"))
@_EVERY
def expire(*, endpoint: Any, every: float | None) -> None:
    """Cancel transactions that Payme created and did not perform within twelve hours."""
    _repeat(endpoint.expire, every)


@merchant.command("relay")
@click.argument("outbox", type=_Place("relay", "an outbox"))
@_EVERY
def relay(*, outbox: Any, every: float | None) -> None:
    """Run the jobs that hooks stored with their payments."""
    _repeat(outbox.relay, every)


def _repeat(act: Any, every: float | None) -> None:
    if inspect.iscoroutinefunction(act):
        with asyncio.Runner() as runner:
            _loop(lambda: runner.run(act()), every)
    else:
        _loop(act, every)


def _loop(act: Any, every: float | None) -> None:
    while True:
        done = act()
        numbers = {name: getattr(done, name) for name in done.__struct_fields__}
        if every is None or any(numbers.values()):
            click.echo(", ".join(f"{name} {number}" for name, number in numbers.items()))
        if every is None:
            break
        time.sleep(every)
    if done.failed:
        sys.exit(_FAILED)
