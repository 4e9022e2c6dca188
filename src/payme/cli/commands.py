"""The list of commands. Each is imported when it is called, so that `payme --help` stays quick."""

from typing import Final

import click

from payme.cli import options
from payme.cli.program import Lazy, Program
from payme.cli.words import tell

# A new command is one entry here; that each of them can be loaded is tested.
COMMANDS: Final = {
    "cards": Lazy(
        "payme.cli.card_commands:cards",
        "Kartalar: token, SMS-kod, tekshirish.",
        "Карты: токен, код по SMS, проверка.",
        "Cards: tokens, SMS codes, a look at one.",
    ),
    "receipts": Lazy(
        "payme.cli.receipt_commands:receipts",
        "Cheklar: yaratish, toʻlash, qaytarish, roʻyxat.",
        "Чеки: создать, оплатить, вернуть, вывести список.",
        "Receipts: create, pay, cancel, list.",
    ),
    "link": Lazy(
        "payme.cli.link:link",
        "Toʻlov sahifasiga havola va QR-kod.",
        "Ссылка на страницу оплаты и QR-код.",
        "A link to the checkout page, and its QR code.",
    ),
    "errors": Lazy(
        "payme.cli.error_codes:errors",
        "Xato kodining sababi va davosi.",
        "Причина и решение по коду ошибки.",
        "Cause and remedy of an error code.",
    ),
    "doctor": Lazy(
        "payme.cli.doctor:doctor",
        "Nega ishlamayotganini aniqlash.",
        "Выяснить, почему не работает.",
        "Find out why something does not work.",
    ),
    "login": Lazy(
        "payme.cli.login:login",
        "Kassa maʼlumotlarini shu kompyuterda saqlash.",
        "Сохранить данные кассы на этом компьютере.",
        "Keep the credentials of a cash-box on this computer.",
    ),
    "logout": Lazy(
        "payme.cli.login:logout",
        "Saqlangan maʼlumotlarni oʻchirish.",
        "Удалить сохранённые данные.",
        "Delete the credentials that are kept.",
    ),
    "profiles": Lazy(
        "payme.cli.login:list_profiles",
        "Saqlangan profillar.",
        "Сохранённые профили.",
        "Profiles that are kept.",
    ),
    "completion": Lazy(
        "payme.cli.completion:completion",
        "bash, zsh va fish uchun toʻldirish skripti.",
        "Скрипт автодополнения для bash, zsh и fish.",
        "The completion script of bash, zsh and fish.",
    ),
    "sandbox": Lazy(
        "payme.cli.sandbox_command:sandbox",
        "Payme shu kompyuterda, pulsiz.",
        "Payme на этом компьютере, без денег.",
        "Payme on this computer, without money.",
    ),
    "faults": Lazy(
        "payme.cli.remote:faults",
        "Ishlab turgan sandboxning nosozliklari.",
        "Сбои работающей песочницы.",
        "Faults of a running sandbox.",
    ),
    "clock": Lazy(
        "payme.cli.remote:clock",
        "Ishlab turgan sandboxning soati.",
        "Часы работающей песочницы.",
        "The clock of a running sandbox.",
    ),
    "check-merchant": Lazy(
        "payme.cli.conformance:check_merchant",
        "Merchant API manzilini baholash.",
        "Проверить адрес Merchant API.",
        "Grade an endpoint of the Merchant API.",
    ),
    "trigger": Lazy(
        "payme.cli.trigger:trigger",
        "Sotuvchiga Payme kabi bitta soʻrov yuborish.",
        "Отправить продавцу один запрос, как это делает Payme.",
        "Send a merchant one request, as Payme would.",
    ),
    "merchant": Lazy(
        "payme.cli.merchant:merchant",
        "Merchant API manzilining davriy ishlari.",
        "Регулярные работы адреса Merchant API.",
        "The upkeep of a Merchant API endpoint.",
    ),
    "charges": Lazy(
        "payme.cli.charges:charges",
        "Saqlangan kartalardan pul yechish, har bir charge bir marta.",
        "Списания с сохранённых карт, каждое один раз.",
        "Take money from saved cards, each charge once.",
    ),
    "recurring": Lazy(
        "payme.cli.recurring:recurring",
        "Har oylik toʻlovlar.",
        "Ежемесячные списания.",
        "Take money every month.",
    ),
    "demo": Lazy(
        "payme.cli.demo:demo",
        "Paket nimalarga qodirligi, sandboxda.",
        "Что умеет пакет, на песочнице.",
        "What the package does, shown on the sandbox.",
    ),
}

payme: Final = Program(
    "payme",
    COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    help=tell(
        """Payme orqali pul qabul qilish.

        \b
        Chiqish kodlari: 0 bajarildi; 1 bajarilmagani aniq; 2 notoʻgʻri ishlatilgan;
        3 nomaʼlum; 130 toʻxtatildi.
        Til: PAYME_LANG (uz, ru, en), boʻlmasa tizim tili.""",
        """Принимать деньги через Payme.

        \b
        Коды выхода: 0 сделано; 1 точно не сделано; 2 ошибка в вызове;
        3 неизвестно; 130 прервано.
        Язык: PAYME_LANG (uz, ru, en), иначе язык системы.""",
        """Take money with Payme.

        \b
        Exit codes: 0 done; 1 certainly not done; 2 misused; 3 not known; 130 interrupted.
        Language: PAYME_LANG (uz, ru, en), else the system's.""",
    ),
)
options.profile(payme)
click.version_option(package_name="payme-uz", message="payme %(version)s")(payme)
