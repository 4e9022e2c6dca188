import gc
import logging
import os
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
import trustme
from hypothesis import settings

# How long an example takes says nothing on a machine that is busy with others.
settings.register_profile("payme", deadline=None)
settings.load_profile("payme")


def pytest_configure() -> None:
    """Hear Ctrl-C also when started in the background (`make test &`), and speak English.

    A shell without job control starts such a command with SIGINT ignored, and children inherit it,
    as they inherit the language of who runs the tests.
    """
    os.environ["PAYME_LANG"] = "en"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Have the garbage collection leave out what was collected: it stays, and is much."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out; each reason names what is missing here, or what makes no sense."""
    if terminalreporter.config.option.markexpr == "not slow":
        terminalreporter.line("the slow tests were left out: make test-all runs them, too")
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    if reasons:
        terminalreporter.section("skipped, and why")
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count:5} {reason}")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what servers and workers in this process do to everybody's loggers and tasks.

    uvicorn keeps its records from the root logger, others disable the loggers that exist, a
    Celery worker sets the root logger's level, and Celery gives each shared task to all later apps.
    """
    logging.disable(logging.NOTSET)
    logging.root.setLevel(logging.WARNING)
    for logger in [*logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
    state = sys.modules.get("celery._state")
    shared = set(state._on_app_finalizers) if state else None
    yield
    if state is not None and shared is not None:
        state._on_app_finalizers.intersection_update(shared)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(ca: trustme.CA) -> ssl.SSLContext:
    """TLS settings of a server called `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(ca: trustme.CA) -> ssl.SSLContext:
    """TLS settings of a client that trusts the test's CA alone."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context
