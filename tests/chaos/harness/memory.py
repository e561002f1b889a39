"""What no death of the process may make the system forget, told from what it then did."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from domain.operator.commands import CommandName, OperatorCommand, OperatorState, fold
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from domain.trading.cooldowns import AssetCooldown
from domain.trading.orders import Purpose
from domain.trading.positions import Trade
from tests.chaos.harness.journal_view import JournalView


def forgotten(
    accepted: Collection[str], journal: JournalView, rules: TradingRules
) -> Iterator[str]:
    """Yield what was done against what had been decided or commanded before.

    Args:
        accepted: client order ids that the exchange took.
        journal: of the system.
        rules: under which it traded.
    """
    yield from _crosses_used_twice(journal)
    yield from _forgotten_protection(journal)
    yield from _forgotten_cooldowns(journal, rules)
    yield from _barred_entries(accepted, journal, rules)


def _crosses_used_twice(journal: JournalView) -> Iterator[str]:
    used = Counter(
        (order.intent.request.asset, order.intent.signal_ms)
        for order in journal.orders.values()
        if order.intent.purpose is Purpose.ENTRY and order.state.filled_qty
    )
    for (asset, signal_ms), times in used.items():
        if times > 1:
            yield f"{asset}: the cross of {signal_ms} was used {times} times"


def _forgotten_protection(journal: JournalView) -> Iterator[str]:
    rearmed = [
        fact_id
        for fact_id, command in journal.commands
        if command.command == CommandName.REARM and command.is_done
    ]
    for (before_id, before), (after_id, after) in pairwise(journal.samples):
        if after.epoch < before.epoch:
            yield f"the protection epoch fell from {before.epoch} to {after.epoch}"
        if after.day < before.day:
            yield f"day {after.day} followed day {before.day}"
        if after.day == before.day and after.day_start_equity != before.day_start_equity:
            yield f"the start of day {after.day} changed"
        if after.cooldown_end_ms < before.cooldown_end_ms:
            yield "a cooldown of the portfolio was forgotten"
        if any(before_id < fact_id < after_id for fact_id in rearmed):
            continue  # a new peak, and no halt
        if after.peak_equity < before.peak_equity:
            yield f"the peak fell from {before.peak_equity} to {after.peak_equity}"
        if before.is_halted and not after.is_halted:
            yield "a halt was forgotten"


def _forgotten_cooldowns(journal: JournalView, rules: TradingRules) -> Iterator[str]:
    trades: dict[str, list[Trade]] = defaultdict(list)
    for trade in journal.trades:
        trades[trade.asset].append(trade)
    for _, approval in journal.approvals:
        cooldown = AssetCooldown(rules.cooldown)
        for trade in trades[approval.asset]:
            if trade.exit_ms < approval.t_ms - rules.candles.candle_ms:
                cooldown.apply(trade)
        if cooldown.is_active(approval.t_ms):
            yield f"{approval.client_order_id} was granted in a cooldown"


def _barred_entries(
    accepted: Collection[str], journal: JournalView, rules: TradingRules
) -> Iterator[str]:
    """Yield entries that were accepted though their intent came after what forbade them."""
    assets = [asset.asset for asset in rules.assets]
    intents = [
        (fact_id, journal.orders[order_id].intent)
        for order_id, fact_id in journal.intended_at.items()
        if order_id in accepted and journal.orders[order_id].intent.purpose is Purpose.ENTRY
    ]
    for fact_id, intent in intents:
        order_id, asset = intent.request.client_order_id, intent.request.asset
        commanded = _commanded(fact_id, journal.commands, assets)
        if commanded.panic is not None:
            yield f"{order_id} was sent during a panic"
        if asset in commanded.paused:
            yield f"{order_id} was sent during a pause"
        state = _before(fact_id, journal.samples)
        if state is not None and state.is_halted:
            yield f"{order_id} was sent during a halt"
        if state is not None and (intent.protection_epoch or 0) < state.epoch:
            yield f"{order_id} was sent in epoch {state.epoch}, granted in an older one"
    for fact_id, approval in journal.approvals:
        state = _before(fact_id, journal.samples)
        if state is not None and approval.t_ms < state.cooldown_end_ms:
            yield f"{approval.client_order_id} was granted in a cooldown of the portfolio"


def _before(fact_id: int, samples: list[tuple[int, ProtectionState]]) -> ProtectionState | None:
    return next((state for other, state in reversed(samples) if other < fact_id), None)


def _commanded(
    fact_id: int, commands: Iterable[tuple[int, OperatorCommand]], assets: Sequence[str]
) -> OperatorState:
    return fold((command for other, command in commands if other < fact_id), assets)
