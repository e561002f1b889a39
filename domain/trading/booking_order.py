"""The order in which the portfolio counts executions: the market's, not that of arrival."""

from typing import NamedTuple

from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, ExecutionKind

_OWN_EXITS = frozenset({ExitReason.REGIME, ExitReason.TIME})


class BookingKey(NamedTuple):
    """Sort key of executions within one candle (strategy 10.3)."""

    t_ms: int
    """Time of the close that the execution belongs to."""
    phase: int
    """0: the exchange's own fills inside the candle; at its close 1: exits of the assets, 2: the
    portfolio's exits, 3: entries; 4: fills of decisions between this close and the next."""
    asset_index: int
    """Index of the asset in the settings."""
    arrival: int


DECISION_PHASE = 1
"""Decisions at t come after the fills inside the candle and before the fills at its close."""


def booking_key(execution: Execution, asset_index: int, arrival: int, candle_ms: int) -> BookingKey:
    """Return an execution's key among those of all assets."""
    if execution.decided_ms is not None:
        close_ms = execution.ts_ms // candle_ms * candle_ms
        return BookingKey(close_ms, _phase_at_close(execution, candle_ms), asset_index, arrival)
    if execution.kind is ExecutionKind.FUNDING:
        # Funding is settled at its candle's open; a stop may fill exactly at the candle's close.
        close_ms = (execution.ts_ms // candle_ms + 1) * candle_ms
    else:
        close_ms = -(-execution.ts_ms // candle_ms) * candle_ms
    return BookingKey(close_ms, 0, asset_index, arrival)


def counts_before(execution: Execution, t_ms: int, candle_ms: int) -> bool:
    """Tell whether an execution counts before the decisions of t."""
    return booking_key(execution, 0, 0, candle_ms) < (t_ms, DECISION_PHASE)


def _phase_at_close(execution: Execution, candle_ms: int) -> int:
    if execution.decided_ms is not None and execution.decided_ms % candle_ms:
        return 4
    if execution.reason is None:
        return 3
    return 1 if execution.reason in _OWN_EXITS else 2
