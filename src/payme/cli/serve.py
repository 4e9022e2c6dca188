"""`payme sandbox`: the banner, the log of calls, and the way down."""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple, TypedDict

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from payme import redact
from payme.cli.printer import Printer
from payme.cli.words import language, tell
from payme.sandbox import Sandbox, SandboxClock, SandboxError
from payme.sandbox.access import is_loopback
from payme.sandbox.engine import Answer
from payme.sandbox.engine.shapes import Title
from payme.sandbox.engine.testcards import CODE
from payme.sandbox.scenarios import SCENARIOS
from payme.sandbox.settings import CashBoxSettings

FAILURES: Final = (SandboxError, ImportError)

_POLL_S: Final = 0.5
"""How often the main thread wakes, so that signals are heard on Windows too."""


class Options(TypedDict):
    """What the command line says about the sandbox."""

    host: str
    port: int
    db: Path | None
    merchant_id: str | None
    key: str | None
    account_fields: dict[str, Title]
    merchant_name: str
    cash_boxes: list[CashBoxSettings]
    min_amount: int | None
    max_amount: int | None
    receipt_ttl_ms: int | None
    merchant_url: str | None
    merchant_key: str | None
    cards: dict[str, str]
    strict: bool
    progression: str
    cors: bool
    scenario: str | None
    seed: int | None
    password: str | None


class Start(NamedTuple):
    """What the command line says about how the sandbox begins."""

    faults: tuple[str, ...] = ()
    """Rules, a line each."""
    clock_start: str | None = None
    freeze: bool = False


def run(options: Options, start: Start, *, quiet: bool, as_json: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        options: What the command line says about the sandbox.
        start: What it says about how it begins.
        quiet: Print nothing but warnings.
        as_json: Print where it is and who may call it, as JSON.

    Raises:
        SandboxError: If the sandbox can't be started.
        ValueError: If an option can't be used.
    """
    stopping = _signals()
    if not is_loopback(options["host"]):
        _warn_of_neighbours(options["host"])

    printer = None if quiet else Printer()
    try:
        with _sandbox(options, start, printer) as sandbox:
            for line in start.faults:
                sandbox.faults.add_text(line)
            if printer is not None:
                print_banner(printer.print, sandbox, options["db"])
            elif as_json:
                _print_json(sandbox)
            elif sandbox.password is not None and options["password"] is None:
                _warn(
                    tell(
                        f"Boshqaruv paneli parol soʻraydi: {sandbox.password}",
                        f"Панель спросит пароль: {sandbox.password}",
                        f"The dashboard asks for the password {sandbox.password}",
                    )
                )
            while not stopping.wait(_POLL_S):
                pass
        if printer is not None:
            printer.print(tell("Toʻxtatildi.", "Остановлена.", "Stopped."))
    finally:
        if printer is not None:
            printer.close()


def _print_json(sandbox: Sandbox) -> None:
    told = {
        "url": sandbox.url,
        "merchant_id": sandbox.merchant_id,
        "key": sandbox.key,
        "sms_code": CODE,
        "password": sandbox.password,
    }
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


def _warn_of_neighbours(host: str) -> None:
    _warn(
        tell(
            f"sandbox {host} manzilida: unga boshqa kompyuterlar ham ulana oladi.",
            f"песочница слушает {host}: к ней могут подключиться другие компьютеры.",
            f"the sandbox listens on {host}: other computers can reach it.",
        )
    )


def _warn(text: str) -> None:
    warning = tell("Ogohlantirish", "Внимание", "Warning")
    Console(stderr=True, soft_wrap=True).print(Text(f"{warning}: {text}"))


def _sandbox(options: Options, start: Start, printer: Printer | None) -> Sandbox:
    clock = SandboxClock(start=start.clock_start, frozen=start.freeze)
    if printer is None:
        return Sandbox(**options, clock=clock)

    # What it would say stands in the line of the call.
    logging.getLogger("payme.sandbox").addHandler(logging.NullHandler())

    def log(answer: Answer) -> None:
        several = len(sandbox.cash_boxes) > 1
        box = sandbox.cash_box(answer.cash_box) if several else None
        printer.print(access_line(answer, time.strftime("%H:%M:%S"), box.name if box else ""))

    sandbox = Sandbox(**options, clock=clock, on_answer=log)
    return sandbox


def access_line(answer: Answer, at: str, cash_box: str = "") -> Text:
    """Write the line of one call. It holds no token, card, key, code or phone.

    Args:
        answer: The answer that is about to be sent.
        at: Time of day.
        cash_box: Name of the cash-box that was called; empty where there is only one, or the call
            named none.
    """
    outcome = "ok" if answer.code is None else f"{answer.code} {answer.reason or ''}".rstrip()
    method = answer.method or "-"
    line = f"{at}  {method:<24} {answer.receipt_id or '-':<24}  {outcome}"
    if cash_box:
        line += f"  ({redact.scrub(cash_box)})"
    if answer.remarks:
        line += "".join(f"\n          {redact.scrub(remark)}" for remark in answer.remarks)
    if answer.fault:
        return Text(f"{line}  [{answer.fault}]", style="red")
    return Text(line, style="" if answer.code is None else "yellow")


def print_banner(show: Callable[[Any], None], sandbox: Sandbox, db: Path | None) -> None:
    """Print where the sandbox is, who may call it and what to try.

    Args:
        show: Prints a line or a table.
        sandbox: A sandbox that is running.
        db: File that keeps its state.
    """
    title = tell(
        "Payme sandbox. Bu yerda haqiqiy pul yechilmaydi.",
        "Песочница Payme. Настоящие деньги здесь не списываются.",
        "Payme sandbox. No money moves here.",
    )
    show(Text(title, style="bold"))
    key = tell("Kalit", "Ключ", "Key")
    for name, value in (
        (tell("Panel", "Панель", "Dashboard"), sandbox.url.removesuffix("api")),
        ("URL", sandbox.url),
        ("Merchant ID", sandbox.merchant_id),
        (key, sandbox.key),
        (tell("SMS-kod", "Код из SMS", "SMS code"), CODE),
        (
            tell("Maʼlumotlar", "Данные", "State"),
            str(db or tell("xotirada", "в памяти", "in memory")),
        ),
        (tell("Parol", "Пароль", "Password"), sandbox.password or ""),
    ):
        if value:
            show(Text(f"  {name:<12} ").append(value, style="cyan"))
    for one in sandbox.cash_boxes[1:]:
        show(Text(f"{tell('Kassa', 'Касса', 'Cash-box')} {one.name}", style="bold"))
        show(Text("  Merchant ID  ").append(one.merchant_id, style="cyan"))
        show(Text(f"  {key:<12} ").append(one.key, style="cyan"))
    show(cards_table(sandbox))
    show(Text(_example(sandbox)))
    show(Text(tell("Toʻxtatish: Ctrl-C.", "Остановить: Ctrl-C.", "Ctrl-C stops it.")))


def print_scenarios() -> None:
    """Print every scenario with what it is about, also where the terminal's encoding lacks it."""
    for scenario in SCENARIOS.values():
        click.echo(click.style(scenario.name, bold=True))
        click.echo(f"  {getattr(scenario, language())}")
        tried = tell("sinash uchun", "попробуйте", "try it with")
        card = f"  {tried}: {scenario.card}, {scenario.amount} {tell('tiyin', 'тийинов', 'tiyin')}"
        click.echo(click.style(card, dim=True))


def cards_table(sandbox: Sandbox) -> Table:
    """Lay out what each card does.

    Args:
        sandbox: Whose cards.
    """
    # Loaded with the server, which runs by now.
    from payme.sandbox.web.i18n import translator

    say = translator(language())
    table = Table(box=box.SIMPLE, title=say("Test cards"), title_justify="left")
    cards, every = sandbox.known_cards.all(), tell("har qanday", "любой", "any")
    # Numbers are there to be copied: on a narrow terminal only what the card does is wrapped.
    longest = max(len(card.number) for card in cards)
    table.add_column(tell("raqam", "номер", "number"), no_wrap=True, min_width=longest)
    expire = tell("muddat", "срок", "expire")
    table.add_column(expire, no_wrap=True, min_width=len(expire))
    table.add_column(tell("nima qiladi", "что делает", "what it does"), overflow="fold")
    for card in cards:
        source = say("set by you") if card.is_set else say("payme-uz's own")
        note = f"{say(card.note)} ({source})" if card.ours else say(card.note)
        note = f"{note}: {card.code}" if card.code else note
        table.add_row(card.number, card.expire or every, note)
    return table


def _example(sandbox: Sandbox) -> str:
    return f"""{tell("Python kodida", "В Python", "In Python")}:
  from payme import Payme
  payme = Payme({sandbox.merchant_id!r}, {sandbox.key!r}, base_url={sandbox.url!r})
  receipt = payme.receipts.create(50_000, {{"order_id": 1}})
"""


def _signals() -> threading.Event:
    """Turn Ctrl-C and SIGTERM into an event."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return stopping
