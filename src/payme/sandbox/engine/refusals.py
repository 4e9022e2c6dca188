"""Every way in which the engine says no: a reason for machines, a code and a text for callers.

The texts are the ones observed in Payme's answers where there are any. `payme.errors.catalogue`
finds the meaning of -31301 and -31630 in their words, so a text is as binding here as a code.
"""

from enum import StrEnum
from typing import Any, Final


class Reason(StrEnum):
    """Why a call was refused."""

    NOT_POST = "not_post"
    MALFORMED_JSON = "malformed_json"
    TOO_LARGE = "too_large"
    INCOMPLETE = "incomplete"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_METHOD = "unknown_method"
    INVALID_PARAMS = "invalid_params"
    HOLD_MISMATCH = "hold_mismatch"
    UNKNOWN_CASH_BOX = "unknown_cash_box"
    WRONG_KEY = "wrong_key"
    KEY_NEEDED = "key_needed"
    KEY_IN_PAGE = "key_in_page"
    NOT_FOR_PAGES = "not_for_pages"
    SYSTEM_ERROR = "system_error"
    CARD_SYSTEM_ERROR = "card_system_error"
    WRONG_NUMBER = "wrong_number"
    UNKNOWN_NUMBER = "unknown_number"
    WRONG_EXPIRE = "wrong_expire"
    CARD_EXPIRED = "card_expired"
    CARD_BLOCKED = "card_blocked"
    SMS_NOT_CONNECTED = "sms_not_connected"
    MALFORMED_TOKEN = "malformed_token"  # noqa: S105 - the name of a reason
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105
    CARD_DELETED = "card_deleted"
    CARD_NOT_VERIFIED = "card_not_verified"
    WRONG_CODE = "wrong_code"
    CODE_EXPIRED = "code_expired"
    CODE_NOT_ASKED = "code_not_asked"
    TOO_MANY_CODES = "too_many_codes"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    DEBIT_FAILED = "debit_failed"
    CARD_REFUSED = "card_refused"
    UNKNOWN_RECEIPT = "unknown_receipt"
    NOT_PAYABLE = "not_payable"
    NOT_HELD = "not_held"
    RECEIPT_EXPIRED = "receipt_expired"
    WRONG_ACCOUNT = "wrong_account"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    MERCHANT_UNAVAILABLE = "merchant_unavailable"
    MERCHANT_REFUSED = "merchant_refused"
    NOT_CANCELLABLE = "not_cancellable"
    IN_PROGRESS = "in_progress"


_R = Reason
_NO_RECEIPT: Final = (-31602, "Чек не найден или оплачен")
_NO_CARD: Final = (-31400, "Карта не найдена.")
_CODE_OVER: Final = (-31101, "Срок действия кода истёк. Запросите новый код.")

ANSWERS: Final[dict[Reason, tuple[int, str]]] = {
    _R.NOT_POST: (-32300, "Transport error."),
    _R.MALFORMED_JSON: (-32700, "Parse error."),
    _R.TOO_LARGE: (-32600, "Invalid Request. The body is larger than 1 MiB."),
    _R.INCOMPLETE: (-32600, "Invalid Request. The body did not arrive in full."),
    _R.INVALID_REQUEST: (-32600, "Invalid Request."),
    _R.UNKNOWN_METHOD: (-32601, "Method not found."),
    _R.INVALID_PARAMS: (-32602, "Invalid Params."),
    _R.HOLD_MISMATCH: (-32602, "Invalid Params. `hold` must be the same on create and on pay."),
    _R.UNKNOWN_CASH_BOX: (-32504, "Access denied."),
    _R.WRONG_KEY: (-32504, "Access denied."),
    _R.KEY_NEEDED: (-32504, "Access denied."),
    _R.KEY_IN_PAGE: (
        -32504,
        "Access denied. A web page sent the key, where anybody can read it: replace the key.",
    ),
    _R.NOT_FOR_PAGES: (
        -32504,
        "Access denied. This method is for the merchant's server, not for web pages.",
    ),
    _R.SYSTEM_ERROR: (-32400, "System error."),
    _R.CARD_SYSTEM_ERROR: (-32400, "System error."),
    _R.WRONG_NUMBER: (-31300, "Неверный номер карты"),
    _R.UNKNOWN_NUMBER: (-31300, "Карта с таким номером не найдена"),
    _R.WRONG_EXPIRE: (-31300, "Неверно указана дата истечения срока действия карты"),
    _R.CARD_EXPIRED: (-31301, "Карта устарела"),
    _R.CARD_BLOCKED: (-31301, "Карта заблокирована."),
    _R.SMS_NOT_CONNECTED: (-31301, "Не включено смс уведомление"),
    _R.MALFORMED_TOKEN: (-32500, "Invalid token format."),
    _R.UNKNOWN_TOKEN: _NO_CARD,
    _R.CARD_DELETED: _NO_CARD,
    _R.CARD_NOT_VERIFIED: (-31400, "Карта не подтверждена."),
    _R.WRONG_CODE: (-31103, "Введён неверный одноразовый СМС-код."),
    _R.CODE_EXPIRED: _CODE_OVER,
    _R.CODE_NOT_ASKED: _CODE_OVER,
    _R.TOO_MANY_CODES: (-31102, "Превышено число попыток. Запросите новый код."),
    _R.INSUFFICIENT_FUNDS: (-31630, "Недостаточно средств на карте"),
    _R.DEBIT_FAILED: (-31630, "Ошибка при списании средств с карты."),
    _R.CARD_REFUSED: (-31630, "Ошибка при списании средств с карты."),
    _R.UNKNOWN_RECEIPT: _NO_RECEIPT,
    _R.NOT_PAYABLE: _NO_RECEIPT,
    _R.NOT_HELD: _NO_RECEIPT,
    _R.RECEIPT_EXPIRED: (-31403, "Срок действия чека истёк."),
    _R.WRONG_ACCOUNT: (-31610, "Неверные данные платежа."),
    _R.AMOUNT_TOO_SMALL: (-31611, "Сумма меньше допустимой."),
    _R.AMOUNT_TOO_LARGE: (-31612, "Сумма больше допустимой."),
    _R.MERCHANT_UNAVAILABLE: (-31622, "Сервис поставщика услуг недоступен"),
    _R.MERCHANT_REFUSED: (-31623, "Сервис поставщика услуг работает не корректно"),
    _R.NOT_CANCELLABLE: (-31800, "Чек не может быть отменён автоматически."),
    _R.IN_PROGRESS: (-31800, "Статус чека изменяется. Проверьте его и повторите попытку."),
}


class Refused(Exception):
    """Ends a call with an error of Payme's.

    Args:
        reason: Picks the code and the text.
        data: `error.data` of the answer.
        detail: A sentence to put after the text.
        delay_ms: How long Payme would think before it says so.
        answer: Code and text in place of the reason's own.
    """

    def __init__(
        self,
        reason: Reason,
        data: Any = None,
        *,
        detail: str = "",
        delay_ms: int = 0,
        answer: tuple[int, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self._answer = answer or ANSWERS[reason]
        self.reason = reason
        self.data = data
        self.detail = detail
        self.delay_ms = delay_ms

    @property
    def code(self) -> int:
        """`error.code` of the answer."""
        return self._answer[0]

    @property
    def message(self) -> str:
        """`error.message` of the answer."""
        text = self._answer[1]
        return f"{text} {self.detail}" if self.detail else text
