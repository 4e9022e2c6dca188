"""The X-Auth header: a cash-box id for the payer's side, `id:key` for the merchant's server."""

import base64
import binascii
import hmac
from collections.abc import Collection
from typing import Final

from payme.sandbox.engine.refusals import Reason, Refused


def authenticate(x_auth: str | None, merchant_id: str, key: str) -> bool:
    """Hold the header against the cash-box.

    Args:
        x_auth: Value of the header; None when it was not sent.
        merchant_id: Id of the sandbox's cash-box.
        key: Its key.

    Returns:
        Whether the caller proved the key, and not only named the cash-box.

    Raises:
        Refused: If the header is missing, names another cash-box or carries a wrong key.
    """
    if _equal(x_auth or "", f"{merchant_id}:{key}"):
        return True
    # Only the first colon divides: a key may contain others.
    sent_id, colon, sent_key = (x_auth or "").partition(":")
    if not _equal(sent_id, merchant_id):
        raise Refused(Reason.UNKNOWN_CASH_BOX, "invalid_id")
    if colon and not _equal(sent_key, key):
        raise Refused(Reason.WRONG_KEY)
    return bool(colon)


UNPROVEN: Final = frozenset({Reason.UNKNOWN_CASH_BOX, Reason.WRONG_KEY, Reason.KEY_NEEDED})
"""Why `X-Auth` was not enough. Payme answers all of them with the same -32504."""


_MAX_IDS: Final = 5
"""How many cash-boxes are named to who calls one that is not there."""


def explain(x_auth: str | None, merchant_id: str, others: Collection[str] = ()) -> str:
    """Say to the developer what is wrong with a header that was refused.

    The text does without the header's name before other words: whatever masks secrets takes what
    follows it for one.

    Args:
        x_auth: Value of the header; None when it was not sent.
        merchant_id: Id of the cash-box that was asked.
        others: Ids of the sandbox's other cash-boxes.
    """
    ids = [merchant_id, *others]
    sent_id, colon, _ = (x_auth or "").partition(":")
    if not (x_auth or "").strip():
        return "the call has no access header: Payme reads X-Auth"
    if sent_id.split(" ")[0].lower() in {"basic", "bearer", "token"}:
        return "the header holds id:key in plain text, without a word before it and without Base64"
    if _equal(sent_id, merchant_id):
        return (
            "the id in the header is right, the key after the colon is not"
            if colon
            else "the header holds the id alone, and this method needs id:key"
        )
    if sent_id.strip(" \"'") in ids:
        return "the header has spaces or quotation marks around the id"
    if not colon and _is_base64(x_auth or ""):
        return "the header is Base64: Payme takes id:key in plain text"
    shown = [*ids[:_MAX_IDS], *(["…"] if len(ids) > _MAX_IDS else [])]
    return f"the id in the header is of no cash-box here: this sandbox has {', '.join(shown)}"


def _is_base64(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False


def _equal(sent: str, expected: str) -> bool:
    # Constant-time; bytes because compare_digest rejects non-ASCII str.
    if sent.isascii() and expected.isascii():
        return hmac.compare_digest(sent, expected)
    return hmac.compare_digest(
        sent.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )
