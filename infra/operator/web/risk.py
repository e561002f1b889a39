"""The risk of open positions for the browser: room, groups, broken limits, advice."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from domain.operator import wording as say
from domain.operator.performance import UNKNOWN
from domain.operator.system import SystemSnapshot
from domain.portfolio.concentration import ranked
from domain.portfolio.groups import largest_deployed
from domain.portfolio.rebalancing import Advice, Rebalance
from domain.portfolio.room import Room, rooms
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.violations import open_groups, violations
from domain.rules import TradingRules
from domain.trading.positions import ZERO, Position
from domain.trading.trailing import first_stop

View = dict[str, Any]


def risk(found: PortfolioSnapshot, rules: TradingRules) -> View:
    """Return everything that the risk page shows."""
    names = [asset.asset for asset in rules.assets]
    return {
        "assets": names,
        "mean": found.open_correlation,
        "threshold": rules.protection.high_correlation_threshold,
        "groups": list(_groups(found, rules)),
        "largest": rules.approval.concentration_top_n,
        "concentration": [
            {
                "asset": each.asset,
                "deployed": say.usdt(each.deployed),
                "share": float(each.share),
                "cumulative": float(each.cumulative),
                "of_equity": percent_or_unknown(each.of_equity),
            }
            for each in ranked(found.positions, found.equity, rules)
        ],
        "violations": [say.violation_line(each) for each in violations(found, rules)],
        "advice": [_advice(each) for each in found.advice if each.is_worth_telling],
    }


def room(seen: SystemSnapshot, rules: TradingRules) -> View | None:
    """Return how far prices may go against the open positions; None while unknown."""
    found = seen.portfolio
    if found is None:
        return None
    stops = {name: standing_stop(held, seen, rules) for name, held in found.positions.items()}
    rows = sorted(rooms(found.positions, found.prices, stops, rules), key=lambda row: row.to_stop)
    total = sum((row.to_stop for row in rows), ZERO)
    return {
        "rows": [_room(row, found, rules) for row in rows],
        "to_stops": say.gain(total),
        "of_equity": _of_equity(total, found),
    }


def standing_stop(position: Position, seen: SystemSnapshot, rules: TradingRules) -> Decimal:
    """Return the stop level of a position, from its watcher; otherwise the initial level."""
    execution = seen.executions.get(position.asset)
    if execution is None or execution.stop is None:
        return first_stop(position, rules).levels.stop_loss
    return execution.stop.stop_loss


def _room(row: Room, found: PortfolioSnapshot, rules: TradingRules) -> View:
    digits = rules.asset(row.asset).instrument
    return {
        "asset": row.asset,
        "side": say.direction(found.positions[row.asset].side),
        "price": say.price(row.price, digits),
        "stop": say.price(row.stop_loss, digits),
        "stop_distance": say.percent(row.stop_distance, 2),
        "liquidation": say.price(row.liquidation, digits) if row.liquidation else "none",
        "liquidation_distance": say.percent(row.liquidation_distance, 2) if row.liquidation else "",
        "is_behind_stop": row.stop_distance < row.liquidation_distance,
        "to_stop": say.gain(row.to_stop),
        "of_equity": _of_equity(row.to_stop, found),
    }


def _of_equity(amount: Decimal, found: PortfolioSnapshot) -> str:
    return say.signed_percent(amount / found.equity, 2) if found.equity > 0 else UNKNOWN


def _advice(advice: Advice) -> View:
    may_reduce = advice.action is Rebalance.REDUCE
    return {"asset": advice.asset, "text": say.advice_line(advice), "may_reduce": may_reduce}


def _groups(found: PortfolioSnapshot, rules: TradingRules) -> Iterator[View]:
    """Yield the named groups, and the measured ones of open positions, against their caps."""
    limits, opened = rules.approval, open_groups(found, rules)
    members: dict[str, list[str]] = {}
    for asset in rules.assets:
        if asset.correlation_group is not None:
            members.setdefault(asset.correlation_group, []).append(asset.asset)
    measured = {name: sorted(group) for name, group in opened.items() if name not in members}
    for name, assets in {**members, **measured}.items():
        held = opened.get(name, {})
        exposure = sum((one.notional for one in held.values()), Decimal(0))
        largest = largest_deployed(held, limits.concentration_top_n, rules)
        yield {
            "name": name,
            "assets": ", ".join(assets),
            "exposure": _of_capital(exposure, found),
            "exposure_cap": _cap(limits.max_correlated_exposure),
            "largest": _of_capital(largest, found),
            "largest_cap": _cap(limits.max_concentration),
        }


def _of_capital(amount: Decimal, found: PortfolioSnapshot) -> str:
    return say.percent(amount / found.capital) if found.capital > 0 else UNKNOWN


def _cap(limit: Decimal | None) -> str:
    return "no cap" if limit is None else f"of {say.percent(limit)}"


def percent_or_unknown(fraction: Decimal | None) -> str:
    """Return a fraction as percent, without a minus sign before zero."""
    return UNKNOWN if fraction is None else say.percent(fraction + 0)
