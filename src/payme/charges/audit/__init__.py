"""The audit: Payme's receipts, the ledger, and the merchant's own transactions, side by side.

`differences` says what differs, and why it is proven; `listing` keeps Payme's receipts in a file,
so that memory stays the same; `comparison` reads the books and lays them beside each other;
`report` writes what was found. `payme.charges.audit.sql` reads the transactions of a store of
`payme.merchant`; whoever keeps them elsewhere gives a `Transactions` of their own.
"""

from payme.charges.audit.books import ChargeBooks, Transactions
from payme.charges.audit.comparison import Audit
from payme.charges.audit.differences import Difference, Kind, MerchantTransaction, Side

__all__ = [
    "Audit",
    "ChargeBooks",
    "Difference",
    "Kind",
    "MerchantTransaction",
    "Side",
    "Transactions",
]
