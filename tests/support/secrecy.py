"""What no text may show."""

import html
import traceback
import urllib.parse
from collections.abc import Iterable

from support.fourteen import CARD, CODE, EMAIL, PHONE, State


def secrets_of(state: State, key: str) -> list[str]:
    shown = {key, html.escape(key), urllib.parse.quote(key)}
    return [CARD, CODE, PHONE, EMAIL, *shown, state.token, state.unverified]


def texts_of(error: BaseException) -> list[str]:
    """Every text that an error may be turned into."""
    texts = [str(error), repr(error), "".join(traceback.format_exception(error))]
    texts += [repr(getattr(error, name, "")) for name in ("args", "message", "data", "_text")]
    texts += getattr(error, "__notes__", [])
    if error.__cause__ is not None:
        texts += texts_of(error.__cause__)
    return texts


def assert_hidden(secrets: Iterable[str], texts: Iterable[str]) -> None:
    found = [(secret, text) for text in texts for secret in secrets if secret in text]
    assert not found, f"a secret is shown: {found[0]}"
