"""Several cash-boxes in one sandbox: each one's records and merchant are its own."""

import json
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from merchant_tools import HALF_DAY, Shop, shop_server
from sandbox_tools import GOOD, START, UNKNOWN_ID, Caller, Clock, Process, connect, post
from web_tools import Browser

from payme import checkout
from payme.sandbox import CashBox, InvalidSetting, Sandbox, SandboxError, UnknownArgument
from payme.sandbox.settings import CashBoxSettings

NO_CARD = -31400
NO_RECEIPT = -31602
ACCOUNT = {"order_id": 7}
FIELDS = {"order_id": "Order"}
BOOKS = {"merchant_name": "Books", "account_fields": FIELDS}


def writers() -> set[threading.Thread]:
    """The threads that write to files: each database that is open has one."""
    return {one for one in threading.enumerate() if one.name == "payme-sandbox-writer"}


class BoxCaller(Caller):
    """Calls one cash-box of a sandbox."""

    def __init__(self, sandbox: Sandbox, box: CashBox) -> None:
        super().__init__(sandbox)
        self.box = box
        self.front = box.merchant_id
        self.back = f"{box.merchant_id}:{box.key}"

    def receipt(self, amount: int = 50_000) -> str:
        return self.ok("receipts.create", amount=amount, account=ACCOUNT)["receipt"]["_id"]

    def paid(self, amount: int = 50_000) -> str:
        receipt_id = self.receipt(amount)
        self.ok("receipts.pay", id=receipt_id, token=self.box.add_card())
        return receipt_id


def callers(sandbox: Sandbox) -> tuple[BoxCaller, BoxCaller]:
    first, second = sandbox.cash_boxes
    return BoxCaller(sandbox, first), BoxCaller(sandbox, second)


@pytest.fixture
def pair(clock: Clock) -> Iterator[tuple[BoxCaller, BoxCaller]]:
    sandbox = Sandbox(clock=clock, cash_boxes=[BOOKS])
    yield callers(sandbox)
    sandbox.stop()


class TestWhatIsOnesOwn:
    def test_a_token_of_one_is_unknown_to_the_other(
        self, pair: tuple[BoxCaller, BoxCaller]
    ) -> None:
        for ours, other in (pair, pair[::-1]):
            token = ours.ok("cards.create", card={"number": GOOD, "expire": "0399"})["card"][
                "token"
            ]
            assert ours.ok("cards.check", token=token)["card"]["token"] == token
            assert other.no("cards.check", token=token)[0] == NO_CARD
            assert other.no("cards.get_verify_code", token=token)[0] == NO_CARD
            assert other.no("cards.remove", token=token)[0] == NO_CARD
            receipt = other.receipt()
            assert other.no("receipts.pay", id=receipt, token=ours.box.add_card())[0] == NO_CARD
            assert other.box.receipt(receipt).state == 0  # type: ignore[union-attr]
            assert ours.ok("cards.check", token=token)["card"]["token"] == token

    def test_a_receipt_of_one_is_unknown_to_the_other(
        self, pair: tuple[BoxCaller, BoxCaller]
    ) -> None:
        for ours, other in (pair, pair[::-1]):
            receipt = ours.receipt()
            for method in ("get", "check", "cancel", "confirm_hold"):
                assert other.no(f"receipts.{method}", id=receipt)[0] == NO_RECEIPT
            pay = other.no("receipts.pay", id=receipt, token=other.box.add_card())
            send = other.no("receipts.send", id=receipt, phone="998901304527")
            assert pay[0] == send[0] == NO_RECEIPT
            assert ours.ok("receipts.check", id=receipt) == {"state": 0}
            assert ours.box.debits(receipt) == other.box.debits(receipt) == 0

    def test_statement_ledger_cards_and_messages(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        first, second = pair
        ours, theirs = first.paid(10_000), second.paid(20_000)
        second.ok("receipts.send", id=theirs, phone="998901304527")
        period = {"from": START - 1, "to": START + 1, "count": 50, "offset": 0}
        for one, receipt, amount in ((first, ours, 10_000), (second, theirs, 20_000)):
            assert [row["_id"] for row in one.ok("receipts.get_all", **period)] == [receipt]
            assert [(row.receipt_id, row.amount) for row in one.box.ledger()] == [(receipt, amount)]
            assert [row.id for row in one.box.receipts()] == [receipt]
            assert len(one.box.cards()) == 1
        assert first.box.sent_sms() == []
        assert len(second.box.sent_sms()) == 1

    def test_the_sandbox_as_records_is_its_first_cash_box(
        self, pair: tuple[BoxCaller, BoxCaller]
    ) -> None:
        first, second = pair
        sandbox, receipt = first.sandbox, first.paid()
        second.paid()
        assert sandbox.first is first.box
        assert (sandbox.merchant_id, sandbox.key) == (first.box.merchant_id, first.box.key)
        assert [row.id for row in sandbox.receipts()] == [receipt]
        assert sandbox.ledger() == first.box.ledger()

    def test_whose_receipt_it_is(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        first, second = pair
        sandbox = first.sandbox
        assert sandbox.cash_box_of(first.receipt()) is first.box
        assert sandbox.cash_box_of(second.receipt()) is second.box
        assert sandbox.cash_box_of(UNKNOWN_ID) is None
        assert sandbox.cash_box(second.box.merchant_id) is second.box
        assert sandbox.cash_box("nobody") is None

    def test_account_fields_and_sums(self, clock: Clock) -> None:
        sandbox = Sandbox(clock=clock, account_fields={"phone": "Phone"}, min_amount=100)
        sandbox.add_cash_box(account_fields=FIELDS, max_amount=5_000)
        first, second = callers(sandbox)
        assert second.receipt(50)
        assert second.no("receipts.create", amount=5_001, account=ACCOUNT)[0] == -31612
        found = second.ok("receipts.get", id=second.receipt(50))["receipt"]["account"]
        assert [field["name"] for field in found] == ["order_id"]
        below = first.no("receipts.create", amount=50, account={"phone": "1"})
        assert below[0] == -31611
        sandbox.stop()


class TestCredentials:
    def test_the_keys_are_not_exchanged(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        first, second = pair
        body = {"amount": 1000, "account": ACCOUNT}
        for ours, other in (pair, pair[::-1]):
            mixed = f"{ours.front}:{other.back.partition(':')[2]}"
            answer = ours.call("receipts.create", body, auth=mixed)
            assert answer["error"]["code"] == -32504
        assert first.box.receipts() == second.box.receipts() == []

    @pytest.mark.parametrize("auth", [UNKNOWN_ID, f"{UNKNOWN_ID}:key", "", ":", None])
    def test_an_id_of_no_cash_box(
        self, pair: tuple[BoxCaller, BoxCaller], auth: str | None
    ) -> None:
        sandbox = pair[0].sandbox
        body = b'{"method":"cards.check","params":{"token":"x"}}'
        assert json.loads(sandbox.handle(body, auth))["error"]["data"] == "invalid_id"
        assert sandbox.traffic.entries()[0].cash_box == ""

    def test_an_id_is_given_once(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        sandbox = pair[0].sandbox
        for box in sandbox.cash_boxes:
            with pytest.raises(InvalidSetting, match="no other cash-box"):
                sandbox.add_cash_box(merchant_id=box.merchant_id)
        assert len(sandbox.cash_boxes) == 2
        with pytest.raises(InvalidSetting, match="no other cash-box"):
            Sandbox(merchant_id="one", cash_boxes=[{"merchant_id": "one"}])

    @pytest.mark.parametrize(
        ("options", "argument"),
        [
            ({"merchant_id": "a:b"}, "merchant_id"),
            ({"merchant_id": ""}, "merchant_id"),
            ({"merchant_id": 5}, "merchant_id"),
            ({"key": "ключ"}, "key"),
            ({"merchant_name": "two\nlines"}, "merchant_name"),
            ({"merchant_name": " "}, "merchant_name"),
            ({"min_amount": 2, "max_amount": 1}, "min_amount"),
            ({"max_amount": True}, "max_amount"),
            ({"account_fields": ["order_id"]}, "account_fields"),
            ({"account_fields": {"order_id": 5}}, "account_fields['order_id']"),
            ({"account_fields": {"order_id": {"kk": "x"}}}, "account_fields['order_id']"),
            ({"merchant_url": "ftp://shop"}, "merchant_url"),
            ({"merchant_url": 5}, "merchant_url"),
            ({"merchant_url": "http://shop/", "merchant": print}, "merchant"),
            ({"merchant": "http://shop/"}, "merchant"),
            ({"merchant_key": 5}, "merchant_key"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, options: dict[str, Any], argument: str) -> None:
        with Sandbox() as sandbox:
            with pytest.raises(InvalidSetting) as caught:
                sandbox.add_cash_box(**options)  # type: ignore[arg-type]
            assert caught.value.argument == argument
            assert len(sandbox.cash_boxes) == 1
        with pytest.raises(InvalidSetting) as caught:
            Sandbox(cash_boxes=[options])
        assert caught.value.argument == argument
        with pytest.raises(InvalidSetting) as caught:
            Sandbox(**options)
        assert caught.value.argument == argument

    def test_an_unknown_option_is_told_with_those_that_there_are(self) -> None:
        with pytest.raises(UnknownArgument) as caught, Sandbox() as sandbox:
            sandbox.add_cash_box(nickname="Books")  # type: ignore[call-arg]
        assert str(caught.value).startswith("unknown argument 'nickname'; expected one of ")
        assert "merchant_url" in str(caught.value)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.argument) == (str(caught.value), "nickname")
        with pytest.raises(UnknownArgument, match="'keyy'"):
            Sandbox(keyy="secret")  # type: ignore[call-arg]
        with pytest.raises(InvalidSetting, match="cash_boxes"):
            Sandbox(cash_boxes=["Books"])  # type: ignore[list-item]

    def test_no_key_is_shown(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        first, second = pair
        sandbox = first.sandbox
        secret = second.box.key
        first.call("receipts.create", {"amount": 1, "account": ACCOUNT, "description": secret})
        shown = [repr(second.box), repr(second.box.settings), repr(second.box.complete_settings)]
        shown += [repr(sandbox.settings), repr(sandbox.traffic.entries())]
        assert not [text for text in shown if secret in text]


class TestOneLine:
    def test_all_that_it_can_hold(self) -> None:
        box = CashBoxSettings.from_text(
            "id=books key=s=e=c 'name=Book shop' min_amount=100 max_amount=5000 "
            "merchant_url=http://shop/?a=b merchant_key=k account.order_id=Order account.x='A b'"
        )
        assert box == CashBoxSettings(
            merchant_id="books",
            key="s=e=c",
            merchant_name="Book shop",
            min_amount=100,
            max_amount=5_000,
            merchant_url="http://shop/?a=b",
            merchant_key="k",
            account_fields={"order_id": "Order", "x": "A b"},
        )
        assert CashBoxSettings.from_text("") == CashBoxSettings()

    @pytest.mark.parametrize(
        ("line", "argument"),
        [
            ("books", "cash_box"),
            ("id=a id=b", "cash_box"),
            ("'name=Book", "cash_box"),
            ("nickname=x", "nickname"),
            ("merchant=os.system", "merchant"),
            ("min_amount=1.5", "min_amount"),
            ("min_amount=-1", "min_amount"),
            ("max_amount=" + "9" * 5_000, "max_amount"),
            ("max_amount=9999999999999999", "max_amount"),
            ("account.=x", "account_fields['']"),
            ("id=a:b", "merchant_id"),
        ],
    )
    def test_what_it_refuses(self, line: str, argument: str) -> None:
        with pytest.raises(InvalidSetting) as caught:
            CashBoxSettings.from_text(line)
        assert caught.value.argument == argument

    def test_a_key_in_a_line_that_can_not_be_read_is_not_shown(self) -> None:
        with pytest.raises(InvalidSetting) as caught:
            CashBoxSettings.from_text("books key=swordfish")
        assert "swordfish" not in str(caught.value)


class TestMerchants:
    def test_each_has_its_own(self, clock: Clock) -> None:
        shops = [Shop(clock), Shop(clock)]
        sandbox = Sandbox(clock=clock, merchant=shops[0])
        sandbox.add_cash_box(merchant=shops[1], merchant_key="swordfish")
        shops[1].password = "swordfish"
        first, second = callers(sandbox)
        ours, theirs = first.paid(), second.paid(60_000)
        for one, shop, receipt in ((first, shops[0], ours), (second, shops[1], theirs)):
            assert [*shop.transactions] == [receipt]
            assert [row.receipt_id for row in one.box.merchant.ledger()] == [receipt]
            assert {row.receipt_id for row in one.box.merchant.exchanges()} == {"", receipt}
            assert one.box.merchant.reconcile() == []
        assert [row.amount for row in shops[1].transactions.values()] == [60_000]
        sandbox.stop()

    def test_one_with_and_one_without(self, clock: Clock) -> None:
        shop = Shop(clock)
        sandbox = Sandbox(clock=clock, cash_boxes=[{"merchant": shop}])
        first, second = callers(sandbox)
        first.paid()
        assert shop.calls == []
        assert not first.box.merchant.asked
        second.paid()
        assert shop.calls
        sandbox.stop()

    def test_the_clock_takes_up_what_is_due_at_each(self) -> None:
        source = Clock()
        shops = [Shop(source), Shop(source)]
        sandbox = Sandbox(clock=source, merchant=shops[0], merchant_pauses=())
        sandbox.add_cash_box(merchant=shops[1])
        pair = callers(sandbox)
        for shop in shops:
            shop.clock = sandbox.clock
            shop.fail("PerformTransaction", "refused", "refused")
        receipts = [one.paid() for one in pair]
        states = [one.box.receipt(receipt) for one, receipt in zip(pair, receipts, strict=True)]
        assert [row.state for row in states if row] == [30, 30]
        sandbox.clock.advance(HALF_DAY * 2)
        for one, shop, receipt in zip(pair, shops, receipts, strict=True):
            assert one.box.receipt(receipt).state == 4  # type: ignore[union-attr]
            assert shop.transactions[receipt].state == 2
            assert one.box.debits(receipt) == 1
        sandbox.stop()

    def test_what_one_keeps_secret_another_ones_exchanges_do_not_show(self, clock: Clock) -> None:
        box_key = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
        sandbox = Sandbox(clock=clock, cash_boxes=[{"key": box_key}])
        shop = Shop(clock)
        shop.fail("CheckPerformTransaction", (500, f"no: {box_key}".encode()))
        third = sandbox.add_cash_box(merchant=shop)
        BoxCaller(sandbox, third).no("receipts.create", amount=1000, account=ACCOUNT)
        (exchange,) = third.merchant.exchanges()
        assert exchange.text.startswith("no: ")
        assert box_key not in repr(exchange)
        sandbox.stop()


class TestShared:
    def test_a_fault_strikes_every_cash_box(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        first, second = pair
        first.sandbox.faults.add("receipts.create", action="rpc_error", code=-31001, times=2)
        for one in pair:
            assert one.no("receipts.create", amount=1000, account=ACCOUNT)[0] == -31001
        assert first.receipt()
        assert second.receipt()

    def test_a_scenario_is_played_at_every_cash_box(
        self, pair: tuple[BoxCaller, BoxCaller]
    ) -> None:
        sandbox = pair[0].sandbox

        def queued() -> list[int]:
            return [box.config.cancel_after_ms for box in sandbox.cash_boxes]

        sandbox.cors = False
        sandbox.add_cash_box()
        assert [box.config.cors for box in sandbox.cash_boxes] == [False] * 3
        sandbox.play("cancel_after_perform")
        assert [box.config.cors for box in sandbox.cash_boxes] == [True] * 3
        sandbox.add_cash_box()
        assert queued() == [5_000] * 4
        sandbox.play("happy")
        assert queued() == [1_000] * 4
        sandbox.play("cancel_after_perform")
        sandbox.reset()
        sandbox.add_cash_box()
        assert queued() == [1_000] * 5

    def test_the_traffic_is_filtered_by_cash_box(self, pair: tuple[BoxCaller, BoxCaller]) -> None:
        first, second = pair
        ours, theirs = first.receipt(), second.receipt()
        traffic = first.sandbox.traffic
        assert [row.receipt_id for row in traffic.entries()] == [theirs, ours]
        for one, receipt in ((first, ours), (second, theirs)):
            (row,) = traffic.entries(cash_box=one.box.merchant_id)
            assert (row.receipt_id, row.cash_box) == (receipt, one.box.merchant_id)

    def test_reset_empties_all_and_keeps_them(self, clock: Clock) -> None:
        sandbox = Sandbox(clock=clock, seed=5, cash_boxes=[{"merchant_name": "Books"}])
        added = sandbox.add_cash_box(merchant_name="Coffee")
        boxes = sandbox.cash_boxes
        before = [(box.merchant_id, box.key, box.name) for box in boxes]
        made = [BoxCaller(sandbox, box).paid() for box in boxes]
        assert len({*made}) == 3
        sandbox.reset()
        assert sandbox.cash_boxes == boxes
        assert [(box.merchant_id, box.key, box.name) for box in boxes] == before
        assert added.receipts() == added.ledger() == added.cards() == []
        assert [BoxCaller(sandbox, box).paid() for box in boxes] == made
        sandbox.stop()

    def test_with_a_seed_every_run_is_the_same(self, clock: Clock) -> None:
        found = []
        for _ in range(2):
            sandbox = Sandbox(clock=clock, seed=5, cash_boxes=[{}])
            first, second = callers(sandbox)
            found.append((first.back, second.back, first.receipt(), second.receipt()))
            sandbox.stop()
        assert found[0] == found[1]
        assert len({*found[0]}) == 4


class TestWithAFile:
    def options(self, tmp_path: Path, clock: Clock) -> dict[str, Any]:
        return {"db": tmp_path / "sandbox.db", "clock": clock}

    def test_they_come_back(self, tmp_path: Path, clock: Clock) -> None:
        options = self.options(tmp_path, clock)
        sandbox = Sandbox(**options, cash_boxes=[BOOKS])
        sandbox.add_cash_box(merchant_id="coffee", key="beans", max_amount=5_000)
        boxes = [(box.merchant_id, box.key, box.name) for box in sandbox.cash_boxes]
        made = [BoxCaller(sandbox, box).paid(4_000) for box in sandbox.cash_boxes]
        sandbox.stop()
        for _ in range(2):
            sandbox = Sandbox(**options)
            assert [(box.merchant_id, box.key, box.name) for box in sandbox.cash_boxes] == boxes
            found = [[row.id for row in box.receipts()] for box in sandbox.cash_boxes]
            assert found == [[receipt] for receipt in made]
            first, books, coffee = sandbox.cash_boxes
            assert books.config.account_fields == FIELDS
            assert (first.config.max_amount, coffee.config.max_amount) == (None, 5_000)
            assert [box.debits(one) for box, one in zip(sandbox.cash_boxes, made, strict=True)] == [
                1,
                1,
                1,
            ]
            sandbox.stop()
        assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".db") == [
            "sandbox.2.db",
            "sandbox.3.db",
            "sandbox.db",
        ]

    def test_a_program_that_is_started_again_finds_its_own(
        self, tmp_path: Path, clock: Clock
    ) -> None:
        options = self.options(tmp_path, clock)
        given = [{"merchant_name": "Books"}, {"merchant_id": "coffee", "min_amount": 100}]
        sandbox = Sandbox(**options, cash_boxes=given)
        boxes = [(box.merchant_id, box.key, box.number) for box in sandbox.cash_boxes]
        sandbox.stop()
        given = [
            {"merchant_id": "coffee", "min_amount": 200},
            {"merchant_name": "Books"},
            {"merchant_name": "New"},
        ]
        sandbox = Sandbox(**options, cash_boxes=given)
        found = [(box.merchant_id, box.key, box.number) for box in sandbox.cash_boxes]
        assert found[:3] == boxes
        assert [box.name for box in sandbox.cash_boxes] == ["test", "Books", "test", "New"]
        assert sandbox.cash_boxes[2].config.min_amount == 200
        sandbox.stop()
        with Sandbox(**options) as sandbox:
            assert len(sandbox.cash_boxes) == 4
            assert sandbox.cash_boxes[2].config.min_amount == 200

    def test_another_key_than_the_stored_one(self, tmp_path: Path, clock: Clock) -> None:
        options = self.options(tmp_path, clock)
        Sandbox(**options, cash_boxes=[{"merchant_id": "coffee", "key": "beans"}]).stop()
        with pytest.raises(SandboxError, match="belongs to another key"):
            Sandbox(**options, cash_boxes=[{"merchant_id": "coffee", "key": "tea"}])
        with Sandbox(**options) as sandbox:
            assert sandbox.cash_boxes[1].key == "beans"

    def test_a_file_that_nobody_knows_is_left_alone(self, tmp_path: Path, clock: Clock) -> None:
        other = tmp_path / "sandbox.2.db"
        other.write_text("a letter")
        options = self.options(tmp_path, clock)
        with Sandbox(**options, cash_boxes=[{"merchant_name": "Books"}]) as sandbox:
            assert sandbox.cash_boxes[1].number == 3
        assert other.read_text() == "a letter"

    def test_a_damaged_file_is_named(self, tmp_path: Path, clock: Clock) -> None:
        options = self.options(tmp_path, clock)
        Sandbox(**options, cash_boxes=[{"merchant_name": "Books"}]).stop()
        for path in tmp_path.glob("sandbox.2.db-*"):
            path.unlink()
        (tmp_path / "sandbox.2.db").write_bytes(b"not a database" * 100)
        before = writers()
        with pytest.raises(SandboxError, match=r"sandbox\.2\.db"):
            Sandbox(**options)
        assert writers() == before

    def test_one_that_can_not_be_registered_is_not_there(
        self, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Sandbox(**self.options(tmp_path, clock)) as sandbox:

            def full(_name: str, _value: str) -> None:
                raise SandboxError("the sandbox's database failed: database or disk is full")

            monkeypatch.setattr(sandbox.first, "keep_setting", full)
            before = writers()
            with pytest.raises(SandboxError, match="disk is full"):
                sandbox.add_cash_box(merchant_id="coffee")
            assert writers() == before
            assert len(sandbox.cash_boxes) == 1
            assert sandbox.clock.advance("1h")
            body = b'{"method":"cards.check","params":{"token":"x"}}'
            assert json.loads(sandbox.handle(body, "coffee"))["error"]["code"] == -32504


class TestRunning:
    def test_over_http(self) -> None:
        with Sandbox(cash_boxes=[{"merchant_name": "Books"}]) as sandbox:
            sandbox.add_cash_box(merchant_name="Coffee")
            made = []
            for box in sandbox.cash_boxes:
                body = {"method": "receipts.create", "params": {"amount": 500, "account": ACCOUNT}}
                auth = f"{box.merchant_id}:{box.key}"
                answer = post(sandbox, json.dumps(body).encode(), auth)
                made.append(answer["result"]["receipt"]["_id"])
            for box, receipt in zip(sandbox.cash_boxes, made, strict=True):
                assert [row.id for row in box.receipts()] == [receipt]
            body = {"method": "receipts.check", "params": {"id": made[0]}}
            answer = post(sandbox, json.dumps(body).encode(), auth)
            assert answer["error"]["code"] == NO_RECEIPT

    def test_a_merchant_of_a_cash_box_that_was_added_late_is_asked_by_itself(self) -> None:
        with Sandbox(merchant_pauses=()) as sandbox:
            shop = Shop(sandbox.clock)
            shop.fail("PerformTransaction", "refused")
            with shop_server(shop) as url:
                box = sandbox.add_cash_box(merchant_url=url)
                receipt = BoxCaller(sandbox, box).paid()
                assert shop.transactions[receipt].state == 1
                sandbox.clock.shift("2m")
                ends = time.monotonic() + 10
                while shop.transactions[receipt].state == 1 and time.monotonic() < ends:
                    time.sleep(0.02)
                assert shop.transactions[receipt].state == 2

    def test_many_threads_add_at_once(self, tmp_path: Path) -> None:
        with Sandbox(db=tmp_path / "sandbox.db") as sandbox:
            with ThreadPoolExecutor(8) as pool:
                boxes = [*pool.map(lambda n: sandbox.add_cash_box(merchant_name=str(n)), range(8))]
            assert len({box.merchant_id for box in boxes}) == 8
            assert {*boxes} == {*sandbox.cash_boxes[1:]}
            for box in boxes:
                assert BoxCaller(sandbox, box).paid()
        with Sandbox(db=tmp_path / "sandbox.db") as sandbox:
            assert {box.name for box in sandbox.cash_boxes[1:]} == {str(n) for n in range(8)}

    def test_after_the_stop(self) -> None:
        sandbox = Sandbox()
        sandbox.stop()
        with pytest.raises(SandboxError, match="closed"):
            sandbox.add_cash_box()

    def test_the_default_stays_one(self, sandbox: Sandbox) -> None:
        assert sandbox.cash_boxes == (sandbox.first,)


class TestControl:
    def send(self, sandbox: Sandbox, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = connect(sandbox)
        try:
            text = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(verb, f"/_sandbox/{path}", text, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def test_add_list_and_look_into(self) -> None:
        with Sandbox(account_fields=FIELDS) as sandbox:
            new = {
                "merchant_id": "coffee",
                "key": "beans",
                "merchant_name": "Coffee",
                "min_amount": 100,
            }
            status, made = self.send(sandbox, "POST", "cash_boxes", new)
            assert (status, made) == (
                201,
                {
                    "merchant_id": "coffee",
                    "merchant_name": "Coffee",
                    "account_fields": {},
                    "min_amount": 100,
                    "max_amount": None,
                    "merchant": False,
                },
            )
            status, listed = self.send(sandbox, "GET", "cash_boxes")
            assert [row["merchant_id"] for row in listed["cash_boxes"]] == [
                sandbox.merchant_id,
                "coffee",
            ]
            assert "beans" not in json.dumps([made, listed])
            assert sandbox.key not in json.dumps(listed)
            first, second = callers(sandbox)
            ours, theirs = first.paid(), second.paid()
            for query, receipt in (("", ours), ("?cash_box=coffee", theirs)):
                for path, name in (("receipts", "id"), ("ledger", "receipt_id")):
                    _, found = self.send(sandbox, "GET", f"{path}{query}")
                    assert [row[name] for row in found[path]] == [receipt]
                _, found = self.send(sandbox, "GET", f"cards{query}")
                assert len(found["cards"]) == 1

    @pytest.mark.parametrize(
        "path", ["receipts", "cards", "sms", "ledger", "exchanges", "difference"]
    )
    def test_an_unknown_cash_box(self, path: str) -> None:
        with Sandbox() as sandbox:
            status, answer = self.send(sandbox, "GET", f"{path}?cash_box=nobody")
            assert (status, "no cash-box" in answer["error"]["message"]) == (404, True)
            assert self.send(sandbox, "GET", f"{path}?cash_box={sandbox.merchant_id}")[0] == 200

    @pytest.mark.parametrize(
        ("body", "argument"),
        [
            ({}, "key"),
            ({"key": "k", "merchant": "os.system"}, "merchant"),
            ({"key": "k", "nickname": "x"}, "nickname"),
            ({"key": "k", "merchant_url": 5}, "merchant_url"),
            ({"key": "k", "min_amount": "1"}, "min_amount"),
            ({"key": ["k"]}, "key"),
        ],
    )
    def test_what_it_refuses(self, body: dict[str, Any], argument: str) -> None:
        with Sandbox() as sandbox:
            status, answer = self.send(sandbox, "POST", "cash_boxes", body)
            assert (status, answer["error"]["argument"]) == (400, argument)
            assert len(sandbox.cash_boxes) == 1


class TestPages:
    def test_a_payer_pays_at_the_cash_box_of_the_link(self) -> None:
        with Sandbox(merchant_name="Bakery", cash_boxes=[BOOKS]) as sandbox:
            first, books = sandbox.cash_boxes
            address = checkout.link(books.merchant_id, ACCOUNT, 500_000, base_url=sandbox.url)
            browser = Browser(sandbox)
            page = browser.get(address)
            assert "Books" in page.text
            assert "Bakery" not in page.text
            page = browser.submit(page, "/card", number=GOOD, expire="03/99")
            page = browser.submit(page, "/code", code="666666")
            (receipt,) = books.receipts()
            assert receipt.state == 4
            assert (len(books.ledger()), len(books.cards())) == (1, 1)
            assert first.receipts() == first.cards() == []

    def test_the_dashboard_shows_and_pays_any_receipt(self) -> None:
        with Sandbox(cash_boxes=[BOOKS]) as sandbox:
            first, books = sandbox.cash_boxes
            receipt = books.add_receipt()
            browser = Browser(sandbox)
            page = browser.get(f"/dashboard/receipts/{receipt}")
            assert receipt in page.text
            browser.submit(page, "/pay", card=GOOD)
            assert books.receipt(receipt).state == 4  # type: ignore[union-attr]
            assert first.cards() == []

    def test_a_link_of_no_cash_box(self) -> None:
        with Sandbox(cash_boxes=[BOOKS]) as sandbox:
            page = Browser(sandbox).get(
                checkout.link(UNKNOWN_ID, ACCOUNT, 500_000, base_url=sandbox.url)
            )
            assert page.status == 422
            assert not [box.receipts() for box in sandbox.cash_boxes if box.receipts()]


class TestCommandLine:
    def test_it_serves_them_and_brings_them_back(self, tmp_path: Path) -> None:
        file = str(tmp_path / "sandbox.db")
        line = "id=books key=secret 'name=Book shop' account.order_id=Order max_amount=5000"
        create = {"method": "receipts.create", "params": {"amount": 500, "account": ACCOUNT}}
        with Process("--port", "0", "--db", file, "--cash-box", line) as process:
            assert "Cash-box Book shop" in process.banner
            answer = process.post(json.dumps(create).encode(), "books:secret")
            receipt = answer["result"]["receipt"]["_id"]
            assert process.stop()[0] == 0
        check = {"method": "receipts.check", "params": {"id": receipt}}
        with Process("--port", "0", "--db", file) as process:
            assert "Cash-box Book shop" in process.banner
            answer = process.post(json.dumps(check).encode(), "books:secret")
            assert answer["result"] == {"state": 0}

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            (["nickname=x"], "unknown argument 'nickname'"),
            (["id=a", "id=a"], "no other cash-box"),
        ],
    )
    def test_what_makes_no_sense_ends_it_with_a_line(self, lines: list[str], said: str) -> None:
        options = [part for line in lines for part in ("--cash-box", line)]
        with Process("--port", "0", *options, ready="") as process:
            code, _, err = process.finish()
        assert code == 2
        assert said in " ".join(err.split())
        assert "Traceback" not in err
