"""What a command that fails says: a sentence for a person, an object for a program, an exit code.

Exit codes are the same for every command, because scripts decide by them:

====  =============================================================================
0     done, or well
1     not done, and that is certain: Payme refused, nothing was sent, a check failed
2     misused: an option, a credential or an extra is wrong or missing
3     not known: it may have happened, or it is not decided yet
130   interrupted, and nothing is on its way
====  =============================================================================
"""

import errno
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from payme.cli.words import language, tell

if TYPE_CHECKING:
    from payme.errors import InvalidArgument, OutcomeUnknown, PaymeError, Rejected

FAILED: Final = 1
MISUSED: Final = 2
NOT_KNOWN: Final = 3
INTERRUPTED: Final = 130


class Failure(NamedTuple):
    """Why a command did not do what it was asked."""

    kind: str
    message: str
    exit_code: int
    details: Mapping[str, Any] = MappingProxyType({})
    """What else is known, for programs: `method`, `receipt_id`, `code`, `remedy`, `next` ..."""

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        told = {"kind": self.kind, "message": self.message, "exit_code": self.exit_code}
        return {"error": {**told, **self.details}}


# What a full disk, a reader that has gone, and a broken device answer to whoever writes to them.
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EPIPE, errno.EIO})


class Unheard(click.ClickException):
    """Whoever read the answer has gone; its cause is the error of the pipe."""

    exit_code = NOT_KNOWN

    def __init__(self) -> None:
        super().__init__("")


def is_unwritten(error: BaseException) -> bool:
    """Return whether it was the answer that could not be written, not the command that failed."""
    return isinstance(error, OSError) and not error.filename and error.errno in _UNWRITABLE


class Undecided(click.ClickException):
    """It is not known how it ends: neither a success nor a failure."""

    exit_code = NOT_KNOWN


class MissingExtra(click.UsageError):
    """A command needs what is not installed.

    Args:
        message: What is needed, and how it is installed.
        extra: Name of the extra; several with commas between.
    """

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(message)
        self.extra: Final = extra


class Declined(click.ClickException):
    """A person said no, or nobody could be asked, before anything was sent."""


def failure_of(error: BaseException, command: str = "payme") -> Failure | None:
    """Describe an error.

    Args:
        error: What a command raised.
        command: What was called, such as `payme sandbox`.

    Returns:
        What to say of it; None for an error that is a defect of this package.
    """
    from payme.errors import PaymeError, lost_in

    if isinstance(error, click.Abort):
        lost = lost_in(error)
        return _interrupted() if lost is None else _unknown(lost)
    if isinstance(error, click.ClickException):
        return _of_click(error)
    if isinstance(error, PaymeError):
        return _of_payme(error)
    if isinstance(error, ModuleNotFoundError):
        return _missing(error, command)
    if is_unwritten(error):
        return _unwritten(error)
    if isinstance(error, OSError) and error.filename:
        return Failure("failed", f"{error.filename}: {error.strerror}", FAILED)
    return None


def _unwritten(error: BaseException) -> Failure:
    """Say that there is no answer; what was asked for may well be done."""
    reason = error.strerror if isinstance(error, OSError) else error
    text = tell(
        f"Javobni yozib boʻlmadi ({reason}); buyruq bajarilgan boʻlishi mumkin.",
        f"Не удалось вывести ответ ({reason}); команда могла быть выполнена.",
        f"The answer could not be written ({reason}); the command may have been executed.",
    )
    return Failure("unknown", text, NOT_KNOWN)


def _interrupted() -> Failure:
    return Failure("interrupted", tell("Toʻxtatildi.", "Прервано.", "Interrupted."), INTERRUPTED)


def _of_click(error: click.ClickException) -> Failure:
    from payme.errors import PaymeError

    cause = error.__cause__
    known: Mapping[str, Any] = MappingProxyType({})
    details = _of_payme(cause).details if isinstance(cause, PaymeError) else known
    kind = next((name for one, name in _KINDS if isinstance(error, one)), "failed")
    if isinstance(error, MissingExtra):
        details = {"extra": error.extra}
    return Failure(kind, _without_secrets(error, _in_words(error)), error.exit_code, details)


_KINDS: Final = (
    (MissingExtra, "extra"),
    (click.UsageError, "usage"),
    (Undecided, "unknown"),
    (Declined, "declined"),
)


def _in_words(error: click.ClickException) -> str:
    """Write click's own messages in the language of this process; others are written already."""
    if isinstance(error, click.NoSuchOption):
        said = tell("nomaʼlum opsiya", "неизвестный параметр", "no such option")
        return f"{said}: {error.option_name}{_meant(error.possibilities or ())}"
    if found := _NO_SUCH_COMMAND.match(error.message):
        said = tell("bunday buyruq yoʻq", "нет такой команды", "no such command")
        return f"{said}: {found[1]}{_meant(_nearest(error, found[1]))}"
    if isinstance(error, click.MissingParameter):
        missing = tell("yetishmayapti", "не хватает", "missing")
        return f"{missing}: {_name(error)}"
    if isinstance(error, click.BadParameter):
        name, said = _name(error), _of_clicks_own(error.message)
        return f"{name}: {said}" if name else said
    return _of_clicks_own(error.format_message())


_NO_SUCH_COMMAND: Final = re.compile(r"No such command '(.*?)'\.")

# What click says, as its releases since 8.1 write it, in Uzbek and Russian: it has no translations
# of its own. What is reworded one day stays English.
_CLICK: Final = tuple(
    (re.compile(pattern, re.DOTALL), uz, ru)
    for pattern, uz, ru in (
        (r"(.*) is not a valid integer(?: range)?\.", "{}: butun son kutilgan",
         "{}: ожидалось целое число"),
        (r"(.*) is not a valid float(?: range)?\.", "{}: son kutilgan", "{}: ожидалось число"),
        (r"(.*) is not in the range (.*)\.", "{} {} oraligʻida emas", "{} вне диапазона {}"),
        (r"(.*) is not one of (.*)\.", "{}: bulardan biri kutilgan: {}",
         "{}: ожидалось одно из: {}"),
        (r"(?:File|Path|Directory) (.*) does not exist\.", "{} yoʻq", "{} не существует"),
        (r"(?:File|Path|Directory) (.*) is a directory\.", "{} papka", "{} — это папка"),
        (r"(?:File|Path|Directory) (.*) is not writable\.", "{} ga yozib boʻlmaydi",
         "в {} нельзя писать"),
        (r"Got unexpected extra arguments? \((.*)\)", "ortiqcha argument: {}",
         "лишний аргумент: {}"),
        (r"Option '(.*)' requires an argument\.", "{}: qiymat kutilgan", "{}: ожидалось значение"),
        (r"Option '(.*)' does not take a value\.", "{}: bu opsiya qiymat olmaydi",
         "{}: этот параметр не принимает значения"),
        (r"Missing command\.", "buyruq yetishmayapti", "не хватает команды"),
    )
)  # fmt: skip


def _of_clicks_own(said: str) -> str:
    """Translate a message that click wrote; ours are in the right language already."""
    for pattern, uz, ru in _CLICK:
        if found := pattern.fullmatch(said):
            return tell(uz.format(*found.groups()), ru.format(*found.groups()), said)
    return said


def _meant(names: Iterable[str]) -> str:
    """Suggest what may have been meant; nothing when nothing is near."""
    nearest = ", ".join(names)
    meant = tell("balki", "возможно, имелось в виду", "did you mean")
    return f" ({meant}: {nearest})" if nearest else ""


def _nearest(error: click.ClickException, name: str) -> list[str]:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or not isinstance(context.command, click.Group):
        return []
    return get_close_matches(name, context.command.list_commands(context))


def _name(error: click.BadParameter) -> str:
    if error.param_hint is not None:
        hint = error.param_hint
        return hint if isinstance(hint, str) else " / ".join(hint)
    if error.param is None:
        return ""
    is_option = isinstance(error.param, click.Option)
    return error.param.opts[0] if is_option else error.param.make_metavar(_context(error))


def _context(error: click.BadParameter) -> click.Context:
    return error.ctx or click.Context(click.Command(""))


def _without_secrets(error: click.ClickException, text: str) -> str:
    """Mask a card number or a token that was typed where it does not belong.

    Names of files are left, which are as long as tokens; and what is no misuse repeats no argument.
    """
    from payme import redact

    kind = error.param.type if isinstance(error, click.BadParameter) and error.param else None
    of_a_file = isinstance(kind, click.Path | click.File)
    return redact.scrub(text) if isinstance(error, click.UsageError) and not of_a_file else text


def _of_payme(error: "PaymeError") -> Failure:
    from payme.errors import (
        ConfigurationError,
        InvalidArgument,
        NotSent,
        OutcomeUnknown,
        Rejected,
    )

    if isinstance(error, Rejected):
        return _refused(error)
    if isinstance(error, OutcomeUnknown):
        return _unknown(error)
    details = _about(error)
    if isinstance(error, InvalidArgument):
        return Failure("argument", refusal(error), MISUSED, {**details, "argument": error.argument})
    if isinstance(error, ConfigurationError):
        return Failure("configuration", str(error), MISUSED, details)
    if isinstance(error, NotSent):
        safe = tell(
            "Hech narsa yuborilmadi; takrorlash xavfsiz.",
            "Ничего не было отправлено; повторить безопасно.",
            "Nothing was sent; trying again is safe.",
        )
        return Failure("not_sent", f"{error}\n{safe}", FAILED, details)
    return Failure("failed", str(error), FAILED, details)


def refusal(error: "InvalidArgument", uz: str | None = None, ru: str | None = None) -> str:
    """Say in the language of this process why a value was refused.

    Args:
        error: The refusal, whose words are English.
        uz: What was expected, in Uzbek; as the refusal says it if left out.
        ru: The same in Russian.
    """
    name, got, rest = str(error).partition(": got ")
    if not got:
        return str(error)
    given = rest.removesuffix(f", expected {error.expected}")
    return tell(
        f"{name}: {given} berilgan, {uz or error.expected} kutilgan",
        f"{name}: указано {given}, ожидалось: {ru or error.expected}",
        str(error),
    )


def _about(error: "PaymeError") -> dict[str, Any]:
    known = {"method": error.method, "receipt_id": error.receipt_id}
    return {name: value for name, value in known.items() if value}


def _refused(error: "Rejected") -> Failure:
    meaning, remedy = error.text(language()), error.remedy._asdict()[language()]
    said = f"{error.method or 'Payme'}: {error.code} {error.message}".rstrip()
    details = {
        **_about(error),
        "code": error.code,
        "class": type(error).__name__,
        "meaning": meaning,
        "remedy": remedy,
    }
    return Failure("rejected", f"{said}\n{meaning} {remedy}", FAILED, details)


def _unknown(error: "OutcomeUnknown") -> Failure:
    """Say what may have happened, and which command finds out."""
    next_ = truth(error)
    lines = [str(error), _consequence(error.method)]
    if next_:
        lines.append(f"  {next_}")
    details = {**_about(error), **({"next": next_} if next_ else {})}
    return Failure("outcome_unknown", "\n".join(lines), NOT_KNOWN, details)


# What each method may have done when its answer is lost; the reason that each sentence can be
# believed stands at the method in `payme.receipts` and `payme.cards`.
_MOVES: Final = {
    "receipts.pay": "pay",
    "receipts.cancel": "cancel",
    "receipts.confirm_hold": "confirm",
}


def truth(error: "OutcomeUnknown") -> str | None:
    """Return the command that finds out what became of a call.

    Args:
        error: The error of the call.

    Returns:
        The command; None where there is nothing to find out.
    """
    from payme.cli.profiles import chosen

    name = chosen()
    profile = f" --profile {name}" if name else ""
    if error.method in _MOVES and error.receipt_id:
        # Once a cancellation may be on its way, only its end is an end.
        after = "cancel" if error.cancels else _MOVES[error.method]
        return f"payme receipts resolve {error.receipt_id} --after {after}{profile}"
    if error.method in {"cards.verify", "cards.remove"}:
        return f"payme cards check{profile}"
    return None


def _consequence(method: str) -> str:
    if method in _MOVES:
        return tell(
            "Nima boʻlgani nomaʼlum: pul harakatlangan boʻlishi mumkin. Boshqa chek toʻlamang. "
            "Haqiqatni mana bu buyruq aniqlaydi:",
            "Исход неизвестен: деньги могли уйти. Не оплачивайте другой чек. Узнать правду можно "
            "командой:",
            "What became of it is not known: money may have moved. Do not pay another receipt. "
            "This command finds out:",
        )
    if method in {"receipts.create", "cards.create"}:
        return tell(
            "Javob kelmadi. Hech kimdan pul olinmadi: yangisini yarating.",
            "Ответ не пришёл. Деньги ни с кого не списаны: создайте новый.",
            "No answer came. Nobody was charged: create another.",
        )
    if method in {"cards.verify", "cards.remove"}:
        return tell(
            "Javob kelmadi. Kartaning holatini mana bu buyruq koʻrsatadi:",
            "Ответ не пришёл. Состояние карты покажет команда:",
            "No answer came. This command shows the state of the card:",
        )
    if method in {"receipts.send", "cards.get_verify_code"}:
        return tell(
            "Javob kelmadi. Takrorlash mumkin: koʻpi bilan yana bitta SMS boradi.",
            "Ответ не пришёл. Можно повторить: в худшем случае придёт ещё одно SMS.",
            "No answer came. It may be repeated: at most a second SMS is sent.",
        )
    return tell(
        "Javob kelmadi. Takrorlash xavfsiz.",
        "Ответ не пришёл. Повторить безопасно.",
        "No answer came. It is safe to repeat.",
    )


_EXTRAS: Final = {
    "sqlalchemy": "charges",
    "cryptography": "charges",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
    "jinja2": "sandbox",
    "segno": "qr",
    "httpcore2": "cli",
    "rich": "cli",
    "django": "django",
    "procrastinate": "procrastinate",
    "celery": "celery",
}


def _missing(error: ModuleNotFoundError, command: str) -> Failure | None:
    name = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(name)
    if extra is None:
        return None
    what = tell(
        f"{command} uchun {name} kerak", f"для {command} нужен {name}", f"{command} needs {name}"
    )
    # `sandbox` brings `cli` with it.
    extras = extra if extra in {"cli", "sandbox"} else f"cli,{extra}"
    return Failure("extra", f'{what}: pip install "payme-uz[{extras}]"', MISUSED, {"extra": extra})
