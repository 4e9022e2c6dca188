"""What OpenTelemetry is told of the calls of a client."""

import asyncio
import json
import logging
import re
import subprocess
import sys

import pytest

from payme import AsyncPayme, MemoryTransport, OutcomeUnknown, Payme, Rejected
from payme.errors import NotSent
from payme.sandbox import Sandbox
from payme.transport.base import TransportError
from payme.transport.memory import AsyncMemoryTransport

pytest.importorskip("opentelemetry.sdk", reason="needs pip install opentelemetry-sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from payme.telemetry import Telemetry


class Collected:
    def __init__(self):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry = Telemetry(self.tracers, MeterProvider([self.reader]))

    def spans(self):
        return self.exporter.get_finished_spans()

    def points(self, name):
        (resource,) = self.reader.get_metrics_data().resource_metrics
        (scope,) = resource.scope_metrics
        (points,) = [one.data.data_points for one in scope.metrics if one.name == name]
        return points


@pytest.fixture
def collected():
    return Collected()


@pytest.fixture
def box():
    with Sandbox() as box:
        yield box


def client(box, collected, transport, **options):
    return Payme(
        box.merchant_id, box.key, transport=transport, telemetry=collected.telemetry, **options
    )


def test_each_call_is_a_span_beneath_the_current_one(box, collected):
    payme = client(box, collected, MemoryTransport(box.handle))
    with collected.tracers.get_tracer("shop").start_as_current_span("checkout") as above:
        receipt = payme.receipts.create(50_000, {"order_id": 7})
        payme.receipts.pay(receipt.id, box.add_card())
    created, paid, _ = collected.spans()
    assert (created.name, created.kind) == ("receipts.create", SpanKind.CLIENT)
    assert created.parent.span_id == above.get_span_context().span_id
    assert paid.attributes == {
        "rpc.system.name": "jsonrpc",
        "rpc.method": "receipts.pay",
        "jsonrpc.protocol.version": "2.0",
        "payme.cash_box.id": box.merchant_id,
        "payme.receipt.id": receipt.id,
        "payme.attempts": 1,
    }
    assert paid.status.status_code is StatusCode.UNSET


def test_refusal_is_told_by_its_code(box, collected):
    payme = client(box, collected, MemoryTransport(box.handle))
    with pytest.raises(Rejected) as refused:
        payme.receipts.get("0" * 24)
    (span,) = collected.spans()
    assert span.attributes["rpc.response.status_code"] == str(refused.value.code)
    assert span.attributes["error.type"] == str(refused.value.code)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None


class Failing:
    """A transport that fails, once or always, and counts."""

    def __init__(self, box, failures, *, sent):
        self.real, self.failures, self.sent = MemoryTransport(box.handle), failures, sent

    def send(self, request):
        if self.failures:
            self.failures -= 1
            request.sent = self.sent
            raise TransportError("the line is cut", sent=self.sent)
        return self.real.send(request)

    def close(self):
        pass


def test_attempts_are_told(box, collected):
    payme = client(box, collected, Failing(box, 2, sent=False))
    payme.receipts.create(50_000, {"order_id": 7})
    assert collected.spans()[0].attributes["payme.attempts"] == 3


def test_what_is_known_of_a_failure_is_told(box, collected):
    with pytest.raises(NotSent):
        client(box, collected, Failing(box, 9, sent=False)).receipts.create(500, {"order_id": 7})
    with pytest.raises(OutcomeUnknown):
        client(box, collected, Failing(box, 9, sent=True)).receipts.create(500, {"order_id": 7})
    told = [
        (span.attributes["error.type"], span.attributes["payme.attempts"])
        for span in collected.spans()
    ]
    assert told == [("NotSent", 3), ("OutcomeUnknown", 1)]


def test_calls_are_counted_and_measured(box, collected):
    payme = client(box, collected, MemoryTransport(box.handle))
    for _ in range(3):
        payme.receipts.create(50_000, {"order_id": 7})
    (counted,) = collected.points("payme.client.calls")
    (measured,) = collected.points("rpc.client.call.duration")
    assert (counted.value, measured.count) == (3, 3)
    assert 0 < measured.sum < 5
    assert "payme.receipt.id" not in counted.attributes


def test_a_method_of_the_callers_own_is_told_as_another(box, collected):
    payme = client(box, collected, MemoryTransport(box.handle))
    with pytest.raises(Rejected):
        payme.call("receipts.p2p", {})
    assert collected.spans()[0].name == "_OTHER"


def test_calls_under_asyncio_are_told_too(box, collected):
    async def go():
        transport = AsyncMemoryTransport(box.handle)
        async with AsyncPayme(
            box.merchant_id, box.key, transport=transport, telemetry=collected.telemetry
        ) as payme:
            await payme.with_options(timeout=5).receipts.create(50_000, {"order_id": 7})

    asyncio.run(go())
    assert [span.name for span in collected.spans()] == ["receipts.create"]


def test_address_of_the_server_is_told(box, collected):
    limits = {"base_url": box.url, "telemetry": collected.telemetry}
    with Payme(box.merchant_id, box.key, **limits) as payme:
        payme.receipts.create(50_000, {"order_id": 7})
    attributes = collected.spans()[0].attributes
    assert attributes["server.address"] == "127.0.0.1"
    assert str(attributes["server.port"]) in box.url


def test_nothing_that_opens_a_door_is_told(box, collected, caplog):
    payme = client(box, collected, MemoryTransport(box.handle))
    with caplog.at_level(logging.DEBUG):
        card = payme.cards.create("8600069195406311", "0399", save=True)
        payme.cards.get_verify_code(card.token)
        with pytest.raises(Rejected):
            payme.cards.verify(card.token, "731946")
    told = json.dumps([json.loads(span.to_json()) for span in collected.spans()]) + caplog.text
    told += str(collected.reader.get_metrics_data())
    for secret in (box.key, card.token, "8600069195406311", "731946", "6311"):
        # Not as a part of a longer number: times and ids of spans have any digits.
        assert not re.search(rf"(?<![0-9a-f]){re.escape(secret)}(?![0-9a-f])", told)


def test_package_works_without_opentelemetry():
    """Neither client nor endpoint asks for it, and who does is told what to install."""
    program = """
import sys
sys.modules["opentelemetry.metrics"] = None
import payme.client, payme.merchant
assert not any(name.startswith("opentelemetry") and sys.modules[name] for name in sys.modules)
try:
    import payme.telemetry
except ImportError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "payme-uz[otel]"' in ran.stdout
