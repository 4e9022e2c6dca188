"""Ends a run in one line where grading would only repeat one mistake under every rule."""

from typing import Final

from payme import redact
from payme.conformance.endpoint import Account, Endpoint
from payme.conformance.exchange import Exchange, shown_body
from payme.conformance.findings import ACCOUNT_CODES
from payme.errors.catalogue import Language, Text


class PreflightError(Exception):
    """The endpoint can't be graded: nobody answers, or the key or an order is not right.

    Args:
        reason: Why, in three languages.

    Attributes:
        reason: Why, in three languages.
    """

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason

    def text(self, language: Language) -> str:
        """Return the reason in a language: `uz`, `ru` or `en`."""
        return str(self.reason._asdict()[language])


_SILENT: Final = Text(
    "{url} javob bermayapti: {got}", "{url} не отвечает: {got}", "{url} does not answer: {got}"
)
_REDIRECT: Final = Text(
    "{url} boshqa manzilga yoʻnaltiradi (HTTP {status}): {location}",
    "{url} перенаправляет (HTTP {status}) на {location}",
    "{url} redirects (HTTP {status}) to {location}",
)
_NO_RPC: Final = Text(
    "{url} HTTP {status} bilan javob berdi, bu JSON-RPC javobi emas: {got}",
    "{url} отвечает HTTP {status}, и это не ответ JSON-RPC: {got}",
    "{url} answers HTTP {status} with what is no answer of JSON-RPC: {got}",
)
_KEY: Final = Text(
    "server kalitni rad etdi (-32504): {got}; kassaning kaliti, test stendi uchun TEST_KEY kerak",
    "сервер отклонил ключ (-32504): {got}; нужен ключ кассы, на тестовом стенде TEST_KEY",
    "the endpoint refuses the key (-32504): {got}; it takes the key of the cash-box",
)
_ORDER: Final = Text(
    "{account} buyurtmasi toʻlov kutmayapti: {got}",
    "заказ {account} не ждёт оплаты: {got}",
    "the order {account} does not wait for payment: {got}",
)
_AMOUNT: Final = Text(
    "{account} buyurtmasining summasi {amount} tiyin emas: {got}",
    "сумма заказа {account} — не {amount} тийинов: {got}",
    "the amount of the order {account} is not {amount} tiyin: {got}",
)

_LONGEST: Final = 300
_OK: Final = 200


def preflight(endpoint: Endpoint, url: str) -> None:
    """Ask CheckPerformTransaction about every order that is given.

    Only a documented method is called: a server may hang on others, and is graded all the same.

    Args:
        endpoint: What is to be graded.
        url: Its address, for the message.

    Raises:
        PreflightError: It can't be graded.
    """
    for order in endpoint.orders.given:
        said = endpoint.check_perform(order)
        reason = _reason(said)
        if reason is not None:
            raise PreflightError(_filled(reason, said, url, order, endpoint.amount))


def _reason(said: Exchange) -> Text | None:
    if said.status == 0:
        return _SILENT
    if not said.is_rpc and (said.status != _OK or not said.answer):
        return _REDIRECT if said.location else _NO_RPC
    if said.code == -32504:
        return _KEY
    if said.code == -31001:
        return _AMOUNT
    closed = said.code in ACCOUNT_CODES or said.code == -31008
    return _ORDER if closed else None


def _filled(reason: Text, said: Exchange, url: str, order: Account, amount: int) -> Text:
    got = " ".join(shown_body(said.response).split())[:_LONGEST] or "-"
    account = " ".join(f"{name}={redact.account_value(value)}" for name, value in order.items())
    known = {
        "url": url,
        "got": got,
        "status": said.status,
        "location": said.location,
        "account": account,
        "amount": amount,
    }
    return Text(*(text.format(**known) for text in reason))
