"""Two databases, of which one is used at a time: `SHOPFRONT_DATABASE` names it, then `routing`."""

import json
import os

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "shopfront.urls"
DATABASES = {"default": {}, **json.loads(os.environ["SHOPFRONT_DATABASES"])}
DATABASE_ROUTERS = ["shopfront.routing.Chosen"]
MIGRATION_MODULES = {"shopfront": None}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "payme.merchant.django",
    "payme.merchant.django.outbox",
    "payme.charges.django",
    "payme.recurring.django",
    "shopfront",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
PAYME = {"KEYS": [KEY], "ORDERS": "shopfront.orders.Orders"}
PAYME_CHARGES = {
    "MERCHANT_ID": "5e730e8e0b852a417aa49ceb",
    "KEY": KEY,
    "BASE_URL": "http://127.0.0.1:9/api",
    "LEDGER_KEYS": ["A" * 43 + "="],
    "CHANGED": "shopfront.hooks.changed",
    "CLIENT": {"proxy": ""},
    **json.loads(os.environ.get("SHOPFRONT_CHARGES", "{}")),
}

if "mariadb" in DATABASES:
    import pymysql

    pymysql.install_as_MySQLdb()
