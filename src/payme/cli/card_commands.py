"""`payme cards`: the methods of cards, for a test or a look at one token."""

import json
from typing import TYPE_CHECKING, Any

import click

from payme.cli import options
from payme.cli.asking import no_secrets, secret
from payme.cli.words import tell

if TYPE_CHECKING:
    from payme.protocol.models import Card


@click.group(
    help=tell(
        """Kartalar: ularning oʻrniga ishlatiladigan tokenlar.

        Karta raqami, token va SMS-kod hech qachon argument sifatida berilmaydi: argumentlarni
        kompyuterning boshqa foydalanuvchilari koʻradi va shell tarixida saqlaydi. Buyruq ularni
        terminalda yashirin soʻraydi yoki standart kirishdan qatorma-qator oʻqiydi. Chiqishda token
        --show-token siz koʻrsatilmaydi.""",
        """Карты: токены, которые их заменяют.

        Номер карты, токен и код из SMS никогда не передают аргументом: аргументы видны другим
        пользователям компьютера и остаются в истории оболочки. Команда спрашивает их на терминале,
        не показывая, или читает построчно со стандартного ввода. Токен в выводе скрыт, пока нет
        --show-token.""",
        """Cards: tokens that stand for them.

        Card numbers, tokens and SMS codes are never taken as arguments: other users of the computer
        see those, and the shell keeps them in its history. They are asked for without being shown,
        or read from standard input, a line each. A token is not shown without --show-token.""",
    )
)
@options.profile
def cards() -> None:
    """Cards; what the user reads about them is above."""


_TOKEN = ("Karta tokeni", "Токен карты", "Card token")


@cards.command(
    "create",
    help=tell(
        """Karta uchun token yaratish; raqam va muddat (MMYY) soʻraladi.

        Bu usul karta egasining qurilmasida yoki testda ishlaydi: raqamlar sotuvchi serveridan
        oʻtmasligi kerak.""",
        """Создать токен для карты; номер и срок (MMYY) будут спрошены.

        Этот метод для устройства владельца карты или для теста: номера не должны проходить через
        сервер продавца.""",
        """Make a token for a card; its number and expiry (MMYY) are asked for.

        This is for the payer's own device or a test: card numbers may not pass through a
        merchant's server.""",
    ),
)
@no_secrets
@click.option(
    "--once",
    is_flag=True,
    help=tell(
        "Bitta toʻlovdan keyin yoʻqoladigan token.",
        "Токен, который исчезнет после одной оплаты.",
        "A token that vanishes with its payment.",
    ),
)
@options.account
@click.option(
    "--customer",
    metavar="ID",
    help=tell(
        "Toʻlovchining sizdagi identifikatori.",
        "Идентификатор плательщика у вас.",
        "The payer's id in your system.",
    ),
)
@options.show_token
@options.calls
def create(
    *,
    once: bool,
    fields: tuple[str, ...],
    customer: str | None,
    show_token: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Create a token."""
    account = options.account_of(fields) or None
    with _client(timeout) as payme:
        card = payme.cards.create(
            secret(tell("Karta raqami", "Номер карты", "Card number")),
            secret(tell("Muddati (MMYY)", "Срок (MMYY)", "Expiry (MMYY)")),
            save=not once,
            account=account,
            customer=customer,
        )
    _show(card, show_token=show_token, as_json=as_json)


@cards.command(
    "get-verify-code",
    help=tell(
        "Karta egasiga SMS-kod yuborish.",
        "Отправить владельцу карты код по SMS.",
        "Send an SMS code to the card's owner.",
    ),
)
@no_secrets
@options.calls
def get_verify_code(*, timeout: float, as_json: bool) -> None:
    """Send a code."""
    with _client(timeout) as payme:
        sent = payme.cards.get_verify_code(secret(tell(*_TOKEN)))
    if as_json:
        told = {"sent": sent.sent, "phone": _masked(sent.phone), "wait_ms": sent.wait}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    phone, seconds = _masked(sent.phone), sent.wait // 1000
    click.echo(
        tell(
            f"{phone} ga kod yuborildi; {seconds} soniya amal qiladi",
            f"код отправлен на {phone}; действует {seconds} с",
            f"a code was sent to {phone}; it is valid for {seconds} s",
        )
        if sent.sent
        else tell("kod yuborilmadi", "код не отправлен", "no code was sent")
    )
    if not sent.sent:
        click.get_current_context().exit(1)


@cards.command(
    "verify",
    help=tell(
        "Kartani SMS-kod bilan tasdiqlash; token, soʻng kod soʻraladi.",
        "Подтвердить карту кодом из SMS; будут спрошены токен, затем код.",
        "Confirm a card with the SMS code; the token is asked for, then the code.",
    ),
)
@no_secrets
@options.show_token
@options.calls
def verify(*, show_token: bool, timeout: float, as_json: bool) -> None:
    """Verify a card."""
    with _client(timeout) as payme:
        card = payme.cards.verify(
            secret(tell(*_TOKEN)), secret(tell("SMS-kod", "Код из SMS", "SMS code"))
        )
    _show(card, show_token=show_token, as_json=as_json)


@cards.command(
    "check",
    help=tell(
        "Token ortidagi kartani koʻrish.",
        "Посмотреть карту, которую заменяет токен.",
        "Look at the card behind a token.",
    ),
)
@no_secrets
@options.show_token
@options.calls
def check(*, show_token: bool, timeout: float, as_json: bool) -> None:
    """Check a card."""
    with _client(timeout) as payme:
        card = payme.cards.check(secret(tell(*_TOKEN)))
    _show(card, show_token=show_token, as_json=as_json)


@cards.command(
    "remove",
    help=tell(
        "Tokenni oʻchirish: u bilan boshqa toʻlab boʻlmaydi.",
        "Удалить токен: заплатить им больше нельзя.",
        "Delete a token: nothing can be paid with it any more.",
    ),
)
@no_secrets
@options.calls
def remove(*, timeout: float, as_json: bool) -> None:
    """Remove a token."""
    with _client(timeout) as payme:
        removed = payme.cards.remove(secret(tell(*_TOKEN)))
    if as_json:
        click.echo(json.dumps({"removed": removed}))
    else:
        click.echo(tell("oʻchirildi", "удалено", "removed"))


def _client(timeout: float) -> Any:
    from payme.cli.connection import client

    return client(timeout)


def _masked(phone: str) -> str:
    from payme import redact

    return redact.phone(phone)


def _show(card: "Card", *, show_token: bool, as_json: bool) -> None:
    from payme import redact

    token = card.token if show_token else redact.TOKEN
    number = redact.card_number(card.number)
    if as_json:
        told = {
            "number": number,
            "expire": card.expire,
            "token": token,
            "recurrent": card.recurrent,
            "verify": card.verify,
        }
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    verified = (
        tell("tasdiqlangan", "подтверждена", "verified")
        if card.verify
        else tell("tasdiqlanmagan", "не подтверждена", "not verified")
    )
    click.echo(f"{number}  {card.expire}  {verified}")
    click.echo(f"token: {token}")
