"""A key that does not fit stops charges, and fails none."""

import warnings

import pytest

from payme import Payme
from payme.charges import Charges, ChargeState, Policy, SqlLedger
from payme.errors import InvalidArgument
from payme.sandbox import Sandbox

WRONG = "x" * 36


@pytest.fixture
def ledger(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}")
    yield ledger
    ledger.close()


def test_a_charge_waits_for_the_right_key(ledger):
    policy = Policy(first_pause=0.05, longest_pause=0.1)
    with Sandbox() as sandbox:
        token = sandbox.add_card()
        with Payme(sandbox.merchant_id, WRONG, base_url=sandbox.url) as payme:
            charges = Charges(payme, ledger, policy=policy)
            charge = charges.charge("a-1", 5000, {"order_id": 1}, token, deadline=0.5)
            assert charge.state == ChargeState.NEW
            assert charge.due is not None
            assert "AccessDenied" in charge.evidence
        with Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:
            charges = Charges(payme, ledger, policy=policy)
            assert charges.charge("a-1", 5000, {"order_id": 1}, token).is_paid
            assert sandbox.debits(charges.get("a-1").receipt_id) == 1


def test_a_key_that_is_changed_before_the_payment_fails_nothing(ledger):
    policy = Policy(first_pause=0.05, longest_pause=0.1)
    with Sandbox() as sandbox:
        token = sandbox.add_card()
        sandbox.faults.add(
            "receipts.pay", when="before", action="rpc_error", code=-32504, message="No", times=1
        )
        with Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:
            charges = Charges(payme, ledger, policy=policy)
            assert charges.charge("a-2", 5000, {"order_id": 1}, token).is_paid
            seen = [(event.after, event.evidence) for event in charges.history("a-2")]
            assert (ChargeState.OPEN, "receipts.pay: AccessDenied -32504") in seen
            assert sandbox.debits(charges.get("a-2").receipt_id) == 1


def test_a_token_is_no_id(ledger):
    with Sandbox() as sandbox, Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as one:
        token = sandbox.add_card()
        with pytest.raises(InvalidArgument, match="swapped") as refused:
            Charges(one, ledger).submit(token, 5000, {"order_id": 1}, "a-3")
        assert token not in str(refused.value)
