"""`payme charges`: take money in bulk, look at it, give it back, and compare it with Payme."""

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from payme.cli import asking, charge_words, options
from payme.cli.durations import duration
from payme.cli.failures import MissingExtra, Undecided, refusal
from payme.cli.program import stream
from payme.cli.words import tell
from payme.errors import ConfigurationError, PaymeError

if TYPE_CHECKING:
    from datetime import datetime

    from payme.charges import Charge
    from payme.cli.books import Books, Source

# `payme.charges` needs SQLAlchemy, which the other commands do not; it is imported where it is
# used. That these are all states is tested.
STATES: Final = (
    "new", "open", "paying", "held", "refused", "confirming", "cancelling", "refunding", "paid",
    "failed", "refunded",
)  # fmt: skip

_DIFFERS: Final = 1
_UNDER_WAY: Final = Undecided.exit_code

_GROUP: Final = tell(
    """Saqlangan kartalardan pul yechish: uzilish boʻlsa ham, har bir charge bir marta yechiladi.

    \b
    Chargeʼlar daftarda turadi:
      PAYME_LEDGER       uning manzili, --ledger ham boʻladi; berilmasa sqlite:///payme.db
      PAYME_LEDGER_KEYS  undagi karta tokenlarini shifrlaydigan kalitlar, yangisi birinchi,
                         vergul bilan
    Paymega shular bilan murojaat qilinadi:
      PAYME_MERCHANT_ID, PAYME_KEY
      PAYME_ENVIRONMENT (test yoki production) yoki PAYME_BASE_URL (manzil, masalan sandboxniki)

    \b
      payme charges import club.csv
      payme charges run --drain
      payme charges audit --from 2026-11-01 --to 2026-11-30

    \b
    Chiqish kodlari: 0 bajarildi; 1 bajarilmadi yoki hammasi ham joyida emas;
    2 notoʻgʻri ishlatilgan; 3 hali nomaʼlum.
    """,
    """Списывать деньги с сохранённых карт: каждое списание один раз, какие бы сбои ни случились.

    \b
    Списания лежат в журнале:
      PAYME_LEDGER       его адрес, можно и --ledger; по умолчанию sqlite:///payme.db
      PAYME_LEDGER_KEYS  ключи, которыми зашифрованы токены карт в нём, через запятую,
                         новый первым
    Для вызовов Payme нужны:
      PAYME_MERCHANT_ID, PAYME_KEY
      PAYME_ENVIRONMENT (test или production) или PAYME_BASE_URL (адрес, например песочницы)

    \b
      payme charges import club.csv
      payme charges run --drain
      payme charges audit --from 2026-11-01 --to 2026-11-30

    \b
    Коды выхода: 0 сделано; 1 не сделано, или не всё в порядке; 2 ошибка в вызове;
    3 пока неизвестно.
    """,
    """Take money from saved cards, each charge once, whatever crashes.

    \b
    Charges live in a ledger:
      PAYME_LEDGER       its address, or --ledger; sqlite:///payme.db if left out
      PAYME_LEDGER_KEYS  keys that encrypt the card tokens in it, the newest first, comma separated
    Payme is called with:
      PAYME_MERCHANT_ID, PAYME_KEY
      PAYME_ENVIRONMENT (test or production) or PAYME_BASE_URL (an address, such as a sandbox's)

    \b
      payme charges import club.csv
      payme charges run --drain
      payme charges audit --from 2026-11-01 --to 2026-11-30

    \b
    Exit codes: 0 done; 1 failed, or not all is well; 2 misused; 3 not known yet.
    """,
)


@click.group(help=_GROUP)
@options.profile
def charges() -> None:
    """Charges; what the user reads about them is above."""


with_ledger: Final[Callable[[Any], Any]] = click.option(
    "--ledger",
    "url",
    envvar="PAYME_LEDGER",
    default="sqlite:///payme.db",
    show_default=True,
    metavar="URL",
    help=tell(
        "Daftar manzili; PAYME_LEDGER ham boʻladi.",
        "Адрес журнала; можно и PAYME_LEDGER.",
        "Address of the ledger; PAYME_LEDGER does as well.",
    ),
)
in_flight_option: Final[Callable[[Any], Any]] = click.option(
    "--in-flight",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help=tell(
        "Bir vaqtda nechta charge.",
        "Сколько списаний одновременно.",
        "How many charges at once.",
    ),
)
per_second_option: Final[Callable[[Any], Any]] = click.option(
    "--per-second",
    type=click.FloatRange(min=0, min_open=True),
    help=tell(
        "Soniyasiga koʻpi bilan nechta charge boshlanadi.",
        "Начинать не больше стольких списаний в секунду.",
        "How many charges are begun in a second at most.",
    ),
)
with_wait: Final[Callable[[Any], Any]] = click.option(
    "--wait",
    "seconds",
    type=duration,
    default="15s",
    show_default=True,
    help=tell(
        "Isbotlangan yakunni qancha kutish; keyin run davom ettiradi.",
        "Сколько ждать доказанного исхода; потом продолжит run.",
        "How long to wait for a proven end; later run goes on.",
    ),
)

with_yes: Final[Callable[[Any], Any]] = click.option(
    "--yes",
    is_flag=True,
    help=tell(
        "Soʻramaslik; terminalda pul yechish, qaytarish va holdni boʻshatishdan oldin soʻraladi.",
        "Не спрашивать; в терминале вопрос задают перед списанием, возвратом и снятием холда.",
        "Do not ask; on a terminal it is asked before money is taken, returned or released.",
    ),
)


def guarded(failure: type[click.ClickException]) -> Callable[[Any], Any]:
    """Make a decorator that turns what may go wrong into a line on the error stream.

    Args:
        failure: What a failure of Payme, of the network or of the database is.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def guard(*args: Any, **options: Any) -> None:
            try:
                command(*args, **options)
            except ConfigurationError as error:
                raise click.UsageError(str(error)) from error
            except PaymeError as error:
                raise failure(charge_words.reason(error, options)) from error
            except ModuleNotFoundError as error:
                raise _missing(error) from None
            except Exception as error:
                if not _is_of_the_database(error):
                    raise
                raise failure(charge_words.database_fails(_first_line(error))) from None

        return guard

    return decorate


def _missing(error: ModuleNotFoundError) -> Exception:
    missing = (error.name or "").partition(".")[0]
    if missing == "psycopg":
        raise click.UsageError(
            tell(
                "PostgreSQLdagi daftarga psycopg kerak: pip install psycopg",
                "журналу в PostgreSQL нужен psycopg: pip install psycopg",
                "a ledger in PostgreSQL needs psycopg: pip install psycopg",
            )
        ) from None
    if missing not in {"sqlalchemy", "cryptography"}:
        return error
    needed, install = "SQLAlchemy, cryptography", 'pip install "payme-uz[cli,charges]"'
    return MissingExtra(
        tell(
            f"{_program()} uchun {needed} kerak: {install}",
            f"для {_program()} нужны {needed}: {install}",
            f"{_program()} needs {needed}: {install}",
        ),
        "charges",
    )


def _is_of_the_database(error: Exception) -> bool:
    return isinstance(error, source().failures())


def _first_line(error: Exception) -> str:
    from payme import redact

    return redact.scrub(str(getattr(error, "orig", None) or error).partition("\n")[0])


@charges.command(
    "import",
    help=tell(
        """FILE.csv faylidagi chargeʼlarni saqlash, run bajaradi. Fayl oʻrnida - standart kirish.

        \b
        Birinchi qator ustunlarni nomlaydi, tartibi ixtiyoriy:
          id              charge identifikatori, abadiy oʻsha pul: order-106, club-17:11
          amount          tiyinda, butun son
          account.FIELD   kassaning account maydoni, masalan account.order_id; bitta yoki koʻp
          token           tasdiqlangan karta tokeni
          description     nima uchun toʻlanadi; boʻlmasa ham boʻladi

        Bitta fayl bilan ikki marta ishga tushirish mumkin: maʼlum charge oʻzgarmaydi. Notoʻgʻri
        qator rad etilib, nomi aytiladi; uning hech narsasi saqlanmaydi, boshqalari saqlanadi.

        Chiqish kodi: 0 hamma qatorlar daftarda; 1 rad etilgan qator bor.""",
        """Записать в журнал списания из FILE.csv, их возьмёт run. - вместо файла: стандартный ввод.

        \b
        Первая строка называет столбцы, в любом порядке:
          id              ID списания, навсегда те же деньги: order-106, club-17:11
          amount          сумма в тийинах, целое число
          account.FIELD   поле account кассы, например account.order_id; одно или несколько
          token           токен подтверждённой карты
          description     за что платят; можно не указывать

        С тем же файлом можно запускать дважды: известное списание остаётся как есть. Неверную
        строку команда отклоняет и называет, ничего из неё не записывая; остальные записывает.

        Код выхода: 0 все строки в журнале; 1 есть отклонённые.""",
        """Store charges from FILE.csv, for run to take. - reads standard input.

        \b
        The first line names the columns, in any order:
          id              id of the charge, for ever the same money: order-106, club-17:11
          amount          whole number of tiyin
          account.FIELD   a field of the cash-box's account, such as account.order_id; one or more
          token           token of a verified card
          description     what is paid for; may be left out

        It may be run twice on the same file: a charge that is known is left as it is. A line that
        is wrong is refused and named, nothing of it is stored, and the others are.

        Exits with 0 when every line is in the ledger, with 1 when a line was refused.""",
    ),
)
@click.argument(
    "file", type=click.File("r", encoding="utf-8-sig", errors="surrogateescape"), metavar="FILE.csv"
)
@with_ledger
@options.as_json
@guarded(click.ClickException)
def import_charges(*, file: TextIO, url: str, as_json: bool) -> None:
    """Store charges."""
    from payme.cli import bulk

    with _books(url) as books:
        if not books.encrypts:
            advice = source().keys()
            warning = tell(
                "Diqqat: karta tokenlari shifrlanmasdan saqlanadi",
                "Внимание: токены карт хранятся незашифрованными",
                "Warning: card tokens are stored unencrypted",
            )
            click.echo(f"{warning}; {advice}", err=True)
        count = bulk.read(file, books, lambda refusal: click.echo(str(refusal), err=True))
    if as_json:
        click.echo(json.dumps(count.json(), ensure_ascii=False))
    else:
        click.echo(
            tell(
                f"{count.stored} ta yozildi, {count.known} tasi avvaldan bor, "
                f"{count.refused} tasi rad etildi",
                f"записано {count.stored}, уже были {count.known}, отклонено {count.refused}",
                f"{count.stored} stored, {count.known} known, {count.refused} refused",
            )
        )
    _exit(_DIFFERS if count.refused else 0)


@charges.command(
    "run",
    help=tell(
        """Muddati kelgan chargeʼlarning pulini yechish.

        SIGTERM va Ctrl-C uni boshlangan chaqiruvlardan keyin, yarim daqiqa ichida toʻxtatadi;
        ikkinchi marta kelsa, darhol, bunda ham hech narsa yoʻqolmaydi. Bitta PostgreSQLda bir
        nechtasi ishlashi mumkin.

        Chiqish kodi: 0 toʻxtatildi yoki --drain bilan qiladigan ish qolmadi; 1 Payme kalitni rad
        etdi yoki daftardan foydalanib boʻlmadi.""",
        """Списать деньги по списаниям, которым пришёл срок.

        SIGTERM и Ctrl-C останавливают команду после начатых вызовов, не позже чем через полминуты;
        второй раз — сразу, и это тоже ничего не теряет. На одном PostgreSQL их может работать
        несколько.

        Код выхода: 0 остановлена, или с --drain больше нечего делать; 1 Payme не приняла ключ или
        журнал недоступен.""",
        """Take the money of charges as they become due.

        SIGTERM and Ctrl-C stop it after the calls that are under way, within half a minute; the
        same again stops it at once, which loses nothing either. Several may run on one PostgreSQL.

        Exits with 0 when it was stopped, or with --drain when nothing is left to do; with 1 when
        Payme refuses the key or the ledger can't be used.""",
    ),
)
@click.option(
    "--drain",
    is_flag=True,
    help=tell(
        "Qiladigan ish qolmaganda tugash.",
        "Завершиться, когда делать больше нечего.",
        "End when nothing is left to do.",
    ),
)
@in_flight_option
@per_second_option
@with_ledger
@options.as_json
@guarded(click.ClickException)
def run_charges(
    *, drain: bool, in_flight: int, per_second: float | None, url: str, as_json: bool
) -> None:
    """Drive charges."""
    from payme.cli import runner

    with _books(url) as books, _client() as payme:
        runner.check_key(payme)
        charges = source().charges(payme, books)
        tally = runner.run(charges, books, in_flight, per_second, drain=drain)
    click.echo(json.dumps(tally.json()) if as_json else tally.text(_program()))


@charges.command(
    "list",
    help=tell(
        "Chargeʼlarni identifikatorlari tartibida chiqarish.",
        "Вывести списания в порядке их ID.",
        "List charges in the order of their ids.",
    ),
)
@click.option(
    "--state",
    type=click.Choice(STATES),
    help=tell(
        "Faqat shu holatdagilar.",
        "Только списания в этом состоянии.",
        "Only charges in this state.",
    ),
)
@click.option(
    "--attention",
    is_flag=True,
    help=tell(
        "Faqat odam koʻrishi keraklari.",
        "Только те, на которые должен посмотреть человек.",
        "Only charges that a person must look at.",
    ),
)
@with_ledger
@options.as_json
@guarded(click.ClickException)
def list_charges(*, state: str | None, attention: bool, url: str, as_json: bool) -> None:
    """List charges."""
    from payme.cli import shown

    with _books(url, must_exist=True) as books:
        every = books.walk(state)
        found = (charge for charge in every if charge.needs_attention or not attention)
        stream((shown.json_list if as_json else shown.lines)(found))


@charges.command(
    "show",
    help=tell(
        """Bitta chargeʼni va nega shu holatda ekanini koʻrsatish.

        Chiqish kodi 1: bunday charge yoʻq.""",
        """Показать одно списание и почему оно в таком состоянии.

        Код выхода 1: такого списания нет.""",
        """Show a charge, and why it is what it is.

        Exits with 1 when there is no such charge.""",
    ),
)
@click.argument("charge_id", metavar="ID")
@with_ledger
@options.as_json
@guarded(click.ClickException)
def show_charge(*, charge_id: str, url: str, as_json: bool) -> None:
    """Show a charge."""
    from payme.cli import shown

    with _books(url, must_exist=True) as books:
        charge, events = books.charge(charge_id), books.history(charge_id)
    if as_json:
        click.echo(shown.dumps({**shown.charge_json(charge), "events": shown.events_json(events)}))
    else:
        click.echo("\n".join(shown.story(charge, events)))


_CODES: Final = tell(
    """{}

    Chiqish kodi: 0 {}; 1 aksi isbotlandi yoki buni soʻrab boʻlmaydi; 3 hali nomaʼlum, run davom
    ettiradi.""",
    """{}

    Код выхода: 0 {}; 1 доказано обратное, или просить об этом нельзя; 3 пока неизвестно, продолжит
    run.""",
    """{}

    Exits with 0 when {}, with 1 when it is proven otherwise or can't be asked for, with 3 when that
    is not known yet: then run goes on.""",
)

# What may be asked of one charge: in which states it is reached, what the user reads about it, and
# what the exit code 0 means.
_ORDERS: Final[dict[str, tuple[tuple[str, ...], str, str]]] = {
    "confirm": (
        ("paid",),
        tell(
            "Charge ushlab turgan pulni yechib olish.",
            "Списать деньги под холдом.",
            "Take what a charge holds.",
        ),
        tell("pul yechildi", "деньги списаны", "the money was taken"),
    ),
    "refund": (
        ("refunded",),
        tell(
            "Toʻlangan chargeʼning pulini qaytarish.",
            "Вернуть деньги оплаченного списания.",
            "Give the money of a paid charge back.",
        ),
        tell("pul qaytarildi", "деньги возвращены", "the money went back"),
    ),
    "retry": (
        ("paid", "held"),
        tell(
            "Rad etilgan yoki oʻtmagan charge uchun oʻsha karta bilan qayta urinish.",
            "Повторить отклонённое или несостоявшееся списание с той же картой.",
            "Try a refused or failed charge again, with the card that it has.",
        ),
        tell(
            "pul yechildi yoki ushlab turilibdi",
            "деньги списаны или захолдированы",
            "the money was taken or is held",
        ),
    ),
    "vouch": (
        ("paid", "held", "refunded", "failed"),
        tell(
            """Chekni bekor qilish soʻrovi yoʻlda qolmaganini tasdiqlash va chekni qayta oʻqish.

    Odam koʻrishi kerak boʻlgan charge uchun, uning cheki Paymeda tekshirilgach. Hech narsa
    toʻlanmaydi va bekor qilinmaydi.""",
            """Подтвердить, что запросов на отмену чека в пути больше нет, и прочитать его снова.

    Для списания, на которое должен посмотреть человек, когда его чек уже проверен в Payme. Ничего
    не оплачивается и не отменяется.""",
            """Say that no cancellation of a receipt is on its way any more, and read it again.

    For a charge that needs a person, after a look at its receipt with Payme. Nothing is paid or
    cancelled.""",
        ),
        tell("chek yakunni koʻrsatdi", "по чеку виден исход", "the receipt shows an end"),
    ),
    "cancel": (
        ("failed",),
        tell(
            "Chargeʼdan voz kechish: boshqa toʻlov boshlanmaydi, cheki bekor qilinadi.",
            "Отказаться от списания: новых оплат не будет, его чек отменят.",
            "Give a charge up: no other payment is begun, and its receipt is cancelled.",
        ),
        tell(
            "endi uning hech bir cheki pul yecha olmaydi",
            "ни по одному его чеку деньги больше не спишут",
            "no receipt of it can take money any more",
        ),
    ),
}


def _command(word: str) -> click.Command:
    """Make a command that asks something of one charge."""
    ends, what, done = _ORDERS[word]

    @click.command(word, help=_CODES.format(what, done))
    @click.argument("charge_id", metavar="ID")
    @with_wait
    @with_yes
    @with_ledger
    @options.as_json
    @guarded(click.ClickException)
    def order(*, charge_id: str, seconds: float, yes: bool, url: str, as_json: bool) -> None:
        from payme.cli import shown

        with _books(url, must_exist=True) as books, _client() as payme:
            question = charge_words.question(word, books.charge(charge_id), payme.base_url)
            if question is not None:
                asking.agree_if_asked(question, yes=yes)
            ask: Any = getattr(source().charges(payme, books), word)
            charge: Charge = ask(charge_id, deadline=seconds)
        as_text = shown.dumps(shown.charge_json(charge))
        click.echo(as_text if as_json else shown.sentence(charge))
        code = 0 if charge.state in ends else _DIFFERS if charge.rests else _UNDER_WAY
        if code == _UNDER_WAY and not as_json:
            click.echo(charge_words.not_known_yet(_program()), err=True)
        _exit(code)

    return order


for _word in _ORDERS:
    charges.add_command(_command(_word))


@charges.command(
    "audit",
    help=tell(
        """Payme bir davr uchun koʻrsatgan cheklarni daftar bilan solishtirish.

        Sana — Toshkentdagi kun; vaqt 2026-11-01T09:00:00+05:00 koʻrinishida yoziladi.

        \b
        Nimani topadi:
          orphan         toʻlanmagan, hech bir chargeʼniki emas, lekin bittasining puli uchun
                         yaratilgan: receipts.create javobi yoʻqolgan. Uni hech kim toʻlamaydi;
                         --cancel-orphans bekor qiladi
          only payme     daftarda ham, tranzaksiyalarda ham yoʻq chek: boshqa yoʻl bilan
                         yaratilgan yoki yozuvi yoʻqolgan
          only ledger    chekini Payme bilmaydigan charge
          amount         ikkalasi ham biladi, summasi har xil
          state          daftar yoki Payme toʻlangan yoki ushlab turilgan deydi, boshqasi esa yoʻq
        --transactions bilan:
          only merchant  chekini Payme bilmaydigan tranzaksiya
          not performed  Paymega pul toʻlangan, tranzaksiya esa yakunlanmagan: Merchant API
                         orqali tovar berilmagan
          not paid       tranzaksiya yakunlangan, cheki esa toʻlanmagan yoki bekor qilingan:
                         tovar tekinga berilgan
          not returned   tranzaksiya qaytarilgan, pul esa hali Paymeda

        Payme charge identifikatorini saqlamaydi. Shuning uchun yetim chek summa, tavsif, vaqt va
        account boʻyicha yoki daftardagi yoʻqolgan javobdan taniladi: oʻsha vaqtda oʻsha buyurtma
        uchun qoʻlda yaratilgan chek ham xuddi shunday koʻrinadi. Tranzaksiya identifikatori bir xil
        chekka tegishli.

        Chiqish kodi: 0 hisoblar mos; 1 farq bor; 3 oxirigacha solishtirib boʻlmadi.""",
        """Сверить с журналом чеки, которые Payme показывает за период.

        Дата — это день в Ташкенте; момент пишут как 2026-11-01T09:00:00+05:00.

        \b
        Что находит:
          orphan         сирота: не оплачен, ничей, но создан ради денег одного из списаний —
                         ответ receipts.create потерян. Никто его не оплатит;
                         --cancel-orphans отменяет
          only payme     чек, которого нет ни в журнале, ни среди транзакций: создан иначе
                         или запись потеряна
          only ledger    списание, чека которого Payme не знает
          amount         знают оба, а суммы разные
          state          журнал или Payme говорит «оплачено» или «холд», другая сторона — нет
        С --transactions:
          only merchant  транзакция, чека которой Payme не знает
          not performed  Payme получила деньги, а транзакция так и не проведена: по
                         Merchant API товар не выдан
          not paid       транзакция проведена, а чек не оплачен или отменён: товар выдан даром
          not returned   транзакция отменена, а деньги всё ещё у Payme

        ID списания Payme не хранит, поэтому сироту узнают по сумме, описанию, времени и account или
        по потерянному ответу в журнале: чек, созданный вручную для того же заказа в то же время,
        выглядит так же. Транзакция относится к чеку с её ID.

        Код выхода: 0 учёт сходится; 1 есть расхождения; 3 сверить до конца не удалось.""",
        """Compare the receipts that Payme lists for a period with the ledger.

        A date is a day in Tashkent; a moment is written as 2026-11-01T09:00:00+05:00.

        \b
        What it finds:
          orphan         unpaid, of no charge, and made for the money of one: the answer of
                         receipts.create was lost. Nobody pays it; --cancel-orphans cancels it
          only payme     a receipt that the ledger does not have, nor the transactions: it was made
                         by other means, or they lost it
          only ledger    a charge whose receipt Payme does not know
          amount         both know it, with different amounts
          state          the ledger or Payme says paid or held where the other does not
        With --transactions:
          only merchant  a transaction whose receipt Payme does not know
          not performed  Payme was paid, and the transaction was never performed: the goods did
                         not go out by the Merchant API
          not paid       the transaction was performed, and its receipt is unpaid or cancelled:
                         the goods went out for nothing
          not returned   the transaction was taken back, and Payme still has the money

        Payme keeps no id of a charge, so an orphan is recognised by amount, description, time and
        account, or a lost answer in the ledger: a receipt that you made by hand for the same order
        at the same time looks the same. A transaction belongs to the receipt with its id.

        Exits with 0 when the books agree, with 1 when they differ, with 3 when they could not be
        compared to the end.""",
    ),
)
@click.option(
    "--from",
    "from_",
    required=True,
    metavar="DATE",
    help=tell("Birinchi kun yoki payt.", "Первый день или момент.", "First day, or a moment."),
)
@click.option(
    "--to",
    metavar="DATE",
    help=tell(
        "Oxirgi kun yoki payt; berilmasa, hozirgacha.",
        "Последний день или момент; по умолчанию до текущего момента.",
        "Last day, or a moment; until now if left out.",
    ),
)
@click.option(
    "--transactions",
    envvar="PAYME_TRANSACTIONS",
    metavar="URL",
    help=tell(
        "Shu bazadagi Merchant API tranzaksiyalari bilan ham solishtirish; PAYME_TRANSACTIONS ham "
        "boʻladi.",
        "Сверить и с транзакциями Merchant API в этой базе; можно и PAYME_TRANSACTIONS.",
        "Compare with the Merchant API's transactions in this database, too; "
        "PAYME_TRANSACTIONS does as well.",
    ),
)
@click.option(
    "--box",
    metavar="NAME",
    help=tell(
        "Tranzaksiyalar qaysi kassaniki, doʻkon bergan nomi bilan; bitta jadvalda bir nechta "
        "kassaniki tursa, kerak.",
        "Касса, которой принадлежат транзакции: имя, которое дал ей магазин; нужно, если в одной "
        "таблице лежат транзакции нескольких касс.",
        "Cash-box whose transactions these are, by the name that the shop gives it; needed when "
        "several keep theirs in one table.",
    ),
)
@click.option(
    "--cancel-orphans",
    is_flag=True,
    help=tell(
        "Yoʻqolgan javoblardan qolgan toʻlanmagan cheklarni bekor qilish.",
        "Отменить неоплаченные чеки, которые остались от потерянных ответов.",
        "Cancel unpaid receipts that lost answers left behind.",
    ),
)
@with_ledger
@options.as_json
@guarded(Undecided)
def audit_charges(
    *,
    from_: str,
    to: str | None,
    transactions: Any,
    box: str | None,
    cancel_orphans: bool,
    url: str,
    as_json: bool,
) -> None:
    """Audit the ledger."""
    from payme.charges.audit import Audit, report
    from payme.cli import shown
    from payme.cli.bars import counter

    period = _period(from_, to)
    with (
        _books(url, must_exist=True) as ledger,
        source().transactions(transactions, box) as merchant,
        _client() as payme,
        Audit(payme, ledger, period, transactions=merchant, cancel=cancel_orphans) as audit,
        counter(lambda: shown.audit_progress(audit)),
    ):
        stream(report.json_lines(audit) if as_json else shown.audit_lines(audit))
    _exit(_DIFFERS if audit.differ else 0)


def _period(from_: str, to: str | None) -> "tuple[datetime, datetime]":
    from payme.cli.period import period
    from payme.errors import InvalidArgument

    try:
        return period(from_, to)
    except InvalidArgument as error:
        raise click.UsageError(refusal(error)) from None


def _books(url: str, *, must_exist: bool = False) -> "Books":
    return source().books(url, must_exist=must_exist)


def _client() -> Any:
    return source().client()


def source() -> "Source":
    """Return where ledger and client are found; `manage.py payme_charges` knows another place."""
    from payme.cli.books import Source

    return click.get_current_context().find_object(Source) or Source()


def _program() -> str:
    """Return how the group of commands was called."""
    parent = click.get_current_context().parent
    return parent.command_path if parent else "payme charges"


def _exit(code: int) -> None:
    click.get_current_context().exit(code)
