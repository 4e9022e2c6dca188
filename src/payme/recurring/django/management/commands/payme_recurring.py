"""`manage.py payme_recurring`: the commands of `payme recurring`, on the ORM and the settings."""

from typing import TYPE_CHECKING, ClassVar, Final, cast

from payme.charges import Charges
from payme.charges.django.command_line import ClickCommand, DjangoSource, click, copied
from payme.cli import recurring as cli
from payme.cli.books import Books
from payme.cli.words import tell
from payme.recurring.django.driving import DjangoRecurring
from payme.recurring.django.rows import DjangoKeeper

if TYPE_CHECKING:
    from payme.charges.django.books import DjangoBooks
    from payme.charges.django.driving import DjangoCharges

_GROUP: Final = (
    tell(
        """Har oylik toʻlovlar: obunalar, har bir davri bitta charge.

    Daftar, kalitlar va kassa maʼlumotlari PAYME_CHARGES sozlamasidan olinadi.""",
        """Ежемесячные списания: подписки, каждый период которых — одно списание.

    Журнал, ключи и данные кассы берутся из настройки PAYME_CHARGES.""",
        """Take money every month: subscriptions whose periods are charges.

    Ledger, keys and credentials are those of the setting PAYME_CHARGES.""",
    )
    + """

    \b
      manage.py payme_recurring run
      manage.py payme_recurring due --at 2026-12-01T00:00:00+05:00
      manage.py payme_recurring show club-17
      manage.py payme_recurring simulate club-17 --months 12
      manage.py payme_recurring check
      manage.py payme_recurring adopt --all
    """
)


class RecurringSource(DjangoSource):
    """Where the commands find subscriptions: beside the charges of the settings."""

    def keeper(self, books: Books) -> DjangoKeeper:
        """Return what keeps subscriptions."""
        return DjangoKeeper(cast("DjangoBooks", books))

    def recurring(self, charges: Charges) -> DjangoRecurring:
        """Make what moves subscriptions."""
        return DjangoRecurring(cast("DjangoCharges", charges))


class Command(ClickCommand):
    """Runs one of the commands; exit codes are theirs."""

    help = tell(
        "Obunalar: pul yechish, koʻrish, oldindan hisoblash, tekshirish va daftarga olish.",
        "Подписки: вести, показать, рассчитать наперёд, проверить и принять в журнал.",
        "Run, list, show, simulate, check and adopt subscriptions.",
    )

    source: ClassVar[type[DjangoSource]] = RecurringSource

    def group(self) -> click.Group:
        """Return the commands of `payme recurring`."""
        return copied(cli.recurring, "payme_recurring", _GROUP, {})
