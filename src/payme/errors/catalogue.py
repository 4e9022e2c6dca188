"""Every error code that Payme is known to answer: class, texts, remedy, and how sure we are.

One code may mean different things for different methods, and -31301 and -31630 say what they mean
only in the text of the message. So an entry may be bound to methods and to a pattern of the
message; the first entry that fits is taken, and the entry of a code without conditions stands last.

Sources, below https://developer.help.paycom.uz/:
``initsializatsiya-platezhey/oshibki-otpravki-cheka`` for the codes marked confirmed among -316xx,
``protokol-merchant-api/obschie-oshibki`` for -32400 and -32504. There is no official list for the
rest: they are observed in live answers and partner documents, and the other protocol codes are
documented for the Merchant API only.
"""

import re
from typing import Final, Literal, NamedTuple

Standing = Literal["confirmed", "observed", "inferred", "our choice"]
Language = Literal["uz", "ru", "en"]

# The one code that says "perhaps": Payme itself does not know whether the request was executed.
SYSTEM_ERROR: Final = -32400


class Text(NamedTuple):
    """A sentence in the three languages."""

    uz: str
    ru: str
    en: str

    def __str__(self) -> str:
        return self.en


class Entry(NamedTuple):
    """One meaning of one code."""

    code: int
    kind: str
    """Name of the class in `payme.errors` that is raised."""
    text: Text
    """What a payer may be shown."""
    remedy: Text
    """What the developer should do."""
    standing: Standing
    methods: tuple[str, ...] = ()
    """Methods that give the code this meaning; empty means any."""
    message: str = ""
    """Regular expression that Payme's message must contain; empty means any."""


_FIX_REQUEST = Text(
    "Soʻrovni tuzating: oʻzgarishsiz yuborilsa, yana rad etiladi.",
    "Исправьте запрос: тот же самый будет отклонён снова.",
    "Correct the request: the same one will be refused again.",
)
_CHECK_KEY = Text(
    "Kassa ID si va kalitini tekshiring: test kassasi faqat test serverida, ishchi kassa faqat "
    "ishchi serverda "
    "ishlaydi. Kalitni CMS sozlamalaridan nusxalaganda `&amp;` kabi belgilar qolib ketmasin.",
    "Проверьте ID кассы и ключ: тестовая касса работает только на тестовом сервере, боевая — "
    "только на боевом. "
    "Ключ, скопированный из настроек CMS, может содержать `&amp;` и подобное.",
    "Check the cash-box id and key: a test cash-box works on the test host only, a live one on "
    "the production host "
    "only. A key copied from CMS settings may contain `&amp;` and the like.",
)
_LATER_SAME_RECEIPT = Text(
    "Birozdan keyin oʻsha chekni qayta toʻlang; yangi chek yaratmang, aks holda pul ikki marta "
    "yechilishi mumkin.",
    "Повторите оплату того же чека позже; новый чек не создавайте, иначе деньги могут списаться "
    "дважды.",
    "Pay the same receipt again later; do not create a new one, or the payer may be charged twice.",
)
_LATER = Text("Birozdan keyin qayta urining.", "Повторите попытку позже.", "Try again later.")
_OTHER_CARD = Text(
    "Toʻlovchidan boshqa karta soʻrang.",
    "Попросите плательщика указать другую карту.",
    "Ask the payer for another card.",
)
_CHECK_CARD = Text(
    "Toʻlovchidan karta raqami va muddatini tekshirishni soʻrang.",
    "Попросите плательщика проверить номер и срок действия карты.",
    "Ask the payer to check the card number and expiry.",
)
_NEW_CODE = Text(
    "`cards.get_verify_code` bilan yangi kod soʻrang.",
    "Запросите новый код методом `cards.get_verify_code`.",
    "Ask for a new code with `cards.get_verify_code`.",
)
_RETYPE_CODE = Text(
    "Toʻlovchidan kodni qayta kiritishni soʻrang.",
    "Попросите плательщика ввести код ещё раз.",
    "Ask the payer to type the code again.",
)
_CONNECT_SMS = Text(
    "Toʻlovchi bankda SMS-xabarnomani yoqishi yoki boshqa karta koʻrsatishi kerak.",
    "Плательщик должен подключить SMS-информирование в банке или указать другую карту.",
    "The payer must switch on SMS informing at the bank, or use another card.",
)
_BIND_AGAIN = Text(
    "Tokenni bazadan oʻchiring va kartani qaytadan bogʻlang.",
    "Удалите токен из базы и привяжите карту заново.",
    "Delete the stored token and bind the card again.",
)
_CHECK_RECEIPT_ID = Text(
    "Chek identifikatorini va kassani tekshiring: test va ishchi serverlarning cheklari alohida.",
    "Проверьте идентификатор чека и кассу: у тестового и боевого серверов свои чеки.",
    "Check the receipt's id and the cash-box: the test and the production host keep receipts of "
    "their own.",
)
_READ_RECEIPT = Text(
    "`receipts.get` bilan chek holatini koʻring: u allaqachon toʻlangan boʻlishi mumkin. Yangi "
    "chek yaratmang.",
    "Посмотрите состояние чека методом `receipts.get`: он может быть уже оплачен. Новый чек не "
    "создавайте.",
    "Read the receipt with `receipts.get`: it may have been paid already. Do not create a new one.",
)
_READ_BEFORE_RETRY = Text(
    "Nima boʻlgani nomaʼlum: takrorlashdan oldin `receipts.get` bilan chek holatini koʻring.",
    "Что произошло, неизвестно: до повтора посмотрите состояние чека методом `receipts.get`.",
    "What happened is unknown: read the receipt with `receipts.get` before you repeat anything.",
)
_CASH_BOX_AMOUNT = Text(
    "Summa kassa sozlamalaridagi chegaraga sigʻishi kerak (Payme Business kabineti).",
    "Сумма должна укладываться в пределы, заданные в настройках кассы (кабинет Payme Business).",
    "Keep the amount within the limits of the cash-box settings (Payme Business cabinet).",
)
_CASH_BOX_ACCOUNT = Text(
    "`account` maydoni va qiymati kassa sozlamalaridagiga mos boʻlsin; kutilgan maydon nomi `data` "
    "da keladi.",
    "Поле `account` и его значение должны соответствовать настройкам кассы; `data` называет "
    "ожидаемое поле.",
    "Make the `account` field and its value match the cash-box settings; `data` names the field "
    "expected.",
)
_ASK_PAYME = Text(
    "Payme texnik yordamiga murojaat qiling.",
    "Обратитесь в техническую поддержку Payme.",
    "Ask Payme's technical support.",
)
_MERCHANT_ENDPOINT = Text(
    "Oʻz Merchant API manzilingizni tekshiring: u tashqaridan ochiq boʻlib, doim HTTP 200 va "
    "JSON qaytarishi kerak.",
    "Проверьте свой адрес Merchant API: он должен быть доступен извне и всегда отвечать HTTP 200 "
    "и JSON.",
    "Check your own Merchant API endpoint: it must be reachable and always answer HTTP 200 with "
    "JSON.",
)
_MERCHANT_SAID = Text(
    "Oʻz Merchant API javobingizni koʻring: xatoning oʻzi `merchant_error` da.",
    "Посмотрите ответ своего Merchant API: сама ошибка лежит в `merchant_error`.",
    "Look at what your own Merchant API answered: its error is in `merchant_error`.",
)
_LOOK_LATER = Text(
    "Chek holatini qayta oʻqing: u oʻzgargan boʻlishi mumkin. Keyin bekor qilishni takrorlang "
    "yoki Payme texnik yordamiga yozing.",
    "Перечитайте состояние чека: оно могло измениться. Затем повторите отмену или напишите в "
    "Payme.",
    "Read the receipt's state again: it may have changed. Then cancel again, or write to Payme.",
)

_NOT_ENOUGH = Text(
    "Kartada mablagʻ yetarli emas.",
    "Недостаточно средств на карте.",
    "Not enough money on the card.",
)
_BLOCKED = Text("Karta bloklangan.", "Карта заблокирована.", "The card is blocked.")
_EXPIRED = Text(
    "Kartaning amal qilish muddati tugagan.", "Срок действия карты истёк.", "The card has expired."
)
_NO_SMS = Text(
    "Kartaga SMS-xabarnoma ulanmagan.",
    "К карте не подключено SMS-информирование.",
    "SMS informing is not connected to the card.",
)
_WRONG_CARD = Text(
    "Karta raqami yoki muddati notoʻgʻri.",
    "Неверный номер или срок действия карты.",
    "Wrong card number or expiry.",
)
_CORPORATE = Text(
    "Korporativ karta bilan toʻlab boʻlmaydi.",
    "Оплата корпоративной картой запрещена.",
    "A corporate card can't be used for this payment.",
)
_CARD_FAILED = Text(
    "Karta orqali toʻlov rad etildi.", "Оплата по карте отклонена.", "The card refused the payment."
)
_NOT_SERVICED = Text(
    "Bu turdagi karta qabul qilinmaydi.",
    "Данный тип карты не обслуживается.",
    "This type of card is not accepted.",
)
_PROCESSING_DOWN = Text(
    "Protsessing markazi ishlamayapti.",
    "Процессинговый центр недоступен.",
    "The processing centre is unavailable.",
)
_NO_RECEIPT = Text("Chek topilmadi.", "Чек не найден.", "The receipt was not found.")
_PAID_OR_GONE = Text(
    "Chek topilmadi yoki allaqachon toʻlangan.",
    "Чек не найден или уже оплачен.",
    "The receipt was not found or has been paid.",
)
_WRONG_CODE = Text("SMS-kod notoʻgʻri.", "Неверный SMS-код.", "Wrong SMS code.")
_OLD_CODE = Text(
    "SMS-kodning muddati oʻtgan.", "Срок действия SMS-кода истёк.", "The SMS code has expired."
)
_BAD_REQUEST = Text("Soʻrov notoʻgʻri tuzilgan.", "Неверный запрос.", "The request is malformed.")
_BAD_ACCOUNT = Text(
    "Toʻlov maʼlumotlari notoʻgʻri.", "Неверные данные платежа.", "The payment details are wrong."
)
_CANT_CANCEL = Text(
    "Toʻlovni avtomatik bekor qilib boʻlmaydi.",
    "Платёж нельзя отменить автоматически.",
    "The payment can't be cancelled automatically.",
)

_VERIFY = ("cards.verify",)
_MONEY = ("receipts.pay", "receipts.confirm_hold", "receipts.cancel")
_LOOK = ("receipts.get", "receipts.check")

# In Payme's own words these are Russian; both spellings of the messages were seen.
_IS_FUNDS = r"(?i)недостаточно средств"
_IS_BLOCKED = r"(?i)заблокирован"
_IS_EXPIRED = r"(?i)устарел|истек|истёк|просроч"
_IS_SMS = r"(?i)смс|sms"
_IS_NUMBER = r"(?i)неверный номер|неверно указан|с таким номером"
_IS_CORPORATE = r"(?i)корпоратив"

ENTRIES: Final[tuple[Entry, ...]] = (
    # Protocol
    Entry(-32300, "InvalidRequest", _BAD_REQUEST, _FIX_REQUEST, "observed"),
    Entry(-32700, "InvalidRequest", _BAD_REQUEST, _FIX_REQUEST, "observed"),
    Entry(-32600, "InvalidRequest", _BAD_REQUEST, _FIX_REQUEST, "observed"),
    Entry(-32601, "InvalidRequest", _BAD_REQUEST, _FIX_REQUEST, "observed"),
    Entry(-32602, "InvalidRequest", _BAD_REQUEST, _FIX_REQUEST, "observed"),
    Entry(
        -32500,
        "InvalidRequest",
        Text("Kartani qaytadan qoʻshing.", "Добавьте карту заново.", "Add the card again."),
        _BIND_AGAIN,
        "observed",
    ),
    Entry(
        -32504,
        "AccessDenied",
        Text("Ruxsat yoʻq.", "Доступ запрещён.", "Access denied."),
        _CHECK_KEY,
        "confirmed",
    ),
    Entry(
        SYSTEM_ERROR,
        "ServiceUnavailable",
        Text("Payme tizimida xatolik.", "Системная ошибка Payme.", "Payme has a system error."),
        _READ_BEFORE_RETRY,
        "confirmed",
    ),
    # Payme and the processing centre
    Entry(
        -31001,
        "ServiceUnavailable",
        Text(
            "Payme vaqtincha ishlamayapti.",
            "Сервис Payme временно недоступен.",
            "Payme is unavailable.",
        ),
        _LATER_SAME_RECEIPT,
        "observed",
    ),
    Entry(-31002, "ServiceUnavailable", _PROCESSING_DOWN, _LATER_SAME_RECEIPT, "observed"),
    Entry(-31100, "ServiceUnavailable", _PROCESSING_DOWN, _LATER_SAME_RECEIPT, "observed"),
    Entry(-31620, "ServiceUnavailable", _PROCESSING_DOWN, _LATER_SAME_RECEIPT, "observed"),
    Entry(-31624, "ServiceUnavailable", _PROCESSING_DOWN, _LATER_SAME_RECEIPT, "observed"),
    Entry(
        -31700,
        "ServiceUnavailable",
        Text(
            "Toʻlovlar toʻxtatib turilgan.",
            "Приём платежей приостановлен.",
            "Payments are suspended.",
        ),
        _LATER_SAME_RECEIPT,
        "observed",
    ),
    # The SMS code
    Entry(-31101, "CodeExpired", _OLD_CODE, _NEW_CODE, "observed", methods=_VERIFY),
    Entry(-31101, "CardNotServiced", _NOT_SERVICED, _OTHER_CARD, "observed"),
    Entry(
        -31102,
        "TooManyAttempts",
        Text(
            "Kod kiritish urinishlari tugadi.",
            "Попытки ввода кода исчерпаны.",
            "Too many attempts.",
        ),
        _NEW_CODE,
        "observed",
        methods=_VERIFY,
    ),
    Entry(-31102, "CardNotServiced", _NOT_SERVICED, _OTHER_CARD, "observed"),
    Entry(-31103, "WrongCode", _WRONG_CODE, _RETYPE_CODE, "observed"),
    Entry(-31200, "WrongCode", _WRONG_CODE, _RETYPE_CODE, "observed"),
    Entry(-31201, "CodeExpired", _OLD_CODE, _NEW_CODE, "observed"),
    Entry(
        -31110,
        "SmsNotSent",
        Text("SMS yuborib boʻlmadi.", "Не удалось отправить SMS.", "The SMS could not be sent."),
        _LATER,
        "observed",
    ),
    Entry(-31304, "SmsNotConnected", _NO_SMS, _CONNECT_SMS, "observed"),
    # The card
    Entry(
        -31151,
        "CardRejected",
        Text("Karta allaqachon bogʻlangan.", "Карта уже привязана.", "The card is bound already."),
        Text(
            "Bogʻlangan tokendan foydalaning.",
            "Используйте привязанный токен.",
            "Use the token you have.",
        ),
        "observed",
    ),
    Entry(-31300, "CardNotServiced", _CORPORATE, _OTHER_CARD, "observed", message=_IS_CORPORATE),
    Entry(-31300, "InvalidCard", _WRONG_CARD, _CHECK_CARD, "observed"),
    Entry(-31301, "CardBlocked", _BLOCKED, _OTHER_CARD, "observed", message=_IS_BLOCKED),
    Entry(-31301, "CardExpired", _EXPIRED, _OTHER_CARD, "observed", message=_IS_EXPIRED),
    Entry(-31301, "SmsNotConnected", _NO_SMS, _CONNECT_SMS, "observed"),
    Entry(
        -31302,
        "CardRejected",
        Text(
            "Karta balansini olib boʻlmadi.",
            "Не удалось получить баланс карты.",
            "The balance can't be read.",
        ),
        _LATER,
        "observed",
    ),
    Entry(-31303, "InsufficientFunds", _NOT_ENOUGH, _OTHER_CARD, "observed"),
    Entry(
        -31400,
        "NotFound",
        Text("Karta topilmadi.", "Карта не найдена.", "The card was not found."),
        _BIND_AGAIN,
        "observed",
    ),
    Entry(-31900, "CardNotServiced", _NOT_SERVICED, _OTHER_CARD, "observed"),
    Entry(-31901, "CardNotServiced", _NOT_SERVICED, _OTHER_CARD, "observed"),
    Entry(-31630, "InsufficientFunds", _NOT_ENOUGH, _OTHER_CARD, "confirmed", message=_IS_FUNDS),
    Entry(-31630, "CardBlocked", _BLOCKED, _OTHER_CARD, "confirmed", message=_IS_BLOCKED),
    Entry(-31630, "SmsNotConnected", _NO_SMS, _CONNECT_SMS, "observed", message=_IS_SMS),
    Entry(-31630, "CardExpired", _EXPIRED, _OTHER_CARD, "confirmed", message=_IS_EXPIRED),
    Entry(-31630, "InvalidCard", _WRONG_CARD, _CHECK_CARD, "confirmed", message=_IS_NUMBER),
    Entry(-31630, "CardNotServiced", _CORPORATE, _OTHER_CARD, "confirmed", message=_IS_CORPORATE),
    Entry(-31630, "CardRejected", _CARD_FAILED, _OTHER_CARD, "confirmed"),
    Entry(-31640, "CardRejected", _CARD_FAILED, _READ_RECEIPT, "observed"),
    # The receipt
    Entry(-31008, "ReceiptNotFound", _NO_RECEIPT, _CHECK_RECEIPT_ID, "observed"),
    Entry(-31401, "ReceiptNotFound", _NO_RECEIPT, _CHECK_RECEIPT_ID, "observed"),
    Entry(-31402, "AlreadyPaid", _PAID_OR_GONE, _READ_RECEIPT, "observed"),
    Entry(
        -31403,
        "ReceiptExpired",
        Text("Chek muddati oʻtgan.", "Срок действия чека истёк.", "The receipt has expired."),
        Text("Yangi chek yarating.", "Создайте новый чек.", "Create a new receipt."),
        "observed",
    ),
    Entry(-31602, "AlreadyPaid", _PAID_OR_GONE, _READ_RECEIPT, "observed", methods=_MONEY),
    Entry(-31602, "ReceiptNotFound", _NO_RECEIPT, _CHECK_RECEIPT_ID, "observed", methods=_LOOK),
    Entry(-31602, "NotFound", _PAID_OR_GONE, _READ_RECEIPT, "observed"),
    Entry(-31007, "CannotCancel", _CANT_CANCEL, _LOOK_LATER, "observed"),
    Entry(-31800, "CannotCancel", _CANT_CANCEL, _LOOK_LATER, "observed"),
    Entry(-31610, "AccountInvalid", _BAD_ACCOUNT, _CASH_BOX_ACCOUNT, "confirmed"),
    Entry(
        -31611,
        "AmountTooSmall",
        Text(
            "Summa ruxsat etilganidan kam.", "Сумма меньше допустимой.", "The amount is too small."
        ),
        _CASH_BOX_AMOUNT,
        "confirmed",
    ),
    Entry(
        -31612,
        "AmountTooLarge",
        Text(
            "Summa ruxsat etilganidan koʻp.", "Сумма больше допустимой.", "The amount is too large."
        ),
        _CASH_BOX_AMOUNT,
        "confirmed",
    ),
    Entry(
        -31613,
        "ReceiptRejected",
        Text(
            "Bu valyuta qabul qilinmaydi.", "Валюта не разрешена.", "The currency is not allowed."
        ),
        _ASK_PAYME,
        "observed",
    ),
    # The merchant's billing
    Entry(
        -31601,
        "MerchantBlocked",
        Text(
            "Sotuvchi topilmadi yoki bloklangan.",
            "Продавец не найден или заблокирован.",
            "The merchant was not found or is blocked.",
        ),
        _ASK_PAYME,
        "confirmed",
    ),
    Entry(
        -31622,
        "MerchantUnavailable",
        Text(
            "Sotuvchi xizmati ishlamayapti.",
            "Сервис продавца недоступен.",
            "The merchant's service is unavailable.",
        ),
        _MERCHANT_ENDPOINT,
        "confirmed",
    ),
    Entry(
        -31623,
        "MerchantRefused",
        Text(
            "Sotuvchi xizmati toʻlovni rad etdi.",
            "Сервис продавца отклонил платёж.",
            "The merchant's service refused the payment.",
        ),
        _MERCHANT_SAID,
        "confirmed",
    ),
)

# What a refusal means that only a look at the receipt explains: -31602 stands for both.
RECEIPT_NOT_FOUND: Final = Entry(
    -31602, "ReceiptNotFound", _NO_RECEIPT, _CHECK_RECEIPT_ID, "observed"
)
RECEIPT_CANCELLED: Final = Entry(
    -31602,
    "ReceiptCancelled",
    Text("Chek bekor qilingan.", "Чек отменён.", "The receipt was cancelled."),
    Text("Yangi chek yarating.", "Создайте новый чек.", "Create a new receipt."),
    "observed",
)

# -31050..-31099 come from the merchant's own endpoint: any number in the range, the same meaning.
_ACCOUNT_RANGE: Final = range(-31099, -31049)
_ACCOUNT_ENTRY: Final = Entry(-31050, "AccountInvalid", _BAD_ACCOUNT, _CASH_BOX_ACCOUNT, "observed")


def lookup(code: int, method: str = "", message: str = "") -> Entry | None:
    """Find what a code means for a method.

    Args:
        code: `error.code` of the answer.
        method: Name of the method that was called, such as `cards.verify`.
        message: `error.message` of the answer, if it is a string.

    Returns:
        The entry, or None for a code that is not in the catalogue.
    """
    if code in _ACCOUNT_RANGE:
        return _ACCOUNT_ENTRY._replace(code=code)
    for entry in ENTRIES:
        if (
            entry.code == code
            and (not entry.methods or method in entry.methods)
            and (not entry.message or re.search(entry.message, message))
        ):
            return entry
    return None
