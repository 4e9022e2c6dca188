"""Orders are paid with the saved card."""

from contextlib import suppress

from django.conf import settings
from django.db import transaction

from examples.saved_cards import (
    CUSTOMER,
    DEADLINE_S,
    Card,
    SavedCards,
    charge_id,
    is_another_try,
)
from examples.shop_django.models import Order, SavedCard
from payme.charges import Charge, ChargeConflict, ChargeNotFound
from payme.charges.django import charges


def pay(order_id: int, seen: str) -> None:
    """Pay an order by one click: once, however often it is clicked.

    Args:
        order_id: Its number.
        seen: Version of its charge on the page that was clicked; empty if there was none.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(pk=order_id, state="waiting").first()
        card = find_card()
        if order is None or card is None:
            return  # paid or closed meanwhile: the page says so
        # No order that waits for its charge without a charge, whatever crashes from here on.
        money = (charge_id(order.pk), order.amount, {"order_id": order.pk}, card.token)
        charge = charges().submit(*money)
    if is_another_try(charge, seen):
        with suppress(ChargeConflict):  # another click was faster
            charges().pay_with(charge.id, card.token, deadline=DEADLINE_S)
    else:
        charges().charge(*money, deadline=DEADLINE_S)


def find(order_id: int) -> tuple[Charge | None, str | None]:
    """Find the charge of an order, and the number of the card that it may be paid with."""
    if settings.SAVED_CARDS is None:
        return None, None
    card = find_card()
    try:
        return charges().get(charge_id(order_id)), card and card.number
    except ChargeNotFound:
        return None, card and card.number


def save_card() -> None:
    """Save the card of the demo's customer, in place of the one before."""
    cards: SavedCards | None = settings.SAVED_CARDS
    if cards and cards.card:
        row = {"number": cards.card.number, "token": cards.seal(cards.card)}
        SavedCard.objects.update_or_create(customer=CUSTOMER, defaults=row)


def find_card() -> Card | None:
    """Find the card of the demo's customer; None in a shop without saved cards."""
    cards: SavedCards | None = settings.SAVED_CARDS
    row = SavedCard.objects.filter(customer=CUSTOMER).first() if cards else None
    return cards.open(bytes(row.token), row.number) if cards and row else None
