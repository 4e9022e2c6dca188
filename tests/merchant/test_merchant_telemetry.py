"""What the log and OpenTelemetry are told of each request."""

import asyncio
import json
import logging

import pytest
from scenarios import AUTH, KEY, START, MemoryShop, number
from test_key_rotation import InLoop

from payme.merchant import AsyncMerchant, Incoming, MemoryStore, Merchant

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from payme.telemetry import Telemetry

PHONE = "998901304527"


class Collected:
    """Spans and metrics, kept in memory."""

    def __init__(self):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        self.telemetry = Telemetry(self.tracers, meters)

    def spans(self):
        return self.exporter.get_finished_spans()

    def points(self, name):
        found = self.reader.get_metrics_data()
        return [
            point
            for resource in found.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def collected():
    return Collected()


@pytest.fixture
def shop(collected):
    shop = MemoryShop()
    shop.merchant = Merchant(
        shop.merchant._store, KEY, clock=lambda: shop.now, telemetry=collected.telemetry
    )
    return shop


def test_each_request_is_a_span(shop, collected):
    shop.create(1)
    shop.create(2)
    created, refused = collected.spans()
    assert (created.name, created.kind) == ("CreateTransaction", SpanKind.SERVER)
    assert created.attributes == {
        "rpc.system.name": "jsonrpc",
        "rpc.method": "CreateTransaction",
        "jsonrpc.protocol.version": "2.0",
        "payme.transaction.id": number(1),
    }
    assert created.status.status_code is StatusCode.UNSET
    assert refused.attributes["rpc.response.status_code"] == "-31008"
    assert refused.attributes["error.type"] == "-31008"
    assert refused.status.status_code is StatusCode.ERROR
    assert created.end_time >= created.start_time


def test_cash_box_is_named_where_there_are_several(shop, collected):
    shop.merchant._box = "5e730e8e0b852a417aa49ceb"
    shop.check(1)
    assert collected.spans()[0].attributes["payme.cash_box.id"] == "5e730e8e0b852a417aa49ceb"


def test_requests_are_counted_and_measured_by_method_and_outcome(shop, collected):
    for count in (1, 1, 2):
        shop.create(count)
    points = collected.points("payme.merchant.requests")
    counted = {point.attributes.get("error.type"): point.value for point in points}
    assert counted == {None: 2, "-31008": 1}
    assert {point.attributes["rpc.method"] for point in points} == {"CreateTransaction"}
    seconds = collected.points("rpc.server.call.duration")
    assert sum(point.count for point in seconds) == 3
    assert all(0 < point.sum < 5 for point in seconds)
    assert seconds[0].explicit_bounds[0] == 0.005
    # Ids would make a series for each payment.
    assert not any("transaction" in name for point in points for name in point.attributes)


def test_failure_of_the_shop_is_named_and_its_text_is_not(shop, collected):
    shop.create(1)
    shop.fails = LookupError(f"no goods for {PHONE}")
    shop.perform(1)
    span = collected.spans()[-1]
    assert span.attributes["error.type"] == "LookupError"
    assert span.attributes["rpc.response.status_code"] == "-32400"
    assert span.events == ()
    assert PHONE not in span.to_json()


def test_spans_of_the_shop_are_children_of_the_request(shop, collected):
    tracer = collected.tracers.get_tracer("shop")
    hook = shop.find

    def find(account):
        with tracer.start_as_current_span("SELECT"):
            return hook(account)

    shop.merchant._store._shop.orders.find = find
    with tracer.start_as_current_span("POST /payme") as http:
        shop.create(1)
    spans = {span.name: span for span in collected.spans()}
    request = spans["CreateTransaction"]
    assert spans["SELECT"].parent.span_id == request.context.span_id
    assert request.parent.span_id == http.get_span_context().span_id
    assert trace.get_current_span().get_span_context().is_valid is False


def test_requests_under_asyncio_are_spans_too(collected):
    shop = MemoryShop()
    store = InLoop()
    store.store = shop.merchant._store
    merchant = AsyncMerchant(store, KEY, clock=lambda: START, telemetry=collected.telemetry)
    shop.answer = lambda incoming: asyncio.run(merchant.answer(incoming))
    shop.create(1)
    shop.check(7)
    outcomes = [span.attributes.get("error.type") for span in collected.spans()]
    assert outcomes == [None, "-31003"]


def test_request_that_is_cancelled_is_told(collected):
    class Stuck:
        async def run(self, flow):
            flow.close()
            await asyncio.sleep(60)

    merchant = AsyncMerchant(Stuck(), KEY, telemetry=collected.telemetry)
    body = json.dumps({"method": "CheckTransaction", "params": {"id": "a"}, "id": 1}).encode()

    async def impatient():
        async with asyncio.timeout(0.01):
            await merchant.answer(Incoming("POST", body, AUTH))

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    (span,) = collected.spans()
    assert span.attributes["error.type"] == "CancelledError"
    assert span.status.status_code is StatusCode.ERROR


STRANGE = [
    ("GET", b"", AUTH, "_OTHER", "-32300"),
    ("POST", b"{", AUTH, "_OTHER", "-32700"),
    ("POST", b'{"method": "%s", "params": {}}' % PHONE.encode(), AUTH, "_OTHER", "-32601"),
    ("POST", b'{"method": "CreateTransaction", "params": {}}', AUTH, "CreateTransaction", "-32600"),
    (
        "POST",
        b'{"method": "CheckTransaction", "params": {"id": "%s"}}' % PHONE.encode(),
        "Basic nobody",
        "CheckTransaction",
        "-32504",
    ),
    (
        "POST",
        b'{"method": "CheckTransaction", "params": {"id": "a\\n%s"}}' % PHONE.encode(),
        AUTH,
        "CheckTransaction",
        "-31003",
    ),
]


@pytest.mark.parametrize(("verb", "body", "auth", "method", "outcome"), STRANGE)
def test_what_anybody_may_write_is_told_to_nobody(
    shop, collected, caplog, verb, body, auth, method, outcome
):
    with caplog.at_level(logging.INFO, "payme.merchant"):
        shop.answer(Incoming(verb, body, auth))
    (span,) = collected.spans()
    assert (span.name, span.attributes["error.type"]) == (method, outcome)
    assert f"{method}: {outcome} in " in caplog.text
    for text in (span.to_json(), caplog.text):
        assert PHONE not in text


def test_one_line_is_logged_for_each_request(caplog):
    shop = MemoryShop()
    with caplog.at_level(logging.INFO, "payme.merchant"):
        shop.create(1, "phone" + PHONE, amount=700)
        shop.cancel(7)
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("CreateTransaction: ok in ")
    assert first.endswith(f" ms; cash-box -, transaction {number(1)}")
    assert second.startswith("CancelTransaction: -31003 in ")
    assert PHONE not in caplog.text
    assert KEY not in caplog.text


def test_nothing_is_logged_of_a_request_above_info(caplog):
    with caplog.at_level(logging.WARNING, "payme.merchant"):
        MemoryShop().create(1)
    assert not caplog.records


def test_answer_that_cannot_be_encoded_is_no_success(collected):
    shop = MemoryShop()
    store = MemoryStore(shop.find, shop.hook)
    store.run = lambda flow: {"allow": object()}
    shop.merchant = Merchant(store, KEY, telemetry=collected.telemetry)
    assert shop.check(1)["error"]["code"] == -32400
    assert collected.spans()[0].attributes["error.type"] == "TypeError"
