"""The grader's edges: what it sends, what ends it in one line, and what its report says."""

import html
import json
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from flawed_shop import AMOUNT, KEY, TEST_STAND, Shop, graded, serving_shop

from payme.conformance import PreflightError, Report, grade
from payme.conformance.access_checks import TEST_STAND as TRIED
from payme.conformance.exchange import Caller, HttpAnswer, NoAnswer, basic, shown_body
from payme.conformance.merchant_http import HttpTransport
from payme.conformance.rules import BY_ID, RULES
from payme.errors import InvalidArgument

ORDERS = [{"order_id": 1}, {"order_id": 2}]


@contextmanager
def serving_raw(answer):
    """Serve a function that writes to the socket itself."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with suppress(OSError):  # the grader has gone, as it should
                answer(self.wfile)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/payme"
        finally:
            server.shutdown()
            thread.join()


def status(line, *headers, body=b""):
    def answer(out):
        lines = [f"HTTP/1.0 {line}", f"Content-Length: {len(body)}", *headers, "", ""]
        out.write("\r\n".join(lines).encode() + body)

    return answer


# What is sent


def test_requests_look_like_those_of_the_test_stand():
    shop = Shop()
    graded(shop)
    verb, headers, body = next(
        one for one in shop.seen if one[1].get("Authorization") == basic(KEY)
    )
    assert verb == "POST"
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["Test-Operation"] == "Paycom"
    assert headers["Referer"] == "http://test.paycom.uz"
    assert "Firefox" in headers["User-Agent"]
    request = json.loads(body)
    assert request["jsonrpc"] == "2.0"
    assert isinstance(request["id"], int)
    printed = [head for _, head, _ in shop.seen if head["Content-Type"].startswith("text/json")]
    assert len(printed) == 1


def test_wrong_credentials_are_tried_without_the_header_of_the_test_stand():
    shop = Shop()
    graded(shop)
    wrong = [head for _, head, _ in shop.seen if head.get("Authorization") != basic(KEY)]
    bare = [head for head in wrong if "Test-Operation" not in head]
    assert len(bare) > len(wrong) / 2
    assert any("Test-Operation" in head for head in wrong)


def test_the_published_password_is_the_published_one():
    published = "Basic UGF5Y29tOlV6Y2FyZDpzb21lUmFuZG9tU3RyaW5nMTU0NTM0MzU0MzU0NQ=="
    assert basic(TRIED) == published == basic(TEST_STAND)


def test_another_login_is_used_when_it_is_given():
    shop = Shop()
    with serving_shop(shop) as url, pytest.raises(PreflightError, match="refuses the key"):
        grade(url, KEY, account=ORDERS, amount=AMOUNT, login="Somebody")
    assert shop.seen[0][1]["Authorization"] == basic(KEY, "Somebody")


def test_fresh_orders_are_taken_one_for_each_check():
    shop = Shop(orders=9)
    report = graded(shop)
    assert report.complete
    used = {one["order"] for one in shop.transactions.values()}
    assert len(used) >= 5


def test_orders_are_made_by_a_function(monkeypatch):
    monkeypatch.setattr("payme.conformance.endpoint.PAUSE_S", 0.01)
    shop, made = Shop(orders=0), []

    def make():
        made.append(len(made) + 1)
        shop.orders[made[-1]] = "waiting"
        return {"order_id": made[-1]}

    with serving_shop(shop) as url:
        report = grade(url, KEY, account=make, amount=AMOUNT)
    assert report.complete, report.text()
    assert len(made) >= 5


# What ends it in one line


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status("404 Not Found", body=b"<h1>Not Found</h1>"), "answers HTTP 404 with what is no"),
        (status("404 Not Found", body=b'{"detail":"Not Found"}'), "answers HTTP 404"),
        (status("500 Error", body=b"<h1>Error</h1>"), "answers HTTP 500"),
        (status("301 Moved", "Location: /payme/"), r"redirects \(HTTP 301\) to /payme/"),
        (status("200 OK", body=b"<h1>Log in</h1>"), "no answer of JSON-RPC: <h1>Log in</h1>"),
        (lambda out: time.sleep(1), "does not answer: no answer within 0.2 s"),
    ],
)
def test_what_is_no_endpoint_is_told_in_one_line(answer, said):
    with serving_raw(answer) as url, pytest.raises(PreflightError, match=said) as ended:
        grade(url, KEY, account=ORDERS, amount=AMOUNT, timeout=0.2 if "0.2 s" in said else 20)
    for language in ("uz", "ru", "en"):
        assert "\n" not in ended.value.text(language)


@pytest.mark.parametrize(
    ("flaws", "key", "amount", "closed", "said"),
    [
        ((), "another-key" * 3, AMOUNT, (), "refuses the key (-32504)"),
        ((), KEY, AMOUNT + 100, (), f"order_id=1 is not {AMOUNT + 100} tiyin"),
        ((), KEY, AMOUNT, (1,), "order order_id=1 does not wait"),
        ((), KEY, AMOUNT, (2,), "order order_id=2 does not wait"),
    ],
)
def test_wrong_key_amount_or_order_ends_it(flaws, key, amount, closed, said):
    shop = Shop(*flaws)
    for number in closed:
        shop.orders[number] = "closed"
    with serving_shop(shop) as url, pytest.raises(PreflightError) as ended:
        grade(url, key, account=ORDERS, amount=amount)
    assert said in str(ended.value)
    assert key not in str(ended.value)
    assert shop.transactions == {}
    assert len(shop.seen) <= 2


def test_endpoint_that_is_not_there_is_an_error_and_no_report():
    with pytest.raises(PreflightError, match="payme does not answer"):
        grade("http://127.0.0.1:9/payme", KEY, account=ORDERS, amount=1, timeout=1)


# Limits of an exchange


def drip(out):
    out.write(b"HTTP/1.0 200 OK\r\n\r\n")
    for _ in range(600):
        out.write(b" ")
        out.flush()
        time.sleep(0.05)


def drip_headers(out):
    out.write(b"HTTP/1.0 200 OK\r\n")
    for number in range(600):
        out.write(f"X-{number}: y\r\n".encode())
        out.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [drip, drip_headers])
def test_timeout_is_for_the_whole_exchange(answer):
    with serving_raw(answer) as url:
        transport = HttpTransport(url, 0.3)
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 0\.3 s"):
            transport.send("POST", {}, b"{}")
        assert time.monotonic() - began < 15
        transport.close()


def test_endless_answer_is_not_swallowed():
    sent = []

    def flood(out):
        out.write(b"HTTP/1.0 200 OK\r\nContent-Length: 763363328\r\n\r\n")
        for _ in range(728):
            out.write(b"[" * (1 << 20))
            sent.append(1)

    with serving_raw(flood) as url:
        caller = Caller(HttpTransport(url, 30), KEY)
        said = caller.call("CheckTransaction", {"id": "x"})
        caller.close()
    assert (said.status, said.response) == (0, b"the answer is longer than 8 MiB")
    assert len(sent) < 100


# The report


def paid_allowed():
    return graded(Shop("paid_allowed", escaped=True))


def test_report_has_expected_beside_got_the_page_and_the_exchange():
    text = paid_allowed().text("en")
    start = text.index("✗ paid-check: CheckPerformTransaction refuses a paid order. (money)")
    lines = text[start:].splitlines()
    assert lines[1] == "    expected: error.code = -31008 / -31050 … -31099"
    assert lines[2] == "    got: result"
    assert lines[3].startswith('    sent: {"jsonrpc":"2.0",')
    assert '"method":"CheckPerformTransaction"' in lines[3]
    assert lines[4].startswith('    came: HTTP 200 {"jsonrpc":"2.0",')
    page = "https://developer.help.paycom.uz/metody-merchant-api/checktransaction"
    assert lines[5] == f"    observed: {page}"
    assert text.endswith("61 rules kept, 1 broken, 1 not seen")
    assert KEY not in text


def test_escaped_texts_are_decoded():
    assert "Ошибка" in graded(Shop("refund_wrong_code", escaped=True)).text()
    assert shown_body(rb'{"message":"\u0417\u0430\u043a\u0430\u0437"}') == '{"message":"Заказ"}'


def test_report_speaks_three_languages():
    report = paid_allowed()
    assert (
        "✗ paid-check: CheckPerformTransaction toʻlangan buyurtmani rad etadi. (pul)"
        in report.text("uz")
    )
    assert "kutilgan: error.code" in report.text("uz")
    assert "? cumulative: " in report.text("ru")
    assert "не проверено: правило о накопительном счёте" in report.text("ru")
    assert report.text("ru").endswith("правил соблюдено: 61, нарушено: 1, не проверено: 1")


def test_without_the_kept_only_what_matters_is_listed():
    text = paid_allowed().text("en", kept=False)
    assert "✓" not in text
    assert "✗ paid-check" in text
    assert "? cumulative" in text


def test_report_for_programs():
    found = paid_allowed().json()
    json.dumps(found)
    rules = {rule["id"]: rule for rule in found["rules"]}
    assert found["passed"] is False
    assert len(rules) == len(RULES)
    assert rules["create"]["result"] == "kept"
    assert rules["cumulative"]["result"] == "unseen"
    assert rules["cumulative"]["why"]["en"].startswith("the rule is about cumulative")
    broken = rules["paid-check"]
    assert (broken["result"], broken["severity"]) == ("broken", "money")
    (compared,) = broken["broken"][0]["expected"]
    assert compared["got"] == "result"
    assert broken["broken"][0]["exchanges"][0]["status"] == 200


def test_report_for_ci_has_the_three_results():
    suite = ET.fromstring(paid_allowed().junit("ru"))
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("1", "1")
    assert suite.attrib["tests"] == str(len(RULES))
    cases = {case.attrib["name"]: case for case in suite}
    assert cases["paid-check"].find("failure").attrib["type"] == "money"
    assert "ожидалось: error.code" in cases["paid-check"].find("failure").text
    assert cases["cumulative"].find("skipped") is not None
    assert len(cases["create"]) == 0


def test_rule_that_no_check_came_to_is_not_seen():
    report = Report("http://shop.test/payme", ())
    assert {report.result(rule) for rule in RULES} == {"unseen"}
    assert len(report.unseen) == len(RULES)
    assert not report.complete
    assert "✓" not in report.text()


def test_style_fails_no_run():
    report = graded(Shop("get_405", "application_json_only", "no_type", "plain_message"))
    styles = {rule.id for rule in RULES if rule.severity == "style"}
    assert {"not-post", "text-json", "content-type", "error-message"} == set(report.broken) & styles
    assert set(report.broken) <= styles
    assert report.passed
    suite = ET.fromstring(report.junit())
    assert suite.attrib["failures"] == "0"
    assert len(suite.findall("testcase/system-out")) == 4


def test_key_that_an_endpoint_shows_is_masked_in_every_form():
    key = 'a"b/c&d?e<f' * 3

    slashed = json.dumps(key)[1:-1].replace("/", "\\/")
    forms = [key, html.escape(key), quote(key), json.dumps(key)[1:-1], slashed]

    class Careless:
        def send(self, verb, headers, body):
            raw = " ".join([headers["Authorization"], *forms])
            return HttpAnswer(500, "text/html", raw.encode())

        def close(self):
            pass

    said = Caller(Careless(), key).send(b"{}")
    assert said.response == b"Basic <key>" + b" <key>" * len(forms)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"url": "shop.uz"}, "url"),
        ({"url": "http://shop.uz/a b\n"}, "url"),
        ({"key": ""}, "key"),
        ({"key": "a\r\nb"}, "key"),
        ({"account": {}}, "account"),
        ({"account": []}, "account"),
        ({"account": [{"order_id": 1}, {}]}, "account"),
        ({"amount": 0}, "amount"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
    ],
)
def test_bad_input_is_refused_by_name(options, argument):
    given = {"url": "http://127.0.0.1:9", "key": KEY, "account": {"order_id": 7}, "amount": 1}
    given |= options
    with pytest.raises(InvalidArgument) as refused:
        grade(given.pop("url"), given.pop("key"), **given)
    assert refused.value.argument == argument


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_told_in_three_languages_with_a_full_address(rule):
    assert len(set(rule.text)) == 3
    assert all(rule.text)
    assert rule.url.startswith("https://developer.help.paycom.uz/")
    assert BY_ID[rule.id] is rule
