"""What the specification's two classes share: they return the server's JSON as it came."""

from functools import partial
from typing import Any, ClassVar, Final

from payme import configuration, runtime
from payme import flow as driver
from payme.errors import NotSent, OutcomeUnknown
from payme.errors.exceptions import PaymeTimeoutException
from payme.protocol import arguments, flows, outcome
from payme.protocol.calls import Call, Credential
from payme.protocol.flows import Session
from payme.transport.lazy import LazyTransport

# One pool for each address and process: users make an instance per request, and a pool per
# instance would be a new TLS connection per call.
_TRANSPORTS: Final[dict[str, LazyTransport]] = {}

_PAYME_HOSTS: Final = (".paycom.uz/api", ".payme.uz/api")


class SubscribeClient:
    """Base of `PaymeSubscribeCards` and `PaymeSubscribeReceipts`.

    Attributes:
        base_url: Address of the API, as it was given.
        timeout: Seconds for a call.
    """

    _WITHOUT_ID: ClassVar[frozenset[str]] = frozenset()
    """Methods called without an `id`, because the specification's sample answer has none."""

    def __init__(self, base_url: str, paycom_id: str, paycom_key: str, timeout: float) -> None:
        self._credentials = configuration.credentials(paycom_id, paycom_key)
        del paycom_key
        self._url = configuration.base_url(base_url, None)
        # The signature is fixed, so there is no `allow_http` to ask for a sandbox in a private
        # network.
        configuration.check_secure(self._url, None, allow_http=not self._url.endswith(_PAYME_HOSTS))
        self._transport = _TRANSPORTS.get(self._url) or _TRANSPORTS.setdefault(
            self._url,
            LazyTransport(self._url, None, configuration.proxy(None, self._url)),
        )
        self.base_url = base_url
        self.timeout = arguments.seconds("timeout", timeout)

    @property
    def headers(self) -> dict[str, str]:
        """The header that says who calls. It is made anew each time, because it holds the key."""
        credential = Credential.ID_AND_KEY if self._credentials.key else Credential.ID
        return {"X-Auth": self._credentials.auth(credential)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r}, {self._credentials.merchant_id!r})"

    def _call(self, call: Call[Any]) -> dict[str, Any]:
        limits = configuration.limits(self.timeout, self.timeout, 3)
        new_id = _no_id if call.method in self._WITHOUT_ID else runtime.new_id
        session = Session(self._credentials, limits, runtime.make(runtime.uniform, new_id))
        try:
            flow = flows.exchange(call, session, outcome.read_untouched)
            return driver.run(flow, partial(runtime.perform, self._transport))
        except (NotSent, OutcomeUnknown) as error:
            raise PaymeTimeoutException(
                str(error),
                method=error.method,
                request_id=error.request_id,
                receipt_id=error.receipt_id,
                sent=error.sent,
            ) from error


def _no_id() -> None:
    return None
