"""What the year says, in three languages."""

from typing import Final, Literal

Language = Literal["uz", "ru", "en"]

MONTH, TAKEN, AMOUNT, REFUSED, RECOVERED, CHURNED = range(6)

HEADS: Final[dict[Language, tuple[str, ...]]] = {
    "uz": ("oy", "olindi", "soʻm", "rad etildi", "undirildi", "ketdi"),
    "ru": ("месяц", "списано", "сум", "отказы", "взыскано", "ушли"),
    "en": ("month", "taken", "soʻm", "refused", "recovered", "churned"),
}

TOTAL: Final[dict[Language, str]] = {"uz": "jami", "ru": "всего", "en": "total"}

STATES: Final[dict[Language, dict[str, str]]] = {
    "uz": {
        "trial": "sinov davrida",
        "active": "faol",
        "retrying": "qayta urinilmoqda",
        "past_due": "toʻlanmagan, odam kutilmoqda",
        "paused": "toʻxtatilgan",
        "ending": "davr oxirigacha",
        "parked": "odam kutilmoqda",
        "ended": "tugagan",
    },
    "ru": {
        "trial": "пробный период",
        "active": "активны",
        "retrying": "повторяются попытки",
        "past_due": "не оплачены, ждут человека",
        "paused": "приостановлены",
        "ending": "до конца периода",
        "parked": "ждут человека",
        "ended": "закончились",
    },
    "en": {
        "trial": "in trial",
        "active": "active",
        "retrying": "being tried again",
        "past_due": "unpaid, waiting for a person",
        "paused": "paused",
        "ending": "to the end of the period",
        "parked": "waiting for a person",
        "ended": "ended",
    },
}

SUBSCRIPTIONS: Final[dict[Language, str]] = {
    "uz": "Obunalar: {states}.",
    "ru": "Подписки: {states}.",
    "en": "Subscriptions: {states}.",
}

BEFELL: Final[dict[Language, str]] = {
    "uz": (
        "{days} kun, {receipts} chek; {kills} jarayon kill -9 bilan oʻldirildi; zaxira nusxadan "
        "tiklangach {adopted} toʻlov daftarga qaytarildi; javobi yoʻqolgan {orphans} chek bekor "
        "qilindi, {returned} toʻlov qaytarilib, yangidan olindi."
    ),
    "ru": (
        "{days} дней, {receipts} чеков; kill -9 убито процессов: {kills}; после восстановления из "
        "копии принято в журнал платежей: {adopted}; отменено чеков, ответ о которых потерян: "
        "{orphans}, возвращено и списано заново платежей: {returned}."
    ),
    "en": (
        "{days} days, {receipts} receipts; {kills} processes killed with kill -9; {adopted} "
        "payments taken in after the restored backup; for lost answers {orphans} receipts "
        "were cancelled, and {returned} payments given back and taken anew."
    ),
}

TOOK: Final[dict[Language, str]] = {
    "uz": "{seconds:.0f} s, shundan {proof:.0f} s tekshiruv; protsessor {cpu:.0f} s.",
    "ru": "{seconds:.0f} с, из них {proof:.0f} с проверка; процессор {cpu:.0f} с.",
    "en": "{seconds:.0f} s, {proof:.0f} s of it the proof; processor {cpu:.0f} s.",
}

AGREE: Final[dict[Language, str]] = {
    "uz": (
        "Daftarlar tiyinigacha mos: har bir aʼzo va davr uchun koʻpi bilan bitta yechim, sandbox, "
        "toʻlovlar, obunalar va kartalar bir xil, hech kim tiqilib qolmagan."
    ),
    "ru": (
        "Книги сходятся до тийина: на участника и период не больше одного списания, песочница, "
        "платежи, подписки и карты совпадают, никто не застрял."
    ),
    "en": (
        "The books agree to the tiyin: at most one debit per member and period; sandbox, charges, "
        "subscriptions and cards are the same; nobody is stuck."
    ),
}

DIFFER: Final[dict[Language, str]] = {
    "uz": "Daftarlar mos emas, farqlar: {count}.",
    "ru": "Книги не сходятся, различий: {count}.",
    "en": "The books do not agree: {count} differences.",
}
