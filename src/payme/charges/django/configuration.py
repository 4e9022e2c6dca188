"""The setting `PAYME_CHARGES` of a Django project.

| key | meaning | default |
|---|---|---|
| `MERCHANT_ID` | id of the cash-box | the variable `PAYME_MERCHANT_ID` |
| `KEY` | its key | the variable `PAYME_KEY` |
| `ENVIRONMENT` | `test` or `production` | the variable `PAYME_ENVIRONMENT` |
| `BASE_URL` | another address of Payme, such as a sandbox's | the variable `PAYME_BASE_URL` |
| `LEDGER_KEYS` | keys that encrypt card tokens, a list | the variable `PAYME_LEDGER_KEYS` |
| `CHANGED` | dotted path of the function that is told of each proven change | nobody |
| `DATABASE` | alias of the database | the one that the routers name |
| `POLICY` | members of `payme.charges.Policy`, a dict | their defaults |
| `CLIENT` | further options of `payme.Payme`, such as `{"timeout": 5}` | their defaults |
"""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.utils.module_loading import import_string

from payme.charges.core import Policy
from payme.charges.django.driving import DjangoCharges
from payme.charges.django.ledger import Changed, DjangoLedger
from payme.charges.procedures import check_policy
from payme.charges.vault import Vault
from payme.client import Payme
from payme.errors import ConfigurationError, InvalidArgument
from payme.protocol import arguments
from payme.wallet import Wallet

Kind = TypeVar("Kind", bound=DjangoLedger)

_WHO: Final = {
    "MERCHANT_ID": "merchant_id",
    "KEY": "key",
    "ENVIRONMENT": "environment",
    "BASE_URL": "base_url",
}
_KNOWN: Final = {*_WHO, "LEDGER_KEYS", "CHANGED", "DATABASE", "POLICY", "CLIENT"}
_OPTIONS: Final = {*inspect.signature(Payme).parameters} - {*_WHO.values()}

# No lock: one that another thread holds during a fork would stay locked in the child.
_made: dict[str, DjangoCharges] = {}
_wallets: dict[str, Wallet] = {}
_followers: list[Callable[[DjangoLedger], None]] = []


def configured() -> DjangoCharges:
    """Return the charges that the settings describe, made once in a process.

    Raises:
        ConfigurationError: Something is missing or can't be right.
    """
    found = _made.get("charges")
    if found is None:
        given = section()
        made = DjangoCharges(client(given), ledger(given, DjangoLedger), policy=policy(given))
        found = _made.setdefault("charges", made)
        if found is not made:
            made.client.close()
    return found


def configured_wallet() -> Wallet:
    """Return the wallet beside those charges, made once in a process.

    Raises:
        ConfigurationError: Something is missing or can't be right.
    """
    found = _wallets.get("wallet")
    if found is None:
        made = configured()
        found = _wallets.setdefault("wallet", Wallet(made.client, made.ledger))
    return found


def forget() -> None:
    """Drop what was made; the next who asks gets it anew."""
    _wallets.clear()
    made = _made.pop("charges", None)
    if made is not None:
        made.client.close()


def section() -> Mapping[str, Any]:
    """Read `settings.PAYME_CHARGES`.

    Raises:
        ConfigurationError: It is no dict, or has keys that mean nothing.
    """
    given = getattr(settings, "PAYME_CHARGES", None)
    if not isinstance(given, Mapping):
        raise ConfigurationError('PAYME_CHARGES: expected a dict, such as {"MERCHANT_ID": …}')
    checked = cast("Mapping[str, Any]", given)
    _only("PAYME_CHARGES", checked, _KNOWN)
    return checked


def ledger(given: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Make the ledger.

    Args:
        given: The setting.
        kind: Class of the ledger.

    Raises:
        ConfigurationError: The database, a key or the hook can't be right.
    """
    made = kind(database(given), keys=ledger_keys(given), changed=changed(given))
    for follow in _followers:
        follow(made)
    return made


def followed_by(follow: Callable[[DjangoLedger], None]) -> None:
    """Call something with each ledger that is made from now on, so that it hears of charges.

    Args:
        follow: Called with the ledger, such as to call its `follow`.
    """
    _followers.append(follow)


def client(given: Mapping[str, Any]) -> Payme:
    """Make the client.

    Raises:
        ConfigurationError: A credential, the address or an option is missing or can't be right.
    """
    options: dict[str, Any] = {**_mapping("CLIENT", given)}
    _only("CLIENT", options, _OPTIONS)
    options |= {name: given.get(key) for key, name in _WHO.items()}
    try:
        made = Payme(**options)
    except InvalidArgument as error:
        raise ConfigurationError(f"CLIENT: {error}") from None
    if not made._session.credentials.key:  # pyright: ignore[reportPrivateUsage]
        raise ConfigurationError("key is missing: give KEY or set PAYME_KEY")
    return made


def ledger_keys(given: Mapping[str, Any]) -> list[str | bytes]:
    """Read the keys that encrypt card tokens; none is allowed.

    Raises:
        ConfigurationError: One is no key.
    """
    found = given.get("LEDGER_KEYS")
    if found is None:
        found = os.environ.get("PAYME_LEDGER_KEYS", "").split(",")
        found = [key.strip() for key in found if key.strip()]
    # A bare string is a sequence too, of keys with one character each.
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        raise ConfigurationError("LEDGER_KEYS: expected a list of keys")
    keys = list(cast("Iterable[str | bytes]", found))
    if keys:
        Vault(keys)
    return keys


def changed(given: Mapping[str, Any]) -> Changed | None:
    """Load the hook.

    Raises:
        ConfigurationError: It can't be imported, or can't be called with a charge.
    """
    path = given.get("CHANGED")
    if path is None:
        return None
    if not isinstance(path, str) or not path:
        raise ConfigurationError("CHANGED: expected a dotted path, such as shop.payments.changed")
    try:
        loaded = import_string(path)
    except Exception as error:
        raise ConfigurationError(f"CHANGED: {path} could not be imported: {error!r}") from error
    if not callable(loaded):
        raise ConfigurationError(f"CHANGED: {path} is no function")
    if inspect.iscoroutinefunction(loaded):
        raise ConfigurationError(f"CHANGED: {path} is `async def`, not `def`")
    try:
        inspect.signature(loaded).bind(None)
    except TypeError:
        raise ConfigurationError(f"CHANGED: {path} must take one argument, the charge") from None
    return cast("Changed", loaded)


def database(given: Mapping[str, Any]) -> str | None:
    """Read which database charges are in; None for what the routers say.

    Raises:
        ConfigurationError: There is no such database.
    """
    alias = given.get("DATABASE")
    if alias is not None and alias not in settings.DATABASES:
        raise ConfigurationError(f"DATABASE: got {alias!r}, expected an alias of DATABASES")
    return cast("str | None", alias)


def policy(given: Mapping[str, Any]) -> Policy:
    """Read how patient charges are.

    Raises:
        ConfigurationError: It has members that mean nothing, or no positive numbers.
    """
    found = _mapping("POLICY", given)
    _only("POLICY", found, Policy._fields)
    usual = Policy()._asdict()
    for name, number in found.items():
        try:
            arguments.seconds(name, number)
        except InvalidArgument as error:
            raise ConfigurationError(f"POLICY: {error}") from None
        if isinstance(usual[name], int) and not isinstance(number, int):
            raise ConfigurationError(f"POLICY: {name}: expected a whole number")
    try:
        return check_policy(Policy(**found))
    except InvalidArgument as error:
        raise ConfigurationError(f"POLICY: {error}") from None


def _mapping(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    found = given.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"{name}: expected a dict")
    return cast("Mapping[str, Any]", found)


def _only(name: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse a key that is misspelt: what it was meant for would not be there."""
    unknown = sorted(str(key) for key in given if key not in known)
    if unknown:
        expected = ", ".join(sorted(known))
        raise ConfigurationError(f"{name}: got {', '.join(unknown)}, expected {expected}")
