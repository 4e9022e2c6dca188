"""The grader finds nothing in a right endpoint, and each planted fault in a wrong one."""

import json
import threading
from contextlib import contextmanager
from xml.etree import ElementTree as ET

import pytest
from merchant_server import KEY, serving

from payme.conformance import grade
from payme.conformance.rules import RULES
from payme.errors import InvalidArgument
from payme.merchant.core import Order
from payme.merchant.service import Merchant
from payme.merchant.stores.memory import MemoryStore

AMOUNT = 50_000


class Shop:
    """One order, or one account that takes money any number of times."""

    def __init__(self, cumulative=False):
        self.state = "waiting"
        self.cumulative = cumulative

    def find(self, account):
        if account != {"order_id": 7}:
            return None
        amount = None if self.cumulative else AMOUNT
        return Order(id="7", amount=amount, state=self.state, cumulative=self.cumulative)

    def hook(self, event, transaction):
        if event != "released" and not self.cumulative:
            self.state = {"paid": "paid", "cancelled": "closed"}[event]


def merchant(shop=None):
    shop = shop or Shop()
    return Merchant(MemoryStore(shop.find, shop.hook), KEY)


@contextmanager
def graded(change=lambda incoming, body: body, **options):
    """Grade a right endpoint whose answers pass through a function."""
    endpoint = merchant(Shop(options.get("cumulative", False)))
    with serving(lambda incoming: change(incoming, endpoint.answer(incoming))) as url:
        yield grade(url, KEY, account={"order_id": 7}, amount=AMOUNT, timeout=5, **options)


@pytest.mark.parametrize("cumulative", [False, True])
def test_right_endpoint_keeps_every_rule(cumulative):
    with graded(cumulative=cumulative) as report:
        assert report.passed, report.text()
        looked_at = {rule.id for rule in report.rules}
        skipped = {"wrong-amount", "busy-order", "race-create", "paid-order"}
        assert looked_at == {rule.id for rule in RULES} - (skipped if cumulative else set())


def edit(**faults):
    """Make a change of answers: method -> function of (params, answer)."""

    def change(incoming, body):
        try:
            request = json.loads(incoming.body)
            fault = faults[request["method"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return body
        answer = json.loads(body)
        return json.dumps(fault(request["params"], answer) or answer).encode()

    return change


def stamp(member):
    """Give another time with every repetition."""
    counter = iter(range(10_000))

    def fault(params, answer):
        if "result" in answer:
            answer["result"][member] += next(counter)

    return fault


def put(**members):
    def fault(params, answer):
        if "result" in answer:
            answer["result"].update(members)

    return fault


def recode(old, new):
    def fault(params, answer):
        if answer.get("error", {}).get("code") == old:
            answer["error"]["code"] = new

    return fault


def drop_rows(params, answer):
    if "result" in answer:
        answer["result"]["transactions"] = []


def plain_message(params, answer):
    if "error" in answer:
        answer["error"]["message"] = "text"


def other_id(params, answer):
    answer["id"] = 0


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        ("auth-wrong", {"CheckTransaction": recode(-32504, -32400)}),
        ("auth-blank", {"CheckTransaction": recode(-32504, -31003)}),
        ("wrong-amount", {"CreateTransaction": recode(-31001, -31008)}),
        ("unknown-account", {"CheckPerformTransaction": recode(-31050, -31001)}),
        ("unknown-account", {"CheckPerformTransaction": plain_message}),
        ("check-perform", {"CheckPerformTransaction": put(allow=1)}),
        ("create", {"CreateTransaction": put(state="1")}),
        ("repeat-create", {"CreateTransaction": stamp("create_time")}),
        ("busy-order", {"CreateTransaction": recode(-31008, -31050)}),
        ("check-transaction", {"CheckTransaction": put(reason=0)}),
        ("cancel", {"CancelTransaction": put(state=-3)}),
        ("repeat-cancel", {"CancelTransaction": stamp("cancel_time")}),
        ("perform-cancelled", {"PerformTransaction": recode(-31008, -31003)}),
        ("perform", {"PerformTransaction": put(perform_time=0)}),
        ("repeat-perform", {"PerformTransaction": stamp("perform_time")}),
        ("unknown-transaction", {"CheckTransaction": recode(-31003, -32400)}),
        ("statement", {"GetStatement": drop_rows}),
        ("unknown-method", {"NoSuchMethod": recode(-32601, -32600)}),
    ],
)
def test_planted_fault_is_found(rule, faults):
    with graded(edit(**faults)) as report:
        assert rule in report.broken, report.text()
        assert not report.passed


def test_answer_for_another_id_is_noticed():
    with graded(edit(CheckPerformTransaction=other_id)) as report:
        assert "http-200" in report.broken


def test_blank_password_that_is_accepted_is_found():
    endpoint = merchant()

    def trusting(incoming):
        body = endpoint.answer(incoming)
        if json.loads(body).get("error", {}).get("code") != -32504:
            return body
        right = endpoint.answer(incoming._replace(authorization=None))
        return json.dumps({**json.loads(right), "error": {"code": -31003}}).encode()

    with serving(trusting) as url:
        report = grade(url, KEY, account={"order_id": 7}, amount=AMOUNT)
    assert {"auth-wrong", "auth-blank"} <= set(report.broken)


class Careless(Merchant):
    """Looks first and locks never: two simultaneous attempts both find the order free."""

    def __init__(self, shop):
        super().__init__(MemoryStore(shop.find, shop.hook), KEY)
        self.inside = threading.Barrier(2, timeout=0.2)

    def answer(self, incoming):
        answer = json.loads(super().answer(incoming))
        if b"CreateTransaction" in incoming.body:
            try:
                self.inside.wait()
            except threading.BrokenBarrierError:
                self.inside.reset()
            else:
                request = json.loads(incoming.body)
                result = {"create_time": 1_700_000_000_000, "transaction": "x", "state": 1}
                answer = {"id": request["id"], "result": result}
        return json.dumps(answer).encode()


def test_race_that_both_win_is_found():
    with serving(Careless(Shop()).answer) as url:
        report = grade(url, KEY, account={"order_id": 7}, amount=AMOUNT)
    assert "race-create" in report.broken


def test_endpoint_that_is_not_there_is_an_error_and_no_report():
    with pytest.raises(ConnectionError, match="payme does not answer"):
        grade("http://127.0.0.1:9/payme", KEY, account={"order_id": 7}, amount=1, timeout=1)


def test_endpoint_that_goes_away_meanwhile_breaks_the_rest_and_does_not_hang():
    endpoint, seen = merchant(), []

    def dying(incoming):
        seen.append(incoming)
        if len(seen) > 20:
            raise OSError("gone")
        return endpoint.answer(incoming)

    with serving(dying) as url:
        report = grade(url, KEY, account={"order_id": 7}, amount=AMOUNT, timeout=1)
    assert {"repeat-perform", "statement"} <= set(report.broken)
    assert "auth-wrong" not in report.broken


@pytest.mark.parametrize("status", [500, 404])
def test_other_status_than_200_is_found(status):
    endpoint = merchant()
    with serving(endpoint.answer, status=status) as url:
        report = grade(url, KEY, account={"order_id": 7}, amount=AMOUNT)
    assert "http-200" in report.broken


def test_report_speaks_three_languages_and_names_source_and_exchange():
    with graded(edit(GetStatement=drop_rows)) as report:
        assert "GetStatement davrdagi" in report.text("uz")
        assert "GetStatement отдаёт" in report.text("ru")
        text = report.text("en")
    assert "✗ statement: GetStatement lists every transaction" in text
    assert '"method":"GetStatement"' in text
    assert "confirmed: metody-merchant-api/getstatement" in text
    assert KEY not in text


def test_report_for_programs_and_for_ci():
    with graded(edit(GetStatement=drop_rows)) as report:
        graded_rules = {rule["id"]: rule for rule in report.json()["rules"]}
        assert graded_rules["statement"]["kept"] is False
        assert graded_rules["statement"]["broken"][0][0]["status"] == 200
        assert graded_rules["create"]["kept"] is True
        json.dumps(report.json())
        suite = ET.fromstring(report.junit("ru"))
    assert suite.attrib["failures"] == "1"
    failed = [case.attrib["name"] for case in suite if len(case)]
    assert failed == ["statement"]


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"url": "shop.uz"}, "url"),
        ({"account": {}}, "account"),
        ({"amount": 0}, "amount"),
    ],
)
def test_bad_input_is_refused_by_name(options, argument):
    arguments = {"url": "http://127.0.0.1:9", "account": {"order_id": 7}, "amount": 1, **options}
    with pytest.raises(InvalidArgument) as refused:
        grade(arguments.pop("url"), KEY, **arguments)
    assert refused.value.argument == argument


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_told_in_three_languages(rule):
    assert len(set(rule.text)) == 3
    assert all(rule.text)
