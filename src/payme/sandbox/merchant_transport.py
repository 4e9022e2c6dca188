"""What carries Payme's requests to the merchant: a function in this process, or HTTP."""

from collections.abc import Callable
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from payme.sandbox.errors import InvalidSetting, Unanswered

MerchantApp = Callable[[bytes, dict[str, str]], tuple[int, bytes]]
"""A merchant in the same process: takes a body and headers, returns an HTTP status and a body."""


class MerchantTransport(Protocol):
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


class AppTransport:
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


def endpoint(url: str) -> SplitResult:
    """Read the address of a merchant's endpoint.

    Raises:
        InvalidSetting: If it can't be used.
    """
    try:
        parts = urlsplit(url)
        usable = (
            isinstance(url, str)
            and parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
        )
    except (ValueError, TypeError, AttributeError):  # what is no text comes from JSON
        usable, parts = False, SplitResult("", "", "", "", "")
    if not usable or parts.username is not None or not (url.isascii() and url.isprintable()):
        raise InvalidSetting(
            "merchant_url", url, "http(s)://host[:port]/path without a login; the key is an option"
        )
    return parts
