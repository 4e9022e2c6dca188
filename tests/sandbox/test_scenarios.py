"""Each scenario, played over HTTP to the real client: what the merchant's program hears of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_tools import Caller

from payme import OutcomeUnknown, Payme, ReceiptState, Rejected
from payme.errors import CodeExpired, InsufficientFunds, MerchantUnavailable
from payme.sandbox import InvalidSetting, Sandbox, SandboxClock
from payme.sandbox.engine.faults import ACTIONS, WHENS
from payme.sandbox.scenarios import SCENARIOS, Scenario


class Shop:
    """A merchant's program, and the sandbox that it talks to."""

    def __init__(self, sandbox: Sandbox, name: str, timeout: float = 5) -> None:
        self.sandbox = sandbox
        self.scenario: Scenario = sandbox.play(name)
        self.payme = Payme(
            sandbox.merchant_id, sandbox.key, base_url=sandbox.url, timeout=timeout, max_attempts=1
        )

    def __enter__(self) -> "Shop":
        return self

    def __exit__(self, *_: object) -> None:
        self.payme.close()

    def bind(self) -> str:
        card = self.payme.cards.create(self.scenario.card, "0399")
        self.payme.cards.get_verify_code(card.token)
        return self.payme.cards.verify(card.token, "666666").token

    def order(self) -> str:
        return self.payme.receipts.create(self.scenario.amount, {"order_id": 1}).id


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(clock=SandboxClock(frozen=True)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


def test_the_seven_are_there_in_three_languages() -> None:
    assert set(SCENARIOS) == {
        "happy",
        "declined",
        "answer_lost_after_debit",
        "merchant_down",
        "slow",
        "cancel_after_perform",
        "otp_expired",
    }
    for scenario in SCENARIOS.values():
        lines = (scenario.uz, scenario.ru, scenario.en)
        assert len(set(lines)) == 3
        assert all(line.endswith(".") and "\n" not in line for line in lines)


def test_happy(sandbox: Sandbox) -> None:
    with Shop(sandbox, "happy") as shop:
        receipt = shop.payme.receipts.pay(shop.order(), shop.bind())
        assert (receipt.state, receipt.amount) == (ReceiptState.PAID, shop.scenario.amount)


def test_declined(sandbox: Sandbox) -> None:
    with Shop(sandbox, "declined") as shop:
        order, token = shop.order(), shop.bind()
        for _ in range(2):
            with pytest.raises(InsufficientFunds) as declined:
                shop.payme.receipts.pay(order, token)
        assert (declined.value.code, declined.value.receipt_id) == (-31630, order)
        assert shop.payme.receipts.check(order) == ReceiptState.CREATED
        assert sandbox.debits(order) == 0


def test_answer_lost_after_debit(sandbox: Sandbox) -> None:
    with Shop(sandbox, "answer_lost_after_debit") as shop:
        order, token = shop.order(), shop.bind()
        with pytest.raises(OutcomeUnknown) as lost:
            shop.payme.receipts.pay(order, token)
        assert lost.value.receipt_id == order
        assert sandbox.debits(order) == 1
        assert lost.value.resolve().is_paid
        assert shop.payme.receipts.pay(shop.order(), token).is_paid


def test_merchant_down(sandbox: Sandbox) -> None:
    order = sandbox.add_receipt()
    with Shop(sandbox, "merchant_down") as shop:
        with pytest.raises(MerchantUnavailable) as down:
            shop.order()
        assert down.value.code == -31622
        token = shop.bind()
        with pytest.raises(MerchantUnavailable):
            shop.payme.receipts.pay(order, token)
        assert sandbox.debits(order) == 0


def test_slow(sandbox: Sandbox) -> None:
    order, token = sandbox.add_receipt(), sandbox.add_card()
    with Shop(sandbox, "slow", timeout=0.15) as shop:
        with pytest.raises(OutcomeUnknown) as late:
            shop.payme.receipts.pay(order, token)
        assert late.value.sent == "maybe"
        assert sandbox.debits(order) == 1
    waits = {fault.rule.method: fault.rule.delay_ms for fault in sandbox.faults.list()}
    assert waits == {"receipts.pay": 12_000, "*": 3_000}


def test_cancel_after_perform(sandbox: Sandbox) -> None:
    with Shop(sandbox, "cancel_after_perform") as shop:
        order = shop.order()
        assert shop.payme.receipts.pay(order, shop.bind()).is_paid
        seen = [shop.payme.receipts.check(order)]
        for _ in range(2):
            sandbox.clock.advance("5s")
            seen.append(shop.payme.receipts.check(order))
        assert seen == [ReceiptState.PAID, ReceiptState.CANCEL_QUEUED, ReceiptState.CANCELLED]
        assert [entry.kind for entry in sandbox.ledger()] == ["debit", "refund"]


def test_otp_expired(sandbox: Sandbox) -> None:
    with Shop(sandbox, "otp_expired") as shop:
        with pytest.raises(CodeExpired) as late:
            shop.bind()
        assert late.value.code == -31101
        assert shop.payme.receipts.pay(shop.order(), shop.bind()).is_paid


@pytest.mark.parametrize("name", [*SCENARIOS])
def test_every_scenario_can_be_played_from_the_start_and_left(name: str) -> None:
    sandbox = Sandbox(scenario=name)
    assert len(sandbox.faults.list()) == len(SCENARIOS[name].faults)
    sandbox.play("happy")
    assert Caller(sandbox).paid()
    assert sandbox.config.cancel_paid_after_ms is None
    sandbox.stop()


def test_a_misspelt_scenario_names_them_all() -> None:
    with pytest.raises(InvalidSetting) as caught:
        Sandbox(scenario="sloww")
    assert caught.value.argument == "scenario"
    assert all(name in caught.value.expected for name in SCENARIOS)


def test_a_cancellation_that_was_missed_is_caught_up_with(sandbox: Sandbox) -> None:
    with Shop(sandbox, "cancel_after_perform") as shop:
        order = shop.order()
        paid = shop.payme.receipts.pay(order, shop.bind())
        sandbox.clock.advance("1h")
        receipt = shop.payme.receipts.get(order)
        assert receipt.state == ReceiptState.CANCELLED
        assert receipt.cancel_time == paid.pay_time + 10_000
        with pytest.raises(Rejected):
            shop.payme.receipts.pay(order, sandbox.add_card())


PAGE = Path(__file__).parents[2].joinpath("docs", "en", "sandbox.md").read_text(encoding="utf-8")


def test_the_page_names_every_action_and_moment() -> None:
    for name in (*ACTIONS, *WHENS):
        assert f"| `{name}` |" in PAGE


def test_the_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = [block.partition("```")[0] for block in PAGE.split("```python\n")[1:]]
    for example in examples:
        exec(example, {})
    assert "PAID 1" in capsys.readouterr().out
