"""Send a payer to Payme's checkout page: by a link, by a form, by a QR code.

Nothing is sent from here; these functions build text. That the payer came back proves nothing:
whether the money came, `PerformTransaction` or `payme.receipts.check` says.

CONFIRMED unless a comment says otherwise. Sources:
https://developer.help.paycom.uz/initsializatsiya-platezhey/otpravka-cheka-po-metodu-get
https://developer.help.paycom.uz/initsializatsiya-platezhey/otpravka-cheka-po-metodu-post
"""

from payme.checkout.checked import LANGUAGES, CheckoutLink, Environment
from payme.checkout.forms import form
from payme.checkout.links import link, parse_link, receipt_link
from payme.checkout.qr import qr_svg

__all__ = [
    "LANGUAGES",
    "CheckoutLink",
    "Environment",
    "form",
    "link",
    "parse_link",
    "qr_svg",
    "receipt_link",
]
