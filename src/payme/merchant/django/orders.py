"""What a shop tells the endpoint about its orders; see `payme.merchant.orders`."""

from payme.merchant.orders import Orders

__all__ = ["Orders"]
