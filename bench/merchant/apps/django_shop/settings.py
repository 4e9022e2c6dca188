"""Settings: as little as both packages need, and the same for both."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urlsplit

from bench.merchant.apps.shop import ACCOUNT_FIELD, KEY, database

VIEW = os.environ["BENCH_VIEW"]
_OWN_APPS = {
    "payme": ["payme.merchant.django"],
    "payme_pkg": ["rest_framework", "payme"],
    "echo": [],
}
_url = urlsplit(database())

SECRET_KEY = "benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "bench.merchant.apps.django_shop.urls"
WSGI_APPLICATION = "bench.merchant.apps.django_shop.wsgi.application"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "bench.merchant.apps.django_shop",
    *_OWN_APPS[VIEW],
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.lstrip("/"),
        "USER": _url.username,
        "PASSWORD": _url.password or "",
        "HOST": _url.hostname,
        "PORT": _url.port,
        "OPTIONS": dict(parse_qsl(_url.query)),
        "CONN_MAX_AGE": None,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

PAYME = {"KEYS": [KEY], "ORDERS": "bench.merchant.apps.django_shop.payme_shop.Orders"}

PAYME_ID, PAYME_KEY = "benchmark", KEY
PAYME_ACCOUNT_FIELD = ACCOUNT_FIELD
PAYME_AMOUNT_FIELD = "amount"
PAYME_ACCOUNT_MODEL = "bench.merchant.apps.django_shop.models.Order"
PAYME_ONE_TIME_PAYMENT = True
