"""An actor's state compared with what a new incarnation would rebuild from the stored facts."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.operator import wording as say
from domain.operator.system import SystemSnapshot
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules
from domain.text import plain
from domain.trading.positions import Position, book
from domain.trading.trailing import first_stop
from infra.store.ended import snapshot_of
from infra.store.reader import FactReader

_PORTFOLIO = "portfolio"
_CLOSES = 1

Figures = Mapping[str, str]


def rebuilt(
    facts: FactReader, rules: TradingRules, seen: SystemSnapshot | None, address: str
) -> list[dict[str, Any]]:
    """Return a row for each figure of an actor: as last answered, and as rebuilt from the facts.

    Args:
        facts: of the run.
        rules: of the run.
        seen: the newest answers; None: there is none.
        address: of the actor; one without state from facts has no rows.
    """
    kind, _, asset = address.partition("/")
    if address == _PORTFOLIO:
        live = None if seen is None else seen.portfolio
        stored = _portfolio(snapshot_of(facts, rules))
        return _rows(None if live is None else _portfolio(live), stored)
    make = _OF_ASSET.get(kind)
    if make is None or asset not in {each.asset for each in rules.assets}:
        return []
    return _rows(None if seen is None else make(seen, asset), _stored(facts, rules, kind, asset))


def _rows(live: Figures | None, stored: Figures) -> list[dict[str, Any]]:
    return [
        {
            "figure": name,
            "live": "no answer" if live is None else live.get(name, ""),
            "stored": plain(text),
            "is_alike": live is None or live.get(name) == text,
        }
        for name, text in stored.items()
    ]


def _portfolio(found: PortfolioSnapshot) -> Figures:
    held = (f"{asset} {position.signed_qty:f}" for asset, position in found.positions.items())
    return {
        "balance": say.usdt(found.balance),
        "positions": ", ".join(sorted(held)) or "none",
        "trades": str(found.trades),
        "realized PnL": say.gain(found.realized_pnl),
        "losing trades in a row": str(found.streak),
        "halted": "yes" if found.is_halted else "no",
        "paused": ", ".join(sorted(found.paused)) or "none",
    }


def _asset(seen: SystemSnapshot, asset: str) -> Figures:
    found = seen.assets.get(asset)
    if found is None:
        return {}
    close = "none" if found.report is None else say.utc(found.report.t_ms)
    return {"position": _position(found.position), "newest close": close}


def _execution(seen: SystemSnapshot, asset: str) -> Figures:
    found = seen.executions.get(asset)
    if found is None:
        return {}
    stop = "none" if found.stop is None else f"{found.stop.stop_loss.normalize():f}"
    return {"stop": stop}


def _stored(facts: FactReader, rules: TradingRules, kind: str, asset: str) -> Figures:
    position: Position | None = None
    for execution in facts.executions():
        if execution.asset == asset:
            position = book(position, execution).position
    if kind == "asset":
        candles = facts.candles_after(asset, 0, _CLOSES)
        close = say.utc(candles[-1].close_time_ms) if candles else "none"
        return {"position": _position(position), "newest close": close}
    return {"stop": "none"} if position is None else {"stop": _stop(facts, position, rules)}


def _stop(facts: FactReader, position: Position, rules: TradingRules) -> str:
    """Return the level of the stop: the newest move, or based on the fills' average entry price.

    The level of the entry order is based on the signal's price, so it does not count.
    """
    moves = [
        move.stop_loss
        for _, move in facts.stop_moves()
        if move.asset == position.asset and move.opened_ms == position.opened_ms
    ]
    level = moves[-1] if moves else first_stop(position, rules).levels.stop_loss
    return f"{level.normalize():f}"


def _position(position: Position | None) -> str:
    if position is None:
        return "flat"
    return f"{say.direction(position.side)} {position.qty.normalize():f}"


_OF_ASSET: Mapping[str, Callable[[SystemSnapshot, str], Figures]] = {
    "asset": _asset,
    "execution": _execution,
}
