"""The commands, as click reads them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from payme.cli import (
    charges,
    conformance,
    demo,
    doctor,
    merchant,
    recurring,
    remote,
    serve,
    trigger,
)
from payme.cli.remote import PASSWORD
from payme.sandbox import InvalidSetting
from payme.sandbox.engine import fault_rules
from payme.sandbox.engine.durations import duration_ms, moment_ms
from payme.sandbox.engine.progression import progression as read_progression
from payme.sandbox.engine.testcards import OUTCOMES, KnownCards
from payme.sandbox.scenarios import SCENARIOS
from payme.sandbox.settings import CashBoxSettings

_PORTS = click.IntRange(0, 65535)
_TIYIN = click.IntRange(min=1)


_GRAMMAR = """Serve Payme's Subscribe API on this computer, with test cards and no money.

\b
A fault is METHOD WHEN ACTION [name=value ...]:
  METHOD  a method or a glob: receipts.pay, receipts.*, *; or one that your
          billing is called with: PerformTransaction
  WHEN    before    the call is not executed
          after     it is executed, then the answer is lost or changed
          mid_body  it is executed, and half of the answer arrives
  ACTION  delay, drop, http_status, rpc_error, malformed, wrong_id, duplicate
  names   times=N probability=0..1 priority=N delay=10s advance=12h
          status=503 code=-32400 message=TEXT data=JSON
          account.FIELD=VALUE amount=N amount=FROM..TO card=NUMBER

\b
  payme sandbox --fault 'receipts.pay after drop times=1'
  payme sandbox --fault 'receipts.* before delay delay=10s probability=0.2' --seed 7
  payme sandbox --scenario answer_lost_after_debit
"""


def _checked(check: Callable[[str], Any]) -> Callable[..., Any]:
    """Make a callback that refuses what a check refuses, and passes on what was written."""

    def callback(_context: click.Context, option: click.Parameter, given: Any) -> Any:
        written: tuple[str | None, ...] = given if option.multiple else (given,)
        try:
            for one in written:
                if one is not None:
                    check(one)
        except InvalidSetting as error:
            raise click.BadParameter(str(error)) from None
        return given

    return callback


def _show_scenarios(context: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        serve.print_scenarios(Console(highlight=False, soft_wrap=True))
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="payme-uz", message="payme %(version)s")
def payme() -> None:
    """Take money with Payme."""


payme.add_command(remote.faults)
payme.add_command(remote.clock)
payme.add_command(conformance.check_merchant)
payme.add_command(trigger.trigger)
payme.add_command(merchant.merchant)
payme.add_command(charges.charges)
payme.add_command(recurring.recurring)
payme.add_command(demo.demo)
payme.add_command(doctor.doctor)


@payme.command(help=_GRAMMAR)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=3000,
    show_default=True,
    type=_PORTS,
    help="Port to listen on, 0 for a free one.",
)
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps the state; without it the state is lost when the sandbox stops.",
)
@click.option("--merchant-id", help="Id of the cash-box; random if left out.")
@click.option("--key", help="Key of the cash-box; random if left out.")
@click.option(
    "--account-field",
    "account_fields",
    multiple=True,
    help="Name of a field that every account must have; may be repeated.",
)
@click.option(
    "--cash-box",
    "cash_boxes",
    multiple=True,
    metavar="LINE",
    callback=_checked(CashBoxSettings.from_text),
    help="One more cash-box, such as 'id=books key=secret name=Books merchant_url=http://... "
    "account.order_id=Order'; may be repeated.",
)
@click.option("--min-amount", type=_TIYIN, help="Smallest amount of a receipt, in tiyin.")
@click.option("--max-amount", type=_TIYIN, help="Largest amount of a receipt, in tiyin.")
@click.option(
    "--receipt-ttl",
    metavar="TIME",
    callback=_checked(duration_ms),
    help="How long a receipt can be paid, such as 24h; for ever if left out.",
)
@click.option(
    "--merchant-url",
    metavar="URL",
    help="Endpoint of your billing: the sandbox calls it as Payme does.",
)
@click.option(
    "--merchant-key", help="Password that your billing is called with; --key if left out."
)
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse params that Payme lets pass although its pages do not have them.",
)
@click.option(
    "--progression",
    default="at_once",
    show_default=True,
    metavar="HOW",
    callback=_checked(read_progression),
    help="How a paid receipt comes to its end: at_once, after_checks:N or clock:2s.",
)
@click.option(
    "--no-cors",
    "cors",
    flag_value=False,
    default=True,
    help="Refuse web pages, as a host without CORS does.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="RULE",
    callback=_checked(fault_rules.from_text),
    help="A fault, as described above; may be repeated.",
)
@click.option(
    "--card",
    "cards",
    multiple=True,
    metavar="NUMBER=OUTCOME",
    callback=_checked(KnownCards().set_text),
    help="What a card does, a test card or a number of your own: "
    f"{', '.join(OUTCOMES)}, or a code such as -31630. May be repeated.",
)
@click.option(
    "--scenario",
    type=click.Choice([*SCENARIOS]),
    help="Play a scenario; --fault comes on top of it.",
)
@click.option(
    "--scenarios",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_scenarios,
    help="List the scenarios and exit.",
)
@click.option(
    "--clock-start",
    metavar="MOMENT",
    callback=_checked(moment_ms),
    help="Begin at this time, such as 2026-03-01T09:00:00+05:00; now if left out.",
)
@click.option("--freeze", is_flag=True, help="Begin with the clock stopped.")
@click.option(
    "--seed", type=int, help="Make ids, tokens and the chance in faults the same in every run."
)
@click.option("--quiet", is_flag=True, help="Print neither the banner nor the calls.")
def sandbox(
    *,
    host: str,
    port: int,
    db: Path | None,
    merchant_id: str | None,
    key: str | None,
    account_fields: tuple[str, ...],
    cash_boxes: tuple[str, ...],
    min_amount: int | None,
    max_amount: int | None,
    receipt_ttl: str | None,
    merchant_url: str | None,
    merchant_key: str | None,
    strict: bool,
    progression: str,
    cors: bool,
    faults: tuple[str, ...],
    cards: tuple[str, ...],
    scenario: str | None,
    clock_start: str | None,
    freeze: bool,
    seed: int | None,
    quiet: bool,
) -> None:
    """Start the sandbox; what the user reads about it is above."""
    options = serve.Options(
        host=host,
        port=port,
        db=db,
        merchant_id=merchant_id,
        key=key,
        account_fields={name: name for name in account_fields},
        cash_boxes=[CashBoxSettings.from_text(line) for line in cash_boxes],
        min_amount=min_amount,
        max_amount=max_amount,
        receipt_ttl_ms=None if receipt_ttl is None else duration_ms(receipt_ttl),
        merchant_url=merchant_url,
        merchant_key=merchant_key,
        cards=dict(line.split("=", 1) for line in cards),
        strict=strict,
        progression=progression,
        cors=cors,
        scenario=scenario,
        seed=seed,
        # Not an option: other users of this computer read the arguments of its programs.
        password=os.environ.get(PASSWORD) or None,
    )
    try:
        serve.run(options, serve.Start(faults, clock_start, freeze), quiet=quiet)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except serve.FAILURES as error:
        raise click.ClickException(str(error)) from error
