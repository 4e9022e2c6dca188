"""The options that every shop starts with."""

import argparse
import os


def read_options(name: str) -> argparse.Namespace:
    """Read the command line.

    Args:
        name: Name of the module that is started.

    Returns:
        `port`, `database`, `key`, `merchant_id` and `checkout_url`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--database", default="sqlite:///shop.db", help="sqlite:/// or postgresql://"
    )
    # A key on the command line can be read by every user of the machine.
    parser.add_argument(
        "--key",
        default=os.environ.get("PAYME_KEY", ""),
        help="key of the cash-box; by default the environment's PAYME_KEY",
    )
    parser.add_argument("--merchant-id", default="5e730e8e0b852a417aa49ceb", help="its id")
    parser.add_argument("--checkout-url", help="address of a sandbox, instead of Payme's checkout")
    return parser.parse_args()
