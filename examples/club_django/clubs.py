"""The club of this process."""

from functools import cache

from django.conf import settings

from examples.club.club import Club
from examples.club_django.members import DjangoMembers
from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.recurring import Recurring
from payme.wallet import Wallet


@cache
def club() -> Club:
    """Make the club when it is first asked for."""
    given = settings.CLUB
    payme = Payme(given.merchant_id, given.key, base_url=given.base_url)
    ledger = SqlLedger(given.database, keys=given.ledger_keys)
    charges, clock = Charges(payme, ledger), given.clock()
    recurring = Recurring(charges, now=clock)
    recurring.create_all()
    return Club(charges, Wallet(payme, ledger), recurring, DjangoMembers(), clock)
