"""What `payme doctor` looks at, from the inside to the outside: each check rests on those before.

Nothing here moves money or changes anything. One call of the API is made, `receipts.get_all` of an
empty second, because only a call that carries the key can say whether the key is right.
"""

import base64
import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

import payme
from payme import configuration
from payme.cli.connection import LOGIN, Connection, found
from payme.cli.unusable import Unusable
from payme.cli.words import tell
from payme.errors import (
    AccessDenied,
    ConfigurationError,
    NotSent,
    OutcomeUnknown,
    PaymeError,
    Rejected,
)

Verdict = Literal["ok", "problem", "unknown", "skipped"]

DISTRIBUTION: Final = "payme-uz"

MAX_SKEW_S: Final = 30.0
"""From here on the clock is called wrong: `time` of the Merchant API and periods depend on it."""

_SOON: Final = timedelta(days=14)


class Check(NamedTuple):
    """What was looked at, and what was seen."""

    name: str
    verdict: Verdict
    seen: str
    remedy: str = ""


def checks(timeout: float) -> Iterator[Check]:
    """Look at everything, and go on as far as it makes sense.

    Args:
        timeout: Seconds for each look at the network.

    Yields:
        What was seen, as soon as it is.
    """
    yield distribution()
    try:
        where = found()
        configuration.check_secure(where.base_url, None, allow_http=False)
        between = configuration.proxy(None, where.base_url)
    except Unusable as error:
        yield Check("credentials", "problem", error.seen, error.remedy)
        return
    except ConfigurationError as error:
        # It says itself what is expected.
        yield Check("credentials", "problem", str(error))
        return
    yield _credentials(where)
    if between is not None:
        # What stands behind a proxy is seen by a call through it alone.
        yield Check("reachability", "skipped", tell(*_PROXY))
    else:
        reached = reachability(where.base_url, timeout)
        yield reached
        if reached.verdict != "ok":
            return
        secured = tls(where.base_url, timeout)
        yield secured
        if secured.verdict == "problem":
            return
        yield clock(where.base_url, timeout)
    yield access(where, timeout)


_PROXY: Final = (
    "muhitda proksi koʻrsatilgan; u orqali chaqiruv tekshiriladi",
    "в окружении задан прокси; проверяется вызов через него",
    "the environment names a proxy; a call through it is tried",
)


def distribution() -> Check:
    """See whether the modules `payme` are those of this distribution, and of it alone."""
    name = "distribution"
    others = sorted(
        {one for one in metadata.packages_distributions().get("payme", []) if one != DISTRIBUTION}
    )
    remedy = tell(
        f"pip uninstall {' '.join(others) or '...'}, soʻng pip install --force-reinstall "
        f"--no-deps {DISTRIBUTION}",
        f"pip uninstall {' '.join(others) or '...'}, затем pip install --force-reinstall "
        f"--no-deps {DISTRIBUTION}",
        f"pip uninstall {' '.join(others) or '...'}, then pip install --force-reinstall "
        f"--no-deps {DISTRIBUTION}",
    )
    if others:
        seen = tell(
            f"payme nomi boshqa paketda ham bor: {', '.join(others)}; ular bir-birining "
            "fayllarini bosib ketadi",
            f"имя payme есть и у другого пакета: {', '.join(others)}; они затирают файлы друг "
            "друга",
            f"another package owns the name payme, too: {', '.join(others)}; they overwrite each "
            "other's files",
        )
        return Check(name, "problem", seen, remedy)
    changed = _changed_files()
    if changed:
        seen = tell(
            f"oʻrnatilgandan keyin oʻzgargan fayllar: {', '.join(changed[:3])}",
            f"файлы изменены после установки: {', '.join(changed[:3])}",
            f"files were changed since they were installed: {', '.join(changed[:3])}",
        )
        return Check(name, "problem", seen, remedy)
    return Check(name, "ok", f"{DISTRIBUTION} {payme.__version__}, {Path(payme.__file__).parent}")


def _changed_files() -> list[str]:
    """Return files of ours that another package has overwritten, by their recorded hashes."""
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    changed: list[str] = []
    for file in files:
        if file.suffix != ".py" or file.hash is None or file.hash.mode != "sha256":
            continue
        try:
            content = Path(str(file.locate())).read_bytes()
        except OSError:
            changed.append(str(file))
            continue
        seen = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if seen != file.hash.value:
            changed.append(str(file))
    return changed


def _credentials(where: Connection) -> Check:
    about = f"{where.merchant_id}, {where.base_url} ({where.source})"
    if where.key:
        return Check("credentials", "ok", about)
    seen = tell(f"{about}: kalit yoʻq", f"{about}: ключа нет", f"{about}: there is no key")
    return Check("credentials", "problem", seen, tell(*LOGIN))


def reachability(url: str, timeout: float) -> Check:
    """See whether the host has an address, and answers at it.

    Args:
        url: Address of the API.
        timeout: Seconds.
    """
    host, port, _ = _parts(url)
    try:
        addresses = {one[4][0] for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        seen = tell(
            f"{host} manzili topilmadi: {error}",
            f"адрес {host} не найден: {error}",
            f"{host} has no address: {error}",
        )
        remedy = tell("DNS ni tekshiring", "проверьте DNS", "check the DNS")
        return Check("reachability", "problem", seen, remedy)
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError as error:
        seen = tell(
            f"{host}:{port} javob bermayapti: {error}",
            f"{host}:{port} не отвечает: {error}",
            f"{host}:{port} does not answer: {error}",
        )
        remedy = tell(
            "tarmoq va devor qoidalarini tekshiring; sandbox boʻlsa, u ishlab turibdimi?",
            "проверьте сеть и правила экрана; если это песочница, запущена ли она?",
            "check the network and the firewall; if it is a sandbox, does it run?",
        )
        return Check("reachability", "problem", seen, remedy)
    return Check("reachability", "ok", f"{host}:{port} ({', '.join(sorted(map(str, addresses)))})")


def tls(url: str, timeout: float) -> Check:
    """See whether the certificate of the host is one that this computer trusts.

    Args:
        url: Address of the API.
        timeout: Seconds.
    """
    host, port, secure = _parts(url)
    if not secure:
        seen = tell("http: shifrlanmagan", "http: без шифрования", "http: not encrypted")
        return Check("tls", "skipped", seen)
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as channel,
        ):
            until = (channel.getpeercert() or {}).get("notAfter")
            version = channel.version()
    except ssl.SSLCertVerificationError as error:
        remedy = tell(
            "tizim sertifikatlarini yangilang (ca-certificates); kompaniya proksisi boʻlsa, uning "
            "CA si SSL_CERT_FILE da boʻlsin. Tekshiruvni oʻchirmang: kalit oʻgʻirlanadi",
            "обновите сертификаты системы (ca-certificates); если трафик проверяет прокси "
            "компании, укажите его CA в SSL_CERT_FILE. Не отключайте проверку: ключ украдут",
            "renew the system's certificates (ca-certificates); where a company's proxy looks into "
            "the traffic, name its CA in SSL_CERT_FILE. Don't switch verification off: the key "
            "would be stolen",
        )
        return Check("tls", "problem", error.verify_message, remedy)
    except OSError as error:
        return Check("tls", "problem", str(error), tell("TLS?", "TLS?", "is there TLS at all?"))
    ends = _moment(until)
    seen = f"{version}" + (f", {ends:%Y-%m-%d}" if ends else "")
    if ends is not None and ends - datetime.now(UTC) < _SOON:
        soon = tell("sertifikat tez tugaydi", "сертификат скоро истечёт", "the certificate ends")
        return Check("tls", "ok", f"{soon}: {seen}")
    return Check("tls", "ok", seen)


def _moment(until: object) -> datetime | None:
    if not isinstance(until, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)


def clock(url: str, timeout: float) -> Check:
    """Compare this computer's clock with the host's, by the `Date` of an answer.

    Args:
        url: Address of the API.
        timeout: Seconds.
    """
    try:
        before = datetime.now(UTC)
        date = _date(url, timeout)
        after = datetime.now(UTC)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Check("clock", "unknown", str(error))
    if date is None:
        seen = tell("server vaqtini aytmadi", "сервер не сообщил время", "the host tells no time")
        return Check("clock", "unknown", seen)
    # `Date` has whole seconds, and was written somewhere between the two.
    ahead = max((before - date).total_seconds() - 1, (date - after).total_seconds(), 0)
    if ahead <= MAX_SKEW_S:
        seen = tell("toʻgʻri", "верно", "right")
        return Check("clock", "ok", f"{seen} ({datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
    slow = date > after
    seen = tell(
        f"soat {ahead:.0f} soniya {'orqada' if slow else 'oldinda'}",
        f"часы {'отстают' if slow else 'спешат'} на {ahead:.0f} с",
        f"the clock is {ahead:.0f} s {'slow' if slow else 'fast'}",
    )
    remedy = tell(
        "vaqtni moslashtiring (NTP)", "включите синхронизацию времени (NTP)", "switch on NTP"
    )
    return Check("clock", "problem", seen, remedy)


def _date(url: str, timeout: float) -> datetime | None:
    host, port, secure = _parts(url)
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout)
        if secure
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    try:
        # No credential and no method of the API: any answer has a date.
        connection.request("HEAD", urlsplit(url).path or "/")
        told = connection.getresponse().getheader("Date")
    finally:
        connection.close()
    return None if told is None else parsedate_to_datetime(told)


def access(where: Connection, timeout: float) -> Check:
    """See whether the host takes the id and the key.

    Args:
        where: Who calls, and where.
        timeout: Seconds.
    """
    if not where.key:
        seen = tell("kalit yoʻq", "ключа нет", "there is no key")
        return Check("access", "skipped", seen)
    from payme.client import Payme

    end = datetime.now(UTC)
    try:
        with Payme(
            where.merchant_id, where.key.open(), base_url=where.base_url, timeout=timeout
        ) as client:
            client.receipts.get_all(1, end - timedelta(seconds=1), end)
    except AccessDenied as error:
        return Check("access", "problem", str(error.code), _in(error))
    except Rejected as error:
        return Check("access", "unknown", f"{error.code} {error.message}", _in(error))
    except (NotSent, OutcomeUnknown) as error:
        return Check("access", "unknown", str(error))
    except PaymeError as error:
        return Check("access", "problem", str(error))
    seen = tell(
        "identifikator va kalit qabul qilindi",
        "идентификатор и ключ приняты",
        "the id and the key are accepted",
    )
    return Check("access", "ok", seen)


def _in(error: Rejected) -> str:
    remedy = error.remedy
    return tell(remedy.uz, remedy.ru, remedy.en)


def _parts(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if secure else 80), secure


NAMES: Final[dict[str, Callable[[], str]]] = {
    "distribution": lambda: tell("paket", "пакет", "package"),
    "credentials": lambda: tell("kassa maʼlumotlari", "данные кассы", "credentials"),
    "reachability": lambda: tell("aloqa", "связь", "reachability"),
    "tls": lambda: "TLS",
    "clock": lambda: tell("soat", "часы", "clock"),
    "access": lambda: tell("kirish", "доступ", "access"),
}
"""What a check is called, for a person."""
