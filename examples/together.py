"""The sandbox and a shop, wired together: `make shop`, or `python -m examples.together`."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from payme.sandbox import Sandbox

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"

_HELLO = """
The shop is at     http://127.0.0.1:{shop}
The sandbox is at  {root}   (dashboard; test card 8600069195406311, 03/99, code 666666)

Place an order, open its checkout link in a browser, pay, and look at the order again:

  curl -d '{{"amount": 50000}}' -H 'Content-Type: application/json' http://127.0.0.1:{shop}/orders
  curl http://127.0.0.1:{shop}/orders/1

Ctrl-C stops both.
"""


def main() -> None:
    """Start both, and stop both."""
    parser = argparse.ArgumentParser(prog="python -m examples.together")
    parser.add_argument(
        "--shop", default="shop_fastapi", help="shop_fastapi, shop_flask, shop_django"
    )
    parser.add_argument("--port", type=int, default=8000, help="port of the shop")
    parser.add_argument("--sandbox-port", type=int, default=3000)
    parser.add_argument("--database", help="sqlite:/// or postgresql://; a new file if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or f"sqlite:///{Path(folder) / 'shop.db'}"
        run(options, database)


def run(options: argparse.Namespace, database: str) -> None:
    """Run both until the shop ends or Ctrl-C comes.

    Args:
        options: From the command line.
        database: Address of the shop's database.
    """
    merchant = f"http://127.0.0.1:{options.port}/payme"
    with Sandbox(
        port=options.sandbox_port, key=KEY, merchant_url=merchant, merchant_key=KEY
    ) as sandbox:
        root = sandbox.url.removesuffix("/api")
        command = [sys.executable, "-m", f"examples.{options.shop}", "--port", str(options.port)]
        command += ["--database", database, "--key", KEY]
        command += ["--merchant-id", sandbox.merchant_id, "--checkout-url", root]
        with subprocess.Popen(command) as shop:
            print(_HELLO.format(shop=options.port, root=root), flush=True)
            try:
                shop.wait()
            except KeyboardInterrupt:
                shop.terminate()


if __name__ == "__main__":
    main()
