"""The setting `PAYME` of a Django project.

| key | meaning | default |
|---|---|---|
| `KEYS` | accepted keys of the cash-box, a list; or a function that gives them | none: required |
| `ORDERS` | dotted path of the class that implements `Orders` | none: this or `ORDER` |
| `ORDER` | a model whose rows are the orders, see `mapping` | none: this or `ORDERS` |
| `LOGIN` | login of the Basic scheme | `Paycom` |
| `ALLOWED_ADDRESSES` | who may call; `payme.merchant.auth.PAYME_ADDRESSES` is Payme | any |
| `TRUSTED_PROXIES` | whose `X-Forwarded-For` is believed | nobody |
| `REFUND_MISSING` | refund a payment whose order is not found any more | False |
| `TELEMETRY` | spans and metrics of OpenTelemetry; needs `payme-uz[otel]` | False |
| `REQUEST_TIMEOUT` | seconds for a whole request | 10 |
| `LOCK_TIMEOUT` | seconds that a statement waits for a lock | 5 |
| `STATEMENT_TIMEOUT` | seconds for a statement | 5 |
| `AT_ONCE` | how many requests of a process use the database at a time | any number |
| `BOX` | id of the cash-box (merchant id), for a project that had or will have several | empty |
| `BOXES` | instead of `KEYS`: a dict from the ids of cash-boxes to such dicts | one cash-box |

In `BOXES` each cash-box has `KEYS` of its own, and anything else that it says goes before what
stands beside `BOXES`.
"""

import inspect
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from django.conf import settings
from django.utils.module_loading import import_string

from payme.errors import ConfigurationError, InvalidArgument
from payme.merchant.auth import COROUTINE, LOGIN, AllowList, Keys, KeySource, is_coroutine
from payme.merchant.boxes import BlockingEndpoint, Merchants
from payme.merchant.entities import box_name
from payme.merchant.limits import Limits
from payme.merchant.orders import OPTIONAL, REQUIRED, Orders, Shop
from payme.merchant.served import Watch
from payme.merchant.service import Merchant

_KNOWN: Final = {
    "KEYS",
    "ORDERS",
    "ORDER",
    "LOGIN",
    "ALLOWED_ADDRESSES",
    "TRUSTED_PROXIES",
    "REFUND_MISSING",
    "BOX",
    "BOXES",
    "TELEMETRY",
    "REQUEST_TIMEOUT",
    "LOCK_TIMEOUT",
    "STATEMENT_TIMEOUT",
    "AT_ONCE",
}
_ONE_BOX: Final = ("KEYS", "BOX")
"""What each cash-box says for itself, and nothing says for all."""


@lru_cache(maxsize=1)
def configured() -> BlockingEndpoint:
    """Make the endpoint that the settings describe, once.

    Returns:
        The endpoint, on the ORM.

    Raises:
        ConfigurationError: Something is missing or can't be right.
    """
    given = section()
    if "BOXES" not in given:
        return _merchant(given)
    return Merchants({name: _merchant(one) for name, one in boxes(given).items()})


def _merchant(given: Mapping[str, Any]) -> Merchant:
    from payme.merchant.django.store import DjangoStore

    return Merchant(
        DjangoStore(orders(given), limits=limits(given)),
        keys(given),
        login=given.get("LOGIN", LOGIN),
        allow=allow_list(given),
        refund_missing=refund_missing(given),
        box=given.get("BOX", ""),
        telemetry=telemetry(given),
    )


def boxes(given: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Read what each cash-box says, completed by what is said for all.

    Args:
        given: The setting `PAYME`.

    Returns:
        The settings of each cash-box by its name.

    Raises:
        ConfigurationError: They are no dicts, have no right name, or say what means nothing.
    """
    if "BOXES" not in given:
        return {box_name(given.get("BOX", "")): given}
    found = given["BOXES"]
    if not isinstance(found, Mapping) or not found:
        kind = "an empty dict" if isinstance(found, Mapping) else type(found).__name__
        raise ConfigurationError(
            f"BOXES: got {kind}, expected a dict from ids of cash-boxes to their settings"
        )
    doubled = [name for name in _ONE_BOX if name in given]
    if doubled:
        raise ConfigurationError(f"{_listed(doubled)}: expected in each of BOXES, not beside it")
    for_all = {name: value for name, value in given.items() if name != "BOXES"}
    listed = cast("Mapping[object, object]", found)
    return {box_name(name): {**for_all, **_box(name, one)} for name, one in listed.items()}


def _box(name: object, given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise ConfigurationError(f"BOXES: {name!r} is {kind}, expected a dict with its KEYS")
    said = cast("Mapping[str, Any]", given)
    unknown = sorted(str(one) for one in said if one not in _KNOWN - {"BOX", "BOXES"})
    if unknown:
        raise ConfigurationError(f"BOXES: {name!r} has {', '.join(unknown)}, which mean nothing")
    return said


def section() -> Mapping[str, Any]:
    """Read `settings.PAYME`.

    Raises:
        ConfigurationError: It is not there, or has keys that mean nothing.
    """
    given = getattr(settings, "PAYME", None)
    if not isinstance(given, Mapping):
        shown = "nothing" if given is None else type(given).__name__
        raise ConfigurationError(
            f'PAYME: got {shown}, expected a dict with "KEYS" and "ORDERS" or "ORDER"'
        )
    checked = cast("Mapping[str, Any]", given)
    unknown = sorted(str(name) for name in checked if name not in _KNOWN)
    if unknown:
        # A key that is misspelt would be a protection that is not there.
        raise ConfigurationError(f"PAYME: got {', '.join(unknown)}, expected {_listed(_KNOWN)}")
    return checked


def keys(given: Mapping[str, Any]) -> KeySource:
    """Read the keys of the cash-box, or the function that gives them.

    Raises:
        ConfigurationError: There is none, or one that can't be right.
    """
    found = given.get("KEYS")
    if callable(found):
        # What it gives is checked when a request comes: a check may run without its database.
        if is_coroutine(found):
            raise ConfigurationError(f"KEYS: {COROUTINE}")
        return cast("KeySource", found)
    listed = [found] if isinstance(found, str) else _list("KEYS", found)
    Keys(listed, given.get("LOGIN", LOGIN))
    return listed


def orders(given: Mapping[str, Any]) -> Orders:
    """Load the shop's side.

    Raises:
        ConfigurationError: It can't be imported, or lacks a method.
    """
    if "ORDER" in given:
        # The models are loaded after the settings.
        from payme.merchant.django.mapping import ModelOrders, read_mapping

        if "ORDERS" in given:
            raise ConfigurationError("ORDERS, ORDER: got both, expected one of them")
        return ModelOrders(read_mapping(given["ORDER"]))
    path = given.get("ORDERS")
    if not isinstance(path, str) or not path:
        raise ConfigurationError(
            f"ORDERS: got {_shown(path)}, expected a dotted path, such as shop.payme.Orders, or "
            "ORDER with a model"
        )
    try:
        loaded = import_string(path)()
    except Exception as error:
        raise ConfigurationError(f"ORDERS: {path} could not be made: {error!r}") from error
    _require_methods(path, loaded)
    try:
        Shop(loaded)
    except ConfigurationError as error:
        raise ConfigurationError(f"ORDERS: {path}: {error}") from None
    return cast("Orders", loaded)


def _require_methods(path: str, loaded: object) -> None:
    methods = {name: getattr(loaded, name, None) for name in REQUIRED}
    missing = [name for name, method in methods.items() if not callable(method)]
    if missing:
        raise ConfigurationError(f"ORDERS: {path} has no {_listed(missing)}")
    methods.update({name: getattr(loaded, name, None) for name in OPTIONAL})
    asynchronous = [name for name, one in methods.items() if inspect.iscoroutinefunction(one)]
    if asynchronous:
        raise ConfigurationError(f"ORDERS: {path}: `async def` {_listed(asynchronous)}, not `def`")


def allow_list(given: Mapping[str, Any]) -> AllowList | None:
    """Read who may call; None for anybody who has the key.

    Raises:
        ConfigurationError: One is no address.
    """
    proxies = _list("TRUSTED_PROXIES", given.get("TRUSTED_PROXIES"))
    addresses = given.get("ALLOWED_ADDRESSES")
    if addresses is None:
        AllowList((), proxies)
        return None
    return AllowList(_list("ALLOWED_ADDRESSES", addresses), proxies)


def refund_missing(given: Mapping[str, Any]) -> bool:
    """Read whether a payment is refunded whose order is not found any more.

    Raises:
        ConfigurationError: It is neither True nor False.
    """
    found = given.get("REFUND_MISSING", False)
    if not isinstance(found, bool):
        raise ConfigurationError(f"REFUND_MISSING: got {found!r}, expected True or False")
    return found


def telemetry(given: Mapping[str, Any]) -> Watch | None:
    """Read whether requests are watched.

    Raises:
        ConfigurationError: It is neither True nor False, or OpenTelemetry is not installed.
    """
    found = given.get("TELEMETRY", False)
    if not isinstance(found, bool):
        raise ConfigurationError(f"TELEMETRY: got {found!r}, expected True or False")
    if not found:
        return None
    try:
        from payme.telemetry import Telemetry
    except ImportError as missing:
        raise ConfigurationError(f"TELEMETRY: {missing}") from missing
    return Telemetry()


def limits(given: Mapping[str, Any]) -> Limits:
    """Read how long a request may take.

    Raises:
        ConfigurationError: One can't be right.
    """
    named = {name.upper(): name for name in Limits.__struct_fields__}
    found = {field: given[name] for name, field in named.items() if name in given}
    try:
        return Limits(**found)
    except InvalidArgument as error:
        name = error.argument.rpartition(".")[2].upper()
        shown = given[name]
        raise ConfigurationError(f"{name}: got {shown!r}, expected {error.expected}") from error


def _list(name: str, given: object) -> list[str]:
    if given is None:
        return []
    # A bare string is a sequence too, of addresses with one character each.
    if isinstance(given, str) or not isinstance(given, Iterable):
        # Of what kind, and not what: it may be a key.
        raise ConfigurationError(f"{name}: got {type(given).__name__}, expected a list")
    return list(cast("Iterable[str]", given))


def _shown(given: object) -> str:
    if given is None:
        return "nothing"
    return repr(given) if isinstance(given, str) else type(given).__name__


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
