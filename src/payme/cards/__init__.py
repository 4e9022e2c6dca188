"""Cards: tokens that stand for a card."""

from collections.abc import Mapping

from payme.protocol import calls
from payme.protocol.calls import prepare
from payme.protocol.flows import AsyncRun, Run
from payme.protocol.models import Card, VerifyCode

# What may be secret is dropped before a call is made: error reporters upload the locals of every
# frame that an exception leaves.


class Cards:
    """Methods of cards, blocking: `Payme.cards`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def create(
        self,
        number: str,
        expire: str,
        *,
        save: bool = True,
        account: Mapping[str, str | int] | None = None,
        customer: str | None = None,
    ) -> Card:
        """Make a token for a card.

        Card numbers may not pass through a merchant's server: this method is for a front end or a
        test, and carries the cash-box id alone.

        Args:
            number: Card number, 13 to 18 digits; spaces are dropped.
            expire: Expiry as `MMYY`, month first.
            save: True for a token that can be used again, False for one that vanishes with its
                payment.
            account: Fields of the cash-box settings.
            customer: The payer's id in the merchant's system.

        Returns:
            The card with its token; `verify` is False until the SMS code is confirmed.

        Raises:
            InvalidCard: Payme knows no such card.
            OutcomeUnknown: No answer; make another token.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.create
        """
        call = prepare(
            calls.cards_create, number, expire, save=save, account=account, customer=customer
        )
        del number, expire, account, customer
        return self._run(call)

    def get_verify_code(self, token: str) -> VerifyCode:
        """Send an SMS code to the card's owner.

        Args:
            token: Token from `create`.

        Returns:
            Whether it was sent, the masked phone, and how many milliseconds the code is valid.

        Raises:
            SmsNotConnected: The bank sends no SMS for this card.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.get_verify_code
        """
        call = prepare(calls.cards_get_verify_code, token)
        del token
        return self._run(call)

    def verify(self, token: str, code: str) -> Card:
        """Confirm a card with the SMS code.

        Args:
            token: Token from `create`.
            code: The code, as text: it may start with a zero.

        Returns:
            The card; `verify` is True now.

        Raises:
            WrongCode: Ask the payer again.
            CodeExpired: Ask for a new code.
            TooManyAttempts: Ask for a new code.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.verify
        """
        call = prepare(calls.cards_verify, token, code)
        del token, code
        return self._run(call)

    def check(self, token: str) -> Card:
        """Look at the card behind a token.

        Args:
            token: Token of the card.

        Returns:
            The card.

        Raises:
            NotFound: The token was removed, or never was.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.check
        """
        call = prepare(calls.cards_check, token)
        del token
        return self._run(call)

    def remove(self, token: str) -> bool:
        """Delete a token.

        Args:
            token: Token of the card.

        Returns:
            True.

        Raises:
            NotFound: It is gone already.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.remove
        """
        call = prepare(calls.cards_remove, token)
        del token
        return self._run(call)


class AsyncCards:
    """Methods of cards under asyncio: `AsyncPayme.cards`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def create(
        self,
        number: str,
        expire: str,
        *,
        save: bool = True,
        account: Mapping[str, str | int] | None = None,
        customer: str | None = None,
    ) -> Card:
        """Make a token for a card.

        Card numbers may not pass through a merchant's server: this method is for a front end or a
        test, and carries the cash-box id alone.

        Args:
            number: Card number, 13 to 18 digits; spaces are dropped.
            expire: Expiry as `MMYY`, month first.
            save: True for a token that can be used again, False for one that vanishes with its
                payment.
            account: Fields of the cash-box settings.
            customer: The payer's id in the merchant's system.

        Returns:
            The card with its token; `verify` is False until the SMS code is confirmed.

        Raises:
            InvalidCard: Payme knows no such card.
            OutcomeUnknown: No answer; make another token.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.create
        """
        call = prepare(
            calls.cards_create, number, expire, save=save, account=account, customer=customer
        )
        del number, expire, account, customer
        return await self._run(call)

    async def get_verify_code(self, token: str) -> VerifyCode:
        """Send an SMS code to the card's owner.

        Args:
            token: Token from `create`.

        Returns:
            Whether it was sent, the masked phone, and how many milliseconds the code is valid.

        Raises:
            SmsNotConnected: The bank sends no SMS for this card.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.get_verify_code
        """
        call = prepare(calls.cards_get_verify_code, token)
        del token
        return await self._run(call)

    async def verify(self, token: str, code: str) -> Card:
        """Confirm a card with the SMS code.

        Args:
            token: Token from `create`.
            code: The code, as text: it may start with a zero.

        Returns:
            The card; `verify` is True now.

        Raises:
            WrongCode: Ask the payer again.
            CodeExpired: Ask for a new code.
            TooManyAttempts: Ask for a new code.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.verify
        """
        call = prepare(calls.cards_verify, token, code)
        del token, code
        return await self._run(call)

    async def check(self, token: str) -> Card:
        """Look at the card behind a token.

        Args:
            token: Token of the card.

        Returns:
            The card.

        Raises:
            NotFound: The token was removed, or never was.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.check
        """
        call = prepare(calls.cards_check, token)
        del token
        return await self._run(call)

    async def remove(self, token: str) -> bool:
        """Delete a token.

        Args:
            token: Token of the card.

        Returns:
            True.

        Raises:
            NotFound: It is gone already.

        Source: https://developer.help.paycom.uz/metody-subscribe-api/cards.remove
        """
        call = prepare(calls.cards_remove, token)
        del token
        return await self._run(call)
