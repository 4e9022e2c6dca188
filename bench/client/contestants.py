"""Who takes part, from which throw-away environment, and how it is imported."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "payme"
ENVIRONMENTS = {
    OURS: ".",  # the wheel of this checkout
    "tolov": "tolov==2.2.0",
    "payme-pkg": "payme-pkg==3.4.1",
    "paytechuz": "paytechuz==0.4.1",
    "aiopayme": "aiopayme==1.0.0",
}
BLOCKING = 0
MANY = 64


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    Attributes:
        call: Key of the function in `calls` that makes its call.
        environment: Key of `ENVIRONMENTS`.
        in_flight: Calls under way at once on one asyncio loop; `BLOCKING` for a blocking client.
        statement: The import that its documentation opens with; empty for a yardstick.
        title: What the table calls it.
    """

    call: str
    environment: str
    in_flight: int
    statement: str
    title: str

    @property
    def mode(self) -> str:
        """Say how it is called."""
        return f"asyncio, {self.in_flight}" if self.in_flight else "blocking"

    @property
    def is_peer(self) -> bool:
        """Tell whether it is somebody else's client for Payme."""
        return self.environment != OURS


SEED_CARDS = "from payme.cards.subscribe_cards import PaymeSubscribeCards"

FLOOR = Contestant("http.client", OURS, BLOCKING, "import http.client, ssl", "http.client (floor)")
BARE = Contestant("httpcore2", OURS, BLOCKING, "import httpcore2", "bare httpcore2")
PAYME = Contestant("payme", OURS, BLOCKING, "from payme import Payme", "payme")
SEED = Contestant("payme-seed", OURS, BLOCKING, SEED_CARDS, "payme, seed classes")
PAYME_PKG = Contestant("payme-pkg", "payme-pkg", BLOCKING, "from payme import Payme", "payme-pkg")


def paired(call: str, environment: str, statement: str, title: str) -> tuple[Contestant, ...]:
    """Return an asyncio contestant at 1 and at many calls in flight."""
    return tuple(
        Contestant(call, environment, in_flight, statement, title) for in_flight in (1, MANY)
    )


BARE_ASYNCIO = paired("httpcore2", OURS, "import httpcore2", "bare httpcore2")
PAYME_ASYNCIO = paired("payme", OURS, "from payme import AsyncPayme", "payme")

CONTESTANTS: tuple[Contestant, ...] = (
    FLOOR,
    BARE,
    PAYME,
    SEED,
    Contestant("tolov", "tolov", BLOCKING, "from tolov import PaymeGateway", "tolov"),
    PAYME_PKG,
    Contestant(
        "paytechuz",
        "paytechuz",
        BLOCKING,
        "from paytechuz.gateways.payme import PaymeGateway",
        "paytechuz",
    ),
    *BARE_ASYNCIO,
    *PAYME_ASYNCIO,
    *paired("tolov", "tolov", "from tolov.aio import PaymeGateway", "tolov"),
    *paired("aiopayme", "aiopayme", "from aiopayme import Payme", "aiopayme"),
)
