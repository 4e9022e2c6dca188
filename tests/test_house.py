"""The structure that import-linter's contracts can't say."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


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
