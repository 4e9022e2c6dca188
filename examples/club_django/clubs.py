"""The club of this process."""

from functools import cache

from django.conf import settings

from examples.club.club import Club
from examples.club_django.members import DjangoMembers
from payme.charges.django import charges, wallet
from payme.recurring.django.driving import DjangoRecurring


@cache
def club() -> Club:
    """Make the club when it is first asked for.

    A club that needs no other clock than the real one takes `payme.recurring.django.recurring()`.
    """
    clock = settings.CLUB.clock()
    recurring = DjangoRecurring(charges(), now=clock)
    return Club(charges(), wallet(), recurring, DjangoMembers(), clock)
