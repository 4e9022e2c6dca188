"""`payme doctor`: why does it not work? And would a browser let a page talk to this host?

The latter, `payme doctor browser`, sends the preflight that a browser sends before the card form's
first call, and reads the answer as the Fetch standard
(https://fetch.spec.whatwg.org/#cors-preflight-fetch) has browsers read it. Payme documents nothing
about it, so what is told here is what was seen, and no more.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final, Literal, NamedTuple

import click

from payme.cli import options
from payme.cli.words import tell
from payme.errors import InvalidArgument

Verdict = Literal["works", "refused", "no_answer"]

EXITS: Final[dict[Verdict, int]] = {"works": 0, "refused": 1, "no_answer": 3}

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?", re.IGNORECASE | re.ASCII)
_WANTED: Final = "x-auth"
_ALLOWS: Final = "access-control-allow-"
_LONGEST: Final = 200

_MEANINGS: Final[dict[Verdict, tuple[str, str, str]]] = {
    "works": (
        (
            "Brauzer karta formasining chaqiruvlarini bu serverga yuborardi. Javobni oʻqiy olishi "
            "bu yerdan koʻrinmaydi: har bir javob ham sahifaning manziliga ruxsat berishi kerak."
        ),
        (
            "Браузер отправил бы вызовы формы карты этому серверу. Сможет ли он прочесть ответы, "
            "отсюда не видно: источник должен быть разрешён и в каждом ответе."
        ),
        (
            "A browser would send the card form's calls to this host. Whether it may read their "
            "answers is not known from here: each answer has to allow the origin as well."
        ),
    ),
    "refused": (
        (
            "Brauzer hech narsa yubormasdi, karta formasi esa Payme javob bermayapti derdi. "
            "Kartani Paymening sahifasida yoki ilovada bogʻlang."
        ),
        (
            "Браузер не отправил бы ничего, а форма карты сказала бы, что Payme недоступна. "
            "Привязывайте карты на странице Payme или в приложении."
        ),
        (
            "A browser would send nothing, and the card form would say that Payme can't be "
            "reached. Bind cards on a page of Payme's, or in an app."
        ),
    ),
    "no_answer": (
        "Hech narsa maʼlum emas: hech kim javob bermadi.",
        "Ничего не известно: никто не ответил.",
        "Nothing is known: nobody answered.",
    ),
}
_SEEN: Final = (
    "Shu kompyuterdan bir marta koʻrildi. Server bunga vaʼda bermagan.",
    "Увидено один раз, с этого компьютера. Сервер этого не обещает.",
    "Seen once, from this computer. It is no promise of the host's.",
)


class Seen(NamedTuple):
    """What came back."""

    verdict: Verdict
    why: str
    status: int | None = None
    allows: Mapping[str, str] = {}
    """The headers about it, by their names in small letters."""


@click.group(
    invoke_without_command=True,
    help=tell(
        """Nega ishlamayotganini aniqlash: paket, kassa maʼlumotlari, aloqa, TLS, soat, kalit.

        Pul harakatlanmaydi; kalit bilan bitta oʻqish chaqiruvi yuboriladi.

        Chiqish kodi: 0 hammasi joyida; 1 muammo topildi; 3 muammo yoʻq, lekin hammasi koʻrilmadi.
        """,
        """Выяснить, почему не работает: пакет, данные кассы, связь, TLS, часы, ключ.

        Деньги не затрагиваются; с ключом отправляется один вызов на чтение.

        Код выхода: 0 всё в порядке; 1 найдена проблема; 3 проблем нет, но увидеть удалось не всё.
        """,
        """Find out why something does not work: package, credentials, network, TLS, clock, key.

        No money moves; one call that reads is sent with the key.

        Exits with 0 when all is well, with 1 when there is a problem, with 3 when there is none but
        not everything could be seen.
        """,
    ),
)
@options.profile
@options.timeout
@options.as_json
@click.pass_context
def doctor(context: click.Context, *, timeout: float, as_json: bool) -> None:
    """Find out why something does not work; what the user reads about it is above."""
    if context.invoked_subcommand is None:
        context.exit(_examine(timeout, as_json=as_json))


_SIGNS: Final = {"ok": "+", "problem": "!", "unknown": "?", "skipped": "-"}


def _examine(timeout: float, *, as_json: bool) -> int:
    from payme.cli.health import NAMES, checks

    seen = {"ok": 0, "problem": 0, "unknown": 0, "skipped": 0}
    told: list[dict[str, str]] = []
    for check in checks(timeout):
        seen[check.verdict] += 1
        told.append(check._asdict())
        if not as_json:
            click.echo(f"{_SIGNS[check.verdict]} {NAMES[check.name]():<20} {check.seen}")
            if check.remedy:
                click.echo(f"  {'':<20} {check.remedy}")
    if as_json:
        click.echo(json.dumps({"ok": not seen["problem"], "checks": told}, ensure_ascii=False))
    return 1 if seen["problem"] else 3 if seen["unknown"] else 0


@doctor.command(
    "browser",
    help=tell(
        """Serverga brauzer karta formasining birinchi chaqiruvidan oldin yuboradigan soʻrovni
        yuborish.

        Karta ham, kassa maʼlumotlari ham yuborilmaydi. Chiqish kodi: 0 brauzer davom etardi; 1 rad
        etardi; 3 hech kim javob bermadi.

        \b
          payme doctor browser --endpoint test --origin https://shop.uz
          payme doctor browser --endpoint http://127.0.0.1:3000/api""",
        """Отправить серверу запрос, который браузер шлёт перед первым вызовом формы карты.

        Ни карта, ни данные кассы не отправляются. Код выхода: 0 браузер продолжил бы; 1 отказался
        бы; 3 никто не ответил.

        \b
          payme doctor browser --endpoint test --origin https://shop.uz
          payme doctor browser --endpoint http://127.0.0.1:3000/api""",
        """Ask a host the preflight that a browser sends before the card form's first call.

        No card and no credential is sent. Exits with 0 when a browser would go on, with 1 when it
        would refuse, with 3 when nobody answered.

        \b
          payme doctor browser --endpoint test --origin https://shop.uz
          payme doctor browser --endpoint http://127.0.0.1:3000/api""",
    ),
)
@click.option(
    "--endpoint",
    default="live",
    show_default=True,
    help=tell(
        "Soʻraladigan server: live, test yoki sandbox manzili.",
        "Какой сервер спросить: live, test или адрес песочницы.",
        "Host to ask: live, test, or the address of a sandbox.",
    ),
)
@click.option(
    "--origin",
    default="https://shop.example",
    show_default=True,
    help=tell(
        "Forma turgan sahifaning manzili (origin).",
        "Источник (origin) страницы с формой.",
        "Origin of the page that holds the form.",
    ),
)
@options.exchange_timeout
@options.as_json
def browser(*, endpoint: str, origin: str, timeout: float, as_json: bool) -> None:
    """Ask what a browser would ask; what the user reads about it is above."""
    from payme.card_form import api_url

    try:
        url = api_url(endpoint)
    except InvalidArgument as error:
        raise click.UsageError(str(error)) from None
    if not _ORIGIN.fullmatch(origin):
        raise click.BadParameter(
            tell(
                "sxema va server nomi kutilgan, masalan https://shop.uz",
                "ожидались схема и имя сервера, например https://shop.uz",
                "expected a scheme and a host, such as https://shop.uz",
            ),
            param_hint="--origin",
        )
    seen = ask(url, origin, timeout)
    click.echo(_as_json(url, origin, seen) if as_json else _as_text(url, origin, seen))
    click.get_current_context().exit(EXITS[seen.verdict])


def ask(url: str, origin: str, timeout: float) -> Seen:
    """Send the preflight of the card form.

    Args:
        url: Address of the API.
        origin: Origin of the page.
        timeout: Seconds to wait.

    Returns:
        What came back, and what a browser makes of it.
    """
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": _WANTED,
        "User-Agent": "payme-uz doctor",
    }
    request = urllib.request.Request(url, headers=headers, method="OPTIONS")  # noqa: S310 - http(s)
    try:
        with _opener().open(request, timeout=timeout) as response:
            return judge(response.status, response.headers, origin)
    except urllib.error.HTTPError as error:
        with error:
            return judge(error.code, error.headers, origin)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return Seen(
            "no_answer", f"{tell('javob yoʻq', 'нет ответа', 'no answer')}: {reason}"[:_LONGEST]
        )


def judge(status: int, headers: Message, origin: str) -> Seen:
    """Read the answer to a preflight as a browser does.

    Args:
        status: HTTP status.
        headers: Its headers.
        origin: Origin of the page.

    Returns:
        The verdict.
    """
    allows: dict[str, str] = {}
    for name, value in headers.items():
        if name.lower().startswith(_ALLOWS):
            before = allows.get(name.lower())
            allows[name.lower()] = value if before is None else f"{before}, {value}"
    why = _refusal(status, allows, origin)
    verdict: Verdict = "refused" if why else "works"
    allowed = tell(
        f"server {origin} ga X-Auth yuborishga ruxsat beradi",
        f"сервер разрешает {origin} отправлять X-Auth",
        f"the host allows {origin} to send X-Auth",
    )
    return Seen(verdict, why or allowed, status, allows)


def _refusal(status: int, allows: Mapping[str, str], origin: str) -> str:
    if not 200 <= status < 300:
        return tell(
            f"status {status}: faqat 200–299 yaraydi, yoʻnaltirishga ergashilmaydi",
            f"статус {status}: подходят только 200–299, перенаправлениям браузер не следует",
            f"status {status}: only 200 to 299 will do, and a redirect is not followed",
        )
    allowed = allows.get(f"{_ALLOWS}origin")
    if allowed is None:
        return tell(
            "Access-Control-Allow-Origin yoʻq: server boshqa saytlar sahifalariga ochiq emas",
            "нет Access-Control-Allow-Origin: сервер не говорит со страницами других источников",
            "no Access-Control-Allow-Origin: the host does not speak to pages of other origins",
        )
    if allowed not in ("*", origin):
        said = f"Access-Control-Allow-Origin: {allowed[:_LONGEST]}"
        return tell(
            f"{said}, sahifa esa {origin}",
            f"{said}, а страница на {origin}",
            f"{said}, and the page is {origin}",
        )
    names = [name.strip().lower() for name in allows.get(f"{_ALLOWS}headers", "").split(",")]
    if _WANTED not in names and "*" not in names:
        return tell(
            "Access-Control-Allow-Headers da X-Auth yoʻq",
            "в Access-Control-Allow-Headers нет X-Auth",
            "Access-Control-Allow-Headers does not name X-Auth",
        )
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing: a browser does not, either."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect())


def _as_json(url: str, origin: str, seen: Seen) -> str:
    told = {"endpoint": url, "origin": origin, **seen._asdict()}
    told |= {"meaning": tell(*_MEANINGS[seen.verdict]), "evidence": tell(*_SEEN)}
    return json.dumps(told, ensure_ascii=False, indent=2)


def _as_text(url: str, origin: str, seen: Seen) -> str:
    page = tell("sahifa", "страница", "page")
    lines = [f"OPTIONS {url}", f"  {page}: {origin}"]
    if seen.status is not None:
        lines.append(f"  {tell('status', 'статус', 'status')} {seen.status}")
    lines += [f"  {name}: {value[:_LONGEST]}" for name, value in sorted(seen.allows.items())]
    meaning = tell(*_MEANINGS[seen.verdict])
    return "\n".join([*lines, f"{seen.verdict}: {seen.why}", meaning, tell(*_SEEN)])
