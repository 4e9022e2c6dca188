"""What single cards do: set from Python, the control API and the command line."""

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from merchant_tools import Shop
from sandbox_tools import GOOD, Caller, Clock

from payme import OutcomeUnknown, Payme
from payme.errors import InsufficientFunds
from payme.sandbox import InvalidSetting, Sandbox, SandboxFault
from payme.sandbox.engine.testcards import OUTCOMES, KnownCards

OWN = "8600111122223333"


def refusal(caller: Caller, receipt: str, token: str) -> dict[str, Any]:
    return caller.call("receipts.pay", {"id": receipt, "token": token})["error"]


def bound(caller: Caller, number: str = OWN, expire: str = "0129") -> dict[str, Any]:
    card = {"number": number, "expire": expire}
    return caller.call("cards.create", {"card": card, "save": True})


def test_a_number_of_ones_own_is_bound_and_pays_with_any_expiry(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, cards={OWN: "pays"})
    caller = Caller(sandbox)
    made = bound(caller)["result"]["card"]
    assert (made["number"], made["expire"], made["verify"]) == ("860011******3333", "01/29", False)
    token = made["token"]
    caller.ok("cards.get_verify_code", token=token)
    caller.ok("cards.verify", token=token, code="666666")
    receipt = caller.receipt()
    paid = caller.ok("receipts.pay", id=receipt, token=token)["receipt"]
    assert (paid["state"], paid["card"]["expire"]) == (4, "2901")
    assert bound(Caller(Sandbox(clock=clock)))["error"]["code"] == -31300
    sandbox.stop()


def test_an_expiry_that_was_named_must_go_with_the_number(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, cards={f"{OWN}/0328": "pays"})
    caller = Caller(sandbox)
    assert bound(caller)["error"]["code"] == -31300
    assert "result" in bound(caller, expire="0328")
    sandbox.stop()


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        ("insufficient_funds", -31630, "Недостаточно средств на карте"),
        ("-31630", -31630, "Недостаточно средств на карте"),
        ("-31630 Лимит исчерпан", -31630, "Лимит исчерпан"),
        ("-31999", -31999, "Ошибка при списании средств с карты."),
        ("system_error", -32400, "System error."),
        ("expired", -31301, "Карта устарела"),
        ("blocked", -31301, "Карта заблокирована."),
        ("slow", -31630, "Ошибка при списании средств с карты."),
    ],
)
@pytest.mark.parametrize("with_merchant", [False, True])
def test_a_card_refuses_to_pay_with_the_code_that_was_asked_for(
    outcome: str, code: int, message: str, *, with_merchant: bool, clock: Clock
) -> None:
    merchant = Shop(clock) if with_merchant else None
    sandbox = Sandbox(clock=clock, merchant=merchant, merchant_pauses=())
    caller = Caller(sandbox)
    token, receipt = sandbox.add_card(number=OWN, outcome=outcome), caller.receipt()
    error = refusal(caller, receipt, token)
    assert (error["code"], error["message"]) == (code, message)
    assert sandbox.debits(receipt) == 0
    if with_merchant:
        stored = sandbox.receipt(receipt)
        assert stored is not None
        assert (stored.state, stored.error) == (50, error)
    else:
        assert caller.state(receipt) == 0
    sandbox.stop()


def test_a_card_that_asks_for_no_code_is_verified_when_it_is_bound(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, cards={OWN: "no_code"})
    caller = Caller(sandbox)
    made = bound(caller)["result"]["card"]
    assert made["verify"] is True
    receipt = caller.receipt()
    assert caller.ok("receipts.pay", id=receipt, token=made["token"])["receipt"]["state"] == 4
    assert sandbox.sent_sms() == []
    sandbox.stop()


@pytest.mark.parametrize("hold", [False, True])
def test_an_answer_that_is_lost_is_lost_after_the_money_moved(clock: Clock, *, hold: bool) -> None:
    sandbox = Sandbox(clock=clock)
    token = sandbox.add_card(number=OWN, outcome="answer_lost")
    receipt = sandbox.add_receipt(hold=hold)
    body = {"method": "receipts.pay", "params": {"id": receipt, "token": token, "hold": hold}}
    with pytest.raises(SandboxFault, match=r"860011\*{6}3333: the answer is lost") as lost:
        sandbox.handle(json.dumps(body).encode(), f"{sandbox.merchant_id}:{sandbox.key}")
    assert OWN not in str(lost.value)
    assert sandbox.debits(receipt) == 1
    assert Caller(sandbox).state(receipt) == (5 if hold else 4)
    sandbox.stop()


def test_the_client_finds_out_about_the_lost_answer_over_http() -> None:
    with (
        Sandbox() as sandbox,
        Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme,
    ):
        receipt = sandbox.add_receipt()
        token = sandbox.add_card(number=OWN, outcome="answer_lost")
        with pytest.raises(OutcomeUnknown) as lost:
            payme.receipts.pay(receipt, token)
        assert payme.receipts.resolve(lost.value).state == 4
        poor = sandbox.add_card(number=OWN, outcome="insufficient_funds")
        with pytest.raises(InsufficientFunds):
            payme.receipts.pay(sandbox.add_receipt(), poor)


def test_a_card_that_thinks_pays_all_the_same(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, slow_card_ms=3000)
    token, receipt = sandbox.add_card(number=OWN, outcome="slow_pays"), sandbox.add_receipt()
    body = json.dumps({"method": "receipts.pay", "params": {"id": receipt, "token": token}})
    with pytest.raises(SandboxFault, match="no answer within 2 seconds"):
        sandbox.handle(body.encode(), f"{sandbox.merchant_id}:{sandbox.key}", timeout=2)
    assert sandbox.debits(receipt) == 1
    sandbox.stop()


def test_an_outcome_that_is_set_later_is_that_of_tokens_that_are_bound(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock)
    caller = Caller(sandbox)
    token = caller.verified(GOOD)
    sandbox.known_cards.set(GOOD, "insufficient_funds")
    assert refusal(caller, caller.receipt(), token)["code"] == -31630
    sandbox.reset()
    assert caller.ok("receipts.pay", id=caller.receipt(), token=caller.verified(GOOD))
    sandbox.stop()


def test_a_reset_leaves_what_the_sandbox_was_made_with(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, cards={OWN: "blocked"})
    sandbox.known_cards.set(OWN, "pays")
    sandbox.reset()
    assert bound(Caller(sandbox))["error"]["code"] == -31301
    sandbox.stop()


def test_every_outcome_is_known_by_its_name() -> None:
    cards = KnownCards()
    for name, (behaviour, note) in OUTCOMES.items():
        card = cards.set_text(f" {OWN}/0328 = {name} ")
        assert (card.behaviour, card.note, card.expire) == (behaviour, note, "0328")
        assert OWN not in repr(card)


@pytest.mark.parametrize(
    ("line", "argument"),
    [
        ("8600", "card"),
        ("860011112222333=", "outcome"),
        (f"{OWN}=nonsense", "outcome"),
        (f"{OWN}=31630", "outcome"),
        (f"{OWN}=-1", "outcome"),
        (f"{OWN}=-31630x", "outcome"),
        ("8600 1111=pays", "card"),
        (f"{OWN}/1328=pays", "expire"),
        (f"{OWN}/=pays", "expire"),
    ],
)
def test_what_is_no_outcome_is_refused_by_name(line: str, argument: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        KnownCards().set_text(line)
    assert refused.value.argument == argument
    assert OWN not in str(refused.value)


@pytest.mark.parametrize("bad", [{7: "pays"}, {OWN: 7}, {OWN: None}])
def test_a_sandbox_is_not_made_with_what_is_no_outcome(bad: Any) -> None:
    with pytest.raises(InvalidSetting):
        Sandbox(cards=bad)


def test_there_is_an_end_to_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = KnownCards()
    monkeypatch.setattr("payme.sandbox.engine.testcards.MAX_CARDS", len(cards.all()) + 1)
    cards.set(OWN, "pays")
    cards.set(OWN, "blocked")
    with pytest.raises(InvalidSetting, match="at most"):
        cards.set("8600111122224444", "pays")


def test_the_control_api_sets_and_lists_outcomes() -> None:
    with Sandbox() as sandbox:
        address = sandbox.url.removeprefix("http://").removesuffix("/api")

        def ask(method: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
            connection = HTTPConnection(address, timeout=10)
            headers = {"Content-Type": "application/json"}
            connection.request(method, "/_sandbox/test_cards", json.dumps(body), headers)
            response = connection.getresponse()
            answer = response.status, json.loads(response.read())
            connection.close()
            return answer

        status, made = ask("POST", {"number": OWN, "outcome": "-31630 Лимит", "expire": "0328"})
        assert (status, made["code"], made["expire"]) == (200, -31630, "0328")
        listed = ask("GET")[1]["test_cards"]
        assert made in listed
        assert {"number": GOOD, "behaviour": "normal"}.items() <= listed[1].items()
        assert OWN not in json.dumps(listed)
        assert ask("POST", {"number": OWN})[0] == 400
        assert ask("POST", {"card": OWN})[1]["error"]["argument"] == "card"
        assert refusal(Caller(sandbox), sandbox.add_receipt(), sandbox.add_card(number=OWN)) == {
            "code": -31630,
            "message": "Лимит",
            "data": None,
        }


def test_the_dashboard_lists_what_the_sandbox_knows() -> None:
    with Sandbox(cards={OWN: "-31630"}) as sandbox:
        for language in ("en", "uz", "ru"):
            address = sandbox.url.removeprefix("http://").removesuffix("/api")
            connection = HTTPConnection(address, timeout=10)
            headers = {"Accept-Language": language}
            connection.request("GET", "/dashboard/cards", headers=headers)
            page = connection.getresponse().read().decode()
            connection.close()
            assert GOOD in page
            assert "860011******3333" in page
            assert "-31630" in page
            assert OWN not in page
