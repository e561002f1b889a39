"""Dataclasses as rows, and back: each field is a column of the same name.

What a field becomes follows from its declared type, so the conversion is worked out once per class
and not once per row.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

Row = dict[str, Any]
Value = TypeVar("Value")
_Convert = Callable[[Any], Any]

_OLD_COLUMNS = {"signal_ms": "cross_ms", "kinds": "crosses", "reduction_step": "is_reduced"}
"""Old names of columns: a journal that is only read is not migrated."""


def row_of(value: object, *, without: tuple[str, ...] = ()) -> Row:
    """Return a dataclass's fields as columns."""
    kind: Any = type(value)
    names, read, converted = _writer(kind, without)
    row = dict(zip(names, read(value), strict=True))
    for name, convert in converted:
        held = row[name]
        if held is not None:
            row[name] = convert(held)
    return row


def value_of(kind: type[Value], row: Mapping[str, Any], **known: object) -> Value:
    """Return the dataclass that a row was made from.

    Args:
        kind: the dataclass.
        row: its columns, possibly with others.
        known: fields that are not in the row.
    """
    plan = _reader(kind, tuple(row), tuple(known))  # type: ignore[arg-type]  # a class is hashable
    for name, column, convert in plan:
        held = row[column]
        known[name] = held if held is None or convert is None else convert(held)
    return kind(**known)


def is_json(hint: Any) -> bool:
    """Tell whether a field of this type is stored as JSON."""
    return get_origin(hint) is tuple or is_dataclass(hint)


@cache
def _writer(
    kind: Any, without: tuple[str, ...]
) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[tuple[str, _Convert], ...]]:
    """Return the columns of a class, a getter of their values, and the conversions of some."""
    hints = get_type_hints(kind)
    names = tuple(field.name for field in fields(kind) if field.name not in without)
    found = ((name, _to_column(_inner(hints[name]))) for name in names)
    converted = tuple((name, convert) for name, convert in found if convert is not None)
    read: Callable[[Any], Any] = attrgetter(*names)
    if len(names) > 1:
        return names, read, converted
    return names, lambda value: (read(value),), converted


@cache
def _reader(
    kind: Any, columns: tuple[str, ...], known: tuple[str, ...]
) -> tuple[tuple[str, str, _Convert | None], ...]:
    """Return for each field to be read its column and the conversion of its value."""
    hints = get_type_hints(kind)
    return tuple(
        (field.name, column, _of_column(_inner(hints[field.name])))
        for field in fields(kind)
        if field.name not in known and (column := _column_of(field.name, columns)) is not None
    )


def _column_of(name: str, columns: tuple[str, ...]) -> str | None:
    """Return the column of a field; None if an older version had no such field."""
    if name in columns:
        return name
    old = _OLD_COLUMNS.get(name)
    return old if old in columns else None


def _inner(hint: Any) -> Any:
    """Return the other type of an optional."""
    if not isinstance(hint, UnionType):
        return hint
    return next(part for part in get_args(hint) if part is not NoneType)


def _to_column(hint: Any) -> _Convert | None:
    if is_json(hint):
        return _json
    if hint is Decimal:
        return _plain
    if hint is bool:
        return int
    return attrgetter("value") if _is_enum(hint) else None


def _of_column(hint: Any) -> _Convert | None:
    if is_json(hint):
        return msgspec.json.Decoder(hint).decode
    return None if hint in (str, int) else hint


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _plain(value: Decimal) -> str:
    """Return a number as text without an exponent, with all its digits."""
    return format(value, "f")
