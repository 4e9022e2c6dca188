"""Directives that put into a page what is written in the code.

`{payme-errors} uz`, `{payme-states} ru`, `{payme-methods} en`, `{payme-proofs} uz`,
`{payme-scenarios} ru`, `{payme-transactions} en`, `{payme-refusals} uz` and `{payme-rules} ru` make
tables, `{payme-diagram} en` draws the states of a receipt, and `{payme-lifecycle} uz` those of a
transaction.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import render
import render_merchant
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from payme.conformance import rules
from payme.errors import catalogue
from payme.merchant import core
from payme.protocol import calls, states
from payme.sandbox import scenarios

_WRITTEN_FROM = (render, render_merchant, catalogue, calls, states, scenarios, core, rules)


class _Generated(SphinxDirective):
    required_arguments = 1

    @property
    def language(self) -> Any:
        given = self.arguments[0]
        if given not in render.LANGUAGES:
            raise self.error(f"got {given!r}, expected one of {', '.join(render.LANGUAGES)}")
        # What is generated changes with the code, not only with the page.
        for module in _WRITTEN_FROM:
            self.env.note_dependency(str(module.__file__))
        return given


class _Table(_Generated):
    write: ClassVar[Callable[[Any], str]]

    def run(self) -> list[nodes.Node]:
        lines = type(self).write(self.language).splitlines()
        holder = nodes.container(classes=["payme-table"])
        self.state.nested_parse(StringList(lines, self.get_location()), self.content_offset, holder)
        return [holder]


class Errors(_Table):
    """Table of error codes."""

    write = staticmethod(render.errors)


class States(_Table):
    """Table of a receipt's states."""

    write = staticmethod(render.states)


class Methods(_Table):
    """Table of methods: credential and effect."""

    write = staticmethod(render.methods)


class Proofs(_Table):
    """Table of the states that end the asking of `resolve()`."""

    write = staticmethod(render.proofs)


class Scenarios(_Table):
    """Table of the sandbox's scenarios."""

    write = staticmethod(render.scenarios)


class Transactions(_Table):
    """Table of what each method of the Merchant API does."""

    write = staticmethod(render_merchant.transactions)


class Refusals(_Table):
    """Table of the orders that can't be paid."""

    write = staticmethod(render_merchant.refusals)


class Rules(_Table):
    """Table of the rules that an endpoint is graded by."""

    write = staticmethod(render_merchant.rules)


class _Drawing(_Generated):
    draw: ClassVar[Callable[[Any], str]]

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", type(self).draw(self.language), format="html")]


class Diagram(_Drawing):
    """Drawing of a receipt's states."""

    draw = staticmethod(render.diagram)


class Lifecycle(_Drawing):
    """Drawing of a transaction's states."""

    draw = staticmethod(render_merchant.lifecycle)


def _say_language(
    _app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Tell browsers and screen readers which language a page is in."""
    folder = page.partition("/")[0]
    context["language"] = folder if folder in render.LANGUAGES else "en"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("payme-errors", Errors)
    app.add_directive("payme-states", States)
    app.add_directive("payme-methods", Methods)
    app.add_directive("payme-proofs", Proofs)
    app.add_directive("payme-scenarios", Scenarios)
    app.add_directive("payme-transactions", Transactions)
    app.add_directive("payme-refusals", Refusals)
    app.add_directive("payme-rules", Rules)
    app.add_directive("payme-diagram", Diagram)
    app.add_directive("payme-lifecycle", Lifecycle)
    app.connect("html-page-context", _say_language)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
