from charges.conftest import database, ledger, open_ledger, postgres
from support.clients import on_every_loop

pytest_generate_tests = on_every_loop

__all__ = ["database", "ledger", "open_ledger", "postgres"]
