"""The commands, as click reads them."""

from pathlib import Path

import click

from payme.cli import serve

_PORTS = click.IntRange(0, 65535)
_TIYIN = click.IntRange(min=1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="payme-uz", message="payme %(version)s")
def payme() -> None:
    """Take money with Payme."""


@payme.command()
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
@click.option("--min-amount", type=_TIYIN, help="Smallest amount of a receipt, in tiyin.")
@click.option("--max-amount", type=_TIYIN, help="Largest amount of a receipt, in tiyin.")
@click.option("--quiet", is_flag=True, help="Print neither the banner nor the calls.")
def sandbox(
    *,
    host: str,
    port: int,
    db: Path | None,
    merchant_id: str | None,
    key: str | None,
    account_fields: tuple[str, ...],
    min_amount: int | None,
    max_amount: int | None,
    quiet: bool,
) -> None:
    """Serve Payme's Subscribe API on this computer, with test cards and no money."""
    options = serve.Options(
        host=host,
        port=port,
        db=db,
        merchant_id=merchant_id,
        key=key,
        account_fields={name: name for name in account_fields},
        min_amount=min_amount,
        max_amount=max_amount,
    )
    try:
        serve.run(options, quiet=quiet)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except serve.FAILURES as error:
        raise click.ClickException(str(error)) from error
