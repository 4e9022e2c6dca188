"""Settings of the shop; what differs from machine to machine comes from the environment."""

import os
import secrets
from typing import Any
from urllib.parse import unquote, urlsplit

from examples.saved_cards import SavedCards


def database(url: str) -> dict[str, Any]:
    """Read a database's address: `sqlite:///shop.db` or `postgresql://…`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # Who finds the database busy waits, rather than fail; also who has read from it before.
        options = {"timeout": 30, "transaction_mode": "IMMEDIATE"}
        name = parts.path.removeprefix("/")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}
    if parts.scheme != "postgresql":
        raise ValueError(f"database: got {parts.scheme}://, expected sqlite:/// or postgresql://")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }


# Nothing is signed here: this shop has no sessions.
SECRET_KEY = secrets.token_hex()
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
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
