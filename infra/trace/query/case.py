"""The facts of one entry signal: the answer to it, its orders, and the resulting trade."""

from dataclasses import dataclass

from domain.errors import ConfigError
from domain.trading.decisions import Approval, Denial
from domain.trading.orders import Purpose
from domain.trading.positions import Execution, ExecutionKind, Trade
from domain.trading.trailing import StopMoved
from infra.process.times import read_time
from infra.store.reader import FactReader, Source, StoredOrder

_OPEN_END_MS = 1 << 60
"""Of a position that is still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All facts of one entry signal and what came of it."""

    asset: str
    t_ms: int
    answer: Approval | Denial | None
    entry: StoredOrder | None
    exits: list[StoredOrder]
    trade: Trade | None
    by_exchange: list[Execution]
    """The part that the exchange itself closed, by a stop or a liquidation."""
    moves: list[tuple[Source, StopMoved]]
    """Moves of its stop, oldest first; a confirmed move appears a second time."""

    @property
    def end_ms(self) -> int:
        """Time of its last event."""
        executions = [e for order in (self.entry, *self.exits) if order for e in order.executions]
        if self.trade is not None:
            return max([self.trade.exit_ms, *(e.ts_ms for e in executions)])
        return _OPEN_END_MS if executions else self.t_ms


def case_of(wanted: str, facts: FactReader) -> Case | None:
    """Return the case of an order, a signal, trade/N or ASSET@ISO; None if there is none."""
    orders = facts.orders()
    answers: dict[str, Approval | Denial] = {r.client_order_id: r for _, r in facts.denials()}
    answers |= {approval.client_order_id: approval for _, approval in facts.approvals()}
    by_id = {order.client_order_id: order for order in orders}
    trades = facts.trades()
    order = by_id.get(wanted)
    trade = next((t for number, t in trades if wanted == f"trade/{number}"), None)
    trade = trade or _trade_at(wanted, [t for _, t in trades])
    if order is not None and order.intent.purpose is not Purpose.ENTRY:
        ids = {e.ts_ms for e in order.executions}
        trade = next((t for _, t in trades if t.asset == _asset(order) and t.exit_ms in ids), None)
        entry = _entry_before(order, orders) if trade is None else None
        order = entry
    if trade is not None:
        order = next(
            (
                o
                for o in orders
                if _asset(o) == trade.asset
                and o.intent.purpose is Purpose.ENTRY
                and any(e.ts_ms == trade.entry_ms for e in o.executions)
            ),
            None,
        )
    answer = answers.get(wanted) if order is None else answers.get(order.client_order_id)
    if order is None and answer is None:
        return None
    asset, t_ms = _subject(order, answer)
    if trade is None and order is not None and order.executions:
        opened_ms = order.executions[0].ts_ms
        trade = next((t for _, t in trades if t.asset == asset and t.entry_ms == opened_ms), None)
    return Case(
        asset=asset,
        t_ms=t_ms,
        answer=answer,
        entry=order,
        exits=_exits(order, orders, trade),
        trade=trade,
        by_exchange=[] if trade is None else _by_exchange(trade, facts.executions()),
        moves=_moves(asset, order, facts),
    )


def _moves(
    asset: str, entry: StoredOrder | None, facts: FactReader
) -> list[tuple[Source, StopMoved]]:
    if entry is None or not entry.executions:
        return []
    opened_ms = entry.executions[0].ts_ms
    return [
        (source, moved)
        for source, moved in facts.stop_moves()
        if (moved.asset, moved.opened_ms) == (asset, opened_ms)
    ]


def _by_exchange(trade: Trade, executions: list[Execution]) -> list[Execution]:
    return [
        one
        for one in executions
        if one.asset == trade.asset
        and one.client_order_id is None
        and one.kind is ExecutionKind.TRADE
        and trade.entry_ms <= one.ts_ms <= trade.exit_ms
    ]


def _trade_at(wanted: str, trades: list[Trade]) -> Trade | None:
    """Return the trade of ASSET@ISO: the one open, or closed, at that second."""
    asset, at, text = wanted.partition("@")
    if not at:
        return None
    second = read_time(f"{asset}@", text) // 1000
    for trade in trades:
        if trade.asset == asset and trade.entry_ms // 1000 <= second <= trade.exit_ms // 1000:
            return trade
    return None


def _asset(order: StoredOrder) -> str:
    return order.intent.request.asset


def _subject(order: StoredOrder | None, answer: Approval | Denial | None) -> tuple[str, int]:
    if order is not None:
        return _asset(order), order.intent.decided_ms
    if answer is None:
        raise ConfigError("neither an order nor an answer")
    return answer.asset, answer.t_ms


def _entry_before(order: StoredOrder, orders: list[StoredOrder]) -> StoredOrder | None:
    return next(
        (
            o
            for o in reversed(orders)
            if _asset(o) == _asset(order)
            and o.intent.purpose is Purpose.ENTRY
            and o.source.fact_id < order.source.fact_id
            and o.executions
        ),
        None,
    )


def _exits(
    entry: StoredOrder | None, orders: list[StoredOrder], trade: Trade | None
) -> list[StoredOrder]:
    if entry is None or not entry.executions:
        return []
    begin_ms = entry.executions[0].ts_ms
    end_ms = begin_ms if trade is None else trade.exit_ms
    later = (o for o in orders if o.source.fact_id > entry.source.fact_id)
    mine = [o for o in later if _asset(o) == _asset(entry)]
    following = next((o for o in mine if o.intent.purpose is Purpose.ENTRY and o.executions), None)
    return [
        o
        for o in mine
        if o.intent.purpose is not Purpose.ENTRY
        and (following is None or o.source.fact_id < following.source.fact_id)
        and (trade is None or o.intent.decided_ms <= end_ms)
    ]
