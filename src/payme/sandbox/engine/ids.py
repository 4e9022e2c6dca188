"""Ids, tokens and keys that look like Payme's."""

import re
from random import Random
from string import ascii_letters, digits
from typing import Final

_HEX: Final = "0123456789abcdef"
_ALPHANUMERIC: Final = ascii_letters + digits
_KEY_ALPHABET: Final = f"{_ALPHANUMERIC}?%&@#!^*"
_TOKEN_TAIL: Final = 390
_KEY_LENGTH: Final = 36

_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_TOKEN: Final = re.compile(r"[0-9a-f]{24}_[0-9A-Za-z]{1,1000}")


def object_id(rng: Random, now: int, number: int) -> str:
    """Make an id of 24 hex digits: time, chance and a counter, like the ones Payme shows.

    Args:
        rng: Source of chance.
        now: Time in ms.
        number: Counter that keeps ids apart even when chance repeats itself.
    """
    return f"{now // 1000 & 0xFFFFFFFF:08x}{rng.getrandbits(40):010x}{number & 0xFFFFFF:06x}"


def is_object_id(text: str) -> bool:
    """Return whether a text has the form of such an id."""
    return _OBJECT_ID.fullmatch(text) is not None


def token(rng: Random, now: int, number: int) -> str:
    """Make a card token: an id, an underscore and 390 letters and digits."""
    tail = "".join(rng.choices(_ALPHANUMERIC, k=_TOKEN_TAIL))
    return f"{object_id(rng, now, number)}_{tail}"


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def merchant_id(rng: Random) -> str:
    """Make the id of a cash-box."""
    return "".join(rng.choices(_HEX, k=24))


def key(rng: Random) -> str:
    """Make the key of a cash-box."""
    return "".join(rng.choices(_KEY_ALPHABET, k=_KEY_LENGTH))
