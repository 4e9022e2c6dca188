"""Writes what the documentation takes from the code: codes, states of a receipt, scenarios.

Nothing here needs the documentation's tools, so the tests call it directly.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final, Literal, NamedTuple

from render_causes import cause

from payme.errors import Rejected
from payme.errors.catalogue import (
    ENTRIES,
    RECEIPT_CANCELLED,
    RECEIPT_NOT_FOUND,
    Entry,
    Language,
    Standing,
    lookup,
)
from payme.protocol.calls import METHODS, Effect
from payme.protocol.outcome import is_final
from payme.protocol.states import (
    PROVES_CANCEL,
    PROVES_CONFIRM,
    PROVES_PAY,
    TRANSITIONS,
    ReceiptState,
)
from payme.sandbox.scenarios import SCENARIOS

S = ReceiptState

LANGUAGES: Final[tuple[Language, ...]] = ("uz", "ru", "en")

STANDINGS: Final[dict[Language, dict[Standing, str]]] = {
    "en": {
        "confirmed": "confirmed",
        "observed": "observed",
        "inferred": "inferred",
        "our choice": "our choice",
    },
    "uz": {
        "confirmed": "tasdiqlangan",
        "observed": "kuzatilgan",
        "inferred": "xulosa",
        "our choice": "bizning tanlov",
    },
    "ru": {
        "confirmed": "подтверждено",
        "observed": "наблюдалось",
        "inferred": "вывод",
        "our choice": "наш выбор",
    },
}

_ERROR_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("code and class", "cause", "what a payer may be told", "what you should do", "standing"),
    "uz": (
        "kod va klass",
        "sababi",
        "toʻlovchiga aytiladigan matn",
        "siz nima qilasiz",
        "ishonch darajasi",
    ),
    "ru": ("код и класс", "причина", "что сказать плательщику", "что делать вам", "достоверность"),
}

_IF_METHOD: Final[dict[Language, str]] = {
    "en": "from {}",
    "uz": "{} javobida",
    "ru": "в ответе {}",
}
_IF_MESSAGE: Final[dict[Language, str]] = {
    "en": "message says {}",
    "uz": "xabarda {} boʻlsa",
    "ru": "если в сообщении {}",
}
_OR: Final[dict[Language, str]] = {"en": " or ", "uz": " yoki ", "ru": " или "}
_OTHERWISE: Final[dict[Language, str]] = {"en": "otherwise", "uz": "aks holda", "ru": "иначе"}

# Some entries are not what reaches a caller: `receipts.pay` reads the receipt first, and what moves
# money takes no refusal for final that may come from half way through.
_CALL_ONLY: Final[dict[Language, str]] = {
    "en": "only through {}",
    "uz": "faqat {} orqali",
    "ru": "только через {}",
}
_READ_FIRST: Final[dict[Language, dict[Entry, str]]] = {
    "en": {
        RECEIPT_CANCELLED: "from {}, and the receipt turns out to be cancelled",
        RECEIPT_NOT_FOUND: "from {}, and there turns out to be no such receipt",
    },
    "uz": {
        RECEIPT_CANCELLED: "{} javobida, chek esa bekor qilingan boʻlib chiqsa",
        RECEIPT_NOT_FOUND: "{} javobida, bunday chek esa yoʻq boʻlib chiqsa",
    },
    "ru": {
        RECEIPT_CANCELLED: "в ответе {}, а чек, как оказалось, отменён",
        RECEIPT_NOT_FOUND: "в ответе {}, а такого чека, как оказалось, нет",
    },
}
_UNKNOWN: Final[dict[Language, dict[Effect, str]]] = {
    "en": {
        Effect.MOVES_MONEY: "where money moves: {}",
        Effect.CREATES: "where something changes: {}",
    },
    "uz": {
        Effect.MOVES_MONEY: "pulga taʼsir qiladigan metodda: {}",
        Effect.CREATES: "nimanidir oʻzgartiradigan metodda: {}",
    },
    "ru": {
        Effect.MOVES_MONEY: "у метода, который списывает или возвращает деньги: {}",
        Effect.CREATES: "у метода, который что-то меняет: {}",
    },
}

# The merchant's own endpoint chooses among these; the catalogue keeps them as one meaning.
_RANGE: Final = (-31050, -31099)


def errors(language: Language) -> str:
    """Write the table of error codes.

    Args:
        language: Language of the words around the payer's texts, which are there in all three.

    Returns:
        A table in Markdown, a row for each meaning of each code.
    """
    return table(_ERROR_HEAD[language], _error_rows(language))


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Write a table in Markdown.

    Args:
        head: Its head.
        rows: Its rows.

    Returns:
        Markdown.
    """
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _error_rows(language: Language) -> Iterator[tuple[str, ...]]:
    account = lookup(_RANGE[0])
    assert account is not None  # noqa: S101 - the catalogue has the range
    read_first = _READ_FIRST[language]
    by_code = sorted([*ENTRIES, *read_first, account], key=lambda entry: -entry.code)
    for entry in by_code:
        yield (
            f"{_code(entry, language)}<br>{_class(entry, language)}",
            cause(entry, language),
            "<br>".join(getattr(entry.text, name) for name in _first(language)),
            getattr(entry.remedy, language),
            STANDINGS[language][entry.standing],
        )


def _class(entry: Entry, language: Language) -> str:
    """Write the class, and where another one is raised."""
    lines = [_reference(entry.kind)]
    if entry.kind == "AlreadyPaid":
        lines.append(_CALL_ONLY[language].format("`Payme.call`"))
    else:
        changed = _first_doubtful(entry)
        if changed is not None:
            lines.append(_UNKNOWN[language][changed].format(_reference("OutcomeUnknown")))
    return "<br>".join(lines)


def _reference(kind: str) -> str:
    return f"{{py:exc}}`~payme.errors.{kind}`"


def _first_doubtful(entry: Entry) -> Effect | None:
    """Find the mildest effect for which the code proves nothing, if any."""
    if entry.message or entry.methods:
        return None
    refusal = Rejected.of(entry.code, "")
    doubtful = (one for one in (Effect.CREATES, Effect.MOVES_MONEY) if not is_final(refusal, one))
    return next(doubtful, None)


def _first(language: Language) -> list[Language]:
    return sorted(LANGUAGES, key=lambda other: other != language)


def _code(entry: Entry, language: Language) -> str:
    """Write the code, and when it means this."""
    if entry.code == _RANGE[0]:
        return f"`{_RANGE[0]}` … `{_RANGE[1]}`"
    if entry in _READ_FIRST[language]:
        named = _OR[language].join(f"`{method}`" for method in _PROOFS)
        return f"`{entry.code}`<br>{_READ_FIRST[language][entry].format(named)}"
    parts = [f"`{entry.code}`"]
    if entry.methods:
        named = _OR[language].join(f"`{method}`" for method in entry.methods)
        parts.append(_IF_METHOD[language].format(named))
    if entry.message:
        words = entry.message.removeprefix("(?i)").split("|")
        said = _OR[language].join(f"«{word}»" for word in words)
        parts.append(_IF_MESSAGE[language].format(said))
    if len(parts) == 1 and sum(other.code == entry.code for other in ENTRIES) > 1:
        parts.append(_OTHERWISE[language])
    return "<br>".join(parts)


_STATE_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("state", "`ReceiptState`", "meaning", "may become"),
    "uz": ("holat", "`ReceiptState`", "maʼnosi", "keyin nima boʻlishi mumkin"),
    "ru": ("состояние", "`ReceiptState`", "значение", "во что переходит"),
}

# Own words for Payme's page; the transitions beside them come from the table in the code.
_MEANINGS: Final[dict[Language, dict[ReceiptState, str]]] = {
    "en": {
        S.CREATED: "created, nobody has paid",
        S.BILLING_CREATE: "first checks; a transaction is being created in the merchant's billing",
        S.DEBITING: "the card is being debited",
        S.BILLING_PERFORM: "that transaction is being closed in the merchant's billing",
        S.PAID: "**paid**",
        S.HELD: "**the money is held** on the card",
        S.HOLDING: "the hold is being placed; write to Payme if it stays so",
        S.SUSPENDED: "paused for Payme's staff",
        S.CANCEL_QUEUED: "queued for cancellation, which the billing may still refuse",
        S.PERFORM_QUEUED: "queued for closing in the merchant's billing",
        S.CANCELLED: "**cancelled**",
    },
    "uz": {
        S.CREATED: "yaratilgan, hali hech kim toʻlamagan",
        S.BILLING_CREATE: "dastlabki tekshiruv; sotuvchi billingida tranzaksiya yaratilmoqda",
        S.DEBITING: "kartadan pul yechilmoqda",
        S.BILLING_PERFORM: "sotuvchi billingida tranzaksiya yopilmoqda",
        S.PAID: "**toʻlangan**",
        S.HELD: "**mablagʻ kartada ushlab turilibdi** (hold)",
        S.HOLDING: "hold buyrugʻi bajarilmoqda; uzoq turib qolsa, Payme texnik yordamiga yozing",
        S.SUSPENDED: "toʻxtatilgan, Payme xodimlari hal qiladi",
        S.CANCEL_QUEUED: "bekor qilish navbatida: billing uni hali rad etishi mumkin",
        S.PERFORM_QUEUED: "sotuvchi billingida yopish navbatida",
        S.CANCELLED: "**bekor qilingan**",
    },
    "ru": {
        S.CREATED: "создан, ещё не оплачен",
        S.BILLING_CREATE: "первые проверки; в биллинге продавца создаётся транзакция",
        S.DEBITING: "деньги списываются с карты",
        S.BILLING_PERFORM: "в биллинге продавца закрывается транзакция",
        S.PAID: "**оплачен**",
        S.HELD: "**деньги захолдированы** на карте",
        S.HOLDING: "команда на холд выполняется; если надолго, напишите в Payme",
        S.SUSPENDED: "приостановлен, решают сотрудники Payme",
        S.CANCEL_QUEUED: "в очереди на отмену, в которой биллинг ещё может отказать",
        S.PERFORM_QUEUED: "в очереди на закрытие в биллинге продавца",
        S.CANCELLED: "**отменён**",
    },
}

_LAST: Final[dict[Language, str]] = {"en": "nothing", "uz": "oʻzgarmaydi", "ru": "не меняется"}

_CAPTION: Final[dict[Language, str]] = {
    "en": "States of a receipt and how they follow one another",
    "uz": "Chek holatlari va ularning almashinishi",
    "ru": "Состояния чека и переходы между ними",
}


def states(language: Language) -> str:
    """Write the table of a receipt's states.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each state.
    """
    return table(
        _STATE_HEAD[language], (_state_row(state, language) for state in sorted(TRANSITIONS))
    )


def _state_row(state: ReceiptState, language: Language) -> tuple[str, ...]:
    follow = ", ".join(str(int(after)) for after in sorted(TRANSITIONS[state]))
    return (
        str(int(state)),
        f"`{state.name}`",
        _MEANINGS[language][state],
        follow or _LAST[language],
    )


_METHOD_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("method", "`X-Auth`", "effect"),
    "uz": ("metod", "`X-Auth`", "taʼsiri"),
    "ru": ("метод", "`X-Auth`", "действие"),
}

_EFFECTS: Final[dict[Language, dict[Effect, str]]] = {
    "en": {
        Effect.READ: "reads",
        Effect.CREATES: "changes something, moves no money",
        Effect.MOVES_MONEY: "**moves money**",
    },
    "uz": {
        Effect.READ: "faqat oʻqiydi",
        Effect.CREATES: "nimanidir oʻzgartiradi, pulga taʼsir qilmaydi",
        Effect.MOVES_MONEY: "**pulga taʼsir qiladi**",
    },
    "ru": {
        Effect.READ: "только читает",
        Effect.CREATES: "что-то меняет, но не деньги",
        Effect.MOVES_MONEY: "**списывает или возвращает деньги**",
    },
}


def methods(language: Language) -> str:
    """Write the table of methods: what the header carries, what they do.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each method.
    """
    return table(
        _METHOD_HEAD[language],
        (
            (f"`{name}`", f"`{method.credential.value}`", _EFFECTS[language][method.effect])
            for name, method in METHODS.items()
        ),
    )


_PROOF_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("answer lost to", "states that prove something"),
    "uz": ("javobi yoʻqolgan metod", "nimanidir isbotlaydigan holatlar"),
    "ru": ("потерян ответ на", "состояния, которые что-то доказывают"),
}

_PROOFS: Final = {
    "receipts.pay": PROVES_PAY,
    "receipts.confirm_hold": PROVES_CONFIRM,
    "receipts.cancel": PROVES_CANCEL,
}
_AFTER_CANCELLATION: Final[dict[Language, str]] = {
    "en": "any of them, once a cancellation may have left",
    "uz": "istalgan biri, bekor qilish soʻrovi ketgan boʻlishi mumkin boʻlsa",
    "ru": "любой из них, если могла уйти отмена",
}


def proofs(language: Language) -> str:
    """Write the table of the states that `resolve()` waits for.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each method that moves money, and one for giving up.
    """
    rows = {f"`{name}`": states for name, states in _PROOFS.items()}
    rows[_AFTER_CANCELLATION[language]] = PROVES_CANCEL
    return table(_PROOF_HEAD[language], ((name, _named(proof)) for name, proof in rows.items()))


def _named(states: Iterable[ReceiptState]) -> str:
    return ", ".join(f"{int(state)} `{state.name}`" for state in sorted(states))


_SCENARIO_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("scenario", "what happens"),
    "uz": ("ssenariy", "nima boʻladi"),
    "ru": ("сценарий", "что происходит"),
}


def scenarios(language: Language) -> str:
    """Write the table of the sandbox's scenarios.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each scenario.
    """
    described = (scenario.describe() for scenario in SCENARIOS.values())
    return table(
        _SCENARIO_HEAD[language], ((f"`{one['name']}`", one[language]) for one in described)
    )


class Box(NamedTuple):
    """Where a state stands: its middle."""

    x: int
    y: int


Look = Literal["way", "stop", "back"]

WIDTH, HEIGHT = 132, 38

# Laid out by hand: the way to the money runs along the top, trouble in the middle, the way back at
# the bottom. A new state without a place makes the tests fail.
_PLACES: Final[dict[ReceiptState, Box]] = {
    S.CREATED: Box(80, 130),
    S.BILLING_CREATE: Box(270, 130),
    S.DEBITING: Box(500, 130),
    S.BILLING_PERFORM: Box(685, 130),
    S.PAID: Box(895, 130),
    S.HOLDING: Box(365, 40),
    S.HELD: Box(775, 40),
    S.SUSPENDED: Box(487, 260),
    S.PERFORM_QUEUED: Box(685, 260),
    S.CANCEL_QUEUED: Box(895, 390),
    S.CANCELLED: Box(285, 390),
}

COLOURS: Final[dict[Look, str]] = {
    "way": "var(--color-brand-primary, #00a0a8)",
    "stop": "var(--color-foreground-muted, #888)",
    "back": "#d05050",
}

_WAY: Final = (
    S.CREATED,
    S.BILLING_CREATE,
    S.HOLDING,
    S.HELD,
    S.DEBITING,
    S.BILLING_PERFORM,
    S.PAID,
)
_BACK: Final = (S.CANCEL_QUEUED, S.CANCELLED)


def diagram(language: Language) -> str:
    """Draw the states of a receipt.

    Args:
        language: Language of the caption.

    Returns:
        An SVG whose arrows are the table of transitions.
    """
    arrows = [
        _arrow(before, after) for before, follow in TRANSITIONS.items() for after in sorted(follow)
    ]
    boxes = [_box(state) for state in TRANSITIONS]
    title = escape(_CAPTION[language])
    return "\n".join(
        [
            f'<svg class="payme-states" viewBox="0 0 975 425" role="img" aria-label="{title}"',
            ' xmlns="http://www.w3.org/2000/svg" font-family="inherit" font-size="13">',
            f"<title>{title}</title>",
            *(marker(look, colour) for look, colour in COLOURS.items()),
            *arrows,
            *boxes,
            "</svg>",
        ]
    )


def marker(look: Look, colour: str) -> str:
    """Draw the head of an arrow."""
    return (
        f'<marker id="payme-{look}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
    )


def _look(before: ReceiptState, after: ReceiptState) -> Look:
    if after in _BACK:
        return "back"
    return "way" if before in _WAY and after in _WAY else "stop"


def _arrow(before: ReceiptState, after: ReceiptState) -> str:
    look = _look(before, after)
    start, end = _PLACES[before], _PLACES[after]
    # An arrow and its opposite would lie on one another.
    aside = 9 if before in TRANSITIONS[after] else 0
    dx, dy = end.x - start.x, end.y - start.y
    length = (dx * dx + dy * dy) ** 0.5
    shift = (-dy / length * aside, dx / length * aside)
    x1, y1 = edge(start, dx, dy, shift)
    x2, y2 = edge(end, -dx, -dy, shift)
    dash = ' stroke-dasharray="4 3"' if look == "stop" else ""
    return (
        f'<path data-from="{int(before)}" data-to="{int(after)}" '
        f'd="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" fill="none" stroke="{COLOURS[look]}" '
        f'stroke-width="1.6"{dash} marker-end="url(#payme-{look})"/>'
    )


def edge(
    around: Box, dx: float, dy: float, shift: tuple[float, float] = (0, 0)
) -> tuple[float, float]:
    """Find where a line from the middle of a box leaves it."""
    across = (WIDTH / 2 + 3) / abs(dx) if dx else 1e9
    along = (HEIGHT / 2 + 3) / abs(dy) if dy else 1e9
    part = min(across, along)
    return around.x + dx * part + shift[0], around.y + dy * part + shift[1]


def _box(state: ReceiptState) -> str:
    final = state in (S.PAID, S.HELD, S.CANCELLED)
    return box(_PLACES[state], int(state), state.name, final=final)


def box(place: Box, number: object, name: str, *, final: bool) -> str:
    """Draw a state.

    Args:
        place: Where it stands.
        number: Its number.
        name: Its name.
        final: Draw it bold.

    Returns:
        A group of an SVG.
    """
    x, y = place
    return (
        f'<g><rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" '
        f'height="{HEIGHT}" rx="6" fill="var(--color-background-secondary, #f6f6f6)" '
        f'stroke="currentColor" stroke-width="{2.4 if final else 1}"/>'
        f'<text x="{x}" y="{y - 3}" text-anchor="middle" fill="currentColor" '
        f'font-weight="bold">{number}</text>'
        f'<text x="{x}" y="{y + 12}" text-anchor="middle" fill="currentColor" '
        f'font-size="11">{escape(name)}</text></g>'
    )
