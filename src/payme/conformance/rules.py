"""The rules that an endpoint of the Merchant API is graded by, with source and standing."""

from typing import Final, NamedTuple

from payme.errors.catalogue import Standing, Text


class Rule(NamedTuple):
    """One documented rule.

    Attributes:
        id: Short name, stable across versions.
        text: What the endpoint must do.
        standing: How sure we are that Payme demands it.
        source: Page it is documented on, below https://developer.help.paycom.uz/.
    """

    id: str
    text: Text
    standing: Standing
    source: str


_SANDBOX, _ERRORS = "pesochnitsa", "protokol-merchant-api/obschie-oshibki"
_METHODS, _PROTOCOL = "metody-merchant-api/", "protokol-merchant-api/"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "http-200",
        Text(
            "Har qanday soʻrovga HTTP 200 va JSON-RPC javobi qaytariladi.",
            "На любой запрос отвечают HTTP 200 и JSON-RPC.",
            "Any request is answered with HTTP 200 and JSON-RPC.",
        ),
        "confirmed",
        _PROTOCOL,
    ),
    Rule(
        "auth-wrong",
        Text(
            "Notoʻgʻri kalit bilan har bir metod -32504 qaytaradi.",
            "С неверным ключом каждый метод отвечает -32504.",
            "With a wrong key every method answers -32504.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "auth-blank",
        Text(
            "Boʻsh parol, sarlavhasiz soʻrov va boshqa sxema -32504 qaytaradi.",
            "Пустой пароль, запрос без заголовка и другая схема дают -32504.",
            "A blank password, no header and another scheme give -32504.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "wrong-amount",
        Text(
            "Notoʻgʻri summa -31001 qaytaradi.",
            "Неверная сумма даёт -31001.",
            "A wrong amount gives -31001.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "unknown-account",
        Text(
            "Mavjud boʻlmagan hisob -31050…-31099 qaytaradi, matn uch tilda, `data` maydon nomi.",
            "Несуществующий счёт даёт -31050…-31099, текст на трёх языках, `data` — имя поля.",
            "An unknown account gives -31050…-31099, a text in three languages, `data` the field.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "check-perform",
        Text(
            "CheckPerformTransaction toʻlanadigan hisobga `allow: true` qaytaradi.",
            "CheckPerformTransaction отвечает `allow: true` на счёт, который можно оплатить.",
            "CheckPerformTransaction answers `allow: true` for an account that can be paid.",
        ),
        "confirmed",
        _METHODS + "checkperformtransaction",
    ),
    Rule(
        "create",
        Text(
            "CreateTransaction tranzaksiyani 1-holatda yaratadi va vaqtini qaytaradi.",
            "CreateTransaction создаёт транзакцию в состоянии 1 и возвращает время.",
            "CreateTransaction creates the transaction in state 1 and gives its time.",
        ),
        "confirmed",
        _METHODS + "createtransaction",
    ),
    Rule(
        "repeat-create",
        Text(
            "Takroriy CreateTransaction aynan oʻsha javobni qaytaradi.",
            "Повторный CreateTransaction отвечает точно так же.",
            "A repeated CreateTransaction answers identically.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "busy-order",
        Text(
            "Toʻlov kutilayotgan hisobga ikkinchi tranzaksiya -31008 oladi.",
            "Вторая транзакция на счёт, ожидающий оплаты, получает -31008.",
            "A second transaction on an account that waits for payment gets -31008.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "check-transaction",
        Text(
            "CheckTransaction holat, sabab va uchala vaqtni qaytaradi.",
            "CheckTransaction возвращает состояние, причину и все три времени.",
            "CheckTransaction gives state, reason and all three times.",
        ),
        "confirmed",
        _METHODS + "checktransaction",
    ),
    Rule(
        "cancel",
        Text(
            "CancelTransaction kutayotgan tranzaksiyani -1, bajarilganini -2 holatga oʻtkazadi.",
            "CancelTransaction переводит ожидающую транзакцию в -1, проведённую в -2.",
            "CancelTransaction moves a waiting transaction to -1 and a performed one to -2.",
        ),
        "confirmed",
        _METHODS + "canceltransaction",
    ),
    Rule(
        "repeat-cancel",
        Text(
            "Takroriy CancelTransaction aynan oʻsha javobni qaytaradi.",
            "Повторный CancelTransaction отвечает точно так же.",
            "A repeated CancelTransaction answers identically.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "perform-cancelled",
        Text(
            "Bekor qilingan tranzaksiya bajarilmaydi: -31008.",
            "Отменённая транзакция не проводится: -31008.",
            "A cancelled transaction is not performed: -31008.",
        ),
        "confirmed",
        _METHODS + "performtransaction",
    ),
    Rule(
        "cancelled-frees",
        Text(
            "Bekor qilingan urinish buyurtmani boʻshatadi: uni yana toʻlash mumkin.",
            "Отменённая попытка освобождает заказ: его снова можно оплатить.",
            "A cancelled attempt frees the order: it can be paid again.",
        ),
        "inferred",
        _PROTOCOL + "skhema-vzaimodeystviya",
    ),
    Rule(
        "race-create",
        Text(
            "Bir vaqtda kelgan ikki CreateTransaction dan faqat bittasi qabul qilinadi.",
            "Из двух одновременных CreateTransaction принимается только один.",
            "Of two simultaneous CreateTransactions exactly one is accepted.",
        ),
        "inferred",
        _SANDBOX,
    ),
    Rule(
        "expiry",
        Text(
            "12 soatdan eski tranzaksiya (`time` boʻyicha) bajarilmaydi: -31008.",
            "Транзакция старше 12 часов (по `time`) не проводится: -31008.",
            "A transaction older than 12 hours, by `time`, is not performed: -31008.",
        ),
        "confirmed",
        _METHODS + "createtransaction",
    ),
    Rule(
        "perform",
        Text(
            "PerformTransaction tranzaksiyani 2-holatga oʻtkazadi.",
            "PerformTransaction переводит транзакцию в состояние 2.",
            "PerformTransaction moves the transaction to state 2.",
        ),
        "confirmed",
        _METHODS + "performtransaction",
    ),
    Rule(
        "repeat-perform",
        Text(
            "Takroriy va bir vaqtdagi PerformTransaction aynan oʻsha javobni qaytaradi.",
            "Повторный и одновременный PerformTransaction отвечает точно так же.",
            "A repeated and a simultaneous PerformTransaction answers identically.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "paid-order",
        Text(
            "Toʻlangan buyurtmaga yangi tranzaksiya yaratilmaydi.",
            "Для оплаченного заказа новая транзакция не создаётся.",
            "No new transaction is created for a paid order.",
        ),
        "confirmed",
        _METHODS + "createtransaction",
    ),
    Rule(
        "unknown-transaction",
        Text(
            "Nomaʼlum tranzaksiya -31003 qaytaradi.",
            "Неизвестная транзакция даёт -31003.",
            "An unknown transaction gives -31003.",
        ),
        "confirmed",
        _METHODS + "performtransaction",
    ),
    Rule(
        "statement",
        Text(
            "GetStatement davrdagi barcha tranzaksiyalarni `time` boʻyicha, chegaralari bilan "
            "beradi.",
            "GetStatement отдаёт все транзакции периода по `time`, включая границы.",
            "GetStatement lists every transaction of the period by `time`, both ends included.",
        ),
        "confirmed",
        _METHODS + "getstatement",
    ),
    Rule(
        "bad-json",
        Text(
            "JSON boʻlmagan soʻrov -32700 oladi.",
            "Запрос, который не JSON, получает -32700.",
            "A request that is not JSON gets -32700.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "bad-request",
        Text(
            "Maydonlari yetishmagan yoki turi notoʻgʻri soʻrov xato kodi oladi.",
            "Запрос без нужных полей или с неверными типами получает код ошибки.",
            "A request that lacks fields or has wrong types gets an error code.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "unknown-method",
        Text(
            "Nomaʼlum metod -32601 oladi.",
            "Неизвестный метод получает -32601.",
            "An unknown method gets -32601.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "not-post",
        Text(
            "POST boʻlmagan soʻrov -32300 oladi.",
            "Запрос не методом POST получает -32300.",
            "A request that is no POST gets -32300.",
        ),
        "confirmed",
        _ERRORS,
    ),
)

BY_ID: Final = {rule.id: rule for rule in RULES}
