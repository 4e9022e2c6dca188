"""A client that was made before a fork works on both sides of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

SCRIPT = Path(__file__).parent / "forked.py"
CALLS = 30


@pytest.fixture
def run(line, sandbox, ca, tmp_path):
    """Run a scenario in a process of its own."""

    def run(scenario):
        authority = ""
        if line.url.startswith("https"):
            authority = str(tmp_path / "ca.pem")
            ca.cert_pem.write_to_path(authority)
        receipts = [sandbox.add_receipt(amount=1000 + number) for number in range(6)]
        done = subprocess.run(
            [
                sys.executable,
                "-Walways::ResourceWarning",
                str(SCRIPT),
                scenario,
                line.url,
                sandbox.merchant_id,
                sandbox.key,
                authority,
                *receipts,
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return run


def test_parent_and_children_call_at_once_and_answers_never_cross(run, line):
    assert run("at_once") == {"right": CALLS, "children": [0, 0, 0], "after": CALLS}
    # One for the parent, before and after the fork, and one for each child.
    assert line.connections == 4


def test_child_that_closes_its_client_leaves_the_connection_of_its_parent_open(run, line):
    assert run("child_goes_first") == {"children": [0], "after": CALLS}
    assert line.connections == 2


def test_child_of_a_child(run, line):
    assert run("grandchild") == {"children": [0], "after": CALLS}
    assert line.connections == 3


@pytest.mark.parametrize("moment", ["in_the_middle", "in_the_first_call"])
def test_fork_during_calls_of_other_threads_blocks_nobody(moment, run, line):
    if moment == "in_the_first_call" and line.url.startswith("https"):
        pytest.skip(
            "a fork inside another thread's TLS handshake may block the child: DECISIONS.md"
        )
    assert run(moment) == {"children": [0] * 6, "wrong": [], "after": CALLS}


def test_fork_while_other_threads_hold_every_place_of_the_pool(run, line):
    assert run("places_are_taken") == {"children": [0], "after": CALLS}


def test_multiprocessing_with_fork(run, line):
    assert run("multiprocessing_pool") == {
        "right": CALLS,
        "pool": [CALLS] * 6,
        "after": CALLS,
    }
    assert line.connections <= 4
