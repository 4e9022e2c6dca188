"""What the club says, in uz, ru and en."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final, get_args
from zoneinfo import ZoneInfo

from payme.errors.catalogue import Language, Text, lookup
from payme.money import format_som

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
NAMES: Final = {"uz": "Oʻzbekcha", "ru": "Русский", "en": "English"}
ZONE: Final = ZoneInfo("Asia/Tashkent")

TEXTS: Final[Mapping[str, Text]] = {
    "club": Text("Tong yoga klubi", "Йога-клуб «Тонг»", "Tong yoga club"),
    "lead": Text(
        "Har kuni ertalab mashgʻulot, oyiga {amount} soʻm.",
        "Занятия каждое утро, {amount} сум в месяц.",
        "A class every morning, {amount} soʻm a month.",
    ),
    # Sign up
    "join": Text("Klubga qoʻshilish", "Вступить в клуб", "Join the club"),
    "name": Text("Ismingiz", "Ваше имя", "Your name"),
    "agree": Text(
        "Roziman: birinchi oy uchun {amount} soʻm darhol, keyin har oy {amount} soʻm kartamdan "
        "yechiladi, men bekor qilmagunimcha.",
        "Согласен: {amount} сум за первый месяц сразу и далее {amount} сум каждый месяц "
        "списываются с моей карты, пока я не отменю.",
        "I agree: {amount} soʻm is taken from my card at once for the first month, and {amount} "
        "soʻm every month after that, until I cancel.",
    ),
    "rules": Text(
        "Keyingi toʻlov haqida {days} kun oldin shu yerda xabar beramiz. Bekor qilish bitta "
        "tugma bilan, toʻlangan oy oxirigacha sizniki.",
        "О следующем списании сообщаем здесь за {days} дня. Отмена одной кнопкой, оплаченный "
        "месяц остаётся вашим до конца.",
        "Each next payment is announced here {days} days ahead. You cancel with one button, and "
        "a month that is paid stays yours to its end.",
    ),
    "to_card": Text("Kartani qoʻshishga oʻtish", "Перейти к карте", "Go on to the card"),
    # Card
    "add_card": Text("Karta qoʻshish", "Добавить карту", "Add a card"),
    "change_card": Text("Kartani almashtirish", "Сменить карту", "Change the card"),
    "first_payment": Text(
        "Karta qoʻshilishi bilan birinchi oy uchun {amount} soʻm yechiladi.",
        "Как только карта добавлена, списывается {amount} сум за первый месяц.",
        "As soon as the card is added, {amount} soʻm is taken for the first month.",
    ),
    "next_with_it": Text(
        "Keyingi toʻlovlar yangi kartadan yechiladi.",
        "Следующие платежи будут списаны с новой карты.",
        "The next payments are taken from the new card.",
    ),
    "debt_with_it": Text(
        "Toʻlanmagan {amount} soʻm yangi kartadan darhol yechiladi.",
        "Неоплаченные {amount} сум сразу спишутся с новой карты.",
        "The unpaid {amount} soʻm is taken from the new card at once.",
    ),
    "then_current": Text(
        "Undan keyin {since}da boshlangan oy uchun {amount} soʻm yechiladi.",
        "После этого спишется {amount} сум за месяц, начавшийся {since}.",
        "After that, {amount} soʻm is taken for the month that began on {since}.",
    ),
    "test_cards": Text(
        "Sinov kartasi: 8600 0691 9540 6311, 03/99, kod 666666. Puli yoʻgʻi: 8600 3186 0000 0007.",
        "Тестовая карта: 8600 0691 9540 6311, 03/99, код 666666. Без денег: 8600 3186 0000 0007.",
        "Test card: 8600 0691 9540 6311, 03/99, code 666666. One without money: "
        "8600 3186 0000 0007.",
    ),
    "card": Text("Karta", "Карта", "Card"),
    "cards": Text("Kartalar", "Карты", "Cards"),
    "pays": Text("toʻlovlar shu kartadan", "платежи с этой карты", "payments come from it"),
    "expires": Text("{expire} gacha", "до {expire}", "expires {expire}"),
    "card_expired": Text("muddati oʻtgan", "срок истёк", "expired"),
    "card_unverified": Text("tasdiqlanmagan", "не подтверждена", "not verified"),
    "card_gone": Text("Payme da oʻchirilgan", "удалена в Payme", "removed at Payme"),
    "card_removing": Text("oʻchirilmoqda", "удаляется", "being removed"),
    "remove": Text("{number} kartasini oʻchirish", "Удалить карту {number}", "Remove {number}"),
    "no_card": Text("Karta yoʻq.", "Карты нет.", "There is no card."),
    "card_refused": Text(
        "Bu karta toʻgʻri kelmaydi. Boshqasini qoʻshing.",
        "Эта карта не подходит. Добавьте другую.",
        "This card can't be used. Add another one.",
    ),
    # What is the matter
    "hello": Text("Salom, {name}!", "Здравствуйте, {name}!", "Hello, {name}!"),
    "no_card_yet": Text(
        "Karta hali qoʻshilmagan, hech narsa yechilmagan.",
        "Карта ещё не добавлена, ничего не списано.",
        "No card was added yet, and nothing was taken.",
    ),
    "not_begun": Text(
        "Hali hech narsa yechilmagan.",
        "Ещё ничего не списано.",
        "Nothing was taken yet.",
    ),
    "pay_with": Text(
        "{number} kartasidan {amount} soʻm toʻlash",
        "Оплатить {amount} сум картой {number}",
        "Pay {amount} soʻm with {number}",
    ),
    "active": Text(
        "Klub {until}gacha siz uchun ochiq.",
        "Клуб открыт для вас до {until}.",
        "The club is open to you until {until}.",
    ),
    "pending": Text(
        "Toʻlov davom etmoqda: {amount} soʻm. Qayta toʻlamang, sahifa oʻzi yangilanadi.",
        "Платёж выполняется: {amount} сум. Не платите ещё раз, страница обновится сама.",
        "A payment is in progress: {amount} soʻm. Do not pay again: this page updates by itself.",
    ),
    "asking": Text(
        "{amount} soʻm toʻlovining natijasini Payme dan aniqlayapmiz. Qayta toʻlamang.",
        "Выясняем в Payme, чем закончился платёж на {amount} сум. Не платите ещё раз.",
        "We are asking Payme what became of the payment of {amount} soʻm. Do not pay again.",
    ),
    "look_again": Text("Yana qarash", "Посмотреть ещё раз", "Look again"),
    "refused": Text(
        "{amount} soʻm toʻlovi rad etildi, hech narsa yechilmadi.",
        "Платёж на {amount} сум отклонён, ничего не списано.",
        "The payment of {amount} soʻm was refused, and nothing was taken.",
    ),
    "retry_at": Text(
        "{at} kuni yana urinamiz.", "Попробуем снова {at}.", "It is tried again on {at}."
    ),
    "wait_for_you": Text(
        "Oʻzimiz boshqa urinmaymiz: boshqa karta qoʻshing yoki kartani toʻldirib, qayta urining.",
        "Сами больше не пробуем: добавьте другую карту или пополните эту и попробуйте снова.",
        "We do not try again by ourselves: add another card, or top this one up and try again.",
    ),
    "closed": Text(
        "Toʻlanguncha klub yopiq.", "До оплаты клуб закрыт.", "The club is closed until it is paid."
    ),
    "open_still": Text(
        "Klub hozircha ochiq.", "Клуб пока открыт.", "The club is open to you for now."
    ),
    "try_again": Text("Qayta urinish", "Попробовать снова", "Try again"),
    "ending": Text(
        "Obuna bekor qilindi. Boshqa pul yechilmaydi.",
        "Подписка отменена. Больше ничего не списывается.",
        "The subscription is cancelled. Nothing more is taken.",
    ),
    "ended": Text(
        "Obuna tugadi. Boshqa pul yechilmaydi.",
        "Подписка закончилась. Больше ничего не списывается.",
        "The subscription has ended. Nothing more is taken.",
    ),
    "held_up": Text(
        "Obunangizni klub xodimi koʻrib chiqmoqda.",
        "Вашей подпиской занимается сотрудник клуба.",
        "Somebody at the club is looking at your subscription.",
    ),
    "rejoin": Text("Yana qoʻshilish", "Вступить снова", "Join again"),
    # Payments
    "next": Text("Keyingi toʻlovlar", "Следующие платежи", "Next payments"),
    "next_one": Text("Keyingi toʻlov", "Следующий платёж", "Next payment"),
    "none_next": Text("Boshqa toʻlov yoʻq.", "Больше платежей нет.", "There are no more payments."),
    "payments": Text("Toʻlovlar", "Платежи", "Payments"),
    "none_yet": Text("Hali toʻlov yoʻq.", "Платежей пока нет.", "There are no payments yet."),
    "period": Text("Davr", "Период", "Period"),
    "date": Text("Sana", "Дата", "Date"),
    "amount": Text("Summa", "Сумма", "Amount"),
    "state": Text("Holat", "Состояние", "State"),
    "som": Text("{amount} soʻm", "{amount} сум", "{amount} soʻm"),
    "period_open": Text("davom etmoqda", "выполняется", "in progress"),
    "period_refused": Text("rad etildi", "отклонён", "refused"),
    "period_unpaid": Text("toʻlanmagan", "не оплачен", "unpaid"),
    "period_paid": Text("yechildi", "списано", "taken"),
    "period_skipped": Text("oʻtkazib yuborildi", "пропущен", "skipped"),
    "period_given_up": Text("undirilmadi", "не взимается", "not collected"),
    "period_refunded": Text("qaytarildi", "возвращено", "given back"),
    # Cancel
    "cancel": Text("Obunani bekor qilish", "Отменить подписку", "Cancel the subscription"),
    "cancel_paid": Text(
        "Klub {until}gacha ochiq qoladi. Boshqa hech narsa yechilmaydi.",
        "Клуб останется открытым до {until}. Больше ничего не спишется.",
        "The club stays open to you until {until}. Nothing more is taken.",
    ),
    "cancel_unpaid": Text(
        "Toʻlanmagan oydan voz kechiladi, boshqa hech narsa yechilmaydi.",
        "От неоплаченного месяца отказываемся, больше ничего не спишется.",
        "The unpaid month is given up, and nothing more is taken.",
    ),
    "cancel_now": Text("Ha, bekor qilish", "Да, отменить", "Yes, cancel it"),
    "keep": Text("Obunani qoldirish", "Оставить подписку", "Keep the subscription"),
    # Messages
    "messages": Text("Xabarlar", "Сообщения", "Messages"),
    "none_told": Text("Hali xabar yoʻq.", "Сообщений пока нет.", "There are no messages yet."),
    "told_upcoming": Text(
        "{due} kuni {amount} soʻm yechiladi.",
        "{due} спишется {amount} сум.",
        "{amount} soʻm will be taken on {due}.",
    ),
    "told_charged": Text(
        "{due}dagi davr uchun {amount} soʻm yechildi.",
        "За период с {due} списано {amount} сум.",
        "{amount} soʻm was taken for the period from {due}.",
    ),
    "told_refused": Text(
        "{due}dagi davr uchun {amount} soʻm toʻlovi rad etildi, hech narsa yechilmadi.",
        "Платёж на {amount} сум за период с {due} отклонён, ничего не списано.",
        "The payment of {amount} soʻm for the period from {due} was refused; nothing was taken.",
    ),
    "told_past_due": Text(
        "{due}dagi davr toʻlanmagan: {amount} soʻm. Boshqa karta qoʻshing yoki qayta urining.",
        "Период с {due} не оплачен: {amount} сум. Добавьте другую карту или попробуйте снова.",
        "The period from {due} is unpaid: {amount} soʻm. Add another card, or try again.",
    ),
    "told_card_expiring": Text(
        "Kartangiz muddati {due}dagi toʻlovgacha tugaydi. Boshqa karta qoʻshing.",
        "Срок вашей карты кончится до платежа {due}. Добавьте другую карту.",
        "Your card expires before the payment of {due}. Add another one.",
    ),
    "told_skipped": Text(
        "{due}dagi davr oʻtkazib yuborildi, u uchun pul yechilmaydi.",
        "Период с {due} пропущен, за него ничего не списывается.",
        "The period from {due} was skipped; nothing is taken for it.",
    ),
    "told_paused": Text("Obuna toʻxtatildi.", "Подписка на паузе.", "The subscription is paused."),
    "told_ended": Text("Obuna tugadi.", "Подписка закончилась.", "The subscription has ended."),
    "told_paid_after_cancel": Text(
        "{due}dagi davr uchun {amount} soʻm bekor qilingandan keyin yechildi. Klub siz bilan "
        "bogʻlanadi.",
        "За период с {due} списано {amount} сум уже после отмены. Клуб свяжется с вами.",
        "{amount} soʻm for the period from {due} was taken after the cancellation. The club will "
        "contact you.",
    ),
    # The sandbox's clock
    "clock": Text("Sinov soati: {now}", "Часы песочницы: {now}", "The sandbox's clock: {now}"),
    "a_day": Text("Bir kun oʻtsin", "Вперёд на день", "Let a day pass"),
    "a_month": Text("Bir oy oʻtsin", "Вперёд на месяц", "Let a month pass"),
    # The operator
    "operator": Text("Klub kassasi", "Касса клуба", "The club's till"),
    "taken": Text("Yechildi", "Списано", "Taken"),
    "in_progress": Text("Davom etmoqda", "Выполняется", "In progress"),
    "being_retried": Text("Rad etildi, uriniladi", "Отклонено, пробуем", "Refused, tried again"),
    "overdue": Text("Muddati oʻtgan", "Просрочено", "Overdue"),
    "given_back": Text("Qaytarildi", "Возвращено", "Given back"),
    "member": Text("Aʼzo", "Участник", "Member"),
    "subscription": Text("Obuna", "Подписка", "Subscription"),
    "last": Text("Oxirgi davr", "Последний период", "Last period"),
    "reason": Text("Sabab", "Причина", "Reason"),
    "look": Text("Eʼtibor talab qiladi", "Требует внимания", "Needs attention"),
    "look_charge": Text(
        "{charge} natijasi nomaʼlum, odam qarashi kerak",
        "исход {charge} неизвестен, нужен человек",
        "the outcome of {charge} is unknown, a person must look",
    ),
    "no_members": Text("Hali aʼzo yoʻq.", "Участников пока нет.", "There are no members yet."),
    "sub_none": Text("karta kutilmoqda", "ждёт карту", "waits for a card"),
    "sub_trial": Text("sinov", "пробный срок", "trial"),
    "sub_active": Text("faol", "активна", "active"),
    "sub_retrying": Text("qayta urinilmoqda", "повторные попытки", "tried again"),
    "sub_past_due": Text("muddati oʻtgan", "просрочена", "overdue"),
    "sub_paused": Text("toʻxtatilgan", "на паузе", "paused"),
    "sub_ending": Text("bekor qilingan", "отменена", "cancelled"),
    "sub_parked": Text("koʻrib chiqilmoqda", "ждёт человека", "waits for a person"),
    "sub_ended": Text("tugagan", "закончилась", "ended"),
    # Errors
    "expired": Text(
        "Sahifa eskirgan. Orqaga qaytib, yangilang.",
        "Страница устарела. Вернитесь и обновите её.",
        "This page is out of date. Go back and load it again.",
    ),
}

_MONTHS: Final = [
    Text("yanvar", "января", "January"),
    Text("fevral", "февраля", "February"),
    Text("mart", "марта", "March"),
    Text("aprel", "апреля", "April"),
    Text("may", "мая", "May"),
    Text("iyun", "июня", "June"),
    Text("iyul", "июля", "July"),
    Text("avgust", "августа", "August"),
    Text("sentabr", "сентября", "September"),
    Text("oktabr", "октября", "October"),
    Text("noyabr", "ноября", "November"),
    Text("dekabr", "декабря", "December"),
]
# The spaces do not break a line.
_DATES: Final = Text(
    "{year}-yil\N{NO-BREAK SPACE}{day}-{month}",
    *["{day}\N{NO-BREAK SPACE}{month}\N{NO-BREAK SPACE}{year}"] * 2,
)

Say = Callable[..., str]


def speak(language: Language) -> Say:
    """Return a function that says a text: `say("lead", amount="50 000")`."""
    return lambda key, **values: str(getattr(TEXTS[key], language)).format(**values)


def day(language: Language, moment: float) -> str:
    """Write the date of a moment in Tashkent.

    Args:
        language: Of the reader.
        moment: Seconds since 1970.
    """
    local = local_day(moment)
    month = getattr(_MONTHS[local.month - 1], language)
    pattern: str = getattr(_DATES, language)
    return pattern.format(year=local.year, day=local.day, month=month)


def local_day(moment: float) -> date:
    """Return the date of a moment in Tashkent."""
    return datetime.fromtimestamp(moment, UTC).astimezone(ZONE).date()


def som(language: Language, amount: int) -> str:
    """Write an amount in tiyin with its currency; the space inside does not break a line."""
    return speak(language)("som", amount=plain(amount))


def plain(amount: int) -> str:
    """Write an amount in tiyin as soʻm, on one line."""
    return format_som(amount).replace(" ", "\N{NO-BREAK SPACE}")


def why(language: Language, code: int | None, message: str | None) -> str:
    """Say why Payme refused a payment; empty if the catalogue does not know."""
    entry = None if code is None else lookup(code, "receipts.pay", message or "")
    return "" if entry is None else str(getattr(entry.text, language))


def choose(asked: str | None, remembered: str | None, accepted: str | None) -> Language:
    """Choose the language of a page.

    Args:
        asked: `lang` in the page's address.
        remembered: The cookie.
        accepted: Header `Accept-Language`, as the browser orders it.
    """
    wanted = [asked, remembered, *(accepted or "").replace(";", ",").split(",")]
    for one in wanted:
        for language in LANGUAGES:
            if one and one.strip()[:2].lower() == language:
                return language
    return "uz"
