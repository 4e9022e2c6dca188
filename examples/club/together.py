"""The sandbox and a club, wired together: `make club`, or `python -m examples.club.together`."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from subprocess import Popen

from examples.together import KEY, LEDGER_KEY, check_free, running, start, wait_for, watch
from payme.sandbox import Sandbox

CLUBS = ["club_fastapi", "club_django"]
PASSWORD = "sandbox"

_HELLO = """
The club is at     http://127.0.0.1:{club}
The till is at     http://127.0.0.1:{club}/operator   (operator, {password})
The sandbox is at  {root}   (dashboard; test card 8600069195406311, 03/99, code 666666)

Join, add the test card, let a month pass by the button below, and look at the payments. The card
8600318600000007 has no money. Ctrl-C stops both.
"""


def main() -> None:
    """Start both, and stop both."""
    start("examples.club.together", "club", CLUBS, run)


def run(options: argparse.Namespace, database: str) -> None:
    """Run both until Ctrl-C comes.

    Args:
        options: From the command line.
        database: Address of the club's database.

    Raises:
        ShopError: The club did not start, or ended.
        SandboxError: The sandbox did not start.
    """
    check_free(options.port)
    with Sandbox(port=options.sandbox_port, key=KEY, account_fields={"member": "Member"}) as box:
        given = environment(box, database)
        with started(options.club, options.port, given) as processes:
            root = given["CLUB_SANDBOX"]
            print(_HELLO.format(club=options.port, root=root, password=PASSWORD), flush=True)
            watch(processes)


def environment(box: Sandbox, database: str) -> dict[str, str]:
    """Write the settings of a club on a sandbox; see `examples.club.settings`."""
    return {
        "PAYME_MERCHANT_ID": box.merchant_id,
        "PAYME_KEY": box.key,
        "PAYME_BASE_URL": box.url,
        "PAYME_LEDGER_KEYS": LEDGER_KEY,
        "CLUB_DATABASE": database,
        "CLUB_SANDBOX": box.url.removesuffix("/api"),
        "CLUB_PASSWORD": PASSWORD,
        # Nobody else reaches this computer's port. A real club makes its own, and keeps it.
        "CLUB_SECRET": os.environ.get("CLUB_SECRET", LEDGER_KEY),
    }


@contextmanager
def started(club: str, port: int, given: dict[str, str]) -> Iterator[dict[str, Popen[bytes]]]:
    """Start a club, and what runs beside it."""
    with ExitStack() as stack:
        command = [sys.executable, "-m", f"examples.{club}", "--port", str(port)]
        process = stack.enter_context(running(command, given))
        wait_for(process, port)
        processes = {"the club": process}
        if club == "club_django":
            # In a Django project a process of its own opens what is due and delivers messages.
            beside = [sys.executable, "-m", "examples.club_django.manage", "club_run"]
            processes["club_run"] = stack.enter_context(running(beside, given))
        yield processes


if __name__ == "__main__":
    main()
