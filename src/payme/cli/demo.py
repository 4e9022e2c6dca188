"""`payme demo`: what the package does, shown against the sandbox on this machine."""

import json
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any, Final

import click

from payme.cli.failures import MissingExtra
from payme.cli.words import LANGUAGES, language, tell

_NEEDS: Final = {
    "sqlalchemy": "charges",
    "cryptography": "charges",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
}


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def demo(context: click.Context, *, as_json: bool) -> None:
    """Show payments against the sandbox, on this machine and without money.

    Without a command: the whole journey of a payment.
    """
    if context.invoked_subcommand is None:
        _require()
        from payme.demo import journeys

        if not as_json:
            journeys.main()
            return
        said = StringIO()
        with redirect_stdout(said):
            journeys.main()
        click.echo(json.dumps({"log": said.getvalue().splitlines()}, ensure_ascii=False))


@demo.command("year")
@click.option(
    "--subscribers",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="How many members the club has.",
)
@click.option(
    "--months",
    type=click.IntRange(2, 36),
    default=12,
    show_default=True,
    help="How long it goes on.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Plans the same year again.")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default=language,
    show_default="PAYME_LANG",
    help="Language of what is printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def year(*, subscribers: int, months: int, seed: int, lang: Any, as_json: bool) -> None:
    """A year of subscriptions in about a minute, and the proof that no tiyin is missing.

    A thousand members pay every month on the sandbox's clock. Their cards run dry, expire, are
    removed and replaced; answers are lost; two schedulers work at once and are killed; a backup is
    restored. At the end the sandbox's ledger, the charges, the subscriptions and the saved cards
    are laid side by side, and the year is printed by month.

    Exits with 0 when the books agree, with 1 when they don't.
    """
    _require()
    from payme.demo.year import shown
    from payme.demo.year.run import run

    with shown.progress(lang, months, quiet=as_json) as passed:
        found = run(subscribers, months, seed, passed)
    click.echo(shown.json_text(found) if as_json else shown.text(found, lang))
    if found.findings:
        raise SystemExit(1)


def _require() -> None:
    """Say which extra is missing."""
    missing = sorted({extra for name, extra in _NEEDS.items() if find_spec(name) is None})
    if missing:
        extras = ",".join(missing)
        install = f'pip install "payme-uz[{extras}]"'
        raise MissingExtra(
            tell(
                f"payme demo uchun kerakli paketlar oʻrnatilmagan: {install}",
                f"для payme demo не хватает пакетов: {install}",
                f"payme demo needs what is not installed: {install}",
            ),
            extras,
        )
