"""Options that many commands have."""

from collections.abc import Callable
from typing import Any, Final

import click

from payme.cli import profiles
from payme.cli.durations import duration
from payme.cli.words import tell

Decorator = Callable[[Any], Any]

as_json: Final[Decorator] = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help=tell("JSON chiqarish.", "Вывести JSON.", "Print JSON."),
)

profile: Final[Decorator] = click.option(
    "--profile",
    metavar="NAME",
    expose_value=False,
    callback=profiles.checked_name,
    help=tell(
        "payme login saqlagan maʼlumotlar; PAYME_PROFILE ham boʻladi.",
        "Данные, сохранённые payme login; можно и PAYME_PROFILE.",
        "Credentials that payme login keeps; PAYME_PROFILE does as well.",
    ),
)

timeout: Final[Decorator] = click.option(
    "--timeout",
    type=duration,
    default="10s",
    show_default=True,
    help=tell(
        "Barcha urinishlarga beriladigan vaqt.",
        "Время на вызов со всеми попытками.",
        "Time for a call with all its attempts.",
    ),
)

exchange_timeout: Final[Decorator] = click.option(
    "--timeout",
    type=duration,
    default="10s",
    show_default=True,
    help=tell(
        "Butun soʻrov va javobga beriladigan vaqt.",
        "Время на весь обмен.",
        "Time for a whole exchange.",
    ),
)

login: Final[Decorator] = click.option(
    "--login",
    default="Paycom",
    show_default=True,
    help=tell(
        "Basic sxemasining logini.",
        "Логин схемы Basic.",
        "Login of the Basic scheme.",
    ),
)

yes: Final[Decorator] = click.option(
    "--yes",
    is_flag=True,
    help=tell(
        "Soʻramasdan bajarish.",
        "Выполнить без вопроса.",
        "Do it without asking.",
    ),
)

show_token: Final[Decorator] = click.option(
    "--show-token",
    is_flag=True,
    help=tell(
        "Tokenni yashirmasdan koʻrsatish: u bilan pul yechiladi.",
        "Показать токен: им списывают деньги.",
        "Show the token: money is taken with it.",
    ),
)

show_account: Final[Decorator] = click.option(
    "--show-account",
    is_flag=True,
    help=tell(
        "account qiymatlarini toʻliq koʻrsatish; ular telefon boʻlishi mumkin.",
        "Показать значения account целиком; это могут быть телефоны.",
        "Show values of accounts in full; they may be phones.",
    ),
)


def calls(command: Any) -> Any:
    """Give a command the options of those that call Payme."""
    return profile(timeout(as_json(command)))


def account_of(fields: tuple[str, ...]) -> dict[str, str]:
    """Read `--account FIELD=VALUE` options as one account.

    Raises:
        click.BadParameter: One is no `FIELD=VALUE`, or a field came twice.
    """
    account: dict[str, str] = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not (name and equals and value) or name in account:
            # The value may be a phone: only the name is repeated.
            raise click.BadParameter(
                tell(
                    f"{name!r}: har bir maydon bir marta MAYDON=QIYMAT koʻrinishida kutilgan",
                    f"{name!r}: ожидалось ПОЛЕ=ЗНАЧЕНИЕ, каждое поле один раз",
                    f"{name!r}: expected FIELD=VALUE, each field once",
                ),
                param_hint="--account",
            )
        account[name] = value
    return account


account: Final[Decorator] = click.option(
    "--account",
    "fields",
    multiple=True,
    metavar="FIELD=VALUE",
    help=tell(
        "Kassaning account maydoni, masalan order_id=7; takrorlanishi mumkin.",
        "Поле account кассы, например order_id=7; можно повторять.",
        "A field of the cash-box's account, such as order_id=7; may be repeated.",
    ),
)

amount: Final[Decorator] = click.option(
    "--amount",
    type=click.IntRange(min=1),
    metavar="TIYIN",
    help=tell("Summa, tiyinda.", "Сумма в тийинах.", "Amount in tiyin."),
)
