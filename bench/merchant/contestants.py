"""Who takes part, from which throw-away environment, and which server runs it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.client.contestants import ENVIRONMENTS as CLIENT
from bench.merchant.apps.shop import THREADS

_FASTAPI = "uvicorn[standard] psycopg[binary]"
_DJANGO = "gunicorn psycopg[binary]"
ENVIRONMENTS = {
    "merchant": f".[fastapi,sqlalchemy,django] {_FASTAPI} {_DJANGO}",
    "merchant-paytechuz": f"{CLIENT['paytechuz']} paytechuz[fastapi] {_FASTAPI}",
    "merchant-payme-pkg": f"{CLIENT['payme-pkg']} {_DJANGO}",
}

_UVICORN = ("uvicorn", "--no-access-log", "--log-level", "critical", "--timeout-keep-alive", "60")
_GUNICORN = (
    "gunicorn",
    *("--worker-class", "gthread", "--workers", "1", "--threads", str(THREADS)),
    *("--keep-alive", "60", "--no-control-socket", "--log-level", "critical"),
)
_WSGI = "bench.merchant.apps.django_shop.wsgi:application"

_ENDED = "1700000000000 + n"
_OURS_HISTORY = f"""
    INSERT INTO payme_transaction (id, box, order_id, time, amount, account, create_time,
        perform_time, cancel_time, state, reason, receivers, fiscal, reserves)
    SELECT lpad(to_hex(n), 24, 'e'), '', n, {_ENDED}, 50000, json_build_object('id', n),
        {_ENDED}, {_ENDED}, 0, 2, NULL, '[]', '{{}}', n
    FROM generate_series(%(first)s, %(last)s) AS n
"""
_PAYTECHUZ_HISTORY = """
    INSERT INTO payments (gateway, transaction_id, account_id, amount, state, extra_data,
        created_at, updated_at, performed_at)
    SELECT 'payme', lpad(to_hex(n), 24, 'e'), n, 500, 2, '{}', now(), now(), now()
    FROM generate_series(%(first)s, %(last)s) AS n
"""
_PAYME_PKG_HISTORY = """
    INSERT INTO payme_transactions (transaction_id, account_id, amount, state, fiscal_data,
        created_at, updated_at, performed_at)
    SELECT lpad(to_hex(n), 24, 'e'), n, 50000, 2, '{}', now(), now(), now()
    FROM generate_series(%(first)s, %(last)s) AS n
"""


@dataclass(frozen=True)
class Contestant:
    """One server.

    Attributes:
        title: What the tables call it.
        framework: `FastAPI` or `Django`.
        role: `ours`, `peer`, or `bare` for a view that does nothing.
        environment: Key of `ENVIRONMENTS`.
        target: What the server imports, or, of the Django project, which view answers.
        history: SQL that stores ended transactions.
    """

    title: str
    framework: str
    role: str
    environment: str
    target: str
    history: str = ""

    def command(self, port: int) -> tuple[str, ...]:
        """Return the arguments of the interpreter: the server's module and its own."""
        if self.framework == "FastAPI":
            return ("-m", *_UVICORN, "--port", str(port), f"bench.merchant.apps.{self.target}:app")
        return ("-m", *_GUNICORN, "--bind", f"127.0.0.1:{port}", _WSGI)

    @property
    def has_shop(self) -> bool:
        """Return whether it takes payments at all."""
        return self.role != "bare"


CONTESTANTS = (
    Contestant("bare FastAPI", "FastAPI", "bare", "merchant", "fastapi_echo"),
    Contestant("payme", "FastAPI", "ours", "merchant", "fastapi_payme", _OURS_HISTORY),
    Contestant(
        "paytechuz",
        "FastAPI",
        "peer",
        "merchant-paytechuz",
        "fastapi_paytechuz",
        _PAYTECHUZ_HISTORY,
    ),
    Contestant("bare Django", "Django", "bare", "merchant", "echo"),
    Contestant("payme", "Django", "ours", "merchant", "payme", _OURS_HISTORY),
    Contestant(
        "payme-pkg", "Django", "peer", "merchant-payme-pkg", "payme_pkg", _PAYME_PKG_HISTORY
    ),
)
SHOPS = tuple(each for each in CONTESTANTS if each.has_shop)


def counterpart(contestant: Contestant, role: str) -> Contestant:
    """Return who has another role on the same framework."""
    return next(
        each for each in CONTESTANTS if (each.framework, each.role) == (contestant.framework, role)
    )
