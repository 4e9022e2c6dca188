"""What the specification's two classes share: they return the server's JSON as it came."""

import time
from typing import Any, ClassVar, Final

from payme import client, configuration
from payme import flow as driver
from payme.errors import NotSent, OutcomeUnknown
from payme.errors.exceptions import PaymeTimeoutException
from payme.protocol import flows, outcome
from payme.protocol.calls import Call
from payme.transport.base import Reply, Request, TransportError
from payme.transport.lazy import LazyTransport

# One pool for each address and process: users make an instance per request, and a pool per
# instance would be a new TLS connection per call.
_TRANSPORTS: Final[dict[str, LazyTransport]] = {}

_PAYME_HOSTS: Final = (".paycom.uz/api", ".payme.uz/api")


class SubscribeClient:
    """Base of `PaymeSubscribeCards` and `PaymeSubscribeReceipts`."""

    _WITHOUT_ID: ClassVar[frozenset[str]] = frozenset()
    """Methods called without an `id`, because the specification's sample answer has none."""

    def __init__(self, base_url: str, paycom_id: str, paycom_key: str, timeout: float) -> None:
        self._url = configuration.base_url(base_url, None)
        # The signature is fixed, so there is no `allow_http` to ask for a sandbox in a private
        # network.
        configuration.check_secure(self._url, None, allow_http=not self._url.endswith(_PAYME_HOSTS))
        self._identity = configuration.identity(paycom_id, paycom_key)
        self._limits = configuration.limits(timeout, timeout, 3)
        self._transport = _TRANSPORTS.setdefault(self._url, LazyTransport(self._url, None, None))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r}, {self._identity.merchant_id!r})"

    def _call(self, call: Call[Any]) -> dict[str, Any]:
        new_id = _no_id if call.method in self._WITHOUT_ID else client.new_id
        world = flows.World(time.monotonic, new_id, client.uniform)
        flow = flows.exchange(call, self._identity, self._limits, world, outcome.read_untouched)
        try:
            return driver.run(flow, self._perform)
        except (NotSent, OutcomeUnknown) as error:
            raise PaymeTimeoutException(
                str(error),
                method=error.method,
                request_id=error.request_id,
                receipt_id=error.receipt_id,
                sent=error.sent,
            ) from error

    def _perform(
        self, step: Request | flows.Sleep | flows.Discard
    ) -> Reply | TransportError | None:
        if isinstance(step, flows.Sleep):
            time.sleep(step.seconds)
            return None
        if isinstance(step, flows.Discard):
            step.reply.discard()
            return None
        try:
            return self._transport.send(step)
        except TransportError as failure:
            return failure


def _no_id() -> None:
    return None
