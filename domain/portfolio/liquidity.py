"""Entries for which the market is too thin; judged only at an exchange, never in a replay."""

from domain.market.order_book import OrderBook
from domain.rules import ApprovalRules
from domain.trading.decisions import Approval, Denial, DenialReason


def judges_liquidity(rules: ApprovalRules) -> bool:
    """Tell whether an order book is needed for an approval."""
    return rules.max_spread_bps is not None or rules.max_depth_share is not None


def too_thin(approval: Approval, book: OrderBook, rules: ApprovalRules) -> Denial | None:
    """Return the denial of an approval if the market is too thin for it; None if it is not.

    Args:
        approval: the approval by the other limits.
        book: the asset's order book.
        rules: the limits.
    """
    spread, limit = book.spread_bps, rules.max_spread_bps
    if spread is None:
        return _denial(approval, "book=empty")
    if limit is not None and spread > limit:
        return _denial(approval, f"spread_bps={spread:.2f} limit={limit}")
    depth, share = book.depth(approval.side), rules.max_depth_share
    if share is not None and approval.qty > depth * share:
        figures = f"qty={approval.qty:f} book_within_10_bps={depth:f} limit={share}"
        return _denial(approval, figures)
    return None


def unknown_book(approval: Approval) -> Denial:
    """Return the denial of an approval that cannot be judged: the exchange did not answer."""
    return _denial(approval, "book=unknown")


def _denial(approval: Approval, figures: str) -> Denial:
    return Denial(
        asset=approval.asset,
        t_ms=approval.t_ms,
        reason=DenialReason.LIQUIDITY,
        signal_ms=approval.signal_ms,
        figures=figures,
        judged=approval.judged,
    )
