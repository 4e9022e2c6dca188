"""Engines that run subscriptions on many machines: Procrastinate and Celery.

They are those of charges with one task more: a tick, which opens, announces and ends what is due,
and then hands over the charges that are due. A tick and a charge's job may be lost or come twice:
whatever was due is due at the next tick, and what a tick opened is found by the sweep.

- `payme.recurring.engines.procrastinate`: `pip install "payme-uz[charges,procrastinate]"`
- `payme.recurring.engines.celery`: `pip install "payme-uz[charges,celery]"`
"""
