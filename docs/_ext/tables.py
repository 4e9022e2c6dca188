"""Directives that put into a page what is written in the code.

`{payme-errors} uz`, `{payme-states} ru`, `{payme-methods} en`, `{payme-proofs} uz`,
`{payme-scenarios} ru`, `{payme-transactions} en`, `{payme-refusals} uz`, `{payme-rules} ru`,
`{payme-charges} en`, `{payme-card-form} uz` and `{payme-payments} ru` make tables,
`{payme-diagram} en` draws the states of a receipt, `{payme-lifecycle} uz` those of a transaction,
and `{payme-charge-states} ru` those of a charge.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

import render
import render_card_form
import render_charges
import render_merchant
import render_sandbox
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from payme.charges import core as charges
from payme.conformance import rules
from payme.errors import card_form, catalogue
from payme.merchant import core
from payme.protocol import calls, outcome, states
from payme.sandbox import scenarios
from payme.sandbox.engine import payment_table

_WRITTEN_FROM = (
    render, render_card_form, render_charges, render_merchant, render_sandbox,
    card_form, catalogue, calls, charges, core, outcome, payment_table, rules, scenarios, states,
)  # fmt: skip


_CODE: Final = re.compile(r"-3\d{4}").fullmatch


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
    # How much the codes in its rows weigh in the search; None: they are not for who searches.
    found_as: ClassVar[str | None] = None

    def run(self) -> list[nodes.Node]:
        lines = type(self).write(self.language).splitlines()
        holder = nodes.container(classes=["payme-table"])
        self.state.nested_parse(StringList(lines, self.get_location()), self.content_offset, holder)
        if self.found_as is None:
            return [holder]
        # The search leaves out words of digits alone, so that a code is found as an entry, or not.
        entries = [
            ("single", code, target, self.found_as, None) for code, target in _named_rows(holder)
        ]
        return [addnodes.index(entries=entries), holder]


def _named_rows(table: nodes.Element) -> Iterator[tuple[str, str]]:
    """Name each row by the first of its codes that no row above has; yield codes and names."""
    seen: set[int] = set()
    for row in table.findall(nodes.row):
        told = [int(one.astext()) for one in row.findall(nodes.literal) if _CODE(one.astext())]
        is_range = "…" in row.astext().partition("\n\n")[0]
        every = range(min(told), max(told) + 1) if is_range else told
        new = [code for code in dict.fromkeys(every) if code not in seen]
        if new:
            seen.update(new)
            row["ids"].append(f"code{new[0]}")
            yield from ((str(code), f"code{new[0]}") for code in new)


class _Drawing(_Generated):
    draw: ClassVar[Callable[[Any], str]]

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", type(self).draw(self.language), format="html")]


TABLES: Final[dict[str, Callable[[Any], str]]] = {
    "errors": render.errors,
    "states": render.states,
    "methods": render.methods,
    "proofs": render.proofs,
    "scenarios": render.scenarios,
    "transactions": render_merchant.transactions,
    "refusals": render_merchant.refusals,
    "rules": render_merchant.rules,
    "charges": render_charges.charges,
    "card-form": render_card_form.card_errors,
    "payments": render_sandbox.payments,
}
# What Payme answers comes before what it is answered: both have -31001 and -31008.
_FOUND_AS: Final = {"errors": "main", "refusals": ""}
DRAWINGS: Final[dict[str, Callable[[Any], str]]] = {
    "diagram": render.diagram,
    "lifecycle": render_merchant.lifecycle,
    "charge-states": render_charges.drawing,
}


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    for name, write in TABLES.items():
        table = {"write": staticmethod(write), "found_as": _FOUND_AS.get(name)}
        app.add_directive(f"payme-{name}", type(name, (_Table,), table))
    for name, draw in DRAWINGS.items():
        app.add_directive(f"payme-{name}", type(name, (_Drawing,), {"draw": staticmethod(draw)}))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
