"""Writes what the documentation takes from the states of a charge."""

from typing import Final

from render import table

from payme.charges.core import ABOUT, COMMANDS, NEXT, RESTS, ChargeState
from payme.errors.catalogue import Language

S = ChargeState

_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("state", "means", "then", "you may", "what to do"),
    "uz": ("holat", "maʼnosi", "keyin", "buyurish mumkin", "nima qilish kerak"),
    "ru": ("состояние", "значение", "дальше", "можно приказать", "что делать"),
}

_MEANS: Final[dict[Language, dict[ChargeState, str]]] = {
    "en": ABOUT,
    "uz": {
        S.NEW: "qabul qilindi; uning hech bir cheki pul yecha olmaydi",
        S.OPEN: "chek bor, javobsiz qolgan toʻlov yoʻq",
        S.PAYING: "toʻlov soʻrovi ketgan boʻlishi mumkin",
        S.HELD: "mablagʻ kartada ushlab turilibdi",
        S.REFUSED: "oxirgi toʻlov aniq rad etilgan",
        S.CONFIRMING: "ushlangan mablagʻni yechish soʻrovi ketgan boʻlishi mumkin",
        S.CANCELLING: "bekor qilish soʻrovi ketgan boʻlishi mumkin",
        S.REFUNDING: "pulni qaytarish soʻrovi ketgan boʻlishi mumkin",
        S.PAID: "pul yechildi",
        S.FAILED: "uning hech bir cheki endi pul yecha olmaydi",
        S.REFUNDED: "pul qaytdi",
    },
    "ru": {
        S.NEW: "принято; ни один его чек не может списать деньги",
        S.OPEN: "чек есть, оплат без ответа нет",
        S.PAYING: "оплата могла уйти",
        S.HELD: "деньги захолдированы на карте",
        S.REFUSED: "в последней оплате точно отказано",
        S.CONFIRMING: "подтверждение холда могло уйти",
        S.CANCELLING: "отмена могла уйти",
        S.REFUNDING: "возврат мог уйти",
        S.PAID: "деньги списаны",
        S.FAILED: "ни один его чек уже не может списать деньги",
        S.REFUNDED: "деньги вернулись",
    },
}

_UNDER_WAY: Final[dict[Language, str]] = {
    "en": "nothing: `run` goes on until it is proven",
    "uz": "hech narsa: `run` isbot topilguncha davom etadi",
    "ru": "ничего: `run` продолжит, пока не будет доказательства",
}
_TO_DO: Final[dict[Language, dict[ChargeState, str]]] = {
    "en": {
        S.HELD: "`confirm` when you deliver, `cancel` when you do not",
        S.REFUSED: "ask for another card (`pay_with`), `retry` later, or `cancel`",
        S.PAID: "deliver",
        S.FAILED: "do not deliver; `retry` or `pay_with` begins again",
        S.REFUNDED: "nothing",
    },
    "uz": {
        S.HELD: "tovar berilsa, `confirm`; berilmasa, `cancel`",
        S.REFUSED: "boshqa karta soʻrang (`pay_with`), keyinroq `retry` qiling yoki `cancel`",
        S.PAID: "tovarni bering",
        S.FAILED: "tovarni bermang; `retry` yoki `pay_with` qaytadan boshlaydi",
        S.REFUNDED: "hech narsa",
    },
    "ru": {
        S.HELD: "`confirm`, когда отдаёте товар; `cancel`, если не отдадите",
        S.REFUSED: "попросите другую карту (`pay_with`), позже `retry` или `cancel`",
        S.PAID: "отдайте товар",
        S.FAILED: "товар не отдавать; `retry` или `pay_with` начнёт заново",
        S.REFUNDED: "ничего",
    },
}
_NOTHING: Final = "—"


def charges(language: Language) -> str:
    """Write the table of a charge's states.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each state.
    """
    return table(_HEAD[language], (_row(state, language) for state in ABOUT))


def _row(state: ChargeState, language: Language) -> tuple[str, ...]:
    follow = {after for (before, _), after in NEXT.items() if before is state} - {state}
    if state is S.OPEN:
        follow.add(S.PAYING)  # the one step that no answer of Payme's leads to
    words = [word for word, before in COMMANDS if before is state]
    to_do = _TO_DO[language][state] if state in RESTS else _UNDER_WAY[language]
    return (
        f"`{state.value}`",
        _MEANS[language][state],
        ", ".join(f"`{after}`" for after in ABOUT if after in follow) or _NOTHING,
        ", ".join(f"`{word}`" for word in words) or _NOTHING,
        to_do,
    )
