"""What the checkout page says, in the payer's three languages."""

from typing import Final

from payme.checkout import LANGUAGES
from payme.errors.catalogue import Language

DEFAULT: Final[Language] = "ru"
"""Language of the page when the link or the form names none (CONFIRMED)."""

NAMES: Final[dict[Language, str]] = {"uz": "Oʻzbekcha", "ru": "Русский", "en": "English"}

_UZ: Final = {
    "title": "Toʻlov",
    "banner": "Bu sinov sahifasi: pul yechilmaydi. Haqiqiy karta maʼlumotlarini kiritmang.",
    "language": "Til",
    "merchant": "Sotuvchi",
    "amount": "Summa",
    "som": "soʻm",
    "purpose": "Toʻlov maqsadi",
    "receipt": "Chek",
    "receipt_number": "Chek raqami",
    "card_heading": "Karta bilan toʻlash",
    "number": "Karta raqami",
    "expire": "Amal qilish muddati",
    "expire_hint": "oy/yil, masalan 03/99",
    "continue": "Davom etish",
    "test_cards": "Test kartalari",
    "test_cards_note": "Muddati 03/99, SMS-kod 666666",
    "code_heading": "SMS-kodni kiriting",
    "code_sent": "Kod shu raqamga yuborildi:",
    "code_where": "Sinov sahifasi SMS yubormaydi: kod boshqaruv panelidagi SMS boʻlimida turibdi.",
    "code": "SMS-kod",
    "pay": "Toʻlash",
    "resend": "Yangi kod yuborish",
    "other_card": "Boshqa karta bilan toʻlash",
    "back": "Sotuvchiga qaytish",
    "paid": "Toʻlov amalga oshirildi",
    "held": "Mablagʻ kartada band qilindi",
    "waiting": "Toʻlov tekshirilmoqda",
    "waiting_note": "Bu sahifa oʻzi yangilanadi. Qaytadan toʻlamang.",
    "unknown": "Javob kelmadi: toʻlov oʻtgan yoki oʻtmagani nomaʼlum",
    "unknown_note": "Shu chekni qayta toʻlash xavfsiz: bir chek uchun pul ikki marta yechilmaydi.",
    "cancelled": "Toʻlov bekor qilindi",
    "failed": "Toʻlov oʻtmadi",
    "returning": "Siz {seconds} soniyadan keyin sotuvchi sahifasiga qaytasiz.",
    "gone": "Chek topilmadi yoki toʻlangan",
    "new_order": "Toʻlov oʻtmadi. Bu chek yopildi: sotuvchida yangi buyurtma bering.",
    "bad_link": "Toʻlov havolasi notoʻgʻri",
    "bad_card": "Karta raqami va muddatini tekshiring.",
    "bad_code": "SMS-koddagi raqamlarni kiriting.",
    "no_answer": "Javob kelmadi. Qaytadan urinib koʻring.",
}

_RU: Final = {
    "title": "Оплата",
    "banner": "Это тестовая страница: деньги не списываются. Не вводите настоящую карту.",
    "language": "Язык",
    "merchant": "Продавец",
    "amount": "Сумма",
    "som": "сум",
    "purpose": "Назначение платежа",
    "receipt": "Чек",
    "receipt_number": "Номер чека",
    "card_heading": "Оплата картой",
    "number": "Номер карты",
    "expire": "Срок действия",
    "expire_hint": "месяц/год, например 03/99",
    "continue": "Продолжить",
    "test_cards": "Тестовые карты",
    "test_cards_note": "Срок действия 03/99, SMS-код 666666",
    "code_heading": "Введите код из SMS",
    "code_sent": "Код отправлен на номер",
    "code_where": "Тестовая страница SMS не отправляет: код виден в панели, в разделе SMS.",
    "code": "SMS-код",
    "pay": "Оплатить",
    "resend": "Выслать новый код",
    "other_card": "Оплатить другой картой",
    "back": "Вернуться к продавцу",
    "paid": "Оплата прошла успешно",
    "held": "Сумма заблокирована на карте",
    "waiting": "Платёж проверяется",
    "waiting_note": "Страница обновится сама. Не платите второй раз.",
    "unknown": "Ответ не пришёл: неизвестно, прошёл ли платёж",
    "unknown_note": "Этот же чек можно оплатить снова: дважды за один чек деньги не спишутся.",
    "cancelled": "Платёж отменён",
    "failed": "Платёж не прошёл",
    "returning": "Через {seconds} с вы вернётесь на страницу продавца.",
    "gone": "Чек не найден или оплачен",
    "new_order": "Оплата не прошла. Чек закрыт: оформите у продавца новый заказ.",
    "bad_link": "Неверная ссылка на оплату",
    "bad_card": "Проверьте номер и срок действия карты.",
    "bad_code": "Введите цифры из SMS.",
    "no_answer": "Ответ не пришёл. Попробуйте ещё раз.",
}

_EN: Final = {
    "title": "Payment",
    "banner": "This is a test page: no money moves. Do not type a real card.",
    "language": "Language",
    "merchant": "Merchant",
    "amount": "Amount",
    "som": "soʻm",
    "purpose": "Purpose",
    "receipt": "Receipt",
    "receipt_number": "Receipt number",
    "card_heading": "Pay by card",
    "number": "Card number",
    "expire": "Expiry",
    "expire_hint": "month/year, such as 03/99",
    "continue": "Continue",
    "test_cards": "Test cards",
    "test_cards_note": "Expiry 03/99, SMS code 666666",
    "code_heading": "Enter the code from the SMS",
    "code_sent": "The code was sent to",
    "code_where": "The test page sends no SMS: the code is in the dashboard, under SMS.",
    "code": "SMS code",
    "pay": "Pay",
    "resend": "Send a new code",
    "other_card": "Pay with another card",
    "back": "Back to the merchant",
    "paid": "The payment was made",
    "held": "The amount is held on the card",
    "waiting": "The payment is being checked",
    "waiting_note": "This page renews itself. Do not pay a second time.",
    "unknown": "No answer came: whether the payment was made is unknown",
    "unknown_note": "Paying this same receipt again is safe: one receipt is never charged twice.",
    "cancelled": "The payment was cancelled",
    "failed": "The payment failed",
    "returning": "You will return to the merchant's page in {seconds} s.",
    "gone": "The receipt was not found or has been paid",
    "new_order": "The payment failed. This receipt is closed: place a new order with the merchant.",
    "bad_link": "The payment link is wrong",
    "bad_card": "Check the card number and expiry.",
    "bad_code": "Enter the digits from the SMS.",
    "no_answer": "No answer came. Try again.",
}

TEXTS: Final[dict[Language, dict[str, str]]] = {"uz": _UZ, "ru": _RU, "en": _EN}


def known(name: str | None) -> Language | None:
    """Find a language by its name; None if there is none of that name."""
    return next((language for language in LANGUAGES if language == name), None)


def language(name: str | None) -> Language:
    """Find a language by its name; others are ignored, as on Payme's page."""
    return known(name) or DEFAULT
