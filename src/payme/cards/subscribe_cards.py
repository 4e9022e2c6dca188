"""`PaymeSubscribeCards`, as the specification of this package defines it."""

from typing import Any, ClassVar

from payme.protocol import calls
from payme.protocol.calls import prepare
from payme.subscribe import SubscribeClient


class PaymeSubscribeCards(SubscribeClient):
    """Methods of cards that return the server's JSON as a plain dict, a JSON-RPC error included.

    New code is better served by `payme.Payme`, which raises errors and returns typed values.

    Args:
        base_url: Address of the API, with or without a slash at the end.
        paycom_id: Id of the cash-box.
        timeout: Seconds for a call.

    Source: https://developer.help.paycom.uz/metody-subscribe-api/

    Example:
        >>> client = PaymeSubscribeCards(
        ...     base_url="https://checkout.test.paycom.uz/api/", paycom_id="..."
        ... )
        >>> answer = client.cards_create(number="8600069195406311", expire="0399", save=True)
        >>> answer["result"]["card"]["number"]
        '860006******6311'
    """

    _WITHOUT_ID: ClassVar = frozenset(
        method for method in calls.METHODS if method.startswith("cards.")
    )

    def __init__(self, base_url: str, paycom_id: str, timeout: float = 5) -> None:
        super().__init__(base_url, paycom_id, "", timeout)

    def cards_create(self, number: str, expire: str, save: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Make a token for a card.

        Args:
            number: Card number, at most 18 digits.
            expire: Expiry as `MMYY`; `MM/YY` is taken too.
            save: True for a token that can be used again.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        call = prepare(calls.cards_create, number, expire, save=save)
        del number, expire
        return self._call(call)

    def card_get_verify_code(self, token: str) -> dict[str, Any]:
        """Send an SMS code to the card's owner.

        Args:
            token: Token from `cards_create`.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        call = prepare(calls.cards_get_verify_code, token)
        del token
        return self._call(call)

    def cards_verify(self, verify_code: str, token: str) -> dict[str, Any]:
        """Confirm a card with the SMS code.

        Args:
            verify_code: The code, as text.
            token: Token from `cards_create`.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        call = prepare(calls.cards_verify, token, verify_code)
        del token, verify_code
        return self._call(call)

    def cards_check(self, token: str) -> dict[str, Any]:
        """Look at the card behind a token.

        Args:
            token: Token of the card.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        call = prepare(calls.cards_check, token)
        del token
        return self._call(call)

    def cards_remove(self, token: str) -> dict[str, Any]:
        """Delete a token.

        Args:
            token: Token of the card.

        Returns:
            The server's answer.

        Raises:
            InvalidArgument: Refused before sending.
            PaymeTimeoutException: No answer.
        """
        call = prepare(calls.cards_remove, token)
        del token
        return self._call(call)
