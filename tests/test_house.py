"""The structure that import-linter's contracts can't say."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

# Two circles of the sandbox's shell are known.
KNOWN = {
    "payme.sandbox.carriers",
    "payme.sandbox.control",
    "payme.sandbox.http_carrier",
    "payme.sandbox.sandbox",
    "payme.sandbox.server",
    "payme.sandbox.web",
}


def is_known(module):
    return any(module == known or module.startswith(f"{known}.") for known in KNOWN)


def imports():
    """Which module imports which, type-checking imports included."""
    graph = grimp.build_graph("payme", exclude_type_checking_imports=False)
    return {
        module: {
            imported
            for imported in graph.find_modules_directly_imported_by(module)
            if not (is_known(module) and is_known(imported))
        }
        for module in graph.modules
    }


def test_no_import_circle():
    TopologicalSorter(imports()).prepare()


def test_a_circle_would_be_seen():
    found = imports()
    found["payme.errors"] = {*found["payme.errors"], "payme.client"}
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()
