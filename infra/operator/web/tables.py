"""Tables of facts: trades, orders, decisions, the audit trail."""

import re
from collections.abc import Iterator, Mapping, Sequence
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
from infra.store.audit import AuditEntry, read_audit
from infra.store.location import find_journal
from infra.store.reader import FactReader, StoredOrder

_TRADES, _ORDERS, _DENIALS, _ENTRIES = 1000, 200, 200, 300
_AUDITED_MS, _FOR_EVER_MS = 30 * 24 * 3_600_000, 2**62
_WITH_FIGURES = ("refusal", "decision")
"""Kinds of audit entries that end with `key=value` pairs."""
_FIGURES = re.compile(r"([^=]+) (\S+=.*)")
_UNDECIDED = frozenset({OrderStatus.INTENDED, OrderStatus.UNKNOWN})

Row = dict[str, Any]


def trades(facts: FactReader, rules: TradingRules) -> list[Row]:
    """Return the newest trades, newest first; money is exact text beside the displayed text."""
    known = _known(rules)
    return [_trade(each, facts, known.get(each.asset)) for each in facts.newest_trades(_TRADES)]


def _known(rules: TradingRules) -> Mapping[str, AssetRules]:
    return {asset.asset: asset for asset in rules.assets}


def _price(value: Decimal | None, asset: AssetRules | None) -> str:
    """Return a price with the instrument's digits; unchanged if the asset is no longer traded."""
    if value is None:
        return ""
    return f"${value:f}" if asset is None else say.price(value, asset.instrument)


def _trade(trade: Trade, facts: FactReader, asset: AssetRules | None) -> Row:
    adverse, favourable = _excursions(trade, facts)
    notional = trade.qty * trade.entry_price
    margin = notional / (asset.leverage if asset is not None else 1)
    return {
        "asset": plain(trade.asset),
        "side": say.direction(trade.side),
        "entry_ms": trade.entry_ms,
        "exit_ms": trade.exit_ms,
        "held": say.duration(trade.exit_ms - trade.entry_ms),
        "held_ms": trade.exit_ms - trade.entry_ms,
        "qty": f"{trade.qty:f}",
        "entry": _price(trade.entry_price, asset),
        "exit": _price(trade.exit_price, asset),
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
    """Return how far the price went against and for the position, relative to the entry price."""
    found = facts.extremes(trade.asset, trade.entry_ms, trade.exit_ms)
    if found is None or not trade.entry_price:
        return "", ""
    against, toward = excursion(trade, *found)
    return say.signed_percent(0.0 - against, 2), say.signed_percent(toward, 2)


def orders(facts: FactReader, rules: TradingRules) -> Row:
    """Return the newest orders, those of unknown outcome first, and the decisions."""
    known = _known(rules)
    found = [
        _order(each, known.get(each.intent.request.asset)) for each in facts.newest_orders(_ORDERS)
    ]
    return {
        "orders": sorted(found, key=lambda row: (not row["is_unknown"], -row["time"])),
        "decisions": _decisions(facts, known),
    }


def _order(order: StoredOrder, asset: AssetRules | None) -> Row:
    request, intent, state = order.intent.request, order.intent, order.state
    filled = sum((each.qty for each in order.executions), Decimal(0))
    paid = sum((each.qty * each.price for each in order.executions), Decimal(0))
    return {
        "id": plain(order.client_order_id),
        "time": order.source.recorded_ms,
        "asset": plain(request.asset),
        "side": request.side,
        "qty": f"{request.qty:f}",
        "filled": f"{state.filled_qty:f}",
        "fill_price": _price(paid / filled if filled else None, asset),
        "purpose": intent.purpose,
        "reason": intent.reason or "",
        "status": state.status,
        "is_unknown": state.status in _UNDECIDED,
        "detail": plain(order.detail),
        "stop": _price(request.stop_loss, asset),
        "target": _price(request.take_profit, asset),
    }


def _decisions(facts: FactReader, known: Mapping[str, AssetRules]) -> list[Row]:
    """Return the newest denied and approved entries, with the figures of each limit."""
    denied = [
        {
            "time": each.t_ms,
            "asset": plain(each.asset),
            "is_denied": True,
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
            "is_denied": False,
            "what": f"approved: {say.direction(each.side)} {each.qty:f} at "
            f"{_price(each.price, known.get(each.asset))}",
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


def audit(directory: Path, now_ms: int) -> list[AuditEntry]:
    """Return the audit trail of the last 30 days, newest first."""
    with suppress(FileNotFoundError):
        return read_audit(find_journal(directory), now_ms - _AUDITED_MS)[::-1]
    return []


def audited(entries: Sequence[AuditEntry], query: Mapping[str, str]) -> Row:
    """Return the newest entries that fit the filters, their number, and the filter choices.

    Args:
        entries: all, newest first.
        query: `kind`, `asset`, `by`; `words` that an entry contains; `from_ms` to before `to_ms`.

    Raises:
        ValueError: a time is not a number.
    """
    from_ms, to_ms = int(query.get("from_ms") or 0), int(query.get("to_ms") or _FOR_EVER_MS)
    found = [each for each in entries if from_ms <= each.recorded_ms < to_ms and _fits(each, query)]
    return {
        "rows": [_readable(each.as_dict()) for each in found[:_ENTRIES]],
        "found": len(found),
        "kinds": sorted({each.kind for each in entries}),
        "assets": sorted({each.asset for each in entries if each.asset}),
        "writers": sorted({each.writer for each in entries}),
    }


def _fits(entry: AuditEntry, query: Mapping[str, str]) -> bool:
    kind, asset, by = (query.get(name, "") for name in ("kind", "asset", "by"))
    return (
        kind in ("", entry.kind)
        and asset in ("", entry.asset)
        and by in ("", entry.writer)
        and query.get("words", "").lower() in entry.what.lower()
    )


def _readable(entry: Row) -> Row:
    """Return an entry with the figures of a limit or a protection made readable."""
    found = _FIGURES.fullmatch(entry["what"]) if entry["kind"] in _WITH_FIGURES else None
    if found is not None:
        entry["what"] = f"{found[1]}: {say.pairs(found[2])}"
    return entry
