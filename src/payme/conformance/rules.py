"""The rules that an endpoint of the Merchant API is graded by, with source and standing.

One rule is one obligation, so that a broken one says what is to be mended. What only costs a
payer's time is no `money`; what Payme itself never sends or reads is `style`, and fails no run.
"""

from typing import Final, Literal, NamedTuple

from payme.errors.catalogue import Standing, Text

Severity = Literal["money", "protocol", "style"]
"""`money`: money can be lost or taken twice. `protocol`: Payme or its cabinet will stumble over it.
`style`: nothing but the documentation asks for it."""


class Rule(NamedTuple):
    """One documented rule.

    Attributes:
        id: Short name, stable across versions.
        severity: What it costs to break it: `money`, `protocol` or `style`.
        text: What the endpoint must do.
        standing: How sure we are that Payme demands it.
        page: Page it is documented on, below https://developer.help.paycom.uz/.
    """

    id: str
    severity: Severity
    text: Text
    standing: Standing
    page: str

    @property
    def url(self) -> str:
        """Full address of the page."""
        return f"https://developer.help.paycom.uz/{self.page}"


_SANDBOX: Final = "pesochnitsa"
_PROTOCOL: Final = "protokol-merchant-api/"
_REQUEST: Final = "protokol-merchant-api/format-zaprosa"
_RESPONSE: Final = "protokol-merchant-api/format-otveta"
_ERRORS: Final = "protokol-merchant-api/obschie-oshibki"
_SCHEME: Final = "protokol-merchant-api/skhema-vzaimodeystviya"
_TYPES: Final = "metody-merchant-api/tipy-dannykh"
# The site has the addresses of these two pages the wrong way round.
_CHECK_PERFORM: Final = "metody-merchant-api/checktransaction"
_CHECK: Final = "metody-merchant-api/checkperformtransaction"
_CREATE: Final = "metody-merchant-api/createtransaction"
_PERFORM: Final = "metody-merchant-api/performtransaction"
_CANCEL: Final = "metody-merchant-api/canceltransaction"
_STATEMENT: Final = "metody-merchant-api/getstatement"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "http-200",
        "protocol",
        Text(
            "Metod chaqirilganda HTTP 200 qaytariladi.",
            "На вызов метода отвечают HTTP 200.",
            "A call is answered with HTTP 200.",
        ),
        "confirmed",
        _PROTOCOL,
    ),
    Rule(
        "json-rpc",
        "protocol",
        Text(
            "Javob JSON obyekti: unda yo `result`, yo butun sonli kodi bor `error` boʻladi.",
            "Ответ — объект JSON, в нём либо `result`, либо `error` с целым кодом.",
            "The answer is a JSON object with either a `result` or an `error` whose code is an "
            "integer.",
        ),
        "confirmed",
        _RESPONSE,
    ),
    Rule(
        "id-echo",
        "protocol",
        Text(
            "Javobda soʻrovning `id` raqami qaytariladi.",
            "Ответ повторяет `id` запроса.",
            "The answer repeats the `id` of the request.",
        ),
        "confirmed",
        _RESPONSE,
    ),
    Rule(
        "error-message",
        "style",
        Text(
            "Xato matni uz, ru va en tillarida beriladi.",
            "Текст ошибки дан на uz, ru и en.",
            "The text of an error is given in uz, ru and en.",
        ),
        "confirmed",
        _RESPONSE,
    ),
    Rule(
        "content-type",
        "style",
        Text(
            "Javobning turi `application/json` yoki `text/json`.",
            "Тип ответа — `application/json` или `text/json`.",
            "The answer's type is `application/json` or `text/json`.",
        ),
        "inferred",
        _RESPONSE,
    ),
    Rule(
        "auth-wrong",
        "money",
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
        "money",
        Text(
            "Boʻsh parol, sarlavhasiz soʻrov va boshqa sxema -32504 qaytaradi.",
            "Пустой пароль, запрос без заголовка и другая схема дают -32504.",
            "A blank password, no header and another scheme give -32504.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "auth-part",
        "money",
        Text(
            "Kalitning bir qismi, kalitdan uzunroq matn va harflarining kattaligi boshqa kalit "
            "-32504 qaytaradi.",
            "Часть ключа, текст длиннее ключа и ключ в другом регистре дают -32504.",
            "A part of the key, more than the key, and the key in another case give -32504.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "auth-login",
        "protocol",
        Text(
            "Kalit toʻgʻri, lekin login boshqa boʻlsa, -32504 qaytariladi.",
            "Верный ключ с другим логином даёт -32504.",
            "The right key with another login gives -32504.",
        ),
        "observed",
        _SCHEME,
    ),
    Rule(
        "auth-test-stand",
        "money",
        Text(
            "Payme test stendining ommaga maʼlum paroli -32504 qaytaradi.",
            "Общеизвестный пароль тестового стенда Payme даёт -32504.",
            "The published password of Payme's test stand gives -32504.",
        ),
        "observed",
        _SANDBOX,
    ),
    Rule(
        "auth-test-operation",
        "money",
        Text(
            "`Test-Operation` sarlavhasi kalit oʻrnini bosmaydi: -32504.",
            "Заголовок `Test-Operation` не заменяет ключа: -32504.",
            "The header `Test-Operation` does not stand for the key: -32504.",
        ),
        "observed",
        _SANDBOX,
    ),
    Rule(
        "auth-effect",
        "money",
        Text(
            "-32504 bilan rad etilgan soʻrov hech narsani oʻzgartirmaydi.",
            "Запрос, отклонённый с -32504, ничего не меняет.",
            "A request that is refused with -32504 changes nothing.",
        ),
        "inferred",
        _SCHEME,
    ),
    Rule(
        "wrong-amount",
        "money",
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
        "protocol",
        Text(
            "Mavjud boʻlmagan hisob -31050…-31099 qaytaradi.",
            "Несуществующий счёт даёт -31050…-31099.",
            "An unknown account gives -31050…-31099.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "account-message",
        "protocol",
        Text(
            "Hisob xatosining matni uz, ru va en tillarida beriladi.",
            "Текст ошибки счёта дан на uz, ru и en.",
            "The text of an account's error is given in uz, ru and en.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "account-field",
        "protocol",
        Text(
            "Hisob xatosining `data` qismi — hisob maydonining nomi.",
            "`data` ошибки счёта — имя поля счёта.",
            "The `data` of an account's error names a field of the account.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "refused-perform",
        "money",
        Text(
            "Yaratilishi rad etilgan tranzaksiya bajarilmaydi.",
            "Транзакция, которую отказались создать, не проводится.",
            "A transaction whose creation was refused is not performed.",
        ),
        "inferred",
        _PERFORM,
    ),
    Rule(
        "check-perform",
        "protocol",
        Text(
            "CheckPerformTransaction toʻlanadigan hisobga `allow: true` qaytaradi.",
            "CheckPerformTransaction отвечает `allow: true` на счёт, который можно оплатить.",
            "CheckPerformTransaction answers `allow: true` for an account that can be paid.",
        ),
        "confirmed",
        _CHECK_PERFORM,
    ),
    Rule(
        "create",
        "protocol",
        Text(
            "CreateTransaction tranzaksiyani 1-holatda yaratadi.",
            "CreateTransaction создаёт транзакцию в состоянии 1.",
            "CreateTransaction creates the transaction in state 1.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "create-time",
        "protocol",
        Text(
            "`create_time` — sizning serveringiz tranzaksiyani saqlagan vaqt, 13 xonali ms; "
            "Paymening `time` qiymati emas.",
            "`create_time` — когда транзакцию сохранил ваш сервер, 13 цифр мс; это не `time` от "
            "Payme.",
            "`create_time` is when your server stored the transaction, 13 digits of ms; it is not "
            "Payme's `time`.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "repeat-create",
        "money",
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
        "money",
        Text(
            "Toʻlov kutilayotgan buyurtmaga ikkinchi tranzaksiya yaratilmaydi.",
            "Для заказа, ожидающего оплаты, вторая транзакция не создаётся.",
            "No second transaction is created for an order that waits for payment.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "busy-code",
        "protocol",
        Text(
            "Ikkinchi tranzaksiya -31008 bilan rad etiladi.",
            "Вторую транзакцию отклоняют с -31008.",
            "The second transaction is refused with -31008.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "busy-check",
        "style",
        Text(
            "CheckPerformTransaction band buyurtmani rad etadi.",
            "CheckPerformTransaction отказывает, если заказ занят.",
            "CheckPerformTransaction refuses an order that another transaction has.",
        ),
        "observed",
        _CHECK_PERFORM,
    ),
    Rule(
        "cumulative",
        "protocol",
        Text(
            "Jamgʻariladigan hisob bir nechta tranzaksiyani qabul qiladi.",
            "Накопительный счёт принимает несколько транзакций.",
            "A cumulative account takes several transactions.",
        ),
        "inferred",
        _SANDBOX,
    ),
    Rule(
        "check-transaction",
        "protocol",
        Text(
            "CheckTransaction holat va uchala vaqtni qaytaradi.",
            "CheckTransaction возвращает состояние и все три времени.",
            "CheckTransaction gives the state and all three times.",
        ),
        "confirmed",
        _CHECK,
    ),
    Rule(
        "unset-times",
        "protocol",
        Text(
            "Hali sodir boʻlmagan voqeaning vaqti 0 boʻladi.",
            "Время того, чего ещё не было, равно 0.",
            "The time of what has not happened is 0.",
        ),
        "confirmed",
        _TYPES,
    ),
    Rule(
        "reason",
        "protocol",
        Text(
            "`reason` — bekor qilish sababi, bekor qilinmaguncha `null`.",
            "`reason` — причина отмены, до неё `null`.",
            "`reason` is why it was cancelled, `null` until then.",
        ),
        "confirmed",
        _CHECK,
    ),
    Rule(
        "transaction-text",
        "protocol",
        Text(
            "`transaction` har bir javobda matn boʻladi.",
            "`transaction` в каждом ответе — строка.",
            "`transaction` is a string in every answer.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "transaction-same",
        "protocol",
        Text(
            "`transaction` va vaqtlar barcha metodlarning javobida bir xil.",
            "`transaction` и времена одинаковы в ответах всех методов.",
            "`transaction` and the times are the same in the answers of every method.",
        ),
        "confirmed",
        _CHECK,
    ),
    Rule(
        "cancel",
        "money",
        Text(
            "CancelTransaction kutayotgan tranzaksiyani -1 holatga oʻtkazadi.",
            "CancelTransaction переводит ожидающую транзакцию в -1.",
            "CancelTransaction moves a waiting transaction to -1.",
        ),
        "confirmed",
        _CANCEL,
    ),
    Rule(
        "cancel-time",
        "protocol",
        Text(
            "`cancel_time` — bekor qilingan vaqt, 13 xonali ms.",
            "`cancel_time` — время отмены, 13 цифр мс.",
            "`cancel_time` is when it was cancelled, 13 digits of ms.",
        ),
        "confirmed",
        _CANCEL,
    ),
    Rule(
        "repeat-cancel",
        "money",
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
        "money",
        Text(
            "Bekor qilingan tranzaksiya bajarilmaydi: -31008.",
            "Отменённая транзакция не проводится: -31008.",
            "A cancelled transaction is not performed: -31008.",
        ),
        "confirmed",
        _PERFORM,
    ),
    Rule(
        "create-finished",
        "money",
        Text(
            "Tugagan tranzaksiya qayta yaratilmaydi: -31008.",
            "Завершённая транзакция не создаётся заново: -31008.",
            "A finished transaction is not created again: -31008.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "cancelled-frees",
        "protocol",
        Text(
            "Bekor qilingan urinish buyurtmani boʻshatadi: yangi tranzaksiya yaratiladi.",
            "Отменённая попытка освобождает заказ: новая транзакция создаётся.",
            "A cancelled attempt frees the order: a new transaction is created.",
        ),
        "inferred",
        _SCHEME,
    ),
    Rule(
        "race-create",
        "money",
        Text(
            "Bir vaqtda kelgan ikki CreateTransaction dan faqat bittasi qabul qilinadi.",
            "Из двух одновременных CreateTransaction принимается только один.",
            "Of two simultaneous CreateTransactions exactly one is accepted.",
        ),
        "inferred",
        _SANDBOX,
    ),
    Rule(
        "race-repeat",
        "money",
        Text(
            "Bir vaqtda kelgan bir xil CreateTransaction bir xil javob oladi.",
            "Одинаковые одновременные CreateTransaction получают один ответ.",
            "The same CreateTransaction, twice at once, is answered identically.",
        ),
        "inferred",
        _SANDBOX,
    ),
    Rule(
        "race-perform",
        "money",
        Text(
            "Bir vaqtda kelgan bir xil PerformTransaction bir xil javob oladi.",
            "Одинаковые одновременные PerformTransaction получают один ответ.",
            "The same PerformTransaction, twice at once, is answered identically.",
        ),
        "inferred",
        _SANDBOX,
    ),
    Rule(
        "race-cancel",
        "money",
        Text(
            "Bir vaqtda kelgan PerformTransaction va CancelTransaction bir-biriga zid javob "
            "olmaydi.",
            "Одновременные PerformTransaction и CancelTransaction не противоречат друг другу.",
            "Simultaneous PerformTransaction and CancelTransaction do not contradict each other.",
        ),
        "inferred",
        _SCHEME,
    ),
    Rule(
        "expiry",
        "money",
        Text(
            "12 soatdan eski tranzaksiya (`time` boʻyicha) bajarilmaydi: -31008.",
            "Транзакция старше 12 часов (по `time`) не проводится: -31008.",
            "A transaction older than 12 hours, by `time`, is not performed: -31008.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "expiry-state",
        "protocol",
        Text(
            "Muddati oʻtgan tranzaksiya -1 holatga 4-sabab bilan oʻtadi.",
            "Просроченная транзакция переходит в -1 с причиной 4.",
            "An expired transaction moves to -1 with reason 4.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "expiry-frees",
        "protocol",
        Text(
            "Muddati oʻtgan tranzaksiya buyurtmani boʻshatadi.",
            "Просроченная транзакция освобождает заказ.",
            "An expired transaction frees the order.",
        ),
        "inferred",
        _SCHEME,
    ),
    Rule(
        "expiry-early",
        "money",
        Text(
            "11 soatlik tranzaksiya hali bajariladi.",
            "Транзакция возрастом 11 часов ещё проводится.",
            "A transaction that is 11 hours old is still performed.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "perform",
        "money",
        Text(
            "PerformTransaction tranzaksiyani 2-holatga oʻtkazadi.",
            "PerformTransaction переводит транзакцию в состояние 2.",
            "PerformTransaction moves the transaction to state 2.",
        ),
        "confirmed",
        _PERFORM,
    ),
    Rule(
        "perform-time",
        "protocol",
        Text(
            "`perform_time` — bajarilgan vaqt, 13 xonali ms.",
            "`perform_time` — время проведения, 13 цифр мс.",
            "`perform_time` is when it was performed, 13 digits of ms.",
        ),
        "confirmed",
        _PERFORM,
    ),
    Rule(
        "repeat-perform",
        "money",
        Text(
            "Takroriy PerformTransaction aynan oʻsha javobni qaytaradi.",
            "Повторный PerformTransaction отвечает точно так же.",
            "A repeated PerformTransaction answers identically.",
        ),
        "confirmed",
        _SANDBOX,
    ),
    Rule(
        "paid-check",
        "money",
        Text(
            "CheckPerformTransaction toʻlangan buyurtmani rad etadi.",
            "CheckPerformTransaction отказывает, если заказ оплачен.",
            "CheckPerformTransaction refuses a paid order.",
        ),
        "observed",
        _CHECK_PERFORM,
    ),
    Rule(
        "paid-order",
        "money",
        Text(
            "Toʻlangan buyurtmaga yangi tranzaksiya yaratilmaydi.",
            "Для оплаченного заказа новая транзакция не создаётся.",
            "No new transaction is created for a paid order.",
        ),
        "confirmed",
        _CREATE,
    ),
    Rule(
        "refund",
        "money",
        Text(
            "CancelTransaction bajarilgan tranzaksiyani -2 holatga oʻtkazadi yoki -31007 bilan "
            "rad etib, 2-holatda qoldiradi.",
            "CancelTransaction переводит проведённую транзакцию в -2 или отказывает с -31007 и "
            "оставляет её в 2.",
            "CancelTransaction moves a performed transaction to -2, or refuses with -31007 and "
            "leaves it in 2.",
        ),
        "confirmed",
        _CANCEL,
    ),
    Rule(
        "perform-refunded",
        "money",
        Text(
            "Puli qaytarilgan tranzaksiya qayta bajarilmaydi: -31008.",
            "Возвращённая транзакция не проводится снова: -31008.",
            "A refunded transaction is not performed again: -31008.",
        ),
        "confirmed",
        _PERFORM,
    ),
    Rule(
        "unknown-transaction",
        "protocol",
        Text(
            "Nomaʼlum tranzaksiya -31003 qaytaradi.",
            "Неизвестная транзакция даёт -31003.",
            "An unknown transaction gives -31003.",
        ),
        "confirmed",
        _PERFORM,
    ),
    Rule(
        "statement",
        "protocol",
        Text(
            "GetStatement davrdagi yaratilgan barcha tranzaksiyalarni har qanday holatda `time` "
            "boʻyicha beradi, rad etilganlarini bermaydi.",
            "GetStatement отдаёт все созданные транзакции периода по `time`, в любом состоянии, и "
            "ни одной отклонённой.",
            "GetStatement lists every created transaction of the period by `time`, in any state, "
            "and no refused one.",
        ),
        "confirmed",
        _STATEMENT,
    ),
    Rule(
        "statement-bounds",
        "protocol",
        Text(
            "Davrning ikkala chegarasi ham davrga kiradi, undan tashqaridagisi kirmaydi.",
            "Обе границы входят в период, что вне его — нет.",
            "Both ends belong to the period, and what is outside does not.",
        ),
        "confirmed",
        _STATEMENT,
    ),
    Rule(
        "statement-empty",
        "protocol",
        Text(
            "Tranzaksiyasiz davrga boʻsh roʻyxat qaytariladi.",
            "На период без транзакций отвечают пустым списком.",
            "A period without transactions is answered with an empty list.",
        ),
        "confirmed",
        _STATEMENT,
    ),
    Rule(
        "statement-order",
        "protocol",
        Text(
            "Roʻyxat yaratilish vaqti boʻyicha oʻsib boradi.",
            "Список отсортирован по возрастанию времени создания.",
            "The list ascends by the time of creation.",
        ),
        "confirmed",
        _STATEMENT,
    ),
    Rule(
        "statement-row",
        "protocol",
        Text(
            "Roʻyxat qatorida Payme bergan `id`, `time`, `amount`, `account` va CheckTransaction "
            "javobidagi qiymatlar bor.",
            "В строке списка — `id`, `time`, `amount`, `account` от Payme и то же, что отвечает "
            "CheckTransaction.",
            "A row has Payme's `id`, `time`, `amount`, `account`, and what CheckTransaction "
            "answers.",
        ),
        "confirmed",
        _STATEMENT,
    ),
    Rule(
        "bad-json",
        "protocol",
        Text(
            "JSON boʻlmagan soʻrov HTTP 200 va -32700 (yoki -32600) oladi.",
            "Запрос, который не JSON, получает HTTP 200 и -32700 (или -32600).",
            "A request that is not JSON gets HTTP 200 and -32700 (or -32600).",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "bad-request",
        "protocol",
        Text(
            "Maydonlari yetishmagan yoki turi notoʻgʻri soʻrov HTTP 200 va xato kodini oladi.",
            "Запрос без нужных полей или с неверными типами получает HTTP 200 и код ошибки.",
            "A request that lacks fields or has wrong types gets HTTP 200 and an error code.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "unknown-method",
        "protocol",
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
        "style",
        Text(
            "POST boʻlmagan soʻrov -32300 oladi.",
            "Запрос не методом POST получает -32300.",
            "A non-POST request gets -32300.",
        ),
        "confirmed",
        _ERRORS,
    ),
    Rule(
        "text-json",
        "style",
        Text(
            "`Content-Type: text/json` bilan kelgan soʻrov ham bajariladi.",
            "Запрос с `Content-Type: text/json` тоже выполняется.",
            "A request with `Content-Type: text/json` is served, too.",
        ),
        "confirmed",
        _REQUEST,
    ),
    Rule(
        "no-jsonrpc",
        "protocol",
        Text(
            "`jsonrpc` maydoni yoʻq soʻrov ham bajariladi.",
            "Запрос без поля `jsonrpc` тоже выполняется.",
            "A request without the member `jsonrpc` is served, too.",
        ),
        "confirmed",
        _REQUEST,
    ),
)

BY_ID: Final = {rule.id: rule for rule in RULES}
