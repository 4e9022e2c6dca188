"""The examples of docstrings, and how they are run."""

import ast
import asyncio
import doctest
import inspect
import re
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import payme

ROOT = Path(payme.__file__).parent

_HEAD = re.compile(r"^( *)Examples?:[ \t]*$", re.MULTILINE)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Example(NamedTuple):
    """An `Example:` of a docstring.

    Attributes:
        module: The module that it is in.
        name: Dotted name of what it is an example of.
        code: Its lines, without the indentation.
    """

    module: str
    name: str
    code: str


def examples_of(package: str) -> list[Example]:
    """Collect the examples of every module of a package, whether it can be imported or not."""
    folder = ROOT.joinpath(*package.split(".")[1:])
    return [
        Example(_module(path), name, code)
        for path in sorted(folder.rglob("*.py"))
        for name, docstring in _docstrings(ast.parse(path.read_text("utf-8")), _module(path))
        for code in examples_in(docstring)
    ]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _docstrings(node: ast.AST, name: str) -> list[tuple[str, str]]:
    assert isinstance(node, _DOCUMENTED)
    own = ast.get_docstring(node)
    found = [(name, own)] if own else []
    for child in node.body:
        if isinstance(child, _DOCUMENTED):
            found += _docstrings(child, f"{name}.{child.name}")
    return found


def examples_in(docstring: str) -> list[str]:
    """Return the indented lines below each `Example:`."""
    found = []
    for head in _HEAD.finditer(docstring):
        lines = []
        for line in docstring[head.end() :].lstrip("\n").splitlines():
            if line.strip() and len(line) - len(line.lstrip()) <= len(head[1]):
                break
            lines.append(line)
        found.append(dedent("\n".join(lines)).strip("\n") + "\n")
    return found


def run_example(example: Example, scope: dict[str, Any], before: dict[str, Any]) -> None:
    """Run an example: what a prompt shows must come out, and nothing else.

    Args:
        example: Doctest's form, or code without prompts; `await` is allowed at the top.
        scope: Its names; what it defines is there afterwards.
        before: What happens before the statement that begins with the key.

    Raises:
        AssertionError: Something else comes out, or there is nothing to run.
    """
    steps = doctest.DocTestParser().get_examples(example.code)
    if not steps:
        steps = [doctest.Example(example.code, "")]
    waiting = dict(before)
    with asyncio.Runner() as runner:
        for step in steps:
            for start in [start for start in waiting if step.source.startswith(start)]:
                waiting.pop(start)()
            shown = _run(step, scope, example.name, runner)
            checker, options = doctest.OutputChecker(), doctest.ELLIPSIS
            assert checker.check_output(step.want, shown, options), (
                f"{example.name}: {step.source.strip()} shows {shown!r}, and not {step.want!r}"
            )
    assert not waiting, f"{example.name} has no statement {list(waiting)}"


def _run(step: doctest.Example, scope: dict[str, Any], name: str, runner: asyncio.Runner) -> str:
    shown: list[str] = []
    before, sys.displayhook = sys.displayhook, _displaying(shown)
    mode = "single" if step.source.count("\n") == 1 or step.want else "exec"
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        code = compile(step.source, f"<example of {name}>", mode, flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(eval(code, scope))
        else:
            exec(code, scope)
    finally:
        sys.displayhook = before
    return "".join(shown)


def _displaying(shown: list[str]) -> Any:
    def show(value: object) -> None:
        if value is not None:
            shown.append(f"{value!r}\n")

    return show
