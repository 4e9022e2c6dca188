"""`payme demo`: what the package does, shown against the sandbox on this machine."""

import json
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any, Final

import click

from payme.cli import options
from payme.cli.failures import MissingExtra
from payme.cli.words import LANGUAGES, language, tell

_NEEDS: Final = {
    "sqlalchemy": "charges",
    "cryptography": "charges",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
}


@click.group(
    invoke_without_command=True,
    help=tell(
        """Toʻlovlarni sandboxda koʻrsatish: shu kompyuterda, pulsiz.

        Buyruqsiz: bitta toʻlovning butun yoʻli.""",
        """Показать оплаты в песочнице, на этом компьютере и без денег.

        Без команды: весь путь одного платежа.""",
        """Show payments against the sandbox, on this machine and without money.

        Without a command: the whole journey of a payment.""",
    ),
)
@options.as_json
@click.pass_context
def demo(context: click.Context, *, as_json: bool) -> None:
    """Demonstrations; what the user reads about them is above."""
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


@demo.command(
    "year",
    help=tell(
        """Bir daqiqada obunalarning bir yili va bir tiyin ham yoʻqolmaganining isboti.

        Sandbox soati boʻyicha ming aʼzo har oy toʻlaydi. Kartalarda pul tugaydi, kartalar eskiradi,
        oʻchiriladi va almashtiriladi; javoblar yoʻqoladi; ikkita jarayon bir vaqtda ishlaydi va
        oʻldiriladi; daftar zaxira nusxadan tiklanadi. Oxirida sandbox daftari, chargeʼlar, obunalar
        va saqlangan kartalar solishtiriladi, yil esa oyma-oy chiqariladi.

        Chiqish kodi: 0 hisoblar mos; 1 farq bor.""",
        """Год подписок примерно за минуту и доказательство, что не пропал ни один тийин.

        Тысяча участников платит каждый месяц по часам песочницы. На картах кончаются деньги, срок
        карт истекает, карты удаляют и меняют; ответы теряются; два планировщика работают сразу, и
        их убивают; журнал восстанавливают из резервной копии. В конце журнал песочницы, списания,
        подписки и сохранённые карты сверяются, а год выводится по месяцам.

        Код выхода: 0 учёт сходится; 1 есть расхождения.""",
        """A year of subscriptions in about a minute, and the proof that no tiyin is missing.

        A thousand members pay every month on the sandbox's clock. Their cards run dry, expire, are
        removed and replaced; answers are lost; two schedulers work at once and are killed; a backup
        is restored. At the end the sandbox's ledger, the charges, the subscriptions and the saved
        cards are laid side by side, and the year is printed by month.

        Exits with 0 when the books agree, with 1 when they don't.""",
    ),
)
@click.option(
    "--subscribers",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help=tell(
        "Klubda nechta aʼzo bor.",
        "Сколько участников в клубе.",
        "How many members the club has.",
    ),
)
@click.option(
    "--months",
    type=click.IntRange(2, 36),
    default=12,
    show_default=True,
    help=tell(
        "Necha oy davom etadi.",
        "Сколько месяцев это длится.",
        "How many months it goes on.",
    ),
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help=tell(
        "Oʻsha yilning rejasini takrorlaydi.",
        "Повторяет план того же года.",
        "Plans the same year again.",
    ),
)
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default=language,
    show_default="PAYME_LANG",
    help=tell(
        "Chiqadigan matn tili.",
        "Язык вывода.",
        "Language of what is printed.",
    ),
)
@options.as_json
def year(*, subscribers: int, months: int, seed: int, lang: Any, as_json: bool) -> None:
    """Let a year pass."""
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
