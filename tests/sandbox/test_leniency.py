"""What Payme lets pass is let pass, with a remark; a strict sandbox refuses it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from merchant_tools import Shop
from sandbox_tools import GOOD, Caller, Clock

from payme.sandbox import Sandbox
from payme.sandbox.engine.leniency import MAX_REMARKS
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.web.i18n import translator
from payme.sandbox.web.i18n.remarks import in_words

ACCOUNT = {"order_id": 1}
CARD = {"number": GOOD, "expire": "0399"}

# As clients send them: tolov and paytechuz, payme-pkg, a client in Go.
SENT: list[tuple[str, dict[str, Any], str]] = [
    ("receipts.create", {"amount": 500, "account": ACCOUNT, "detail": {}}, "detail.receipt_type"),
    (
        "receipts.create",
        {"amount": 500, "account": ACCOUNT, "detail": {"key": "value"}},
        "detail.key",
    ),
    (
        "receipts.create",
        {"amount": 500, "account": ACCOUNT, "description": "Payment", "expire_minutes": 60},
        "expire_minutes",
    ),
    (
        "receipts.create",
        {"amount": 500, "account": ACCOUNT, "callback_url": "https://a.uz", "email": "a@b.uz"},
        "callback_url",
    ),
    ("receipts.create", {"amount": 500, "account": ACCOUNT, "hold": None}, "hold"),
    (
        "receipts.create",
        {"amount": 500, "account": ACCOUNT, "detail": {"receipt_type": 0, "items": [{"price": 1}]}},
        "detail.items[0].title",
    ),
    ("cards.create", {"card": CARD, "save": True, "phone": "998901234567"}, "phone"),
    ("cards.create", {"card": {**CARD, "holder": "A"}, "save": True}, "card.holder"),
    ("cards.get_verify_code", {"token": "", "phone": "998901234567"}, "phone"),
    ("receipts.pay", {"id": "", "token": "", "payer": {"fax": "1"}}, "payer.fax"),
    ("receipts.cancel", {"id": "", "reason": "returned"}, "reason"),
    ("receipts.check", {"id": "", "lang": "uz"}, "lang"),
]


def prepared(caller: Caller, params: dict[str, Any]) -> dict[str, Any]:
    made = {"id": caller.receipt, "token": caller.verified}
    return {name: made[name]() if value == "" else value for name, value in params.items()}


@pytest.mark.parametrize(("method", "params", "name"), SENT)
def test_what_clients_send_is_let_pass_with_a_remark(
    caller: Caller, strict: Caller, method: str, params: dict[str, Any], name: str
) -> None:
    caller.ok(method, **prepared(caller, params))
    remarks = caller.sandbox.traffic.entries()[0].remarks
    assert any(f"param {name}:" in remark for remark in remarks), remarks
    for remark in remarks:
        translated(remark)
    code, message, data = strict.no(method, **prepared(strict, params))
    assert (code, data) == (-32602, name)
    assert name in message


def test_what_is_on_paymes_pages_has_no_remark(caller: Caller) -> None:
    item = {"title": "A", "price": 500, "count": 1, "code": "1", "vat_percent": 0}
    detail = {"receipt_type": 0, "items": [{**item, "package_code": "1"}]}
    receipt = caller.receipt(detail=detail)
    caller.ok("receipts.pay", id=receipt, token=caller.verified(), payer={"phone": "998901234567"})
    caller.ok("receipts.cancel", id=receipt)
    assert [entry.remarks for entry in caller.sandbox.traffic.entries()] == [()] * 6


def test_a_detail_comes_back_as_far_as_it_is_known(caller: Caller) -> None:
    receipt = caller.receipt(detail={"key": "value", "items": [{"title": "A", "x": 1}]})
    found = caller.ok("receipts.get", id=receipt)["receipt"]["detail"]
    assert found == {"items": [{"title": "A"}]}


@pytest.mark.parametrize("name", ["partially", "amount"])
@pytest.mark.parametrize("method", ["receipts.cancel", "receipts.confirm_hold"])
def test_what_would_change_the_money_is_never_let_pass(
    caller: Caller, method: str, name: str
) -> None:
    receipt = caller.held()
    assert caller.no(method, id=receipt, **{name: 100})[::2] == (-32602, name)
    assert (caller.state(receipt), caller.sandbox.debits(receipt)) == (5, 1)


@pytest.mark.parametrize(
    "params",
    [
        {"amount": "500", "account": ACCOUNT, "x": 1},
        {"amuont": 500, "account": ACCOUNT},
        {"amount": None, "account": ACCOUNT},
        {"amount": 500, "account": ACCOUNT, "detail": []},
        {"amount": 500, "account": ACCOUNT, "detail": {"receipt_type": "0"}},
        {"amount": 500, "account": ACCOUNT, "hold": "true"},
    ],
)
def test_a_wrong_type_and_a_missing_param_are_refused_all_the_same(
    caller: Caller, params: dict[str, Any]
) -> None:
    assert caller.no("receipts.create", **params)[0] == -32602


names = st.text(max_size=80)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*METHODS]), st.dictionaries(names, values, max_size=4))
def test_a_lenient_sandbox_serves_whatever_a_strict_one_serves(
    method: str, more: dict[str, Any]
) -> None:
    boxes = [Sandbox(seed=7, strict=strict, clock=Clock()) for strict in (True, False)]
    answers = []
    for box in boxes:
        caller = Caller(box)
        params = {"id": caller.receipt(), "token": caller.verified(), "card": CARD}
        params = {**params, **more, "amount": 500, "account": ACCOUNT}
        answers.append(caller.call(method, params))
    for box in boxes:
        box.stop()
    if "result" in answers[0]:
        assert answers[1] == answers[0]
    assert answers[1].get("error", {}).get("code") != -32400


def test_of_many_only_some_are_named(caller: Caller) -> None:
    caller.receipt(**{f"{number:0300}": 1 for number in range(500)})
    remarks = caller.sandbox.traffic.entries()[0].remarks
    assert len(remarks) == MAX_REMARKS
    assert max(map(len, remarks)) < 200


def test_a_secret_that_is_a_name_is_masked_in_the_remark(caller: Caller) -> None:
    caller.receipt(**{GOOD: 1, f"x{caller.sandbox.key}": 1})
    remarks = str(caller.sandbox.traffic.entries()[0].remarks)
    assert GOOD not in remarks
    assert caller.sandbox.key not in remarks


def test_a_payment_with_a_merchant_has_its_remarks_too(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, merchant=Shop(clock))
    caller = Caller(sandbox)
    receipt = caller.receipt(expire_minutes=5)
    caller.ok("receipts.pay", id=receipt, token=caller.verified(), language="uz")
    with_remarks = [one.method for one in sandbox.traffic.entries() if one.remarks]
    assert with_remarks == ["receipts.pay", "receipts.create"]
    sandbox.stop()


# X-Auth


def explained(sandbox: Sandbox, x_auth: str | None, method: str = "receipts.get") -> str:
    body = json.dumps({"id": 1, "method": method, "params": {"id": "0" * 24}}).encode()
    answer = json.loads(sandbox.handle(body, x_auth))
    assert answer["error"]["code"] == -32504
    entry = sandbox.traffic.entries()[0]
    # Which method was called is known although nobody was let in.
    assert entry.method == method
    (remark,) = entry.remarks
    assert sandbox.key not in remark
    translated(remark)
    return remark


def translated(remark: str) -> None:
    """See that the dashboard says a remark in its other languages, with what is filled in."""
    spoken = {language: in_words(remark, translator(language)) for language in ("uz", "ru", "en")}
    assert spoken["en"] == remark
    assert len(set(spoken.values())) == 3, remark
    for filled in re.findall(r"param (\S+):|has (\w{24})$", remark):
        assert all("".join(filled) in said for said in spoken.values())


def test_why_x_auth_was_refused_is_said(sandbox: Sandbox) -> None:
    front, key = sandbox.merchant_id, sandbox.key
    for x_auth, said in (
        (None, "no access header"),
        ("  ", "no access header"),
        ("Basic UGF5Y29tOmtleQ==", "without a word"),
        ("Bearer x", "without a word"),
        ("UGF5Y29tOmtleQ==", "is Base64"),
        (front, "the id alone"),
        (f"{front}:wrong", "the key after the colon"),
        (f"{front}:{key} ", "the key after the colon"),
        (f'"{front}":{key}', "quotation marks"),
        (f" {front}:{key}", "spaces"),
        (f"{'0' * 24}:{key}", front),
    ):
        assert said in explained(sandbox, x_auth), x_auth
    assert "X-Auth" in explained(sandbox, None, "no.such.method")


def test_who_calls_no_cash_box_is_told_of_all() -> None:
    sandbox = Sandbox(cash_boxes=[{"merchant_id": "books"}])
    said = explained(sandbox, f"{'0' * 24}:{sandbox.key}")
    assert said.endswith(f"this sandbox has {sandbox.merchant_id}, books")
    assert "spaces" in explained(sandbox, " books:key")
    for number in range(9):
        sandbox.add_cash_box(merchant_id=f"box-{number}")
    assert explained(sandbox, "nobody:key").endswith("box-2, …")
    sandbox.stop()


def test_a_remark_that_nobody_has_translated_stays_as_it_is() -> None:
    for remark in ("", "the disk is full", "unknown param"):
        assert in_words(remark, translator("ru")) == remark
    named = in_words("unknown param {0}{name}: " + "x", translator("ru"))
    assert named == "unknown param {0}{name}: x"


def test_a_call_that_is_let_in_has_no_such_remark(caller: Caller) -> None:
    caller.no("receipts.get", id="0" * 24)
    assert caller.sandbox.traffic.entries()[0].remarks == ()
