"""Scenarios as data: what can happen to a merchant on a bad day, each under one name.

A scenario is settings and faults, and nothing that only code could say. It is played from Python
(`Sandbox(scenario=...)`, `sandbox.play(...)`), from the command line (`payme sandbox --scenario`)
and over HTTP (`POST /_sandbox/scenario`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from payme.sandbox.engine.refusals import ANSWERS, Reason
from payme.sandbox.errors import InvalidSetting

_GOOD_CARD: Final = "8600069195406311"


class Scenario(NamedTuple):
    """One scenario."""

    name: str
    uz: str
    ru: str
    en: str
    faults: tuple[Mapping[str, Any], ...] = ()
    """Arguments of `sandbox.faults.add`."""
    options: Mapping[str, Any] = {}
    """Members of the engine's `Config` that it changes."""
    card: str = _GOOD_CARD
    """Card to try it with."""
    amount: int = 5_000_000
    """Amount to try it with, in tiyin."""

    def describe(self) -> dict[str, str]:
        """Say what it is, in three languages."""
        return {"name": self.name, "uz": self.uz, "ru": self.ru, "en": self.en}


def _refused(reason: Reason) -> dict[str, Any]:
    """Make the part of a fault that gives an engine's answer without asking the engine."""
    code, message = ANSWERS[reason]
    return {"when": "before", "action": "rpc_error", "code": code, "message": message}


_DOWN: Final = _refused(Reason.MERCHANT_UNAVAILABLE)

# Twice the life of an SMS code, so that a caller with a clock of its own sees it too.
_PAST_THE_CODE_MS: Final = 120_000

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "happy",
            "Hammasi joyida: har bir toʻlov darhol oʻtadi.",
            "Всё хорошо: каждый платёж проходит сразу.",
            "All is well: every payment goes through at once.",
        ),
        Scenario(
            "declined",
            "Kartada pul yetarli emas: har bir toʻlov rad etiladi.",
            "На карте нет денег: каждый платёж отклоняется.",
            "The card has no money: every payment is declined.",
            faults=({"method": "receipts.pay", **_refused(Reason.INSUFFICIENT_FUNDS)},),
        ),
        Scenario(
            "answer_lost_after_debit",
            "Pul yechildi, lekin birinchi toʻlovning javobi yoʻqoldi.",
            "Деньги списаны, но ответ на первый платёж потерян.",
            "The money is taken, and the answer to the first payment is lost.",
            faults=({"method": "receipts.pay", "when": "after", "action": "drop", "times": 1},),
        ),
        Scenario(
            "merchant_down",
            "Sotuvchi serveri ishlamayapti: chek ochilmaydi va toʻlanmaydi.",
            "Сервер продавца не работает: чек не создаётся и не оплачивается.",
            "The merchant's server is down: receipts are neither created nor paid.",
            faults=(
                {"method": "receipts.create", **_DOWN},
                {"method": "receipts.pay", **_DOWN},
            ),
        ),
        Scenario(
            "slow",
            "Payme sekin: har bir javob 3 soniya, toʻlovniki 12 soniya kutiladi.",
            "Payme медлит: ответ идёт 3 секунды, ответ на оплату 12 секунд.",
            "Payme is slow: an answer takes 3 seconds, that to a payment 12.",
            faults=(
                {"method": "receipts.pay", "when": "after", "action": "delay", "delay_ms": 12_000},
                {"method": "*", "when": "after", "action": "delay", "delay_ms": 3_000},
            ),
        ),
        Scenario(
            "cancel_after_perform",
            "Toʻlangan chekni 5 soniyadan keyin Payme oʻzi bekor qiladi.",
            "Через 5 секунд после оплаты Payme сам отменяет чек.",
            "Payme cancels a paid receipt of its own accord after 5 seconds.",
            options={"cancel_paid_after_ms": 5_000, "cancel_after_ms": 5_000},
        ),
        Scenario(
            "otp_expired",
            "Birinchi SMS-kod kechikadi: muddati oʻtib ketgan. Ikkinchisi ishlaydi.",
            "Первый СМС-код приходит слишком поздно, второй подходит.",
            "The first SMS code comes too late to be used; the second one works.",
            faults=(
                {
                    "method": "cards.get_verify_code",
                    "when": "after",
                    "action": "delay",
                    "delay_ms": 0,
                    "advance_ms": _PAST_THE_CODE_MS,
                    "times": 1,
                },
            ),
        ),
    )
}


def find(name: Any) -> Scenario:
    """Find a scenario.

    Raises:
        InvalidSetting: If there is none of that name.
    """
    found = SCENARIOS.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidSetting("scenario", name, f"one of {', '.join(SCENARIOS)}")
    return found
