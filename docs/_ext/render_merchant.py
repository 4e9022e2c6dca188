"""Writes what the documentation of the Merchant API takes from the code.

Nothing is repeated here: the tables are what `payme.merchant.core.decide` answers when it is asked.
"""

from collections.abc import Iterator
from html import escape
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from render import COLOURS, STANDINGS, Box, Look, box, edge, marker, table

from payme.conformance.report import severity
from payme.conformance.rules import RULES
from payme.errors.catalogue import Language
from payme.merchant import core
from payme.merchant.core import Decision, Order, Refusal, Stage, Transaction, TransactionState

_NOW: Final = 1_700_000_000_000
_ACCOUNT: Final = {"order_id": "7"}
_WAITING: Final = Order(id="7", amount=50_000)
_CREATED: Final = Transaction(
    id="0" * 24, order_id="7", time=_NOW, amount=50_000, account=_ACCOUNT, create_time=_NOW
)

_STORED: Final[dict[Stage, Transaction | None]] = {
    "new": None,
    "created": _CREATED,
    "expired": replace(_CREATED, time=_NOW - core.EXPIRY_MS - 1),
    "performed": replace(_CREATED, state=TransactionState.PERFORMED),
    "cancelled": replace(_CREATED, state=TransactionState.CANCELLED),
    "refunded": replace(_CREATED, state=TransactionState.REFUNDED),
}

_METHODS: Final = {
    "CreateTransaction": core.Create,
    "PerformTransaction": core.Perform,
    "CancelTransaction": core.Cancel,
    "CheckTransaction": core.Check,
}


def _decide(method: str, stage: Stage, **order: Any) -> Decision:
    paid = "paid" if stage == "performed" else "waiting"
    members = {
        "id": _CREATED.id,
        "time": _NOW,
        "amount": _CREATED.amount,
        "account": _ACCOUNT,
        "reason": int(core.Reason.REFUND),
    }
    kind = _METHODS[method]
    request: Any = kind(**{name: members[name] for name in kind.__struct_fields__})
    return core.decide(request, replace(_WAITING, state=paid, **order), _STORED[stage], _NOW)


_HEAD: Final[dict[Language, str]] = {
    "en": "stored transaction",
    "uz": "saqlangan tranzaksiya",
    "ru": "сохранённая транзакция",
}
_STAGES: Final[dict[Language, dict[Stage, str]]] = {
    "en": {
        "new": "none",
        "created": "waits",
        "expired": "waits for more than 12 hours",
        "performed": "paid",
        "cancelled": "cancelled",
        "refunded": "refunded",
    },
    "uz": {
        "new": "yoʻq",
        "created": "toʻlov kutilmoqda",
        "expired": "toʻlov kutilmoqda, 12 soatdan oshdi",
        "performed": "toʻlangan",
        "cancelled": "bekor qilingan",
        "refunded": "pul qaytarilgan",
    },
    "ru": {
        "new": "нет",
        "created": "ждёт оплаты",
        "expired": "ждёт дольше 12 часов",
        "performed": "оплачена",
        "cancelled": "отменена",
        "refunded": "деньги возвращены",
    },
}
_SAME: Final[dict[Language, str]] = {
    "en": "the same answer",
    "uz": "oʻsha javobning oʻzi",
    "ru": "тот же ответ",
}
_STATE: Final[dict[Language, str]] = {
    "en": "state and times",
    "uz": "holati va vaqtlari",
    "ru": "состояние и времена",
}
_KEPT: Final[dict[Language, str]] = {
    "en": "`{}` unless `refundable`",
    "uz": "`refundable=False` boʻlsa, `{}`",
    "ru": "`{}`, если `refundable=False`",
}


def transactions(language: Language) -> str:
    """Write what each method does with a transaction, by how far that is.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each stage.
    """
    head = (_HEAD[language], *(_head(method) for method in _METHODS))
    return table(head, (_stage_row(stage, language) for stage in _STORED))


def _head(method: str) -> str:
    # In two lines: five columns are to fit on a page.
    return f"`{method.removesuffix('Transaction')}`<br>`Transaction`"


def _stage_row(stage: Stage, language: Language) -> tuple[str, ...]:
    stored = _STORED[stage]
    name = _STAGES[language][stage]
    return (
        f"`{int(stored.state)}` {name}" if stored else name,
        *(_cell(method, stage, language) for method in _METHODS),
    )


def _cell(method: str, stage: Stage, language: Language) -> str:
    decision = _decide(method, stage)
    kept = _decide(method, stage, refundable=False)
    parts = [_shown(method, decision, language)]
    if isinstance(kept.answer, Refusal) and kept != decision:
        parts.append(_KEPT[language].format(kept.answer.code))
    return "; ".join(parts)


def _shown(method: str, decision: Decision, language: Language) -> str:
    refused = [f"`{decision.answer.code}`"] if isinstance(decision.answer, Refusal) else []
    stored = [
        f"→ `{int(write.transaction.state)}`" + (f" `{write.event}`" if write.event else "")
        for write in decision.writes
    ]
    unchanged = _STATE if method == "CheckTransaction" else _SAME
    return ", ".join(refused + stored) or unchanged[language]


_SITUATION_HEAD: Final[dict[Language, tuple[str, str]]] = {
    "en": ("`find` gives", "the payer is told"),
    "uz": ("`find` qaytargani", "toʻlovchiga aytiladigan matn"),
    "ru": ("`find` вернул", "что скажут плательщику"),
}
_OTHER_AMOUNT: Final[dict[Language, str]] = {
    "en": "another amount",
    "uz": "boshqa summa",
    "ru": "другая сумма",
}
_HELD: Final[dict[Language, str]] = {
    "en": "an order that another transaction holds",
    "uz": "boshqa tranzaksiya band qilgan buyurtma",
    "ru": "заказ, занятый другой транзакцией",
}


def refusals(language: Language) -> str:
    """Write what is answered for an order that can't be paid.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each reason.
    """
    busy = replace(_CREATED, id="1" * 24)
    situations: dict[str, Order | None] = {
        "`None`": None,
        '`state="closed"`': replace(_WAITING, state="closed"),
        _OTHER_AMOUNT[language]: replace(_WAITING, amount=_CREATED.amount + 1),
        '`state="paid"`': replace(_WAITING, state="paid"),
        _HELD[language]: replace(_WAITING, active_transaction=busy),
    }
    rows = (_situation_row(told, order, language) for told, order in situations.items())
    before, after = _SITUATION_HEAD[language]
    heads = (_head("CheckPerformTransaction"), _head("CreateTransaction"))
    return table((before, *heads, after), rows)


def _situation_row(told: str, order: Order | None, language: Language) -> tuple[str, ...]:
    asked = core.CheckPerform(_CREATED.amount, _ACCOUNT)
    created = core.Create(_CREATED.id, _NOW, _CREATED.amount, _ACCOUNT)
    answers = [core.decide(one, order, None, _NOW).answer for one in (asked, created)]
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    text = getattr(refused[0].message, language)
    return (told, *(f"`{refusal.code}`" for refusal in refused), text)


_RULE_HEAD: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("rule", "what the endpoint must do", "standing", "costs"),
    "uz": ("qoida", "server nima qilishi kerak", "ishonch darajasi", "taʼsiri"),
    "ru": ("правило", "что должен делать сервер", "достоверность", "касается"),
}


def rules(language: Language) -> str:
    """Write the rules that an endpoint is graded by.

    Args:
        language: Language of the table.

    Returns:
        A table in Markdown, a row for each rule.
    """
    rows = (
        (
            f"`{rule.id}`",
            getattr(rule.text, language),
            STANDINGS[language][rule.standing],
            severity(rule, language),
        )
        for rule in RULES
    )
    return table(_RULE_HEAD[language], rows)


class Change(NamedTuple):
    """A transaction changes its state; 0 stands for one that is not there yet."""

    before: int
    after: int
    method: str
    event: str


def changes() -> Iterator[Change]:
    """Ask every method about every stage, and tell which states change."""
    for method in _METHODS:
        for stage, stored in _STORED.items():
            before = int(stored.state) if stored else 0
            for write in _decide(method, stage).writes:
                yield Change(before, int(write.transaction.state), method, write.event or "")


# Laid out by hand, as the states of a receipt are.
_PLACES: Final = {
    0: Box(70, 25),
    1: Box(70, 125),
    2: Box(345, 125),
    -1: Box(70, 240),
    -2: Box(345, 240),
}
_NAMES: Final = {int(state): state.name for state in TransactionState}
_NOTHING: Final = "—"
_LINE: Final = 17

_CAPTION: Final[dict[Language, str]] = {
    "en": "States of a transaction and what changes them",
    "uz": "Tranzaksiya holatlari va ularni nima oʻzgartirishi",
    "ru": "Состояния транзакции и что их меняет",
}
_TIMEOUT: Final[dict[Language, str]] = {"en": "12 hours", "uz": "12 soat", "ru": "12 часов"}


def lifecycle(language: Language) -> str:
    """Draw the states of a transaction.

    Args:
        language: Language of the words.

    Returns:
        An SVG whose arrows are what `decide` stores.
    """
    labels: dict[tuple[int, int], list[str]] = {}
    for change in changes():
        lines = labels.setdefault((change.before, change.after), [])
        # The other methods meet it only when the twelve hours are over.
        late = change.after == TransactionState.CANCELLED and change.method != "CancelTransaction"
        lines += [_TIMEOUT[language] if late else change.method]
    title = escape(_CAPTION[language])
    return "\n".join(
        [
            f'<svg class="payme-states" role="img" aria-label="{title}" viewBox="0 0 480 265"',
            ' width="480" xmlns="http://www.w3.org/2000/svg" font-family="inherit" font-size="13">',
            f"<title>{title}</title>",
            *(marker(look, colour) for look, colour in COLOURS.items()),
            *(_arrow(*states, sorted(set(told))) for states, told in labels.items()),
            *(_state(number, language) for number in _PLACES),
            "</svg>",
        ]
    )


def _state(number: int, language: Language) -> str:
    final = number not in (0, TransactionState.CREATED)
    name = _NAMES.get(number, _STAGES[language]["new"])
    return box(_PLACES[number], number or _NOTHING, name, final=final)


def _arrow(before: int, after: int, told: list[str]) -> str:
    look: Look = "back" if after < 0 else "way"
    start, end = _PLACES[before], _PLACES[after]
    dx, dy = end.x - start.x, end.y - start.y
    (x1, y1), (x2, y2) = edge(start, dx, dy), edge(end, -dx, -dy)
    middle = (x1 + x2) / 2 + (10 if dy else 0), (y1 + y2) / 2 - (8 if dx else 0)
    return (
        f'<path data-from="{before}" data-to="{after}" '
        f'd="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" fill="none" stroke="{COLOURS[look]}" '
        f'stroke-width="1.6" marker-end="url(#payme-{look})"/>'
        + "".join(
            _label(middle, number, line, upright=bool(dy)) for number, line in enumerate(told)
        )
    )


def _label(middle: tuple[float, float], number: int, text: str, *, upright: bool) -> str:
    x, y = middle
    anchor = "start" if upright else "middle"
    return (
        f'<text x="{x:.0f}" y="{y + number * _LINE:.0f}" text-anchor="{anchor}" '
        f'fill="currentColor">{escape(text)}</text>'
    )
