"""Events of an asset for its chart: entries, exits, moves of stops, denials."""

from collections.abc import Iterator, Sequence
from typing import Any

from domain.market.instruments import Side
from domain.operator import wording as say
from domain.rules import AssetRules, StopPolicy
from domain.trading.positions import Execution, Position, Trade, book
from domain.trading.sizing import protective_levels
from domain.trading.trailing import StopMoved
from infra.store.reader import FactReader

Mark = dict[str, Any]
_DENIALS = 300


def marks(facts: FactReader, asset: AssetRules, since_ms: int) -> dict[str, list[Mark]]:
    """Return all marks of an asset since a time; positions open then are complete."""
    name = asset.asset
    executions = [each for each in facts.executions() if each.asset == name]
    moves = [move for _, move in facts.stop_moves() if move.asset == name]
    trades = [t for _, t in facts.trades() if t.asset == name and t.exit_ms >= since_ms]
    open_now = _open(executions)
    entered: list[Trade | Position] = [*trades, *([] if open_now is None else [open_now])]
    return {
        "entries": [_entry(each, asset, executions) for each in entered],
        "exits": [_exit(trade, asset) for trade in trades],
        "stops": [step for each in entered for step in _steps(each, asset, executions, moves)],
        "denials": [
            {
                "time": each.t_ms,
                "text": f"{each.reason}: {say.pairs(each.figures)}",
                "why": each.client_order_id,
            }
            for each in facts.newest_denials(_DENIALS)
            if each.asset == name and each.t_ms >= since_ms
        ],
    }


def _open(executions: Sequence[Execution]) -> Position | None:
    position: Position | None = None
    for execution in executions:
        position = book(position, execution).position
    return position


def _began_ms(entered: Trade | Position) -> int:
    return entered.entry_ms if isinstance(entered, Trade) else entered.opened_ms


def _entry(entered: Trade | Position, asset: AssetRules, executions: Sequence[Execution]) -> Mark:
    price = entered.entry_price if isinstance(entered, Trade) else entered.avg_entry_price
    way = say.direction(entered.side)
    shown, began_ms = say.price(price, asset.instrument), _began_ms(entered)
    orders = (each.client_order_id for each in executions if each.ts_ms == began_ms)
    return {
        "time": began_ms,
        "price": float(price),
        "is_long": entered.side is Side.BUY,
        "text": f"{way} {entered.qty:f} at {shown}",
        "why": next(orders, None) or "",
    }


def _exit(trade: Trade, asset: AssetRules) -> Mark:
    held = say.duration(trade.exit_ms - trade.entry_ms)
    shown = say.price(trade.exit_price, asset.instrument)
    return {
        "time": trade.exit_ms,
        "price": float(trade.exit_price),
        "is_gain": trade.pnl > 0,
        "side": say.direction(trade.side),
        "qty": f"{trade.qty:f}",
        "entry": say.price(trade.entry_price, asset.instrument),
        "exit": shown,
        "pnl": say.gain(trade.pnl),
        "pnl_sign": (trade.pnl > 0) - (trade.pnl < 0),
        "held": held,
        "reason": say.words(trade.reason),
        "text": f"{say.direction(trade.side)} closed at {shown}: {say.words(trade.reason)}, "
        f"{say.gain(trade.pnl)}, held {held}",
        "why": say.trade_name(trade.asset, trade.exit_ms),
    }


def _steps(
    entered: Trade | Position,
    asset: AssetRules,
    executions: Sequence[Execution],
    moves: Sequence[StopMoved],
) -> Iterator[Mark]:
    """Yield the levels of a position's stop, with their times; end None: still in force."""
    began_ms = _began_ms(entered)
    price = entered.entry_price if isinstance(entered, Trade) else entered.avg_entry_price
    levels = protective_levels(
        price, entered.side, _policy(began_ms, asset, executions), asset.instrument
    )
    ours = sorted((m.ts_ms, m.stop_loss) for m in moves if m.opened_ms == began_ms)
    steps = [(began_ms, levels.stop_loss), *ours]
    ended_ms = entered.exit_ms if isinstance(entered, Trade) else None
    ends = [*(time_ms for time_ms, _ in steps[1:]), ended_ms]
    target = levels.take_profit
    for (time_ms, level), end_ms in zip(steps, ends, strict=True):
        yield {
            "from": time_ms,
            "to": end_ms,
            "level": float(level),
            "target": None if target is None else float(target),
        }


def _policy(began_ms: int, asset: AssetRules, executions: Sequence[Execution]) -> StopPolicy:
    """Return the stop policy of the entry at a time; that of the settings if none is stored."""
    terms = (each.terms for each in executions if each.ts_ms == began_ms)
    return next((found.stops for found in terms if found is not None), asset.stops)
