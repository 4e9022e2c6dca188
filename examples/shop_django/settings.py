"""Settings of the shop; what differs from machine to machine comes from the environment."""

import os
import secrets
from typing import Any
from urllib.parse import unquote, urlsplit


def database(url: str) -> dict[str, Any]:
    """Read a database's address: `sqlite:///shop.db` or `postgresql://…`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # Who finds the database busy waits, rather than fail.
        name = parts.path.removeprefix("/")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {"timeout": 30}}
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
]
ROOT_URLCONF = "examples.shop_django.urls"
DATABASES = {"default": database(os.environ["SHOP_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Asia/Tashkent"

PAYME = {"KEYS": [os.environ["PAYME_KEY"]], "ORDERS": "examples.shop_django.orders.Orders"}
PAYME_MERCHANT_ID = os.environ["PAYME_MERCHANT_ID"]
PAYME_CHECKOUT_URL = os.environ["PAYME_CHECKOUT_URL"] or None
