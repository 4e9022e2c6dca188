"""The merchant's endpoint as a Django app: `pip install "payme-uz[django]"`.

Three places, and Payme can call:

    # settings.py
    INSTALLED_APPS = [..., "payme.merchant.django"]
    PAYME = {"KEYS": [os.environ["PAYME_KEY"]], "ORDERS": "shop.payme.Orders"}

    # urls.py
    path("payme/", include("payme.merchant.django.urls"))

    # shop/payme.py
    class Orders:
        def find(self, account):
            order = Order.objects.filter(pk=account.get("order_id")).first()
            return order and payme.merchant.Order(id=str(order.pk), amount=order.amount)

        def paid(self, transaction): ...

        def cancelled(self, transaction): ...

`Orders` is described in `payme.merchant.orders`, the settings in
`payme.merchant.django.configuration`.
"""

try:
    import django  # noqa: F401 # pyright: ignore[reportUnusedImport]
except ImportError as missing:
    raise ImportError('this module needs Django: pip install "payme-uz[django]"') from missing
