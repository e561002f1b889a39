"""What must be true after a run, whatever happened in it: the exchange's records are the judge."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from domain.operator.commands import fold
from domain.rules import TradingRules
from domain.trading.orders import OrderStatus, Purpose
from domain.trading.positions import ZERO, Execution, ExecutionKind, Position, Trade, book
from tests.chaos.harness.journal_view import JournalView
from tests.chaos.harness.memory import forgotten
from tests.chaos.harness.stops import levels_of, loosened, misnamed, wanted_levels

Records = Mapping[str, Any]
_CENT = Decimal("0.000001")
"""The exchange prints money with fewer digits than it has."""
CLOCK_SLACK_MS = 30_000
"""How far the system's measured clock may run ahead of the exchange's.

A fault moves the exchange's clock by 3 s; at high speed an error of a few real milliseconds is
seconds of exchange time.
"""
_OURS = re.compile(r"[A-Z0-9]+-\d+-(entry|exit|emerg|oper|naked)-\d+")
_IN_FLIGHT = Decimal("1.005")
"""A fill that is stored, but not heard of by the portfolio, cost a little more than its grant."""
_NEVER_SENT = (OrderStatus.VOID, OrderStatus.REJECTED)


def differences(
    state: Mapping[str, Any], records: Records, journal: JournalView, rules: TradingRules
) -> list[str]:
    """Return where journal and exchange differ at one moment; empty once all has settled."""
    return [
        *_unlike_executions(records, journal, rules),
        *_unlike_balance(state, journal, rules),
        *_unlike_positions(state, journal, rules),
        *_open_after_panic(journal, rules),
        *_unproven(journal),
    ]


def violations(
    records: Records, journal: JournalView, rules: TradingRules, *, unprotected_limit_ms: float
) -> list[str]:
    """Return which promises were broken in the whole run.

    Args:
        records: of the exchange.
        journal: of the system.
        rules: under which it traded.
        unprotected_limit_ms: how long a position may have stood without a stop, exchange time.
    """
    return [
        *_sent_twice(records),
        *_accepted_after_all(records, journal),
        *_without_intent_or_grant(records, journal),
        *_unprotected(records, unprotected_limit_ms),
        *loosened(records, rules),
        *misnamed(records, journal, rules),
        *_over_exposed(journal, rules),
        *_unlike_trades(journal),
        *forgotten(accepted(records), journal, rules),
    ]


def accepted(records: Records) -> Counter[str]:
    """Return how often the exchange accepted each client order id."""
    return Counter(
        row["orderLinkId"]
        for row in records["orders"]
        if row["orderLinkId"] and row["orderStatus"] != "Rejected"
    )


# At one moment.


def _unlike_executions(
    records: Records, journal: JournalView, rules: TradingRules
) -> Iterator[str]:
    assets = {asset.instrument.symbol: asset.asset for asset in rules.assets}
    booked = {execution.exec_id: execution for _, execution in journal.executions}
    if len(booked) < len(journal.executions):
        yield f"{len(journal.executions) - len(booked)} executions were booked twice"
    found = {row["execId"]: row for row in records["executions"]}
    for missing in found.keys() - booked.keys():
        yield f"execution {missing} was never booked"
    for invented in booked.keys() - found.keys():
        yield f"execution {invented} is booked, but the exchange does not know it"
    for exec_id in booked.keys() & found.keys():
        ours, row = booked[exec_id], found[exec_id]
        cost = -ours.funding if ours.kind is ExecutionKind.FUNDING else ours.fee
        same = (
            ours.asset == assets[row["symbol"]]
            and ours.qty == Decimal(row["execQty"])
            and ours.price == Decimal(row["execPrice"])
            and abs(cost - Decimal(row["execFee"])) <= _CENT
        )
        if not same:
            yield f"execution {exec_id} was booked otherwise than it happened"


def _unlike_balance(
    state: Mapping[str, Any], journal: JournalView, rules: TradingRules
) -> Iterator[str]:
    ours = rules.fills.initial_balance + sum((cash for _, cash, _ in _booked(journal)), ZERO)
    ours += sum((transfer.amount for transfer in journal.transfers), ZERO)
    theirs = Decimal(state["wallet"])
    if abs(ours - theirs) > _CENT:
        yield f"the balance is {theirs} at the exchange, {ours} in the books"


def _unlike_positions(
    state: Mapping[str, Any], journal: JournalView, rules: TradingRules
) -> Iterator[str]:
    held = {row["symbol"]: row for row in state["positions"] if Decimal(row["size"])}
    positions = _positions(journal)
    for asset in rules.assets:
        position, row = positions.get(asset.asset), held.get(asset.instrument.symbol)
        ours = ZERO if position is None else position.signed_qty
        theirs = ZERO if row is None else _signed(row)
        if ours != theirs:
            yield f"{asset.asset}: {theirs} at the exchange, {ours} in the books"
        elif position is not None and row is not None:
            wanted = wanted_levels(position, journal, rules)
            found = levels_of(row)
            if found != (wanted.stop_loss, wanted.take_profit):
                yield f"{asset.asset}: the stops stand at {found[0]} and {found[1]}"


def _open_after_panic(journal: JournalView, rules: TradingRules) -> Iterator[str]:
    commands = [command for _, command in journal.commands]
    panic = fold(commands, [asset.asset for asset in rules.assets]).panic
    for asset, position in _positions(journal).items():
        if panic is not None and position.opened_ms < panic.ts_ms - CLOCK_SLACK_MS:
            yield f"{asset} still stands after a panic"


def _unproven(journal: JournalView) -> Iterator[str]:
    for order in journal.orders.values():
        if order.is_under_way:
            yield f"{order.client_order_id} is still {order.state.status}"


# Over the whole run.


def _sent_twice(records: Records) -> Iterator[str]:
    for link_id, times in accepted(records).items():
        if times > 1:
            yield f"{link_id} was accepted {times} times"


def _accepted_after_all(records: Records, journal: JournalView) -> Iterator[str]:
    """Yield orders that were proven absent, and then came: sent by a life that was replaced."""
    for link_id in accepted(records):
        order = journal.orders.get(link_id)
        if order is not None and order.state.status in _NEVER_SENT:
            yield f"{link_id} was accepted, though it ended as {order.state.status}"


def _without_intent_or_grant(records: Records, journal: JournalView) -> Iterator[str]:
    approved = {approval.client_order_id for _, approval in journal.approvals}
    for row in records["orders"]:
        link_id = row["orderLinkId"]
        if not _OURS.fullmatch(link_id):
            continue
        order = journal.orders.get(link_id)
        if order is None:
            yield f"{link_id} was sent without an intent"
            continue
        if journal.intended_ms[link_id] > int(row["createdTime"]) + CLOCK_SLACK_MS:
            yield f"{link_id} was sent before its intent was stored"
        if order.intent.purpose is Purpose.ENTRY and link_id not in approved:
            yield f"{link_id} was sent without a grant"
        request, sent = order.intent.request, Decimal(row["qty"])
        if row["side"].upper() != request.side:
            yield f"{link_id} was sent as {row['side']}, intended {request.side}"
        # A position may shrink while its close is under way, and the exchange then cuts the close.
        is_cut = request.reduce_only and sent < request.qty
        if sent != request.qty and not is_cut:
            yield f"{link_id} was sent with {sent}, intended {request.qty}"


def _unprotected(records: Records, limit_ms: float) -> Iterator[str]:
    since: dict[str, int] = {}
    for record in records["stops"]:
        symbol, ts_ms = record["symbol"], record["ts_ms"]
        if symbol in since:
            length_ms = ts_ms - since.pop(symbol)
            if length_ms > limit_ms:
                yield f"{symbol} stood {length_ms / 1000:.0f} s without a stop"
        if Decimal(record["signed_qty"]) and record["stop_loss"] is None:
            since[symbol] = ts_ms
    for symbol in since:
        yield f"{symbol} stands without a stop"


def _over_exposed(journal: JournalView, rules: TradingRules) -> Iterator[str]:
    booked = list(_booked(journal))
    ended = {
        update.client_order_id: fact_id
        for fact_id, update in reversed(journal.updates)
        if update.status in (*_NEVER_SENT, OrderStatus.CANCELED, OrderStatus.FILLED)
    }
    for place, (fact_id, approval) in enumerate(journal.approvals):
        balance, held = rules.fills.initial_balance, dict[str, Decimal]()
        for other_id, cash, position in booked:
            if other_id < fact_id:
                balance += cash
                asset, notional = position
                held[asset] = notional
        for _, earlier in journal.approvals[:place]:
            if ended.get(earlier.client_order_id, fact_id + 1) > fact_id:
                held[earlier.asset] = max(held.get(earlier.asset, ZERO), earlier.notional)
        exposure = sum(held.values(), ZERO) + approval.notional
        if exposure > balance * rules.approval.max_total_exposure * _IN_FLIGHT:
            yield f"{approval.client_order_id} was granted at an exposure of {exposure:.0f}"
        limit, group = rules.approval.max_correlated_exposure, _group(approval.asset, rules)
        together = approval.notional + sum((held.get(one, ZERO) for one in group), ZERO)
        if limit is not None and group and together > balance * limit * _IN_FLIGHT:
            yield f"{approval.client_order_id} was granted at its group's {together:.0f}"


def _group(asset: str, rules: TradingRules) -> list[str]:
    """Return the other assets of an asset's named group; none where it has no name."""
    name = rules.asset(asset).correlation_group
    others = (other for other in rules.assets if other.asset != asset)
    return [other.asset for other in others if name and other.correlation_group == name]


def _unlike_trades(journal: JournalView) -> Iterator[str]:
    made: list[Trade] = []
    positions: dict[str, Position | None] = {}
    for _, execution in journal.executions:
        booked = book(positions.get(execution.asset), execution)
        positions[execution.asset] = booked.position
        made += [booked.trade] if booked.trade is not None else []
    if made != journal.trades:
        yield f"{len(journal.trades)} trades are stored, the executions make {len(made)}"


# The journal's executions, folded.


def _booked(journal: JournalView) -> Iterable[tuple[int, Decimal, tuple[str, Decimal]]]:
    """Yield of each execution its fact id, its cash, and the notional that its asset then has."""
    positions: dict[str, Position | None] = {}
    for fact_id, execution in journal.executions:
        booked = book(positions.get(execution.asset), execution)
        positions[execution.asset] = booked.position
        notional = ZERO if booked.position is None else booked.position.notional
        yield fact_id, booked.cash, (execution.asset, notional)


def _positions(journal: JournalView) -> dict[str, Position]:
    positions: dict[str, Position | None] = {}
    for _, execution in journal.executions:
        positions[execution.asset] = _after(positions.get(execution.asset), execution)
    return {asset: position for asset, position in positions.items() if position is not None}


def _after(position: Position | None, execution: Execution) -> Position | None:
    return book(position, execution).position


def _signed(row: Mapping[str, Any]) -> Decimal:
    size = Decimal(row["size"])
    return size if row["side"] == "Buy" else -size
