"""What the card form says: its errors, by key, and its other texts.

The form is a script in a browser (`payme.card_form`), so it can't ask the catalogue. Its table of
texts and codes is made from this module, and a test holds the two equal. A sentence that the
catalogue has is taken from there.
"""

from typing import Final, Literal, NamedTuple

from payme.errors.catalogue import ENTRIES, Entry, Language, Text, lookup

Field = Literal["number", "expiry", "code", "form"]

CREATE: Final = "cards.create"
SEND: Final = "cards.get_verify_code"
VERIFY: Final = "cards.verify"


class FormError(NamedTuple):
    """One error of the form."""

    key: str
    field: Field
    """Where its text stands; `form` is beside the button."""
    text: Text


class KeyRule(NamedTuple):
    """Which key an answer of Payme's has; the first rule that fits is taken."""

    code: int
    key: str
    method: str = ""
    """Method that gives the code this meaning; empty means any."""
    message: str = ""
    """What Payme's message must contain, whatever the case; empty means anything."""


def _said(code: int, method: str = "", message: str = "") -> Text:
    """Take a sentence from the catalogue."""
    return _entry(code, method, message).text


def _entry(code: int, method: str = "", message: str = "") -> Entry:
    entry = lookup(code, method, message)
    if entry is None:
        raise LookupError(f"{code} is not in the catalogue")
    return entry


_E = FormError
_RETRY: Final = "{retry}."


def _and(text: Text, part: str) -> Text:
    """Put a part that several sentences end with after a sentence."""
    return Text(*(f"{sentence} {part}" for sentence in text))


def _same(key: str) -> Text:
    """Say what another key says."""
    return Text(*[f"{{{key}}}"] * 3)


ERRORS: Final[dict[str, FormError]] = {
    error.key: error
    for error in (
        # Found before anything is sent
        _E(
            "number_incomplete",
            "number",
            Text("16–18 ta raqam kiriting.", "Введите 16–18 цифр.", "Enter 16 to 18 digits."),
        ),
        _E("number_suspect", "number", _same("sure")),
        _E(
            "expiry_incomplete",
            "expiry",
            Text("OO/YY kiriting.", "Введите ММ/ГГ.", "Enter MM/YY."),
        ),
        _E(
            "expiry_month",
            "expiry",
            Text("Oy: 01–12.", "Месяц: 01–12.", "Month: 01–12."),
        ),
        _E("expiry_past", "expiry", _same("sure")),
        _E(
            "code_incomplete",
            "code",
            Text(
                "{length} ta raqam kiriting.",
                "Введите код, цифр: {length}.",
                "Enter {length} digits.",
            ),
        ),
        # Answered by Payme
        _E("card_unknown", "number", _said(-31300)),
        _E("card_expired", "number", _said(-31301, message="Карта устарела")),
        _E("card_blocked", "number", _said(-31301, message="Карта заблокирована")),
        _E("sms_off", "number", _said(-31304)),
        _E("card_unsupported", "number", _said(-31900)),
        _E("card_bound", "number", _said(-31151)),
        _E("sms_failed", "form", _and(_said(-31110), _RETRY)),
        _E("code_wrong", "code", _said(-31103)),
        _E("code_old", "code", _said(-31201)),
        _E("code_attempts", "code", _said(-31102, VERIFY)),
        _E("token_gone", "form", _said(-32500)),
        _E("payme_busy", "form", _and(_said(-31001), _RETRY)),
        _E(
            "shop_setup",
            "form",
            Text(
                "Sotuvchi sozlamalarida xato bor.",
                "Ошибка в настройках продавца.",
                "The merchant's settings are wrong.",
            ),
        ),
        # Nobody answered, or not as the protocol has it
        _E(
            "offline",
            "form",
            _and(Text("Internet yoʻq.", "Нет интернета.", "You are offline."), _RETRY),
        ),
        _E("unreachable", "form", _same("payme_busy")),
        _E("timeout", "form", _same("payme_busy")),
        _E("bad_answer", "form", _same("payme_busy")),
        _E("unknown", "form", Text(*[_RETRY] * 3)),
        # The merchant's server
        _E("not_verified", "form", Text(*[_RETRY] * 3)),
        _E(
            "not_saved",
            "form",
            _and(
                Text("Karta saqlanmadi.", "Карта не сохранена.", "The card was not saved."),
                _RETRY,
            ),
        ),
    )
}
"""Texts hold `{length}` and others by their keys; `said` fills in the latter."""

LABELS: Final[dict[str, Text]] = {
    "number": Text("Karta raqami", "Номер карты", "Card number"),
    "expiry": Text("Amal qilish muddati (OO/YY)", "Срок действия (ММ/ГГ)", "Expiry date (MM/YY)"),
    "code": Text("SMS-kod", "Код из SMS", "SMS code"),
    "save": Text("Kartani eslab qolish", "Запомнить карту", "Remember the card"),
    "submit": Text("Davom etish", "Продолжить", "Continue"),
    "resend": Text("Kodni qayta yuborish", "Отправить код ещё раз", "Send the code again"),
    "other": Text("Boshqa karta", "Другая карта", "Another card"),
    "sent": Text(
        "Kod {phone} raqamiga yuborildi.",
        "Код отправлен на {phone}.",
        "The code was sent to {phone}.",
    ),
    "maybe": Text(
        "SMS kelsa, kodini kiriting.",
        "Если придёт SMS, введите код.",
        "If an SMS arrives, enter its code.",
    ),
    "wait": Text("Kuting…", "Подождите…", "Please wait…"),
    "done": Text("✓ Karta qoʻshildi.", "✓ Карта добавлена.", "✓ The card was added."),
    # Payme's obligations (CONFIRMED: a notice of this meaning; the wording is our choice)
    "notice": Text(
        "Karta maʼlumotlari Payme tizimiga yuboriladi va unda saqlanadi, sotuvchida emas.",
        "Данные карты отправляются в Payme и хранятся там, а не у продавца.",
        "Your card data goes to Payme and stays there, not with the merchant.",
    ),
    "offer": Text("Payme ofertasi", "Оферта Payme", "Payme's offer"),
    # Ends of several sentences
    "retry": Text("Qayta urining", "Повторите попытку", "Try again"),
    "sure": Text(
        "Xatoga oʻxshaydi. Toʻgʻri boʻlsa, yana bosing.",
        "Похоже на ошибку. Если верно, нажмите ещё раз.",
        "This looks wrong. If it is right, press again.",
    ),
}

NOSCRIPT: Final = Text(
    "Kartani qoʻshish uchun JavaScript kerak.",
    "Чтобы добавить карту, нужен JavaScript.",
    "Adding a card needs JavaScript.",
)


def said(key: str, language: Language) -> str:
    """Write an error's text as the form shows it, but for `{length}`.

    Args:
        key: Key of the error.
        language: `uz`, `ru` or `en`.

    Returns:
        The text.
    """
    texts = {**{error.key: error.text for error in ERRORS.values()}, **LABELS}
    others = {name: str(getattr(text, language)) for name, text in texts.items()}
    text = others[key]
    while (filled := text.format(**others, length="{length}")) != text:
        text = filled
    return text


# What each kind of refusal is to the form. A kind that is not here has the key `unknown`.
_KEYS: Final = {
    "InvalidCard": "card_unknown",
    "CardExpired": "card_expired",
    "CardBlocked": "card_blocked",
    "SmsNotConnected": "sms_off",
    "CardNotServiced": "card_unsupported",
    "SmsNotSent": "sms_failed",
    "WrongCode": "code_wrong",
    "CodeExpired": "code_old",
    "TooManyAttempts": "code_attempts",
    "ServiceUnavailable": "payme_busy",
    "AccessDenied": "shop_setup",
}
# Codes whose kind says too little.
_BY_CODE: Final = {-31151: "card_bound", -31400: "token_gone", -32500: "token_gone"}
# Meanings that only receipts have (-316xx and up).
_CARDS: Final = (*range(-32799, -31999), *range(-31599, -30999), -31900, -31901)


def _rules() -> tuple[KeyRule, ...]:
    # At cards.create -32602 is a number or an expiry of a wrong form; at verify, a code of one.
    found = [KeyRule(-32602, "card_unknown", CREATE), KeyRule(-32602, "code_wrong", VERIFY)]
    for entry in ENTRIES:
        key = _BY_CODE.get(entry.code) or _KEYS.get(entry.kind)
        if key and entry.code in _CARDS:
            found += [
                KeyRule(entry.code, key, method, entry.message.removeprefix("(?i)"))
                for method in entry.methods or ("",)
            ]
    return tuple(found)


RULES: Final = _rules()
