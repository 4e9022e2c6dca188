"""Who takes part, from which throw-away environment, and how it is imported."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "payme"
PEERS = {
    "tolov": "tolov==2.2.0",
    "payme-pkg": "payme-pkg==3.4.1",
    "paytechuz": "paytechuz==0.4.1",
    "aiopayme": "aiopayme==1.0.0",
}
UVLOOP = "uvloop==0.23.0"
AIOHTTP = "aiohttp==3.14.5"
ENVIRONMENTS = {
    OURS: ".",  # the wheel of this checkout
    "payme-uvloop": f". {UVLOOP}",
    "aiohttp": AIOHTTP,
    "aiohttp-uvloop": f"{AIOHTTP} {UVLOOP}",
    **PEERS,
}
NO_LOOP = "none"
MANY = 64


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    Attributes:
        call: Key of the function in `calls` that makes its call.
        environment: Key of `ENVIRONMENTS`.
        loop: `asyncio` or `uvloop`; `NO_LOOP` for a blocking client.
        in_flight: Calls under way at once.
        statement: The import that its documentation opens with; empty where another row has it.
        title: What the table calls it.
    """

    call: str
    environment: str
    loop: str
    in_flight: int
    statement: str
    title: str

    @property
    def mode(self) -> str:
        """Say how it is called."""
        return "blocking" if self.loop == NO_LOOP else f"{self.loop}, {self.in_flight}"

    @property
    def is_peer(self) -> bool:
        """Return whether it is somebody else's client for Payme."""
        return self.environment in PEERS

    @property
    def is_yardstick(self) -> bool:
        """Return whether it knows nothing of Payme."""
        return self.call in ("raw socket", "http.client", "aiohttp")


def blocking(call: str, environment: str, statement: str, title: str = "") -> Contestant:
    """Return a contestant that makes calls one after another."""
    return Contestant(call, environment, NO_LOOP, 1, statement, title or call)


def paired(call: str, statement: str) -> tuple[Contestant, ...]:
    """Return an asyncio contestant at 1 and at many calls in flight."""
    return tuple(Contestant(call, call, "asyncio", each, statement, call) for each in (1, MANY))


def on_uvloop(call: str) -> tuple[Contestant, ...]:
    """Return the same under uvloop."""
    environment = f"{call}-uvloop"
    return tuple(Contestant(call, environment, "uvloop", each, "", call) for each in (1, MANY))


SEED_CARDS = "from payme.cards.subscribe_cards import PaymeSubscribeCards"

RAW = blocking("raw socket", OURS, "import socket, ssl, json", "raw socket (floor)")
HTTP_CLIENT = blocking("http.client", OURS, "import http.client, ssl, json")
PAYME = blocking("payme", OURS, "from payme import Payme")
SEED = blocking("payme-seed", OURS, SEED_CARDS, "payme, seed classes")
PAYME_PKG = blocking("payme-pkg", "payme-pkg", "from payme import Payme")
PAYTECHUZ = blocking("paytechuz", "paytechuz", "from paytechuz.gateways.payme import PaymeGateway")

AIOHTTP_ASYNCIO = paired("aiohttp", "import aiohttp")
AIOHTTP_UVLOOP = on_uvloop("aiohttp")
PAYME_ASYNCIO = paired("payme", "from payme import AsyncPayme")
PAYME_UVLOOP = on_uvloop("payme")

CONTESTANTS: tuple[Contestant, ...] = (
    RAW,
    HTTP_CLIENT,
    PAYME,
    SEED,
    blocking("tolov", "tolov", "from tolov import PaymeGateway"),
    PAYME_PKG,
    PAYTECHUZ,
    *AIOHTTP_ASYNCIO,
    *PAYME_ASYNCIO,
    *paired("tolov", "from tolov.aio import PaymeGateway"),
    *paired("aiopayme", "from aiopayme import Payme"),
    *AIOHTTP_UVLOOP,
    *PAYME_UVLOOP,
)


def yardstick_of(contestant: Contestant) -> Contestant:
    """Return what a contestant's CPU is divided by: http.client, or aiohttp in the same mode."""
    yardsticks = (HTTP_CLIENT, *AIOHTTP_ASYNCIO, *AIOHTTP_UVLOOP)
    return next(each for each in yardsticks if each.mode == contestant.mode)
