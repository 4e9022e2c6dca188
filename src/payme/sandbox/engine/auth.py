"""The X-Auth header: a cash-box id for the payer's side, `id:key` for the merchant's server."""

import hmac

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
    # Only the first colon divides: a key may contain others.
    sent_id, colon, sent_key = (x_auth or "").partition(":")
    if not _equal(sent_id, merchant_id):
        raise Refused(Reason.UNKNOWN_CASH_BOX, "invalid_id")
    if colon and not _equal(sent_key, key):
        raise Refused(Reason.WRONG_KEY)
    return bool(colon)


def _equal(sent: str, expected: str) -> bool:
    # Constant-time; bytes because compare_digest rejects non-ASCII str.
    return hmac.compare_digest(
        sent.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )
