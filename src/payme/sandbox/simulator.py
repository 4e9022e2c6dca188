"""The whole sandbox but for its socket: cash-boxes under one clock, with one set of faults.

The server, the control API and the pages look at this and no higher.
"""

import dataclasses
import math
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple, Unpack

import msgspec

from payme.sandbox.cash_box import FIRST, CashBox, Shared, file_of
from payme.sandbox.engine.testcards import KnownCards
from payme.sandbox.errors import InvalidSetting, SandboxError
from payme.sandbox.faults import Faults
from payme.sandbox.records import Records
from payme.sandbox.scenarios import Scenario, find
from payme.sandbox.service import Service
from payme.sandbox.settings import CashBoxOptions, CashBoxSettings, Settings
from payme.sandbox.store import unusable
from payme.sandbox.traffic import Traffic

_REGISTER: Final = "cash_boxes"
"""Under what name the first cash-box's store keeps the settings of the others."""


class _Place(NamedTuple):
    """A cash-box beside the first one, and the number that its file has."""

    number: int
    """0 for one that is new."""
    settings: CashBoxSettings


class Simulator(Records):
    """The cash-boxes of a sandbox. As records, it is the first of them.

    Args:
        settings: What it is told.

    Raises:
        SandboxError: If a file can't be used, or holds other credentials than the ones given.
        InvalidSetting: If two cash-boxes have one id.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = settings.sandbox_clock()
        self.faults = Faults(settings.seed)
        self.known_cards = KnownCards(settings.cards)
        self._password = settings.access_password
        secrets: list[str] = []
        self.traffic = Traffic(secrets)
        self._shared = Shared(
            settings, self.clock, self.faults, self.known_cards, self.traffic, secrets
        )
        # Several threads may start one sandbox, stop it, or add a cash-box to it.
        self._turning = RLock()
        self._closed = False
        self._running = False
        # What the scenario that is played changes; a cash-box that is added later plays it too.
        self._scenario: dict[str, Any] = {}
        self.first = CashBox(self._shared, settings, FIRST)
        super().__init__(self.first.works)
        self._boxes: tuple[CashBox, ...] = (self.first,)
        self.service = Service(self.first.service, self.first.merchant_id)
        try:
            self.works.engine.keep_secret(self._password or "")
            for place in _places(self._registered(), settings.others):
                self._open(place if place.number else _Place(self._free_number(), place.settings))
            if settings.scenario is not None:
                self.play(settings.scenario)
        except BaseException:
            self.stop()
            raise

    @property
    def cash_boxes(self) -> tuple[CashBox, ...]:
        """All cash-boxes, the first one first."""
        return self._boxes

    def cash_box(self, merchant_id: str) -> CashBox | None:
        """Find a cash-box by its id; None if there is none."""
        return next((box for box in self._boxes if box.merchant_id == merchant_id), None)

    def cash_box_of(self, receipt_id: str) -> CashBox | None:
        """Find the cash-box that has a receipt; None if none has it."""
        return next((box for box in self._boxes if box.has_receipt(receipt_id)), None)

    def add_cash_box(self, **options: Unpack[CashBoxOptions]) -> CashBox:
        """Add a cash-box beside those that are there.

        Its receipts, cards, messages, ledger and merchant are its own, as at Payme's: a token of
        one cash-box is unknown to another. Clock, faults and scenario are shared.
        With a file, it comes back when the sandbox is started again, with its settings; `reset`
        empties it, and leaves it there.

        Args:
            **options: Of those of `Sandbox`: `merchant_id`, `key`, `merchant_name`,
                `account_fields`, `min_amount`, `max_amount`, `merchant_url`, `merchant_key` and
                `merchant`.

        Returns:
            The cash-box: it has an id, a key, and the records that a sandbox has.

        Raises:
            InvalidSetting: If an option makes no sense, or another cash-box has the id.
            UnknownArgument: If there is no such option.
            SandboxError: If its file can't be used, or the sandbox was stopped.

        Example:
            >>> books = sandbox.add_cash_box(merchant_name="Books")
            >>> payme = Payme(books.merchant_id, books.key, base_url=sandbox.url)
        """
        return self.open_cash_box(CashBoxSettings.read(options))

    def open_cash_box(self, settings: CashBoxSettings) -> CashBox:
        """Add a cash-box whose settings are a value; see `add_cash_box`."""
        with self._turning:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            box = self._open(_Place(self._free_number(), settings))
            if self._running:
                box.start()
            return box

    @property
    def cors(self) -> bool:
        """Whether web pages of other origins are answered; may be set at any time.

        A page may call what a payer's side needs, and never with the key.
        """
        return self.config.cors

    @cors.setter
    def cors(self, allow: bool) -> None:
        if not isinstance(allow, bool):
            raise InvalidSetting("cors", allow, "true or false")
        for box in self._boxes:
            box.configure(cors=allow)

    @property
    def host(self) -> str:
        """Address that it was told to listen on."""
        return self.settings.host

    @property
    def password(self) -> str | None:
        """What the dashboard and the control API ask for; None for nothing."""
        return self._password

    def play(self, scenario: str) -> Scenario:
        """Play a scenario: its faults and options take the place of those that are set.

        Args:
            scenario: Such as `happy`, which takes every fault away.

        Returns:
            The scenario.

        Raises:
            InvalidSetting: If there is none of that name.
        """
        found = find(scenario)
        self._scenario = {**found.options}
        for box in self._boxes:
            box.play(**found.options)
        self.faults.clear()
        for fault in found.faults:
            self.faults.add_json(fault)
        return found

    def reset(self) -> None:
        """Make the sandbox as it was when it was made, but for its address and its cash-boxes.

        Cards, receipts, messages, ledgers and faults are forgotten, and the clock goes back. The
        cash-boxes stay with their credentials. With a seed, ids and tokens come again in the same
        order.
        """
        self._scenario = {}
        self.faults.reset()
        self.known_cards.reset()
        self.clock.reset()
        self.traffic.clear()
        for box in self._boxes:
            box.reset()

    def stop(self) -> None:
        """Stop listening and close the store. A second stop does nothing."""
        with self._turning:
            if self._closed:
                return
            self._closed = True
            for box in self._boxes:
                box.give_up()
            self._stop_serving()
            for box in self._boxes:
                box.close()

    def _stop_serving(self) -> None:
        """Stop listening, before the store is closed."""

    def _start_boxes(self) -> None:
        self._running = True
        for box in self._boxes:
            box.start()

    def _open(self, place: _Place) -> CashBox:
        """Open a cash-box and serve it.

        It is registered last: a file that a killed process left behind belongs to nobody, and its
        number is not given again.
        """
        taken = place.settings.merchant_id
        if taken is not None and self.cash_box(taken) is not None:
            raise InvalidSetting("merchant_id", taken, "an id that no other cash-box here has")
        box = CashBox(self._shared, place.settings, place.number)
        box.play(**self._scenario)
        box.configure(cors=self.cors)
        try:
            self._register((*self._boxes, box))
        except BaseException:
            box.give_up()
            box.close()
            raise
        self._boxes = (*self._boxes, box)
        # Who calls none of them is answered by the first one, which then names them all.
        self.works.engine.others = tuple(one.merchant_id for one in self._boxes[1:])
        self.service.add(box.service, box.merchant_id)
        return box

    def _free_number(self) -> int:
        number = max(box.number for box in self._boxes) + 1
        registered = {place.number for place in self._registered()}
        while number in registered or _exists(file_of(self.settings.db, number)):
            number += 1
        return number

    def _registered(self) -> list[_Place]:
        document = self.first.kept_setting(_REGISTER)
        try:
            found: list[dict[str, Any]] = [] if document is None else msgspec.json.decode(document)
            return [_Place(one.pop("number"), CashBoxSettings.read(one)) for one in found]
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise SandboxError(unusable(self.settings.db, error)) from error

    def _register(self, boxes: tuple[CashBox, ...]) -> None:
        opened = {box.number for box in boxes}
        found = [_stored(*place) for place in self._registered() if place.number not in opened]
        found += [_stored(box.number, box.complete_settings) for box in boxes[1:]]
        self.first.keep_setting(_REGISTER, msgspec.json.encode(found).decode())


def _places(registered: list[_Place], given: tuple[CashBoxSettings, ...]) -> list[_Place]:
    """Match the cash-boxes that are given with those that are stored.

    A cash-box is known by its id, and where none is given by its name: so a program that is started
    again on the same file finds the ones that it made. What is given goes before what was stored.
    """
    left, places = [*registered], list[_Place]()
    for box in given:
        known = next((place for place in left if _is_same(place.settings, box)), None)
        if known is None:
            places.append(_Place(0, box))
            continue
        left.remove(known)
        ours = known.settings
        complete = dataclasses.replace(box, merchant_id=ours.merchant_id, key=box.key or ours.key)
        places.append(_Place(known.number, complete))
    # New ones last: their numbers come after all that are taken.
    return sorted([*places, *left], key=lambda place: place.number or math.inf)


def _is_same(stored: CashBoxSettings, given: CashBoxSettings) -> bool:
    if given.merchant_id is not None:
        return given.merchant_id == stored.merchant_id
    return given.merchant_name == stored.merchant_name


def _stored(number: int, settings: CashBoxSettings) -> dict[str, Any]:
    return {"number": number, **settings.storable()}


def _exists(file: str | Path | None) -> bool:
    return file is not None and str(file) != ":memory:" and Path(file).exists()
