"""Every method of the Subscribe API, written once.

A call is a value: what to send, which credential goes with it, what it does to money, and how to
read the answer. Nothing here knows a network.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final, Generic, NamedTuple, ParamSpec, TypeVar, cast

import msgspec

from payme import exact, money, redact
from payme.errors import InvalidArgument
from payme.protocol import arguments as check
from payme.protocol.inputs import Detail, FiscalData, Payer
from payme.protocol.models import Card, Receipt, VerifyCode
from payme.protocol.states import ReceiptState
from payme.redact import CODE, TOKEN, Secret

T = TypeVar("T")
P = ParamSpec("P")


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
        params: Members of `params`; what is secret among them is a `Secret`.
        read: Turns the JSON of `result` into the value that is returned.
        receipt_id: The receipt it is about.
        secrets: What must not appear in any text, in every form in which it was given.
        refusal: Why it can't be sent: an argument that was refused.
    """

    method: str
    params: dict[str, Any]
    read: Callable[[bytes], T]
    receipt_id: str | None = None
    secrets: tuple[Secret, ...] = ()
    refusal: InvalidArgument | None = None

    @property
    def effect(self) -> Effect:
        """What it does to money."""
        return METHODS.get(self.method, UNKNOWN_METHOD).effect

    @property
    def credential(self) -> Credential:
        """What the header carries."""
        return METHODS.get(self.method, UNKNOWN_METHOD).credential

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("params", redact.tree(self.params))]

    def __repr__(self) -> str:
        return f"Call({self.method!r}, {redact.tree(self.params)!r})"


def prepare(build: Callable[P, Call[T]], /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
    """Build a call whose refused argument is told when the call is made, and not here.

    Error reporters upload the locals of every frame that an exception leaves. By the time the call
    is made, the frames that hold the arguments have ended or dropped them.

    Args:
        build: One of the functions below.
        *args: Its arguments.
        **kwargs: Its arguments.

    Returns:
        The call, or one with a `refusal`.
    """
    try:
        return build(*args, **kwargs)
    except InvalidArgument as refusal:
        return Call("", {}, _never, refusal=refusal.with_traceback(None))


def _never(_: bytes) -> Any:
    raise AssertionError  # pragma: no cover - a refused call is never sent


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
    hidden = Secret(pan, redact.card_number(pan))
    params: dict[str, Any] = {
        "card": {"number": hidden, "expire": Secret(check.expire(expire))},
        "save": check.flag("save", save),
    }
    secrets = [Secret(number), hidden]
    if account is not None:
        params["account"] = check.account(account)
    if customer is not None:
        # Merchants put phones and e-mail addresses here.
        params["customer"] = Secret(check.optional_text("customer", customer))
        secrets.append(params["customer"])
    return Call("cards.create", params, _card, secrets=tuple(secrets))


def cards_get_verify_code(token: str) -> Call[VerifyCode]:
    """Build `cards.get_verify_code`."""
    return _with_token("cards.get_verify_code", token, VerifyCode.read)


def cards_verify(token: str, code: str) -> Call[Card]:
    """Build `cards.verify`."""
    params = {
        "token": _token(token),
        "code": Secret(check.text("code", code, "the code from the SMS, as text"), CODE),
    }
    return Call("cards.verify", params, _card, secrets=(params["token"], params["code"]))


def cards_check(token: str) -> Call[Card]:
    """Build `cards.check`."""
    return _with_token("cards.check", token, _card)


def cards_remove(token: str) -> Call[bool]:
    """Build `cards.remove`."""
    return _with_token("cards.remove", token, _success)


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
    params: dict[str, Any] = {"id": check.receipt_id(receipt_id), "token": _token(token)}
    secrets = [params["token"]]
    if payer is not None:
        params["payer"] = _payer(_is(Payer, "payer", payer))
        secrets += params["payer"].values()
    if check.flag("hold", hold):
        params["hold"] = True
    return Call("receipts.pay", params, _receipt, params["id"], tuple(secrets))


def receipts_send(receipt_id: str, phone: str) -> Call[bool]:
    """Build `receipts.send`."""
    digits = Secret(check.phone(phone), redact.phone(phone))
    params: dict[str, Any] = {"id": check.receipt_id(receipt_id), "phone": digits}
    return Call("receipts.send", params, _success, params["id"], (Secret(phone), digits))


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
    params: dict[str, Any] = {
        "id": check.receipt_id(receipt_id),
        "fiscal_data": msgspec.to_builtins(_is(FiscalData, "fiscal", fiscal)),
    }
    return Call("receipts.set_fiscal_data", params, _done, params["id"])


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
    secrets: list[Secret] = []
    sent = _hidden(dict(params), "", secrets)
    about = sent.get("id")
    receipt_id = about if isinstance(about, str) else None
    return Call(name, sent, msgspec.json.decode, receipt_id, tuple(secrets))


def _about(method: str, receipt_id: str, read: Callable[[bytes], T]) -> Call[T]:
    exact_id = check.receipt_id(receipt_id)
    return Call(method, {"id": exact_id}, read, exact_id)


def _with_token(method: str, token: str, read: Callable[[bytes], T]) -> Call[T]:
    hidden = _token(token)
    return Call(method, {"token": hidden}, read, secrets=(hidden,))


def _token(token: str) -> Secret:
    return Secret(check.token(token), TOKEN)


def _payer(payer: Payer) -> dict[str, Secret]:
    members: dict[str, Secret] = {
        name: Secret(check.optional_text(f"payer.{name}", member))
        for name in payer.__struct_fields__
        if (member := getattr(payer, name)) is not None
    }
    if payer.phone is not None:
        members["phone"] = Secret(check.phone(payer.phone))
    return members


def _is(kind: type[T], name: str, given: object) -> T:
    if not isinstance(given, kind):
        raise InvalidArgument(name, type(given).__name__, f"an instance of payme.{kind.__name__}")
    return given


def _hidden(given: Any, name: str, secrets: list[Secret]) -> Any:
    """Hide what redaction would change in params of unknown make, and note it in `secrets`."""
    if isinstance(given, Mapping):
        members = cast("Mapping[Any, Any]", given).items()
        return {_name(key): _hidden(member, _name(key), secrets) for key, member in members}
    if isinstance(given, list | tuple):
        return [_hidden(one, name, secrets) for one in cast("list[Any]", given)]
    plain = _plain(given, name)
    if not isinstance(plain, str) or (mask := redact.value(name, plain)) == plain:
        return plain
    secrets.append(Secret(plain, str(mask)))
    return secrets[-1]


def _name(given: object) -> str:
    name = exact.text(given)
    if name is None:
        raise InvalidArgument("params", given, "names that are text")
    return name


def _plain(given: object, name: str) -> object:
    """Read a scalar of JSON: text with bytes, a number of at most 64 bits, true, false or null."""
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, float) and isfinite(given):
        return given
    if isinstance(given, Decimal) and given.is_finite():
        return given
    number = exact.whole(given)
    if number is not None and number.bit_length() < 64:
        return number
    text = exact.text(given)
    if text is None:
        raise InvalidArgument(f"params.{name}", given, "a value of JSON")
    return text
