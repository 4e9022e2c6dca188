"""Charges as a Django app: `pip install "payme-uz[django-charges]"`.

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

__all__ = ["charges"]


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
