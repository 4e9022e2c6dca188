"""Every method of the Subscribe API, written once.

A call is a value: what to send, which credential goes with it, what it does to money, and how to
read the answer. Nothing here knows a network.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

import msgspec

from payme import money, redact
from payme.errors import InvalidArgument
from payme.protocol import arguments as check
from payme.protocol.models import Card, Detail, FiscalData, Payer, Receipt, VerifyCode
from payme.protocol.states import ReceiptState

T = TypeVar("T")


class Effect(Enum):
    """What a call does, which decides whether it may be sent again."""

    READ = "read"
    CREATES = "creates"
    MOVES_MONEY = "moves money"


class Credential(Enum):
    """What the `X-Auth` header of a call carries."""

    ID = "id"
    """The cash-box id alone: methods that a front end calls."""
    ID_AND_KEY = "id:key"


class Method(NamedTuple):
    """What is known of a method before it is called."""

    effect: Effect
    credential: Credential


_ID, _KEY = Credential.ID, Credential.ID_AND_KEY
_READ, _CREATES, _MOVES = Effect.READ, Effect.CREATES, Effect.MOVES_MONEY

# Credentials: the current pages print the id alone for cards.check and id:key for cards.remove
# (CONFIRMED as printed; live clients were seen to send less, and the older document asks for more).
METHODS: Final[dict[str, Method]] = {
    "cards.create": Method(_CREATES, _ID),
    "cards.get_verify_code": Method(_CREATES, _ID),
    "cards.verify": Method(_CREATES, _ID),
    "cards.check": Method(_READ, _ID),
    "cards.remove": Method(_CREATES, _KEY),
    "receipts.create": Method(_CREATES, _KEY),
    "receipts.pay": Method(_MOVES, _KEY),
    "receipts.send": Method(_CREATES, _KEY),
    "receipts.cancel": Method(_MOVES, _KEY),
    "receipts.check": Method(_READ, _KEY),
    "receipts.get": Method(_READ, _KEY),
    "receipts.get_all": Method(_READ, _KEY),
    "receipts.confirm_hold": Method(_MOVES, _KEY),
    "receipts.set_fiscal_data": Method(_CREATES, _KEY),
}

# A method that is not in the table may do anything, so it is never sent twice.
UNKNOWN_METHOD: Final = Method(_MOVES, _KEY)


class Call(msgspec.Struct, Generic[T], frozen=True):
    """A call of a method.

    Attributes:
        method: Name, such as `receipts.pay`.
        params: Members of `params`.
        read: Turns the JSON of `result` into the value that is returned.
        receipt_id: The receipt it is about.
        secrets: Strings in `params` that must not appear in any text.
    """

    method: str
    params: dict[str, Any]
    read: Callable[[bytes], T]
    receipt_id: str | None = None
    secrets: tuple[str, ...] = ()

    @property
    def effect(self) -> Effect:
        """What it does to money."""
        return METHODS.get(self.method, UNKNOWN_METHOD).effect

    @property
    def credential(self) -> Credential:
        """What the header carries."""
        return METHODS.get(self.method, UNKNOWN_METHOD).credential

    def __repr__(self) -> str:
        return f"Call({self.method!r}, {redact.tree(self.params)!r})"


class _CardAnswer(msgspec.Struct):
    card: msgspec.Raw


class _ReceiptAnswer(msgspec.Struct):
    receipt: msgspec.Raw


class _StateAnswer(msgspec.Struct):
    state: ReceiptState


class _Success(msgspec.Struct):
    success: bool


def _card(result: bytes) -> Card:
    return Card.read(bytes(msgspec.json.decode(result, type=_CardAnswer).card))


def _receipt(result: bytes) -> Receipt:
    return Receipt.read(bytes(msgspec.json.decode(result, type=_ReceiptAnswer).receipt))


def _receipts(result: bytes) -> list[Receipt]:
    return [Receipt.read(bytes(one)) for one in msgspec.json.decode(result, type=list[msgspec.Raw])]


def _state(result: bytes) -> ReceiptState:
    return msgspec.json.decode(result, type=_StateAnswer).state


def _success(result: bytes) -> bool:
    return msgspec.json.decode(result, type=_Success).success


def _done(result: bytes) -> bool:
    """Read `receipts.set_fiscal_data`: its answer is not known, so anything but a plain no."""
    answer = msgspec.json.decode(result, type=dict[str, Any])
    return answer.get("success") is not False


def cards_create(
    number: str,
    expire: str,
    *,
    save: bool = True,
    account: Mapping[str, str | int] | None = None,
    customer: str | None = None,
) -> Call[Card]:
    """Build `cards.create`; the façade `Cards.create` documents it."""
    pan = check.card_number(number)
    params: dict[str, Any] = {
        "card": {"number": pan, "expire": check.expire(expire)},
        "save": check.flag("save", save),
    }
    if account is not None:
        params["account"] = check.account(account)
    if customer is not None:
        params["customer"] = check.optional_text("customer", customer)
    return Call("cards.create", params, _card, secrets=(number, pan))


def cards_get_verify_code(token: str) -> Call[VerifyCode]:
    """Build `cards.get_verify_code`."""
    return Call(
        "cards.get_verify_code", {"token": check.token(token)}, VerifyCode.read, secrets=(token,)
    )


def cards_verify(token: str, code: str) -> Call[Card]:
    """Build `cards.verify`."""
    params = {
        "token": check.token(token),
        "code": check.text("code", code, "the code from the SMS, as text"),
    }
    return Call("cards.verify", params, _card, secrets=(token, code))


def cards_check(token: str) -> Call[Card]:
    """Build `cards.check`."""
    return Call("cards.check", {"token": check.token(token)}, _card, secrets=(token,))


def cards_remove(token: str) -> Call[bool]:
    """Build `cards.remove`."""
    return Call("cards.remove", {"token": check.token(token)}, _success, secrets=(token,))


def receipts_create(
    amount: float,
    account: Mapping[str, str | int],
    *,
    description: str | None = None,
    detail: Detail | None = None,
    hold: bool = False,
) -> Call[Receipt]:
    """Build `receipts.create`."""
    params: dict[str, Any] = {"amount": money.tiyin(amount), "account": check.account(account)}
    if description is not None:
        params["description"] = check.optional_text("description", description)
    if detail is not None:
        params["detail"] = _is(Detail, "detail", detail).params(params["amount"])
    if check.flag("hold", hold):
        params["hold"] = True
    return Call("receipts.create", params, _receipt)


def receipts_pay(
    receipt_id: str, token: str, *, payer: Payer | None = None, hold: bool = False
) -> Call[Receipt]:
    """Build `receipts.pay`."""
    params: dict[str, Any] = {"id": check.receipt_id(receipt_id), "token": check.token(token)}
    secrets = [token]
    if payer is not None:
        params["payer"] = _payer(_is(Payer, "payer", payer))
        secrets += [str(member) for member in params["payer"].values()]
    if check.flag("hold", hold):
        params["hold"] = True
    return Call("receipts.pay", params, _receipt, receipt_id, tuple(secrets))


def receipts_send(receipt_id: str, phone: str) -> Call[bool]:
    """Build `receipts.send`."""
    digits = check.phone(phone)
    params = {"id": check.receipt_id(receipt_id), "phone": digits}
    return Call("receipts.send", params, _success, receipt_id, (phone, digits))


def receipts_cancel(receipt_id: str) -> Call[Receipt]:
    """Build `receipts.cancel`."""
    return _about("receipts.cancel", receipt_id, _receipt)


def receipts_check(receipt_id: str) -> Call[ReceiptState]:
    """Build `receipts.check`."""
    return _about("receipts.check", receipt_id, _state)


def receipts_get(receipt_id: str) -> Call[Receipt]:
    """Build `receipts.get`."""
    return _about("receipts.get", receipt_id, _receipt)


def receipts_confirm_hold(receipt_id: str) -> Call[Receipt]:
    """Build `receipts.confirm_hold`."""
    return _about("receipts.confirm_hold", receipt_id, _receipt)


def receipts_set_fiscal_data(receipt_id: str, fiscal: FiscalData) -> Call[bool]:
    """Build `receipts.set_fiscal_data`."""
    params = {
        "id": check.receipt_id(receipt_id),
        "fiscal_data": msgspec.to_builtins(_is(FiscalData, "fiscal", fiscal)),
    }
    return Call("receipts.set_fiscal_data", params, _done, receipt_id)


def receipts_get_all(count: int, from_: object, to: object, offset: int = 0) -> Call[list[Receipt]]:
    """Build `receipts.get_all`."""
    start, end = check.millis("from_", from_), check.millis("to", to)
    if start > end:
        raise InvalidArgument("from_", from_, "a moment not after `to`")
    params = {"count": check.count(count), "from": start, "to": end, "offset": check.offset(offset)}
    return Call("receipts.get_all", params, _receipts)


def any_method(method: str, params: Mapping[str, Any]) -> Call[Any]:
    """Build a call of any method, known or not.

    Args:
        method: Name of the method.
        params: Members of `params`, sent as they are.

    Returns:
        A call whose value is the JSON of `result`.
    """
    name = check.text("method", method, "the name of a method, such as 'receipts.get'")
    if not isinstance(params, Mapping):
        raise InvalidArgument("params", type(params).__name__, "a mapping")
    sent = dict(params)
    about = sent.get("id")
    return Call(
        name,
        sent,
        msgspec.json.decode,
        about if isinstance(about, str) else None,
        tuple(_secrets(sent)),
    )


def _about(method: str, receipt_id: str, read: Callable[[bytes], T]) -> Call[T]:
    return Call(method, {"id": check.receipt_id(receipt_id)}, read, receipt_id)


def _payer(payer: Payer) -> dict[str, str]:
    members: dict[str, str] = {
        name: check.optional_text(f"payer.{name}", member)
        for name in payer.__struct_fields__
        if (member := getattr(payer, name)) is not None
    }
    if "phone" in members:
        members["phone"] = check.phone(members["phone"])
    return members


def _is(kind: type[T], name: str, given: object) -> T:
    if not isinstance(given, kind):
        raise InvalidArgument(name, type(given).__name__, f"an instance of payme.{kind.__name__}")
    return given


def _secrets(params: Any) -> list[str]:
    """Find what must not be printed in params of unknown make: what redaction would change."""
    if isinstance(params, dict):
        found: list[str] = []
        for name, member in cast("dict[Any, Any]", params).items():
            if isinstance(member, str) and redact.value(str(name), member) != member:
                found.append(member)
            else:
                found += _secrets(member)
        return found
    if isinstance(params, list):
        return [secret for one in cast("list[Any]", params) for secret in _secrets(one)]
    return []
