"""What `payme charges` and `payme recurring` ask and say when they fail, in three languages."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from payme.cli.failures import failure_of
from payme.cli.words import tell

if TYPE_CHECKING:
    from payme.charges import Charge
    from payme.errors import PaymeError

# What is about to happen to money; `vouch` neither pays nor cancels.
_QUESTIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "confirm": (
        "{} uchun ushlab turilgan pul yechib olinsinmi?",
        "Списать деньги под холдом: {}?",
        "Take the money that is held for {}?",
    ),
    "refund": (
        "{} puli toʻlovchiga qaytarilsinmi?",
        "Вернуть плательщику деньги: {}?",
        "Give the money of {} back to the payer?",
    ),
    "retry": (
        "{} uchun pul yechishga yana urinilsinmi?",
        "Попробовать списать ещё раз: {}?",
        "Try again to take the money of {}?",
    ),
    "cancel": (
        "{} dan voz kechilsinmi? Cheki bekor qilinadi, ushlab turilgan puli boʻshatiladi.",
        "Отказаться от списания {}? Чек будет отменён, холд снят.",
        "Give up {}? Its receipt is cancelled, and what is held is released.",
    ),
}


def question(word: str, charge: "Charge", where: str) -> str | None:
    """Write what is asked before a command moves money.

    Args:
        word: `confirm`, `refund`, `retry`, `cancel` or `vouch`.
        charge: As it is stored.
        where: Address of the API.

    Returns:
        The question; None where no money would move, since the charge is there already or the
        command neither takes nor returns any.

    Raises:
        ChargeConflict: The charge's state does not allow the command.
    """
    from payme.charges import orders
    from payme.money import format_som

    if word not in _QUESTIONS or orders.command(charge, word, charge.changed) is None:
        return None
    money = tell("{} soʻm", "{} сум", "{} soʻm").format(format_som(charge.amount))
    return tell(*_QUESTIONS[word]).format(f"{charge.id} ({money}, {charge.state}, {where})")


def reason(error: "PaymeError", given: Mapping[str, Any]) -> str:
    """Write why a command failed.

    Args:
        error: What was raised.
        given: Parameters of the command, which name the charge or the subscription.
    """
    from payme.charges import ChargeConflict, ChargeNotFound
    from payme.errors import NotSent, Rejected

    if isinstance(error, ChargeNotFound) and "charge_id" in given:
        known_as = repr(given["charge_id"])
        return tell(
            f"{known_as} nomli charge yoʻq",
            f"списания с ID {known_as} нет",
            f"no charge has the id {known_as}",
        )
    # By its name: the words of charges must not import subscriptions.
    if type(error).__name__ == "SubscriptionNotFound" and "name" in given:
        known_as = repr(given["name"])
        return tell(
            f"{known_as} nomli obuna yoʻq",
            f"подписки с ID {known_as} нет",
            f"no subscription has the id {known_as}",
        )
    if isinstance(error, ChargeConflict) and not error.differs:
        return tell(
            f"{error.charge.id!r} holati {error.charge.state}: bu holatda bunday qilib boʻlmaydi",
            f"списание {error.charge.id!r} в состоянии {error.charge.state}: так с ним нельзя",
            str(error),
        )
    if isinstance(error, Rejected | NotSent) and (known := failure_of(error)) is not None:
        return known.message
    return str(error)


def database_fails(why: str) -> str:
    """Say that the ledger can't be used.

    Args:
        why: First line of the database's own text, without secrets.
    """
    return tell(
        f"daftardan foydalanib boʻlmadi: {why}",
        f"журнал недоступен: {why}",
        f"the ledger can't be used: {why}",
    )


def sentence(charge: "Charge", why: str) -> str:
    """Say what is known of a charge.

    Args:
        charge: As it is stored.
        why: What it is known from, and why it was refused.
    """
    return tell(
        f"{charge.id} holati: {charge.state} {why}",
        f"{charge.id} в состоянии {charge.state} {why}",
        f"{charge.id} is {charge.state} {why}",
    )


def not_known_yet(program: str) -> str:
    """Say that a charge is still under way, and what goes on with it.

    Args:
        program: What the group of commands was called as.
    """
    return tell(
        f"Natija hali nomaʼlum, buyruqni teskarisi bilan almashtirmang: {program} run davom etadi.",
        f"Исход ещё неизвестен, обратную команду не отправляйте: {program} run продолжит.",
        f"It is not known yet; do not ask for the opposite: {program} run goes on with it.",
    )
