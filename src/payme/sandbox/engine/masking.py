"""What may be shown of what went over the wire: `payme.redact`, told what a sandbox meets besides.

There a secret is known by the name of its member or by its looks as text. Whoever tries an API out
also sends a card as a number, and calls the members what they like.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from payme import redact

# 998 and nine digits: the shortest number that may be a phone; cards are longer.
_SHORTEST: Final = 10**11


def _code(_: str) -> str:
    return redact.CODE


_BY_NAME: Final[dict[str, Callable[[str], str]]] = {
    **dict.fromkeys(("pan", "card", "cardnumber"), redact.card_number),
    **dict.fromkeys(("tel", "telephone", "msisdn", "mobile", "phonenumber"), redact.phone),
    **dict.fromkeys(("otp", "sms", "smscode", "verificationcode"), _code),
    **dict.fromkeys(("cvc", "cvv", "cvc2", "cvv2"), _code),
}
"""Names beyond those of the protocol, without case, underscores and hyphens."""


def tree(document: Any, secrets: Iterable[str] = ()) -> Any:
    """Redact a JSON value.

    Args:
        document: Dicts, lists and scalars.
        secrets: Strings known to be secret here, whatever they look like.

    Returns:
        A copy in which cards, phones, codes, tokens and keys are masked, numbers included.
    """
    return redact.tree(_named(document), secrets=secrets)


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
