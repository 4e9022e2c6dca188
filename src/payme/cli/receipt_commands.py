"""`payme receipts`: every method of receipts, and what finds out how one ended."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from payme.cli import options
from payme.cli.asking import agree, no_secrets, secret, told_when_terminated
from payme.cli.durations import duration
from payme.cli.failures import FAILED, NOT_KNOWN
from payme.cli.program import stream
from payme.cli.words import tell

if TYPE_CHECKING:
    from datetime import datetime

    from payme.client import Payme
    from payme.protocol.inputs import Detail, Payer
    from payme.protocol.models import Receipt

T = TypeVar("T")

_STATES: Final = (
    "created", "billing_create", "debiting", "billing_perform", "paid", "held", "holding",
    "suspended", "cancel_queued", "perform_queued", "cancelled",
)  # fmt: skip

# What becomes of a lost call is asked by its method.
_AFTER: Final = {
    "pay": "receipts.pay",
    "confirm": "receipts.confirm_hold",
    "cancel": "receipts.cancel",
}


class _Group(click.Group):
    """Knows `confirm`, the short name of `confirm-hold`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, "confirm-hold" if cmd_name == "confirm" else cmd_name)


@click.group(
    cls=_Group,
    help=tell(
        """Cheklar: hisoblar, toʻlovlar, qaytarishlar.

        Pulni harakatlantiradigan buyruqlar (pay, cancel, confirm-hold) avval chekni oʻqib,
        terminalda rozilik soʻraydi; terminal boʻlmasa, --yes kerak.

        \b
        Chiqish kodlari: 0 bajarildi; 1 bajarilmagani aniq; 2 notoʻgʻri ishlatilgan;
        3 nomaʼlum: haqiqatni aniqlaydigan buyruq aytiladi.""",
        """Чеки: счета, оплаты, возвраты.

        Команды, которые списывают или возвращают деньги (pay, cancel, confirm-hold), сначала читают
        чек и спрашивают согласия на терминале; без терминала нужен --yes.

        \b
        Коды выхода: 0 сделано; 1 точно не сделано; 2 ошибка в вызове;
        3 неизвестно: названа команда, которая узнает правду.""",
        """Receipts: invoices, payments, refunds.

        What moves money (pay, cancel, confirm-hold) reads the receipt first and asks on a terminal;
        without a terminal it needs --yes.

        \b
        Exit codes: 0 done; 1 certainly not done; 2 misused;
        3 not known: the command that finds out is told.""",
    ),
)
@options.profile
def receipts() -> None:
    """Receipts; what the user reads about them is above."""


_receipt_id = click.argument("receipt_id", metavar="ID")


@receipts.command(
    "create",
    help=tell(
        """Chek yaratish: hisob, toʻlanmaguncha hech kimdan pul olinmaydi.

        \b
          payme receipts create --amount 5000000 --account order_id=7""",
        """Создать чек: счёт, по которому ничего не списано, пока его не оплатят.

        \b
          payme receipts create --amount 5000000 --account order_id=7""",
        """Create a receipt: an invoice that charges nobody until it is paid.

        \b
          payme receipts create --amount 5000000 --account order_id=7""",
    ),
)
@click.option(
    "--amount",
    type=click.IntRange(min=1),
    required=True,
    metavar="TIYIN",
    help=tell("Summa, tiyinda.", "Сумма в тийинах.", "Amount in tiyin."),
)
@options.account
@click.option(
    "--description",
    metavar="TEXT",
    help=tell("Nima uchun toʻlanadi.", "За что платят.", "What is paid for."),
)
@click.option(
    "--detail",
    type=click.File("rb"),
    metavar="FILE.json",
    help=tell(
        "Fiskal chek qatorlari: items (title, price, count, code, vat_percent, package_code).",
        "Строки фискального чека: items (title, price, count, code, vat_percent, package_code).",
        "Lines of the fiscal receipt: items (title, price, count, code, vat_percent, "
        "package_code).",
    ),
)
@click.option(
    "--hold",
    is_flag=True,
    help=tell(
        "Toʻlovda pulni ushlab turish; confirm-hold yechib oladi.",
        "При оплате захолдировать деньги; списывает confirm-hold.",
        "Hold the money on payment; confirm-hold takes it.",
    ),
)
@options.calls
def create(
    *,
    amount: int,
    fields: tuple[str, ...],
    description: str | None,
    detail: Any,
    hold: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Create a receipt."""
    account = options.account_of(fields)
    lines: Detail | None = None if detail is None else _read_detail(detail)
    with _client(timeout) as payme:
        receipt = payme.receipts.create(
            amount, account, description=description, detail=lines, hold=hold
        )
    _show(receipt, as_json=as_json)


@receipts.command(
    "pay",
    help=tell(
        """Chekni karta bilan toʻlash; karta tokeni soʻraladi.

        Chiqish kodi: 0 toʻlandi yoki ushlab turildi; 1 toʻlanmadi; 3 hali nomaʼlum.""",
        """Оплатить чек картой; токен карты будет спрошен.

        Код выхода: 0 оплачен или захолдирован; 1 не оплачен; 3 пока неизвестно.""",
        """Pay a receipt with a card; the card's token is asked for.

        Exits with 0 when it is paid or held, with 1 when it is not, with 3 when that is not known
        yet.""",
    ),
)
@_receipt_id
@no_secrets
@click.option(
    "--payer",
    type=click.File("rb"),
    metavar="FILE.json",
    help=tell(
        "Toʻlovchi haqida: id, phone, email, name, ip.",
        "О плательщике: id, phone, email, name, ip.",
        "About the payer: id, phone, email, name, ip.",
    ),
)
@click.option(
    "--hold",
    is_flag=True,
    help=tell("create dagidek.", "Как в create.", "As it was in create."),
)
@options.yes
@options.calls
def pay(
    *, receipt_id: str, payer: Any, hold: bool, yes: bool, timeout: float, as_json: bool
) -> None:
    """Pay a receipt."""
    who: Payer | None = None if payer is None else _read_payer(payer)

    def send(payme: "Payme") -> "Receipt":
        token = secret(tell("Karta tokeni", "Токен карты", "Card token"))
        return payme.receipts.pay(receipt_id, token, payer=who, hold=hold)

    def is_over(receipt: "Receipt") -> bool:
        return receipt.is_paid or receipt.is_held or receipt.is_cancelled

    _move(receipt_id, "pay", send, is_over, yes=yes, timeout=timeout, as_json=as_json)


@receipts.command(
    "confirm-hold",
    help=tell(
        """Ushlab turilgan pulni yechib olish; confirm ham boʻladi.

        Chiqish kodi: 0 yechib olindi; 1 olinmadi; 3 hali nomaʼlum.""",
        """Списать захолдированные деньги; можно и confirm.

        Код выхода: 0 списаны; 1 не списаны; 3 пока неизвестно.""",
        """Take the money that a receipt holds; confirm does as well.

        Exits with 0 when it was taken, with 1 when it was not, with 3 when that is not known
        yet.""",
    ),
)
@_receipt_id
@options.yes
@options.calls
def confirm_hold(*, receipt_id: str, yes: bool, timeout: float, as_json: bool) -> None:
    """Confirm a hold."""

    def send(payme: "Payme") -> "Receipt":
        return payme.receipts.confirm_hold(receipt_id)

    def is_over(receipt: "Receipt") -> bool:
        return receipt.is_paid or receipt.is_cancelled

    _move(receipt_id, "confirm", send, is_over, yes=yes, timeout=timeout, as_json=as_json)


@receipts.command(
    "cancel",
    help=tell(
        """Chekni bekor qilish: toʻlangani qaytariladi, ushlab turilgani boʻshatiladi, toʻlanmagani
        yopiladi.

        Chiqish kodi: 0 bekor qilindi; 1 bekor qilinmadi; 3 hali nomaʼlum, masalan, navbatda.""",
        """Отменить чек: оплаченный вернуть, холд снять, неоплаченный закрыть.

        Код выхода: 0 отменён; 1 не отменён; 3 пока неизвестно, например, в очереди.""",
        """Cancel a receipt: refund a paid one, release a held one, close an unpaid one.

        Exits with 0 when it is cancelled, with 1 when it is not, with 3 when that is not known yet,
        as in the queue.""",
    ),
)
@_receipt_id
@options.yes
@options.calls
def cancel(*, receipt_id: str, yes: bool, timeout: float, as_json: bool) -> None:
    """Cancel a receipt."""

    def send(payme: "Payme") -> "Receipt":
        return payme.receipts.cancel(receipt_id)

    def is_over(receipt: "Receipt") -> bool:
        return receipt.is_cancelled or receipt.is_refund_pending

    _move(receipt_id, "cancel", send, is_over, yes=yes, timeout=timeout, as_json=as_json)


@receipts.command(
    "send",
    help=tell(
        "Chekni SMS bilan yuborish; telefon --phone bilan berilmasa, soʻraladi.",
        "Отправить чек по SMS; телефон будет спрошен, если нет --phone.",
        "Send a receipt as an SMS; the phone is asked for if --phone is left out.",
    ),
)
@_receipt_id
@click.option(
    "--phone",
    metavar="998XXXXXXXXX",
    help=tell(
        "Telefon; argumentlarni kompyuterning boshqa foydalanuvchilari koʻradi.",
        "Телефон; аргументы видны другим пользователям компьютера.",
        "The phone; other users of the computer see arguments.",
    ),
)
@options.calls
def send(*, receipt_id: str, phone: str | None, timeout: float, as_json: bool) -> None:
    """Send a receipt."""
    with _client(timeout) as payme:
        sent = payme.receipts.send(receipt_id, phone or secret(tell("Telefon", "Телефон", "Phone")))
    _say({"id": receipt_id, "sent": sent}, tell("yuborildi", "отправлен", "sent"), as_json=as_json)


@receipts.command(
    "check",
    help=tell("Chek holatini soʻrash.", "Узнать состояние чека.", "Ask for a receipt's state."),
)
@_receipt_id
@options.calls
def check(*, receipt_id: str, timeout: float, as_json: bool) -> None:
    """Check a receipt."""
    from payme.cli.receipt_output import state_in_words

    with _client(timeout) as payme:
        state = payme.receipts.check(receipt_id)
    told = {"id": receipt_id, "state": int(state), "state_name": state.name.lower()}
    _say(told, f"{receipt_id}: {state_in_words(state)} ({int(state)})", as_json=as_json)


@receipts.command("get", help=tell("Chekni oʻqish.", "Прочитать чек.", "Read a receipt."))
@_receipt_id
@options.show_account
@options.calls
def get(*, receipt_id: str, show_account: bool, timeout: float, as_json: bool) -> None:
    """Read a receipt."""
    with _client(timeout) as payme:
        receipt = payme.receipts.get(receipt_id)
    _show(receipt, show_account=show_account, as_json=as_json)


def _period_options(command: Any) -> Any:
    since = click.option(
        "--from",
        "from_",
        required=True,
        metavar="DATE",
        help=tell(
            "Birinchi kun (Toshkent) yoki 2026-11-01T09:00:00+05:00 kabi payt.",
            "Первый день (Ташкент) или момент, например 2026-11-01T09:00:00+05:00.",
            "First day (Tashkent), or a moment such as 2026-11-01T09:00:00+05:00.",
        ),
    )
    until = click.option(
        "--to",
        metavar="DATE",
        help=tell(
            "Oxirgi kun yoki payt; berilmasa, hozirgacha.",
            "Последний день или момент; по умолчанию до текущего момента.",
            "Last day, or a moment; until now if left out.",
        ),
    )
    return since(until(command))


@receipts.command(
    "get-all",
    help=tell(
        "Davr cheklarining bitta sahifasi; hammasini list beradi.",
        "Одна страница чеков за период; все даёт list.",
        "A page of the receipts of a period; list gives them all.",
    ),
)
@_period_options
@click.option(
    "--count",
    type=click.IntRange(1, 50),
    default=50,
    show_default=True,
    help=tell("Nechta.", "Сколько.", "How many."),
)
@click.option(
    "--offset",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help=tell("Nechtasini tashlab oʻtish.", "Сколько пропустить.", "How many to skip."),
)
@options.show_account
@options.calls
def get_all(
    *,
    from_: str,
    to: str | None,
    count: int,
    offset: int,
    show_account: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Read a page of receipts."""
    from payme.cli.receipt_output import written

    start, end = _period(from_, to)
    with _client(timeout) as payme:
        page = payme.receipts.get_all(count, start, end, offset)
    stream(written(page, "json" if as_json else "table", show_account=show_account))


@receipts.command(
    "list",
    help=tell(
        """Davrning hamma cheklari, API bergan sahifalar bilan: xotira davr bilan oʻsmaydi.

        \b
          payme receipts list --from 2026-11-01 --to 2026-11-30 --format csv > noyabr.csv""",
        """Все чеки за период, страницами, как их отдаёт API: память не растёт с периодом.

        \b
          payme receipts list --from 2026-11-01 --to 2026-11-30 --format csv > november.csv""",
        """All receipts of a period, in pages as the API gives them: memory does not grow with it.

        \b
          payme receipts list --from 2026-11-01 --to 2026-11-30 --format csv > november.csv""",
    ),
)
@_period_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv"]),
    help=tell(
        "Koʻrinishi; berilmasa, table.",
        "Вид; по умолчанию table.",
        "How it is written; table if left out.",
    ),
)
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    multiple=True,
    help=tell(
        "Faqat shu holatdagilar; takrorlanishi mumkin.",
        "Только в этом состоянии; можно повторять.",
        "Only those in this state; may be repeated.",
    ),
)
@options.show_account
@options.calls
def list_receipts(
    *,
    from_: str,
    to: str | None,
    format_: str | None,
    states: tuple[str, ...],
    show_account: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """List receipts."""
    from payme.cli.receipt_output import Format, written

    if as_json and format_ not in (None, "json"):
        raise click.UsageError(
            tell(
                f"--json va --format {format_} birga berilmaydi",
                f"--json и --format {format_} исключают друг друга",
                f"--json contradicts --format {format_}",
            )
        )
    start, end = _period(from_, to)
    written_as = cast("Format", "json" if as_json else format_ or "table")
    with _client(timeout) as payme, _Progress() as progress:
        every = progress.watch(_begun(payme.receipts.iterate(start, end)))
        found = (one for one in every if not states or one.state.name.lower() in states)
        stream(written(found, written_as, show_account=show_account))


def _begun(found: Iterator[T]) -> Iterator[T]:
    """Read the first one now: what fails until then is told alone, without a heading."""
    first = list(islice(found, 1))
    return chain(first, found)


class _Progress:
    """How many receipts were read, on the error stream, where somebody looks on."""

    def __init__(self) -> None:
        self._read = 0
        self._shown: Any = nullcontext()

    def __enter__(self) -> "_Progress":
        # Lines that go to the same terminal are progress enough.
        if sys.stderr.isatty() and not sys.stdout.isatty():
            from payme.cli.bars import counter

            self._shown = counter(self._said)
        self._shown.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.__exit__(*error)

    def _said(self) -> str:
        return tell(
            f"{self._read:,} ta chek oʻqildi",
            f"прочитано чеков: {self._read:,}",
            f"{self._read:,} receipts read",
        )

    def watch(self, found: Iterable["Receipt"]) -> Iterator["Receipt"]:
        for one in found:
            self._read += 1
            yield one


@receipts.command(
    "set-fiscal-data",
    help=tell(
        "Sotuvchi chiqargan fiskal chekni Paymega bildirish.",
        "Сообщить Payme о фискальном чеке, который пробил продавец.",
        "Tell Payme about the fiscal receipt that the merchant printed.",
    ),
)
@_receipt_id
@click.option(
    "--number",
    type=click.IntRange(min=0),
    required=True,
    help=tell(
        "Virtual fiskal moduldagi tartib raqami.",
        "Порядковый номер в виртуальном фискальном модуле.",
        "Sequential number in the virtual fiscal module.",
    ),
)
@click.option(
    "--url",
    required=True,
    help=tell(
        "Fiskal chek manzili, https://ofd.soliq.uz/check?...",
        "Адрес фискального чека, https://ofd.soliq.uz/check?...",
        "Address of the fiscal receipt, https://ofd.soliq.uz/check?...",
    ),
)
@click.option(
    "--terminal-id",
    help=tell(
        "Virtual fiskal modul raqami.",
        "Номер виртуального фискального модуля.",
        "Number of the virtual fiscal module.",
    ),
)
@click.option("--fiscal-sign", help=tell("Fiskal belgi.", "Фискальный признак.", "Fiscal sign."))
@click.option("--date", metavar="yyyyMMddHHmmss", help=tell("Vaqti.", "Время.", "Its time."))
@click.option(
    "--status-code",
    type=int,
    help=tell("OFD qabul qilsa, 0.", "0, если ОФД принял.", "0 when the OFD accepted it."),
)
@click.option(
    "--message", help=tell("OFD xatosi matni.", "Текст ошибки ОФД.", "Text of the OFD's error.")
)
@options.calls
def set_fiscal_data(
    *,
    receipt_id: str,
    number: int,
    url: str,
    terminal_id: str | None,
    fiscal_sign: str | None,
    date: str | None,
    status_code: int | None,
    message: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Set fiscal data."""
    from payme.protocol.inputs import FiscalData

    fiscal = FiscalData(
        receipt_id=number,
        qr_code_url=url,
        status_code=status_code,
        message=message,
        terminal_id=terminal_id,
        fiscal_sign=fiscal_sign,
        date=date,
    )
    with _client(timeout) as payme:
        done = payme.receipts.set_fiscal_data(receipt_id, fiscal)
    _say({"id": receipt_id, "set": done}, tell("yozildi", "записано", "set"), as_json=as_json)


_wait = click.option(
    "--wait",
    "seconds",
    type=duration,
    default="30s",
    show_default=True,
    help=tell("Qancha soʻrab turish.", "Сколько спрашивать.", "How long to keep asking."),
)


@receipts.command(
    "wait",
    help=tell(
        """Chek isbotlangan yakunga kelishini kutish: toʻlandi, ushlab turildi yoki bekor qilindi.

        Chiqish kodi: 0 toʻlandi yoki ushlab turildi; 1 bekor qilindi; 3 hali nomaʼlum.""",
        """Ждать, пока чек придёт к доказанному концу: оплачен, захолдирован или отменён.

        Код выхода: 0 оплачен или захолдирован; 1 отменён; 3 пока неизвестно.""",
        """Wait until a receipt has come to a proven end: paid, held or cancelled.

        Exits with 0 when it is paid or held, with 1 when it is cancelled, with 3 when it has not
        ended yet.""",
    ),
)
@_receipt_id
@_wait
@options.calls
def wait(*, receipt_id: str, seconds: float, timeout: float, as_json: bool) -> None:
    """Wait for a receipt."""
    with _client(timeout) as payme:
        receipt = payme.receipts.wait(receipt_id, timeout=seconds)
    _end(receipt, "pay", as_json=as_json)


@receipts.command(
    "resolve",
    help=tell(
        """Javobi yoʻqolgan chaqiruv nima bilan tugaganini aniqlash.

        Toʻlanmagan chek hech narsani isbotlamaydi: soʻrov hali yoʻlda boʻlishi mumkin. Shuning
        uchun isbotlangan holat kelguncha soʻraladi. --cancel vaqt tugaganda chekni bekor qiladi:
        shundan keyin u pul ololmaydi.

        Chiqish kodi: 0 chaqiruv bajarilgan; 1 bajarilmagani isbotlandi; 3 hali nomaʼlum.""",
        """Узнать, чем закончился вызов, ответ на который потерян.

        Неоплаченный чек ничего не доказывает: запрос может быть ещё в пути. Поэтому команда
        спрашивает, пока состояние не станет доказательством. --cancel по истечении времени отменяет
        чек: после этого по нему ничего не спишут.

        Код выхода: 0 вызов исполнен; 1 доказано, что нет; 3 пока неизвестно.""",
        """Find out how a call ended whose answer was lost.

        An unpaid receipt proves nothing: the request may still be on its way. So it is asked until
        its state proves something. --cancel cancels the receipt when the time is over: then it can
        take no money any more.

        Exits with 0 when the call was executed, with 1 when it is proven that it was not, with 3
        when that is not known yet.""",
    ),
)
@_receipt_id
@click.option(
    "--after",
    type=click.Choice([*_AFTER]),
    required=True,
    help=tell(
        "Javobi yoʻqolgan chaqiruv.",
        "Вызов, ответ на который потерян.",
        "The call whose answer was lost.",
    ),
)
@_wait
@click.option(
    "--cancel",
    "give_up",
    is_flag=True,
    help=tell(
        "Isbot boʻlmasa, chekni bekor qilish.",
        "Если доказательства нет, отменить чек.",
        "Cancel the receipt when nothing is proven.",
    ),
)
@options.yes
@options.calls
def resolve(
    *,
    receipt_id: str,
    after: str,
    seconds: float,
    give_up: bool,
    yes: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Resolve a receipt."""
    from payme.errors import OutcomeUnknown

    with _client(timeout) as payme, told_when_terminated():
        if give_up:
            agree(_question("cancel", payme.receipts.get(receipt_id), payme), yes=yes)
        lost = OutcomeUnknown("", method=_AFTER[after], receipt_id=receipt_id, sent="maybe")
        # A cancellation whose answer was lost may be on its way: only its end is an end.
        lost.cancels = 1 if after == "cancel" else 0
        found = payme.receipts.resolve(lost, timeout=seconds, cancel=give_up)
    assert found is not None  # noqa: S101 - each of these methods moves money
    _end(found, after, as_json=as_json)


def _client(timeout: float) -> "Payme":
    from payme.cli.connection import client

    return client(timeout)


def _period(from_: str, to: str | None) -> "tuple[datetime, datetime]":
    from payme.cli.period import period

    return period(from_, to)


def _read_detail(file: Any) -> "Detail":
    from payme.protocol.inputs import Detail

    return _decoded(file, Detail, "--detail")


def _read_payer(file: Any) -> "Payer":
    from payme.protocol.inputs import Payer

    return _decoded(file, Payer, "--payer")


def _decoded(file: Any, kind: type[T], option: str) -> T:
    import msgspec

    from payme import redact

    try:
        return msgspec.json.decode(file.read(), type=kind)
    except msgspec.DecodeError as error:
        where = Path(file.name).name
        text = redact.scrub(f"{where}: {error}")
        raise click.BadParameter(text, param_hint=option) from None


_QUESTIONS: Final = {
    "pay": ("{} toʻlansinmi?", "Оплатить {}?", "Pay {}?"),
    "confirm": (
        "{} chekida ushlab turilgan pul yechib olinsinmi?",
        "Списать захолдированное по чеку {}?",
        "Take what {} holds?",
    ),
    "cancel": ("{} bekor qilinsinmi?", "Отменить {}?", "Cancel {}?"),
}


def _question(what: str, receipt: "Receipt", payme: "Payme") -> str:
    from payme.cli.connection import found
    from payme.cli.receipt_output import money, state_in_words

    where = found().environment or payme.base_url
    about = f"{receipt.id} ({money(receipt.amount)}, {state_in_words(receipt.state)}, {where})"
    return tell(*_QUESTIONS[what]).format(about)


def _move(
    receipt_id: str,
    asked: str,
    send: Callable[["Payme"], "Receipt"],
    is_over: Callable[["Receipt"], bool],
    *,
    yes: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Look at a receipt, ask, and only then send what moves money.

    Args:
        receipt_id: Id of the receipt.
        asked: What is asked for, as `_question` and `_end` name it.
        send: Sends it.
        is_over: Says whether a receipt is where it should be, or can't come there: nothing is sent.
        yes: The question is answered already.
        timeout: Time for each call, in seconds.
        as_json: Print JSON.
    """
    with _client(timeout) as payme, told_when_terminated():
        before = payme.receipts.get(receipt_id)
        if is_over(before):
            _nothing_was_sent()
            receipt = before
        else:
            agree(_question(asked, before, payme), yes=yes)
            receipt = send(payme)
    _end(receipt, asked, as_json=as_json, sent=receipt is not before)


def _nothing_was_sent() -> None:
    click.echo(
        tell(
            "Chek allaqachon shu holatda: hech narsa yuborilmadi.",
            "Чек уже в этом состоянии: ничего не отправлено.",
            "The receipt had come to this before: nothing was sent.",
        ),
        err=True,
    )


def _show(receipt: "Receipt", *, as_json: bool, show_account: bool = False) -> None:
    from payme.cli.receipt_output import receipt_json, story

    if as_json:
        told = receipt_json(receipt, show_account=show_account)
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        click.echo("\n".join(story(receipt, show_account=show_account)))


def _end(receipt: "Receipt", asked: str, *, as_json: bool, sent: bool | None = None) -> None:
    """Say what is proven, and end with the code of it.

    Args:
        receipt: As it was read last.
        asked: What was to become of it: `pay`, `confirm` or `cancel`.
        as_json: Print JSON.
        sent: Whether it was asked for by this command; None where nothing was asked for.
    """
    from payme.cli.receipt_output import receipt_json

    done, text = _proven(receipt, asked)
    if as_json:
        told: dict[str, Any] = receipt_json(receipt, show_account=False) | {"proven": done}
        if sent is not None:
            told["sent"] = sent
        if done is None:
            told["next"] = _truth(receipt, asked)
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        click.echo(text)
        if done is None:
            click.echo(f"  {_truth(receipt, asked)}")
    context = click.get_current_context()
    context.exit(NOT_KNOWN if done is None else 0 if done else FAILED)


def _truth(receipt: "Receipt", asked: str) -> str:
    from payme.cli.failures import truth
    from payme.errors import OutcomeUnknown

    lost = OutcomeUnknown("", method=_AFTER[asked], receipt_id=receipt.id, sent="maybe")
    lost.cancels = 1 if receipt.is_refund_pending else 0
    return truth(lost) or ""


def _proven(receipt: "Receipt", asked: str) -> tuple[bool | None, str]:
    """Return whether what was asked for is proven, and a sentence.

    The states that prove something are those of `payme.protocol.states`; the first of them that a
    receipt is in decides, and any other state proves nothing.
    """
    from payme.cli.receipt_output import money, sentence

    amount, card = money(receipt.amount), receipt.card.number if receipt.card else "-"
    if receipt.is_cancelled:
        text = tell(
            f"{receipt.id} bekor qilingan: u pul ololmaydi, olingani qaytarilgan.",
            f"{receipt.id} отменён: списать по нему ничего нельзя, списанное возвращено.",
            f"{receipt.id} is cancelled: it can take no money, and what it took went back.",
        )
        return asked == "cancel", text
    if asked != "cancel" and receipt.is_paid:
        text = tell(
            f"{receipt.id} toʻlangan: {amount}, karta {card}.",
            f"{receipt.id} оплачен: {amount}, карта {card}.",
            f"{receipt.id} is paid: {amount}, card {card}.",
        )
        return True, text
    if asked == "pay" and receipt.is_held:
        text = tell(
            f"{receipt.id}: {amount} ushlab turilgan, karta {card}; hali yechib olinmagan.",
            f"{receipt.id}: {amount} захолдировано, карта {card}; ещё не списано.",
            f"{receipt.id} holds {amount}, card {card}; it is not taken yet.",
        )
        return True, text
    text = tell(
        f"{sentence(receipt)}. Hali hech narsa isbotlanmagan. Haqiqatni aniqlaydigan buyruq:",
        f"{sentence(receipt)}. Пока ничего не доказано. Узнать правду можно командой:",
        f"{sentence(receipt)}. Nothing is proven yet. This command finds out:",
    )
    return None, text


def _say(told: dict[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(json.dumps(told, ensure_ascii=False) if as_json else text)
