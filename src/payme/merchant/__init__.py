"""The Merchant API: Payme calls the merchant, and goods are never released wrongly.

What a shop needs is here: `Merchant` answers requests, `Order` describes what is paid for, a store
keeps transactions. Stores and frameworks that have to be installed are in modules of their own:
`stores.sqlalchemy`, `django`, `asgi`, `fastapi`, `wsgi`, `flask`.

Source: https://developer.help.paycom.uz/protokol-merchant-api/

Example:
    >>> orders = {"7": Order(id="7", amount=50_000)}
    >>> store = MemoryStore(lambda account: orders.get(str(account.get("order_id"))), print)
    >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"])
"""

from payme.errors.catalogue import Text
from payme.merchant.auth import PAYME_ADDRESSES, AllowList
from payme.merchant.boxes import AsyncMerchants, Merchants
from payme.merchant.entities import (
    AccountError,
    Event,
    Method,
    Order,
    Reason,
    Receiver,
    Refuse,
    Transaction,
    TransactionState,
)
from payme.merchant.expiry import Expired
from payme.merchant.limits import Limits
from payme.merchant.orders import Orders
from payme.merchant.service import AsyncMerchant, Incoming, Merchant
from payme.merchant.stores import AsyncStore, Store
from payme.merchant.stores.memory import MemoryStore

__all__ = [
    "PAYME_ADDRESSES",
    "AccountError",
    "AllowList",
    "AsyncMerchant",
    "AsyncMerchants",
    "AsyncStore",
    "Event",
    "Expired",
    "Incoming",
    "Limits",
    "MemoryStore",
    "Merchant",
    "Merchants",
    "Method",
    "Order",
    "Orders",
    "Reason",
    "Receiver",
    "Refuse",
    "Store",
    "Text",
    "Transaction",
    "TransactionState",
]
