"""`payme recurring`: run subscriptions, and look at them."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from payme.cli import options
from payme.cli.charges import guarded, in_flight_option, per_second_option, source, with_ledger
from payme.cli.failures import Undecided
from payme.cli.words import tell
from payme.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from payme.client import Payme
    from payme.recurring import LostReceipt, Period, Recurring, Subscription

_GROUP: Final = (
    tell(
        """Har oylik toʻlovlar: obunalar, har bir davri bitta charge.

    \b
    Ular chargeʼlar daftarida turadi; sozlamalarini payme charges --help aytadi.""",
        """Ежемесячные списания: подписки, каждый период которых — одно списание.

    \b
    Они лежат в журнале списаний; о его настройках — payme charges --help.""",
        """Take money every month: subscriptions whose periods are charges.

    \b
    They live in the ledger of the charges; see payme charges --help for the environment.""",
    )
    + """
      payme recurring run
      payme recurring due --at 2026-12-01T00:00:00+05:00
      payme recurring show club-17
      payme recurring simulate club-17 --months 12
      payme recurring check
      payme recurring adopt --all
    """
)

_ROW: Final = "{:<24} {:<10} {:<20} {}"
_LOST_ROW: Final = "{}  {:<24} {:<20} {:>16}  {}"
_PERIOD_ROW: Final = "{:>6}  {:<20} {:>16}  {}"


@click.group(help=_GROUP)
@options.profile
def recurring() -> None:
    """Subscriptions; what the user reads about them is above."""


@recurring.command(
    "run",
    help=tell(
        """Davrlarni ochish, toʻlovchilarni ogohlantirish, muddati kelganini yechish.

        SIGTERM va Ctrl-C uni boshlangan chaqiruvlardan keyin toʻxtatadi. Bir vaqtda nechtasi
        ishlasa ham, bitta davr ikki marta ochilmaydi.

        Boshida va baza uzilib qaytganda u Paymedan daftar bilmaydigan davrlarning cheklarini
        soʻraydi: zaxira nusxadan tiklangandan keyin shunday boʻladi. Bunday chek topilsa, hech
        narsa ochmay tugaydi, payme recurring check buyrugʻiga qarang.

        Chiqish kodi: 0 toʻxtatildi yoki --drain bilan qiladigan ish qolmadi; 1 Payme kalitni rad
        etdi, daftardan foydalanib boʻlmadi yoki u orqada qolgan.""",
        """Открывать периоды, предупреждать о них, списывать в срок и вести списания.

        SIGTERM и Ctrl-C останавливают команду после начатых вызовов. Сколько бы их ни работало
        одновременно, ни один период не откроется дважды.

        В начале и после того, как база пропадала, команда спрашивает у Payme о чеках периодов,
        которых журнал не знает: так бывает после восстановления из резервной копии. Если такие
        есть, она ничего не открывает и завершается, см. payme recurring check.

        Код выхода: 0 остановлена, или с --drain больше нечего делать; 1 Payme не приняла ключ,
        журнал недоступен или отстал.""",
        """Open, announce and collect what is due, and drive the charges.

        SIGTERM and Ctrl-C stop it after the calls that are under way. Any number of them may run at
        once: no period is opened twice.

        At its start, and when the database was away, it asks Payme for receipts of periods that the
        ledger does not know, as after the restoration of a backup. If there are any it opens
        nothing and ends: see payme recurring check.

        Exits with 0 when it was stopped, or with --drain when nothing is left to do; with 1 when
        Payme refuses the key, the ledger can't be used, or it is behind.""",
    ),
)
@click.option(
    "--drain",
    is_flag=True,
    help=tell(
        "Muddati kelgani va yoʻlda charge qolmaganda tugash.",
        "Завершиться, когда ничему не пришёл срок и ни одно списание не идёт.",
        "End when nothing is due and no charge is under way.",
    ),
)
@in_flight_option
@per_second_option
@with_ledger
@options.as_json
@guarded(click.ClickException)
def run(*, drain: bool, in_flight: int, per_second: float | None, url: str, as_json: bool) -> None:
    """Run subscriptions."""
    from payme.cli import runner

    with _subscriptions(url, must_exist=False) as (subscriptions, payme):
        runner.check_key(payme)
        stop = runner.stopped_by_signals()
        done = subscriptions.run(in_flight=in_flight, per_second=per_second, drain=drain, stop=stop)
    click.echo(json.dumps({"due": done}) if as_json else _had_due(done))


def _had_due(done: int) -> str:
    return tell(
        f"{done} tasining muddati kelgan edi",
        f"подошёл срок у {done}",
        f"{done} had something due",
    )


@recurring.command(
    "check",
    help=tell(
        """Payme yechgan, daftar esa bilmaydigan davrlarni koʻrsatish.

        Zaxira nusxadan tiklangan daftar bu davrlarni qayta yechgan boʻlardi, shuning uchun run
        ishlamaydi. Ularni payme recurring adopt daftarga oladi. Chek tavsifidan taniladi: u
        davrning identifikatori bilan tugaydi; boshqa chargeʼlarning cheklarini payme charges audit
        topadi.

        Chiqish kodi: 0 bundaylari yoʻq; 1 bor; 3 Paymedan soʻrab boʻlmadi.""",
        """Показать периоды, за которые Payme списала деньги, а журнал об этом не знает.

        Журнал, восстановленный из резервной копии, списал бы за них снова, поэтому run
        отказывается работать. Принимает их payme recurring adopt. Чек узнаётся по описанию: оно
        заканчивается ID периода; чеки остальных списаний находит payme charges audit.

        Код выхода: 0 таких нет; 1 есть; 3 спросить Payme не удалось.""",
        """List what Payme took for periods that the ledger does not know.

        A ledger that was restored from a backup would take those periods again; so run refuses.
        payme recurring adopt takes them in. A receipt is recognised by its description, which ends
        with the id of the period; those of other charges are found by payme charges audit.

        Exits with 0 when there are none, with 1 when there are, with 3 when Payme could not be
        asked.""",
    ),
)
@click.option(
    "--dismiss",
    is_flag=True,
    help=tell(
        "Ularga boshqa qaramaslik: ular xuddi shu identifikatorlarni ishlatadigan boshqa "
        "daftarniki.",
        "Больше на них не смотреть: они из другого журнала с теми же ID.",
        "Do not look at them again: they are of another ledger that uses the same ids.",
    ),
)
@with_ledger
@options.as_json
@guarded(Undecided)
def check(*, dismiss: bool, url: str, as_json: bool) -> None:
    """Check the ledger."""
    from payme.cli import shown

    with _subscriptions(url, must_exist=True) as (subscriptions, _):
        found = _lost(subscriptions, dismiss=dismiss)
    if as_json:
        click.echo(shown.dumps([_lost_json(one) for one in found]))
    elif found:
        click.echo("\n".join(map(_lost_row, found)))
    click.get_current_context().exit(1 if found else 0)


@recurring.command(
    "adopt",
    help=tell(
        """Daftar bilmaydigan cheklarni daftarga olish, har birini oʻz davriniki qilib.

        Chek uchun davri ochiladi va u boshqa yechilmaydi; undan oldingi ochilmaganlari oʻtkazib
        yuboriladi. Boshqa nima yoʻqolgan boʻlsa, masalan bekor qilish yoki yangi narx, qayta
        aytilishi kerak. Keyin payme charges audit bilan solishtiring.

        Chiqish kodi: 0 hammasi olindi; 1 bittasini olib boʻlmadi; 3 Paymedan soʻrab boʻlmadi.""",
        """Принять в журнал чеки, которых он не знает, каждый как чек своего периода.

        Для чека открывается его период, и за него больше не списывают; более ранние неоткрытые
        пропускаются. Всё остальное, что потеряно, например отмену или новую цену, нужно задать
        снова. После этого сверьте журнал командой payme charges audit.

        Код выхода: 0 приняты все; 1 какой-то принять нельзя; 3 спросить Payme не удалось.""",
        """Take receipts into the ledger that it does not know, each as that of its period.

        The period is opened for its receipt and never taken again; older ones that were not opened
        are skipped. What else was lost, such as a cancellation or another price, has to be said
        again. Compare with payme charges audit afterwards.

        Exits with 0 when all are in, with 1 when one can't be taken in, with 3 when Payme could not
        be asked.""",
    ),
)
@click.argument("receipts", metavar="[RECEIPT_ID]...", nargs=-1)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=tell(
        "payme recurring check topganlarining hammasi.",
        "Все, что находит payme recurring check.",
        "All that payme recurring check finds.",
    ),
)
@with_ledger
@options.as_json
@guarded(Undecided)
def adopt(*, receipts: tuple[str, ...], everything: bool, url: str, as_json: bool) -> None:
    """Adopt receipts."""
    if bool(receipts) == everything:
        raise click.UsageError(
            tell(
                "cheklarning identifikatorlarini yoki --all ni bering, ikkalasini emas",
                "укажите ID чеков или --all, но не то и другое",
                "give ids of receipts, or --all",
            )
        )
    with _subscriptions(url, must_exist=True) as (subscriptions, _):
        wanted = _each_lost(subscriptions) if everything else receipts
        taken_in = [_adopted(subscriptions, one, quiet=as_json) for one in wanted]
    if as_json:
        click.echo(json.dumps(taken_in, ensure_ascii=False))
    adopted = all(one["subscription"] is not None for one in taken_in)
    click.get_current_context().exit(0 if adopted else 1)


def _adopted(subscriptions: "Recurring", receipt_id: str, *, quiet: bool) -> dict[str, str | None]:
    from payme.recurring import SubscriptionConflict, SubscriptionNotFound

    try:
        subscription = subscriptions.adopt(receipt_id)
    except (SubscriptionConflict, SubscriptionNotFound, InvalidArgument) as error:
        if not quiet:
            click.echo(f"{receipt_id}: {error}", err=True)
        return {"receipt_id": receipt_id, "subscription": None, "error": str(error)}
    if not quiet:
        click.echo(
            tell(
                f"{receipt_id} {subscription.id} obunasiga olindi",
                f"{receipt_id} принят в подписку {subscription.id}",
                f"{receipt_id} is in {subscription.id}",
            )
        )
    return {"receipt_id": receipt_id, "subscription": subscription.id, "error": None}


def _each_lost(subscriptions: "Recurring") -> "Iterator[str]":
    """Yield what is not in the ledger, each once, until nothing else is found."""
    seen: set[str] = set()
    while found := [one for one in _lost(subscriptions) if one.receipt_id not in seen]:
        for one in found:
            seen.add(one.receipt_id)
            yield one.receipt_id


def _lost(subscriptions: "Recurring", *, dismiss: bool = False) -> "tuple[LostReceipt, ...]":
    from payme.recurring import LedgerBehind

    try:
        subscriptions.check(dismiss=dismiss)
    except LedgerBehind as behind:
        return behind.receipts
    return ()


@recurring.command(
    "due",
    help=tell(
        "Aytilgan vaqtgacha muddati keladigan obunalar: toʻlov, qayta urinish, ogohlantirish.",
        "Вывести подписки, которым придёт срок: оплаты, повторной попытки, предупреждения.",
        "List the subscriptions that have something due by a moment: a payment, a retry, a notice.",
    ),
)
@click.option(
    "--at",
    metavar="MOMENT",
    help=tell(
        "Vaqt, masalan 2026-12-01T00:00:00+05:00; berilmasa, hozir.",
        "Момент, например 2026-12-01T00:00:00+05:00; по умолчанию сейчас.",
        "A moment such as 2026-12-01T00:00:00+05:00; now if left out.",
    ),
)
@with_ledger
@options.as_json
@guarded(click.ClickException)
def due(*, at: str | None, url: str, as_json: bool) -> None:
    """List what is due."""
    from payme.cli import shown

    until = _moment(at)
    found = _read(url, "waking", until)
    if as_json:
        click.echo(shown.dumps([_json(one) for one in found]))
        return
    click.echo(_heading())
    for one in found:
        click.echo(_row(one))


@recurring.command(
    "show",
    help=tell(
        "Obunani davrlari bilan koʻrsatish.",
        "Показать подписку и её периоды.",
        "Show a subscription with its periods.",
    ),
)
@click.argument("name", metavar="ID")
@with_ledger
@options.as_json
@guarded(click.ClickException)
def show(*, name: str, url: str, as_json: bool) -> None:
    """Show a subscription."""
    from payme.cli import shown

    subscription, periods = _read(url, "get", name), _read(url, "periods", name)
    if as_json:
        listed = [_period_json(period) for period in periods]
        click.echo(shown.dumps({**_json(subscription), "periods": listed}))
        return
    click.echo(_heading())
    click.echo(_row(subscription))
    if subscription.customer is not None:
        customer = subscription.customer
        click.echo(
            tell(
                f"{customer} ning asosiy kartasidan toʻlanadi",
                f"оплачивает основная карта клиента {customer}",
                f"paid by the default card of {customer}",
            )
        )
    click.echo()
    for period in periods:
        click.echo(_period_row(period.n, period.start, period.amount, period.state))


@recurring.command(
    "simulate",
    help=tell(
        "Keyingi oylar toʻlovlarini koʻrsatish, har biri toʻlansa; hech narsa saqlanmaydi.",
        "Показать платежи ближайших месяцев, если все пройдут; ничего не записывается.",
        "Show the payments of the next months, if every one of them is paid; nothing is stored.",
    ),
)
@click.argument("name", metavar="ID")
@click.option(
    "--months",
    type=click.IntRange(1, 120),
    default=12,
    show_default=True,
    help=tell("Necha oy.", "Сколько месяцев.", "How many months."),
)
@with_ledger
@options.as_json
@guarded(click.ClickException)
def simulate(*, name: str, months: int, url: str, as_json: bool) -> None:
    """Show the next payments."""
    from payme.cli import shown

    subscription = _read(url, "get", name)
    planned = list(_planned(subscription, months))
    if as_json:
        lines = [{"n": n, "due": _text(at), "amount": amount} for n, at, amount in planned]
        click.echo(shown.dumps(lines))
        return
    for n, at, amount in planned:
        click.echo(_period_row(n, at, amount, ""))


def _planned(subscription: "Subscription", months: int) -> "Iterator[tuple[int, float, int]]":
    from payme.recurring.calendar import Every, Terms
    from payme.recurring.core import upcoming

    wall = subscription.rule.wall
    today = wall.day(datetime.now(UTC).timestamp())
    last = Terms(first=0, amount=0, every=Every(months, "month"), anchor=today).day(1)
    until = wall.moment(last + timedelta(days=1))
    for n in upcoming(subscription, until):
        yield n, subscription.due(n), subscription.amount(n)


def _read(url: str, word: str, *arguments: Any) -> Any:
    """Read what needs no key of Payme's: `word` is a function of the ledger of subscriptions."""
    from payme.recurring import ledger

    where = source()
    with where.books(url, must_exist=True) as books:
        return where.keeper(books).read(getattr(ledger, word), *arguments)


@contextmanager
def _subscriptions(url: str, *, must_exist: bool) -> "Generator[tuple[Recurring, Payme]]":
    where = source()
    with where.books(url, must_exist=must_exist) as books, where.client() as payme:
        yield where.recurring(where.charges(payme, books)), payme


def _moment(text: str | None) -> float:
    if text is None:
        return datetime.now(UTC).timestamp()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.UsageError(
            tell(
                "--at: mintaqasi bilan vaqt kutilgan, masalan 2026-12-01T00:00:00+05:00",
                "--at: ожидалось время с часовым поясом, например 2026-12-01T00:00:00+05:00",
                "--at: expected a moment with its zone, such as 2026-12-01T00:00:00+05:00",
            )
        )
    return moment.timestamp()


def _text(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat("T", "seconds")


def _heading() -> str:
    return _ROW.format(
        "id",
        tell("holat", "состояние", "state"),
        tell("qachon", "когда", "when"),
        tell("keyingi toʻlov, soʻm", "следующий платёж, сум", "next payment, soʻm"),
    )


def _row(subscription: "Subscription") -> str:
    from payme.money import format_som

    when = (_text(subscription.wakes) or "-")[:16]
    money = format_som(subscription.amount(subscription.next_n))
    return _ROW.format(subscription.id, subscription.state, when, money)


def _period_row(n: int, start: float, amount: int, state: str) -> str:
    from payme.money import format_som

    return _PERIOD_ROW.format(n, (_text(start) or "")[:16], format_som(amount), state).rstrip()


def _lost_row(one: "LostReceipt") -> str:
    from payme.money import format_som

    created = (_text(one.created) or "")[:16]
    money = format_som(one.amount)
    return _LOST_ROW.format(one.receipt_id, one.charge_id, created, money, one.state.name)


def _lost_json(one: "LostReceipt") -> dict[str, Any]:
    return {**one._asdict(), "state": one.state.name, "created": _text(one.created)}


def _json(subscription: "Subscription") -> dict[str, Any]:
    return {
        "id": subscription.id,
        "state": subscription.state.value,
        "customer": subscription.customer,
        "next_n": subscription.next_n,
        "next_due": _text(subscription.due(subscription.next_n)),
        "next_amount": subscription.amount(subscription.next_n),
        "debt": subscription.debt,
        "ends_at": _text(subscription.ends_at),
        "wakes": _text(subscription.wakes),
    }


def _period_json(period: "Period") -> dict[str, Any]:
    from payme import redact

    return {
        "n": period.n,
        "start": _text(period.start),
        "end": _text(period.end),
        "amount": period.amount,
        "state": period.state.value,
        "retry_at": _text(period.retry_at),
        "refusals": len(period.refusals),
        "code": period.code,
        "message": None if period.message is None else redact.scrub(period.message),
    }
