"""The outbox in the database of a Django project: an app of its own.

    INSTALLED_APPS += ["payme.merchant.django", "payme.merchant.django.outbox"]

`payme.merchant.django.outbox.jobs` has `DjangoOutbox`; `manage.py payme_relay` runs the jobs.
"""
