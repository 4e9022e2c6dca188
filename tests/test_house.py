"""The structure that import-linter's contracts can't say, and what says one thing twice."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def imports():
    """Which module imports which, type-checking imports included."""
    graph = grimp.build_graph("payme", exclude_type_checking_imports=False)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_import_circle():
    TopologicalSorter(imports()).prepare()


def test_a_circle_would_be_seen():
    found = imports()
    found["payme.errors"] = {*found["payme.errors"], "payme.client"}
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()


def test_the_workflow_tries_every_python_that_is_claimed():
    claimed = re.findall(r"Python :: (3\.\d+)", read("pyproject.toml"))
    workflow = read(".github/workflows/tests.yml")
    assert re.findall(r'python: "(.*?)"', workflow) == claimed
    made = re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE)
    for targets in re.findall(r"targets: ([\w -]+)", workflow):
        assert {*targets.split()} <= {*made}


def test_pre_commit_runs_what_make_check_runs():
    check = read("Makefile").partition("\ncheck:")[2].partition("\nformat:")[0]
    hooks = re.findall(r"entry: \.venv/bin/([\w-]+(?: \w+)?)", read(".pre-commit-config.yaml"))
    assert hooks == ["ruff format", "ruff check", "mypy", "pyright", "lint-imports"]
    for hook in hooks:
        assert hook in check
