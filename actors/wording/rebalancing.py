"""Texts of the rebalancing advice."""

from domain.market.instruments import Side, utc_day
from domain.operator import wording as say
from domain.operator.notices import Notice, NoticeKind
from domain.portfolio.rebalancing import Advice, Rebalance


def rebalance_advised(advice: Advice, side: Side, opened_ms: int, t_ms: int) -> Notice:
    """Return the notice of an advice; one per position, direction and UTC day.

    Args:
        advice: to notify of.
        side: of the position.
        opened_ms: when it was opened; identifies it.
        t_ms: the close.
    """
    asset = advice.asset
    direction = "OVERSIZE" if advice.action is None else str(advice.action)
    lines = [
        f"⚖️ {asset} {say.direction(side)}: rebalancing",
        say.advice_line(advice),
        f"Drift {say.signed_percent(advice.drift)}",
        "Advice only: nothing is traded.",
    ]
    if advice.action is Rebalance.REDUCE:
        lines.append(f"You can: reduce {asset}")
    return Notice(
        key=f"rebalance/{asset}/{opened_ms}/{direction}/{utc_day(t_ms)}",
        kind=NoticeKind.REPORT,
        asset=asset,
        cause=f"rebalance {direction}",
        t_ms=t_ms,
        text="\n".join([*lines, say.utc_second(t_ms)]),
    )
