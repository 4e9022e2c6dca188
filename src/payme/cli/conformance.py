"""`payme check-merchant`: grade an endpoint of the Merchant API."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payme.cli import options
from payme.cli.accounts import accounts, new_order, secret_key
from payme.cli.words import LANGUAGES, Language, tell
from payme.cli.words import language as default_language
from payme.errors import InvalidArgument

if TYPE_CHECKING:
    from payme.conformance import Report


@click.command(
    "check-merchant",
    help=tell(
        """URL manzilidagi serverni baholash: Payme sandboxining ssenariylari va undan ortigʻi.

        Har bir qoida bajarilgan, buzilgan yoki tekshirilmagan boʻladi. Buyurtmalar toʻlanadi va
        puli qaytariladi: test buyurtmalarini bering. Ikkita buyurtma bilan hamma qoidalar
        tekshiriladi.

        Chiqish kodi: 0 pul va protokol qoidalari bajarilgan; 1 bittasi buzilgan yoki baholab
        boʻlmadi: hech kim javob bermadi, kalit yoki buyurtma notoʻgʻri.

        \b
          payme check-merchant https://shop.uz/payme --amount 50000 \\
              --account order_id=7 --account order_id=8
          payme check-merchant https://shop.uz/payme --amount 50000 --new-order ./make-order""",
        """Проверить сервер по адресу URL: сценарии песочницы самой Payme и сверх того.

        Каждое правило соблюдено, нарушено или не проверено. Заказы будут оплачены и возвращены:
        возьмите тестовые. С двумя заказами проверяются все правила.

        Код выхода: 0 правила о деньгах и протоколе соблюдены; 1 какое-то нарушено или проверить
        нельзя: никто не отвечает, неверен ключ или заказ.

        \b
          payme check-merchant https://shop.uz/payme --amount 50000 \\
              --account order_id=7 --account order_id=8
          payme check-merchant https://shop.uz/payme --amount 50000 --new-order ./make-order""",
        """Grade the endpoint at URL by the scenarios of Payme's own sandbox, and beyond them.

        Each rule is kept, broken or was not seen. Exits with 1 when a rule about money or the
        protocol is broken, or when nothing can be graded: nobody answers, or the key or an order is
        not right. The orders are paid and taken back: use test orders. With two of them every rule
        is seen.

        \b
          payme check-merchant https://shop.uz/payme --amount 50000 \\
              --account order_id=7 --account order_id=8
          payme check-merchant https://shop.uz/payme --amount 50000 --new-order ./make-order""",
    ),
)
@click.argument("url")
@click.option(
    "--account",
    "fields",
    multiple=True,
    metavar="FIELD=VALUE",
    help=tell(
        "Toʻlov kutayotgan buyurtmaning account maydoni; takrorlangan maydon keyingisini "
        "boshlaydi.",
        "Account заказа, который ждёт оплаты; повторённое поле начинает следующий заказ.",
        "Account of an order that waits for payment; a field that comes again begins another.",
    ),
)
@click.option(
    "--new-order",
    "new_order_command",
    metavar="COMMAND",
    help=tell(
        "Shunday buyurtma yaratib, uning accountini chiqaradigan buyruq: FIELD=VALUE yoki JSON.",
        "Команда, которая создаёт такой заказ и печатает его account: FIELD=VALUE или JSON.",
        "Command that makes such an order and prints its account: FIELD=VALUE or JSON.",
    ),
)
@click.option(
    "--amount",
    required=True,
    type=int,
    help=tell(
        "Har bir buyurtmaning summasi, tiyinda.",
        "Сумма каждого заказа, в тийинах.",
        "Amount of each order, in tiyin.",
    ),
)
@click.option(
    "--cumulative",
    is_flag=True,
    help=tell(
        "Account pulni istalgancha marta qabul qiladi.",
        "Account принимает деньги сколько угодно раз.",
        "The account takes money any number of times.",
    ),
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default=default_language,
    show_default="PAYME_LANG",
    help=tell(
        "Hisobot tili.",
        "Язык отчёта.",
        "Language of the report.",
    ),
)
@options.login
@options.exchange_timeout
@click.option(
    "--strict",
    is_flag=True,
    help=tell(
        "Tekshirilmagan qoida boʻlsa ham, 1 bilan tugash.",
        "Завершаться с 1 и тогда, когда какое-то правило не проверено.",
        "Exit with 1 when a rule was not seen, too.",
    ),
)
@options.as_json
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help=tell(
        "Hisobotni JUnit XML koʻrinishida ham yozish.",
        "Записать отчёт и как XML для JUnit.",
        "Write the report as JUnit's XML, too.",
    ),
)
def check_merchant(
    *,
    url: str,
    fields: tuple[str, ...],
    new_order_command: str | None,
    amount: int,
    cumulative: bool,
    language: Language,
    login: str,
    timeout: float,
    strict: bool,
    as_json: bool,
    junit: Path | None,
) -> None:
    """Grade an endpoint."""
    # `payme sandbox` starts 100 ms sooner without the HTTP client of the grader.
    from payme.conformance import PreflightError, grade

    try:
        report = grade(
            url,
            secret_key(),
            account=_orders(fields, new_order_command),
            amount=amount,
            cumulative=cumulative,
            login=login,
            timeout=timeout,
        )
    except InvalidArgument as error:
        raise click.UsageError(str(error)) from None
    except PreflightError as error:
        raise click.ClickException(error.text(language)) from None
    if junit is not None:
        junit.write_text(report.junit(language), encoding="utf-8")
    click.echo(_written(report, language, as_json=as_json))
    passed = report.passed and (report.complete or not strict)
    click.get_current_context().exit(0 if passed else 1)


def _orders(fields: tuple[str, ...], command: str | None) -> Any:
    if bool(fields) == (command is not None):
        raise click.UsageError(
            tell(
                "--account yoki --new-order ni bering, ikkalasini emas",
                "укажите --account или --new-order, но не то и другое",
                "give --account or --new-order, not both",
            )
        )
    return accounts(fields) if command is None else lambda: new_order(command)


def _written(report: "Report", language: Language, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(report.json(), ensure_ascii=False, indent=2)
    return report.text(language)
