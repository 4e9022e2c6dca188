"""`manage.py payme_charges`: the commands of `payme charges`, on the ORM and the settings."""

from typing import Final

from payme.charges.django.command_line import MERCHANT, ClickCommand, click, copied
from payme.cli import charges as cli
from payme.cli.words import tell

_GROUP: Final = tell(
    """Saqlangan kartalardan pul yechish: uzilish boʻlsa ham, har bir charge bir marta yechiladi.

    Daftar, kalitlar va kassa maʼlumotlari PAYME_CHARGES sozlamasidan olinadi.

    \b
      manage.py payme_charges import club.csv
      manage.py payme_charges run
      manage.py payme_charges audit --from 2026-11-01 --to 2026-11-30

    \b
    Chiqish kodlari: 0 bajarildi; 1 bajarilmadi yoki hammasi ham joyida emas;
    2 notoʻgʻri ishlatilgan; 3 hali nomaʼlum.
    """,
    """Списывать деньги с сохранённых карт: каждое списание один раз, какие бы сбои ни случились.

    Журнал, ключи и данные кассы берутся из настройки PAYME_CHARGES.

    \b
      manage.py payme_charges import club.csv
      manage.py payme_charges run
      manage.py payme_charges audit --from 2026-11-01 --to 2026-11-30

    \b
    Коды выхода: 0 сделано; 1 не сделано, или не всё в порядке; 2 ошибка в вызове;
    3 пока неизвестно.
    """,
    """Take money from saved cards, each charge once, whatever crashes.

    Ledger, keys and credentials are those of the setting PAYME_CHARGES.

    \b
      manage.py payme_charges import club.csv
      manage.py payme_charges run
      manage.py payme_charges audit --from 2026-11-01 --to 2026-11-30

    \b
    Exit codes: 0 done; 1 failed, or not all is well; 2 misused; 3 not known yet.
    """,
)


_INSTEAD: Final = {
    "transactions": click.Option(
        ["--transactions/--no-transactions"],
        default=None,
        help=tell(
            f"{MERCHANT} tranzaksiyalari bilan ham solishtirish yoki solishtirmaslik; u "
            "oʻrnatilgan boʻlsa, solishtiriladi.",
            f"Сверять и с транзакциями {MERCHANT} или не сверять; если он установлен, сверяются.",
            f"Compare with the transactions of {MERCHANT}, too, or not; done where it is "
            "installed.",
        ),
    )
}
"""Options that say something else here; the address of the ledger is left out."""


class Command(ClickCommand):
    """Runs one of the commands; exit codes are theirs."""

    help = tell(
        "Chargeʼlar: yuklash, yechish, koʻrish, qaytarish, bekor qilish va solishtirish.",
        "Списания: загрузить, вести, показать, вернуть, отменить и сверить.",
        "Import, run, list, show, confirm, refund, retry, cancel and audit charges.",
    )

    def group(self) -> click.Group:
        """Return the commands of `payme charges`."""
        return copied(cli.charges, "payme_charges", _GROUP, _INSTEAD)
