"""Who calls Payme, and where: from the environment or a profile, never from arguments."""

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from payme import configuration
from payme.cli import profiles
from payme.cli.unusable import Unusable
from payme.cli.words import tell
from payme.redact import Secret

if TYPE_CHECKING:
    from payme.client import Payme

LOGIN: Final = (
    "PAYME_MERCHANT_ID, PAYME_KEY va PAYME_ENVIRONMENT ni bering yoki payme login ni bajaring",
    "задайте PAYME_MERCHANT_ID, PAYME_KEY и PAYME_ENVIRONMENT или выполните payme login",
    "set PAYME_MERCHANT_ID, PAYME_KEY and PAYME_ENVIRONMENT, or run payme login",
)
"""What gives a command its credentials."""


class Connection(NamedTuple):
    """Who calls, and where."""

    merchant_id: str
    key: Secret
    base_url: str
    source: str
    """Where it was found, for a person."""

    @property
    def environment(self) -> str | None:
        """`test` or `production`; None for another address, such as a sandbox's."""
        urls = configuration.URLS.items()
        return next((name for name, url in urls if url == self.base_url), None)


def found() -> Connection:
    """Find who calls, and where.

    A profile that is named comes first, then the environment, then the profile `default`. Id, key
    and address come from one of them: a key is never sent to an address that was meant for another.

    Raises:
        ConfigurationError: There is nothing, or what there is contradicts itself.
    """
    name = profiles.chosen()
    if name is None and os.environ.get("PAYME_MERCHANT_ID"):
        return _of_environment()
    kept = profiles.read()
    profile = kept.get(name or profiles.DEFAULT)
    if profile is not None:
        return _of_profile(name or profiles.DEFAULT, profile)
    if name is not None:
        known = ", ".join(sorted(kept)) or "-"
        seen = tell(
            f"{name} profili yoʻq (borlari: {known})",
            f"профиля {name} нет (есть: {known})",
            f"there is no profile {name} (there are: {known})",
        )
        raise Unusable(seen, f"payme login --profile {name}")
    seen = tell(
        "kassa maʼlumotlari yoʻq",
        "нет данных кассы",
        "there are no credentials of a cash-box",
    )
    raise Unusable(seen, tell(*LOGIN))


def _of_environment() -> Connection:
    told = configuration.credentials(None, None)
    address = configuration.base_url(None, None)
    source = tell("muhit oʻzgaruvchilari", "переменные окружения", "the environment")
    return Connection(
        told.merchant_id, Secret(os.environ.get("PAYME_KEY", ""), "<key>"), address, source
    )


def _of_profile(name: str, profile: profiles.Profile) -> Connection:
    address = configuration.base_url(profile.base_url, None)
    if os.environ.get("PAYME_BASE_URL") or os.environ.get("PAYME_ENVIRONMENT"):
        meant = configuration.base_url(None, None)
        # Whoever points a shop at a sandbox must not pay in production, nor give a key away.
        if meant != address:
            seen = tell(
                f"{name} profili {address} uchun, muhit esa {meant} ni koʻrsatyapti",
                f"профиль {name} для {address}, а окружение указывает на {meant}",
                f"profile {name} is for {address}, and the environment says {meant}",
            )
            one = tell("bittasini olib tashlang", "уберите одно из двух", "remove one of them")
            raise Unusable(seen, one)
    source = tell(f"{name} profili", f"профиль {name}", f"profile {name}")
    return Connection(profile.merchant_id, profile.key, address, source)


def client(timeout: float = 10.0) -> "Payme":
    """Make a client.

    Args:
        timeout: Seconds for a call with all its attempts.

    Raises:
        ConfigurationError: As for `found`.
    """
    from payme.client import Payme

    who = found()
    return Payme(who.merchant_id, who.key.open(), base_url=who.base_url, timeout=timeout)
