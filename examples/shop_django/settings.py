"""Settings of the shop; what differs from machine to machine comes from the environment."""

import os
import secrets

from examples.django_database import database
from examples.guard import HOSTS
from examples.saved_cards import SavedCards

# Nothing is signed here: this shop has no sessions.
SECRET_KEY = secrets.token_hex()
ALLOWED_HOSTS = HOSTS
INSTALLED_APPS = ["payme.merchant.django", "examples.shop_django"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "examples.shop_django.urls"
DATABASES = {"default": database(os.environ["SHOP_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Asia/Tashkent"

PAYME = {"KEYS": [os.environ["PAYME_KEY"]], "ORDERS": "examples.shop_django.orders.Orders"}
PAYME_MERCHANT_ID = os.environ["PAYME_MERCHANT_ID"]
PAYME_CHECKOUT_URL = os.environ["PAYME_CHECKOUT_URL"] or None

# Without `PAYME_LEDGER_KEYS` this shop saves no card, and charges none.
SAVED_CARDS = SavedCards.from_environment()
if SAVED_CARDS:
    INSTALLED_APPS.append("payme.charges.django")
    PAYME_CHARGES = {
        "LEDGER_KEYS": SAVED_CARDS.keys,
        "CHANGED": "examples.shop_django.orders.changed",
    }
