"""Engines that drive charges on many machines: Procrastinate and Celery.

An engine says *when* a charge is driven, and the ledger says *what* is done: `advance(id)` may run
at any time, twice, or not at all. A sweep enqueues again what is due and nobody drives, so a lost
job, a killed worker or an emptied broker loses nothing.

- `payme.charges.engines.procrastinate`: `pip install "payme-uz[charges,procrastinate]"`
- `payme.charges.engines.celery`: `pip install "payme-uz[charges,celery]"`
"""
