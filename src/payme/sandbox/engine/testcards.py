"""The cards that exist in the sandbox, as a table.

Seven are Payme's own (CONFIRMED: numbers, expiry and what they do; the codes and the step at which
they fail are INFERRED). The last two are ours, because Payme publishes neither a card without money
nor a Humo card.

Source: https://developer.help.paycom.uz/integratsiya-s-mobilnym-prilozheniem/testirovanie-v-pesochnitse
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from payme.sandbox.engine.model import mask_number
from payme.sandbox.engine.refusals import ANSWERS
from payme.sandbox.errors import InvalidSetting

Behaviour = Literal[
    "normal",
    "no_code",
    "no_sms",
    "expired",
    "blocked",
    "insufficient_funds",
    "system_error",
    "slow",
    "slow_pays",
    "answer_lost",
    "refused",
]

CODE: Final = "666666"
"""The SMS code of every test card."""

EXPIRE: Final = "0399"
"""MMYY of every test card."""


class KnownCard(NamedTuple):
    """One card, and what happens to those who use it."""

    number: str
    expire: str
    """MMYY; empty for a card that any expiry fits."""
    behaviour: Behaviour
    note: str
    ours: bool = False
    phone: str = "998901234566"
    code: int = 0
    """`error.code` of `refused`."""
    message: str = ""
    """`error.message` of `refused`."""

    def __repr__(self) -> str:
        return f"KnownCard({mask_number(self.number)!r}, {self.behaviour!r})"

    @property
    def outcome(self) -> str:
        """What `KnownCards.set` makes it from."""
        if self.behaviour == "refused":
            return f"{self.code} {self.message}"
        names = (name for name, (behaviour, _) in OUTCOMES.items() if behaviour == self.behaviour)
        return next(names)

    @property
    def is_set(self) -> bool:
        """Whether the tester said what it does."""
        return TEST_CARDS.get(self.number) != self


TEST_CARDS: Final = {
    card.number: card
    for card in (
        KnownCard("8600495473316478", "0399", "normal", "pays"),
        KnownCard("8600069195406311", "0399", "normal", "pays"),
        KnownCard("8600060921090842", "0399", "no_sms", "SMS informing is not connected"),
        KnownCard("3333336415804657", "0399", "expired", "card has expired"),
        KnownCard("4444445987459073", "0399", "blocked", "card is blocked"),
        KnownCard("8600143417770323", "0399", "system_error", "system error when paying"),
        KnownCard("8600134301849596", "0399", "slow", "thinks 10 seconds, then fails to pay"),
        KnownCard("8600318600000007", "0399", "insufficient_funds", "no money", ours=True),
        KnownCard("9860030100000006", "0399", "normal", "pays, a Humo card", ours=True),
    )
}


OUTCOMES: Final[dict[str, tuple[Behaviour, str]]] = {
    "pays": ("normal", "pays"),
    "no_code": ("no_code", "pays, and asks for no SMS code"),
    "no_sms": ("no_sms", "SMS informing is not connected"),
    "expired": ("expired", "card has expired"),
    "blocked": ("blocked", "card is blocked"),
    "insufficient_funds": ("insufficient_funds", "no money"),
    "system_error": ("system_error", "system error when paying"),
    "slow": ("slow", "thinks, then fails to pay"),
    "slow_pays": ("slow_pays", "thinks, then pays"),
    "answer_lost": ("answer_lost", "pays, and the answer is lost"),
}
"""What can be said of a card, besides the code of an error: its name, and what it means."""

REFUSED: Final = "receipts.pay is refused"

MAX_CARDS: Final = 1000
"""How many cards a sandbox knows."""

_NUMBER: Final = re.compile(r"[0-9]{13,18}")
_EXPIRE: Final = re.compile(r"(0[1-9]|1[0-2])[0-9]{2}")
_CODE: Final = re.compile(r"(-[0-9]{4,6})(?: +(\S.{0,199}))?")
_ANY_TEXT: Final = "Ошибка при списании средств с карты."
_LINE: Final = "NUMBER=OUTCOME or NUMBER/MMYY=OUTCOME, such as 8600069195406311=slow"


class KnownCards:
    """The cards that one sandbox knows, and what each does. It lives in memory.

    Args:
        own: Outcomes by card number, beside those of `TEST_CARDS` or in place of them; see `set`.
            A number may have the expiry behind it: `8600111122223333/0328`.

    Raises:
        InvalidSetting: If a number or an outcome is not as it must be.
    """

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self._cards = dict(TEST_CARDS)
        for number, outcome in (own or {}).items():
            self.set_text(f"{number}={outcome}")
        self._first = dict(self._cards)

    def __repr__(self) -> str:
        return f"KnownCards({len(self._cards)})"

    def set(self, number: str, outcome: str, expire: str | None = None) -> KnownCard:
        """Say what a card does from now on, bound or not.

        Args:
            number: Number of the card, 13 to 18 digits: a test card's, or one of your own.
            outcome: A name from `OUTCOMES`; or the code of an error that `receipts.pay` is refused
                with, such as `-31630`, and after a space its text.
            expire: MMYY that must go with the number; by default a test card's own, and any for
                another number.

        Returns:
            The card.

        Raises:
            InvalidSetting: If one of them is not as it must be, or there are too many cards.
        """
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise InvalidSetting("card", number, "a card number of 13 to 18 digits, without spaces")
        if expire is not None and not (isinstance(expire, str) and _EXPIRE.fullmatch(expire)):
            raise InvalidSetting("expire", expire, "MMYY, such as 0399")
        known = self._cards.get(number)
        if known is None and len(self._cards) >= MAX_CARDS:
            raise InvalidSetting("cards", len(self._cards), f"at most {MAX_CARDS}")
        usual = known.expire if known else ""
        card = _made(number, usual if expire is None else expire, outcome)
        # Another dict, so that whoever lists the cards meanwhile is not disturbed.
        self._cards = {**self._cards, number: card}
        return card

    def set_text(self, line: str) -> KnownCard:
        """Say what a card does, as a line: `NUMBER=OUTCOME` or `NUMBER/MMYY=OUTCOME`.

        Raises:
            InvalidSetting: If it can't be read.
        """
        card, equals, outcome = line.partition("=")
        number, slash, expire = card.strip().partition("/")
        if not equals:
            raise InvalidSetting("card", line, _LINE)
        return self.set(number, outcome.strip(), expire if slash else None)

    def find(self, number: str) -> KnownCard | None:
        """Find a card by its number; None if there is none."""
        return self._cards.get(number)

    def all(self) -> list[KnownCard]:
        """List the cards: Payme's and ours first, then those that were added."""
        return [*self._cards.values()]

    def reset(self) -> None:
        """Have the cards as they were at first."""
        self._cards = dict(self._first)


def _made(number: str, expire: str, outcome: Any) -> KnownCard:
    if not isinstance(outcome, str):
        outcome = ""
    if outcome in OUTCOMES:
        behaviour, note = OUTCOMES[outcome]
        return KnownCard(number, expire, behaviour, note, ours=True)
    found = _CODE.fullmatch(outcome)
    if found is None:
        raise InvalidSetting(
            "outcome",
            outcome,
            f"one of {', '.join(OUTCOMES)}; or a code and perhaps its text, such as -31630",
        )
    code = int(found[1])
    usual = next((text for known, text in ANSWERS.values() if known == code), _ANY_TEXT)
    message = found[2] or usual
    return KnownCard(number, expire, "refused", REFUSED, ours=True, code=code, message=message)


def luhn(number: str) -> bool:
    """Return whether the last digit of a card number is the right check digit."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[0::2]) + doubled) % 10 == 0
