"""The sandbox's pages: the dashboard at `/`, and the checkout page that a payer sees."""

from typing import TYPE_CHECKING

from payme.sandbox.web.backend import Backend
from payme.sandbox.web.checkout import Checkout
from payme.sandbox.web.dashboard import Dashboard
from payme.sandbox.web.pages import Pages

if TYPE_CHECKING:
    from starlette.routing import Route

    from payme.sandbox.service import Service
    from payme.sandbox.simulator import Simulator

__all__ = ["routes"]


def routes(sandbox: "Simulator", service: "Service") -> "list[Route]":
    """Make the routes of all pages. The last one takes every path: mount them after all others.

    Args:
        sandbox: The sandbox that they show.
        service: Serves its calls.
    """
    backend = Backend(sandbox, service)
    pages = Pages(sandbox.host, sandbox.password, sandbox.traffic.secrets)
    return [*Dashboard(backend, pages).routes(), *Checkout(backend, pages).routes()]
