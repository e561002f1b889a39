"""The tables of facts: trades, orders, decisions, the audit trail."""

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.operator import wording as say
from domain.portfolio.performance import excursion
from domain.rules import AssetRules, TradingRules
from domain.text import plain
from domain.trading.orders import OrderStatus
from domain.trading.positions import Trade
from infra.store.audit import read_audit
from infra.store.location import find_journal
from infra.store.reader import FactReader, StoredOrder

_TRADES, _ORDERS, _DENIALS, _ENTRIES = 1000, 200, 200, 500
_AUDITED_MS = 30 * 24 * 3_600_000
_WITH_FIGURES = ("refusal", "decision")
"""Kinds of audit entries that end with `key=value` pairs."""
_FIGURES = re.compile(r"([^=]+) (\S+=.*)")
_UNDECIDED = frozenset({OrderStatus.INTENDED, OrderStatus.UNKNOWN})

Row = dict[str, Any]


def trades(facts: FactReader, rules: TradingRules) -> list[Row]:
    """Return the newest trades, the newest first; money is exact text, beside what people read."""
    known = {asset.asset: asset for asset in rules.assets}
    return [_trade(each, facts, known.get(each.asset)) for each in facts.newest_trades(_TRADES)]


def _trade(trade: Trade, facts: FactReader, asset: AssetRules | None) -> Row:
    adverse, favourable = _excursions(trade, facts)
    notional = trade.qty * trade.entry_price
    margin = notional / (asset.leverage if asset is not None else 1)

    def price(value: Decimal) -> str:
        return f"{value:f}" if asset is None else say.price(value, asset.instrument)

    return {
        "asset": plain(trade.asset),
        "side": say.direction(trade.side),
        "entry_ms": trade.entry_ms,
        "exit_ms": trade.exit_ms,
        "held": say.duration(trade.exit_ms - trade.entry_ms),
        "held_ms": trade.exit_ms - trade.entry_ms,
        "qty": f"{trade.qty:f}",
        "entry": price(trade.entry_price),
        "exit": price(trade.exit_price),
        "fees": f"{trade.fees:f}",
        "funding": f"{trade.funding:f}",
        "pnl": f"{trade.pnl:f}",
        "pnl_text": say.gain(trade.pnl),
        "pnl_sign": (trade.pnl > 0) - (trade.pnl < 0),
        "of_margin": say.signed_percent(trade.pnl / margin) if margin else "",
        "reason": trade.reason,
        "adverse": adverse,
        "favourable": favourable,
        "why": say.trade_name(trade.asset, trade.exit_ms),
    }


def _excursions(trade: Trade, facts: FactReader) -> tuple[str, str]:
    """Return how far the price went against the position and for it, of the entry price."""
    found = facts.extremes(trade.asset, trade.entry_ms, trade.exit_ms)
    if found is None or not trade.entry_price:
        return "", ""
    against, toward = excursion(trade, *found)
    return say.signed_percent(0.0 - against, 2), say.signed_percent(toward, 2)


def orders(facts: FactReader) -> list[Row]:
    """Return the newest orders, those of which nobody knows the end first."""
    found = [_order(each) for each in facts.newest_orders(_ORDERS)]
    return sorted(found, key=lambda row: (not row["is_unknown"], -row["time"]))


def _order(order: StoredOrder) -> Row:
    request, intent, state = order.intent.request, order.intent, order.state
    return {
        "id": plain(order.client_order_id),
        "time": order.source.recorded_ms,
        "asset": plain(request.asset),
        "side": request.side,
        "qty": f"{request.qty:f}",
        "filled": f"{state.filled_qty:f}",
        "purpose": intent.purpose,
        "reason": intent.reason or "",
        "status": state.status,
        "is_unknown": state.status in _UNDECIDED,
        "detail": plain(order.detail),
        "stop": "" if request.stop_loss is None else f"{request.stop_loss:f}",
        "target": "" if request.take_profit is None else f"{request.take_profit:f}",
    }


def decisions(facts: FactReader) -> list[Row]:
    """Return the newest refused wishes and granted ones, with the figures of each limit."""
    denied = [
        {
            "time": each.t_ms,
            "asset": plain(each.asset),
            "what": f"denied: {each.reason}",
            "figures": say.pairs(each.figures),
            "judged": list(_judged(each.judged)),
            "why": each.client_order_id,
        }
        for each in facts.newest_denials(_DENIALS)
    ]
    approved = [
        {
            "time": each.t_ms,
            "asset": plain(each.asset),
            "what": f"approved: {say.direction(each.side)} {each.qty:f} at {each.price:f}",
            "figures": "",
            "judged": list(_judged(each.judged)),
            "why": each.client_order_id,
        }
        for each in facts.newest_approvals(_DENIALS)
    ]
    return sorted([*denied, *approved], key=lambda row: -row["time"])


def _judged(text: str) -> Iterator[str]:
    for line in text.splitlines():
        limit, _, figures = line.partition(" ")
        yield f"{plain(limit.rstrip(':'))}: {say.pairs(figures)}"


def audit(directory: Path, now_ms: int) -> list[Row]:
    """Return the newest entries of the audit trail, the newest first."""
    entries: list[Any] = []
    with suppress(FileNotFoundError):
        entries = read_audit(find_journal(directory), now_ms - _AUDITED_MS)
    return [_readable(each.as_dict()) for each in reversed(entries[-_ENTRIES:])]


def _readable(entry: Row) -> Row:
    """Return an entry with the figures of a limit or a protection as people read them."""
    found = _FIGURES.fullmatch(entry["what"]) if entry["kind"] in _WITH_FIGURES else None
    if found is not None:
        entry["what"] = f"{found[1]}: {say.pairs(found[2])}"
    return entry
