"""What must be true of stops: the exchange's own records of them, held against the facts."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import dropwhile
from typing import Any

from domain.market.instruments import Side
from domain.rules import StopPolicy, TradingRules
from domain.trading.orders import ExitReason
from domain.trading.positions import Position
from domain.trading.sizing import ProtectiveLevels, protective_levels
from domain.trading.trailing import StopState, first_stop, is_tighter
from tests.chaos.harness.journal_view import JournalView

Records = Mapping[str, Any]


def wanted_levels(
    position: Position, journal: JournalView, rules: TradingRules
) -> ProtectiveLevels:
    """Return where the stops of an open position belong by the facts."""
    state: StopState = first_stop(position, rules)
    for moved in journal.stop_moves:
        if (moved.asset, moved.opened_ms) == (position.asset, position.opened_ms):
            state = state.tightened(moved.stop_loss)
    return state.levels


def levels_of(row: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """Return the stops of the exchange's row of a position."""
    stop_loss, take_profit = (
        Decimal(row[name]) if row[name] and Decimal(row[name]) else None
        for name in ("stopLoss", "takeProfit")
    )
    return stop_loss, take_profit


def loosened(records: Records, rules: TradingRules) -> Iterator[str]:
    """Yield trailing stops that went back after they had moved, whoever or whatever did it.

    Until it has moved a stop may follow the average entry price (5.3), which is far less than a
    ratchet.
    """
    for asset in rules.assets:
        if asset.stops.trail_fraction is not None:
            for side, levels in _positions(records, asset.instrument.symbol):
                yield from _gone_back(asset.asset, side, levels, asset.stops)


def misnamed(records: Records, journal: JournalView, rules: TradingRules) -> Iterator[str]:
    """Yield trades at the stop whose reason is not what the exchange's records say (4.3)."""
    for trade in journal.trades:
        asset = rules.asset(trade.asset)
        if asset.stops.trail_fraction is None or trade.decided_ms is not None:
            continue
        if trade.reason not in (ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP):
            continue
        levels = list(_levels_since(records, asset.instrument.symbol, trade.entry_ms))
        average = protective_levels(
            trade.entry_price, trade.side, asset.stops, asset.instrument
        ).stop_loss
        # First it stands where the order of the entry had it, then where the average puts it.
        still = average if average in levels or not levels else levels[0]
        has_moved = bool(levels) and levels[-1] != still
        asked = {m.stop_loss for m in journal.stop_moves if m.opened_ms == trade.entry_ms}
        if not has_moved and still in asked - {average}:
            continue  # it was to move to just where it stood by the order of the entry
        if has_moved and _is_near(levels[-1], still, asset.stops):
            continue  # the price of the fill cannot tell the two apart
        if has_moved != (trade.reason is ExitReason.TRAILING_STOP):
            yield f"{trade.asset}: {trade.reason}, the stop stood at {levels[:1]} to {levels[-1:]}"


def _positions(records: Records, symbol: str) -> Iterator[tuple[Side, list[Decimal]]]:
    """Yield the levels of each position of a symbol, in their order."""
    side, levels = Side.BUY, list[Decimal]()
    for record in (r for r in records["stops"] if r["symbol"] == symbol):
        qty = Decimal(record["signed_qty"])
        now = Side.BUY if qty > 0 else Side.SELL
        if not qty or now is not side:
            yield side, levels
            levels = []
        side = now
        if qty and record["stop_loss"] is not None:
            levels.append(Decimal(record["stop_loss"]))
    yield side, levels


def _levels_since(records: Records, symbol: str, entry_ms: int) -> Iterator[Decimal]:
    """Yield the levels of the position that was opened at a time, until it was flat.

    Not until the time of its exit: a tick that is dealt with late is older than what came before.
    """
    since = (r for r in records["stops"] if r["symbol"] == symbol and r["ts_ms"] >= entry_ms)
    for record in dropwhile(lambda r: not Decimal(r["signed_qty"]), since):
        if not Decimal(record["signed_qty"]):
            return
        if record["stop_loss"] is not None:
            yield Decimal(record["stop_loss"])


def _gone_back(asset: str, side: Side, levels: list[Decimal], stops: StopPolicy) -> Iterator[str]:
    best = levels[0] if levels else None
    for level in levels:
        if best is None or is_tighter(level, best, side):
            best = level
        elif level != best and _has_moved(levels[0], best, side, stops):
            yield f"{asset}: the stop went back from {best} to {level}"


def _is_near(level: Decimal, other: Decimal, stops: StopPolicy) -> bool:
    return abs(level - other) < other * stops.min_ratchet_fraction / 2


def _has_moved(first: Decimal, level: Decimal, side: Side, stops: StopPolicy) -> bool:
    """Tell whether a level is further from the first than the average entry price can put it."""
    ahead = stops.min_ratchet_fraction / 2 * (1 if side is Side.BUY else -1)
    return is_tighter(level, first * (1 + ahead), side)
