"""Credentials that are kept on this computer: one file, for its owner alone.

    [default]
    merchant_id = "587f72c72cac0d162c722ae2"
    key = "..."
    base_url = "https://checkout.test.paycom.uz/api"

The key is in a file rather than in an argument because every user of a computer reads the arguments
of its programs, and a shell keeps them in its history. A file that others can read is refused,
instead of warned about: what was read once is no secret any more.
"""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import click

from payme.cli.words import tell
from payme.redact import Secret

if TYPE_CHECKING:
    from payme.cli.unusable import Unusable

DEFAULT: Final = "default"
PROFILE: Final = "PAYME_PROFILE"

_META: Final = "payme.cli.profile"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,31}")
_MEMBERS: Final = ("merchant_id", "key", "base_url")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Profile(NamedTuple):
    """Credentials under a name."""

    merchant_id: str
    key: Secret
    base_url: str


def path() -> Path:
    """Return the file: in the folder where this platform keeps settings of programs."""
    return Path(click.get_app_dir("payme")) / "profiles.toml"


def checked_name(context: click.Context, option: click.Parameter, given: str | None) -> str | None:
    """Check the name of a profile and remember it for the whole command.

    Raises:
        click.BadParameter: It is no name.
    """
    if given is None:
        return None
    if not _NAME.fullmatch(given):
        expected = tell(
            "lotin harflari, raqamlar, _ va - kutilgan, 32 tagacha",
            "ожидались латинские буквы, цифры, _ и -, не больше 32",
            "expected letters, digits, _ and -, at most 32",
        )
        raise click.BadParameter(expected, ctx=context, param=option)
    context.meta[_META] = given
    return given


def chosen() -> str | None:
    """Return the name of the profile that was asked for; None if none was."""
    context = click.get_current_context(silent=True)
    name: str | None = context.meta.get(_META) if context else None
    return name or os.environ.get(PROFILE) or None


def read() -> dict[str, Profile]:
    """Read every profile.

    Raises:
        ConfigurationError: Others can read the file, or it is damaged.
    """
    # Loaded here: every command has the option `--profile`, and most read no profile.
    import tomllib

    file = path()
    try:
        # What is checked is what is read: the file can't be exchanged in between.
        with file.open("rb") as opened:
            _require_private(file, os.fstat(opened.fileno()))
            found = tomllib.load(opened)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise _damaged(str(file)) from None
    return {name: _profile(file, name, told) for name, told in found.items()}


def _unusable(seen: str, remedy: str) -> "Unusable":
    from payme.cli.unusable import Unusable

    return Unusable(seen, remedy)


def _require_private(file: Path, status: os.stat_result) -> None:
    # On Windows a user's folder of settings is closed to others, and modes say nothing.
    if os.name != "posix":
        return
    if status.st_uid not in (os.geteuid(), 0):
        owned = tell(
            f"{file} boshqa foydalanuvchiga tegishli",
            f"{file} принадлежит другому пользователю",
            f"{file} belongs to another user",
        )
        remedy = tell(
            "uni oʻchiring va payme login ni bajaring",
            "удалите его и выполните payme login",
            "remove it, and run payme login",
        )
        raise _unusable(owned, remedy)
    if status.st_mode & _OTHERS:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        readable = tell(
            f"{file} ni boshqalar oʻqiy oladi (huquqlari {mode})",
            f"{file} доступен другим (права {mode})",
            f"{file} is open to others (mode {mode})",
        )
        remedy = tell(
            "chmod 600 bering va kalitni kabinetda almashtiring",
            "выполните chmod 600 и смените ключ в кабинете",
            "chmod 600 it, and renew the key in the cabinet",
        )
        raise _unusable(readable, remedy)


def _profile(file: Path, name: str, told: Any) -> Profile:
    found = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    members = [one for one in map(found.get, _MEMBERS) if isinstance(one, str)]
    if len(members) != len(_MEMBERS):
        raise _damaged(f"{file} [{name}]")
    merchant_id, key, base_url = members
    return Profile(merchant_id, Secret(key, "<key>"), base_url)


def _damaged(where: str) -> "Unusable":
    return _unusable(
        tell(f"{where} ni oʻqib boʻlmadi", f"{where} не читается", f"{where} can't be read"),
        tell(
            "payme login bilan qaytadan yozing",
            "запишите его заново командой payme login",
            "write it again with payme login",
        ),
    )


def write(profiles: dict[str, Profile]) -> None:
    """Write every profile; a crash leaves the file as it was or as it shall be.

    Args:
        profiles: All that there shall be.

    Raises:
        OSError: The folder can't be written to.
    """
    import secrets

    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            for name, profile in profiles.items():
                opened.write(_section(name, profile))
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _section(name: str, profile: Profile) -> str:
    import json

    # Members are visible ASCII: as JSON they are strings of TOML, too.
    return (
        f"[{name}]\n"
        f"merchant_id = {json.dumps(profile.merchant_id)}\n"
        f"key = {json.dumps(profile.key.open())}\n"
        f"base_url = {json.dumps(profile.base_url)}\n\n"
    )
