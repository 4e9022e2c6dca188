"""What the journeys say, in three languages; names of methods and states are the same in each."""

from typing import Any, Final

from payme.cli.words import tell
from payme.errors import catalogue


class Text(catalogue.Text):
    """A text; called, it is said in the language of this process."""

    def __call__(self, **values: Any) -> str:
        """Write it with its values."""
        return tell(*self).format(**values)


BEGIN: Final = Text(
    "Payme shu kompyuterda: {url}, kassa {merchant_id}",
    "Payme на этом компьютере: {url}, касса {merchant_id}",
    "Payme on this machine: {url}, cash-box {merchant_id}",
)
END: Final = Text(
    "Hammasi oxirigacha bordi.",
    "Всё пройдено до конца.",
    "All journeys went through.",
)

SPECIFICATION: Final = Text(
    "1. PaymeSubscribeCards va PaymeSubscribeReceipts: server bergan JSON, dict koʻrinishida",
    "1. PaymeSubscribeCards и PaymeSubscribeReceipts: JSON сервера как dict",
    "1. PaymeSubscribeCards and PaymeSubscribeReceipts: the server's JSON as a dict",
)
RECEIPT: Final = Text(
    "{id}, holati {state}, {money} soʻm",
    "{id}, состояние {state}, {money} сум",
    "{id}, state {state}, {money} soʻm",
)
RECEIPTS: Final = Text("{count} ta chek", "чеков: {count}", "{count} receipt(s)")

BLOCKING: Final = Text(
    "2. Payme: tipli qiymatlar va nima maʼlum ekanini aytadigan xatolar",
    "2. Payme: типизированные значения и ошибки, которые говорят, что известно",
    "2. Payme: typed values, errors that say what is known",
)
SMS: Final = Text(
    "{phone} raqamiga SMS, {seconds} soniya amal qiladi",
    "SMS на {phone}, действует {seconds} с",
    "SMS to {phone}, valid for {seconds} s",
)
MONEY: Final = Text(
    "{id}, {state}, {money} soʻm", "{id}, {state}, {money} сум", "{id}, {state}, {money} soʻm"
)
AGAIN: Final = Text("receipts.pay yana", "receipts.pay ещё раз", "receipts.pay again")
SAME: Final = Text(
    "{receipt}: oʻsha chek, {debits} marta yechilgan",
    "{receipt}: тот же чек, списаний: {debits}",
    "{receipt}: the same receipt, {debits} debit",
)

ASYNCIO: Final = Text(
    "3. AsyncPayme: xuddi shu, asyncio bilan",
    "3. AsyncPayme: то же под asyncio",
    "3. AsyncPayme: the same under asyncio",
)
PAID: Final = Text(
    "{count} tadan {paid} tasi bir vaqtda toʻlandi",
    "оплачено одновременно {paid} из {count}",
    "{paid} of {count} paid at once",
)
LISTED: Final = Text(
    "oxirgi soatda {count} ta chek",
    "чеков за последний час: {count}",
    "{count} receipts of the last hour",
)

CRASH: Final = Text(
    "4. Charges: receipts.pay baytlari ketgach kill -9",
    "4. Charges: kill -9 после того, как байты receipts.pay ушли",
    "4. Charges: kill -9 after the bytes of receipts.pay have left",
)
LEFT_OUT: Final = Text("oʻtkazildi", "пропущено", "left out")
NEEDS: Final = Text(
    "daftar kerak: {install}",
    "нужен журнал: {install}",
    "it needs a ledger: {install}",
)
UNHEARD: Final = Text(
    "kartadan pul yechildi, javobni hech kim eshitmadi",
    "с карты списано, и никто не услышал ответа",
    "the card was debited, and nobody heard it",
)
LEDGER: Final = Text("shundan keyin daftarda", "журнал после этого", "the ledger after it")
CHARGE: Final = Text("{id} holati: {state}", "{id} в состоянии {state}", "{id} is {state}")
ANOTHER: Final = Text("boshqa jarayon", "другой процесс", "another process")
SANDBOX: Final = Text("sandbox daftari", "журнал песочницы", "the sandbox's ledger")
DEBITS: Final = Text("{debits} marta yechilgan", "списаний: {debits}", "{debits} debit")

ENDED: Final = Text(
    "doʻkon toʻlovdan oldin tugadi",
    "магазин завершился раньше оплаты",
    "the shop ended before it paid",
)
NOT_ONCE: Final = Text(
    "{charge}: {debits} marta yechilgan",
    "{charge}: списаний {debits}",
    "{charge} has {debits} debits",
)
