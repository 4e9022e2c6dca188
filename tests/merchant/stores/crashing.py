"""A shop whose process is killed with SIGKILL, at any point of a request or of an upgrade.

Started once as a process of its own, it forks a child for each crash: a fork of one thread is
safe, and a hundred fresh interpreters would take a minute.
"""

import asyncio
import json
import os
import signal
import sys
import traceback

from sqlalchemy import event
from sqlshop import AsyncShop, BlockingShop


def arm(engine, point):
    """Kill this process before the statement or the commit number `point`, counting from 0."""
    passed = 0

    def step(*ignored):
        nonlocal passed
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    event.listen(engine, "before_cursor_execute", step)
    event.listen(engine, "commit", step)
    return lambda: passed


def serve(job):
    """Send one request, or upgrade; the last of the points is after the commit."""
    kind = {"blocking": BlockingShop, "asyncio": AsyncShop}[job["kind"]]
    shop = kind(job["url"])
    shop.now = job["now"]
    engine = shop.engine if kind is BlockingShop else shop.async_engine.sync_engine
    passed = arm(engine, job["point"])
    if job["method"] == "create_all":
        shop.store.create_all()
        answer = {}
    else:
        answer = shop.call(job["method"], **job["params"])
    if passed() == job["point"]:  # Stored, and not answered yet.
        os.kill(os.getpid(), signal.SIGKILL)
    if "error" in answer:
        raise RuntimeError(f"refused: {answer}")


def child(job):
    status = 1
    try:
        serve(job)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main():
    """Read jobs, a line each, and tell how each child ended."""
    asyncio.new_event_loop().close()  # Imports what asyncio needs before the first fork.
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            child(json.loads(line))
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
