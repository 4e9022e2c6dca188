"""Every mutant of a right endpoint is caught by the rule that names it, and honest ones pass."""

from collections import defaultdict
from functools import cache

import pytest
from flawed_shop import FLAWS, KEY, MUTANTS, Shop, graded, serving_shop

from payme.conformance import grade
from payme.conformance.rules import BY_ID, RULES

CASES = [(rule, flaw) for rule, flaws in MUTANTS.items() for flaw in flaws]


def shop_for(rule, *flaws):
    return Shop(*flaws, cumulative=rule == "cumulative")


@cache
def graded_once(flaw, *, cumulative):
    return graded(Shop(*filter(None, [flaw]), cumulative=cumulative))


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "flaw"), CASES)
def test_mutant_is_caught_by_the_rule_that_names_it(rule, flaw):
    report = graded_once(flaw, cumulative=rule == "cumulative")
    assert rule in report.broken, report.text()
    assert report.passed == all(BY_ID[one].severity == "style" for one in report.broken)
    if BY_ID[rule].severity != "style":
        assert not report.passed


def test_every_rule_has_mutants_and_every_mutant_another_name():
    assert set(MUTANTS) == {rule.id for rule in RULES}
    assert len(CASES) == len(FLAWS) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_without_its_assertion_the_suite_misses_the_mutants_of_a_rule(rule, monkeypatch):
    """The suite can fail: a rule whose assertion is removed lets its own mutants through."""
    from payme.conformance import findings

    def blind(name, exchanges, *expectations):
        if name == rule:
            expectations = tuple(one._replace(met=True) for one in expectations)
        return findings.judge(name, exchanges, *expectations)

    for module in ("access", "attempt", "input", "payment", "race"):
        monkeypatch.setattr(f"payme.conformance.{module}_checks.judge", blind)
    monkeypatch.setattr("payme.conformance.checks.judge", blind)
    missed = [flaw for flaw in MUTANTS[rule] if rule not in graded(shop_for(rule, flaw)).broken]
    assert missed == MUTANTS[rule]


# What the answer to any method is looked at for.
FORMS = {"http-200", "json-rpc", "id-echo", "error-message", "content-type", "transaction-text"}


def expectations(report):
    """Which members each rule compares, in which method's answer."""
    for verdict in report.verdicts:
        seen = not verdict.exchanges or verdict.rule in FORMS
        method = "" if seen else verdict.exchanges[-1].method
        for one in verdict.expectations:
            yield (verdict.rule, method, one.about, one.expected[:1] == "∌"), one


@pytest.mark.slow
def test_every_expectation_is_the_one_that_catches_some_mutant():
    """No comparison is there for show: for each there is a mutant that only it catches."""
    compared = {key for key, _ in expectations(graded_once("", cumulative=False))}
    needed = set()
    for rule, flaw in CASES:
        unmet = defaultdict(set)
        for key, one in expectations(graded_once(flaw, cumulative=rule == "cumulative")):
            if not one.met:
                unmet[key[0]].add(key)
        needed |= {key for keys in unmet.values() if len(keys) == 1 for key in keys}
    assert compared - needed == set()


# Honest variants

HONEST = {
    "right": {},
    "strict content type": {"strict_type": True},
    "extra members": {"extra_members": True},
    "other texts, escaped": {"other_texts": True, "escaped": True},
    "cumulative": {"cumulative": True},
    "another code of accounts": {"account_code": -31099, "busy_check_code": -31060},
    "paid order as an account error": {"paid_code": -31051, "busy_check_code": -31051},
    "sorted by its own time": {"sorted_by_create_time": True},
    "slow but in time": {"latency": 0.005},
    "refunds nothing": {"no_refunds": True},
    "refuses the expired at once": {"refuses_expired_at_once": True},
    "account stored as texts": {"account_as_text": True},
    "clock a minute ahead": {"skew": 60_000},
    "clock a minute behind": {"skew": -60_000},
}


@pytest.mark.parametrize("traits", HONEST.values(), ids=HONEST)
def test_honest_variant_passes(traits):
    report = graded(Shop(**traits))
    assert report.passed, report.text()
    assert set(report.broken) <= {"text-json"}
    if "no_refunds" in traits:
        assert set(report.unseen) == {"cumulative", "perform-refunded"}
    else:
        assert report.complete, report.text()


def test_cumulative_account_is_not_asked_what_is_about_one_time_orders():
    unseen = {"wrong-amount", "busy-order", "busy-code", "busy-check"}
    unseen |= {"race-create", "paid-check", "paid-order", "refused-perform"}
    report = graded(Shop(cumulative=True, orders=1))
    assert set(report.unseen) == unseen
    assert report.complete
    assert report.result(BY_ID["cumulative"]) == "kept"


@pytest.mark.parametrize("flaw", ["", "repeat_create_restamps", "repeat_perform_restamps"])
def test_clock_that_counts_in_seconds_is_waited_for(flaw):
    """Its pauses are turned forward, not slept through."""
    shop = Shop(*filter(None, [flaw]), resolution=1000)

    def pause():
        shop.skew += 1100

    report = graded(shop, pause=pause)
    assert report.passed == (not flaw), report.text()
    rule = flaw.removesuffix("_restamps").replace("_", "-")
    assert not flaw or rule in report.broken


def test_a_pause_is_longer_than_a_second(monkeypatch):
    from payme.conformance.endpoint import Endpoint

    slept = []
    monkeypatch.setattr("payme.conformance.endpoint.time.sleep", slept.append)
    Endpoint._field_defaults["pause"]()
    assert slept[0] > 1


# Three results


def test_with_one_order_only_the_race_that_uses_one_up_is_not_seen():
    report = graded(Shop(orders=1))
    assert report.passed
    assert set(report.unseen) == {"cumulative", "race-cancel"}
    assert not report.complete
    assert "--new-order" in report.unseen["race-cancel"].en


@pytest.mark.parametrize(
    ("flaw", "rules"),
    [
        ("perform_refuses", {"repeat-perform", "refund", "paid-order", "statement-row"}),
        ("create_refuses", {"repeat-create", "cancel", "race-create", "race-repeat"}),
        ("bad_request_hangs", set()),
        ("cancelled_blocks", {"race-create", "perform", "expiry"}),
    ],
)
def test_what_proves_nothing_is_not_seen(flaw, rules):
    report = graded(Shop(flaw))
    assert rules <= set(report.unseen), report.text()
    assert not report.passed


@pytest.mark.parametrize("flaw", ["unknown_method_hangs", "drops_cancel"])
def test_endpoint_that_hangs_somewhere_is_still_graded(flaw):
    report = graded(Shop(flaw))
    assert not report.passed
    assert report.result(BY_ID["auth-wrong"]) == "kept"
    assert report.result(BY_ID["statement-empty"]) == "kept"


def test_one_hanging_body_is_enough_to_know():
    shop = Shop("bad_request_hangs")
    graded(shop)
    assert sum(body == b"{}" for _, _, body in shop.seen) == 1
    assert not any(body == b'"text"' for _, _, body in shop.seen)


def test_over_http_the_same_is_found(monkeypatch):
    monkeypatch.setattr("payme.conformance.endpoint.PAUSE_S", 0.01)
    for flaws, broken in (((), set()), (("paid_allowed",), {"paid-check"})):
        with serving_shop(Shop(*flaws)) as url:
            report = grade(url, KEY, account=[{"order_id": 1}, {"order_id": 2}], amount=50_000)
        assert set(report.broken) == broken, report.text()
