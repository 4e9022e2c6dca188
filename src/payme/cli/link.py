"""`payme link`: a link to Payme's checkout page."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payme.cli import options
from payme.cli.durations import duration
from payme.cli.words import LANGUAGES, tell

if TYPE_CHECKING:
    from payme.cli.connection import Connection


@click.command(
    "link",
    help=tell(
        """Payme toʻlov sahifasiga havola yasash. Hech narsa yuborilmaydi, kalit kerak emas.

        \b
          payme link --amount 5000000 --account order_id=7
          payme link --amount 5000000 --account order_id=7 --qr order-7.svg
          payme link --receipt 5e730e8e0b852a417aa49ceb""",
        """Сделать ссылку на страницу оплаты Payme. Ничего не отправляется, ключ не нужен.

        \b
          payme link --amount 5000000 --account order_id=7
          payme link --amount 5000000 --account order_id=7 --qr order-7.svg
          payme link --receipt 5e730e8e0b852a417aa49ceb""",
        """Make a link to Payme's checkout page. Nothing is sent, and no key is needed.

        \b
          payme link --amount 5000000 --account order_id=7
          payme link --amount 5000000 --account order_id=7 --qr order-7.svg
          payme link --receipt 5e730e8e0b852a417aa49ceb""",
    ),
)
@options.amount
@options.account
@click.option(
    "--receipt",
    metavar="ID",
    help=tell(
        "Tayyor chekning sahifasi.",
        "Страница готового чека.",
        "The page of a receipt that exists.",
    ),
)
@click.option(
    "--merchant-id",
    metavar="ID",
    help=tell(
        "Kassa identifikatori; berilmasa, muhitdan yoki profildan.",
        "Идентификатор кассы; по умолчанию из окружения или профиля.",
        "Id of the cash-box; from the environment or a profile if left out.",
    ),
)
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    help=tell("Sahifa tili.", "Язык страницы.", "Language of the page."),
)
@click.option(
    "--callback",
    metavar="URL",
    help=tell(
        "Toʻlovchi qaytadigan manzil.",
        "Куда вернётся плательщик.",
        "Where the payer returns to.",
    ),
)
@click.option(
    "--callback-timeout",
    type=duration,
    help=tell(
        "Undan oldin natija qancha koʻrinadi, masalan 15s.",
        "Сколько до этого виден результат, например 15s.",
        "How long the result is seen before that, such as 15s.",
    ),
)
@click.option(
    "--qr",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE.svg",
    help=tell(
        "QR-kodni ham shu faylga yozish.",
        "Записать в этот файл ещё и QR-код.",
        "Write the QR code to this file, too.",
    ),
)
@options.profile
@options.as_json
def link(
    *,
    amount: int | None,
    fields: tuple[str, ...],
    receipt: str | None,
    merchant_id: str | None,
    language: Any,
    callback: str | None,
    callback_timeout: float | None,
    qr: Path | None,
    as_json: bool,
) -> None:
    """Make a link; what the user reads about it is above."""
    from payme import checkout

    _require_either(amount, fields, receipt, [merchant_id, language, callback, qr])
    where = _where(needs_id=merchant_id is None and receipt is None)
    if receipt is not None:
        address = checkout.receipt_link(receipt, **_host(where))
    else:
        account = options.account_of(fields)
        shared: dict[str, Any] = {
            "language": language,
            "callback": callback,
            "callback_timeout": None if callback_timeout is None else int(callback_timeout * 1000),
            **_host(where),
        }
        owner = merchant_id or where.merchant_id
        address = checkout.link(owner, account, amount or 0, **shared)
        if qr is not None:
            qr.write_text(_drawn(owner, account, amount or 0, shared), encoding="utf-8")
    click.echo(json.dumps({"url": address}) if as_json else address)


def _require_either(
    amount: int | None, fields: tuple[str, ...], receipt: str | None, others: list[Any]
) -> None:
    if receipt is None and amount is not None and fields:
        return
    if receipt is not None and amount is None and not fields and not any(others):
        return
    raise click.UsageError(
        tell(
            "yo --amount va --account, yo bir oʻzi --receipt kutilgan",
            "ожидались либо --amount и --account, либо один --receipt",
            "expected --amount and --account, or --receipt alone",
        )
    )


def _where(*, needs_id: bool) -> "Connection":
    from payme import configuration
    from payme.cli import connection, profiles
    from payme.redact import Secret

    if needs_id or profiles.chosen() or os.environ.get("PAYME_MERCHANT_ID"):
        return connection.found()
    address = configuration.base_url(None, None)
    return connection.Connection("", Secret(""), address, "")


def _host(where: "Connection") -> dict[str, Any]:
    if where.environment is not None:
        return {"environment": where.environment}
    return {"base_url": where.base_url}


def _drawn(owner: str, account: dict[str, str], amount: int, shared: dict[str, Any]) -> str:
    from payme import checkout

    try:
        return checkout.qr_svg(owner, account, amount, **shared)
    except ImportError as error:
        # The cause names the module, and by it the extra.
        raise error.__cause__ or error from None
