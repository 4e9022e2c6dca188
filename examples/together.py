"""The sandbox and a shop, wired together: `make shop`, or `python -m examples.together`."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from examples.saved_cards import IN_FLIGHT
from payme.sandbox import Sandbox, SandboxError

LEDGER_KEY = "ZGVtbyBrZXkgb2YgdGhlIGV4YW1wbGUgc2hvcHMhISE="
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
SHOPS = ["shop_fastapi", "shop_flask", "shop_django"]

_HELLO = """
The shop is at     http://127.0.0.1:{shop}
The sandbox is at  {root}   (dashboard; test card 8600069195406311, 03/99, code 666666)

Open the shop in a browser, buy, and pay with the saved card, or with another one at the checkout.
Or place an order, open its checkout link, pay, and look at the order again:

  curl -d '{{"amount": 50000}}' -H 'Content-Type: application/json' http://127.0.0.1:{shop}/orders
  curl http://127.0.0.1:{shop}/orders/1

Ctrl-C stops both.
"""

_PATIENCE_S = 10
_LOOK_S = 0.2


class ShopError(Exception):
    """The shop does not start, or does not stay."""


def main() -> None:
    """Start both, and stop both."""
    start("examples.together", "shop", SHOPS, run)


def start(
    program: str, what: str, names: list[str], run: Callable[[argparse.Namespace, str], None]
) -> None:
    """Read the command line, run an example beside the sandbox, and stop both.

    Args:
        program: Module that is run.
        what: What kind of example it is; the option that chooses one.
        names: Examples of that kind.
        run: Runs one until Ctrl-C comes, given the options and the address of a database.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument(f"--{what}", default=names[0], choices=names)
    parser.add_argument("--port", type=int, default=8000, help=f"port of the {what}")
    parser.add_argument("--sandbox-port", type=int, default=3000)
    parser.add_argument("--database", help="sqlite:/// or postgresql://; a new file if left out")
    options = parser.parse_args()
    # Who is told to end by `kill` ends the example first, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as folder:
            database = options.database or f"sqlite:///{Path(folder) / f'{what}.db'}"
            run(options, database)
    except KeyboardInterrupt:
        print("\nBoth are stopped.")
    except (ShopError, SandboxError) as error:
        sys.exit(f"{program}: {error}")


def run(options: argparse.Namespace, database: str) -> None:
    """Run both until Ctrl-C comes.

    Args:
        options: From the command line.
        database: Address of the shop's database.

    Raises:
        ShopError: The shop did not start, or ended.
        SandboxError: The sandbox did not start.
    """
    check_free(options.port)
    merchant = f"http://127.0.0.1:{options.port}/payme"
    with Sandbox(
        port=options.sandbox_port,
        key=KEY,
        account_fields={"order_id": "Order"},
        merchant_url=merchant,
        merchant_key=KEY,
    ) as sandbox:
        root = sandbox.url.removesuffix("/api")
        command = [sys.executable, "-m", f"examples.{options.shop}", "--port", str(options.port)]
        command += ["--database", database]
        command += ["--merchant-id", sandbox.merchant_id, "--checkout-url", root]
        card = saved_card(sandbox)
        with running(command, card) as shop:
            wait_for(shop, options.port)
            with beside(options.shop, database, sandbox, card) as others:
                print(_HELLO.format(shop=options.port, root=root), flush=True)
                watch({"the shop": shop, **others})


def check_free(port: int) -> None:
    """Tell that another program has the port, before it is taken for the shop."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise ShopError(f"the shop can't have port {port}: {error.strerror}; try --port") from None


def saved_card(sandbox: Sandbox) -> dict[str, str]:
    """Bind a test card in the sandbox, and hand its token to the shop as its customer's saved card.

    In a real shop the customer binds it in a form that sends the number to Payme alone. The
    ledger's key encrypts the token in the shop's database; a real one is secret, as `KEY` is.
    """
    return {
        "SHOP_CARD_TOKEN": sandbox.add_card(),
        "SHOP_CARD_NUMBER": "860006******6311",
        "PAYME_LEDGER_KEYS": LEDGER_KEY,
        "PAYME_BASE_URL": sandbox.url,
    }


@contextmanager
def running(command: list[str], more: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, and see that it is gone at the end."""
    with subprocess.Popen(command, env={**os.environ, "PAYME_KEY": KEY, **more}) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE_S)
            finally:
                process.kill()


@contextmanager
def beside(
    name: str, database: str, sandbox: Sandbox, card: Mapping[str, str]
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run what finishes charges, where that is a process of its own, as in a Django project."""
    if name != "shop_django":
        yield {}
        return
    command = [sys.executable, "-m", "examples.shop_django.manage"]
    command += ["payme_charges", "run", "--in-flight", str(IN_FLIGHT)]
    settings = {
        "SHOP_DATABASE": database,
        "PAYME_MERCHANT_ID": sandbox.merchant_id,
        "PAYME_CHECKOUT_URL": sandbox.url.removesuffix("/api"),
    }
    with running(command, {**card, **settings}) as process:
        yield {"payme_charges run": process}


def watch(processes: Mapping[str, subprocess.Popen[bytes]]) -> NoReturn:
    """Wait until one of them ends, which none should.

    Raises:
        ShopError: It did.
    """
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                status = process.returncode
                raise ShopError(f"{name} ended with status {status}; what it said is above")
        time.sleep(_LOOK_S)


def wait_for(shop: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the shop listens."""
    while shop.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    raise ShopError(f"the shop did not start (status {shop.returncode}); what it said is above")


if __name__ == "__main__":
    main()
