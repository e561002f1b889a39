"""Texts of the daily and the weekly report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from actors.messages import LinksSampled
from actors.wording.figures import connections, since_the_start
from actors.wording.outlook import opportunity, waiting
from actors.wording.system import position_line
from domain.backtesting.summary import figures
from domain.market.instruments import MINUTE_MS
from domain.operator import wording as say
from domain.operator.notices import Notice, NoticeKind, ReportPeriod
from domain.operator.wording import advice_line
from domain.portfolio.metrics import metrics
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.trading.decisions import DenialReason
from domain.trading.positions import Position, Trade

_SIGNS = {Regime.ACTIVE: say.GOOD, Regime.INACTIVE: say.BAD, Regime.COOLDOWN: say.CLOCK}

_LATE_MS = 15 * MINUTE_MS
"""How late a report may be, for answers or a restart, without mentioning it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFacts:
    """The facts of a period."""

    period: ReportPeriod
    trades: Sequence[Trade]
    """Trades closed in it."""
    denials: Mapping[DenialReason, int]
    restarts: Mapping[str, int]
    """Restarts by address."""
    balance_before: Decimal | None
    """Balance at its start, or the first known one; None if none is."""
    performances: Performances = field(default_factory=Performances)
    """Performance over all facts, whenever they were stored."""


@dataclass(frozen=True, slots=True)
class PresentFacts:
    """The current state."""

    portfolio: PortfolioSnapshot | None
    """None if it did not answer."""
    assets: Mapping[str, AssetSnapshot]
    """Those that answered, by name."""
    links: LinksSampled | None = None
    """None if they are not sampled, as in a replay."""


def report(facts: PeriodFacts, present: PresentFacts, now_ms: int, rules: TradingRules) -> Notice:
    """Return the report of a period, with the current state.

    Args:
        facts: of the period.
        present: the current state.
        now_ms: the present.
        rules: the limits.
    """
    period, portfolio, assets = facts.period, present.portfolio, present.assets
    until = f" to {say.day(period.until_ms - 1)}" if period.name != "Daily" else ""
    lines = [
        f"📊 {period.name} report",
        f"{say.day(period.from_ms)}{until} UTC",
        *_lateness(period, now_ms),
        *_trading(facts),
        *say.listed("Refused:", _counts(facts.denials)),
        *say.listed("Restarts:", _counts(facts.restarts)),
        f"Now, {say.utc_second(now_ms)}:",
        *(["Portfolio: no answer"] if portfolio is None else _present(portfolio, now_ms, rules)),
        *(_asset(rules_.asset, assets.get(rules_.asset)) for rules_ in rules.assets),
        *([] if present.links is None else connections(present.links)),
        opportunity(assets.get(rules_.asset) for rules_ in rules.assets),
        *waiting(assets),
        # Last, since it is the longest: a channel may cut what does not fit one message.
        *since_the_start(facts.performances, portfolio, rules),
    ]
    return Notice(
        key=period.key,
        kind=NoticeKind.REPORT,
        asset=None,
        cause=period.key,
        t_ms=now_ms,
        text="\n".join(lines),
    )


def _trading(facts: PeriodFacts) -> list[str]:
    trades = facts.trades
    sums = figures(trades)
    before = facts.balance_before
    share = f" ({say.signed_percent(sums.pnl / before, 2)})" if before else ""
    lines = [
        f"PnL {say.gain(sums.pnl)}{share}",
        f"Trades {sums.trades}{_won(sums.win_rate)}",
        f"Fees {say.usdt(sums.fees)}, funding {sums.funding:+,.2f}",
    ]
    if not trades:
        return lines
    factor = sums.profit_factor
    held_ms = sum(trade.exit_ms - trade.entry_ms for trade in trades) // len(trades)
    best = max(trades, key=lambda trade: trade.pnl)
    worst = min(trades, key=lambda trade: trade.pnl)
    return [
        *lines,
        f"Profit factor {'- (no loss)' if factor is None else f'{factor:.2f}'}",
        f"Average hold {say.duration(held_ms)}",
        f"Best {best.asset} {say.gain(best.pnl)}",
        f"Worst {worst.asset} {say.gain(worst.pnl)}",
        "By asset:",
        *(_of_asset(asset, trades, sums.pnl) for asset in dict.fromkeys(t.asset for t in trades)),
    ]


def _of_asset(asset: str, trades: Sequence[Trade], pnl: Decimal) -> str:
    own = [trade for trade in trades if trade.asset == asset]
    sums = figures(own)
    share = f", {say.percent(sums.pnl / pnl, 0)} of PnL" if pnl else ""
    held_ms = sum(trade.exit_ms - trade.entry_ms for trade in own) // len(own)
    return (
        f"{asset} {sums.pnl:+,.2f}{share}\n"
        f"  trades {sums.trades}{_won(sums.win_rate)}, hold {say.duration(held_ms)}"
    )


def _lateness(period: ReportPeriod, now_ms: int) -> list[str]:
    late_ms = now_ms - period.due_ms
    return [f"{say.duration(late_ms)} late"] if late_ms >= _LATE_MS else []


def _won(rate: float | None) -> str:
    return "" if rate is None else f", won {say.percent(rate)}"


def _present(portfolio: PortfolioSnapshot, now_ms: int, rules: TradingRules) -> list[str]:
    limits = rules.protection
    levels = [level for level, _ in limits.drawdown_steps]
    emergencies = (limits.drawdown_emergency_fraction, limits.drawdown_halt_fraction)
    levels += [level for level in emergencies if level is not None]
    left_ms = max(0, portfolio.global_cooldown_end_ms - now_ms)
    rests = f"{left_ms // MINUTE_MS} min left" if left_ms else "none"
    return [
        f"Balance {say.usdt(portfolio.balance)}",
        f"Equity {say.usdt(portfolio.equity)}",
        f"Drawdown {say.percent(portfolio.drawdown)}",
        f"Levels: {', '.join(say.percent(level, 0) for level in levels)}",
        f"Portfolio cooldown: {rests}",
        *_rest(left_ms, portfolio.global_cooldown_reason, portfolio.global_cooldown_end_ms),
        *(["HALTED until rearm"] if portfolio.is_halted else []),
        f"Open positions: {len(portfolio.positions) or 'none'}",
        *(_open(position, portfolio, rules) for position in portfolio.positions.values()),
    ]


def _open(position: Position, portfolio: PortfolioSnapshot, rules: TradingRules) -> str:
    price = portfolio.prices.get(position.asset)
    pair = metrics(portfolio, rules).pairs.get(position.asset)
    share = None if pair is None else pair.unrealized_return
    of_margin = "" if share is None else f"\n  {say.signed_percent(share)} of its margin"
    pnl = "" if price is None else f", {position.unrealized_pnl(price):+,.2f}{of_margin}"
    advice = next((one for one in portfolio.advice if one.asset == position.asset), None)
    advised = "" if advice is None else advice_line(advice)
    return f"{position_line(position, rules)}{pnl}" + (f"\n  {advised}" if advised else "")


def _asset(asset: str, snapshot: AssetSnapshot | None) -> str:
    if snapshot is None or snapshot.report is None:
        return f"⚪ {asset} no answer"
    regime, rests = snapshot.report.regime, snapshot.cooldown_minutes
    cooldown = f", cooldown {rests} min left" if rests else ""
    lines = [
        f"{_SIGNS[regime]} {asset} {regime}{cooldown}",
        *_rest(rests, snapshot.cooldown_reason, snapshot.cooldown_end_ms),
    ]
    return "\n".join(lines)


def _rest(left: int, reason: str, end_ms: int) -> list[str]:
    """Return reason and end of a cooldown; a line each, for a phone."""
    return [f"  {reason}", f"  until {say.utc(end_ms)}"] if left else []


def _counts(counts: Mapping[str, int] | Mapping[DenialReason, int]) -> list[str]:
    return [f"{name} {count}" for name, count in counts.items()]
