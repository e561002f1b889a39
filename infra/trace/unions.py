"""Dataclasses whose fields may be one of several dataclasses: stored with its type's name.

The encoder stores only the fields of a dataclass, which is enough wherever the annotation names
its type. In a union it does not.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

_NAME, _VALUE = "=", "value"


def storable(value: Any) -> Any:
    """Return a value in a form that the encoder accepts."""
    kind: Any = type(value)
    if kind in _plain:
        return value
    if isinstance(value, tuple):
        return [storable(item) for item in value]
    if isinstance(value, list):
        # All are of one type: what the first needs, all need.
        return [storable(item) for item in value] if _is_rich(value[:1]) else value
    if not is_ambiguous(kind):
        _plain.add(kind)
        return value
    unions = _unions(kind)
    return {
        field.name: _named(getattr(value, field.name))
        if field.name in unions
        else storable(getattr(value, field.name))
        for field in fields(value)
    }


def restored(stored: Any, kind: Any) -> Any:
    """Return the value that `storable` and the encoder turned into plain data."""
    if not needs_restoring(kind):
        return msgspec.convert(stored, kind)
    parts = get_args(kind)
    if get_origin(kind) is tuple and Ellipsis not in parts:
        return tuple(restored(item, part) for item, part in zip(stored, parts, strict=True))
    if parts:
        return [restored(item, parts[0]) for item in stored]
    hints = get_type_hints(kind)
    unions = _unions(kind)
    return kind(
        **{
            name: _of_union(content, hints[name])
            if name in unions
            else restored(content, hints[name])
            for name, content in stored.items()
        }
    )


def needs_restoring(kind: Any) -> bool:
    """Tell whether a type, or what a list or tuple of it holds, cannot be decoded directly."""
    if get_origin(kind) in (list, tuple, Sequence):
        return any(needs_restoring(part) for part in get_args(kind))
    return is_ambiguous(kind)


def _is_rich(items: Sequence[Any]) -> bool:
    return any(isinstance(item, list | tuple) or is_ambiguous(type(item)) for item in items)


def is_ambiguous(kind: Any) -> bool:
    """Tell whether a dataclass has a field that may be one of several dataclasses."""
    found = _ambiguous.get(kind)
    if found is None:
        found = _ambiguous[kind] = _look_at(kind)
    return found


_ambiguous: dict[Any, bool] = {}
_plain: set[Any] = set()
"""Types whose values the encoder takes as they are; cached, as every message asks."""


def _look_at(kind: Any) -> bool:
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return False
    hints = get_type_hints(kind)
    inner = [hints[field.name] for field in fields(kind)]
    return bool(_unions(kind)) or any(is_ambiguous(hint) for hint in inner)


@cache
def _unions(kind: Any) -> frozenset[str]:
    return frozenset(
        name for name, hint in get_type_hints(kind).items() if len(_dataclasses(hint)) > 1
    )


def _dataclasses(hint: Any) -> dict[str, Any]:
    if get_origin(hint) not in (Union, UnionType):
        return {}
    return {
        part.__name__: part
        for part in get_args(hint)
        if isinstance(part, type) and is_dataclass(part)
    }


def _named(value: Any) -> Any:
    if not is_dataclass(value):
        return value
    return {_NAME: type(value).__name__, _VALUE: storable(value)}


def _of_union(stored: Any, hint: Any) -> Any:
    if not isinstance(stored, dict):
        return stored
    return restored(stored[_VALUE], _dataclasses(hint)[stored[_NAME]])
