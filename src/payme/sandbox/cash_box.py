"""One cash-box of a sandbox: its engine, its store, its merchant, and what serves its calls."""

import dataclasses
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import Config, Engine, ids
from payme.sandbox.engine.testcards import KnownCards
from payme.sandbox.errors import SandboxError, StorageError
from payme.sandbox.faults import Faults
from payme.sandbox.merchant_driver import MerchantDriver
from payme.sandbox.merchant_transport import AppTransport, MerchantTransport
from payme.sandbox.records import Records, Works
from payme.sandbox.runner import DirectRunner, GroupCommitRunner, Runner
from payme.sandbox.service import BoxService
from payme.sandbox.settings import CashBoxSettings, Settings
from payme.sandbox.store import SqliteState, connect, unusable
from payme.sandbox.traffic import Traffic

FIRST: Final = 1
"""Number of the cash-box that every sandbox has."""


class Shared(NamedTuple):
    """What all cash-boxes of a sandbox have in common."""

    settings: Settings
    clock: SandboxClock
    faults: Faults
    known_cards: KnownCards
    traffic: Traffic
    secrets: list[str]
    """What no text may show: the keys of all of them."""


class CashBox(Records):
    """A cash-box at work. Nothing that it stores is known to another one.

    Args:
        shared: What it has in common with the others.
        settings: Its own settings.
        number: 1 for the first of the sandbox.

    Raises:
        SandboxError: If its file can't be used, or holds other credentials than the ones given.
    """

    def __init__(self, shared: Shared, settings: CashBoxSettings, number: int) -> None:
        whole = shared.settings
        self.name = settings.merchant_name
        self.number = number
        self.settings = settings
        self._seed = seed_of(whole.seed, number)
        rng = Random(self._seed)  # noqa: S311 - nothing here guards anything
        transport = _transport(settings, whole.merchant_timeout)
        runner, merchant_id, key = _opened(file_of(whole.db, number), settings, rng)
        engine = Engine(whole.config(settings, merchant_id, key), rng, shared.known_cards)
        # A merchant may be told of one cash-box what another one keeps secret.
        shared.secrets.extend(engine.secrets)
        engine.secrets = shared.secrets
        driver = MerchantDriver(
            engine, runner, shared.clock, transport, shared.faults, whole.merchant_timeout
        )
        super().__init__(Works(engine, runner, driver, shared.clock, rng))
        self.first_config = engine.config
        self.service = BoxService(
            engine,
            runner,
            shared.clock,
            shared.faults,
            whole.on_answer,
            traffic=shared.traffic,
            driver=driver,
        )
        shared.clock.follow(driver.clock_moved, driver.next_due)

    def __repr__(self) -> str:
        return f"CashBox(merchant_id={self.merchant_id!r}, name={self.name!r})"

    @property
    def complete_settings(self) -> CashBoxSettings:
        """Its settings, with the credentials that it has."""
        return dataclasses.replace(self.settings, merchant_id=self.merchant_id, key=self.key)

    def has_receipt(self, receipt_id: str) -> bool:
        """Return whether a receipt is this cash-box's."""
        return self._run(lambda state: state.get_receipt(receipt_id)) is not None

    def configure(self, **changes: Any) -> None:
        """Change what the engine is told from now on; see `Config`."""
        self._use(dataclasses.replace(self.config, **changes))

    def play(self, **options: Any) -> None:
        """Go back to how it was made, but for some options."""
        self._use(dataclasses.replace(self.first_config, **options))

    def start(self) -> None:
        """Take up by itself, from now on, what is due."""
        self.works.driver.start()

    def reset(self) -> None:
        """Forget all but the credentials."""
        works = self.works

        def job(state: SqliteState) -> None:
            works.engine.forget()
            state.clear()
            works.rng.seed(self._seed)
            # With a seed, all that comes after the credentials comes again in the same order.
            _credentials(state, None, None, works.rng)

        self.play()
        works.driver.use_password(None)
        works.runner.run(job)

    def keep_setting(self, name: str, value: str) -> None:
        """Store a text beside the records; `reset` leaves it."""
        self._run(lambda state: state.put_setting(name, value))

    def kept_setting(self, name: str) -> str | None:
        """Find a text that was stored beside the records."""
        return self._run(lambda state: state.setting(name))

    def give_up(self) -> None:
        """Give up what is under way with the merchant. It is stored as far as it came."""
        self.works.clock.unfollow(self.works.driver.clock_moved)
        self.works.driver.close()

    def close(self) -> None:
        """Close the store."""
        self.works.runner.close()

    def _use(self, config: Config) -> None:
        self.works.engine.config = config


def seed_of(seed: int | None, number: int) -> int | str | None:
    """Return the seed of a cash-box: each one's ids are its own."""
    return seed if seed is None or number == FIRST else f"cash-box {number} of {seed}"


def file_of(db: str | Path | None, number: int) -> str | Path | None:
    """Return the file of a cash-box: the first one's is the sandbox's, the others lie beside it.

    Args:
        db: File of the sandbox; None for a database in memory.
        number: Number of the cash-box.
    """
    if db is None or number == FIRST or str(db) == ":memory:":
        return db
    path = Path(db)
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _transport(settings: CashBoxSettings, timeout: float) -> MerchantTransport | None:
    if settings.merchant_url is not None:
        # Its library is most of what a sandbox would cost to import.
        from payme.sandbox.http_transport import HttpTransport

        return HttpTransport(settings.merchant_url, timeout)
    return None if settings.merchant is None else AppTransport(settings.merchant)


def _opened(
    file: str | Path | None, settings: CashBoxSettings, rng: Random
) -> tuple[Runner, str, str]:
    runner = (DirectRunner if file is None else GroupCommitRunner)(connect(file))
    try:
        return runner, *runner.run(
            lambda state: _credentials(state, settings.merchant_id, settings.key, rng)
        )
    except BaseException as error:
        runner.close()
        if isinstance(error, StorageError):
            raise SandboxError(unusable(file, error.__cause__)) from error
        raise


def _credentials(
    state: SqliteState, merchant_id: str | None, key: str | None, rng: Random
) -> tuple[str, str]:
    return (
        _stored_or(state, "merchant_id", merchant_id, ids.merchant_id(rng)),
        _stored_or(state, "key", key, ids.key(rng)),
    )


def _stored_or(state: SqliteState, name: str, given: str | None, fresh: str) -> str:
    """Take what the database holds; what it does not hold yet is stored in it."""
    stored = state.setting(name)
    if stored is None:
        state.put_setting(name, given or fresh)
        return given or fresh
    if given is not None and given != stored:
        raise SandboxError(
            f"the database belongs to another {name.replace('_', ' ')} than the one given: "
            "leave it out, or name another file"
        )
    return stored
