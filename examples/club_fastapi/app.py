"""The club's application: what it is made of, and what runs beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Thread

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from examples.club.club import Club
from examples.club.settings import Settings
from examples.club_fastapi.members import SqlMembers
from examples.club_fastapi.pages import router
from examples.club_fastapi.visits import Wired
from examples.guard import HOSTS
from payme import Payme
from payme.card_form.fastapi import card_form_router
from payme.charges import Charges, SqlLedger
from payme.recurring import Recurring
from payme.wallet import Wallet


def create_app(settings: Settings) -> FastAPI:
    """Make the club.

    Args:
        settings: Of the club.

    Returns:
        The application.
    """
    payme = Payme(
        settings.merchant_id,
        settings.key,
        base_url=settings.base_url,
        environment=settings.environment,
    )
    ledger = SqlLedger(settings.database, keys=settings.ledger_keys)
    members, clock = SqlMembers(settings.database), settings.clock()
    charges = Charges(payme, ledger)
    recurring = Recurring(charges, now=clock)
    recurring.create_all()
    club = Club(charges, Wallet(payme, ledger), recurring, members, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A club with more servers runs this in a process of its own, as the one in Django does.
        stop = Event()
        runner = Thread(target=club.run, args=(stop,), name="club")
        runner.start()
        yield
        stop.set()
        runner.join()
        payme.close()
        ledger.close()
        members.close()

    app = FastAPI(title="Club", lifespan=lifespan, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    app.include_router(card_form_router())
    app.include_router(router)
    app.state.wired = Wired(club, members, settings)
    return app
