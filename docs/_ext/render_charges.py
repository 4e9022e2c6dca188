"""Writes what the documentation takes from the states of a charge."""

from html import escape
from typing import Final

from render import COLOURS, HEIGHT, WIDTH, Box, edge, marker, table

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


_CAPTION: Final[dict[Language, str]] = {
    "en": "States of a charge; dashed is what a merchant may ask for",
    "uz": "Charge holatlari; uzuq chiziq — sotuvchi buyurishi mumkin boʻlgan qadam",
    "ru": "Состояния списания; пунктир — то, что может приказать продавец",
}
# Laid out by hand, so that no arrow runs behind a box; a state without a place fails the tests.
_PLACES: Final[dict[ChargeState, Box]] = {
    S.NEW: Box(75, 100),
    S.OPEN: Box(265, 100),
    S.PAYING: Box(480, 185),
    S.HELD: Box(645, 40),
    S.CONFIRMING: Box(870, 40),
    S.REFUSED: Box(480, 330),
    S.CANCELLING: Box(265, 235),
    S.PAID: Box(870, 210),
    S.FAILED: Box(75, 420),
    S.REFUNDING: Box(870, 315),
    S.REFUNDED: Box(870, 420),
}


def drawing(language: Language) -> str:
    """Draw the states of a charge.

    Args:
        language: Language of the caption.

    Returns:
        An SVG whose arrows are the tables of facts and of commands.
    """
    title = escape(_CAPTION[language])
    facts = steps()
    asked = {(before, after) for (_, before), after in COMMANDS.items()} - facts
    drawn = [(step, "way") for step in sorted(facts)] + [(step, "stop") for step in sorted(asked)]
    return "\n".join(
        [
            f'<svg class="payme-states" viewBox="0 0 950 450" role="img" aria-label="{title}"',
            ' xmlns="http://www.w3.org/2000/svg" font-family="inherit" font-size="13">',
            f"<title>{title}</title>",
            *(marker(look, colour) for look, colour in COLOURS.items()),
            *(_arrow(*step, look, facts | asked) for step, look in drawn if step[0] is not step[1]),
            *(_box(state) for state in _PLACES),
            "</svg>",
        ]
    )


def steps() -> set[tuple[ChargeState, ChargeState]]:
    """Return which state a charge may come to from which, without being asked."""
    # That a payment begins is the one step that no answer of Payme's leads to.
    return {(S.OPEN, S.PAYING)} | {(before, after) for (before, _), after in NEXT.items()}


def _arrow(
    before: ChargeState,
    after: ChargeState,
    look: str,
    every: set[tuple[ChargeState, ChargeState]],
) -> str:
    start, end = _PLACES[before], _PLACES[after]
    dx, dy = end.x - start.x, end.y - start.y
    length = (dx * dx + dy * dy) ** 0.5
    # An arrow and its opposite would lie on one another.
    aside = 8 if (after, before) in every else 0
    shift = (-dy / length * aside, dx / length * aside)
    (x1, y1), (x2, y2) = edge(start, dx, dy, shift), edge(end, -dx, -dy, shift)
    dash = ' stroke-dasharray="4 3"' if look == "stop" else ""
    return (
        f'<path data-from="{before}" data-to="{after}" data-look="{look}" '
        f'd="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" fill="none" stroke="{COLOURS[look]}" '
        f'stroke-width="1.6"{dash} marker-end="url(#payme-{look})"/>'
    )


def _box(state: ChargeState) -> str:
    x, y = _PLACES[state]
    return (
        f'<g><rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" '
        f'height="{HEIGHT}" rx="6" fill="var(--color-background-secondary, #f6f6f6)" '
        f'stroke="currentColor" stroke-width="{2.4 if state in RESTS else 1}"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" fill="currentColor">{state}</text></g>'
    )


def _row(state: ChargeState, language: Language) -> tuple[str, ...]:
    follow = {after for before, after in steps() if before is state} - {state}
    words = [word for word, before in COMMANDS if before is state]
    to_do = _TO_DO[language][state] if state in RESTS else _UNDER_WAY[language]
    return (
        f"`{state.value}`",
        _MEANS[language][state],
        ", ".join(f"`{after}`" for after in ABOUT if after in follow) or _NOTHING,
        ", ".join(f"`{word}`" for word in words) or _NOTHING,
        to_do,
    )
