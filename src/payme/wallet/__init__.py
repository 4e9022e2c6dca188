"""Saved cards: a card is bound once and charged later, without its number.

The wallet keeps cards beside the charges, in the same ledger, and believes what `cards.check` says
of a card, never the browser that brought its token. `Charges.charge(…, customer=…)` takes the
default card of a customer.
"""

from payme.charges.saved import CardConflict, CardNotFound, CardState, CardUnusable, SavedCard
from payme.wallet.aio import AsyncWallet
from payme.wallet.blocking import Wallet

__all__ = [
    "AsyncWallet",
    "CardConflict",
    "CardNotFound",
    "CardState",
    "CardUnusable",
    "SavedCard",
    "Wallet",
]
