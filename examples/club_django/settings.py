"""Settings of the club; what differs from machine to machine comes from the environment."""

from examples.club.settings import Settings
from examples.django_database import database

CLUB = Settings.from_environment()

# Signs sessions: with another one after a restart everybody would be logged out.
SECRET_KEY = CLUB.secret
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["django.contrib.sessions", "examples.club_django"]
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
USE_TZ = True
TIME_ZONE = "Asia/Tashkent"
# A real club is served over TLS, and makes both cookies secure.
CSRF_COOKIE_HTTPONLY = True
