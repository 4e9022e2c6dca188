"""What a subscription does, decided without a database: the rules, and properties over them."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payme.charges.core import Charge, ChargeState
from payme.errors import InvalidArgument
from payme.recurring import core
from payme.recurring.calendar import Every
from payme.recurring.core import (
    ABOUT,
    ALLOWED,
    DAY,
    NEXT,
    Fact,
    Notice,
    PeriodState,
    SubscriptionConflict,
    SubscriptionState,
)
from payme.recurring.rule import check_id, check_timezone
from recurring.club_model import HARD, HOUR, PAID, PRICE, SOFT, START, UNKNOWN, Club, made

S, P, N = SubscriptionState, PeriodState, Notice


def day(moment):
    return str(datetime.fromtimestamp(moment + 5 * HOUR, UTC))[:16]


def kinds(club, n):
    return [told.kind for told in club.notices if told.n == n]


# A year as it should be.


def test_a_year_of_month_ends():
    club = Club()
    club.run(365, step=6 * HOUR)
    starts = [day(club.periods[n].start) for n in sorted(club.periods)]
    assert starts[:4] == [
        "2026-01-31 10:00", "2026-02-28 10:00", "2026-03-31 10:00", "2026-04-30 10:00",
    ]  # fmt: skip
    assert len(club.debits) == 13
    ends = [club.periods[n].end for n in range(12)]
    assert ends == [club.periods[n + 1].start for n in range(12)]
    club.check()
    assert kinds(club, 0) == [N.CHARGED], "who signs up and pays has just been told"
    assert kinds(club, 1) == [N.UPCOMING, N.CHARGED]


def test_a_trial_is_announced_a_week_before_it_ends():
    club = Club(trial_until=date(2026, 2, 14))
    assert club.sub.state == S.TRIAL
    assert day(club.sub.wakes) == "2026-02-07 10:00"
    club.run(7)
    assert kinds(club, 0) == [N.UPCOMING]
    assert not club.debits
    club.run(8)
    assert (club.sub.state, len(club.debits)) == (S.ACTIVE, 1)
    assert day(club.periods[0].start) == "2026-02-14 10:00"


def test_an_anchor_in_the_past_bills_nothing_of_the_past():
    club = Club(anchor=date(2024, 5, 15))
    club.run(20)
    assert [day(one.start) for one in club.periods.values()] == ["2026-02-15 10:00"]
    assert sorted(club.periods) == [0]


def test_it_ends_by_its_rule():
    club = Club(ends=date(2026, 4, 1))
    club.run(120)
    assert (club.sub.state, len(club.debits)) == (S.ENDED, 3)
    assert kinds(club, 3) == [N.ENDED]
    assert club.sub.wakes is None


# Refusals.


def test_a_soft_refusal_follows_the_schedule_and_ends_past_due():
    club = Club()
    club.outcome = SOFT
    club.run(6.5)
    assert [day(at) for _, at, _, _ in club.attempts] == [
        "2026-01-31 12:00", "2026-02-01 10:00", "2026-02-03 10:00",
    ]  # fmt: skip
    assert club.sub.state == S.RETRYING
    assert core.is_entitled(club.sub, club.debt, club.now)
    club.run(60)
    assert len(club.attempts) == 4
    assert club.sub.state == S.PAST_DUE
    assert not core.is_entitled(club.sub, club.debt, club.now)
    assert kinds(club, 0) == [N.REFUSED, N.PAST_DUE]
    assert sorted(club.periods) == [0], "one debt: nothing opens while it stands"
    club.check()


def test_two_attempts_are_twenty_hours_apart():
    club = Club(START + 9 * HOUR)  # 20:00; the first retry would be at 10:00
    club.outcome = SOFT
    club.run(1)
    (_, first, _, _), (_, second, _, _) = club.attempts
    assert second - first >= 20 * HOUR
    assert day(second) == "2026-02-01 17:00"


def test_a_hard_refusal_waits_for_another_card_which_is_tried_at_once():
    club = Club()
    club.outcome = HARD
    club.run(5)
    assert (club.sub.state, len(club.attempts)) == (S.PAST_DUE, 1)
    club.outcome = SOFT
    club.say("use_card")
    assert len(club.attempts) == 2
    club.drive()
    assert club.sub.state == S.RETRYING
    assert day(club.sub.wakes) == "2026-02-07 10:00", "the remaining schedule stands"
    club.outcome = PAID
    club.run(3)
    assert club.sub.state == S.ACTIVE
    club.check()


def test_a_card_given_while_the_one_before_is_tried_is_tried_after_its_refusal():
    club = Club()
    club.outcome = UNKNOWN
    club.run(1)
    club.say("use_card")
    assert len(club.attempts) == 1
    club.outcome = HARD
    club.drive()
    assert club.sub.state == S.RETRYING
    club.outcome = PAID
    club.run(0.1)
    assert (club.sub.state, len(club.attempts)) == (S.ACTIVE, 2)


@pytest.mark.parametrize(
    ("after", "outcome", "state", "period"),
    [
        ("past_due", SOFT, S.PAST_DUE, P.UNPAID),
        ("past_due", HARD, S.PAST_DUE, P.UNPAID),
        ("cancel", SOFT, S.ENDED, P.GIVEN_UP),
        ("cancel", HARD, S.ENDED, P.GIVEN_UP),
        ("skip", SOFT, S.ACTIVE, P.GIVEN_UP),
        ("skip", HARD, S.PAST_DUE, P.UNPAID),
    ],
)
def test_after_the_last_retry(after, outcome, state, period):
    club = Club(after_retries=after)
    club.outcome = outcome
    club.run(6)
    assert club.sub.state in (S.RETRYING, S.PAST_DUE), "another card has until the last retry"
    club.run(4)
    assert (club.sub.state, club.periods[0].state) == (state, period)
    assert len(club.attempts) == (4 if outcome == SOFT else 1)
    club.run(20)
    assert len(club.periods) == (2 if state == S.ACTIVE else 1)
    club.check()


def test_a_receipt_that_somebody_took_back_is_not_paid_again_without_a_person():
    club = Club()
    club.outcome = UNKNOWN
    club.run(0.1)
    failed = Charge(id="club-17:0", amount=PRICE, account={}, state=ChargeState.FAILED, receipts=1)
    club.charges[0] = failed
    club.store(core.learn(club.sub, club.debt, failed, club.now))
    club.run(20)
    assert (club.sub.state, len(club.attempts)) == (S.PAST_DUE, 1)


def test_a_charge_that_a_person_gave_up_is_given_up_here():
    club = Club()
    club.outcome = SOFT
    club.run(0.5)
    failed = Charge(
        id="club-17:0", amount=PRICE, account={}, state=ChargeState.FAILED, given_up=True
    )
    club.charges[0] = failed
    club.store(core.learn(club.sub, club.debt, failed, club.now))
    assert (club.sub.state, club.periods[0].state) == (S.ACTIVE, P.GIVEN_UP)


def test_a_person_may_try_more_often_but_not_more_than_fifteen_times_in_thirty_days():
    club = Club()
    club.outcome = SOFT
    club.run(8)
    while club.say("retry"):
        club.drive()
    assert len(club.attempts) == 15
    club.say("use_card")
    assert len(club.attempts) == 15, "another card has to wait, too"
    assert club.sub.other_card
    club.run(31)
    assert club.say("retry")


# Unknown outcomes.


@given(st.lists(st.integers(1, 300), max_size=3), st.sampled_from([PAID, SOFT, HARD]))
@settings(deadline=None, max_examples=40)
def test_an_unknown_outcome_counts_nothing_and_plans_nothing(hours, outcome):
    club = Club()
    club.outcome = UNKNOWN
    for count in hours:
        club.run(count / 24)
        assert club.periods[0].refusals == ()
        assert club.periods[0].retry_at is None
        assert len(club.attempts) == 1
        assert club.sub.state == S.ACTIVE
    club.outcome = outcome
    club.run(1 / 24)
    if outcome != PAID:
        assert len(club.periods[0].refusals) == 1
    starts = [day(club.sub.due(n))[:10] for n in (0, 1, 2)]
    assert starts == ["2026-01-31", "2026-02-28", "2026-03-31"]
    club.check()


# Downtime.


@given(
    st.sampled_from(["skip", "latest", "all"]),
    st.sampled_from([(1, "day"), (1, "week"), (1, "month")]),
    st.integers(0, 200),
)
@example("all", (1, "week"), 23)  # one is caught up on the day on which the next is due
@settings(deadline=None, max_examples=60)
def test_after_a_downtime_each_policy_stays_within_its_bound(missed, every, days):
    club = Club(missed=missed, every=every)
    club.run(3)
    before, began = len(club.debits), club.now
    club.run(days, down=True)
    back = club.now
    lost = [n for n in range(club.sub.next_n, 400) if club.sub.due(n) + DAY < back]
    club.run(8)
    debits = [n for n, _, at in club.debits if n in lost]
    bound = {"skip": 0, "latest": 1, "all": len(lost)}[missed]
    assert len(debits) <= bound
    if missed == "all":
        assert (club.sub.state == S.PARKED) == (len(lost) > 3)
        assert len(debits) == (0 if len(lost) > 3 else len(lost))
    days_of = [day(at)[:10] for _, _, at in club.debits[before:]]
    assert len(days_of) == len(set(days_of)), "one a day"
    assert began <= back
    club.check()


def test_parked_goes_on_by_a_persons_word():
    for word, debits in (("resume", 0), ("retry", 6)):
        club = Club(missed="all")
        club.run(1)
        before = len(club.debits)
        club.run(180, down=True)
        club.run(2)
        assert club.sub.state == S.PARKED
        assert club.sub.wakes is None
        assert core.is_entitled(club.sub, None, club.now)
        club.say(word)
        club.run(8)
        assert (club.sub.state, len(club.debits) - before) == (S.ACTIVE, debits)
        club.check()


def test_the_latest_missed_one_is_collected_and_the_others_are_written_down():
    club = Club(missed="latest")
    club.run(1)
    club.run(100, down=True)
    club.run(1)
    states = [club.periods[n].state for n in sorted(club.periods)]
    assert states == [P.PAID, P.SKIPPED, P.SKIPPED, P.PAID]
    assert kinds(club, 1) == [N.SKIPPED]


# Commands.


def test_nothing_is_taken_for_a_pause():
    club = Club()
    club.run(10)
    club.say("pause")
    club.run(80)
    club.say("resume")
    assert day(club.sub.due(club.sub.next_n)) == "2026-05-31 10:00", "the anchor is kept"
    club.run(40)
    states = [club.periods[n].state for n in sorted(club.periods)]
    assert states == [P.PAID, P.SKIPPED, P.SKIPPED, P.SKIPPED, P.PAID]
    assert N.PAUSED in kinds(club, 1)
    club.check()


def test_a_restart_begins_a_period_today():
    club = Club()
    club.run(10)
    club.say("pause")
    club.run(40)
    club.say("resume", restart=True)
    club.run(1)
    assert day(club.periods[2].start)[:10] == "2026-03-22"
    club.run(31)
    assert day(club.periods[3].start)[:10] == "2026-04-22"
    club.check()


def test_a_cancelled_subscription_runs_to_the_end_of_its_period():
    club = Club()
    club.run(10)
    club.say("cancel")
    assert club.sub.state == S.ENDING
    assert core.is_entitled(club.sub, club.periods[0], club.now)
    club.run(20)
    assert (club.sub.state, len(club.debits)) == (S.ENDED, 1)
    assert kinds(club, 1) == [N.ENDED]


def test_a_cancelled_one_can_be_resumed_until_it_has_ended():
    club = Club()
    club.run(10)
    club.say("cancel")
    club.say("resume")
    club.run(20)
    assert (club.sub.state, len(club.debits)) == (S.ACTIVE, 2)
    club.say("cancel", at_period_end=False)
    assert club.sub.state == S.ENDED
    assert not club.say("resume")
    assert not club.say("cancel")


@pytest.mark.parametrize("at_period_end", [True, False])
def test_cancelling_gives_an_unpaid_period_up(at_period_end):
    club = Club()
    club.outcome = SOFT
    club.run(1)
    club.say("cancel", at_period_end=at_period_end)
    attempts = len(club.attempts)
    assert club.periods[0].state == P.GIVEN_UP
    assert club.charges[0].given_up
    assert not core.is_entitled(club.sub, club.periods[0], club.now)
    club.run(60)
    assert (club.sub.state, len(club.attempts)) == (S.ENDED, attempts)


def test_money_that_comes_after_a_cancellation_is_told_of():
    club = Club()
    club.outcome = UNKNOWN
    club.run(0.1)
    club.say("cancel", at_period_end=False)
    club.outcome = PAID
    club.drive()
    assert club.sub.state == S.ENDED
    assert N.PAID_AFTER_CANCEL in kinds(club, 0)
    assert N.CHARGED not in kinds(club, 0)
    club.check()


@pytest.mark.parametrize("at_period_end", [True, False])
def test_an_open_period_is_collected_if_wished(at_period_end):
    club = Club()
    club.outcome = SOFT
    club.run(1)
    club.say("cancel", at_period_end=at_period_end, collect_open=True)
    assert club.sub.state == S.ENDING
    club.outcome = PAID
    club.run(5)
    assert club.periods[0].state == P.PAID
    assert club.sub.state == (S.ENDING if at_period_end else S.ENDED)
    club.run(30)
    assert (club.sub.state, len(club.debits)) == (S.ENDED, 1)


def test_a_rise_waits_for_its_notice_and_a_drop_for_less():
    club = Club()
    club.run(22)  # 22 February; the next payment is on the 28th
    club.say("change", amount=PRICE + 1)
    assert (club.sub.amount(1), club.sub.amount(2)) == (PRICE, PRICE + 1)
    club.say("change", amount=PRICE - 1)
    assert club.sub.amount(1) == PRICE - 1
    club.run(4)
    assert N.UPCOMING in kinds(club, 1)
    club.say("change", amount=PRICE - 2)
    assert club.sub.amount(1) == PRICE - 1, "what was announced stays"
    assert club.sub.amount(2) == PRICE - 2
    club.run(40)
    assert [amount for _, amount, _ in club.debits] == [PRICE, PRICE - 1, PRICE - 2]


def test_what_was_announced_stays_even_if_there_is_time_for_another_announcement():
    club = Club()
    club.run(15)
    club.say("change", amount=PRICE * 2)
    club.run(8)  # 23 February: the rise was announced on the 21st, seven days ahead
    assert kinds(club, 1) == [N.UPCOMING]
    club.say("change", amount=PRICE // 2)
    assert (club.sub.amount(1), club.sub.amount(2)) == (PRICE * 2, PRICE // 2)
    club.run(10)
    club.check()


def test_a_period_that_is_opened_late_is_tried_again_from_then_on():
    club = Club()
    club.run(1)
    club.run(37, down=True)
    club.outcome = SOFT
    club.run(9)
    late = [day(at)[:10] for n, at, _, _ in club.attempts if n == 1]
    assert late == ["2026-03-10", "2026-03-11", "2026-03-13", "2026-03-17"]


def test_an_open_period_keeps_its_amount_through_every_retry():
    club = Club()
    club.outcome = SOFT
    club.run(1.5)
    club.say("change", amount=1)
    club.outcome = PAID
    club.run(3)
    assert club.debits[0][1] == PRICE


def test_another_interval_and_another_anchor_go_on_with_the_numbers():
    club = Club()
    club.run(2)
    club.say("change", every=Every(2, "month"))
    assert [day(club.sub.due(n))[:10] for n in (1, 2, 3)] == [
        "2026-02-28", "2026-04-30", "2026-06-30",
    ]  # fmt: skip
    club.say("change", anchor=date(2020, 1, 5))
    assert day(club.sub.due(1))[:10] == "2026-03-05"
    club.run(100)
    club.check()
    assert len(club.debits) == 3


# Any commands at all.

ACTIONS = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 40)),
    st.tuples(st.just("down"), st.integers(1, 60)),
    st.tuples(st.just("outcome"), st.sampled_from([PAID, PAID, SOFT, HARD, UNKNOWN])),
    st.tuples(st.just("pause"), st.just({})),
    st.tuples(st.just("resume"), st.just({})),
    st.tuples(st.just("retry"), st.just({})),
    st.tuples(st.just("use_card"), st.just({})),
    st.tuples(
        st.just("cancel"),
        st.fixed_dictionaries({"at_period_end": st.booleans(), "collect_open": st.booleans()}),
    ),
    st.tuples(st.just("change"), st.fixed_dictionaries({"amount": st.integers(1, 10**8)})),
    st.tuples(
        st.just("change"),
        st.fixed_dictionaries(
            {"every": st.builds(Every, st.integers(1, 3), st.sampled_from(["week", "month"]))}
        ),
    ),
    st.tuples(
        st.just("change"),
        st.fixed_dictionaries({"anchor": st.dates(date(2025, 1, 1), date(2026, 6, 1))}),
    ),
)
RULES = st.fixed_dictionaries(
    {
        "missed": st.sampled_from(["skip", "latest", "all"]),
        "every": st.sampled_from([(1, "month"), (1, "week"), (3, "day"), (1, "year")]),
        "after_retries": st.sampled_from(["past_due", "cancel", "skip"]),
        "trial_until": st.sampled_from([None, date(2026, 2, 10)]),
        "max_catch_up": st.integers(1, 2),
    }
)


def assert_nothing_after(club, began):
    """No attempt is begun after a cancellation, nor in a pause."""
    assert len(club.attempts) == began


NEW_CARD_MEANWHILE = [
    ("outcome", HARD),
    ("run", 1),
    ("retry", {}),
    ("use_card", {}),
    ("run", 1),
]


@example(
    {
        "missed": "skip",
        "every": (1, "month"),
        "after_retries": "past_due",
        "trial_until": None,
        "max_catch_up": 1,
    },
    NEW_CARD_MEANWHILE,
)
@given(RULES, st.lists(ACTIONS, max_size=14))
@settings(deadline=None, max_examples=400)
def test_whatever_is_asked_debits_are_paid_periods_at_the_amounts_announced(rule, actions):
    club = Club(**rule)
    pauses = []
    for word, options in actions:
        state, began = club.sub.state, len(club.attempts)
        hard = club.debt is not None and club.outcome == HARD and club.sub.state == S.PAST_DUE
        # A card that came while the one before was asked is tried, too.
        hard = hard and club.attempts[-1][-1] == club.card
        if word in ("run", "down"):
            club.run(options, step=5 * HOUR, down=word == "down")
        elif word == "outcome":
            club.outcome = options
        else:
            club.say(word, **options)
        if word == "pause" and club.sub.state == S.PAUSED and state != S.PAUSED:
            pauses.append([club.now, None])
        if state == S.PAUSED and club.sub.state != S.PAUSED:
            pauses[-1][1] = club.now
        if word in ("run", "down") and (state == S.ENDED or hard or state == S.PARKED):
            assert_nothing_after(club, began)
        club.check()
    for began, ended in pauses:
        for n, period in club.periods.items():
            if began <= period.start < (ended or club.now):
                assert n not in club.charges, "a period of a pause was opened"


# Tables and arguments.


def test_every_state_is_described_and_can_be_left():
    assert set(ABOUT) == set(S)
    assert set(ALLOWED) == {"pause", "resume", "cancel", "retry", "change", "use_card"}
    for state in set(S) - {S.ENDED}:
        assert any(state in states for states in ALLOWED.values())
    assert not any(before == S.ENDED for before, fact in NEXT if fact != Fact.STOPPED)


@pytest.mark.parametrize(
    ("code", "message", "hard"),
    [
        (-31630, "Недостаточно средств", False),
        (-31630, "Карта заблокирована", True),
        (-31630, "Срок действия карты истек", True),
        (-31400, "", True),
        (-31301, "", True),
        (-31622, "", False),
        (-31613, "", False),
        (-1, "", False),
    ],
)
def test_which_refusals_another_card_mends(code, message, hard):
    charge = Charge(
        id="a:1", amount=1, account={}, state=ChargeState.REFUSED, code=code, message=message
    )
    assert core.is_hard(charge) == hard


@pytest.mark.parametrize("word", sorted(ALLOWED))
def test_what_a_state_does_not_allow_is_refused(word):
    if word == "cancel":
        pytest.skip("to cancel what has ended changes nothing")
    club = Club()
    club.say("cancel", at_period_end=False)
    with pytest.raises(SubscriptionConflict, match=f"is ended: can't {word} it"):
        getattr(core, word)(club.sub, None, club.now)


BAD = [
    ("amount", 0),
    ("amount", 10.5),
    ("account", "x"),
    ("missed", "none"),
    ("missed", None),
    ("every", "month"),
    ("every", (0, "month")),
    ("every", (1, "fortnight")),
    ("every", (1.0, "month")),
    ("every", (True, "month")),
    ("anchor", "2026-01-31"),
    ("anchor", datetime(2026, 1, 31)),
    ("at", "10:00"),
    ("at", time(10, tzinfo=UTC)),
    ("timezone", "Tashkent"),
    ("timezone", "../etc/passwd"),
    ("timezone", None),
    ("trial_until", date(2026, 1, 31)),
    ("ends", date(2026, 1, 31)),
    ("late_after", 86400),
    ("late_after", timedelta(0)),
    ("max_catch_up", 0),
    ("retries", 3),
    ("retries", (3, 1)),
    ("retries", (1, 28)),
    ("retries", (0,)),
    ("retries", (1, 1)),
    ("retries", tuple(range(1, 16))),
    ("grace_days", -1),
    ("after_retries", "pause"),
    ("notice_days", 31),
    ("description", ""),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_argument_is_named(name, value):
    with pytest.raises(InvalidArgument) as refused:
        made(**{name: value})
    assert refused.value.argument == name
    assert str(refused.value).startswith(f"{name}: got ")


def test_the_last_retry_lies_inside_the_interval():
    assert made(every=(1, "month"))[0].retries == (1, 3, 7)
    assert made(every=(1, "week"))[0].retries == (1, 3)
    assert made(every=(1, "day"))[0].retries == ()
    with pytest.raises(InvalidArgument, match="no retries"):
        made(every=(1, "day"), retries=(1,))


def test_half_a_year_is_announced_a_week_ahead():
    assert made(every=(6, "month"))[0].notice_days == 7
    with pytest.raises(InvalidArgument, match="from 7 to 30"):
        made(every=(1, "year"), notice_days=3)


def test_an_anchor_does_not_cut_a_trial():
    with pytest.raises(InvalidArgument, match=r"^anchor: .*before the trial ends"):
        made(trial_until=date(2026, 3, 1), anchor=date(2026, 2, 1))


@pytest.mark.parametrize("given", ["", "a:1", "x" * 117, 5, "a b"])
def test_an_id_leaves_room_for_the_number(given):
    with pytest.raises(InvalidArgument):
        check_id(given)
    assert check_id("club-17") == "club-17"


def test_a_zone_of_the_database_is_taken():
    assert check_timezone("Asia/Tashkent") == "Asia/Tashkent"
