"""Orders as they are decided, from an approval or a close."""

from decimal import Decimal

from domain.rules import TradingRules
from domain.trading.decisions import Approval
from domain.trading.orders import ExitReason, Intent, OrderRequest, Purpose, client_order_id
from domain.trading.positions import Position
from domain.trading.sizing import protective_levels


def entry_intent(approval: Approval, rules: TradingRules) -> Intent:
    """Return the one order that may use an approval, with its stops around the last price (5.3)."""
    asset = rules.asset(approval.asset)
    terms = asset.terms if approval.terms is None else approval.terms
    levels = protective_levels(approval.price, approval.side, terms.stops, asset.instrument)
    request = OrderRequest(
        client_order_id=approval.client_order_id,
        asset=approval.asset,
        side=approval.side,
        qty=approval.qty,
        reduce_only=False,
        stop_loss=levels.stop_loss,
        take_profit=levels.take_profit,
    )
    return Intent(
        request=request,
        decided_ms=approval.t_ms,
        purpose=Purpose.ENTRY,
        attempt=1,
        reason=None,
        signal_ms=approval.signal_ms,
        protection_epoch=approval.protection_epoch,
        terms=terms,
    )


def close_intent(
    position: Position,
    *,
    decided_ms: int,
    purpose: Purpose,
    reason: ExitReason,
    attempt: int,
    qty: Decimal | None = None,
) -> Intent:
    """Return the order that closes a position, or a part of it, and can never open one.

    Args:
        position: what is open.
        decided_ms: close time of its decision.
        purpose: who decided it; part of the order's id.
        reason: why.
        attempt: 1, plus one for each that ended before everything was closed.
        qty: base units at most; None: the whole position.
    """
    request = OrderRequest(
        client_order_id=client_order_id(position.asset, decided_ms, purpose, attempt),
        asset=position.asset,
        side=position.side.opposite,
        qty=position.qty if qty is None else min(qty, position.qty),
        reduce_only=True,
    )
    return Intent(
        request=request,
        decided_ms=decided_ms,
        purpose=purpose,
        attempt=attempt,
        reason=reason,
        signal_ms=None,
        protection_epoch=None,
    )
