"""The portfolio in figures: its capital, its ranking, its pairs; now, or at the end of a run."""

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from actors.operator.tables import Row, table_reply
from domain.operator import wording as say
from domain.operator.replies import Reply
from domain.operator.wording import advice_line, violation_line
from domain.portfolio.concentration import ranked
from domain.portfolio.metrics import PairMetrics, PortfolioMetrics, metrics
from domain.portfolio.rebalancing import Advice
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.violations import Violation, violations
from domain.rules import TradingRules

SUMMARY, CONCENTRATION, PAIRS = "summary", "concentration", "pairs"


def portfolio_view(which: str, found: PortfolioSnapshot, rules: TradingRules) -> Reply:
    """Return one of the three views.

    Args:
        which: its word; the summary if empty.
        found: the current state, or that at the end of a run.
        rules: of the run.
    """
    if which == CONCENTRATION:
        return _concentration(found, rules)
    if which == PAIRS:
        return _pairs(found, rules)
    return _summary(found, rules)


def before_reduce(argument: str, found: PortfolioSnapshot, rules: TradingRules) -> str:
    """Return position and advice of the asset that a reduce names; empty if there is none."""
    words = argument.upper().split()
    names = {asset.instrument.symbol: asset.asset for asset in rules.assets}
    asset = names.get(words[0], words[0]) if words else ""
    position = found.positions.get(asset)
    if position is None:
        return ""
    advised = next((advice_line(each) for each in found.advice if each.asset == asset), "")
    says = f"{asset} {say.direction(position.side)} {position.qty:f} is open"
    return f"{says}; {advised}. " if advised else f"{says}. "


def advice_data(advice: Advice | None) -> dict[str, Any] | None:
    """Return an advice as plain values; None if there is none."""
    if advice is None:
        return None
    return {
        "action": advice.action,
        "qty": f"{advice.qty:f}",
        "weight_pct": f"{advice.weight:f}",
        "target_pct": f"{advice.target:f}",
        "drift_pct": f"{advice.drift:f}",
        "is_oversize": advice.is_oversize,
    }


def _summary(found: PortfolioSnapshot, rules: TradingRules) -> Reply:
    made = metrics(found, rules)
    broken = violations(found, rules)
    advised = [advice for advice in found.advice if advice.is_worth_telling]
    lines = [f"{say.SIREN} {violation_line(each)}" for each in broken]
    lines += map(advice_line, advised)
    data = {
        "total_capital": _exact(made.total_capital),
        "available_capital": _exact(made.available_capital),
        "equity": _exact(made.equity),
        **_figures(made),
        "violations": [_violation_data(each) for each in broken],
        "rebalancing": [{"asset": each.asset, **(advice_data(each) or {})} for each in advised],
    }
    reply = table_reply("Portfolio", ("what", "now"), list(_summary_rows(made)), data)
    return Reply(
        code=reply.code, title=reply.title, lines=tuple(lines), table=reply.table, data=data
    )


def _summary_rows(made: PortfolioMetrics) -> Iterator[Row]:
    yield "total capital", say.usdt(made.total_capital)
    yield "deployed", say.usdt(made.deployed_capital)
    yield "available", say.usdt(made.available_capital)
    yield "equity", say.usdt(made.equity)
    yield "active positions", str(made.active_positions)
    yield "closed positions", str(made.closed_positions)
    yield "win rate", _percent(made.win_rate, "nothing closed")
    yield "total PnL", say.gain(made.total_pnl)
    yield "realized PnL", say.gain(made.realized_pnl)
    yield "unrealized PnL", say.gain(made.unrealized_pnl)
    yield "total return", _signed(made.total_return)
    yield "concentration", _percent(made.concentration, "no equity")


def _concentration(found: PortfolioSnapshot, rules: TradingRules) -> Reply:
    ranking = list(ranked(found.positions, found.equity, rules))
    rows = [
        (
            str(index),
            one.asset,
            f"{one.deployed:,.2f}",
            say.percent(one.share),
            say.percent(one.cumulative),
            _percent(one.of_equity, "no equity"),
        )
        for index, one in enumerate(ranking, 1)
    ]
    data = {"concentration": [_texts(asdict(one)) for one in ranking]}
    columns = ("rank", "asset", "deployed", "share", "cumulative", "of equity")
    return table_reply("Concentration", columns, rows, data, "Nothing is open")


def _pairs(found: PortfolioSnapshot, rules: TradingRules) -> Reply:
    made = metrics(found, rules)
    rows = [
        (
            pair.asset,
            _status(pair, found),
            f"{pair.deployed_capital:,.2f}",
            _signed(pair.total_return),
            f"{pair.realized_pnl:+,.2f}",
            f"{pair.unrealized_pnl:+,.2f}",
            str(pair.closed_positions),
            _percent(pair.win_rate, ""),
        )
        for pair in made.pairs.values()
    ]
    data = {
        name: {
            "status": _status(pair, found),
            **_figures(pair),
            "contribution_pct": _exact(pair.contribution),
        }
        for name, pair in made.pairs.items()
    }
    columns = ("pair", "status", "deployed", "return", "realized", "unrealized", "closed", "won")
    return table_reply("Pairs", columns, rows, {"pairs": data})


def _status(pair: PairMetrics, found: PortfolioSnapshot) -> str:
    says = ["flat" if pair.side is None else say.direction(pair.side)]
    says += ["paused"] if pair.asset in found.paused else []
    says += ["suspended"] if pair.asset in found.suspended else []
    return ", ".join(says)


def _figures(made: PortfolioMetrics | PairMetrics) -> dict[str, Any]:
    """Return the figures common to a pair and the portfolio; percent values as fractions."""
    return {
        "deployed_capital": _exact(made.deployed_capital),
        "active_positions": made.active_positions,
        "closed_positions": made.closed_positions,
        "total_pnl": _exact(made.total_pnl),
        "unrealized_pnl": _exact(made.unrealized_pnl),
        "realized_pnl": _exact(made.realized_pnl),
        "total_return_pct": _exact(made.total_return),
        "concentration_pct": _exact(made.concentration),
        "win_rate_pct": _exact(made.win_rate),
    }


def _violation_data(violation: Violation) -> dict[str, Any]:
    return _texts(asdict(violation))


def _texts(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _exact(v) if isinstance(v, Decimal) else v for name, v in fields.items()}


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _percent(fraction: Decimal | None, without: str) -> str:
    return without if fraction is None else say.percent(fraction)


def _signed(fraction: Decimal | None) -> str:
    return "nothing paid in" if fraction is None else say.signed_percent(fraction, 2)
