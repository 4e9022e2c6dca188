"""The words of Payme's pages in Django's admin, in three languages.

One per thing, as in the glossary of the documentation. A heading begins with a capital where Django
puts it; here it is written as inside of a sentence.

Two kinds of English words stand in migrations, too, and stay as they are: the names of states of a
charge, a card and a subscription, and the help of a field.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from payme.errors.catalogue import Text


class Names(NamedTuple):
    """What a model is called, and the headings of its pages.

    Django builds the headings from the name: in Russian it needs an accusative there, and in Uzbek
    it has no words for them. So they are written whole.
    """

    one: Text
    many: Text
    choose: Text = Text("", "", "")
    """Above the list."""
    look: Text = Text("", "", "")
    """Above one of them."""


# What several pages have.

YES: Final = Text("ha", "да", "yes")
ID: Final = Text("ID", "ID", "id")
STATE: Final = Text("holat", "состояние", "state")
AMOUNT: Final = Text("summa, soʻm", "сумма, сум", "amount, soʻm")
SOM: Final = Text("soʻm", "сум", "soʻm")
ACCOUNT: Final = Text("hisob", "счёт", "account")
RECEIPT: Final = Text("chek", "чек", "receipt")
CUSTOMER: Final = Text("mijoz", "клиент", "customer")
EVIDENCE: Final = Text("qayerdan maʼlum", "откуда известно", "known from")
CODE: Final = Text("kod", "код", "code")
MESSAGE: Final = Text("xabar", "сообщение", "message")

# Agreement.

SURE: Final = Text("{word}: ishonchingiz komilmi?", "{word}: вы уверены?", "{word}: are you sure?")
DO_IT: Final = Text("Ha, {word}", "Да, {word}", "Yes, {word}")
GO_BACK: Final = Text("Yoʻq, orqaga", "Нет, вернуться", "No, take me back")
NOTHING_ABLE: Final = Text(
    "Buni hech biri uchun qilib boʻlmaydi:",
    "Сейчас это невозможно:",
    "Nothing can be asked for:",
)
LEFT_OUT: Final = Text("kirmaydi: {why}", "не войдёт: {why}", "left out: {why}")
TOO_MANY: Final = Text(
    "Bir martada koʻpi bilan {most} tasini tanlang. Hech narsa soʻralmadi.",
    "За один раз выберите не больше {most}. Ничего не запрошено.",
    "Choose at most {most} {what} at once. Nothing was asked for.",
)
LOGGED: Final = Text("soʻraldi: {word}", "запрошено: {word}", "asked for: {word}")
CHANGED_MEANWHILE: Final = Text(
    "siz koʻrganingizdan keyin oʻzgargan; hech narsa soʻralmadi",
    "изменилось, пока вы смотрели; ничего не запрошено",
    "it has changed since you looked; nothing was asked for",
)
NOT_STORED: Final = Text(
    "hech narsa saqlanmadi: {error}", "ничего не сохранено: {error}", "nothing was stored: {error}"
)
NOT_IN_THIS_STATE: Final = Text(
    "bu holatda bunday qilib boʻlmaydi",
    "в этом состоянии так нельзя",
    "its state does not allow that",
)
DONE_ALREADY: Final = Text(
    "bu allaqachon qilingan yoki bajarilmoqda",
    "это уже сделано или выполняется",
    "it is done already, or under way",
)
NOW: Final = Text("endi holati: {state}", "теперь состояние: {state}", "it is {state} now")

# How Payme answered.

NOT_SENT: Final = Text(
    "{method}: Paymega hech narsa yuborilmadi",
    "{method}: в Payme ничего не отправлено",
    "{method}: nothing was sent to Payme",
)
NO_ANSWER: Final = Text(
    "{method}: Paymedan aniq javob kelmadi",
    "{method}: от Payme нет ясного ответа",
    "{method}: Payme gave no clear answer",
)

# Charges.

CHARGES_APP: Final = Text("Payme chargeʼlari", "Списания Payme", "Payme charges")
CHARGE: Final = Names(
    Text("charge", "списание", "charge"),
    Text("chargeʼlar", "списания", "charges"),
    Text("Koʻrish uchun chargeʼni tanlang", "Выберите списание", "Select charge to view"),
    Text("Charge", "Списание", "View charge"),
)
CHARGE_EVENT: Final = Names(
    Text("charge hodisasi", "событие списания", "charge event"),
    Text("charge hodisalari", "события списаний", "charge events"),
)
CHARGE_FIELDS: Final[Mapping[str, Text]] = {
    "id": ID,
    "state": STATE,
    "hold": Text("hold", "холд", "hold"),
    "receipt_id": RECEIPT,
    "receipts": Text("cheklar soni", "чеков", "receipts"),
    "attempts": Text("urinishlar", "попыток", "attempts"),
    "given_up": Text("voz kechilgan", "от списания отказались", "given up"),
    "code": CODE,
}
CHARGE_STATES: Final[Mapping[str, Text]] = {
    "new": Text("yangi", "новое", "new"),
    "open": Text("chek yaratilgan", "чек создан", "open"),
    "paying": Text("toʻlanmoqda", "оплачивается", "paying"),
    "held": Text("pul ushlab turilibdi", "деньги под холдом", "held"),
    "refused": Text("rad etilgan", "отказано", "refused"),
    "confirming": Text("hold tasdiqlanmoqda", "холд подтверждается", "confirming"),
    "cancelling": Text("bekor qilinmoqda", "отменяется", "cancelling"),
    "refunding": Text("pul qaytarilmoqda", "деньги возвращаются", "refunding"),
    "paid": Text("pul yechilgan", "деньги списаны", "paid"),
    "failed": Text("amalga oshmagan", "не состоялось", "failed"),
    "refunded": Text("pul qaytarilgan", "деньги возвращены", "refunded"),
}
CHARGE_SEARCH: Final = Text("ID yoki chek", "ID или чек", "Id, or receipt")
ATTENTION: Final = Text("eʼtibor", "внимание", "attention")
NEEDS_PERSON: Final = Text("odam koʻrishi kerak", "нужен человек", "needs a person")
DESCRIPTION: Final = Text("tavsif", "описание", "description")
DETAIL: Final = Text("fiskal chek", "фискальный чек", "fiscal receipt")
DUE: Final = Text("navbatdagi qadam", "следующий шаг", "due")
CHARGE_CREATED: Final = Text("yaratilgan", "создано", "created")
CHARGE_CHANGED: Final = Text("oʻzgargan", "изменено", "changed")
EVENTS: Final = Text("Hodisalar", "События", "Events")
EVENT_AT: Final = Text("qachon", "когда", "when")
EVENT_BEFORE: Final = Text("oldin", "было", "from")
EVENT_AFTER: Final = Text("keyin", "стало", "to")
CHARGE_WORDS: Final[Mapping[str, Text]] = {
    "confirm": Text("holdni tasdiqlash", "подтвердить холд", "confirm"),
    "refund": Text("pulni qaytarish", "вернуть деньги", "refund"),
    "cancel": Text("bekor qilish", "отменить", "cancel"),
    "retry": Text("qayta urinish", "попробовать ещё раз", "retry"),
}
CHARGE_MEANS: Final[Mapping[str, Text]] = {
    "confirm": Text(
        "Ushlab turilgan pul yechib olinadi.",
        "Деньги под холдом будут списаны.",
        "The money that is held will be taken.",
    ),
    "refund": Text(
        "Pul toʻlovchiga qaytariladi.",
        "Деньги вернутся плательщику.",
        "The money will be given back.",
    ),
    "cancel": Text(
        "Boshqa toʻlov boshlanmaydi, ushlab turilgan pul qaytadi.",
        "Новая оплата не начнётся, деньги под холдом вернутся.",
        "No other payment will be begun, and money that is held goes back.",
    ),
    "retry": Text(
        "Oʻsha kartalardan yana pul yechiladi.",
        "Деньги будут списаны с тех же карт.",
        "The same cards will be charged again.",
    ),
}
ONE_CHARGE: Final = Text(
    "1 ta charge, jami {sum} soʻm",
    "Списаний: 1, всего {sum} сум",
    "1 charge, {sum} soʻm in all",
)
MANY_CHARGES: Final = Text(
    "{count} ta charge, jami {sum} soʻm",
    "Списаний: {count}, всего {sum} сум",
    "{count} charges, {sum} soʻm in all",
)
THIS_CHARGE: Final = Text(
    "{id}: {state}, {sum} soʻm", "{id}: {state}, {sum} сум", "{id}: {state}, {sum} soʻm"
)
NO_CHARGE: Final = Text(
    "bunday charge yoʻq; hech narsa soʻralmadi",
    "такого списания нет; ничего не запрошено",
    "there is no such charge; nothing was asked for",
)
WISH_STORED: Final = Text(
    "istak saqlandi ({word}); Payme javobi isbotlaguncha holati: {state}",
    "просьба сохранена ({word}); пока ответ Payme этого не докажет, состояние: {state}",
    "{word} asked for; it is {state} until Payme's answer is proof",
)

# Saved cards.

CARD: Final = Names(
    Text("saqlangan karta", "сохранённая карта", "saved card"),
    Text("saqlangan kartalar", "сохранённые карты", "saved cards"),
    Text(
        "Koʻrish uchun saqlangan kartani tanlang",
        "Выберите сохранённую карту",
        "Select saved card to view",
    ),
    Text("Saqlangan karta", "Сохранённая карта", "View saved card"),
)
CARD_FIELDS: Final[Mapping[str, Text]] = {
    "id": ID,
    "number": Text("raqam", "номер", "number"),
    "expire": Text("amal qilish muddati", "срок действия", "expires"),
    "recurrent": Text("takroriy toʻlovga yaroqli", "годится для повторных оплат", "recurrent"),
    "state": STATE,
}
CARD_STATES: Final[Mapping[str, Text]] = {
    "ready": Text("yaroqli", "действует", "ready"),
    "expired": Text("muddati oʻtgan", "просрочена", "expired"),
    "unverified": Text("tasdiqlanmagan", "не подтверждена", "unverified"),
    "gone": Text("Paymega nomaʼlum", "неизвестна Payme", "gone"),
    "removing": Text("oʻchirilmoqda", "удаляется", "removing"),
}
CARD_SEARCH: Final = Text("Mijoz yoki ID", "Клиент или ID", "Customer, or id")
DEFAULT: Final = Text("asosiy", "основная", "default")
CARD_CREATED: Final = Text("saqlangan", "сохранена", "saved")
CARD_CHANGED: Final = Text("oʻzgargan", "изменена", "changed")
CARD_WORDS: Final[Mapping[str, Text]] = {
    "refresh": Text("qayta tekshirish", "проверить заново", "refresh"),
    "make_default": Text("asosiy qilish", "сделать основной", "make default"),
    "remove": Text("oʻchirish", "удалить", "remove"),
}
CARD_MEANS: Final[Mapping[str, Text]] = {
    "refresh": Text(
        "Ulardan hali ham pul yechish mumkinmi, Paymedan soʻraladi.",
        "У Payme спросят, можно ли с них ещё списывать.",
        "Payme will be asked whether they may still be charged.",
    ),
    "make_default": Text(
        "Endi egalarining chargeʼlari shu kartalardan toʻlanadi.",
        "Отныне ими будут оплачиваться списания их клиентов.",
        "From now on their customers' charges will be paid with them.",
    ),
    "remove": Text(
        "Ular Paymeda ham, bu yerda ham oʻchiriladi, ulardan boshqa pul yechib boʻlmaydi.",
        "Они будут удалены и в Payme, и здесь, и списать с них будет уже нельзя.",
        "They will be removed at Payme and here, and can't be charged any more.",
    ),
}
ONE_CARD: Final = Text("1 ta karta", "Карт: 1", "1 card")
MANY_CARDS: Final = Text("{count} ta karta", "Карт: {count}", "{count} cards")
NO_CARD: Final = Text(
    "bunday karta yoʻq; hech narsa soʻralmadi",
    "такой карты нет; ничего не запрошено",
    "there is no such card; nothing was asked for",
)
CARD_FAILED: Final = Text(
    "{error}; kartani yana tekshiring",
    "{error}; проверьте карту ещё раз",
    "{error}; look at it again",
)
REMOVED: Final = Text(
    "Paymeda ham, bu yerda ham oʻchirildi",
    "удалена и в Payme, и здесь",
    "removed at Payme and here",
)
DEFAULT_NOW: Final = Text("endi asosiy", "теперь основная", "it is the default now")
DEFAULT_ALREADY: Final = Text("allaqachon asosiy", "уже основная", "it is the default already")
REMOVED_BY_OTHERS: Final = Text(
    "uni boshqa kimdir oʻchirdi", "её удалил кто-то другой", "somebody else has removed it"
)
BEING_REMOVED: Final = Text("oʻchirilmoqda", "уже удаляется", "it is being removed")
CARD_IS: Final = Text("holati: {state}", "состояние: {state}", "it is {state}")
REMOVE_LATER: Final = Text(
    "holati: {state}, keyinroq yana oʻchiring",
    "состояние: {state}, позже удалите ещё раз",
    "it is {state}, remove it again later",
)

# Subscriptions.

RECURRING_APP: Final = Text("Payme obunalari", "Подписки Payme", "Payme subscriptions")
SUBSCRIPTION: Final = Names(
    Text("obuna", "подписка", "subscription"),
    Text("obunalar", "подписки", "subscriptions"),
    Text("Koʻrish uchun obunani tanlang", "Выберите подписку", "Select subscription to view"),
    Text("Obuna", "Подписка", "View subscription"),
)
PERIOD: Final = Names(Text("davr", "период", "period"), Text("davrlar", "периоды", "periods"))
NOTICE: Final = Names(
    Text("xabar", "уведомление", "notice"), Text("xabarlar", "уведомления", "notices")
)
MARK: Final = Names(Text("belgi", "отметка", "mark"), Text("belgilar", "отметки", "marks"))
SUBSCRIPTION_FIELDS: Final[Mapping[str, Text]] = {
    "id": ID,
    "state": STATE,
    "next_n": Text("keyingi davr", "следующий период", "next period"),
}
SUBSCRIPTION_STATES: Final[Mapping[str, Text]] = {
    "trial": Text("sinov muddati", "пробный срок", "trial"),
    "active": Text("faol", "активна", "active"),
    "retrying": Text("qayta urinilmoqda", "повторные попытки", "retrying"),
    "past_due": Text("muddati oʻtgan", "просрочена", "past_due"),
    "paused": Text("toʻxtatilgan", "на паузе", "paused"),
    "ending": Text("davr oxirigacha", "до конца периода", "ending"),
    "parked": Text("odam kutilmoqda", "ждёт человека", "parked"),
    "ended": Text("tugagan", "закончилась", "ended"),
}
SUBSCRIPTION_SEARCH: Final = Text("ID yoki mijoz", "ID или клиент", "Id, or customer")
NEXT_DUE: Final = Text("keyingi toʻlov", "следующий платёж", "next payment")
NEXT_AMOUNT: Final = Text("keyingi summa, soʻm", "следующая сумма, сум", "next amount, soʻm")
UNPAID: Final = Text("toʻlanmagan davr", "неоплаченный период", "unpaid period")
RULE: Final = Text("qoida", "правило", "rule")
TERMS: Final = Text("summalar va sanalar", "суммы и даты", "amounts and dates")
ENDS: Final = Text("tugaydi", "закончится", "ends")
WAKES: Final = Text("navbatdagi ish", "следующее действие", "wakes")
SUBSCRIPTION_CREATED: Final = Text("yaratilgan", "создана", "created")
SUBSCRIPTION_CHANGED: Final = Text("oʻzgargan", "изменена", "changed")
SUBSCRIPTION_WORDS: Final[Mapping[str, Text]] = {
    "pause": Text("toʻxtatib turish", "поставить на паузу", "pause"),
    "resume": Text("davom ettirish", "возобновить", "resume"),
    "cancel": Text("bekor qilish", "отменить", "cancel"),
    "retry": Text("qayta urinish", "попробовать ещё раз", "retry"),
}
SUBSCRIPTION_MEANS: Final[Mapping[str, Text]] = {
    "pause": Text(
        "Davom ettirilguncha muddati kelgan davrlar oʻtkazib yuboriladi.",
        "Пока их не возобновят, периоды, которым пришёл срок, пропускаются.",
        "What becomes due will be skipped, until they are resumed.",
    ),
    "resume": Text(
        "Ular davom etadi; shu orada muddati kelgani undirilmaydi.",
        "Они продолжатся; то, чему за это время пришёл срок, не списывается.",
        "They will go on; what was due meanwhile is not collected.",
    ),
    "cancel": Text(
        "Ular toʻlangan davr oxirigacha ishlaydi; toʻlanmaganidan voz kechiladi.",
        "Они дойдут до конца оплаченного периода; от неоплаченного откажутся.",
        "They will run to the end of what is paid; what is unpaid is given up.",
    ),
    "retry": Text(
        "Toʻlanmagani uchun darhol yana pul yechishga uriniladi, oʻtkazib yuborilgani undiriladi.",
        "Неоплаченное попробуют списать сразу, а пропущенное взыщут.",
        "What is unpaid will be tried again at once, and what was missed is collected.",
    ),
}
ONE_SUBSCRIPTION: Final = Text("1 ta obuna", "Подписок: 1", "1 subscription")
MANY_SUBSCRIPTIONS: Final = Text("{count} ta obuna", "Подписок: {count}", "{count} subscriptions")
THIS_SUBSCRIPTION: Final = Text(
    "{id}: {state}, keyingi toʻlov {sum} soʻm",
    "{id}: {state}, следующий платёж {sum} сум",
    "{id}: {state}, {sum} soʻm next",
)
NO_SUBSCRIPTION: Final = Text(
    "bunday obuna yoʻq; hech narsa soʻralmadi",
    "такой подписки нет; ничего не запрошено",
    "there is no such subscription; nothing was asked for",
)
NOT_ASKED: Final = Text(
    "{why}; hech narsa soʻralmadi", "{why}; ничего не запрошено", "{why}; nothing was asked for"
)
TRIED_OFTEN: Final = Text(
    "30 kunda {most} marta urinildi, kuting",
    "за 30 дней было попыток: {most}, подождите",
    "it was tried {most} times in 30 days: wait",
)
PERIODS: Final = Text("Davrlar", "Периоды", "Periods")
NUMBER: Final = Text("№", "№", "n")
PERIOD_START: Final = Text("boshlanishi", "начало", "from")
PERIOD_END: Final = Text("tugashi", "конец", "to")
REFUSALS: Final = Text("rad etishlar", "отказы", "refusals")
RETRY_AT: Final = Text("keyingi urinish", "следующая попытка", "tried again")
PERIOD_STATES: Final[Mapping[str, Text]] = {
    "open": Text("davom etmoqda", "выполняется", "open"),
    "refused": Text("rad etilgan", "отклонён", "refused"),
    "unpaid": Text("toʻlanmagan", "не оплачен", "unpaid"),
    "paid": Text("pul yechilgan", "деньги списаны", "paid"),
    "skipped": Text("oʻtkazib yuborilgan", "пропущен", "skipped"),
    "given_up": Text("undirilmaydi", "не списывается", "given up"),
    "refunded": Text("pul qaytarilgan", "деньги возвращены", "refunded"),
}
NOTICES: Final = Text("Xabarlar", "Уведомления", "Notices")
KIND: Final = Text("turi", "вид", "kind")
WRITTEN: Final = Text("yozilgan", "записано", "written")
SENT: Final = Text("yuborilgan", "отправлено", "sent")
NOTICE_KINDS: Final[Mapping[str, Text]] = {
    "upcoming": Text("toʻlov yaqinlashmoqda", "скоро платёж", "upcoming"),
    "charged": Text("pul yechildi", "деньги списаны", "charged"),
    "refused": Text("toʻlov rad etildi", "в оплате отказано", "refused"),
    "past_due": Text("muddati oʻtdi", "платёж просрочен", "past due"),
    "card_expiring": Text("karta muddati tugayapti", "срок карты кончается", "card expiring"),
    "skipped": Text("davr oʻtkazib yuborildi", "период пропущен", "skipped"),
    "paused": Text("obuna toʻxtatildi", "подписка на паузе", "paused"),
    "ended": Text("obuna tugadi", "подписка закончилась", "ended"),
    "paid_after_cancel": Text(
        "bekor qilingandan keyin toʻlandi", "оплата после отмены", "paid after cancel"
    ),
}

# The Merchant API.

TRANSACTION: Final = Names(
    Text("tranzaksiya", "транзакция", "transaction"),
    Text("tranzaksiyalar", "транзакции", "transactions"),
    Text(
        "Koʻrish uchun tranzaksiyani tanlang", "Выберите транзакцию", "Select transaction to view"
    ),
    Text("Tranzaksiya", "Транзакция", "View transaction"),
)
ORDER_LOCK: Final = Names(
    Text("buyurtma qulfi", "блокировка заказа", "order lock"),
    Text("buyurtma qulflari", "блокировки заказов", "order locks"),
)
TRANSACTION_FIELDS: Final[Mapping[str, Text]] = {
    "payme_id": Text("Paymedagi ID", "ID в Payme", "id at Payme"),
    "box": Text("kassa", "касса", "cash-box"),
    "order_id": Text("buyurtma", "заказ", "order"),
    "reserves": Text("band qilingan buyurtma", "занятый заказ", "reserves"),
    "state": STATE,
    "reason": Text("sabab", "причина", "reason"),
}
BOX_HELP: Final = Text(
    "Kassaning Paymedagi ID si; doʻkonning nomsiz yagona kassasi uchun boʻsh.",
    "ID кассы в Payme; пусто, если касса одна и имени у неё нет.",
    "Its id at Payme; empty for the one cash-box of a shop that names none.",
)
RESERVES_HELP: Final = Text(
    "Buyurtma, uni toʻlashga boshqa urinish mumkin boʻlmagan paytda.",
    "Заказ, пока другая попытка оплатить его невозможна.",
    "The order, while no other attempt may be made.",
)
TRANSACTION_WAITING: Final = Text("toʻlov kutilmoqda", "ждёт оплаты", "waiting")
TRANSACTION_PAID: Final = Text("toʻlangan", "оплачена", "paid")
TRANSACTION_CANCELLED: Final = Text("bekor qilingan", "отменена", "cancelled")
TRANSACTION_REFUNDED: Final = Text("pul qaytarilgan", "деньги возвращены", "refunded")
NO_RECEIVER: Final = Text("qabul qiluvchi topilmadi", "получатель не найден", "receiver not found")
DEBIT_FAILED: Final = Text("pul yechib boʻlmadi", "деньги списать не удалось", "debit failed")
EXECUTION_FAILED: Final = Text(
    "tranzaksiya bajarilmadi", "транзакция не выполнена", "transaction failed"
)
TIMED_OUT: Final = Text("vaqti oʻtib ketdi", "истекло время", "timed out")
REFUND: Final = Text("qaytarish", "возврат", "refund")
UNKNOWN: Final = Text("nomaʼlum", "неизвестно", "unknown")
TRANSACTION_SEARCH: Final = Text(
    "Paymedagi ID yoki buyurtma", "ID в Payme или заказ", "Id at Payme, or order"
)
TRANSACTION_CREATED: Final = Text("yaratilgan", "создана", "created")
RECEIVERS: Final = Text("qabul qiluvchilar", "получатели", "receivers")
FISCAL: Final = Text("fiskal cheklar", "фискальные чеки", "fiscal receipts")

OUTBOX_APP: Final = Text("Payme vazifalari", "Задания Payme", "Payme outbox")
OUTBOX_JOB: Final = Names(
    Text("keyinga qoldirilgan vazifa", "отложенное задание", "outbox job"),
    Text("keyinga qoldirilgan vazifalar", "отложенные задания", "outbox jobs"),
)
