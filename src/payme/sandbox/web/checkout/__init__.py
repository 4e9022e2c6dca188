"""The checkout page: from a link or a form to a paid receipt, and back to the merchant.

It works without JavaScript and keeps no cookie.
"""

from payme.sandbox.web.checkout.steps import Checkout

__all__ = ["Checkout"]
