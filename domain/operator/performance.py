"""The figures of the performance so far, as text."""

from collections.abc import Mapping
from decimal import Decimal

from domain.operator import wording as say
from domain.operator.commands import ALL
from domain.portfolio.metrics import PairMetrics, PortfolioMetrics
from domain.portfolio.performance import Performance, Performances

UNKNOWN = "–"  # noqa: RUF001 (a typographic dash)
FIGURES = ("hold", "Sharpe", "volatility", "slippage", "fees", "MAE", "MFE", "risk share")


def performance_texts(found: Performance) -> Mapping[str, str]:
    """Return each of `FIGURES`; a dash if it is not defined."""
    held_ms = found.average_hold_ms
    texts = {
        "hold": None if held_ms is None else say.duration(held_ms),
        "Sharpe": _number(found.sharpe, ".2f"),
        "volatility": _number(found.volatility, ".1%"),
        "slippage": _number(found.slippage_bps, ".1f", " bps"),
        "fees": _number(found.fee_bps, ".1f", " bps"),
        "MAE": _number(found.adverse, ".2%"),
        "MFE": _number(found.favorable, ".2%"),
        "risk share": _number(found.risk_share, ".0%"),
    }
    return {name: UNKNOWN if text is None else text for name, text in texts.items()}


def money_texts(found: PortfolioMetrics | PairMetrics) -> Mapping[str, str]:
    """Return what an asset, or the whole portfolio, has earned so far, open positions included."""
    texts = {
        "PnL with open": f"{found.total_pnl:+,.2f}",
        "return on open": _signed(found.unrealized_return),
    }
    if isinstance(found, PairMetrics):
        share = found.contribution
        texts["share of PnL"] = UNKNOWN if share is None else say.percent(share)
    return texts


def run_texts(found: Performances, money: PortfolioMetrics | None) -> dict[str, Mapping[str, str]]:
    """Return all figures of the whole portfolio, named `ALL`, and of each asset that has traded.

    Args:
        found: the performance over all facts.
        money: what is open and earned, as of now; None: not known.
    """
    pairs = {} if money is None else money.pairs
    return {
        ALL: {**({} if money is None else money_texts(money)), **performance_texts(found.total)},
        **{
            asset: {
                **(money_texts(pairs[asset]) if asset in pairs else {}),
                **performance_texts(done),
            }
            for asset, done in found.assets.items()
        },
    }


def _signed(fraction: Decimal | None) -> str:
    return UNKNOWN if fraction is None else say.signed_percent(fraction, 2)


def _number(value: float | None, form: str, unit: str = "") -> str | None:
    return None if value is None else f"{value:{form}}{unit}"
