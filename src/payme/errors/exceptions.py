"""The name that the seed's classes raise when the network fails."""

from payme.errors import PaymeError


class PaymeTimeoutException(PaymeError):
    """No usable answer came: no connection, a timeout, a lost or unreadable answer.

    `sent` says what is known: with `no` nothing was executed and calling again is safe; with
    `maybe` Payme may have executed the call, so look at the receipt before you repeat anything.
    """


__all__ = ["PaymeTimeoutException"]
