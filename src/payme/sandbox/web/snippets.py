"""The first call to this very sandbox, ready to be copied."""

import json
import shlex
from typing import Any, Final

from payme.sandbox.engine import Config

_AMOUNT: Final = 5_000_000
_ORDER: Final = "197"


def python(address: str, config: Config) -> str:
    """Write a program that makes a receipt.

    Args:
        address: Where calls are sent to.
        config: Settings of the cash-box.
    """
    return f"""from payme import Payme

with Payme(
    {_literal(config.merchant_id)},
    {_literal(config.key)},
    base_url={_literal(address)},
) as payme:
    account = {json.dumps(_account(config))}
    receipt = payme.receipts.create({_amount(config):_}, account)
    print(receipt.id, receipt.state.name)
"""


def curl(address: str, config: Config) -> str:
    """Write the same call for a shell.

    Args:
        address: Where calls are sent to.
        config: Settings of the cash-box.
    """
    body: dict[str, Any] = {
        "id": 1,
        "method": "receipts.create",
        "params": {"amount": _amount(config), "account": _account(config)},
    }
    header = shlex.quote(f"X-Auth: {config.merchant_id}:{config.key}")
    sent = shlex.quote(json.dumps(body))
    return f"curl {shlex.quote(address)} \\\n  -H {header} \\\n  -d {sent}\n"


def _amount(config: Config) -> int:
    """Choose an amount that the cash-box takes."""
    least = config.min_amount or 0
    most = config.max_amount or _AMOUNT
    return max(least, min(_AMOUNT, most), 1)


def _account(config: Config) -> dict[str, str]:
    return dict.fromkeys(config.account_fields, _ORDER) or {"order_id": _ORDER}


def _literal(text: str) -> str:
    # As the house quotes; JSON's escapes are Python's too, for printable ASCII.
    return json.dumps(text)
