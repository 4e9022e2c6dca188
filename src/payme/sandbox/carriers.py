"""What carries Payme's requests to the merchant: a function in this process, or HTTP."""

from collections.abc import Callable
from typing import Protocol

from payme.sandbox.engine.model import Outcome
from payme.sandbox.errors import InvalidSetting

MerchantApp = Callable[[bytes, dict[str, str]], tuple[int, bytes]]
"""A merchant in the same process: takes a body and headers, returns an HTTP status and a body."""


class Unanswered(Exception):
    """No answer came.

    Args:
        outcome: Why: `unreachable`, `timeout` or `lost`.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome: Outcome = outcome


class Carrier(Protocol):
    """Carries a request to the merchant, and its answer back."""

    inline: bool
    """Whether the merchant is served in the thread that asks."""

    def send(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request.

        Returns:
            HTTP status and body.

        Raises:
            Unanswered: If no answer came.
        """
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


class AppCarrier:
    """Hands requests to a function in the thread that asks.

    An exception is what it would be on a wire: `ConnectionRefusedError` no connection,
    `TimeoutError` no answer in time, another `OSError` a lost answer, anything else a status 500.

    Args:
        app: The merchant.
    """

    inline = True

    def __init__(self, app: MerchantApp) -> None:
        self._app = app

    def send(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Hand a request over."""
        try:
            status, answer = self._app(body, headers)
            return _checked(status, answer)
        except ConnectionRefusedError:
            raise Unanswered("unreachable") from None
        except TimeoutError:
            raise Unanswered("timeout") from None
        except OSError:
            raise Unanswered("lost") from None
        except Exception as error:  # noqa: BLE001 - a merchant that fails is what is being tried
            return 500, f"{type(error).__name__}: {error}".encode()

    def close(self) -> None:
        """Do nothing."""


def _checked(status: object, answer: object) -> tuple[int, bytes]:
    if not isinstance(status, int) or not isinstance(answer, bytes):
        raise TypeError("a merchant returns an HTTP status and the bytes of a body")
    return status, answer


def carrier(url: str | None, app: MerchantApp | None, timeout: float) -> Carrier | None:
    """Make what carries requests to the merchant.

    Args:
        url: Endpoint of the merchant.
        app: A merchant in this process.
        timeout: Longest time that a request may take, in seconds.

    Raises:
        InvalidSetting: If the URL or the time can't be used, or both merchants are given.
    """
    if url is not None and app is not None:
        raise InvalidSetting("merchant", app, "no value beside merchant_url")
    if not 0 < timeout <= 3600:
        raise InvalidSetting("merchant_timeout", timeout, "seconds, more than 0 and at most 3600")
    if url is not None:
        # Its library is most of what a sandbox would cost to import.
        from payme.sandbox.http_carrier import HttpCarrier

        return HttpCarrier(url, timeout)
    return None if app is None else AppCarrier(app)
