"""The one place where secrets are taken out of text.

Card numbers, tokens, keys, SMS codes and phones pass through here before they become part of a
`repr`, an exception, a log line or an export. `value` and `tree` know a secret by the name of its
field; `scrub` knows it by its looks, and by being told. What this package itself holds is a
`Secret`, because error reporters upload the locals of every frame.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, cast

KEY: Final = "<key>"
CODE: Final = "<code>"
TOKEN: Final = "<token>"  # noqa: S105 - a mask, not a password


class Secret:
    """A secret that is shown as a mask, and opened only where the bytes of a request are made.

    Args:
        value: The secret.
        mask: What stands for it in every rendering.

    Example:
        >>> Secret("666666", CODE)
        <code>
    """

    __slots__ = ("_mask", "_value")

    def __init__(self, value: str, mask: str = "<redacted>") -> None:
        self._value = value
        self._mask = mask

    def open(self) -> str:
        """Return the secret itself. Use it in an expression; bind it to no name."""
        return self._value

    def __repr__(self) -> str:
        return self._mask

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; pickle the error or the id that goes with it")


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


def account(fields: Mapping[str, object], secrets: Iterable[str | Secret] = ()) -> dict[str, Any]:
    """Show an account, its names as well: anybody may choose them, and a form mixes them up.

    Args:
        fields: Values by the names of their fields.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        A copy without secrets.
    """
    told = [*secrets]
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        # What is no value of a field may hold anything, and is shown as text.
        one = str(tree(value, name, told)) if isinstance(value, dict | list) else value
        # Known secrets first, as in `tree`.
        shown[scrub(name, told)] = account_value(scrub(one, told) if isinstance(one, str) else one)
    return shown


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


def members(names: Iterable[str], given: object) -> list[tuple[str, Any]]:
    """Redact the members of an object, for its `__repr__` and `__rich_repr__`.

    Args:
        names: Names of the members.
        given: The object.

    Returns:
        Each name with its value, redacted by the name.
    """
    return [(name, value(name, getattr(given, name))) for name in names]


def value(name: str, given: object) -> object:
    """Redact a value by the name of its field or argument.

    Args:
        name: Such as `token`, `number` or `amount`.
        given: Any value.

    Returns:
        The value if the name is harmless and the text shows no secret, otherwise a masked string.
    """
    if isinstance(given, Secret):
        return repr(given)
    mask = _BY_NAME.get(name)
    if mask is not None and given is not None and not isinstance(given, bool):
        return mask(str(given))
    return scrub(given) if isinstance(given, str) else given


def tree(given: Any, name: str = "", secrets: Iterable[str | Secret] = ()) -> Any:
    """Redact a JSON value: every member by its name, every string by its looks.

    Args:
        given: Dicts, lists and scalars.
        name: Name of the member that holds the value.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        A copy without secrets. A `code` is masked, an IKPU code too: a mask too many is cheaper
        than an SMS code in a log. A whole number beside a `message` is the code of an error, and
        stays.
    """
    if isinstance(given, dict):
        found = cast("dict[Any, Any]", given)
        if name == "account":
            return account({str(key): member for key, member in found.items()}, secrets)
        return {
            tree(key, secrets=secrets): member
            if key == "code" and _is_error_code(member, found)
            else tree(member, str(key), secrets)
            for key, member in found.items()
        }
    if isinstance(given, list | tuple):
        return [tree(member, name, secrets) for member in cast("list[Any]", given)]
    # What is known goes first: a mask by looks would leave the ends of a secret that looks like a
    # card.
    return value(name, scrub(given, secrets) if isinstance(given, str) else given)


def _is_error_code(code: object, siblings: dict[Any, Any]) -> bool:
    # Error codes are negative by convention of JSON-RPC; a merchant's endpoint may answer others.
    return isinstance(code, int) and ("message" in siblings or code < 0)


def scrub(text: str, secrets: Iterable[str | Secret] = ()) -> str:
    """Take secrets out of free text.

    Args:
        text: An error message, a log line.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        The text with every secret replaced by its mask.
    """
    told = (one.open() if isinstance(one, Secret) else one for one in secrets)
    for secret in sorted((one for one in told if len(one) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(secret, "<redacted>")
    text = _TOKEN.sub(TOKEN, text)
    text = _BASIC.sub(rf"\1\2{KEY}", text)
    text = _PHONE.sub(lambda found: phone(found[0]), text)
    return _CARD.sub(lambda found: card_number(found[0]), text)
