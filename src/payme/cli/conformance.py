"""`payme check-merchant`: grade an endpoint of the Merchant API."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from payme.errors import InvalidArgument

if TYPE_CHECKING:
    from payme.conformance import Report

Language = Literal["uz", "ru", "en"]


@click.command("check-merchant")
@click.argument("url")
@click.option("--key", required=True, envvar="PAYME_KEY", help="Key of the cash-box; PAYME_KEY.")
@click.option(
    "--account",
    "fields",
    multiple=True,
    required=True,
    metavar="FIELD=VALUE",
    help="Account of an order that waits for payment; may be repeated.",
)
@click.option("--amount", required=True, type=int, help="Amount of the order, in tiyin.")
@click.option("--cumulative", is_flag=True, help="The account takes money any number of times.")
@click.option(
    "--language",
    type=click.Choice(["uz", "ru", "en"]),
    default="en",
    show_default=True,
    help="Language of the report.",
)
@click.option("--timeout", type=float, default=10.0, show_default=True, help="Seconds per call.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the report as JUnit's XML, too.",
)
def check_merchant(
    *,
    url: str,
    key: str,
    fields: tuple[str, ...],
    amount: int,
    cumulative: bool,
    language: Language,
    timeout: float,
    as_json: bool,
    junit: Path | None,
) -> None:
    """Grade the endpoint at URL: the scenarios of Payme's own sandbox, and what it does not try.

    Exits with 1 when a rule is broken or nobody answers. The order is paid and taken back: use a
    test order.

    \b
      payme check-merchant https://shop.uz/payme --key KEY --account order_id=7 --amount 50000
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    # `payme sandbox` starts 100 ms sooner without the HTTP client of the grader.
    from payme.conformance import grade

    account = dict(_pair(field) for field in fields)
    try:
        report = grade(
            url, key, account=account, amount=amount, cumulative=cumulative, timeout=timeout
        )
    except InvalidArgument as error:
        raise click.UsageError(str(error)) from None
    except ConnectionError as error:
        raise click.ClickException(str(error)) from None
    if junit is not None:
        junit.write_text(report.junit(language), encoding="utf-8")
    click.echo(_written(report, language, as_json=as_json))
    click.get_current_context().exit(0 if report.passed else 1)


def _pair(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not (name and equals and value):
        raise click.BadParameter(f"got {field!r}, expected FIELD=VALUE", param_hint="--account")
    return name, value


def _written(report: "Report", language: Language, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(report.json(), ensure_ascii=False, indent=2)
    return report.text(language)
