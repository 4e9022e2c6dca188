"""Settings of the club; what differs from machine to machine comes from the environment."""

from examples.club.settings import Settings
from examples.club.web import LONGEST_BODY
from examples.django_database import database

CLUB = Settings.from_environment()

# Signs sessions: with another one after a restart everybody would be logged out.
SECRET_KEY = CLUB.secret
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = [
    "django.contrib.sessions",
    "payme.charges.django",
    "payme.recurring.django",
    "examples.club_django",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "examples.club_django.urls"
CSRF_FAILURE_VIEW = "examples.club_django.views.expired"
DATABASES = {"default": database(CLUB.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Nothing that belongs here is long.
DATA_UPLOAD_MAX_MEMORY_SIZE = LONGEST_BODY
USE_TZ = True
TIME_ZONE = "Asia/Tashkent"
# A real club is served over TLS, and makes both cookies secure.
CSRF_COOKIE_HTTPONLY = True

PAYME_CHARGES = {
    "MERCHANT_ID": CLUB.merchant_id,
    "KEY": CLUB.key,
    "LEDGER_KEYS": CLUB.ledger_keys,
    **({"BASE_URL": CLUB.base_url} if CLUB.base_url else {"ENVIRONMENT": CLUB.environment}),
}
