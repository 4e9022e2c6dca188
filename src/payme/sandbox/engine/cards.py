"""The five methods `cards.*`."""

from typing import Any, Final

from msgspec.structs import replace

from payme.sandbox.engine import ids, params, shapes
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.model import Card, Sms, mask_phone
from payme.sandbox.engine.refusals import Reason, Refused
from payme.sandbox.engine.testcards import CODE, Behaviour, KnownCard, luhn

WAIT_MS: Final = 60_000
"""`wait` of get_verify_code: how long a code is good for (CONFIRMED on the current page)."""

MAX_WRONG_CODES: Final = 3
"""How many wrong codes may be tried before a new one must be asked for (our choice)."""

_REFUSED_AT_CREATE: Final = {
    "expired": Reason.CARD_EXPIRED,
    "blocked": Reason.CARD_BLOCKED,
}

# A card that was good when it was bound may expire or be blocked later.
_REFUSED_AT_DEBIT: Final = {
    **_REFUSED_AT_CREATE,
    "insufficient_funds": Reason.INSUFFICIENT_FUNDS,
    "system_error": Reason.CARD_SYSTEM_ERROR,
    "slow": Reason.DEBIT_FAILED,
}


def create(call: Call, args: params.CardsCreate) -> dict[str, Any]:
    """Serve `cards.create`."""
    known = _known_card(call, args.card.number, args.card.expire)
    card = Card(
        token=ids.token(call.rng, call.now, call.state.next_number("card")),
        number=known.number,
        expire=args.card.expire,
        recurrent=args.save,
        phone=known.phone,
        verified=known.behaviour == "no_code",
        account=args.account,
        customer=args.customer,
    )
    call.state.put_card(card)
    return {"card": shapes.card(card)}


def get_verify_code(call: Call, args: params.Token) -> dict[str, Any]:
    """Serve `cards.get_verify_code`."""
    card = find(call, args.token)
    if behaviour(call, card) == "no_sms":
        raise Refused(Reason.SMS_NOT_CONNECTED)
    call.state.put_card(replace(card, code_sent_at=call.now, wrong_codes=0))
    call.state.add_sms(Sms(time=call.now, phone=card.phone, kind="code", code=CODE))
    return {"sent": True, "phone": mask_phone(card.phone), "wait": WAIT_MS}


def verify(call: Call, args: params.CardsVerify) -> dict[str, Any]:
    """Serve `cards.verify`."""
    card = find(call, args.token)
    _require_fresh_code(card, call.now)
    if args.code != CODE:
        call.state.put_card(replace(card, wrong_codes=card.wrong_codes + 1))
        raise Refused(Reason.WRONG_CODE)
    verified = replace(card, verified=True, code_sent_at=None, wrong_codes=0)
    call.state.put_card(verified)
    return {"card": shapes.card(verified)}


def check(call: Call, args: params.Token) -> dict[str, Any]:
    """Serve `cards.check`."""
    return {"card": shapes.card(find(call, args.token))}


def remove(call: Call, args: params.Token) -> dict[str, Any]:
    """Serve `cards.remove`."""
    forget(call, find(call, args.token))
    return {"success": True}


def find(call: Call, token: str) -> Card:
    """Find the card of a token.

    Raises:
        Refused: If the token is malformed or unknown, or its card was removed.
    """
    if not ids.is_token(token):
        raise Refused(Reason.MALFORMED_TOKEN)
    card = call.state.get_card(token)
    if card is None:
        raise Refused(Reason.UNKNOWN_TOKEN)
    if card.removed:
        raise Refused(Reason.CARD_DELETED, "deleted")
    return card


def behaviour(call: Call, card: Card) -> Behaviour:
    """Return what a bound card does by now.

    A card that was bound when the sandbox still knew its number pays.
    """
    known = call.known_cards.find(card.number)
    return "normal" if known is None else known.behaviour


def require_debitable(call: Call, card: Card) -> None:
    """Refuse a card that can't be debited; nothing has been written when this raises."""
    known = call.known_cards.find(card.number)
    if known is None:
        return
    if known.behaviour == "refused":
        raise Refused(Reason.CARD_REFUSED, answer=(known.code, known.message))
    if known.behaviour in _REFUSED_AT_DEBIT:
        reason = _REFUSED_AT_DEBIT[known.behaviour]
        delay_ms = call.config.slow_card_ms if known.behaviour == "slow" else 0
        raise Refused(reason, delay_ms=delay_ms)


def forget(call: Call, card: Card) -> None:
    """Remove a card; the token is remembered so that it can be called deleted."""
    call.state.put_card(replace(card, removed=True))


def _known_card(call: Call, number: str, expire: str) -> KnownCard:
    known = call.known_cards.find(number)
    if known is None:
        raise Refused(Reason.UNKNOWN_NUMBER if luhn(number) else Reason.WRONG_NUMBER)
    if known.expire not in {"", expire}:
        raise Refused(Reason.WRONG_EXPIRE)
    if known.behaviour in _REFUSED_AT_CREATE:
        raise Refused(_REFUSED_AT_CREATE[known.behaviour])
    return known


def _require_fresh_code(card: Card, now: int) -> None:
    if card.code_sent_at is None:
        raise Refused(Reason.CODE_NOT_ASKED)
    if card.wrong_codes >= MAX_WRONG_CODES:
        raise Refused(Reason.TOO_MANY_CODES)
    if now - card.code_sent_at > WAIT_MS:
        raise Refused(Reason.CODE_EXPIRED)
