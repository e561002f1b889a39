"""The current state of the system for the browser: texts, and numbers for bars."""

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from domain.market.instruments import Instrument
from domain.operator import wording as say
from domain.operator.performance import UNKNOWN, performance_texts
from domain.operator.system import ActorState, Reason, SystemSnapshot, VenueLink
from domain.portfolio.metrics import PairMetrics, PortfolioMetrics, metrics
from domain.portfolio.performance import Performance
from domain.portfolio.snapshots import ExecutionSnapshot, PortfolioSnapshot
from domain.rules import AssetRules, TradingRules
from domain.text import plain
from domain.trading.positions import ZERO, Position
from domain.trading.trailing import first_stop
from infra.operator.web.risk import percent_or_unknown, risk, room, standing_stop

View = dict[str, Any]
_DIGITS = 2


def overview(seen: SystemSnapshot, rules: TradingRules) -> View:
    """Return everything that the pages show of the current state."""
    return {
        "state": seen.state,
        "reasons": [_reason(each, seen.now_ms) for each in seen.reasons],
        "mode": seen.mode,
        "account": plain(seen.account),
        "now_ms": seen.now_ms,
        "clock_offset_ms": seen.now_ms - seen.machine_ms,
        "started_ms": seen.started_ms,
        "portfolio": None if seen.portfolio is None else _portfolio(seen.portfolio, rules),
        "limits": [] if seen.portfolio is None else list(_limits(seen.portfolio, rules)),
        "performance": _performance(seen, rules),
        "links": {name: _link(each) for name, each in seen.links.items()},
        "assets": {each.asset: _asset(each, seen, rules) for each in rules.assets},
        "actors": [_actor(each) for each in seen.actors],
        "dead_letters": seen.dead_letters,
        "set_aside": seen.set_aside,
        "health": {plain(name): plain(figure) for name, figure in seen.health.items()},
        "shown": _quantities(seen.portfolio),
        "risk": None if seen.portfolio is None else risk(seen.portfolio, rules),
        "room": room(seen, rules),
    }


def _quantities(portfolio: PortfolioSnapshot | None) -> dict[str, str]:
    """Return the signed quantity of each open position, which commands are compared with."""
    held = {} if portfolio is None else portfolio.positions
    return {asset: f"{position.signed_qty:f}" for asset, position in held.items()}


def _reason(reason: Reason, now_ms: int) -> View:
    text = plain(reason.text)
    if reason.until_ms is not None:
        text = f"portfolio cooldown {say.rest(text, reason.until_ms, now_ms)}"
    return {"state": reason.state, "text": text}


def _portfolio(found: PortfolioSnapshot, rules: TradingRules) -> View:
    figures = metrics(found, rules)
    return {
        "equity": say.usdt(found.equity),
        "equity_number": float(found.equity),
        "balance_number": float(found.balance),
        "balance": say.usdt(found.balance),
        "today": say.gain(found.today),
        "today_percent": say.signed_percent(found.today_return, _DIGITS),
        "today_sign": _sign(found.today),
        "total_pnl": say.gain(figures.total_pnl),
        "total_sign": _sign(figures.total_pnl),
        "total_return": UNKNOWN
        if figures.total_return is None
        else say.signed_percent(figures.total_return, _DIGITS),
        "unrealized": say.gain(figures.unrealized_pnl),
        "deployed": say.usdt(figures.deployed_capital),
        "available": say.usdt(figures.available_capital),
        "exposure": say.usdt(found.exposure),
        "trades": found.trades,
        "win_rate": percent_or_unknown(figures.win_rate),
        "paused": list(found.paused),
        "is_panic": found.panic_since_ms is not None,
        "is_halted": found.is_halted,
        "suspended": list(found.suspended),
    }


def _performance(seen: SystemSnapshot, rules: TradingRules) -> View:
    """Return the performance of each asset and of `all`: money as of now, the rest from facts."""
    if seen.portfolio is None:
        return {}
    money, done = metrics(seen.portfolio, rules), seen.performance
    pairs = {
        asset: {
            **_sums(pair),
            "contribution": percent_or_unknown(pair.contribution),
            **performance_texts(done.assets.get(asset, Performance())),
        }
        for asset, pair in money.pairs.items()
    }
    return {"all": {**_sums(money), "contribution": "", **performance_texts(done.total)}, **pairs}


def _sums(found: PortfolioMetrics | PairMetrics) -> View:
    return {
        "pnl": say.gain(found.total_pnl),
        "pnl_sign": _sign(found.total_pnl),
        "return": UNKNOWN
        if found.total_return is None
        else say.signed_percent(found.total_return, _DIGITS),
        "open_return": UNKNOWN
        if found.unrealized_return is None
        else say.signed_percent(found.unrealized_return, _DIGITS),
        "trades": found.closed_positions,
        "win_rate": percent_or_unknown(found.win_rate),
    }


def _link(link: VenueLink) -> View:
    p50_ms, p99_ms = link.request_p50_ms, link.request_p99_ms
    return {
        "is_streaming": link.is_streaming,
        "orders": f"{link.orders_per_minute:.1f}",
        "p50": UNKNOWN if p50_ms is None else f"{p50_ms:.0f} ms",
        "p99": UNKNOWN if p99_ms is None else f"{p99_ms:.0f} ms",
    }


def _limits(found: PortfolioSnapshot, rules: TradingRules) -> Iterator[View]:
    """Yield the figures with a limit that a bar can show; levels are fractions of the bar's end."""
    protection, approval = rules.protection, rules.approval
    steps = [level for level, _ in protection.drawdown_steps]
    ends = (protection.drawdown_emergency_fraction, protection.drawdown_halt_fraction)
    levels = sorted({*steps, *(end for end in ends if end is not None)})
    yield _bar("Drawdown", found.drawdown, levels)
    if protection.max_daily_loss_fraction is not None:
        yield _bar("Daily loss", found.daily_loss, [protection.max_daily_loss_fraction])
    exposure = found.exposure / found.balance if found.balance > 0 else Decimal(0)
    yield _bar("Exposure", exposure, [approval.max_total_exposure])
    figures = metrics(found, rules)
    share = figures.deployed_capital / found.capital if found.capital > 0 else Decimal(0)
    deployed = _bar("Deployed", share, [sum((a.allocation_fraction for a in rules.assets), ZERO)])
    available = say.usdt(figures.available_capital)
    yield {**deployed, "text": f"{deployed['text']}, {available} available"}
    count, most = len(found.positions), approval.max_positions
    yield {
        "name": "Positions",
        "text": f"{count} of {most}",
        "fraction": min(1.0, count / most),
        "levels": [],
    }


def _bar(name: str, figure: Decimal, levels: list[Decimal]) -> View:
    end = levels[-1] if levels else Decimal(1)
    shown = ", ".join(say.percent(level, 0) for level in levels)
    return {
        "name": name,
        "text": f"{say.percent(max(figure, Decimal(0)), _DIGITS)} of {shown}",
        "fraction": float(min(Decimal(1), max(Decimal(0), figure / end))),
        "levels": [float(level / end) for level in levels[:-1]],
    }


def _asset(asset: AssetRules, seen: SystemSnapshot, rules: TradingRules) -> View:
    name, digits = asset.asset, asset.instrument
    feed, snapshot = seen.feeds.get(name), seen.assets.get(name)
    portfolio = seen.portfolio
    price = feed.price if feed is not None else None
    report = None if snapshot is None else snapshot.report
    if price is None and portfolio is not None:
        price = portfolio.prices.get(name)
    view: View = {
        "strategy": asset.terms.strategy.name,
        "price": "" if price is None else say.price(price, digits),
        "price_number": None if price is None else float(price),
        "is_stale": feed is None or feed.is_stale,
        "feed_age": "" if feed is None or feed.age_s is None else f"{feed.age_s:.0f} s",
        "answers": snapshot is not None,
        "regime": "" if report is None else report.regime,
        "note": "" if report is None else plain(report.note),
        "values": [] if report is None else [plain(v) for v in say.values(report.values, digits)],
        "close_ms": None if report is None else report.t_ms,
        "is_paused": portfolio is not None and name in portfolio.paused,
        "is_suspended": portfolio is not None and name in portfolio.suspended,
        "cooldown": "",
        "signal_age": "",
        "decided": "",
        "position": None,
    }
    if snapshot is not None:
        if snapshot.cooldown_minutes:
            view["cooldown"] = say.rest(
                snapshot.cooldown_reason, snapshot.cooldown_end_ms, seen.now_ms
            )
        if snapshot.newest_signal_ms is not None:
            view["signal_age"] = say.duration(max(0, seen.now_ms - snapshot.newest_signal_ms))
        view["decided"] = plain(say.decided(snapshot))
    position = None if portfolio is None else portfolio.positions.get(name)
    if position is not None:
        view["position"] = _position(position, price, seen, rules)
    return view


def _position(
    position: Position, price: Decimal | None, seen: SystemSnapshot, rules: TradingRules
) -> View:
    asset = rules.asset(position.asset)
    digits = asset.instrument
    execution = seen.executions.get(position.asset)
    level = standing_stop(position, seen, rules)
    pnl = None if price is None else position.unrealized_pnl(price)
    target = first_stop(position, rules).levels.take_profit
    return {
        "side": say.direction(position.side),
        "qty": f"{position.qty:f}",
        "entry": say.price(position.avg_entry_price, digits),
        "entry_number": float(position.avg_entry_price),
        "entry_ms": position.opened_ms,
        "pnl": "" if pnl is None else say.gain(pnl),
        "pnl_sign": 0 if pnl is None else _sign(pnl),
        "pnl_percent": ""
        if pnl is None
        else say.signed_percent(pnl / (position.notional / asset.leverage)),
        "stop": say.price(level, digits),
        "stop_number": float(level),
        "stop_distance": "" if price is None else say.percent(abs(level / price - 1), _DIGITS),
        "stop_state": "unknown" if execution is None else _stop_state(execution, digits),
        "is_unprotected": execution is not None and execution.is_unprotected,
        "target": "none" if target is None else say.price(target, digits),
        "target_number": None if target is None else float(target),
        "age": say.duration(max(0, seen.now_ms - position.opened_ms)),
    }


def _stop_state(execution: ExecutionSnapshot, digits: Instrument) -> str:
    stop = execution.stop
    if execution.is_unprotected:
        return "NOT AT THE EXCHANGE"
    if stop is None or stop.confirmed_stop_loss is None:
        return "not confirmed yet"
    if stop.best is None:
        trail = "does not trail"
    else:
        trail = "trail armed" if stop.is_armed else "trail not armed yet"
    if stop.confirmed_stop_loss != stop.stop_loss:
        return f"at the exchange still {say.price(stop.confirmed_stop_loss, digits)}, {trail}"
    return f"at the exchange, {trail}"


def _actor(actor: ActorState) -> View:
    return {**asdict(actor), "last_failure": plain(actor.last_failure)}


def _sign(amount: Decimal) -> int:
    return (amount > 0) - (amount < 0)
