"""Params as Payme takes them: what it does not know it lets pass, and so a misspelt one, too.

Clients of many years send members that no page of Payme's has (`expire_minutes`, `detail: {}`), and
are served (OBSERVED). Here they are served, too, and a remark says what was let pass; a strict
sandbox refuses it. A member that would change how much money moves is never let pass: an old page
has `partially` for receipts.cancel, and a whole refund in its place would be a lie.
"""

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec.structs import FieldInfo, fields

from payme.sandbox.engine import params

P = TypeVar("P", bound=params.Params)

MAX_REMARKS: Final = 20
"""How many members are named, of a call that has many."""

_MAX_NAME: Final = 60


def read(given: dict[str, Any], spec: type[P], *, strict: bool) -> tuple[P, tuple[str, ...]]:
    """Hold params against a method's specification.

    Args:
        given: The params.
        spec: What the method takes.
        strict: Refuse what Payme's pages do not have.

    Returns:
        The params, and what was let pass.

    Raises:
        msgspec.ValidationError: If one is missing or of the wrong type; if strict, also if one is
            unknown.
    """
    try:
        args, passed = msgspec.convert(given, spec), list[str]()
    except msgspec.ValidationError:
        if strict:
            raise
        known, passed = _known(given, spec)
        args = msgspec.convert(known, spec)
    missing = list(_missing(args)) if _may_lack_members(spec) else []
    if strict and missing:
        raise msgspec.ValidationError(f"Object missing required field `{missing[0]}`")
    passed += [f"missing param {name}" for name in missing]
    if not passed:
        return args, ()
    return args, tuple(f"{what}: {_TAKEN}" for what in passed[:MAX_REMARKS])


_TAKEN: Final = "let pass, as Payme does; a strict sandbox refuses it"


def _known(given: dict[str, Any], spec: type[params.Params]) -> tuple[dict[str, Any], list[str]]:
    """Leave out what the specification does not have, and name it."""
    passed: list[str] = []
    return _pruned(given, spec, "", passed), passed


def _pruned(
    given: dict[str, Any], spec: type[params.Params], path: str, passed: list[str]
) -> dict[str, Any]:
    by_name = {field.encode_name: field for field in fields(spec)}
    kept: dict[str, Any] = {}
    for name, value in given.items():
        field = by_name.get(name)
        shown = path + (name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…")
        if field is None and name not in spec.never_let_pass:
            passed.append(f"unknown param {shown}")
        elif field is not None and value is None and _may_be_left_out(field):
            passed.append(f"null param {shown}")
        else:
            inner = None if field is None else _inner(field.type)
            kept[name] = _pruned_within(value, inner, f"{shown}.", passed)
    return kept


def _pruned_within(
    value: Any, spec: type[params.Params] | None, path: str, passed: list[str]
) -> Any:
    if spec is None:
        return value
    if isinstance(value, list):
        members = enumerate(cast("list[Any]", value))
        return [_pruned_within(one, spec, f"{path[:-1]}[{n}].", passed) for n, one in members]
    if isinstance(value, dict):
        return _pruned(cast("dict[str, Any]", value), spec, path, passed)
    return value


def _may_be_left_out(field: FieldInfo) -> bool:
    return not field.required and types.NoneType not in typing.get_args(field.type)


def _inner(kind: Any) -> type[params.Params] | None:
    """Find the specification within a type such as `list[Item] | None`."""
    if isinstance(kind, type) and issubclass(kind, params.Params):
        return kind
    found = (_inner(one) for one in typing.get_args(kind))
    return next((one for one in found if one is not None), None)


@cache
def _may_lack_members(spec: type[params.Params]) -> bool:
    """Return whether Payme lets pass that a required member is missing, here or further in."""
    inner = (_inner(field.type) for field in fields(spec))
    return any(field.default is msgspec.UNSET for field in fields(spec)) or any(
        one is not None and _may_lack_members(one) for one in inner
    )


def _missing(value: Any, path: str = "") -> Iterator[str]:
    """Name the members that Payme's pages call required, and that were left out."""
    if isinstance(value, list):
        for number, one in enumerate(cast("list[Any]", value)):
            yield from _missing(one, f"{path[:-1]}[{number}].")
    elif isinstance(value, params.Params):
        for name in value.__struct_fields__:
            member = getattr(value, name)
            if member is msgspec.UNSET:
                yield path + name
            elif isinstance(member, params.Params | list):
                yield from _missing(member, f"{path}{name}.")
