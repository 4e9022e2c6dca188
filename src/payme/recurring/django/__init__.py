"""Subscriptions as a Django app, beside the charges: `pip install "payme-uz[django-charges]"`.

    # settings.py
    INSTALLED_APPS = [..., "payme.charges.django", "payme.recurring.django"]

    # club/views.py
    with transaction.atomic():
        member = Member.objects.create(...)
        recurring().create(f"club-{member.pk}", 5_000_000, {"member": member.pk}, token,
                           missed="latest")

    $ python manage.py payme_recurring run

Database, keys and credentials are those of `PAYME_CHARGES`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payme.recurring.django.driving import DjangoRecurring

__all__ = ["recurring"]


def recurring() -> "DjangoRecurring":
    """Return the subscriptions of this process, over `payme.charges.django.charges()`.

    They may be used from any thread, and after a fork.

    Returns:
        `Recurring` on the ORM. What only stores (`create`, `change`, `pause`, `cancel`, `tick` …)
        joins a surrounding `transaction.atomic`; `run` is called outside of one.

    Raises:
        ConfigurationError: A setting is missing or can't be right.

    Example:
        >>> with transaction.atomic():
        ...     member = Member.objects.create(name="Aziza")
        ...     account = {"member": member.pk}
        ...     recurring().create(f"club-{member.pk}", 5_000_000, account, token, missed="latest")
    """
    # Here, because models can't be imported before the apps are loaded.
    from payme.recurring.django.driving import configured

    return configured()
