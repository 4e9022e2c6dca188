"""`AsyncWallet`: saved cards over an asyncio client; the same decisions as `Wallet`."""

import builtins
from typing import Any, TypeVar, cast

from payme import flow as driver
from payme.charges import saved
from payme.charges.core import Save
from payme.charges.ledger import AsyncLedger
from payme.charges.ledger.cards import cards_of
from payme.charges.procedures import Ask, Flow, ProcedureStep
from payme.charges.saved import SavedCard
from payme.client import AsyncPayme
from payme.wallet.procedures import Procedures

T = TypeVar("T")


class AsyncWallet:
    """Saved cards over an asyncio client.

    Args:
        client: The client; it must live as long as this. `remove` needs its key.
        ledger: Where cards are kept, beside the charges: an `AsyncSqlLedger`.

    Raises:
        ConfigurationError: The ledger keeps no cards.

    Example:
        >>> wallet = AsyncWallet(payme, AsyncSqlLedger("postgresql://shop@db/shop", keys=[key]))
        >>> card = await wallet.add("customer-17", token_from_the_form)
        >>> card.number
        '860006******6311'
    """

    def __init__(self, client: AsyncPayme, ledger: AsyncLedger) -> None:
        self._client = client
        # Its methods are those of a blocking one, to be awaited.
        self._ledger = cast("Any", ledger)
        cards_of(self._ledger)
        session = client._session  # pyright: ignore[reportPrivateUsage]
        self._procedures = Procedures(session)

    async def add(
        self, customer: str, token: str, *, recurring: bool = False, default: bool | None = None
    ) -> SavedCard:
        """Save a card, if Payme says that it may be charged.

        Added again, a card is kept once, with the token that came last: the same token, or a card
        of this customer that shows the same number and expiry.

        Args:
            customer: Id of the customer that you choose, at most 128 visible characters. Take it
                from your session, never from the browser that brings the token.
            token: Token of the card, as the form brought it; Payme is asked what it stands for.
            recurring: Refuse a card that can't be charged again.
            default: True makes it the default card of the customer. None leaves that as it is; the
                first card is the default. False, for a new card: not the default, not even the
                first, until `make_default`.

        Returns:
            The card.

        Raises:
            InvalidArgument: Refused before anything was sent.
            CardUnusable: It is not verified, has expired, or can't be charged again.
            CardConflict: The token is saved for another customer, or is being removed.
            NotFound: Payme doesn't know the token.
            OutcomeUnknown: No answer; nothing was stored, add it again.
        """
        asked = saved.addition(customer, token, recurring=recurring, default=default)
        del customer, token
        return await self._run(self._procedures.add(asked))

    async def list(self, customer: str) -> builtins.list[SavedCard]:
        """Read the cards of a customer, the default first, then the oldest.

        Args:
            customer: Id of the customer.

        Returns:
            The cards; one whose removal was begun is among them until Payme has said that it is
            done. Look at `can_be_charged`.

        Raises:
            InvalidArgument: That is no customer's id.
        """
        return await self._run(self._procedures.of(customer))

    async def get(self, card_id: str) -> SavedCard:
        """Read a card.

        Args:
            card_id: Id of the card.

        Returns:
            The card as it is stored; Payme is not asked.

        Raises:
            CardNotFound: There is none.
        """
        return await self._run(self._procedures.get(card_id))

    async def default(self, customer: str) -> SavedCard | None:
        """Read the card that `charge(customer=…)` takes.

        It may be one that can't be charged, such as an expired one: then nothing is charged until
        another is chosen or added with `default=True`.

        Args:
            customer: Id of the customer.

        Returns:
            The card; None if the customer has none.

        Raises:
            InvalidArgument: That is no customer's id.
        """
        return await self._run(self._procedures.default(customer))

    async def make_default(self, card_id: str) -> SavedCard:
        """Make a card the default of its customer.

        Args:
            card_id: Id of the card. One that came from a browser belongs to whom it belongs: see
                that it is among `list(customer)`.

        Returns:
            The card.

        Raises:
            CardNotFound: There is no such card.
            CardUnusable: It is being removed.
        """
        return await self._run(self._procedures.make_default(card_id))

    async def refresh(self, card_id: str) -> SavedCard:
        """Ask Payme about a card again, and store what it says: still good, expired, or gone.

        Args:
            card_id: Id of the card.

        Returns:
            The card as it is now; one that is being removed is not asked about.

        Raises:
            CardNotFound: There is no such card.
            OutcomeUnknown: No answer; the card is as it was.
        """
        return await self._run(self._procedures.refresh(card_id))

    async def remove(self, card_id: str) -> None:
        """Remove a card: at Payme, then here.

        From the moment that it begins, no payment with the card is begun. When the answer is lost
        the card stays `removing`, and another call, or `recover`, finishes it. If it was the
        default, the card that was the default before takes its place, or else the oldest.

        Args:
            card_id: Id of the card. One that came from a browser belongs to whom it belongs: see
                that it is among `list(customer)`.

        Raises:
            CardNotFound: There is no such card; perhaps it was removed.
            ConfigurationError: The client has no key.
            NotSent: Payme could not be reached; call it again.
            OutcomeUnknown: No answer; call it again.
            Rejected: Payme refused; the card stays `removing`.
        """
        await self._run(self._procedures.remove(card_id))

    async def recover(self) -> int:
        """Finish removals that were begun and whose answer was lost; call it now and then.

        Returns:
            How many cards are removed now.
        """
        return await self._run(self._procedures.recover())

    async def _run(self, flow: Flow[T]) -> T:
        return await driver.arun(flow, self._perform)

    async def _perform(self, step: ProcedureStep) -> Any:
        if isinstance(step, Ask):
            return await step.act(self._ledger)
        assert not isinstance(step, Save)  # noqa: S101 - no charge is changed here
        return await self._client._perform(step)  # pyright: ignore[reportPrivateUsage]
