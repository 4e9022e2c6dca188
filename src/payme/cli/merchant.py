"""`payme merchant`: the upkeep of a merchant's endpoint, for cron."""

import asyncio
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import click

from payme.cli.durations import duration
from payme.cli.options import as_json
from payme.cli.words import EVERY, EXPIRE, RELAY, counted, tell

_GROUP: Final = tell(
    """Yakunlanmaganlarni bekor qilish va toʻlovlardan qolgan ishlarni bajarish.

    \b
    Ikkalasi ham obyektingiz qayerdaligini oladi, server buyrugʻi kabi:
      payme merchant expire shop.main:merchant
      payme merchant relay shop.main:outbox --every 5s

    \b
    Chiqish kodlari: 0 bajarildi; 1 baʼzilari bajarilmadi, logga qarang;
    2 notoʻgʻri ishlatilgan.
    """,
    """Отменить то, что не было проведено, и выполнить то, что осталось от платежей.

    \b
    Обе команды принимают место вашего объекта, как команда сервера:
      payme merchant expire shop.main:merchant
      payme merchant relay shop.main:outbox --every 5s

    \b
    Коды выхода: 0 сделано; 1 что-то не удалось, см. лог; 2 ошибка в вызове.
    """,
    """Cancel what was never performed, and run what payments left to do.

    \b
    Both take the place of your object, as a server's command line does:
      payme merchant expire shop.main:merchant
      payme merchant relay shop.main:outbox --every 5s

    \b
    Exit codes: 0 done; 1 some failed, see the log; 2 misused.
    """,
)

_FAILED: Final = 1


def _place(method: str, kinds: str) -> Callable[[str], Any]:
    """Make the type of an argument: an object of the shop's, as a module, a colon, a name."""

    def place(value: str) -> Any:
        module, colon, name = value.partition(":")
        if not colon or not module or not name:
            raise click.BadParameter(
                tell(
                    f"{value!r}: MODUL:NOM kutilgan, masalan shop.main:merchant",
                    f"{value!r}: ожидалось МОДУЛЬ:ИМЯ, например shop.main:merchant",
                    f"{value!r}: expected MODULE:NAME, such as shop.main:merchant",
                )
            )
        # As `python -m` does: the shop lies where the command is run.
        if os.getcwd() not in sys.path:  # noqa: PTH109 - `sys.path` holds text
            sys.path.insert(0, os.getcwd())  # noqa: PTH109
        try:
            found: Any = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise click.BadParameter(f"{value}: {error}") from None
        if not callable(getattr(found, method, None)):
            kind = type(found).__name__
            raise click.BadParameter(
                tell(
                    f"{value}: {kind} topildi, kutilgani: {kinds}",
                    f"{value}: найдено {kind}, ожидалось: {kinds}",
                    f"{value} is {kind}, expected {kinds}",
                )
            )
        return found

    return place


@click.group(help=_GROUP)
def merchant() -> None:
    """The upkeep of an endpoint; what the user reads about it is above."""


_EVERY = click.option(
    "--every",
    type=duration,
    help=tell(*EVERY),
)


@merchant.command("expire", help=tell(*EXPIRE))
@click.argument("endpoint", type=_place("expire", "a Merchant or AsyncMerchant"))
@_EVERY
@as_json
def expire(*, endpoint: Any, every: float | None, as_json: bool) -> None:
    """Run the sweep."""
    _repeat(endpoint.expire, every, as_json=as_json)


@merchant.command("relay", help=tell(*RELAY))
@click.argument("outbox", type=_place("relay", "an outbox"))
@_EVERY
@as_json
def relay(*, outbox: Any, every: float | None, as_json: bool) -> None:
    """Run the outbox."""
    _repeat(outbox.relay, every, as_json=as_json)


def _repeat(act: Any, every: float | None, *, as_json: bool) -> None:
    if as_json and every is not None:
        raise click.UsageError(
            tell(
                "--json bitta qiymat chiqarib tugaydi: --every ni olib tashlang",
                "--json выводит одно значение и завершается: уберите --every",
                "--json prints one value and ends: leave --every out",
            )
        )
    if inspect.iscoroutinefunction(act):
        with asyncio.Runner() as runner:
            _loop(lambda: runner.run(act()), every, as_json=as_json)
    else:
        _loop(act, every, as_json=as_json)


def _loop(act: Any, every: float | None, *, as_json: bool) -> None:
    while True:
        done = act()
        numbers = {name: getattr(done, name) for name in done.__struct_fields__}
        if as_json:
            click.echo(json.dumps(numbers))
        elif every is None or any(numbers.values()):
            click.echo(counted(numbers))
        if every is None:
            break
        time.sleep(every)
    if done.failed:
        sys.exit(_FAILED)
