"""Tasks for Celery and Procrastinate: the expiry sweep, and the relay of the outbox.

- `payme.merchant.engines.celery`: `pip install "payme-uz[celery]"`
- `payme.merchant.engines.procrastinate`: `pip install "payme-uz[procrastinate]"`
"""
