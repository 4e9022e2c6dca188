"""The one place where secrets are taken out of text.

Card numbers, tokens, keys, SMS codes and phones pass through here before they become part of a
`repr`, an exception, a log line or an export. Two ways lead in: `value` and `tree` know a secret
by the name of its field; `scrub` knows it by its looks, and by being told.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

KEY: Final = "<key>"
CODE: Final = "<code>"
TOKEN: Final = "<token>"  # noqa: S105 - a mask, not a password

# Digits with the separators people type. Runs of 13 are left alone: they are timestamps in
# milliseconds. Runs of 24 are receipt ids. Letters next to the run mean an identifier, not a
# number.
_SEP: Final = r"[ \u00a0\-]?"
_CARD: Final = re.compile(rf"(?<![0-9A-Za-z])(?:\d{_SEP}){{13,22}}\d(?![0-9A-Za-z])")
_PHONE: Final = re.compile(
    rf"(?<![0-9A-Za-z])\+?998{_SEP}(?:[()]?{_SEP}\d){{2}}{_SEP}[()]?(?:{_SEP}\d){{7}}(?![0-9A-Za-z])"
)
_TOKEN: Final = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-f]{24}_[0-9A-Za-z+/=_\-]+|[0-9A-Za-z+/=_\-]{64,}"
)
_BASIC: Final = re.compile(
    r"(?i)\b(x-auth|authorization|password)(\W{1,3})[^\s,;\"']+( [0-9A-Za-z+/=]{8,})?"
)


# A shorter secret (nobody's code has two digits) would tear holes into numbers and words.
_SHORTEST: Final = 3


def card_number(number: str) -> str:
    """Mask a card number as Payme does: six digits, stars, four digits.

    Args:
        number: Digits, perhaps with separators or masked already.

    Returns:
        ``860006******6311``; stars alone when there are too few digits to leave any visible.
    """
    bare = re.sub(r"[^0-9*]", "", number)
    if len(bare) < 13:
        return "*" * len(bare)
    return f"{bare[:6]}{'*' * (len(bare) - 10)}{bare[-4:]}"


def phone(number: str) -> str:
    """Mask a phone number as Payme does: ``99890*****27``.

    Args:
        number: Digits, perhaps with separators or masked already.

    Returns:
        Five leading and two trailing digits of a full number; stars alone for anything shorter.
    """
    bare = re.sub(r"[^0-9*]", "", number)
    if len(bare) < 12:
        return "*" * len(bare)
    return f"{bare[:5]}{'*' * (len(bare) - 7)}{bare[-2:]}"


def account_value(value: object) -> object:
    """Show the value of an account field, unless it may be a phone or a card.

    Merchants use phones, logins and contract numbers as accounts. An order number is shown, because
    without it a receipt can't be told from another.

    Args:
        value: The value as Payme or the merchant gave it.

    Returns:
        The value, or a masked string.
    """
    text = str(value)
    if sum(c.isdigit() for c in text) >= 9 or "@" in text:
        return phone(text) if "@" not in text else "<e-mail>"
    return scrub(value) if isinstance(value, str) else value


def _token(_: str) -> str:
    return TOKEN


def _key(_: str) -> str:
    return KEY


def _code(_: str) -> str:
    return CODE


def _email(_: str) -> str:
    return "<e-mail>"


_BY_NAME: Final[dict[str, Callable[[str], str]]] = {
    "number": card_number,
    "token": _token,
    "code": _code,
    "verify_code": _code,
    "phone": phone,
    "payer_phone": phone,
    "key": _key,
    "password": _key,
    "paycom_key": _key,
    "email": _email,
    "number_hash": _token,
}


def value(name: str, given: object) -> object:
    """Redact a value by the name of its field or argument.

    Args:
        name: Such as `token`, `number` or `amount`.
        given: Any value.

    Returns:
        The value if the name is harmless and the text shows no secret, otherwise a masked string.
    """
    mask = _BY_NAME.get(name)
    if mask is not None and given is not None and not isinstance(given, bool):
        return mask(str(given))
    return scrub(given) if isinstance(given, str) else given


def tree(given: Any, name: str = "", secrets: Iterable[str] = ()) -> Any:
    """Redact a JSON value: every member by its name, every string by its looks.

    Args:
        given: Dicts, lists and scalars.
        name: Name of the member that holds the value.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        A copy without secrets. IKPU codes and other members named `code` are masked too: a mask too
        many is cheaper than a code in a log.
    """
    if isinstance(given, dict):
        members = cast("dict[Any, Any]", given)
        if name == "account":
            return {key: account_value(member) for key, member in members.items()}
        return {
            tree(key, secrets=secrets): tree(member, str(key), secrets)
            for key, member in members.items()
        }
    if isinstance(given, list | tuple):
        return [tree(member, name, secrets) for member in cast("list[Any]", given)]
    # What is known goes first: a mask by looks would leave the ends of a secret that looks like a
    # card.
    return value(name, scrub(given, secrets) if isinstance(given, str) else given)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Take secrets out of free text.

    Args:
        text: An error message, a log line.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        The text with every secret replaced by its mask.
    """
    for secret in sorted((s for s in secrets if len(s) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(secret, "<redacted>")
    text = _TOKEN.sub(TOKEN, text)
    text = _BASIC.sub(rf"\1\2{KEY}", text)
    text = _PHONE.sub(lambda found: phone(found[0]), text)
    return _CARD.sub(lambda found: card_number(found[0]), text)
