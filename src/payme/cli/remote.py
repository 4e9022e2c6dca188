"""`payme faults` and `payme clock`: commands that act on a sandbox that is running."""

import base64
import json
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

import click

from payme.cli.durations import refuse_bare, refuse_bare_in_rule
from payme.cli.options import as_json
from payme.cli.words import tell
from payme.sandbox.engine.faults import FaultRule

# Moving the clock waits for the merchant, who may be down: 45 seconds on the way, and then for each
# payment that is due at its end.
_TIMEOUT_S: Final = 600.0
_PREFIX: Final = "/_sandbox"

PASSWORD: Final = "PAYME_SANDBOX_PASSWORD"  # noqa: S105 - the name of a variable
"""Variable of the environment with the password of the sandbox's dashboard and control API."""

# The sandbox is on this computer or beside it, never behind the proxy of the environment.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

with_url: Final[Callable[[Any], Any]] = click.option(
    "--url",
    default="http://127.0.0.1:3000",
    show_default=True,
    envvar="PAYME_SANDBOX_URL",
    help=tell(
        "Ishlab turgan sandbox manzili; PAYME_SANDBOX_URL ham boʻladi.",
        "Адрес работающей песочницы; можно и PAYME_SANDBOX_URL.",
        "Address of the running sandbox; PAYME_SANDBOX_URL does as well.",
    ),
)


@click.group(
    help=tell(
        "Ishlab turgan sandbox nosozliklarini qoʻyish, koʻrish va olib tashlash.",
        "Задать, вывести и снять сбои работающей песочницы.",
        "Set, list and clear the faults of a running sandbox.",
    )
)
def faults() -> None:
    """Faults; what the user reads about them is above."""


@faults.command(
    "add",
    help=tell(
        """Nosozlik qoʻyish: METHOD WHEN ACTION [name=value ...].

        Masalan: payme faults add receipts.pay after drop times=1. Toʻliq grammatika: payme sandbox
        --help.""",
        """Задать сбой: METHOD WHEN ACTION [name=value ...].

        Например: payme faults add receipts.pay after drop times=1. Вся грамматика: payme sandbox
        --help.""",
        """Set a fault: METHOD WHEN ACTION [name=value ...].

        For example: payme faults add receipts.pay after drop times=1. payme sandbox --help has the
        whole grammar.""",
    ),
)
@click.argument("rule", nargs=-1, required=True)
@with_url
@as_json
def add_fault(rule: tuple[str, ...], url: str, *, as_json: bool) -> None:
    """Set a fault."""
    line = rule[0] if len(rule) == 1 else shlex.join(rule)
    refuse_bare_in_rule(line)
    fault = request(url, "POST", "/faults", {"rule": line})
    number = fault["id"]
    done = tell(f"{number}-nosozlik qoʻyildi", f"сбой {number} задан", f"fault {number} is set")
    _say(fault, done, as_json=as_json)


@faults.command(
    "list",
    help=tell(
        "Nosozliklarni sinaladigan tartibda koʻrsatish.",
        "Вывести сбои в том порядке, в каком они проверяются.",
        "List the faults in the order in which they are tried.",
    ),
)
@with_url
@as_json
def list_faults(url: str, *, as_json: bool) -> None:
    """List the faults."""
    found: list[dict[str, Any]] = request(url, "GET", "/faults")["faults"]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found:
        click.echo(tell("nosozlik qoʻyilmagan", "сбоев нет", "no faults"))
        return
    for fault in found:
        click.echo(f"{fault['id']:>4}  {described(fault)}  ({_spent(fault)})")


@faults.command(
    "clear",
    help=tell(
        "Bitta nosozlikni yoki hammasini olib tashlash.",
        "Снять один сбой или все.",
        "Take one fault away, or all of them.",
    ),
)
@click.argument("fault_id", required=False, type=click.IntRange(min=1), metavar="[ID]")
@with_url
@as_json
def clear_faults(fault_id: int | None, url: str, *, as_json: bool) -> None:
    """Clear faults."""
    path = "/faults" if fault_id is None else f"/faults/{fault_id}"
    removed = request(url, "DELETE", path)
    number = removed["removed"]
    done = tell(f"{number} ta olib tashlandi", f"снято: {number}", f"{number} removed")
    _say(removed, done, as_json=as_json)


@click.group(
    help=tell(
        "Ishlab turgan sandbox soatini koʻrish va surish.",
        "Показать и перевести часы работающей песочницы.",
        "Show and move the clock of a running sandbox.",
    )
)
def clock() -> None:
    """The clock; what the user reads about it is above."""


@clock.command(
    "show",
    help=tell(
        "Sandboxda soat necha ekanini koʻrsatish.",
        "Показать, сколько времени в песочнице.",
        "Show what time it is in the sandbox.",
    ),
)
@with_url
@as_json
def show_clock(url: str, *, as_json: bool) -> None:
    """Show the time."""
    _tell(request(url, "GET", "/clock"), as_json=as_json)


@clock.command(
    "advance",
    help=tell(
        "Soatni oldinga surish: 12h, 90s, 30d yoki 1h30m.",
        "Перевести часы вперёд: на 12h, 90s, 30d или 1h30m.",
        "Move the clock forward, by 12h, 90s, 30d or 1h30m.",
    ),
)
@click.argument("by")
@with_url
@as_json
def advance_clock(by: str, url: str, *, as_json: bool) -> None:
    """Move the clock forward."""
    refuse_bare(by)
    _tell(request(url, "POST", "/clock", {"advance": by}), as_json=as_json)


@clock.command(
    "freeze",
    help=tell(
        "Soatni turgan joyida yoki AT vaqtida toʻxtatish, masalan 2026-03-01T09:00:00+05:00.",
        "Остановить часы сейчас или на моменте AT, например 2026-03-01T09:00:00+05:00.",
        "Stop the clock where it is, or AT a moment such as 2026-03-01T09:00:00+05:00.",
    ),
)
@click.argument("at", required=False)
@with_url
@as_json
def freeze_clock(at: str | None, url: str, *, as_json: bool) -> None:
    """Stop the clock."""
    _tell(request(url, "POST", "/clock", {"freeze": True if at is None else at}), as_json=as_json)


@clock.command(
    "resume",
    help=tell(
        "Soatni toʻxtagan joyidan yurgizish.",
        "Пустить часы с того места, где они стоят.",
        "Let the clock run on from where it stands.",
    ),
)
@with_url
@as_json
def resume_clock(url: str, *, as_json: bool) -> None:
    """Let the clock run on."""
    _tell(request(url, "POST", "/clock", {"resume": True}), as_json=as_json)


@clock.command(
    "reset",
    help=tell(
        "Soatni sandbox ishga tushgandagi holatiga qaytarish.",
        "Вернуть часы к тому, с чего песочница была запущена.",
        "Put the clock back to how the sandbox was started.",
    ),
)
@with_url
@as_json
def reset_clock(url: str, *, as_json: bool) -> None:
    """Reset the clock."""
    _tell(request(url, "POST", "/clock", {"reset": True}), as_json=as_json)


def request(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask a running sandbox.

    Args:
        url: Its address, with `/api` or without.
        method: HTTP method.
        path: Path below `/_sandbox`.
        body: JSON to send.

    Raises:
        click.UsageError: If the sandbox refuses what was asked.
        click.ClickException: If no sandbox answers there.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **_credentials()}
    # `_base` lets http and https pass and nothing else.
    asked = urllib.request.Request(  # noqa: S310
        _base(url) + _PREFIX + quote(path), data, headers, method=method
    )
    try:
        with _opener.open(asked, timeout=_TIMEOUT_S) as answer:
            return cast("dict[str, Any]", json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, url) from None
    except TimeoutError:
        # It took the request: one that nobody takes is a URLError.
        raise click.ClickException(
            tell(
                f"{url} manzilidagi sandbox hali band: balki sotuvchi javobini kutmoqda",
                f"песочница по адресу {url} всё ещё занята: возможно, ждёт ответа продавца",
                f"the sandbox at {url} is still busy: perhaps it waits for the merchant",
            )
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise click.ClickException(
            tell(
                f"{url} manzilida sandbox javob bermayapti: {reason}",
                f"по адресу {url} песочница не отвечает: {reason}",
                f"no sandbox answers at {url}: {reason}",
            )
        ) from None


def _credentials() -> dict[str, str]:
    password = os.environ.get(PASSWORD)
    if not password:
        return {}
    encoded = base64.b64encode(f"sandbox:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def described(fault: dict[str, Any]) -> str:
    """Write a fault as the line that sets it, as far as it differs from the defaults."""
    usual = FaultRule()
    words = [fault["method"], fault["when"], fault["action"]]
    for name, value in fault.items():
        if name in _WRITTEN and value != getattr(usual, name):
            words += _WRITTEN[name](name, value)
    return shlex.join(words)


def _spent(fault: dict[str, Any]) -> str:
    """Write how often a fault has struck, and how often it still will, where that is limited."""
    fired, left = fault["fired"], fault["left"]
    if left is None:
        return tell(f"{fired} marta ishladi", f"сработал: {fired}", f"{fired} fired")
    return tell(
        f"{fired} marta ishladi, {left} marta qoldi",
        f"сработал: {fired}, осталось: {left}",
        f"{fired} fired, {left} left",
    )


def _plain(name: str, value: Any) -> list[str]:
    return [f"{name}={value}"]


def _span(name: str, value: int) -> list[str]:
    return [f"{name.removesuffix('_ms')}={value}ms"]


def _range(name: str, value: tuple[int | None, int | None]) -> list[str]:
    low, high = ("" if bound is None else str(bound) for bound in value)
    return [f"{name}={low}" if low == high else f"{name}={low}..{high}"]


def _fields(name: str, value: dict[str, str]) -> list[str]:
    return [f"{name}.{field}={text}" for field, text in value.items()]


def _json(name: str, value: Any) -> list[str]:
    return [f"{name}={json.dumps(value, ensure_ascii=False)}"]


_WRITTEN: Final[dict[str, Callable[[str, Any], list[str]]]] = {
    "times": _plain,
    "priority": _plain,
    "probability": _plain,
    "card": _plain,
    "account": _fields,
    "amount": _range,
    "delay_ms": _span,
    "advance_ms": _span,
    "status": _plain,
    "code": _plain,
    "message": _plain,
    "data": _json,
}


def _base(url: str) -> str:
    try:
        scheme, netloc, *_ = urlsplit(url)
    except ValueError:
        scheme = netloc = ""
    if scheme not in {"http", "https"} or not netloc:
        raise click.UsageError(
            tell(
                "--url manzil boʻlishi kerak, masalan http://127.0.0.1:3000",
                "--url должен быть адресом, например http://127.0.0.1:3000",
                "--url must be an address such as http://127.0.0.1:3000",
            )
        )
    return f"{scheme}://{netloc}"


def _refusal(error: urllib.error.HTTPError, url: str) -> click.ClickException:
    try:
        message = json.load(error)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return click.ClickException(
            tell(
                f"{url} manzilida javob berayotgan narsa payme-uz sandboxi emas",
                f"по адресу {url} отвечает не песочница payme-uz",
                f"what answers at {url} is no sandbox of payme-uz",
            )
        )
    if error.code == 401:
        hold = tell(
            f"parolni {PASSWORD} ga yozing",
            f"задайте пароль в {PASSWORD}",
            f"{PASSWORD} must hold it",
        )
        return click.ClickException(f"{message}; {hold}")
    if error.code == 400:
        return click.UsageError(message)
    return click.ClickException(message)


def _tell(state: dict[str, Any], *, as_json: bool) -> None:
    if state["frozen"]:
        running = tell("toʻxtatilgan", "остановлены", "frozen")
    else:
        running = tell("yurmoqda", "идут", "running")
    _say(state, f"{state['iso']}, {running}", as_json=as_json)


def _say(told: dict[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(json.dumps(told, ensure_ascii=False) if as_json else text)
