"""What differs from machine to machine.

It is read from the environment, so that no key stands in the list of processes.
"""

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple, Self

from examples.club.clock import Clock, SandboxClock


class Settings(NamedTuple):
    """Settings of a club.

    Attributes:
        merchant_id: Id of the cash-box.
        key: Its key.
        base_url: Address of a sandbox; None for Payme itself.
        ledger_keys: Fernet keys that encrypt the tokens of cards.
        password: Of the operator's page; empty shows it to nobody.
        secret: Signs what browsers keep; the same after a restart.
        database: `sqlite:///club.db` or `postgresql://…`.
        sandbox: Address of the sandbox whose clock is the club's; None for the real time.
    """

    merchant_id: str
    key: str
    base_url: str | None
    ledger_keys: list[str]
    password: str
    secret: str
    database: str
    sandbox: str | None

    @classmethod
    def from_environment(cls, given: Mapping[str, str] = os.environ) -> Self:
        """Read them.

        Raises:
            KeyError: Names the one that is missing.
        """
        return cls(
            merchant_id=given["PAYME_MERCHANT_ID"],
            key=given["PAYME_KEY"],
            base_url=given.get("PAYME_BASE_URL"),
            ledger_keys=given["PAYME_LEDGER_KEYS"].split(","),
            password=given.get("CLUB_PASSWORD", ""),
            secret=given["CLUB_SECRET"],
            database=given.get("CLUB_DATABASE", "sqlite:///club.db"),
            sandbox=given.get("CLUB_SANDBOX"),
        )

    @property
    def endpoint(self) -> str:
        """Where the card form sends cards."""
        return self.base_url or "live"

    @property
    def environment(self) -> Literal["production"] | None:
        """Where the client calls, unless it has an address."""
        return None if self.base_url else "production"

    def clock(self) -> Clock:
        """Make the club's clock."""
        return SandboxClock(self.sandbox) if self.sandbox else Clock()

    def __repr__(self) -> str:
        return f"Settings(merchant_id={self.merchant_id!r}, database=…)"
