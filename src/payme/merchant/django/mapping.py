"""Orders of a model that the settings name, without a line of code.

| key of `PAYME["ORDER"]` | meaning | default |
|---|---|---|
| `MODEL` | the model, as `shop.Order` | required |
| `ID_FIELD` | its field that names an order; unique | the primary key |
| `ACCOUNT_FIELD` | field of Payme's account that holds it | `order_id` |
| `AMOUNT_FIELD` | field with the amount | required |
| `AMOUNT_UNIT` | what it is counted in: `tiyin` or `sum` (100 tiyin) | required |
| `STATE_FIELD` | field that says whether it is paid; text, a number or a flag | required |
| `WAITING` | its value while the order may be paid, or a list of such values | required |
| `PAID` | the value that is written when it is paid | required |
| `REFUNDED` | the value that is written when the money goes back | required |

A value that is none of these closes the order: it can't be paid, and is not refunded.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models, router

from payme.errors import ConfigurationError, InvalidArgument
from payme.merchant.django.models import Transaction
from payme.merchant.entities import Order, Refuse
from payme.merchant.entities import Transaction as Payment
from payme.money import som, tiyin

_REQUIRED: Final = (
    "MODEL", "AMOUNT_FIELD", "AMOUNT_UNIT", "STATE_FIELD", "WAITING", "PAID", "REFUNDED",
)  # fmt: skip
_KNOWN: Final = {*_REQUIRED, "ID_FIELD", "ACCOUNT_FIELD"}
_UNITS: Final = {"tiyin": tiyin, "sum": som}

_MANY: Final = (list, tuple, set, frozenset)
_NO_VALUE: Final = (*_MANY, dict, bytes)


class Mapped(NamedTuple):
    """What the settings say, checked."""

    model: type[models.Model]
    id_field: str
    account_field: str
    amount_field: str
    unit: str
    state_field: str
    waiting: tuple[Any, ...]
    paid: Any
    refunded: Any


class ModelOrders:
    """The orders of a model; see `payme.merchant.Orders`.

    Args:
        mapped: From `read_mapping`.
    """

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped

    def find(self, account: dict[str, Any]) -> Order | None:
        """Find the order whose id field has the value of the account's field."""
        mapped = self._mapped
        wanted = _id_of(mapped, account.get(mapped.account_field))
        if wanted is None:
            return None
        row = _rows(mapped).filter(**{mapped.id_field: wanted}).first()
        if row is None:
            return None
        state = getattr(row, mapped.state_field)
        return Order(
            id=str(getattr(row, mapped.id_field)),
            amount=_amount(mapped, getattr(row, mapped.amount_field)),
            state=self._state(state),
            field=mapped.account_field,
            refundable=state == mapped.paid,
        )

    def paid(self, transaction: Payment) -> None:
        """Write that the order is paid, unless the shop has just closed it."""
        self._change(transaction, self._mapped.waiting, self._mapped.paid)

    def cancelled(self, transaction: Payment) -> None:
        """Write that the money went back, unless the order is not as it was when it was paid."""
        if _rows(self._mapped).filter(**self._named(transaction)).exists():
            self._change(transaction, (self._mapped.paid,), self._mapped.refunded)
        # Else the row is gone, and `REFUND_MISSING` says that the money goes back all the same.

    def _named(self, transaction: Payment) -> dict[str, str]:
        return {self._mapped.id_field: transaction.order_id}

    def _state(self, value: Any) -> Any:
        if value in self._mapped.waiting:
            return "waiting"
        return "paid" if value == self._mapped.paid else "closed"

    def _change(self, transaction: Payment, before: tuple[Any, ...], after: Any) -> None:
        mapped = self._mapped
        # The shop's own code does not take the lock of the order, but it writes this row.
        row = _rows(mapped).select_for_update().filter(**self._named(transaction)).first()
        if row is None or getattr(row, mapped.state_field) not in before:
            raise Refuse
        setattr(row, mapped.state_field, after)
        # By the instance, so that the shop's signals and its own `save` are run.
        row.save(update_fields=[mapped.state_field])


def read_mapping(given: object) -> Mapped:
    """Read `PAYME["ORDER"]`.

    Args:
        given: The setting.

    Raises:
        ConfigurationError: A key is missing or unknown, the model or a field does not exist, or a
            value can't be right.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"ORDER: got {given!r}, expected a dict with {', '.join(_REQUIRED)}"
        )
    section = cast("Mapping[str, Any]", given)
    unknown = sorted(str(name) for name in section if name not in _KNOWN)
    if unknown:
        raise ConfigurationError(
            f"ORDER: got {', '.join(unknown)}, expected {', '.join(sorted(_KNOWN))}"
        )
    missing = [name for name in _REQUIRED if name not in section]
    if missing:
        hint = ' ("tiyin" or "sum")' if "AMOUNT_UNIT" in missing else ""
        raise ConfigurationError(f"ORDER: {', '.join(missing)} missing{hint}")
    return _mapped(section, _model(section["MODEL"]))


def _mapped(section: Mapping[str, Any], model: type[models.Model]) -> Mapped:
    id_field = _id_field(model, section.get("ID_FIELD"))
    amount_field = _amount_field(model, section["AMOUNT_FIELD"], section["AMOUNT_UNIT"])
    state = _field(model, "STATE_FIELD", section["STATE_FIELD"])
    waiting = section["WAITING"]
    listed: Iterable[Any] = cast("Any", waiting) if isinstance(waiting, _MANY) else (waiting,)
    values = tuple(_value("WAITING", state, one) for one in listed)
    paid = _value("PAID", state, section["PAID"])
    refunded = _value("REFUNDED", state, section["REFUNDED"])
    if not values:
        raise ConfigurationError("ORDER: WAITING: got none, expected at least one value")
    if paid in values:
        # A second payment of the same order would be let in.
        raise ConfigurationError(f"ORDER: PAID: {paid!r} is a value of WAITING, too")
    if refunded == paid:
        raise ConfigurationError(f"ORDER: REFUNDED: {refunded!r} is PAID, too")
    account_field = section.get("ACCOUNT_FIELD", "order_id")
    if not isinstance(account_field, str) or not account_field:
        raise ConfigurationError(
            f"ORDER: ACCOUNT_FIELD: got {account_field!r}, expected a name, such as order_id"
        )
    return Mapped(
        model=model,
        id_field=id_field,
        account_field=account_field,
        amount_field=amount_field,
        unit=section["AMOUNT_UNIT"],
        state_field=state.attname,
        waiting=values,
        paid=paid,
        refunded=refunded,
    )


def _model(given: object) -> type[models.Model]:
    if not isinstance(given, str) or given.count(".") != 1:
        raise ConfigurationError(
            f"ORDER: MODEL: got {given!r}, expected app and model as text, such as shop.Order"
        )
    try:
        model = apps.get_model(given)
    except LookupError as error:
        label = given.partition(".")[0]
        names: list[str] = []
        if apps.is_installed(label) or label in {one.label for one in apps.get_app_configs()}:
            names = sorted(one.__name__ for one in apps.get_app_config(label).get_models())
        known = f"; {label} has {', '.join(names)}" if names else ""
        raise ConfigurationError(f"ORDER: MODEL: {given} does not exist{known}") from error
    if router.db_for_write(model) != router.db_for_write(Transaction):
        raise ConfigurationError(
            f"ORDER: MODEL: {given} is in another database than payments; "
            "both are written in one transaction"
        )
    return model


def _field(model: type[models.Model], key: str, given: object) -> "models.Field[Any, Any]":
    names = sorted(field.name for field in model._meta.concrete_fields)
    try:
        found: Any = model._meta.get_field(given) if isinstance(given, str) else None
    except FieldDoesNotExist:
        found = None
    if not isinstance(found, models.Field) or not found.concrete or found.is_relation:
        raise ConfigurationError(
            f"ORDER: {key}: {model._meta.label} has no field of its own {given!r}; "
            f"it has {', '.join(names)}"
        )
    return cast("models.Field[Any, Any]", found)


def _id_field(model: type[models.Model], given: object) -> str:
    primary: Any = model._meta.pk
    field = _field(model, "ID_FIELD", primary.name if given is None else given)
    if not field.unique:
        raise ConfigurationError(
            f"ORDER: ID_FIELD: {model._meta.label}.{field.name} is not unique; "
            "an account must name one order"
        )
    return field.attname


def _amount_field(model: type[models.Model], given: object, unit: object) -> str:
    field = _field(model, "AMOUNT_FIELD", given)
    if not isinstance(unit, str) or unit not in _UNITS:
        raise ConfigurationError(f'ORDER: AMOUNT_UNIT: got {unit!r}, expected "tiyin" or "sum"')
    if not isinstance(field, models.IntegerField | models.DecimalField):
        raise ConfigurationError(
            f"ORDER: AMOUNT_FIELD: {model._meta.label}.{field.name} is "
            f"{type(field).__name__}, expected an integer or a decimal field"
        )
    return field.attname


def _value(key: str, field: "models.Field[Any, Any]", given: object) -> Any:
    # A text field makes text of anything, and "['paid']" would be written to the shop's rows.
    is_text = isinstance(field, models.CharField | models.TextField)
    if isinstance(given, _NO_VALUE) or (is_text and isinstance(given, bool)):
        kind = type(field).__name__
        raise ConfigurationError(
            f"ORDER: {key}: got {given!r}, expected a value of {field.name}, which is {kind}"
        )
    try:
        value = field.to_python(given)
        if value is not None:
            field.run_validators(value)
    except ValidationError as error:
        why = " ".join(error.messages)
        raise ConfigurationError(f"ORDER: {key}: {given!r} for {field.name}: {why}") from error
    choices = [value for value, _ in field.flatchoices]
    if choices and value not in choices:
        raise ConfigurationError(
            f"ORDER: {key}: {given!r} for {field.name}, expected one of {choices!r}"
        )
    if value is None and not field.null:
        raise ConfigurationError(f"ORDER: {key}: None for {field.name}, which is never NULL")
    return value


def _rows(mapped: Mapped) -> Any:
    # Not the default manager, which may leave out what the shop's pages do not show.
    return mapped.model._base_manager.using(router.db_for_write(mapped.model))


def _id_of(mapped: Mapped, given: object) -> Any:
    """Read the id that a payer gave; None for what no order can have."""
    if isinstance(given, bool) or not isinstance(given, str | int):
        return None
    field: Any = mapped.model._meta.get_field(mapped.id_field)
    try:
        value = field.to_python(given)
        # The range of the database's integers, the length of text, no NUL.
        field.run_validators(value)
    except (ValidationError, ValueError):
        return None
    # As it is written, so that one order has one spelling: not "07", " 7" or digits of another
    # script.
    return value if str(value) == str(given) and "\0" not in str(given) else None


def _amount(mapped: Mapped, value: Any) -> int:
    try:
        if mapped.unit == "sum":
            return som(value)
        return tiyin(int(value) if isinstance(value, Decimal) and value == int(value) else value)
    except (InvalidArgument, TypeError, ValueError) as error:
        label = mapped.model._meta.label
        raise InvalidArgument(
            f"{label}.{mapped.amount_field}", value, f"a positive amount in {mapped.unit}"
        ) from error
