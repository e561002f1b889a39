"""Positions, their newest entries and cooldowns, from all stored executions."""

from dataclasses import dataclass
from decimal import Decimal

from domain.rules import TradingRules
from domain.trading.cooldowns import AssetCooldown
from domain.trading.positions import ZERO, Booked, Execution, ExecutionKind, Position, book


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The newest order that opened or enlarged a position of an asset."""

    order_id: str
    position: Position
    """After its newest fill."""
    executed_qty: Decimal
    """Base units."""


class Ledger:
    """The fold of the executions of all assets, in the order in which they were stored."""

    def __init__(self, rules: TradingRules) -> None:
        """Start before the first execution."""
        self.positions: dict[str, Position] = {}
        self.entries: dict[str, Entry] = {}
        """By asset."""
        self.cooldowns = {asset.asset: AssetCooldown(rules.cooldown) for asset in rules.assets}

    @property
    def exposure(self) -> Decimal:
        """Sum of the open positions' entry notionals, quote."""
        return sum((position.notional for position in self.positions.values()), ZERO)

    def apply(self, execution: Execution) -> Booked:
        """Fold one more execution and return what it did."""
        before = self.positions.get(execution.asset)
        booked = book(before, execution)
        if booked.position is None:
            self.positions.pop(execution.asset, None)
        else:
            self.positions[execution.asset] = booked.position
        if booked.trade is not None:
            self.cooldowns[execution.asset].apply(booked.trade)
        if has_grown(before, booked) and execution.client_order_id is not None:
            self._enter(execution.client_order_id, execution, booked.position)
        return booked

    def _enter(self, order_id: str, execution: Execution, position: Position | None) -> None:
        entry = self.entries.get(execution.asset)
        so_far = ZERO if entry is None or entry.order_id != order_id else entry.executed_qty
        if position is not None:
            self.entries[execution.asset] = Entry(
                order_id=order_id, position=position, executed_qty=so_far + execution.qty
            )


def has_grown(before: Position | None, booked: Booked) -> bool:
    """Tell whether an execution opened or enlarged a position."""
    after = booked.position
    if after is None:
        return False
    return before is None or booked.trade is not None or before.qty < after.qty


def is_ours(execution: Execution) -> bool:
    """Tell whether an execution follows from one of our decisions."""
    return execution.kind is ExecutionKind.FUNDING or execution.decided_ms is not None
