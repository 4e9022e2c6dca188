"""Serve one request of each transaction and be killed in the middle, at another step each time."""

import os
import signal
import sys

import django

django.setup()

from payme.merchant import core, flows  # noqa: E402
from payme.merchant.django.store import DjangoStore  # noqa: E402
from payme.merchant.stores import rows  # noqa: E402
from shopfront.orders import Orders  # noqa: E402


def request(method, number, now):
    if method == "create":
        return core.Create(f"{number:024x}", now, 50_000, {"order_id": str(number)})
    if method == "perform":
        return core.Perform(f"{number:024x}")
    return core.Cancel(f"{number:024x}", 5)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def serve(asked, now, steps):
    """Serve a request, and die after so many steps, or after the commit when they were fewer."""
    operate = rows.operate
    done = 0

    def counted(on, step):
        nonlocal done
        if done == steps:
            die()
        came = operate(on, step)
        done += 1
        if done == steps and isinstance(step, flows.Insert | flows.Update):
            die()
        return came

    rows.operate = counted
    DjangoStore(Orders()).run(flows.serve(asked, now))
    die()


def main(method, count, now):
    for number in range(count):
        child = os.fork()
        if child == 0:
            serve(request(method, number, now), now, number)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, status


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
