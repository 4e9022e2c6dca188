"""The fixtures that an installed package offers, seen by a project that uses them."""

import os
import subprocess
import sys

import pytest

from payme import OutcomeUnknown

pytest_plugins = ["pytester"]


def test_a_payment_in_memory(payme_client, payme_sandbox):
    receipt = payme_client.receipts.create(50_000, {"order_id": 1})
    receipt = payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())
    assert receipt.is_paid
    assert payme_sandbox.debits(receipt.id) == 1


def test_the_client_opens_no_socket(payme_client, payme_sandbox, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket", refuse)
    assert payme_client.receipts.create(1, {"order_id": 1}).amount == 1
    assert "running=False" in repr(payme_sandbox)


def test_the_address_starts_a_server(payme_sandbox):
    from payme import Payme

    url = payme_sandbox.url
    assert payme_sandbox.url == url
    with Payme(payme_sandbox.merchant_id, payme_sandbox.key, base_url=url) as payme:
        receipt = payme.receipts.create(50_000, {"order_id": 1})
    assert "running=True" in repr(payme_sandbox)
    assert payme_sandbox.debits(receipt.id) == 0


async def check_async(client, sandbox):
    receipt = await client.receipts.create(50_000, {"order_id": 1})
    receipt = await client.receipts.pay(receipt.id, sandbox.add_card())
    assert receipt.is_paid


def test_async_client_by_hand(async_payme_client, payme_sandbox):
    import asyncio

    asyncio.run(check_async(async_payme_client, payme_sandbox))


@pytest.mark.anyio
async def test_async_client_with_anyio(async_payme_client, payme_sandbox):
    await check_async(async_payme_client, payme_sandbox)


def test_both_clients_see_one_sandbox(payme_client, async_payme_client):
    import asyncio

    receipt = payme_client.receipts.create(50_000, {"order_id": 1})
    got = asyncio.run(async_payme_client.receipts.get(receipt.id))
    assert got == receipt


# Clock and faults


def test_the_clock_moves_the_sandbox(payme_client, payme_sandbox, payme_clock):
    payme_clock.freeze()
    receipt = payme_client.receipts.create(50_000, {"order_id": 1}, hold=True)
    payme_client.receipts.pay(receipt.id, payme_sandbox.add_card(), hold=True)
    payme_clock.advance("29d")
    assert payme_client.receipts.get(receipt.id).is_held
    payme_clock.advance("1d")
    assert payme_client.receipts.get(receipt.id).is_cancelled


def test_a_lost_answer_leaves_the_outcome_unknown(payme_client, payme_sandbox, payme_faults):
    receipt = payme_client.receipts.create(50_000, {"order_id": 1})
    payme_faults.add("receipts.pay", when="after", action="drop", times=1)
    with pytest.raises(OutcomeUnknown) as caught:
        payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())
    assert (caught.value.sent, caught.value.receipt_id) == ("maybe", receipt.id)
    assert payme_sandbox.debits(receipt.id) == 1
    assert caught.value.resolve().is_paid
    assert payme_sandbox.debits(receipt.id) == 1


def test_a_lost_request_is_cancelled_for_certain(payme_client, payme_sandbox, payme_faults):
    receipt = payme_client.receipts.create(50_000, {"order_id": 1})
    payme_faults.add("receipts.pay", when="before", action="drop", times=1)
    with pytest.raises(OutcomeUnknown) as caught:
        payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())
    assert caught.value.resolve(timeout=0.05, cancel=True).is_cancelled
    assert payme_sandbox.debits(receipt.id) == 0


def test_a_lost_answer_of_the_async_client(async_payme_client, payme_sandbox, payme_faults):
    import asyncio

    async def lose():
        receipt = await async_payme_client.receipts.create(50_000, {"order_id": 1})
        payme_faults.add("receipts.pay", when="after", action="drop", times=1)
        with pytest.raises(OutcomeUnknown) as caught:
            await async_payme_client.receipts.pay(receipt.id, payme_sandbox.add_card())
        return await async_payme_client.receipts.resolve(caught.value)

    assert asyncio.run(lose()).is_paid


# Options


@pytest.mark.payme_sandbox(max_amount=100)
class TestOptionsOfMarkers:
    @pytest.mark.payme_sandbox(account_fields={"order_id": "Buyurtma"})
    def test_add_up(self, payme_sandbox):
        config = payme_sandbox.config
        assert (config.max_amount, config.account_fields) == (100, {"order_id": "Buyurtma"})

    @pytest.mark.payme_sandbox(max_amount=7)
    def test_the_nearest_wins(self, payme_sandbox):
        assert payme_sandbox.config.max_amount == 7


def outcome(pytester, *options, passed=0, failed=0, errors=0):
    result = pytester.runpytest("-p", "no:cacheprovider", *options)
    result.assert_outcomes(passed=passed, failed=failed, errors=errors)
    return result


def test_options_of_the_configuration_a_fixture_and_a_marker(pytester):
    pytester.makeini(
        """
        [pytest]
        payme_seed = 5
        payme_account_fields =
            order_id = Buyurtma raqami
            shop
        """
    )
    pytester.makepyfile(
        test_configured="""
        def test_configuration(payme_sandbox):
            fields = {"order_id": "Buyurtma raqami", "shop": "shop"}
            assert payme_sandbox.config.account_fields == fields
            global merchant
            merchant = payme_sandbox.merchant_id

        def test_one_seed_for_all(payme_sandbox):
            assert payme_sandbox.merchant_id == merchant
        """,
        test_fixture="""
        import pytest

        @pytest.fixture
        def payme_sandbox_options():
            return {"account_fields": {}, "min_amount": 3}

        def test_fixture(payme_sandbox):
            assert payme_sandbox.config.account_fields == {}
            assert payme_sandbox.config.min_amount == 3

        @pytest.mark.payme_sandbox(min_amount=4)
        def test_marker(payme_sandbox):
            assert payme_sandbox.config.min_amount == 4
        """,
    )
    outcome(pytester, passed=4)


@pytest.mark.parametrize(
    ("setting", "marker", "said"),
    [
        ("", "seeds=1", "*the sandbox has no option seeds; it has *seed*"),
        ("", "1", "*takes named options only*"),
        ("payme_seed = x", "", "*payme_seed must be a whole number, not 'x'*"),
    ],
)
def test_a_wrong_option_is_named(pytester, setting, marker, said):
    pytester.makeini(f"[pytest]\n{setting}")
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.payme_sandbox({marker})
        def test_it(payme_sandbox): pass
        """
    )
    outcome(pytester, errors=1).stdout.fnmatch_lines([said])


MERCHANT = """
import threading
from wsgiref.simple_server import make_server

import pytest

from payme.merchant.core import Order
from payme.merchant.service import Merchant
from payme.merchant.stores.memory import MemoryStore
from payme.merchant.wsgi import wsgi_app

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"

def merchant(find_state):
    def find(account):
        known = account == {"order_id": 7}
        return Order(id="7", amount=50_000, state=find_state()) if known else None

    return Merchant(MemoryStore(find, note), KEY)

states = ["waiting"]

def note(event, transaction):
    if event != "released":
        states[0] = {"paid": "paid", "cancelled": "closed"}[event]

@pytest.fixture
def serve():
    servers = []

    def serve(find_state=lambda: states[0], change=lambda body: body):
        right = wsgi_app(merchant(find_state))

        def app(environ, start_response):
            status, headers = [], []
            def started(line, given):
                status.append(line)
                headers.extend(given)
            body = change(b"".join(right(environ, started)))
            kept = [one for one in headers if one[0].lower() != "content-length"]
            start_response(status[0], [*kept, ("Content-Length", str(len(body)))])
            return [body]

        server = make_server("127.0.0.1", 0, app)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/payme"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
"""


@pytest.mark.slow
def test_an_endpoint_is_graded(pytester):
    pytester.makeconftest(MERCHANT)
    pytester.makeini("[pytest]\npayme_language = ru")
    pytester.makepyfile(
        """
        from conftest import KEY

        def test_right(serve, payme_check_merchant):
            report = payme_check_merchant(serve(), KEY, account={"order_id": 7}, amount=50_000)
            assert report.passed

        def test_that_says_one_for_true(serve, payme_check_merchant):
            url = serve(lambda: "waiting", lambda body: body.replace(b":true", b":1"))
            payme_check_merchant(url, KEY, account={"order_id": 7}, amount=50_000)

        def test_that_has_closed_its_order(serve, payme_check_merchant):
            url = serve(lambda: "closed")
            payme_check_merchant(url, KEY, account={"order_id": 7}, amount=50_000)
        """
    )
    said = outcome(pytester, passed=1, failed=2).stdout
    said.fnmatch_lines(
        ["*✗ check-perform: *", "*отправлено: *", "*пришло: HTTP 200 *", "*нарушено: *"]
    )
    said.fnmatch_lines(["*заказ order_id=7 не ждёт оплаты: *"])
    assert "✓" not in said.str()
    assert "Rw712wMJspZBczFvrG09" not in said.str()
    assert "raise AssertionError" not in said.str()


def test_an_unknown_language_is_named(pytester):
    pytester.makeini("[pytest]\npayme_language = de")
    pytester.makepyfile("def test_it(payme_check_merchant): pass")
    outcome(pytester, errors=1).stdout.fnmatch_lines(
        ["*payme_language must be uz, ru or en, not 'de'*"]
    )


def test_fixtures_and_marker_describe_themselves(pytester):
    shown = pytester.runpytest("--fixtures", "-v").stdout.str()
    for name in ("sandbox", "client", "clock", "faults", "sandbox_options", "check_merchant"):
        assert f"payme_{name} " in shown
    assert "async_payme_client " in shown
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.payme_sandbox(?*options)*"])


# Isolation


def test_two_tests_share_nothing(pytester):
    pytester.makepyfile(
        """
        import pytest

        seen = set()

        @pytest.mark.parametrize("number", range(5))
        def test_one(number, payme_client, payme_sandbox):
            assert payme_client.receipts.get_all(50, 0, 0, 0) == []
            assert payme_sandbox.ledger() == []
            payme_client.receipts.create(50_000, {"order_id": number})
            assert payme_sandbox.merchant_id not in seen
            seen.add(payme_sandbox.merchant_id)
        """
    )
    outcome(pytester, passed=5)


SHOW = """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_show(number, payme_sandbox, request):
        print("ids:", request.node.name, payme_sandbox.merchant_id, payme_sandbox.key)
    """


def shown_ids(result):
    return sorted(line for line in result.stdout.lines if line.startswith("ids:"))


@pytest.mark.slow
def test_a_test_has_the_same_ids_in_every_run_and_worker(pytester):
    pytester.makepyfile(SHOW)
    alone = shown_ids(outcome(pytester, "-rP", passed=4))
    assert len(set(alone)) == 4
    parallel = pytester.runpytest_subprocess("-n2", "-rP", "-p", "no:cacheprovider")
    parallel.assert_outcomes(passed=4)
    assert shown_ids(parallel) == alone


def test_the_sandbox_is_stopped_after_the_test(pytester):
    pytester.makepyfile(
        """
        import pytest
        from payme.sandbox import SandboxError

        kept = []

        def test_keep(payme_sandbox):
            payme_sandbox.url
            kept.append(payme_sandbox)

        def test_stopped():
            with pytest.raises(SandboxError, match="stopped"):
                kept[0].url
        """
    )
    outcome(pytester, passed=2)


# What the plugin costs those who don't use it


def run(code, **options):
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, **options
    )


def test_the_plugin_imports_pytest_alone():
    done = run(
        "import sys, pytest, zlib\n"
        "before = set(sys.modules)\n"
        "import payme.testing.plugin\n"
        "print(sorted(set(sys.modules) - before))"
    )
    assert done.stdout.strip() == "['payme', 'payme.testing', 'payme.testing.plugin']", done.stderr


def test_without_the_servers_libraries_only_the_address_fails(pytester):
    pytester.makeconftest(
        """
        import sys
        sys.modules["starlette"] = sys.modules["uvicorn"] = None
        """
    )
    pytester.makepyfile(
        """
        import pytest

        def test_in_memory(payme_client, async_payme_client, payme_clock, payme_faults):
            payme_client.receipts.create(1, {"order_id": 1})

        def test_address(payme_sandbox):
            with pytest.raises(ImportError, match="payme-uz.sandbox"):
                payme_sandbox.url
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)


def test_strategies_without_hypothesis_say_what_to_install():
    done = run("import sys; sys.modules['hypothesis'] = None; import payme.testing.strategies")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(
        "ImportError: payme.testing.strategies needs Hypothesis: pip install hypothesis"
    )


@pytest.mark.parametrize("missing", ["hypothesis", "starlette"])
def test_the_plugin_needs_neither(missing):
    done = run(
        f"import sys; sys.modules[{missing!r}] = None; import payme.testing.plugin",
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert (done.returncode, done.stderr) == (0, "")
