"""Facts as rows, and back: each field is a column of the same name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from domain.facts import ClosedCandle
from domain.market.instruments import Candle
from domain.trading.decisions import Approval, Close, Decision, Denial, Protection
from domain.trading.orders import Intent, OrderRequest

Row = dict[str, Any]
Value = TypeVar("Value")


def row_of(value: object, *, without: Iterable[str] = ()) -> Row:
    """Return a dataclass's fields as columns."""
    names = [field.name for field in fields(value) if field.name not in without]  # type: ignore[arg-type]
    return {name: _column(getattr(value, name)) for name in names}


def value_of(kind: type[Value], row: Mapping[str, Any], **known: object) -> Value:
    """Return the dataclass that a row was made of.

    Args:
        kind: the dataclass.
        row: its columns, and perhaps others.
        known: fields that are not in the row.
    """
    readers = _readers(kind)  # type: ignore[arg-type]  # a class is hashable
    read = {
        name: reader(row[column])
        for name, reader in readers.items()
        if name not in known and (column := _column_of(name, row)) is not None
    }
    return kind(**read, **known)


_OLD_COLUMNS = {"signal_ms": "cross_ms", "kinds": "crosses", "reduction_step": "is_reduced"}
"""What older programs called a column. A journal that nobody writes any more is not migrated."""


def _column_of(name: str, row: Mapping[str, Any]) -> str | None:
    """Return the column of a field; None where an older program had no such field."""
    if name in row:
        return name
    old = _OLD_COLUMNS.get(name)
    return old if old in row else None


def intent_row(intent: Intent) -> Row:
    """Return an intent and its request as one row."""
    return {**row_of(intent.request), **row_of(intent, without=["request"])}


def intent_of(row: Mapping[str, Any]) -> Intent:
    """Return the intent of a row."""
    return value_of(Intent, row, request=value_of(OrderRequest, row))


def candle_row(fact: ClosedCandle) -> Row:
    """Return a closed candle as a row."""
    return {"asset": fact.asset, **row_of(fact.candle)}


def candle_of(row: Mapping[str, Any]) -> Candle:
    """Return the candle of a row."""
    return value_of(Candle, row)


def decision_row(decision: Decision) -> Row:
    """Return a decision's own row; its grants, refusals and closes have tables of their own."""
    row: Row = {"t_ms": decision.t_ms}
    protection = decision.protection
    if protection is not None:
        row |= row_of(protection, without=["t_ms", "reason", "closes"])
        row["protection_reason"] = protection.reason.value
    return row


def decision_of(
    row: Mapping[str, Any], approvals: list[Row], denials: list[Row], closes: list[Row]
) -> Decision:
    """Return the decision of its rows."""
    return Decision(
        t_ms=row["t_ms"],
        approvals=tuple(value_of(Approval, approval) for approval in approvals),
        denials=tuple(value_of(Denial, denial) for denial in denials),
        protection=_protection_of(row, closes),
    )


def _protection_of(row: Mapping[str, Any], closes: list[Row]) -> Protection | None:
    if row["protection_reason"] is None:
        return None
    return value_of(
        Protection,
        {**row, "reason": row["protection_reason"]},
        closes=tuple(value_of(Close, close) for close in closes),
    )


def _column(value: Any) -> Any:
    if isinstance(value, tuple) or is_dataclass(value):
        return msgspec.json.encode(value).decode()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, StrEnum):
        return value.value
    return int(value) if isinstance(value, bool) else value


@cache
def _readers(kind: Any) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if not isinstance(hint, UnionType):
        return _plain_reader(hint)
    inner = _plain_reader(next(part for part in get_args(hint) if part is not NoneType))
    return lambda column: None if column is None else inner(column)


def _plain_reader(hint: Any) -> Callable[[Any], Any]:
    if is_json(hint):
        return msgspec.json.Decoder(hint).decode
    return hint  # type: ignore[no-any-return]


def is_json(hint: Any) -> bool:
    """Tell whether a field of this type is stored as JSON."""
    return get_origin(hint) is tuple or is_dataclass(hint)
