import pickle

import pytest

from payme import errors
from payme.errors import catalogue
from payme.errors.catalogue import ENTRIES, lookup


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.code}-{entry.kind}")
def test_every_entry_has_a_class_and_all_languages(entry):
    assert issubclass(errors.REJECTIONS[entry.kind], errors.Rejected)
    assert all(entry.text)
    assert all(entry.remedy)
    assert len(set(entry.text)) == len(set(entry.remedy)) == 3


# Every code that section 4 of the facts lists, but for -31603 and -31627, which nobody has seen.
CODES = [
    *[
        -32300,
        -32700,
        -32600,
        -32601,
        -32602,
        -32504,
        -32400,
        -32500,
        -31001,
        -31002,
        -31007,
        -31008,
    ],
    *[
        -31050,
        -31099,
        -31100,
        -31101,
        -31102,
        -31103,
        -31110,
        -31151,
        -31200,
        -31201,
        -31300,
        -31301,
    ],
    *[
        -31302,
        -31303,
        -31304,
        -31400,
        -31401,
        -31402,
        -31403,
        -31601,
        -31602,
        -31610,
        -31611,
        -31612,
    ],
    *[-31613, -31620, -31622, -31623, -31624, -31630, -31640, -31700, -31800, -31900, -31901],
]


@pytest.mark.parametrize("code", CODES)
def test_every_known_code_is_in_the_catalogue(code):
    rejected = errors.Rejected.of(code, "", method="receipts.pay")
    assert lookup(code) is not None
    assert {rejected.text("uz"), rejected.text("ru"), rejected.text("en")}.isdisjoint({""})
    assert str(rejected.remedy)


@pytest.mark.parametrize("code", [-31603, -31627, 0, 5, -1, -31049, -31100 - 1000])
def test_unknown_code_is_a_plain_refusal_with_texts(code):
    rejected = errors.Rejected.of(code, "nima")
    assert type(rejected) is errors.Rejected
    assert rejected.text("uz") == "Payme soʻrovni rad etdi."


@pytest.mark.parametrize(
    ("code", "method", "message", "kind"),
    [
        (-31602, "receipts.pay", "Чек не найден или оплачен", errors.AlreadyPaid),
        (-31602, "receipts.get", "Чек не найден или оплачен", errors.ReceiptNotFound),
        (-31101, "cards.verify", "", errors.CodeExpired),
        (-31101, "receipts.pay", "", errors.CardNotServiced),
        (-31102, "cards.verify", "", errors.TooManyAttempts),
        (-31630, "receipts.pay", "Недостаточно средств на карте", errors.InsufficientFunds),
        (-31630, "receipts.pay", "Карта заблокирована.", errors.CardBlocked),
        (-31630, "receipts.pay", "Карта устарела", errors.CardExpired),
        (-31630, "receipts.pay", "Не включено смс уведомление", errors.SmsNotConnected),
        (
            -31630,
            "receipts.pay",
            "Карта корпоративная. Прием платежей запрещен.",
            errors.CardNotServiced,
        ),
        (-31630, "receipts.pay", "Неверный номер карты", errors.InvalidCard),
        (-31630, "receipts.pay", "что-то ещё", errors.CardRejected),
        (-31301, "cards.create", "Срок действия карты истек", errors.CardExpired),
        (-31301, "cards.create", "Карта заблокирована.", errors.CardBlocked),
        (-31301, "cards.get_verify_code", "", errors.SmsNotConnected),
        (-31051, "receipts.create", "", errors.AccountInvalid),
        (-31623, "receipts.create", "", errors.MerchantRefused),
        (-32504, "receipts.create", "Access denied.", errors.AccessDenied),
    ],
)
def test_class_follows_code_method_and_message(code, method, message, kind):
    assert type(errors.Rejected.of(code, message, method=method)) is kind


def test_tree_is_the_documented_one():
    assert issubclass(errors.InvalidArgument, ValueError)
    assert issubclass(errors.UnreadableAnswer, errors.OutcomeUnknown)
    assert issubclass(errors.UnreadableAnswer, errors.ProtocolError)
    assert not issubclass(errors.NotSent, errors.OutcomeUnknown)
    for kind in (errors.InsufficientFunds, errors.WrongCode, errors.SmsNotConnected):
        assert issubclass(kind, errors.CardRejected)
    for kind in (errors.AlreadyPaid, errors.AmountTooSmall, errors.AccountInvalid):
        assert issubclass(kind, errors.ReceiptRejected)
    for kind in (errors.MerchantUnavailable, errors.MerchantRefused):
        assert issubclass(kind, errors.BillingRejected)


def test_merchants_own_error_is_inside():
    inner = {"code": -31050, "message": {"uz": "Topilmadi"}, "data": "order_id"}
    refused = errors.Rejected.of(-31623, "", inner, method="receipts.create")
    assert isinstance(refused, errors.MerchantRefused)
    assert refused.merchant_error["message"] == {"uz": "Topilmadi"}


def test_unknown_language_is_refused_by_name():
    with pytest.raises(errors.InvalidArgument, match="language"):
        errors.Rejected.of(-31630, "").text("de")


@pytest.mark.parametrize(
    "error",
    [
        errors.NotSent("no", method="receipts.pay", request_id=5, receipt_id="r" * 24),
        errors.OutcomeUnknown("?", method="receipts.pay", receipt_id="r" * 24, sent="maybe"),
        errors.UnreadableAnswer("?", method="receipts.pay", sent="yes"),
        errors.InvalidArgument("amount", -1, "a positive number"),
        errors.ConfigurationError("key"),
        errors.Rejected.of(-31630, "Карта заблокирована.", {"a": [1]}, method="receipts.pay"),
        errors.Rejected.of(12345, "?", None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error):
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_pickled_error_without_a_client_says_what_it_needs():
    twin = pickle.loads(pickle.dumps(errors.OutcomeUnknown("?", method="receipts.pay")))
    with pytest.raises(errors.ConfigurationError, match=r"receipts\.resolve\(error\)"):
        twin.resolve()


def test_every_code_says_how_sure_we_are():
    assert {entry.standing for entry in ENTRIES} <= {
        "confirmed",
        "observed",
        "inferred",
        "our choice",
    }
    assert lookup(catalogue.SYSTEM_ERROR).standing == "confirmed"
