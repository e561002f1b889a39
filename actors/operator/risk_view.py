"""Every limit with its current figure, or the reason why there is none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from actors.operator.risk_groups import NOTHING_OPEN, RiskGroups
from domain.market.instruments import HOUR_MS, utc_day
from domain.operator import wording as say
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import AssetRules, ProtectionRules, TradingRules
from domain.trading.positions import Trade

Limit = tuple[str, str, str]
"""Name, current figure, and limit."""
_NO_ANSWER, _NO_CLOSE = "no answer", "no close yet"
_NOT_LOOKED = "not checked yet"
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The sources of the figures."""

    now_ms: int
    portfolio: PortfolioSnapshot
    assets: Mapping[str, AssetSnapshot | None]
    """None: its actor has not answered in time."""
    trades: Sequence[Trade]
    approved: int | None
    """Entries at the newest close; None before the first."""
    health: Mapping[str, str]
    """The newest health figures; empty before the first."""


def limits(present: Present, rules: TradingRules) -> Iterator[Limit]:
    """Return all limits: first those of the portfolio, then each asset's."""
    yield from _of_entries(present, rules)
    yield from _of_protection(present.portfolio, rules.protection, present.now_ms)
    unprotected = present.health.get("positions without a stop", _NOT_LOOKED)
    yield "positions without a stop", unprotected, "0"
    for asset in rules.assets:
        yield from _of_asset(present, asset, rules)


def _of_entries(present: Present, rules: TradingRules) -> Iterator[Limit]:
    found, approval = present.portfolio, rules.approval
    exposure = _share(found.exposure, found.balance)
    approved = _NO_CLOSE if present.approved is None else f"{present.approved}"
    yield "positions", f"{len(found.positions)}", f"{approval.max_positions}"
    yield "exposure", say.percent(exposure), say.percent(approval.max_total_exposure)
    yield "entries at a close", approved, _count(approval.max_simultaneous_entries)
    yield from RiskGroups(found, rules).limits()
    drift = approval.rebalance_threshold
    yield "drift from the target", _largest_drift(found), _off(drift)


def _of_protection(
    found: PortfolioSnapshot, rules: ProtectionRules, now_ms: int
) -> Iterator[Limit]:
    mean = found.open_correlation
    no_mean = "fewer than two open" if len(found.positions) < _PAIR else "too few closes"
    daily = _off(rules.max_daily_loss_fraction)
    yield "drawdown", say.percent(found.drawdown), _levels(rules)
    yield "size of entries", say.percent(found.size_multiplier, 0), _sizes(rules)
    yield "capital loss", _capital_loss(found), _off(rules.capital_loss_fraction)
    yield "daily loss", say.percent(found.daily_loss), daily
    yield "losses in a row", f"{found.streak}", _count(rules.loss_streak)
    rests = say.rest(found.global_cooldown_reason, found.global_cooldown_end_ms, now_ms)
    yield "portfolio cooldown", rests or "0 min", "0 min"
    threshold = _plain(rules.high_correlation_threshold)
    yield "mean correlation", no_mean if mean is None else f"{mean:.2f}", threshold


def _of_asset(present: Present, asset: AssetRules, rules: TradingRules) -> Iterator[Limit]:
    name, rest, now_ms = asset.asset, rules.cooldown, present.now_ms
    exits_ms = [trade.exit_ms for trade in present.trades if trade.asset == name]
    in_hour = sum(now_ms - exit_ms <= HOUR_MS for exit_ms in exits_ms)
    today = sum(utc_day(exit_ms) == utc_day(now_ms) for exit_ms in exits_ms)
    stale = say.duration(rules.protection.stale_data_ms)
    yield f"{name} margin", _margin(present.portfolio, asset), _percent(asset.allocation_fraction)
    yield from _of_market(present, name, rules)
    found = present.assets.get(name)
    streak = _NO_ANSWER if found is None else f"{found.loss_streak}"
    cooldown = _NO_ANSWER
    if found is not None:
        cooldown = f"{found.cooldown_minutes} min {found.cooldown_reason}".rstrip()
        if not found.cooldown_minutes:
            cooldown = "0 min"
    yield f"{name} losses in a row", streak, _count(rest.loss_streak)
    yield f"{name} trades in an hour", f"{in_hour}", _count(rest.trades_per_hour)
    yield f"{name} trades today", f"{today}", _count(rest.trades_per_day)
    yield f"{name} cooldown", cooldown, "0 min"
    yield f"{name} data", present.health.get(f"feed of {name}", _NOT_LOOKED), stale


def _of_market(present: Present, name: str, rules: TradingRules) -> Iterator[Limit]:
    found, stops = present.assets.get(name), rules.asset(name).stops
    close = signal = held = _NO_ANSWER
    if found is not None:
        report, position = found.report, found.position
        close = _NO_CLOSE
        if report is not None:
            close = _age(present, report.t_ms)
        signal_ms = found.newest_signal_ms
        signal = "none yet" if signal_ms is None else _age(present, signal_ms)
        held = NOTHING_OPEN if position is None else _age(present, position.opened_ms)
    yield f"{name} newest close", close, f"{say.duration(rules.candles.entry_max_age_ms)} to enter"
    yield f"{name} newest signal", signal, "fresh enough to enter"
    most = stops.max_hold_ms
    yield f"{name} held", held, _NO_LIMIT if most is None else say.duration(most)


def _margin(found: PortfolioSnapshot, asset: AssetRules) -> str:
    position = found.positions.get(asset.asset)
    if position is None:
        return NOTHING_OPEN
    return _percent(_share(position.notional / asset.leverage, found.balance))


def _share(amount: Decimal, balance: Decimal) -> Decimal:
    return amount / balance if balance > 0 else _ZERO


def _percent(fraction: Decimal) -> str:
    return f"{say.percent(fraction)} of the balance"


def _age(present: Present, time_ms: int) -> str:
    return say.duration(max(0, present.now_ms - time_ms))


def _levels(rules: ProtectionRules) -> str:
    levels = [level for level, _ in rules.drawdown_steps]
    emergencies = (rules.drawdown_emergency_fraction, rules.drawdown_halt_fraction)
    levels += [level for level in emergencies if level is not None]
    return ", ".join(say.percent(level, 0) for level in levels) or _NO_LIMIT


def _sizes(rules: ProtectionRules) -> str:
    """Return what reduces the size of entries."""
    sizes = [
        f"{say.percent(size, 0)} from drawdown {say.percent(level, 0)}"
        for level, size in rules.drawdown_steps
    ]
    if rules.high_correlation_size_level is not None:
        size = say.percent(rules.high_correlation_size_multiplier, 0)
        sizes.append(f"{size} above mean correlation {rules.high_correlation_size_level:g}")
    return ", ".join(sizes) or _NO_LIMIT


def _capital_loss(found: PortfolioSnapshot) -> str:
    if found.entry_capital <= 0:
        return "not known"
    lost = 1 - found.equity / found.entry_capital
    return f"{say.percent(max(_ZERO, lost))} of {say.usdt(found.entry_capital)}"


def _largest_drift(found: PortfolioSnapshot) -> str:
    if not found.advice:
        return NOTHING_OPEN if not found.positions else _NO_CLOSE
    most = max(found.advice, key=lambda advice: abs(advice.drift))
    return f"{say.signed_percent(most.drift)} ({most.asset})"


def _count(limit: int | None) -> str:
    return _NO_LIMIT if limit is None else f"{limit}"


def _plain(limit: float | None) -> str:
    return _NO_LIMIT if limit is None else f"{limit:g}"


def _off(limit: Decimal | None) -> str:
    return _NO_LIMIT if limit is None else say.percent(limit)


_PAIR = 2
_NO_LIMIT = "none"
