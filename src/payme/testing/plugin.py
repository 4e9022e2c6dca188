"""Fixtures for pytest. An installed `payme-uz` offers them in every run, without an import.

Example:
    >>> def test_a_payment(payme_client, payme_sandbox):
    ...     receipt = payme_client.receipts.create(50_000, {"order_id": 1})
    ...     receipt = payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())
    ...     assert receipt.is_paid

pytest loads this module in every run of everybody who has the package, so it imports pytest alone.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import pytest

if TYPE_CHECKING:
    from payme.client import AsyncPayme, Payme
    from payme.conformance import Report
    from payme.sandbox.clock import SandboxClock
    from payme.sandbox.faults import Faults
    from payme.sandbox.sandbox import Sandbox

_MARKER: Final = "payme_sandbox"
_FIELDS: Final = "payme_account_fields"
_SEED: Final = "payme_seed"
_LANGUAGE: Final = "payme_language"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of pytest's configuration file."""
    parser.addini(
        _FIELDS,
        "account fields of the sandbox's cash-box, one `name` or `name = title` a line",
        type="linelist",
        default=[],
    )
    parser.addini(_SEED, "seed of every sandbox; by default each test has its own, from its name")
    parser.addini(
        _LANGUAGE, "language of payme_check_merchant's complaints: uz, ru or en", default="en"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(**options): options of payme.sandbox.Sandbox for this test, such as "
        "account_fields=..., progression=..., seed=...",
    )


@pytest.fixture
def payme_sandbox_options() -> Mapping[str, Any]:
    """Options of `payme.sandbox.Sandbox`; override it in a conftest.py or a module.

    Options of the marker `payme_sandbox` come before these, and these before the settings of
    pytest's configuration file.
    """
    return {}


@pytest.fixture
def payme_sandbox(
    request: pytest.FixtureRequest, payme_sandbox_options: Mapping[str, Any]
) -> Iterator["Sandbox"]:
    """A Payme of this test alone, in memory and in-process; its `url` starts a server."""
    from payme.testing.sandbox import OnDemandSandbox

    options: dict[str, Any] = {
        **_configured(request.config),
        "seed": _seed(request),
        **payme_sandbox_options,
        **_marked(request.node),
    }
    _require_known(options)
    sandbox = OnDemandSandbox(**options)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def payme_client(payme_sandbox: "Sandbox") -> Iterator["Payme"]:
    """A `payme.Payme` that calls the test's sandbox without a socket."""
    from payme.client import Payme
    from payme.transport.memory import MemoryTransport

    transport = MemoryTransport(payme_sandbox.handle)
    with Payme(payme_sandbox.merchant_id, payme_sandbox.key, transport=transport) as client:
        yield client


@pytest.fixture
def async_payme_client(payme_sandbox: "Sandbox") -> "AsyncPayme":
    """A `payme.AsyncPayme` that calls the test's sandbox without a socket.

    The fixture itself is not async, so it works with anyio, with pytest-asyncio and with
    `asyncio.run`. There is nothing to close: the client holds no connection.
    """
    from payme.client import AsyncPayme
    from payme.transport.memory import AsyncMemoryTransport

    transport = AsyncMemoryTransport(payme_sandbox.handle)
    return AsyncPayme(payme_sandbox.merchant_id, payme_sandbox.key, transport=transport)


@pytest.fixture
def payme_clock(payme_sandbox: "Sandbox") -> "SandboxClock":
    """The clock of the test's sandbox: `advance`, `freeze`, `resume`, `now`."""
    return payme_sandbox.clock


@pytest.fixture
def payme_faults(payme_sandbox: "Sandbox") -> "Faults":
    """The faults of the test's sandbox: `add`, `list`, `remove`, `clear`."""
    return payme_sandbox.faults


@pytest.fixture
def payme_check_merchant(request: pytest.FixtureRequest) -> Callable[..., "Report"]:
    """A `payme.testing.merchant.check_merchant` that speaks the language of the settings.

    Example:
        >>> def test_merchant_api(live_server, order, payme_check_merchant):
        ...     url = f"{live_server.url}/payme/"
        ...     account = {"order_id": order.pk}
        ...     payme_check_merchant(url, KEY, account=account, amount=order.amount)
    """
    from functools import partial

    from payme.checkout import LANGUAGES
    from payme.testing.merchant import check_merchant

    language: Any = request.config.getini(_LANGUAGE)
    if language not in LANGUAGES:
        raise pytest.UsageError(f"{_LANGUAGE} must be uz, ru or en, not {language!r}")
    return partial(check_merchant, language=language)


def _configured(config: pytest.Config) -> dict[str, Any]:
    """Read what pytest's configuration file says about the sandbox."""
    lines: list[str] = config.getini(_FIELDS)
    pairs = [line.partition("=") for line in lines]
    fields = {name.strip(): title.strip() or name.strip() for name, _, title in pairs}
    return {"account_fields": fields} if fields else {}


def _seed(request: pytest.FixtureRequest) -> int:
    """Take the seed of the configuration file, else one that this test has in every run."""
    given: str | None = request.config.getini(_SEED)
    if not given:
        return crc32(request.node.nodeid.encode("utf-8", "surrogatepass"))
    try:
        return int(given)
    except ValueError:
        raise pytest.UsageError(f"{_SEED} must be a whole number, not {given!r}") from None


def _marked(node: Any) -> dict[str, Any]:
    """Collect the options of the markers: the test's win over its class's and its module's."""
    options: dict[str, Any] = {}
    for marker in node.iter_markers(_MARKER):
        if marker.args:
            raise pytest.UsageError(
                f"@pytest.mark.{_MARKER} takes named options only, such as "
                "account_fields={'order_id': 'Order'}"
            )
        options = {**marker.kwargs, **options}
    return options


def _require_known(options: Mapping[str, Any]) -> None:
    from dataclasses import fields

    from payme.sandbox.settings import Settings

    known = [one.name for one in fields(Settings)]
    if wrong := sorted(options.keys() - {*known}):
        raise pytest.UsageError(
            f"the sandbox has no option {', '.join(wrong)}; it has {', '.join(known)}"
        )
