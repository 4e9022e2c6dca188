"""What error reporters upload: the locals of every frame that an exception left.

The test's own frames hold no secret in a local, so every canary that is found is one of ours.
"""

import asyncio
import io
import json
import logging
import traceback
from types import SimpleNamespace
from typing import Any

import pytest
import sentry_sdk
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback
from sentry_sdk.transport import Transport as SentryTransport

from payme import AsyncPayme, MemoryTransport, Payer, Payme, PaymeError
from payme.cards.subscribe_cards import PaymeSubscribeCards
from payme.errors import InsufficientFunds, InvalidArgument, NotSent, OutcomeUnknown
from payme.protocol.models import Card
from payme.receipts.subscribe_receipts import PaymeSubscribeReceipts
from payme.sandbox import Sandbox

KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
NUMBER, CODE, PHONE = "8600495473316478", "739154", "998901304527"
POOR = "8600318600000007"
EMAIL = "aziza.canary@example.uz"
SECRETS: dict[str, str] = {"key": KEY, "number": NUMBER, "phone": PHONE, "email": EMAIL}
WORLD = SimpleNamespace()


@pytest.fixture(scope="module", autouse=True)
def world():
    with Sandbox(key=KEY) as sandbox:
        WORLD.sandbox = sandbox
        SECRETS["token"] = sandbox.add_card(number=POOR)
        SECRETS["auth"] = f"{sandbox.merchant_id}:{KEY}"
        with Payme(sandbox.merchant_id, KEY, base_url=sandbox.url, timeout=3) as payme:
            WORLD.payme = payme
            yield


def sentry_report(error: BaseException) -> str:
    """Everything that Sentry would upload with its default settings."""
    kept: list[Any] = []

    class Keep(SentryTransport):
        def capture_envelope(self, envelope):
            kept.append(envelope)

    client = sentry_sdk.Client(dsn="http://key@127.0.0.1/1", transport=Keep)
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        sentry_sdk.capture_exception(error)
    events = [item.payload.json for envelope in kept for item in envelope.items]
    assert any(event.get("exception") for event in events)
    return json.dumps(events, ensure_ascii=False)


def rich_report(error: BaseException) -> str:
    console = Console(file=io.StringIO(), width=200)
    whole = {"locals_max_length": 1000, "locals_max_string": None, "max_frames": 1000}
    console.print(
        Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True, **whole)
    )
    return console.file.getvalue()


def standard_report(error: BaseException) -> str:
    found = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    return "".join(found.format())


REPORTS = [sentry_report, rich_report, standard_report]


def frames_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def raised(act: Any) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def assert_silent(error: BaseException, kind: type[BaseException]) -> None:
    assert isinstance(error, kind), repr(error)
    for report in REPORTS:
        # Rich breaks lines.
        text = report(error).replace("\n", "").replace("│", "")
        assert type(error).__name__ in text
        for name, secret in SECRETS.items():
            assert secret not in text, f"{report.__name__} shows the {name}"


def receipt() -> str:
    return WORLD.sandbox.add_receipt(amount=50_000)


def pay(payme: Any) -> Any:
    return payme.receipts.pay(receipt(), SECRETS["token"], payer=Payer(phone=PHONE, email=EMAIL))


def test_a_canary_in_a_local_is_found():
    """The reports do show locals: a test that could not fail would prove nothing."""

    def leak():
        canary = KEY
        raise ValueError(len(canary))

    error = raised(leak)
    for report in REPORTS:
        assert KEY in report(error), report.__name__


def test_an_ordinary_refusal():
    error = raised(lambda: pay(WORLD.payme))
    assert_silent(error, InsufficientFunds)
    assert "pay" in frames_of(error)


def test_an_ordinary_refusal_under_asyncio():
    async def call():
        async with AsyncPayme(WORLD.sandbox.merchant_id, KEY, base_url=WORLD.sandbox.url) as payme:
            await pay(payme)

    assert_silent(raised(lambda: asyncio.run(call())), InsufficientFunds)


REFUSED = {
    "swapped": lambda payme: payme.receipts.pay(SECRETS["token"], receipt()),
    "phone": lambda payme: payme.receipts.send(receipt(), PHONE + "0"),
    "payer": lambda payme: payme.receipts.pay(
        receipt(), SECRETS["token"], payer=Payer(phone=PHONE + "1", email=EMAIL)
    ),
    "number": lambda payme: payme.cards.create(NUMBER + "x", "0399"),
    "expire": lambda payme: payme.cards.create(NUMBER, "9999"),
    "code": lambda payme: payme.cards.verify(SECRETS["token"], 739154),
    "account": lambda payme: payme.receipts.create(0, {"phone": PHONE}),
    "params": lambda payme: payme.call("bad method", {"token": SECRETS["token"]}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_argument(name):
    assert_silent(raised(lambda: REFUSED[name](WORLD.payme)), InvalidArgument)


def answering(answer: Any) -> Payme:
    return Payme(WORLD.sandbox.merchant_id, KEY, transport=MemoryTransport(answer), max_attempts=1)


def echo(body: bytes, auth: str) -> bytes:
    """An answer that shows what it was sent, as careless servers do."""
    text = f"{auth} {body.decode()}"
    error = {"code": -31630, "message": text, "data": {"sent": json.loads(body)}}
    return json.dumps({"id": json.loads(body)["id"], "error": error}).encode()


def echo_html(body: bytes, auth: str) -> bytes:
    return f"<html>{auth} {body.decode()}</html>".encode()


class Lost(Exception):
    sent = True


class Kept(Exception):
    sent = False


def lose(body: bytes, auth: str) -> bytes:
    raise Lost


def refuse(body: bytes, auth: str) -> bytes:
    raise Kept


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(echo, PaymeError), (echo_html, OutcomeUnknown), (lose, OutcomeUnknown), (refuse, NotSent)],
)
@pytest.mark.parametrize(
    "call",
    [
        pay,
        lambda payme: payme.cards.create(NUMBER, "0399", customer=PHONE),
        lambda payme: payme.cards.verify(SECRETS["token"], CODE),
        lambda payme: payme.cards.remove(SECRETS["token"]),
        lambda payme: payme.receipts.send(receipt(), PHONE),
        lambda payme: payme.call("cards.p2p", {"token": SECRETS["token"], "phone": PHONE}),
    ],
)
def test_a_failure_of_any_kind(answer, kind, call):
    assert_silent(raised(lambda: call(answering(answer))), kind)


def test_the_specification_s_classes():
    url, id_ = WORLD.sandbox.url, WORLD.sandbox.merchant_id
    WORLD.sandbox.faults.add("receipts.pay", when="after", action="drop", times=1)
    receipts = PaymeSubscribeReceipts(url, id_, KEY, timeout=1)
    lost = raised(lambda: receipts.receipts_pay(receipt(), SECRETS["token"], PHONE))
    assert_silent(lost, PaymeError)
    cards = PaymeSubscribeCards(url, id_)
    assert_silent(raised(lambda: cards.cards_create(NUMBER, "1")), InvalidArgument)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_payment_and_its_resolution_over_a_socket(when):
    WORLD.sandbox.faults.add("receipts.pay", when=when, action="drop", times=1)
    lost = raised(lambda: pay(WORLD.payme))
    assert_silent(lost, OutcomeUnknown)
    assert_silent(raised(lambda: WORLD.payme.receipts.resolve(lost, timeout=0.1)), OutcomeUnknown)


def test_an_interruption_in_the_middle_of_a_call():
    import signal

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    WORLD.sandbox.faults.add("receipts.pay", when="before", action="delay", delay_ms=400, times=1)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        error = raised(lambda: pay(WORLD.payme))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert_silent(error, KeyboardInterrupt)


def test_what_rich_prints():
    card = Card(NUMBER, "03/99", SECRETS["token"], recurrent=True, verify=False)
    payer = Payer(phone=PHONE, email=EMAIL, name="Aziza")
    for thing in (card, payer, [card], {"payer": payer}, WORLD.payme):
        shown = pretty_repr(thing)
        assert not [name for name, secret in SECRETS.items() if secret in shown], shown
    assert "860049******6478" in pretty_repr(card)


def test_swapped_arguments_do_not_reach_the_log(caplog):
    caplog.set_level(logging.DEBUG, "payme")
    raised(lambda: REFUSED["swapped"](WORLD.payme))
    raised(lambda: WORLD.payme.call("receipts.get", {"id": SECRETS["token"]}))
    assert SECRETS["token"] not in caplog.text
