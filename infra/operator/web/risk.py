"""The risk of what is open, as the browser draws it: groups, broken limits, advice."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from domain.operator import wording as say
from domain.operator.performance import UNKNOWN
from domain.portfolio.concentration import ranked
from domain.portfolio.groups import largest_deployed
from domain.portfolio.rebalancing import Advice, Rebalance
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.violations import open_groups, violations
from domain.rules import TradingRules

View = dict[str, Any]


def risk(found: PortfolioSnapshot, rules: TradingRules) -> View:
    """Return what the page of the risk shows of the present."""
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
        "liquidation": _to_ruin(found),
        "advice": [_advice(each) for each in found.advice if each.is_worth_telling],
    }


def _advice(advice: Advice) -> View:
    may_reduce = advice.action is Rebalance.REDUCE
    return {"asset": advice.asset, "text": say.advice_line(advice), "may_reduce": may_reduce}


def _groups(found: PortfolioSnapshot, rules: TradingRules) -> Iterator[View]:
    """Yield the named groups, and the measured ones of what is open, against their caps."""
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
    return "none" if limit is None else say.percent(limit)


def _to_ruin(found: PortfolioSnapshot) -> str:
    """Return how far all prices may go against what is open until the equity is gone."""
    notional = sum(
        (held.qty * found.prices.get(asset, held.avg_entry_price))
        for asset, held in found.positions.items()
    )
    return say.percent(found.equity / notional, 0) if notional else ""


def percent_or_unknown(fraction: Decimal | None) -> str:
    """Return a fraction as percent; a share of nothing lost is no minus nothing."""
    return UNKNOWN if fraction is None else say.percent(fraction + 0)
