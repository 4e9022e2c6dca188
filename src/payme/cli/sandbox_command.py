"""`payme sandbox`, as click reads it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from payme.checkout import LANGUAGES
from payme.cli import options, serve
from payme.cli.durations import refuse_bare, refuse_bare_in_rule
from payme.cli.remote import PASSWORD
from payme.cli.words import tell
from payme.sandbox import InvalidSetting
from payme.sandbox.engine import fault_rules
from payme.sandbox.engine.durations import duration_ms, moment_ms
from payme.sandbox.engine.progression import progression as read_progression
from payme.sandbox.engine.shapes import Title
from payme.sandbox.engine.testcards import OUTCOMES, KnownCards
from payme.sandbox.scenarios import SCENARIOS
from payme.sandbox.settings import CashBoxSettings

# Neither it nor the password is an option: other users of this computer read the arguments of its
# programs.
_MERCHANT_KEY: Final = "PAYME_MERCHANT_KEY"

_PORTS = click.IntRange(0, 65535)
_TIYIN = click.IntRange(min=1)


_GRAMMAR: Final = (
    tell(
        """Shu kompyuterda Paymening Subscribe APIsi: test kartalari bilan, pulsiz.

    \b
    Nosozlik: METHOD WHEN ACTION [name=value ...]:
      METHOD  metod yoki shablon: receipts.pay, receipts.*, *; yoki billingingiz
              chaqiriladigan metod: PerformTransaction
      WHEN    before    chaqiruv bajarilmaydi
              after     bajariladi, keyin javob yoʻqoladi yoki oʻzgaradi
              mid_body  bajariladi, javobning yarmi yetib boradi""",
        """Subscribe API Payme на этом компьютере: с тестовыми картами и без денег.

    \b
    Сбой — это METHOD WHEN ACTION [name=value ...]:
      METHOD  метод или шаблон: receipts.pay, receipts.*, *; или метод, которым
              вызывают ваш биллинг: PerformTransaction
      WHEN    before    вызов не исполняется
              after     исполняется, а ответ затем теряется или меняется
              mid_body  исполняется, и доходит половина ответа""",
        """Serve Payme's Subscribe API on this computer, with test cards and no money.

    \b
    A fault is METHOD WHEN ACTION [name=value ...]:
      METHOD  a method or a glob: receipts.pay, receipts.*, *; or one that your
              billing is called with: PerformTransaction
      WHEN    before    the call is not executed
              after     it is executed, then the answer is lost or changed
              mid_body  it is executed, and half of the answer arrives""",
    )
    + """
      ACTION  delay, drop, http_status, rpc_error, malformed, wrong_id, duplicate
      name    times=N probability=0..1 priority=N delay=10s advance=12h
              status=503 code=-32400 message=TEXT data=JSON
              account.FIELD=VALUE amount=N amount=FROM..TO card=NUMBER

    \b
      payme sandbox --fault 'receipts.pay after drop times=1'
      payme sandbox --fault 'receipts.* before delay delay=10s probability=0.2' --seed 7
      payme sandbox --scenario answer_lost_after_debit
    """
)


def _checked(check: Callable[[str], Any]) -> Callable[..., Any]:
    """Make a callback that refuses what a check refuses, and passes on what was written."""

    def callback(_context: click.Context, option: click.Parameter, given: Any) -> Any:
        written: tuple[str | None, ...] = given if option.multiple else (given,)
        try:
            for one in written:
                if one is not None:
                    check(one)
        except InvalidSetting as error:
            raise click.BadParameter(str(error)) from None
        return given

    return callback


def _titled(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Title]:
    """Read `order_id`, `order_id=Order` and `order_id=Buyurtma;Заказ;Order`."""
    fields: dict[str, Title] = {}
    for line in given:
        name, _, titles = (part.strip() for part in line.partition("="))
        texts = [text.strip() for text in titles.split(";")] if titles else [name]
        if not name or len(texts) not in {1, len(LANGUAGES)} or not all(texts):
            raise click.BadParameter(
                tell(
                    f"{line!r}: NOM, NOM=SARLAVHA yoki 'NOM=uz;ru;en' kutilgan",
                    f"{line!r}: ожидалось ИМЯ, ИМЯ=НАЗВАНИЕ или 'ИМЯ=uz;ru;en'",
                    f"{line!r}: expected NAME, NAME=TITLE or 'NAME=uz;ru;en'",
                )
            )
        fields[name] = texts[0] if len(texts) == 1 else dict(zip(LANGUAGES, texts, strict=True))
    return fields


def _receipt_ttl(text: str) -> None:
    refuse_bare(text)
    duration_ms(text)


def _progression(text: str) -> None:
    kind, _, span = text.partition(":")
    if kind == "clock":
        refuse_bare(span)
    read_progression(text)


def _fault(text: str) -> None:
    refuse_bare_in_rule(text)
    fault_rules.from_text(text)


def _require_agreement(min_amount: int | None, max_amount: int | None) -> None:
    """Check options against each other, before anything is started."""
    if min_amount is not None and max_amount is not None and min_amount > max_amount:
        raise click.UsageError(
            tell(
                f"--min-amount ({min_amount}) --max-amount ({max_amount}) dan katta",
                f"--min-amount ({min_amount}) больше --max-amount ({max_amount})",
                f"--min-amount ({min_amount}) is above --max-amount ({max_amount})",
            )
        )


def _show_scenarios(context: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        serve.print_scenarios()
        context.exit()


@click.command("sandbox", help=_GRAMMAR)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help=tell(
        "Tinglanadigan manzil.",
        "Адрес, который слушать.",
        "Address to listen on.",
    ),
)
@click.option(
    "--port",
    default=3000,
    show_default=True,
    type=_PORTS,
    help=tell(
        "Tinglanadigan port; 0 boʻsh portni oladi.",
        "Порт; 0 — любой свободный.",
        "Port to listen on, 0 for a free one.",
    ),
)
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help=tell(
        "Holat saqlanadigan fayl; usiz sandbox toʻxtaganda holat yoʻqoladi.",
        "Файл, где хранится состояние; без него оно теряется, когда песочница останавливается.",
        "File that keeps the state; without it the state is lost when the sandbox stops.",
    ),
)
@click.option(
    "--merchant-id",
    help=tell(
        "Kassa identifikatori; berilmasa, tasodifiy.",
        "ID кассы; по умолчанию случайный.",
        "Id of the cash-box; random if left out.",
    ),
)
@click.option(
    "--key",
    help=tell(
        "Kassa kaliti; berilmasa, tasodifiy.",
        "Ключ кассы; по умолчанию случайный.",
        "Key of the cash-box; random if left out.",
    ),
)
@click.option(
    "--account-field",
    "account_fields",
    multiple=True,
    metavar="NAME[=TITLE]",
    callback=_titled,
    help=tell(
        "Har bir accountda boʻlishi shart maydon va uning nomi: hamma tillarga bitta yoki "
        "'uz;ru;en'; takrorlanishi mumkin.",
        "Поле, обязательное в каждом account, и его название: одно для всех языков или "
        "'uz;ru;en'; можно повторять.",
        "A field that every account must have, and its title: one for all languages, or "
        "'uz;ru;en'; may be repeated.",
    ),
)
@click.option(
    "--merchant-name",
    default="test",
    help=tell(
        "Toʻlovchi identifikator oʻrnida oʻqiydigan nom.",
        "Название, которое плательщик видит вместо ID.",
        "What the payer reads in place of the id.",
    ),
)
@click.option(
    "--cash-box",
    "cash_boxes",
    multiple=True,
    metavar="LINE",
    callback=_checked(CashBoxSettings.from_text),
    help=tell(
        "Yana bitta kassa, masalan 'id=books key=secret name=Kitoblar "
        "merchant_url=http://... account.order_id=Buyurtma'; takrorlanishi mumkin.",
        "Ещё одна касса, например 'id=books key=secret name=Книги merchant_url=http://... "
        "account.order_id=Заказ'; можно повторять.",
        "One more cash-box, such as 'id=books key=secret name=Books "
        "merchant_url=http://... account.order_id=Order'; may be repeated.",
    ),
)
@click.option(
    "--min-amount",
    type=_TIYIN,
    help=tell(
        "Chekning eng kichik summasi, tiyinda.",
        "Наименьшая сумма чека, в тийинах.",
        "Smallest amount of a receipt, in tiyin.",
    ),
)
@click.option(
    "--max-amount",
    type=_TIYIN,
    help=tell(
        "Chekning eng katta summasi, tiyinda.",
        "Наибольшая сумма чека, в тийинах.",
        "Largest amount of a receipt, in tiyin.",
    ),
)
@click.option(
    "--receipt-ttl",
    metavar="TIME",
    callback=_checked(_receipt_ttl),
    help=tell(
        "Chekni qancha vaqt toʻlash mumkin, masalan 24h; berilmasa, muddatsiz.",
        "Сколько времени чек можно оплатить, например 24h; по умолчанию всегда.",
        "How long a receipt can be paid, such as 24h; for ever if left out.",
    ),
)
@click.option(
    "--merchant-url",
    metavar="URL",
    help=tell(
        "Billingingiz manzili: sandbox unga Payme kabi murojaat qiladi. Parolini "
        "PAYME_MERCHANT_KEY dan oladi; u berilmasa, parol kassa kalitidir.",
        "Адрес вашего биллинга: песочница обращается к нему, как Payme, с паролем из "
        "PAYME_MERCHANT_KEY, а без него с ключом кассы.",
        "Endpoint of your billing: the sandbox calls it as Payme does, with the password in "
        "PAYME_MERCHANT_KEY, else with the cash-box's key.",
    ),
)
@click.option(
    "--strict",
    is_flag=True,
    help=tell(
        "Payme oʻtkazib yuboradigan, lekin sahifalarida yoʻq parametrlarni rad etish.",
        "Отклонять параметры, которые Payme пропускает, хотя на её страницах их нет.",
        "Refuse params that Payme lets pass although its pages do not have them.",
    ),
)
@click.option(
    "--progression",
    default="at_once",
    show_default=True,
    metavar="HOW",
    callback=_checked(_progression),
    help=tell(
        "Toʻlangan chek oxiriga qanday boradi: at_once, after_checks:N yoki clock:2s.",
        "Как оплаченный чек идёт к концу: at_once, after_checks:N или clock:2s.",
        "How a paid receipt comes to its end: at_once, after_checks:N or clock:2s.",
    ),
)
@click.option(
    "--no-cors",
    "cors",
    flag_value=False,
    default=True,
    help=tell(
        "Veb-sahifalarni rad etish, CORS boʻlmagan serverdek.",
        "Отказывать веб-страницам, как сервер без CORS.",
        "Refuse web pages, as a host without CORS does.",
    ),
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="RULE",
    callback=_checked(_fault),
    help=tell(
        "Nosozlik, yuqorida yozilganidek; takrorlanishi mumkin.",
        "Сбой, как описано выше; можно повторять.",
        "A fault, as described above; may be repeated.",
    ),
)
@click.option(
    "--card",
    "cards",
    multiple=True,
    metavar="NUMBER=OUTCOME",
    callback=_checked(KnownCards().set_text),
    help=tell(
        "Karta nima qiladi, test kartasi yoki oʻz raqamingiz: "
        f"{', '.join(OUTCOMES)}, yoki kod, masalan -31630. Takrorlanishi mumkin.",
        "Что делает карта, тестовая или с вашим номером: "
        f"{', '.join(OUTCOMES)} или код, например -31630. Можно повторять.",
        "What a card does, a test card or a number of your own: "
        f"{', '.join(OUTCOMES)}, or a code such as -31630. May be repeated.",
    ),
)
@click.option(
    "--scenario",
    type=click.Choice([*SCENARIOS]),
    help=tell(
        "Ssenariyni oʻynatish; --fault uning ustiga qoʻyiladi.",
        "Проиграть сценарий; --fault добавляется к нему.",
        "Play a scenario; --fault comes on top of it.",
    ),
)
@click.option(
    "--scenarios",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_scenarios,
    help=tell(
        "Ssenariylar roʻyxatini chiqarish.",
        "Вывести список сценариев.",
        "List the scenarios and exit.",
    ),
)
@click.option(
    "--clock-start",
    metavar="MOMENT",
    callback=_checked(moment_ms),
    help=tell(
        "Shu vaqtdan boshlash, masalan 2026-03-01T09:00:00+05:00; berilmasa, hozirdan.",
        "Начать с этого времени, например 2026-03-01T09:00:00+05:00; по умолчанию с настоящего.",
        "Begin at this time, such as 2026-03-01T09:00:00+05:00; now if left out.",
    ),
)
@click.option(
    "--freeze",
    is_flag=True,
    help=tell(
        "Soatni toʻxtatib boshlash.",
        "Начать с остановленными часами.",
        "Begin with the clock stopped.",
    ),
)
@click.option(
    "--seed",
    type=int,
    help=tell(
        "Har ishga tushishda bir xil identifikatorlar, tokenlar va nosozliklardagi tasodiflar.",
        "Те же ID, токены и случайности сбоев при каждом запуске.",
        "Make ids, tokens and the chance in faults the same in every run.",
    ),
)
@click.option(
    "--quiet",
    is_flag=True,
    help=tell(
        "Kirish matnini ham, chaqiruvlarni ham chiqarmaslik.",
        "Не печатать ни приветствие, ни вызовы.",
        "Print neither the banner nor the calls.",
    ),
)
@options.as_json
def sandbox(
    *,
    host: str,
    port: int,
    db: Path | None,
    merchant_id: str | None,
    key: str | None,
    account_fields: dict[str, Title],
    merchant_name: str,
    cash_boxes: tuple[str, ...],
    min_amount: int | None,
    max_amount: int | None,
    receipt_ttl: str | None,
    merchant_url: str | None,
    strict: bool,
    progression: str,
    cors: bool,
    faults: tuple[str, ...],
    cards: tuple[str, ...],
    scenario: str | None,
    clock_start: str | None,
    freeze: bool,
    seed: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Start the sandbox; what the user reads about it is above."""
    _require_agreement(min_amount, max_amount)
    start = serve.Start(faults, clock_start, freeze)
    settings = serve.Options(
        host=host,
        port=port,
        db=db,
        merchant_id=merchant_id,
        key=key,
        account_fields=account_fields,
        merchant_name=merchant_name,
        cash_boxes=[CashBoxSettings.from_text(line) for line in cash_boxes],
        min_amount=min_amount,
        max_amount=max_amount,
        receipt_ttl_ms=None if receipt_ttl is None else duration_ms(receipt_ttl),
        merchant_url=merchant_url,
        merchant_key=os.environ.get(_MERCHANT_KEY) or None,
        cards=dict(line.split("=", 1) for line in cards),
        strict=strict,
        progression=progression,
        cors=cors,
        scenario=scenario,
        seed=seed,
        password=os.environ.get(PASSWORD) or None,
    )
    try:
        serve.run(settings, start, quiet=quiet or as_json, as_json=as_json)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except ModuleNotFoundError:
        raise  # the extra is named where every command's is
    except ImportError as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise error.__cause__ from None
        raise click.UsageError(str(error)) from error
    except serve.FAILURES as error:
        raise click.ClickException(str(error)) from error
