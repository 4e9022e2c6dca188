"""Charges and saved cards as a Django app: `pip install "payme-uz[django-charges]"`.

    # settings.py
    INSTALLED_APPS = [..., "payme.charges.django"]
    PAYME_CHARGES = {
        "MERCHANT_ID": os.environ["PAYME_MERCHANT_ID"],
        "KEY": os.environ["PAYME_KEY"],
        "ENVIRONMENT": "production",
        "LEDGER_KEYS": [os.environ["PAYME_LEDGER_KEY"]],
        "CHANGED": "shop.payments.changed",
    }

    # shop/views.py
    with transaction.atomic():
        order = Order.objects.create(...)
        charges().submit(f"order-{order.pk}", order.amount, {"order_id": order.pk}, card.token)

    def card_is_bound(request):
        wallet().add(f"customer-{request.user.pk}", request.POST["token"])

    # shop/payments.py
    def changed(charge):
        if charge.is_paid:
            ...

    $ python manage.py payme_charges run

The settings are described in `payme.charges.django.configuration`.
"""

from typing import TYPE_CHECKING

_INSTALL = 'pip install "payme-uz[django-charges]"'

try:
    import django
except ImportError as missing:
    raise ImportError(f"this module needs Django: {_INSTALL}") from missing

if django.VERSION < (5, 2):
    raise ImportError(f"this module needs Django 5.2 or newer: {_INSTALL}")

if TYPE_CHECKING:
    from payme.charges.django.driving import DjangoCharges
    from payme.wallet import Wallet

__all__ = ["charges", "wallet"]


def charges() -> "DjangoCharges":
    """Return the charges of this process, made from the setting `PAYME_CHARGES` when first asked.

    They may be used from any thread, and after a fork.

    Returns:
        `Charges` on the ORM: `submit` joins the surrounding `transaction.atomic`; what asks Payme
        (`charge`, `advance`, `refund` …) is called outside of one.

    Raises:
        ConfigurationError: A setting is missing or can't be right.

    Example:
        >>> with transaction.atomic():
        ...     order = Order.objects.create(amount=50_000)
        ...     charges().submit(f"order-{order.pk}", 50_000, {"order_id": order.pk}, card.token)
    """
    # Here, because models can't be imported before the apps are loaded.
    from payme.charges.django.configuration import configured

    return configured()


def wallet() -> "Wallet":
    """Return the wallet of this process: the saved cards that `charges()` takes.

    It may be used from any thread, and after a fork.

    Returns:
        `Wallet` on the ORM, with the client and the keys of `PAYME_CHARGES`. `add`, `refresh` and
        `make_default` join a surrounding `transaction.atomic`; `remove` and `recover` are called
        outside of one, so that what is about to be asked of Payme is stored first.

    Raises:
        ConfigurationError: A setting is missing or can't be right.

    Example:
        >>> wallet().add(f"customer-{request.user.pk}", request.POST["token"]).number
        '860006******6311'
        >>> charges().submit("order-106", 50_000, {"order_id": 106}, customer="customer-17")
    """
    from payme.charges.django.configuration import configured_wallet

    return configured_wallet()
