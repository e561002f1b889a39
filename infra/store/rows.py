"""Facts as rows, and back."""

from collections.abc import Mapping
from typing import Any

from domain.facts import ClosedCandle
from domain.market.instruments import Candle
from domain.trading.decisions import Approval, Close, Decision, Denial, Protection
from domain.trading.orders import Intent, OrderRequest
from infra.store.codec import Row, row_of, value_of


def intent_row(intent: Intent) -> Row:
    """Return an intent with its request as one row."""
    return {**row_of(intent.request), **row_of(intent, without=("request",))}


def intent_of(row: Mapping[str, Any]) -> Intent:
    return value_of(Intent, row, request=value_of(OrderRequest, row))


def candle_row(fact: ClosedCandle) -> Row:
    return {"asset": fact.asset, **row_of(fact.candle)}


def candle_of(row: Mapping[str, Any]) -> Candle:
    return value_of(Candle, row)


def decision_row(decision: Decision) -> Row:
    """Return a decision's own row; its approvals, denials and closes have tables of their own."""
    row: Row = {"t_ms": decision.t_ms}
    protection = decision.protection
    if protection is not None:
        row |= row_of(protection, without=("t_ms", "reason", "closes"))
        row["protection_reason"] = protection.reason.value
    return row


def decision_of(
    row: Mapping[str, Any], approvals: list[Row], denials: list[Row], closes: list[Row]
) -> Decision:
    """Return the decision made of its rows."""
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
