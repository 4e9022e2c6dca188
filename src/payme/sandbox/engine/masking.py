"""What may be shown of what went over the wire: `payme.redact`, told what a sandbox meets besides.

There a secret is known by the name of its member or by its looks as text. Whoever tries an API out
also sends a card as a number, and calls the members what they like.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeGuard, cast

from payme import redact

_IKPU: Final = re.compile(r"[01][0-9]{16}")

# 998 and nine digits: the shortest number that may be a phone; cards are longer.
_SHORTEST: Final = 10**11


def _code(_: str) -> str:
    return redact.CODE


_BY_NAME: Final[dict[str, Callable[[str], str]]] = {
    **dict.fromkeys(("pan", "card", "cardnumber"), redact.card_number),
    **dict.fromkeys(("tel", "telephone", "msisdn", "mobile", "phonenumber"), redact.phone),
    **dict.fromkeys(("otp", "pin", "sms", "smscode", "verificationcode"), _code),
    **dict.fromkeys(("cvc", "cvv", "cvc2", "cvv2"), _code),
}
"""Names beyond those of the protocol, without case, underscores and hyphens."""


def tree(document: Any, secrets: Iterable[str] = ()) -> Any:
    """Redact a JSON value.

    Args:
        document: Dicts, lists and scalars.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        A copy in which cards, phones, codes, tokens and keys are masked, numbers included. An IKPU
        in the lines of a `detail` is shown.
    """
    told = [*secrets]
    clean = redact.tree(_named(document), secrets=told)
    _show_ikpu(document, clean, told)
    return clean


def is_ikpu(value: object) -> TypeGuard[str]:
    """Return whether a value can be an IKPU and no card number.

    An IKPU has 17 digits and begins with the number of a group of goods, 001 to 1xx. What is paid
    with here begins with 2 to 9: 0 and 1 are not given to banks (ISO/IEC 7812).
    """
    return isinstance(value, str) and _IKPU.fullmatch(value) is not None


def number(value: float) -> float | str:
    """Mask a number that looks like a card or a phone; any other stays as it is."""
    if isinstance(value, bool) or not _SHORTEST <= value < 10.0**30:
        return value
    if value != int(value):
        return value
    text = str(int(value))
    shown = redact.scrub(text)
    return value if shown == text else shown


def is_secret(name: str) -> bool:
    """Return whether a member of that name is masked although the protocol has no such name."""
    return _mask(name) is not None


def _show_ikpu(given: Any, clean: Any, secrets: list[str]) -> None:
    """Put the IKPU of each line of a `detail` back, wherever in a document it stands.

    They are known by their place as well as by their looks: `code` is the SMS code's name too.
    """
    if isinstance(given, list) and isinstance(clean, list):
        for one, shown in zip(cast("list[Any]", given), cast("list[Any]", clean), strict=True):
            _show_ikpu(one, shown, secrets)
    if not isinstance(given, dict) or not isinstance(clean, dict):
        return
    shown_members = cast("dict[str, Any]", clean)
    for name, member in cast("dict[str, Any]", given).items():
        shown = shown_members.get(name)
        if name == "detail" and isinstance(member, dict) and isinstance(shown, dict):
            _show_lines(cast("Any", member), cast("Any", shown), secrets)
        elif shown is not None:
            _show_ikpu(member, shown, secrets)


def _show_lines(detail: dict[str, Any], clean: dict[str, Any], secrets: list[str]) -> None:
    lines, shown = detail.get("items"), clean.get("items")
    if not isinstance(lines, list) or not isinstance(shown, list):
        return
    for line, masked in zip(cast("list[Any]", lines), cast("list[Any]", shown), strict=True):
        if not isinstance(line, dict):
            continue
        code = cast("dict[str, Any]", line).get("code")
        if is_ikpu(code) and not any(secret and secret in code for secret in secrets):
            masked["code"] = code


def _mask(name: str) -> Callable[[str], str] | None:
    return _BY_NAME.get(name.lower().replace("_", "").replace("-", ""))


def _named(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        # `redact` shows the names of an account's fields, which anybody may choose.
        return {redact.scrub(key): _named(member, key) for key, member in members.items()}
    if isinstance(value, list):
        return [_named(member, name) for member in cast("list[Any]", value)]
    if value is None or isinstance(value, bool):
        return value
    mask = _mask(name)
    if mask is not None:
        return mask(str(value))
    return number(value) if isinstance(value, int | float) else value
