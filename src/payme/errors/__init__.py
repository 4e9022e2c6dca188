"""What can go wrong, as a tree of classes.

::

    PaymeError
    ├─ ConfigurationError    wrong or missing credential, bad base URL
    ├─ InvalidArgument       refused before sending (also a ValueError)
    ├─ NotSent               certainly not executed
    ├─ OutcomeUnknown        perhaps executed: ask with `receipts.resolve(error)`
    │  └─ UnreadableAnswer   an answer came, and it is not the protocol (also a ProtocolError)
    ├─ ProtocolError
    └─ Rejected              Payme answered no

The three that matter for money are NotSent, OutcomeUnknown and Rejected. After the first and the
last nothing happened; after the second, paying *another* receipt may charge the payer twice.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Protocol

from payme import exact, redact
from payme.errors import catalogue
from payme.errors.catalogue import Entry, Language, Text, lookup
from payme.protocol.models import Receipt

Sent = Literal["no", "maybe", "yes"]


def _restore(kind: type["PaymeError"], text: str, state: dict[str, Any]) -> "PaymeError":
    error = kind.__new__(kind, text)
    error.args = (text,)
    error.__dict__.update(state)
    return error


class PaymeError(Exception):
    """Anything this package raises on purpose.

    Attributes:
        method: Method of the API, such as `receipts.pay`; empty when no call was made.
        request_id: JSON-RPC id of the last attempt.
        receipt_id: Receipt the call was about.
        sent: Whether a byte of the request left this machine: `no`, `maybe` or `yes` (answered).
    """

    method: str
    request_id: int | None
    receipt_id: str | None
    sent: Sent

    def __init__(
        self,
        text: str,
        *,
        method: str = "",
        request_id: int | None = None,
        receipt_id: str | None = None,
        sent: Sent = "no",
    ) -> None:
        super().__init__(redact.scrub(text))
        self.method = method
        self.request_id = request_id
        self.receipt_id = receipt_id
        self.sent = sent

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args[0], self._picklable())

    def _picklable(self) -> dict[str, Any]:
        return dict(self.__dict__)


class ConfigurationError(PaymeError):
    """A credential or an option that can't work; nothing was sent."""


class InvalidArgument(PaymeError, ValueError):
    """An argument that was refused before anything was sent.

    Attributes:
        argument: Name of the argument.
        expected: What would have been accepted.
    """

    argument: str
    expected: str

    def __init__(self, argument: str, given: object, expected: str) -> None:
        text = repr(redact.value(argument.rpartition(".")[2], exact.shown(given)))
        if len(text) > 80:
            text = f"{text[:77]}..."
        super().__init__(f"{argument}: got {text}, expected {expected}")
        self.argument = argument
        self.expected = expected


class NotSent(PaymeError):
    """The request did not leave: refused, no such host, TLS failure, no free connection.

    Nothing was executed. Calling again is safe.
    """


class _Receipts(Protocol):
    """The part of `Payme.receipts` that an error needs to ask what became of its call."""

    def resolve(
        self, lost: "OutcomeUnknown", *, timeout: float = ..., cancel: bool = ...
    ) -> Receipt | None: ...


class _Client(Protocol):
    @property
    def receipts(self) -> _Receipts: ...


class OutcomeUnknown(PaymeError):
    """The request left and no usable answer came back: Payme may have executed it.

    Attributes:
        cancels: How many cancellations of the receipt may be on their way. While there is one, the
            receipt is not called paid, whatever it says.

    Example:
        >>> try:
        ...     receipt = payme.receipts.pay(receipt_id, token)
        ... except OutcomeUnknown as lost:
        ...     receipt = payme.receipts.resolve(lost, cancel=True)
        >>> receipt.is_paid
        True
    """

    cancels: int = 0
    _receipts: Any = None

    def _picklable(self) -> dict[str, Any]:
        return {name: member for name, member in self.__dict__.items() if name != "_receipts"}

    def resolve(
        self, client: _Client | None = None, *, timeout: float = 30.0, cancel: bool = False
    ) -> Receipt | None:
        """Ask Payme what happened: `payme.receipts.resolve(self)` of a blocking client.

        Args:
            client: The `Payme` to ask with. By default the one that raised this error.
            timeout: How long to keep asking, in seconds.
            cancel: When the time is over and nothing is proven, cancel the receipt.

        Returns:
            See `Receipts.resolve`.

        Raises:
            OutcomeUnknown: Nothing is proven yet. Ask again later; do not create another receipt.
            ConfigurationError: There is no client to ask with: the error was pickled, its client is
                an `AsyncPayme`, or its client is closed.
        """
        receipts: Any = self._receipts if client is None else client.receipts
        if receipts is None:
            raise ConfigurationError(
                "this error was pickled or copied and has no client: call "
                "payme.receipts.resolve(error)",
                method=self.method,
            )
        found: Any = receipts.resolve(self, timeout=timeout, cancel=cancel)
        if hasattr(found, "__await__"):
            found.close()
            raise ConfigurationError(
                "this error belongs to an AsyncPayme: await payme.receipts.resolve(error)",
                method=self.method,
            )
        receipt: Receipt | None = found
        return receipt


def lost_in(error: BaseException) -> OutcomeUnknown | None:
    """Find the unknown outcome behind an exception.

    An interruption (Ctrl+C, `asyncio.CancelledError`, a time limit of Celery's or gevent's) reaches
    the caller as it is, with the `OutcomeUnknown` of the call that it ended behind it.

    Args:
        error: Any exception. Its causes, contexts and, for a group, members are looked at.

    Returns:
        The outcome to be resolved, the outermost first; None if there is none.

    Example:
        >>> try:
        ...     payme.receipts.pay(receipt_id, token)
        ... except SoftTimeLimitExceeded as limit:
        ...     lost = lost_in(limit)
        ...     if lost is not None:
        ...         remember(lost.receipt_id)
    """
    found = [one for one in _behind(error) if isinstance(one, OutcomeUnknown)]
    # What may have moved money comes before a card or a receipt that can be made again.
    return next((one for one in found if one.receipt_id), found[0] if found else None)


def _behind(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        members: tuple[BaseException, ...] = getattr(one, "exceptions", ())
        waiting += [*members, *filter(None, (one.__cause__, one.__context__))]


class ProtocolError(PaymeError):
    """Payme, or something in front of it, answered something that is not the protocol."""


class UnreadableAnswer(OutcomeUnknown, ProtocolError):
    """An answer came that can't be read: HTTP 502, HTML, a stray answer, a wrong shape.

    It says nothing about whether the request was executed, so it is an `OutcomeUnknown` too.
    """


class Rejected(PaymeError):
    """Payme answered with an error: the request was not executed.

    Attributes:
        code: Payme's number, such as -31630.
        message: Payme's text, usually Russian.
        data: Payme's `data` member: a field name, a reason, or the merchant's own error.
        remedy: What the developer should do; `str(remedy)` is English, `.uz`, `.ru`, `.en` are
            there.
    """

    code: int
    message: str
    data: Any
    remedy: Text

    _UNKNOWN: ClassVar = Entry(
        0,
        "Rejected",
        Text("Payme soʻrovni rad etdi.", "Payme отклонил запрос.", "Payme refused the request."),
        Text(
            "Bu kod katalogda yoʻq: xabarni oʻqing va Payme texnik yordamiga yozing.",
            "Этого кода нет в каталоге: прочтите сообщение и напишите в поддержку Payme.",
            "This code is not in the catalogue: read the message and ask Payme.",
        ),
        "our choice",
    )

    _MEANING: ClassVar[Entry | None] = None
    """What a class means that no code names."""

    def __init__(
        self,
        code: int,
        message: str,
        data: Any = None,
        *,
        method: str = "",
        request_id: int | None = None,
        receipt_id: str | None = None,
    ) -> None:
        entry = self._MEANING or lookup(code, method, message) or self._UNKNOWN
        super().__init__(
            f"{method or 'Payme'}: {code} {message or entry.text.en} - {entry.remedy.en}",
            method=method,
            request_id=request_id,
            receipt_id=receipt_id,
            sent="yes",
        )
        self.code = code
        self.message = redact.scrub(message)
        self.data = redact.tree(data)
        self.remedy = entry.remedy
        self._text = entry.text

    @classmethod
    def of(
        cls,
        code: int,
        message: str,
        data: Any = None,
        *,
        method: str = "",
        request_id: int | None = None,
        receipt_id: str | None = None,
    ) -> "Rejected":
        """Make the error of the class that the catalogue names.

        Args:
            code: `error.code`.
            message: `error.message`.
            data: `error.data`.
            method: Method that was called.
            request_id: JSON-RPC id of the call.
            receipt_id: Receipt the call was about.

        Returns:
            An instance of the most exact subclass.
        """
        entry = lookup(code, method, message)
        kind = REJECTIONS[entry.kind] if entry else Rejected
        return kind(
            code, message, data, method=method, request_id=request_id, receipt_id=receipt_id
        )

    def become(self, kind: "type[Rejected]") -> "Rejected":
        """Make the same refusal of another class, after a look has shown what it means.

        Args:
            kind: The class.

        Returns:
            A new error.
        """
        return kind(
            self.code,
            self.message,
            self.data,
            method=self.method,
            request_id=self.request_id,
            receipt_id=self.receipt_id,
        )

    def text(self, language: Language) -> str:
        """Say in a sentence what a payer may be told.

        Args:
            language: `uz`, `ru` or `en`.

        Returns:
            A sentence without technical terms.
        """
        sentences = self._text._asdict()
        if language not in sentences:
            raise InvalidArgument("language", language, "'uz', 'ru' or 'en'")
        return str(sentences[language])


class AccessDenied(Rejected):
    """The cash-box id or the key is wrong here, or the method needs the key."""


class InvalidRequest(Rejected):
    """Payme could not read the request, or a parameter has the wrong form."""


class NotFound(Rejected):
    """No such card token or receipt."""


class ReceiptNotFound(NotFound):
    """No such receipt: nothing was paid, and nothing can be."""

    _MEANING = catalogue.RECEIPT_NOT_FOUND


class ServiceUnavailable(Rejected):
    """Payme or the processing centre is out of order; the same receipt can be paid later."""


class CardRejected(Rejected):
    """The card, or the bank behind it, refused."""


class InvalidCard(CardRejected):
    """Wrong card number or expiry."""


class InsufficientFunds(CardRejected):
    """Not enough money on the card."""


class CardBlocked(CardRejected):
    """The card is blocked."""


class CardExpired(CardRejected):
    """The card has expired."""


class CardNotServiced(CardRejected):
    """This type of card, or a corporate card, is not accepted."""


class SmsNotConnected(CardRejected):
    """The bank sends no SMS for this card, so it can't be verified."""


class SmsNotSent(CardRejected):
    """The SMS could not be sent."""


class WrongCode(CardRejected):
    """The SMS code is wrong."""


class CodeExpired(CardRejected):
    """The SMS code is too old."""


class TooManyAttempts(CardRejected):
    """The SMS code was typed wrong too often."""


class ReceiptRejected(Rejected):
    """Something about the receipt."""


class AlreadyPaid(ReceiptRejected):
    """The receipt is paid, cancelled, or unknown: one code for all three.

    `receipts.pay` looks at the receipt and tells them apart; this reaches you from `call`.
    """


class ReceiptCancelled(ReceiptRejected):
    """The receipt was cancelled, and can't be paid: create another one."""

    _MEANING = catalogue.RECEIPT_CANCELLED


class ReceiptExpired(ReceiptRejected):
    """The receipt is too old to be paid."""


class CannotCancel(ReceiptRejected):
    """The receipt can't be cancelled automatically."""


class AmountTooSmall(ReceiptRejected):
    """Below the minimum of the cash-box."""


class AmountTooLarge(ReceiptRejected):
    """Above the maximum of the cash-box."""


class AccountInvalid(ReceiptRejected):
    """An account field has a wrong name or value; `data` names it."""


class BillingRejected(Rejected):
    """The merchant's own side refused or failed."""


class MerchantBlocked(BillingRejected):
    """The cash-box was not found or is blocked."""


class MerchantUnavailable(BillingRejected):
    """The merchant's endpoint did not answer."""


class MerchantRefused(BillingRejected):
    """The merchant's endpoint answered with an error."""

    @property
    def merchant_error(self) -> Any:
        """The merchant's own error object, as its endpoint gave it to Payme."""
        return self.data


def _tree(kind: type[Rejected]) -> dict[str, type[Rejected]]:
    found = {kind.__name__: kind}
    for child in kind.__subclasses__():
        found |= _tree(child)
    return found


REJECTIONS: dict[str, type[Rejected]] = _tree(Rejected)
"""Every class of refusal by its name."""

__all__ = [
    "AccessDenied",
    "AccountInvalid",
    "AlreadyPaid",
    "AmountTooLarge",
    "AmountTooSmall",
    "BillingRejected",
    "CannotCancel",
    "CardBlocked",
    "CardExpired",
    "CardNotServiced",
    "CardRejected",
    "CodeExpired",
    "ConfigurationError",
    "InsufficientFunds",
    "InvalidArgument",
    "InvalidCard",
    "InvalidRequest",
    "MerchantBlocked",
    "MerchantRefused",
    "MerchantUnavailable",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "PaymeError",
    "ProtocolError",
    "ReceiptCancelled",
    "ReceiptExpired",
    "ReceiptNotFound",
    "ReceiptRejected",
    "Rejected",
    "Sent",
    "ServiceUnavailable",
    "SmsNotConnected",
    "SmsNotSent",
    "TooManyAttempts",
    "UnreadableAnswer",
    "WrongCode",
    "lost_in",
]
