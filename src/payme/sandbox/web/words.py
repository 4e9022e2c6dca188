"""What the dashboard says, in the developer's language: English in the templates, the rest here.

The payer's pages have texts of their own, in `texts`; what the test cards do is told here for both.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from payme.errors.catalogue import Language
from payme.sandbox.web.texts import known

COOKIE: Final = "payme_sandbox_language"

Say = Callable[[str], str]


def chosen(request: Request) -> Language | None:
    """Find the language that a link has just asked for."""
    return known(request.query_params.get("lang"))


def preferred(request: Request) -> Language:
    """Find a developer's language: the one that was chosen, else the browser's first that we know.

    Args:
        request: Asks for a page.
    """
    # Browsers write the languages in the order of preference.
    accepted = request.headers.get("accept-language", "").split(",")
    wished = [request.cookies.get(COOKIE, ""), *(one.strip()[:2].lower() for one in accepted)]
    for language in (chosen(request), *map(known, wished)):
        if language is not None:
            return language
    return "en"


def translator(language: Language) -> Say:
    """Make the function that says an English text in a language."""
    if language == "en":
        return lambda text: text
    column = 0 if language == "uz" else 1
    return lambda text: WORDS[text][column]


WORDS: Final[dict[str, tuple[str, str]]] = {
    "Overview": ("Umumiy", "Обзор"),
    "Receipts": ("Cheklar", "Чеки"),
    "Cards": ("Kartalar", "Карты"),
    "SMS": ("SMS", "SMS"),
    "Traffic": ("Soʻrovlar", "Запросы"),
    "Faults": ("Nosozliklar", "Сбои"),
    "Clock": ("Soat", "Часы"),
    "Ledgers": ("Reyestrlar", "Реестры"),
    "Pages": ("Sahifalar", "Страницы"),
    "Language": ("Til", "Язык"),
    "To the content": ("Asosiy qismga", "К содержимому"),
    "The sandbox's clock": ("Sandbox soati", "Часы песочницы"),
    "stands": ("toʻxtagan", "стоят"),
    "faults that may strike": (
        "ishlashi mumkin boʻlgan nosozliklar",
        "сбои, которые могут сработать",
    ),
    "No money moves here. Times are Tashkent's (UTC+5). Sums are in soʻm.": (
        "Bu yerda pul harakatlanmaydi. Vaqt — Toshkent vaqti (UTC+5). Summalar soʻmda.",
        "Деньги здесь не списываются. Время ташкентское (UTC+5). Суммы в сумах.",
    ),
    # Overview
    "Lose an answer": ("Javobni yoʻqotish", "Потерять ответ"),
    "Lose the next answer": ("Keyingi javobni yoʻqotish", "Потерять следующий ответ"),
    "The next receipts.* call is served, and its answer never arrives.": (
        "Keyingi receipts.* soʻrovi bajariladi, lekin javobi yetib kelmaydi.",
        "Следующий вызов receipts.* будет выполнен, а ответ на него не дойдёт.",
    ),
    "The next receipts.* call is served, the money moves, and its answer never arrives.": (
        "Keyingi receipts.* soʻrovi bajariladi, pul yechiladi, lekin javobi yetib kelmaydi.",
        "Следующий вызов receipts.* будет выполнен, деньги спишутся, а ответ не дойдёт.",
    ),
    "Move the clock": ("Soatni surish", "Перевести часы"),
    "Codes expire, queues empty, holds are released.": (
        "Kodlarning muddati oʻtadi, navbatlar boʻshaydi, holdlar boʻshatiladi.",
        "Истекают коды, проходят очереди, снимаются холды.",
    ),
    "Call it": ("Ulanish", "Подключение"),
    "Merchant id": ("Kassa ID si", "ID кассы"),
    "Last SMS code": ("Oxirgi SMS-kod", "Последний SMS-код"),
    "All receipts": ("Barcha cheklar", "Все чеки"),
    "All calls": ("Barcha soʻrovlar", "Все запросы"),
    "No receipt yet: receipts.create makes one, and so does a checkout link.": (
        "Hali chek yoʻq: uni receipts.create yoki toʻlov havolasi yaratadi.",
        "Чеков пока нет: их создают receipts.create и ссылка на оплату.",
    ),
    "No call yet.": ("Hali soʻrov yoʻq.", "Запросов пока нет."),
    # Receipts
    "Receipt": ("Chek", "Чек"),
    "State": ("Holati", "Состояние"),
    "Amount": ("Summa", "Сумма"),
    "Account": ("Account", "Account"),
    "Created": ("Yaratilgan", "Создан"),
    "any": ("istalgan", "любое"),
    "Id, account or description": ("ID, account yoki tavsif", "ID, account или описание"),
    "Filter": ("Filtrlash", "Фильтр"),
    "No such receipt.": ("Bunday chek yoʻq.", "Такого чека нет."),
    "The newest {count} receipts were looked at.": (
        "Eng yangi {count} ta chek koʻrib chiqildi.",
        "Просмотрены последние чеки, {count} шт.",
    ),
    "Later": ("Yangiroqlari", "Новее"),
    "Earlier": ("Eskiroqlari", "Старее"),
    # A receipt
    "soʻm": ("soʻm", "сум"),
    "Test card": ("Test kartasi", "Тестовая карта"),
    "Pay this receipt": ("Shu chekni toʻlash", "Оплатить этот чек"),
    "Open the checkout page": ("Toʻlov sahifasini ochish", "Открыть страницу оплаты"),
    "Confirm the hold": ("Holdni tasdiqlash", "Подтвердить холд"),
    "Cancel this receipt": ("Shu chekni bekor qilish", "Отменить этот чек"),
    "Description": ("Tavsif", "Описание"),
    "Card": ("Karta", "Карта"),
    "Hold": ("Hold", "Холд"),
    "Number": ("Raqami", "Номер"),
    "Timeline": ("Voqealar", "События"),
    "Ledger": ("Reyestr", "Реестр"),
    "Calls to the merchant": ("Sotuvchiga soʻrovlar", "Запросы к продавцу"),
    "Calls about it": ("Shu chek haqidagi soʻrovlar", "Запросы об этом чеке"),
    "created": ("yaratildi", "создан"),
    "paid": ("toʻlandi", "оплачен"),
    "cancelled": ("bekor qilindi", "отменён"),
    "{kind} on the card {card}": ("{kind}, karta {card}", "{kind}, карта {card}"),
    "due: leaves state {state} by itself": (
        "{state} holatidan oʻzi chiqadi",
        "сам выйдет из состояния {state}",
    ),
    # Cards
    "What it does": ("Nima boʻladi", "Что происходит"),
    "Verified": ("Tasdiqlangan", "Подтверждена"),
    "Kept": ("Saqlangan", "Сохранена"),
    "Code sent": ("Kod yuborilgan", "Код отправлен"),
    "yes": ("ha", "да"),
    "no": ("yoʻq", "нет"),
    "for one payment": ("bitta toʻlov uchun", "на один платёж"),
    "removed": ("oʻchirilgan", "удалена"),
    "bound": ("ulangan", "привязана"),
    "No card yet: cards.create binds one.": (
        "Hali karta yoʻq: uni cards.create ulaydi.",
        "Карт пока нет: их привязывает cards.create.",
    ),
    "Test cards": ("Test kartalari", "Тестовые карты"),
    "Expiry 03/99, SMS code 666666.": (
        "Muddati 03/99, SMS-kod 666666.",
        "Срок действия 03/99, SMS-код 666666.",
    ),
    "payme-uz's own": ("payme-uz niki", "добавлена payme-uz"),
    "pays": ("toʻlaydi", "платит"),
    "pays, a Humo card": ("toʻlaydi, Humo kartasi", "платит, карта Humo"),
    "SMS informing is not connected": (
        "SMS-xabarnoma ulanmagan",
        "SMS-информирование не подключено",
    ),
    "card has expired": ("kartaning muddati oʻtgan", "срок действия карты истёк"),
    "card is blocked": ("karta bloklangan", "карта заблокирована"),
    "system error when paying": ("toʻlashda tizim xatosi", "системная ошибка при оплате"),
    "thinks 10 seconds, then fails to pay": (
        "10 soniya oʻylaydi, keyin toʻlamaydi",
        "думает 10 секунд, затем не платит",
    ),
    "no money": ("pul yoʻq", "нет денег"),
    # SMS
    "SMS outbox": ("Yuborilgan SMS xabarlar", "Отправленные SMS"),
    "What Payme would have sent. Nothing leaves the sandbox.": (
        "Payme yuborgan boʻlardi. Sandboxdan tashqariga hech narsa chiqmaydi.",
        "То, что отправил бы Payme. Из песочницы ничего не уходит.",
    ),
    "Time": ("Vaqt", "Время"),
    "To": ("Kimga", "Кому"),
    "Message": ("Xabar", "Сообщение"),
    "Code": ("Kod", "Код"),
    "No message yet.": ("Hali xabar yoʻq.", "Сообщений пока нет."),
    # Traffic
    "The last calls, the newest first. Cards, tokens, keys, codes and phones are masked.": (
        "Oxirgi soʻrovlar, yangilari oldin. Karta, token, kalit, kod va telefonlar berkitilgan.",
        "Последние запросы, сначала новые. Карты, токены, ключи, коды и телефоны скрыты.",
    ),
    "All": ("Hammasi", "Все"),
    "Refused or struck": ("Rad etilgan yoki nosoz", "С отказом или сбоем"),
    "Export as a pytest file": ("pytest fayli sifatida olish", "Скачать файлом pytest"),
    "Forget": ("Tozalash", "Очистить"),
    "(no method)": ("(metodsiz)", "(без метода)"),
    "Held back {count} ms.": ("{count} ms ushlab turilgan.", "Задержан на {count} мс."),
    "Request": ("Soʻrov", "Запрос"),
    "Answer": ("Javob", "Ответ"),
    # Faults
    "Set a fault": ("Nosozlik qoʻyish", "Поставить сбой"),
    "Method": ("Metod", "Метод"),
    "When": ("Qachon", "Когда"),
    "What happens": ("Nima boʻladi", "Что случится"),
    "How often": ("Necha marta", "Сколько раз"),
    "for ever": ("doim", "всегда"),
    "More": ("Qoʻshimcha", "Ещё"),
    "as often as needed:": ("kerakli miqdorda:", "сколько нужно:"),
    "Set the fault": ("Qoʻyish", "Поставить"),
    "Faults that are set": ("Qoʻyilgan nosozliklar", "Поставленные сбои"),
    "used up": ("tugagan", "исчерпан"),
    "{count} left": ("{count} marta qoldi", "осталось {count}"),
    "fired {count}": ("{count} marta ishladi", "сработал {count}"),
    "Remove": ("Olib tashlash", "Убрать"),
    "Remove fault {id}": ("{id}-nosozlikni olib tashlash", "Убрать сбой {id}"),
    "Remove all": ("Hammasini olib tashlash", "Убрать все"),
    "None: every answer arrives.": (
        "Yoʻq: har bir javob yetib boradi.",
        "Нет: каждый ответ доходит.",
    ),
    # Clock
    "The clock stands.": ("Soat toʻxtagan.", "Часы стоят."),
    "The clock runs.": ("Soat yuryapti.", "Часы идут."),
    "SMS codes, the cancellation queue, holds and the merchant's twelve hours follow it.": (
        "SMS-kodlar, bekor qilish navbati, holdlar va sotuvchining 12 soati shu soatga bogʻliq.",
        "По ним живут SMS-коды, очередь отмен, холды и двенадцать часов продавца.",
    ),
    "Forward by": ("Oldinga", "Вперёд на"),
    "Move": ("Surish", "Перевести"),
    "Let it run": ("Yurgizish", "Пустить"),
    "Stop it": ("Toʻxtatish", "Остановить"),
    # Ledgers
    "Where they differ": ("Farqlari", "Расхождения"),
    "What": ("Nima", "Что"),
    "Payme has": ("Payme da", "У Payme"),
    "The merchant said": ("Sotuvchining javobi", "Ответ продавца"),
    "nothing": ("javob yoʻq", "ничего"),
    "They agree.": ("Farq yoʻq.", "Расхождений нет."),
    "Payme's": ("Payme reyestri", "Реестр Payme"),
    "The merchant's": ("Sotuvchi reyestri", "Реестр продавца"),
    "No money has moved.": ("Pul harakati boʻlmagan.", "Движений денег не было."),
    "No merchant is asked: payme sandbox --merchant-url names one.": (
        "Sotuvchiga soʻrov yuborilmaydi: uning manzilini payme sandbox --merchant-url beradi.",
        "Продавца не спрашивают: его адрес задаёт payme sandbox --merchant-url.",
    ),
    "The merchant has told of no transaction.": (
        "Sotuvchi hali hech qanday tranzaksiya haqida aytmagan.",
        "Продавец пока не сообщил ни об одной транзакции.",
    ),
    "Kind": ("Turi", "Вид"),
    "Its number": ("Uning raqami", "Его номер"),
    "Performed": ("Bajarilgan", "Проведена"),
    "Cancelled": ("Bekor qilingan", "Отменена"),
    "{count} unanswered": ("{count} ta javobsiz", "без ответа: {count}"),
    "remark": ("izoh", "замечание"),
    "attempt {count}": ("{count}-urinish", "попытка {count}"),
    "debit": ("yechish", "списание"),
    "hold": ("hold", "холд"),
    "capture": ("holdni yechish", "списание холда"),
    "refund": ("qaytarish", "возврат"),
    "release": ("holdni boʻshatish", "снятие холда"),
    "state": ("holat", "состояние"),
    "unanswered": ("javobsiz", "без ответа"),
    "amount": ("summa", "сумма"),
    "time": ("vaqt", "время"),
    "account": ("account", "account"),
    "missing": ("sotuvchida yoʻq", "нет у продавца"),
    "unknown": ("Payme da yoʻq", "нет у Payme"),
    # States of a receipt; "created", "paid" and "cancelled" are above
    "billing create": ("sotuvchida yaratilmoqda", "создаётся у продавца"),
    "debiting": ("pul yechilmoqda", "списание"),
    "billing perform": ("sotuvchida oʻtkazilmoqda", "проводится у продавца"),
    "held": ("ushlab turilibdi", "захолдирован"),
    "holding": ("hold qoʻyilmoqda", "ставится холд"),
    "suspended": ("toʻxtatib qoʻyilgan", "приостановлен"),
    "cancel queued": ("bekor qilish navbatida", "в очереди на отмену"),
    "perform queued": ("oʻtkazish navbatida", "в очереди на проведение"),
    # What a button did
    "The receipt was paid.": ("Chek toʻlandi.", "Чек оплачен."),
    "The payment was refused; the reason is in the traffic.": (
        "Toʻlov rad etildi; sababi soʻrovlar sahifasida.",
        "В оплате отказано; причина — на странице запросов.",
    ),
    "The answer was lost; whether the card was debited, the receipt says.": (
        "Javob yoʻqoldi; kartadan pul yechilganmi — chekdan koʻring.",
        "Ответ потерян; списаны ли деньги, видно по чеку.",
    ),
    "The receipt was cancelled, or is in the queue for it.": (
        "Chek bekor qilindi yoki bekor qilish navbatida.",
        "Чек отменён или стоит в очереди на отмену.",
    ),
    "The hold was confirmed.": ("Hold tasdiqlandi.", "Холд подтверждён."),
    "The call was refused; the reason is in the traffic.": (
        "Soʻrov rad etildi; sababi soʻrovlar sahifasida.",
        "В запросе отказано; причина — на странице запросов.",
    ),
    "The answer to the next receipts.* call will be lost after its effect.": (
        "Keyingi receipts.* soʻrovi bajarilgach, javobi yoʻqoladi.",
        "Ответ на следующий вызов receipts.* потеряется после его выполнения.",
    ),
    "The fault was set.": ("Nosozlik qoʻyildi.", "Сбой поставлен."),
    "The fault was removed.": ("Nosozlik olib tashlandi.", "Сбой убран."),
    "The setting for web pages was changed.": (
        "Veb-sahifalar sozlamasi oʻzgartirildi.",
        "Настройка для веб-страниц изменена.",
    ),
    "Web pages": ("Veb-sahifalar", "Веб-страницы"),
    "Calls from pages of other origins are answered (CORS).": (
        "Boshqa saytlar sahifalaridan kelgan chaqiruvlarga javob beriladi (CORS).",
        "На вызовы со страниц других сайтов даётся ответ (CORS).",
    ),
    "Calls from pages of other origins are refused, as by a host without CORS.": (
        "Boshqa saytlar sahifalaridan kelgan chaqiruvlar CORS boʻlmagan serverdagidek rad etiladi.",
        "Вызовы со страниц других сайтов отклоняются, как сервером без CORS.",
    ),
    "Refuse them": ("Rad etish", "Отклонять"),
    "Answer them": ("Javob berish", "Отвечать"),
    "All faults were removed.": ("Barcha nosozliklar olib tashlandi.", "Все сбои убраны."),
    "The clock was moved.": ("Soat surildi.", "Часы переведены."),
    "The traffic was forgotten.": ("Soʻrovlar tozalandi.", "Запросы очищены."),
}
"""Uzbek and Russian by the English text. Names of the API stay as they are in every language."""
