"""`payme login`, `payme logout`, `payme profiles`: credentials that are kept on this computer."""

import json
from typing import Any

import click

from payme.cli import options, profiles
from payme.cli.asking import no_secrets, secret
from payme.cli.words import tell
from payme.errors import AccessDenied, PaymeError


@click.command(
    "login",
    help=tell(
        """Kassa maʼlumotlarini shu kompyuterda saqlash; kalit soʻraladi.

        Ular faqat sizga ochiq (0600) faylda turadi: platformaning sozlamalar papkasi,
        payme/profiles.toml. Saqlashdan oldin kalit oʻqish chaqiruvi bilan sinaladi.""",
        """Сохранить данные кассы на этом компьютере; ключ будет спрошен.

        Они лежат в файле, открытом только вам (0600): папка настроек платформы,
        payme/profiles.toml. До сохранения ключ проверяется чтением.""",
        """Keep the credentials of a cash-box on this computer; the key is asked for.

        They lie in a file that is open to you alone (0600): the platform's folder of settings,
        payme/profiles.toml. Before they are stored, the key is tried with a call that reads.""",
    ),
)
@no_secrets
@options.profile
@click.option(
    "--merchant-id",
    metavar="ID",
    help=tell(
        "Kassa identifikatori; berilmasa, soʻraladi.",
        "Идентификатор кассы; если не задан, будет спрошен.",
        "Id of the cash-box; asked for if left out.",
    ),
)
@click.option(
    "--environment",
    type=click.Choice(["test", "production"]),
    help=tell("Qaysi server.", "Какой сервер.", "Which host."),
)
@click.option(
    "--base-url",
    metavar="URL",
    help=tell(
        "Server oʻrniga manzil, masalan sandboxniki.",
        "Адрес вместо сервера, например песочницы.",
        "An address instead of a host, such as a sandbox's.",
    ),
)
@click.option(
    "--no-check",
    is_flag=True,
    help=tell("Kalitni sinamaslik.", "Не проверять ключ.", "Do not try the key."),
)
@options.timeout
@options.as_json
def login(
    *,
    merchant_id: str | None,
    environment: Any,
    base_url: str | None,
    no_check: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Keep credentials; what the user reads about it is above."""
    from payme import configuration

    if (environment is None) == (base_url is None):
        raise click.UsageError(
            tell(
                "--environment yoki --base-url dan bittasi kutilgan",
                "ожидалось одно из --environment и --base-url",
                "expected one of --environment and --base-url",
            )
        )
    address = configuration.base_url(base_url, environment)
    configuration.check_secure(address, None, allow_http=False)
    owner = merchant_id or secret(
        tell("Kassa identifikatori", "Идентификатор кассы", "Id of the cash-box")
    )
    told = configuration.credentials(
        owner, secret(tell("Kassa kaliti", "Ключ кассы", "Key of the cash-box"))
    )
    kept = profiles.Profile(told.merchant_id, told.key, address)
    if not no_check:
        _try(kept, timeout)
    name = profiles.chosen() or profiles.DEFAULT
    _write(profiles.read() | {name: kept})
    if as_json:
        told_json = {"profile": name, "file": str(profiles.path()), "base_url": address}
        click.echo(json.dumps(told_json, ensure_ascii=False))
    else:
        click.echo(
            tell(
                f"{name} profili saqlandi: {profiles.path()}",
                f"профиль {name} сохранён: {profiles.path()}",
                f"profile {name} is stored: {profiles.path()}",
            )
        )


def _try(kept: profiles.Profile, timeout: float) -> None:
    from datetime import UTC, datetime, timedelta

    from payme.client import Payme

    end = datetime.now(UTC)
    with Payme(kept.merchant_id, kept.key.open(), base_url=kept.base_url, timeout=timeout) as payme:
        try:
            payme.receipts.get_all(1, end - timedelta(seconds=1), end)
        except AccessDenied as error:
            raise click.ClickException(
                tell(
                    f"{kept.base_url} bu identifikator va kalitni qabul qilmadi; "
                    "hech narsa saqlanmadi",
                    f"{kept.base_url} не принял идентификатор и ключ; ничего не сохранено",
                    f"{kept.base_url} refuses the id and the key; nothing was stored",
                )
            ) from error
        except PaymeError as error:
            raise click.ClickException(
                tell(
                    f"kalitni sinab boʻlmadi ({error}); hech narsa saqlanmadi. "
                    "Baribir saqlash uchun: --no-check",
                    f"ключ не удалось проверить ({error}); ничего не сохранено. "
                    "Чтобы всё равно сохранить: --no-check",
                    f"the key could not be tried ({error}); nothing was stored. "
                    "To store it all the same: --no-check",
                )
            ) from error


def _write(kept: dict[str, profiles.Profile]) -> None:
    try:
        profiles.write(kept)
    except OSError as error:
        raise click.ClickException(f"{profiles.path()}: {error.strerror or error}") from None


@click.command(
    "logout",
    help=tell(
        "Saqlangan kassa maʼlumotlarini oʻchirish.",
        "Удалить сохранённые данные кассы.",
        "Delete the credentials that are kept.",
    ),
)
@options.profile
@options.as_json
def logout(*, as_json: bool) -> None:
    """Delete credentials."""
    name = profiles.chosen() or profiles.DEFAULT
    kept = profiles.read()
    if kept.pop(name, None) is None:
        raise click.ClickException(
            tell(f"{name} profili yoʻq", f"профиля {name} нет", f"there is no profile {name}")
        )
    _write(kept)
    if as_json:
        click.echo(json.dumps({"profile": name, "removed": True}))
    else:
        click.echo(
            tell(
                f"{name} profili oʻchirildi",
                f"профиль {name} удалён",
                f"profile {name} is removed",
            )
        )


@click.command(
    "profiles",
    help=tell(
        "Saqlangan profillar; kalitlar koʻrsatilmaydi.",
        "Сохранённые профили; ключи не показываются.",
        "Profiles that are kept; keys are not shown.",
    ),
)
@options.as_json
def list_profiles(*, as_json: bool) -> None:
    """List profiles."""
    kept = profiles.read()
    if as_json:
        told = [
            {"profile": name, "merchant_id": one.merchant_id, "base_url": one.base_url}
            for name, one in kept.items()
        ]
        click.echo(json.dumps(told))
        return
    for name, one in kept.items():
        click.echo(f"{name:<16}  {one.merchant_id:<24}  {one.base_url}")
