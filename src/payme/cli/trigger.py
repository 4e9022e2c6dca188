"""`payme trigger`: send a merchant one request, as Payme would."""

import json
from typing import TYPE_CHECKING, Any, cast

import click

from payme.cli import options
from payme.cli.accounts import accounts, secret_key
from payme.cli.words import LANGUAGES, Language, tell
from payme.cli.words import language as default_language
from payme.errors import InvalidArgument

if TYPE_CHECKING:
    from payme.conformance.exchange import Exchange


def _json_object(_context: click.Context, _option: click.Parameter, given: str | None) -> Any:
    if given is None:
        return {}
    try:
        value: Any = json.loads(given)
    except ValueError as error:
        raise click.BadParameter(
            tell(f"JSON emas: {error}", f"не JSON: {error}", f"no JSON: {error}")
        ) from None
    if not isinstance(value, dict):
        raise click.BadParameter(
            tell("JSON obyekti kutilgan", "ожидался объект JSON", "expected a JSON object")
        )
    return cast("dict[str, Any]", value)


@click.command(
    "trigger",
    help=tell(
        """URL manzilidagi serverga Payme kabi bitta soʻrov yuborish va javobini koʻrsatish.

        Kalit PAYME_KEY dan oʻqiladi yoki soʻraladi. Yakunlangan buyurtma toʻlangan boʻladi: test
        buyurtmasini bering.

        Chiqish kodi: 0 protokol boʻyicha javob keldi, rad etish ham javob; 1 kelmadi yoki javob
        uni buzadi.

        \b
          payme trigger CreateTransaction https://shop.uz/payme --account order_id=7 --amount 50000
          payme trigger PerformTransaction https://shop.uz/payme --id 5e730e8e0b852a417aa49ceb
          payme trigger CancelTransaction https://shop.uz/payme --id 5e730e8e0b852a417aa49ceb \\
              --reason 5
          payme trigger GetStatement https://shop.uz/payme""",
        """Отправить серверу по адресу URL один запрос, как это делает Payme, и показать ответ.

        Ключ берётся из PAYME_KEY или спрашивается. Проведённый заказ становится оплаченным:
        возьмите тестовый.

        Код выхода: 0 пришёл ответ по протоколу, отказ — тоже ответ; 1 он не пришёл или нарушает
        протокол.

        \b
          payme trigger CreateTransaction https://shop.uz/payme --account order_id=7 --amount 50000
          payme trigger PerformTransaction https://shop.uz/payme --id 5e730e8e0b852a417aa49ceb
          payme trigger CancelTransaction https://shop.uz/payme --id 5e730e8e0b852a417aa49ceb \\
              --reason 5
          payme trigger GetStatement https://shop.uz/payme""",
        """Send the endpoint at URL one request, as Payme would, and show what comes back.

        The key is read from PAYME_KEY, or asked for. Exits with 1 when no answer of the protocol
        comes, or one that breaks it; a refusal is an answer. An order that is performed is paid:
        use a test order.

        \b
          payme trigger CreateTransaction https://shop.uz/payme --account order_id=7 --amount 50000
          payme trigger PerformTransaction https://shop.uz/payme --id 5e730e8e0b852a417aa49ceb
          payme trigger CancelTransaction https://shop.uz/payme --id 5e730e8e0b852a417aa49ceb \\
              --reason 5
          payme trigger GetStatement https://shop.uz/payme""",
    ),
)
@click.argument("method")
@click.argument("url")
@options.account
@click.option(
    "--amount",
    type=int,
    help=tell(
        "Summa, tiyinda.",
        "Сумма в тийинах.",
        "Amount in tiyin.",
    ),
)
@click.option(
    "--id",
    "transaction",
    help=tell(
        "Tranzaksiya identifikatori; CreateTransaction uchun berilmasa, yangisi.",
        "ID транзакции; для CreateTransaction по умолчанию новый.",
        "Id of the transaction; a new one for CreateTransaction.",
    ),
)
@click.option(
    "--time",
    type=int,
    help=tell(
        "Payme vaqti, ms; berilmasa, hozir.",
        "Время Payme в мс; по умолчанию сейчас.",
        "Payme's time in ms; now if left out.",
    ),
)
@click.option(
    "--reason",
    type=int,
    help=tell(
        "Bekor qilish sababi: 1 dan 5 gacha yoki 10.",
        "Причина отмены: от 1 до 5 или 10.",
        "Why it is cancelled: 1 to 5, or 10.",
    ),
)
@click.option(
    "--from",
    "first",
    type=int,
    help=tell(
        "Hisobot boshi, ms; berilmasa, 24 soat oldin.",
        "Начало выписки в мс; по умолчанию 24 часа назад.",
        "Begin of a statement in ms; 24 hours ago if left out.",
    ),
)
@click.option(
    "--to",
    "last",
    type=int,
    help=tell(
        "Hisobot oxiri, ms; berilmasa, hozir.",
        "Конец выписки в мс; по умолчанию сейчас.",
        "End of a statement in ms; now if left out.",
    ),
)
@click.option(
    "--params",
    callback=_json_object,
    metavar="JSON",
    help=tell(
        "Parametrlar oʻzgarishsiz; qolganlarining ustiga yoziladi.",
        "Параметры как есть, поверх остальных.",
        "Params as they are; they come on top.",
    ),
)
@options.login
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default=default_language,
    show_default="PAYME_LANG",
    help=tell(
        "Izohlar tili.",
        "Язык замечаний.",
        "Language of the remarks.",
    ),
)
@options.exchange_timeout
@options.as_json
def trigger(
    *,
    method: str,
    url: str,
    fields: tuple[str, ...],
    amount: int | None,
    transaction: str | None,
    time: int | None,
    reason: int | None,
    first: int | None,
    last: int | None,
    params: dict[str, Any],
    login: str,
    language: Language,
    timeout: float,
    as_json: bool,
) -> None:
    """Send one request."""
    given = {
        "id": transaction,
        "time": time,
        "amount": amount,
        "account": _one(fields),
        "reason": reason,
        "from": first,
        "to": last,
    }
    known = {name: value for name, value in given.items() if value is not None} | params
    try:
        said = _send(method, url, known, login, timeout)
    except InvalidArgument as error:
        raise click.UsageError(str(error)) from None
    click.echo(_as_json(said) if as_json else _as_text(said, url, language))
    click.get_current_context().exit(0 if _is_right(said) else 1)


def _one(fields: tuple[str, ...]) -> dict[str, str] | None:
    found = accounts(fields)
    if len(found) > 1:
        raise click.BadParameter(
            tell(
                "maydon ikki marta berilgan; bitta soʻrovda bitta account boʻladi",
                "поле указано дважды; в запросе один account",
                "a field came twice; a request has one account",
            ),
            param_hint="--account",
        )
    return found[0] if found else None


def _send(method: str, url: str, given: dict[str, Any], login: str, timeout: float) -> "Exchange":
    # `payme sandbox` starts sooner without the HTTP client.
    from payme.conformance import check_call
    from payme.conformance.exchange import Caller
    from payme.conformance.merchant_http import HttpTransport
    from payme.conformance.single_call import params

    complete = params(method, given)
    key = secret_key()
    check_call(url, key, timeout)
    caller = Caller(HttpTransport(url, timeout), key, login)
    try:
        return caller.call(method, complete)
    finally:
        caller.close()


def _is_right(said: "Exchange") -> bool:
    from payme.conformance.rules import BY_ID
    from payme.conformance.single_call import remarks

    return all(BY_ID[one.rule].severity == "style" for one in remarks(said))


def _as_json(said: "Exchange") -> str:
    from payme.conformance.single_call import remarks

    told = {
        **said.shown(),
        "content_type": said.content_type,
        "elapsed_ms": said.ended - said.began,
        "code": said.code,
        "remarks": [one.rule for one in remarks(said)],
    }
    return json.dumps(told, ensure_ascii=False, indent=2)


def _as_text(said: "Exchange", url: str, language: Language) -> str:
    from payme.conformance.report import remark
    from payme.conformance.single_call import meaning, remarks

    shown, elapsed = said.shown(), said.ended - said.began
    lines = [f"→ POST {url}", f"  {shown['request']}"]
    if said.location:
        lines.append(f"  Location: {said.location}")
    lines.append(f"← HTTP {said.status or '-'} {said.content_type or '-'} ({elapsed} ms)")
    lines.append(f"  {shown['response'] or '-'}")
    told = meaning(said.code)
    if told is not None:
        lines.append(f"  {said.code}: {getattr(told, language)}")
    for one in remarks(said):
        lines += remark(one, language)
    return "\n".join(lines)
