"""Why Payme answers a code, where the sentence for the payer does not say it to a developer."""

from typing import Final

from payme.errors.catalogue import Entry, Language, Text

CAUSES: Final[dict[int, Text]] = {
    -32300: Text(
        "Soʻrov POST bilan yuborilmagan.",
        "Запрос отправлен не через POST.",
        "The request was not a POST.",
    ),
    -32700: Text("Soʻrov tanasi JSON emas.", "Тело запроса — не JSON.", "The body is not JSON."),
    -32600: Text(
        "Soʻrovda majburiy maydon yoʻq yoki turi boshqa.",
        "В запросе нет обязательного поля, или оно другого типа.",
        "A member of the request is missing or of another type.",
    ),
    -32601: Text(
        "Bunday metod yoʻq; nomi `data` da.",
        "Такого метода нет; его имя — в `data`.",
        "There is no such method; `data` names it.",
    ),
    -32602: Text(
        "Parametr notoʻgʻri; qaysi biri ekani `data` da.",
        "Неверный параметр; какой — сказано в `data`.",
        "A param is wrong; `data` names it.",
    ),
    -32500: Text(
        "Token buzilgan: qirqilgan yoki notoʻgʻri nusxalangan.",
        "Токен испорчен: обрезан или неверно скопирован.",
        "The token is malformed: cut off or badly copied.",
    ),
    -32504: Text(
        "Kassa identifikatori yoki kaliti notoʻgʻri, yoki bu server kassani tanimaydi.",
        "Неверные ID или ключ кассы, или этот сервер её не знает.",
        "The cash-box id or key is wrong, or this host does not know the cash-box.",
    ),
    -32400: Text(
        "Payme ichida nosozlik; soʻrov bajarilgan boʻlishi ham mumkin.",
        "Сбой внутри Payme; запрос мог и выполниться.",
        "Something failed inside Payme; the request may have been executed.",
    ),
    -31001: Text(
        "Payme bu xizmatni vaqtincha toʻxtatgan.",
        "Payme временно приостановила сервис.",
        "Payme has paused the service for a while.",
    ),
    -31302: Text(
        "Bank kartadagi qoldiqni aytmadi.",
        "Банк не сообщил остаток на карте.",
        "The bank did not tell the balance of the card.",
    ),
    -31400: Text(
        "Token bilan karta yoʻq: u oʻchirilgan, bir martalik boʻlgan yoki boshqa kassaniki.",
        "Карты с таким токеном нет: её удалили, токен был одноразовым или он от другой кассы.",
        "No card has it: it was removed, was for one payment, or is another cash-box's.",
    ),
    -31640: Text(
        "Karta toʻlovni rad etdi, chek esa boshqa soʻrovda toʻlangan boʻlishi mumkin.",
        "Карта отклонила оплату, но чек мог быть оплачен другим запросом.",
        "The card refused, but another request may have paid the receipt.",
    ),
    -31403: Text(
        "Chekning toʻlash muddati oʻtgan.",
        "Срок оплаты чека прошёл.",
        "The time to pay the receipt is over.",
    ),
    -31007: Text(
        "Sotuvchi billingi bekor qilishga yoʻl qoʻymadi: tovar berilgan.",
        "Биллинг продавца не дал отменить: товар выдан.",
        "The merchant's billing does not allow it: the goods are handed over.",
    ),
    -31800: Text(
        "Chek holati bekor qilishga toʻgʻri kelmaydi yoki billing rad etdi.",
        "Состояние чека не позволяет отмену, или отказал биллинг.",
        "The receipt's state does not allow it, or the billing refused.",
    ),
    -31610: Text(
        "`account` maydoni yetishmaydi yoki kassadagi nomga mos emas.",
        "Поля `account` не хватает, или его имя не совпадает с настройками кассы.",
        "A field of `account` is missing, or is not named as in the cash-box settings.",
    ),
    -31611: Text(
        "Summa kassaning eng kichik summasidan kam.",
        "Сумма меньше минимальной для кассы.",
        "The amount is below the cash-box's minimum.",
    ),
    -31612: Text(
        "Summa kassaning eng katta summasidan koʻp.",
        "Сумма больше максимальной для кассы.",
        "The amount is above the cash-box's maximum.",
    ),
    -31613: Text(
        "Kassa bu valyutani qabul qilmaydi.",
        "Касса не принимает эту валюту.",
        "The cash-box does not take this currency.",
    ),
    -31601: Text(
        "Kassa topilmadi yoki Payme uni bloklagan.",
        "Касса не найдена или заблокирована в Payme.",
        "The cash-box does not exist, or Payme has blocked it.",
    ),
    -31622: Text(
        "Merchant API manzilingiz javob bermadi yoki HTTP 200 qaytarmadi.",
        "Ваш адрес Merchant API не ответил или ответил не HTTP 200.",
        "Your Merchant API endpoint did not answer, or not with HTTP 200.",
    ),
    -31623: Text(
        "Merchant API manzilingiz xato qaytardi: buyurtma yoʻq, summa boshqa, serverda xato.",
        "Ваш адрес Merchant API вернул ошибку: нет заказа, другая сумма или сбой сервера.",
        "Your Merchant API endpoint answered with an error: no order, a wrong amount, a failure.",
    ),
}
"""By code; where one is not here, the sentence for the payer is the cause."""


def cause(entry: Entry, language: Language) -> str:
    """Say why Payme answers so.

    Args:
        entry: A meaning of a code.
        language: Language to say it in.

    Returns:
        A sentence.
    """
    return getattr(CAUSES.get(entry.code, entry.text), language)
