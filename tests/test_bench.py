"""A benchmark that does not notice wrong answers measures how fast they come."""

import asyncio
import os
import sys
import types

import pytest
from bench.client import table, targets, worker
from bench.client.contestants import CONTESTANTS, HTTP_CLIENT, PAYME
from bench.client.imports import COUNT, import_costs
from bench.client.rounds import Series
from bench.client.truth import LIED_ABOUT, RECEIPT_IDS, RIGHT, right_answer, told

HERE = types.SimpleNamespace(python=sys.executable)
HONEST = {"calls": 10, "cpu_ns": 1e6, "wall_ns": 1e6, "failed": 0, "wrong": 0, "error": ""}
WRONG = HONEST | {"wrong": 1, "error": "wrong answer: expected this, got that"}


def series(*bursts):
    made = Series()
    for burst in bursts:
        made.add(burst, connections=0)
    return made


def blocking(monkeypatch, call):
    monkeypatch.setitem(worker.BLOCKING, "broken", lambda _: call)
    return worker.blocking_burst("broken", "https://localhost/api")


def test_the_right_answers_are_counted_as_right(monkeypatch):
    assert vars(blocking(monkeypatch, told)(250)) == {"failed": 0, "wrong": 0, "error": ""}


def test_a_client_that_mixes_up_its_answers_is_noticed(monkeypatch):
    burst = blocking(monkeypatch, lambda receipt_id: told(min(receipt_id, RECEIPT_IDS[49])))
    tally = burst(100)
    assert (tally.failed, tally.wrong) == (0, 50)
    assert tally.error.startswith("wrong answer: expected ('6311946bc4420cbf2712a233'")


def test_a_client_whose_asyncio_calls_get_each_others_answers_is_noticed(monkeypatch):
    last = []

    async def call(receipt_id):
        last.append(receipt_id)
        await asyncio.sleep(0)
        return told(last[-1])

    monkeypatch.setitem(worker.ASYNCIO, "broken", lambda _: call)
    tally = worker.asyncio_burst("broken", "", 4, "asyncio")(40)
    assert tally.wrong == 39  # all but the last


def test_an_amount_that_is_wrong_is_noticed(monkeypatch):
    with pytest.raises(RuntimeError, match="wrong answer"):
        blocking(monkeypatch, lambda receipt_id: (receipt_id, 400_000))


def test_a_contestant_that_repeats_the_question_cannot_take_part(monkeypatch):
    with pytest.raises(RuntimeError, match="repeats the question"):
        blocking(monkeypatch, right_answer)


def test_a_client_that_refuses_the_lie_takes_part(monkeypatch):
    def call(receipt_id):
        if told(receipt_id) != RIGHT[receipt_id]:
            raise ValueError(receipt_id)
        return told(receipt_id)

    assert told(LIED_ABOUT) != RIGHT[LIED_ABOUT]
    assert vars(blocking(monkeypatch, call)(10))["failed"] == 0


def test_one_wrong_answer_fails_the_row_and_the_promise():
    raced = {each: series(HONEST, HONEST) for each in CONTESTANTS}
    assert targets.cpu_of(HTTP_CLIENT, PAYME, raced, 1.0).met is True
    raced[PAYME] = series(HONEST, WRONG)
    assert table.near_cells(PAYME, raced) == ["WRONG ANSWER", "-", "-", "-"]
    assert targets.cpu_of(HTTP_CLIENT, PAYME, raced, 1.0).met is False
    assert targets.ahead_of_peers(PAYME, raced).met is False


def test_a_yardstick_with_wrong_answers_proves_no_promise():
    raced = {each: series(HONEST, HONEST) for each in CONTESTANTS}
    raced[HTTP_CLIENT] = series(HONEST, WRONG)
    assert targets.cpu_of(HTTP_CLIENT, PAYME, raced, 1.0).met is None


def test_a_call_that_fails_makes_the_others_dearer():
    assert series(HONEST).cpu == [100]
    half = series(HONEST | {"failed": 5})
    assert half.cpu == [200]
    assert half.flaw


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the kernel does not say what a child took")
def test_an_import_is_charged_with_everything_it_brings():
    """`json` was loaded by the probe itself once, and cost nothing for that reason."""
    costs = import_costs({"here": HERE}, [("here", "import json"), ("here", "import sys")], 3)
    assert costs["here", "import sys"].modules == 0
    assert costs["here", "import json"].modules >= 4
    assert costs["here", "import json"].cpu_ms > 0.5
    assert "import json" not in COUNT


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the kernel does not say what a child took")
def test_an_import_that_fails_has_no_cost():
    assert import_costs({"here": HERE}, [("here", "import no_such_module")], 1) == {}
