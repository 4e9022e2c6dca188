"""Spans and metrics of OpenTelemetry: `pip install "payme-uz[otel]"`.

One `Telemetry` watches clients of the Subscribe API and endpoints of the Merchant API. It needs
`opentelemetry-api` alone; where spans and metrics go is the application's choice, and without an
SDK they go nowhere.

Names follow OpenTelemetry's conventions for JSON-RPC. What is in them can't identify a payer or
open a door: methods, codes, times, ids of cash-boxes, and Payme's ids of receipts and transactions
(in spans alone). There is no key, no card or token, no phone, account, amount or text of an error.

Source: https://opentelemetry.io/docs/specs/semconv/rpc/json-rpc/

Example:
    >>> telemetry = Telemetry()
    >>> payme = Payme(environment="test", telemetry=telemetry)
    >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"], telemetry=telemetry)
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from payme.errors import Rejected
from payme.protocol import calls

if TYPE_CHECKING:
    from payme.merchant.served import Served
    from payme.protocol.calls import Call

try:
    from opentelemetry.metrics import MeterProvider, get_meter
    from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, get_tracer
except ImportError as missing:
    raise ImportError('this module needs OpenTelemetry: pip install "payme-uz[otel]"') from missing

Attributes = dict[str, str | int]

_SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds of the histograms, which the conventions advise for durations."""

_OTHER: Final = "_OTHER"

_RECEIPT: Final = "payme.receipt.id"
_TRANSACTION: Final = "payme.transaction.id"
_BOX: Final = "payme.cash_box.id"
_ATTEMPTS: Final = "payme.attempts"


class Telemetry:
    """Watches clients and endpoints.

    Args:
        tracer_provider: Where spans go; by default the one of the process.
        meter_provider: Where metrics go; by default the one of the process.

    Example:
        >>> payme = Payme(environment="test", telemetry=Telemetry())
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        name, number = "payme", version("payme-uz")
        self._tracer = get_tracer(name, number, tracer_provider, _SCHEMA)
        meter = get_meter(name, number, meter_provider, _SCHEMA)
        self._served = meter.create_counter(
            "payme.merchant.requests", "{request}", "Requests of Payme's, by method and outcome."
        )
        self._served_seconds = meter.create_histogram(
            "rpc.server.call.duration",
            "s",
            "How long it took to answer a request of Payme's.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._called = meter.create_counter(
            "payme.client.calls", "{call}", "Calls of the Subscribe API, by method and outcome."
        )
        self._called_seconds = meter.create_histogram(
            "rpc.client.call.duration",
            "s",
            "How long a call of the Subscribe API took, with all its attempts.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    @contextmanager
    def serving(self, served: "Served") -> Generator[None]:
        """Serve a request of the Merchant API in a span, the parent of those of the database.

        Its own parent is the current span, as of an instrumented framework. Headers are not read:
        Payme sends no trace, and nobody else may choose ours.

        Args:
            served: What is known of the request.
        """
        about = _about(served.method, served.box)
        with self._tracer.start_as_current_span(
            served.method,
            kind=SpanKind.SERVER,
            attributes=about,
            # Its text may quote values of the account.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                _name(span, _TRANSACTION, served.transaction_id)
                code = str(served.code) if served.code else None
                about |= _failed(span, code, served.failure)
                self._served.add(1, about)
                self._served_seconds.record(served.seconds, about)

    def calling(
        self, merchant_id: str, base_url: str
    ) -> Callable[["Call[Any]", float, object, int], None]:
        """Make what a client tells of each call when it ends.

        Args:
            merchant_id: Id of the cash-box.
            base_url: Address of the API.

        Returns:
            A function of the call, how many seconds it took, its value or error, and how often it
            was sent.
        """
        server = _server(base_url)

        def note(call: "Call[Any]", seconds: float, came: object, attempts: int) -> None:
            known = call.method in calls.METHODS
            about = _about(call.method if known else _OTHER, merchant_id) | server
            ended = time.time_ns()
            span = self._tracer.start_span(
                str(about["rpc.method"]),
                kind=SpanKind.CLIENT,
                attributes=about,
                start_time=ended - int(seconds * 1e9),
            )
            span.set_attribute(_ATTEMPTS, attempts)
            _name(span, _RECEIPT, call.receipt_id)
            code = str(came.code) if isinstance(came, Rejected) else None
            failure = type(came).__name__ if isinstance(came, BaseException) else None
            about |= _failed(span, code, failure if code is None else None)
            span.end(ended)
            self._called.add(1, about)
            self._called_seconds.record(seconds, about)

        return note


def _about(method: str, box: str) -> Attributes:
    about: Attributes = {
        "rpc.system.name": "jsonrpc",
        "rpc.method": method,
        "jsonrpc.protocol.version": "2.0",
    }
    return {**about, _BOX: box} if box else about


def _server(base_url: str) -> Attributes:
    """Name the server; a transport of the caller's own has no address."""
    parts = urlsplit(base_url)
    if not parts.hostname:
        return {}
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    where: Attributes = {"server.address": parts.hostname}
    return where if port is None else {**where, "server.port": port}


def _failed(span: Span, code: str | None, failure: str | None) -> Attributes:
    """Mark a span as failed, and give the attributes that say so to the metrics, too."""
    if code is None and failure is None:
        return {}
    failed: Attributes = {"error.type": failure or code or ""}
    if code is not None:
        failed["rpc.response.status_code"] = code
    span.set_attributes(failed)
    span.set_status(StatusCode.ERROR)
    return failed


def _name(span: Span, attribute: str, given: str | None) -> None:
    if given:
        span.set_attribute(attribute, given)
