"""The cards that exist in the sandbox, as a table.

Seven are Payme's own (CONFIRMED: numbers, expiry and what they do; the codes and the step at which
they fail are INFERRED). The last two are ours, because Payme publishes neither a card without money
nor a Humo card.

Source: https://developer.help.paycom.uz/integratsiya-s-mobilnym-prilozheniem/testirovanie-v-pesochnitse
"""

from typing import Final, Literal, NamedTuple

Behaviour = Literal[
    "normal", "no_sms", "expired", "blocked", "system_error", "slow", "insufficient_funds"
]

CODE: Final = "666666"
"""The SMS code of every test card."""


class KnownCard(NamedTuple):
    """One card, and what happens to those who use it."""

    number: str
    expire: str
    """MMYY."""
    behaviour: Behaviour
    note: str
    ours: bool = False
    phone: str = "998901234566"


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


def luhn(number: str) -> bool:
    """Return whether the last digit of a card number is the right check digit."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[0::2]) + doubled) % 10 == 0
