"""Which wishes to enter are granted, decided over all of them at once (strategy section 7)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.facts import Order
from domain.market.instruments import exact
from domain.rules import AssetRules, TradingRules
from domain.trading.decisions import Approval, Denial, DenialReason, EntrySignal, Report
from domain.trading.sizing import order_qty, target_notional, volatility_multiplier

Correlate = Callable[[str, str], float | None]
Blocked = tuple[DenialReason, str]
"""A limit, and its figures for one wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSnapshot:
    """The one picture on which all wishes of a close are decided."""

    t_ms: int
    balance: Decimal
    notionals: Mapping[str, Decimal]
    """Entry notional of each open position, and of each grant still under way."""
    size_multiplier: Decimal
    protection_epoch: int
    blocked: Blocked | None
    """Why nothing at all is granted, with its figures."""
    kept: Callable[[], Sequence[Blocked]]
    """Returns the limits of the whole portfolio that are kept, with their figures."""
    suspended: frozenset[str]
    """Assets that get no new positions because one of their actors was given up."""
    paused: frozenset[str] = frozenset()
    """Assets that get none because the operator said so."""
    correlate: Correlate


def decide_entries(
    reports: Sequence[Report], snapshot: RiskSnapshot, rules: TradingRules
) -> tuple[tuple[Approval, ...], tuple[Denial, ...]]:
    """Return the grants and refusals of one close, in the order in which they were judged.

    Args:
        reports: of one close, in any order.
        snapshot: as it stood after the exchange's own fills inside the candle.
        rules: the limits.
    """
    approvals: list[Approval] = []
    denials: list[Denial] = []
    for report, signal in _in_order(reports, rules):
        answer = _decide(report, signal, approvals, snapshot, rules)
        if isinstance(answer, Approval):
            approvals.append(answer)
        else:
            denials.append(answer)
    return tuple(approvals), tuple(denials)


def _in_order(reports: Sequence[Report], rules: TradingRules) -> list[tuple[Report, EntrySignal]]:
    signaling = [(report, report.signal) for report in reports if report.signal is not None]

    def rank(pair: tuple[Report, EntrySignal]) -> tuple[float, int, float, int]:
        report, signal = pair
        place = rules.order_of(report.asset)
        return (-signal.volatility, -signal.signal_ms, -signal.regime_strength, place)

    return sorted(signaling, key=rank)


def _decide(
    report: Report,
    signal: EntrySignal,
    approvals: Sequence[Approval],
    snapshot: RiskSnapshot,
    rules: TradingRules,
) -> Approval | Denial:
    held = {**snapshot.notionals, **{approval.asset: approval.notional for approval in approvals}}
    asset = rules.asset(report.asset)
    multiplier = snapshot.size_multiplier * volatility_multiplier(signal.volatility, rules.risk)
    target = target_notional(snapshot.balance, asset, multiplier)
    kept: list[Blocked] = []
    denied = (
        snapshot.blocked
        or _paused(report.asset, snapshot, kept)
        or _suspended(report.asset, snapshot, kept)
        or _too_many(report.asset, held, len(approvals), rules, kept)
        or _too_correlated(report.asset, held, snapshot.correlate, rules, kept)
        or _group_too_large(report.asset, held, target, snapshot, rules, kept)
    )
    if denied is None:
        capacity = snapshot.balance * rules.approval.max_total_exposure - sum(held.values())
        sized = _size(target, capacity, report, asset, rules, kept)
        if isinstance(sized, Decimal):
            return _approve(report, signal, sized, snapshot, kept)
        denied = sized
    reason, figures = denied
    return Denial(
        asset=report.asset,
        t_ms=report.t_ms,
        reason=reason,
        signal_ms=signal.signal_ms,
        figures=figures,
        judged=_lines([] if snapshot.blocked else [*snapshot.kept(), *kept]),
    )


def _approve(
    report: Report,
    signal: EntrySignal,
    qty: Decimal,
    snapshot: RiskSnapshot,
    kept: Sequence[Blocked],
) -> Approval:
    return Approval(
        asset=report.asset,
        t_ms=report.t_ms,
        qty=qty,
        price=exact(report.close),
        signal_ms=signal.signal_ms,
        protection_epoch=snapshot.protection_epoch,
        crosses=signal.crosses,
        ema_short=report.ema_short,
        ema_long=report.ema_long,
        judged=_lines([*snapshot.kept(), *kept]),
    )


def _lines(kept: Iterable[Blocked]) -> str:
    return "\n".join(f"{limit} {figures}" for limit, figures in kept)


def _paused(asset: str, snapshot: RiskSnapshot, kept: list[Blocked]) -> Blocked | None:
    if asset not in snapshot.paused:
        if snapshot.paused:
            kept.append((DenialReason.PAUSED, f"paused={len(snapshot.paused)} others"))
        return None
    return DenialReason.PAUSED, f"paused={asset}"


def _suspended(asset: str, snapshot: RiskSnapshot, kept: list[Blocked]) -> Blocked | None:
    if asset not in snapshot.suspended:
        kept.append((DenialReason.MALFUNCTION, f"suspended={len(snapshot.suspended)} others"))
        return None
    return DenialReason.MALFUNCTION, f"suspended={asset}"


def _too_many(
    asset: str,
    held: Mapping[str, Decimal],
    approved: int,
    rules: TradingRules,
    kept: list[Blocked],
) -> Blocked | None:
    limits = rules.approval
    if asset in held:
        return DenialReason.MAX_POSITIONS, f"already_held={asset}"
    positions = DenialReason.MAX_POSITIONS, f"positions={len(held)} limit={limits.max_positions}"
    if len(held) >= limits.max_positions:
        return positions
    limit = limits.max_simultaneous_entries
    simultaneous = DenialReason.MAX_SIMULTANEOUS, f"granted={approved} limit={limit}"
    if approved >= limit:
        return simultaneous
    kept += [positions, simultaneous]
    return None


def _too_correlated(
    asset: str,
    held: Mapping[str, Decimal],
    correlate: Correlate,
    rules: TradingRules,
    kept: list[Blocked],
) -> Blocked | None:
    limit = rules.approval.correlation_limit
    for other in held:
        found = correlate(asset, other)
        value = "unknown" if found is None else f"{found:.4f}"
        judged = DenialReason.CORRELATION, f"with={other} correlation={value} limit={limit}"
        if found is not None and found > limit:
            return judged
        kept.append(judged)
    return None


def _group_too_large(
    asset: str,
    held: Mapping[str, Decimal],
    target: Decimal,
    snapshot: RiskSnapshot,
    rules: TradingRules,
    kept: list[Blocked],
) -> Blocked | None:
    if rules.approval.max_correlated_exposure is None:
        return None
    cap = snapshot.balance * rules.approval.max_correlated_exposure
    group = sum(
        (
            notional
            for other, notional in held.items()
            if (snapshot.correlate(asset, other) or 0.0)
            > rules.approval.correlation_group_threshold
        ),
        Decimal(0),
    )
    judged = DenialReason.GROUP, f"group={group:f} target={target:f} cap={cap:f}"
    if group + target > cap:
        return judged
    kept.append(judged)
    return None


def _size(
    target: Decimal,
    capacity: Decimal,
    report: Report,
    asset: AssetRules,
    rules: TradingRules,
    kept: list[Blocked],
) -> Decimal | Blocked:
    exposure = DenialReason.EXPOSURE, f"target={target:f} capacity={capacity:f}"
    notional = min(target, capacity)
    if notional < rules.approval.min_entry_fraction * target:
        return exposure
    size = DenialReason.SIZE, f"notional={notional:f} price={report.close}"
    qty = order_qty(notional, exact(report.close), asset.instrument)
    if qty is None:
        return size
    kept += [exposure, size]
    return qty


def is_on_its_way(approval: Approval, orders: Iterable[Order]) -> bool:
    """Tell whether a grant of which no fill is booked yet may still bring one.

    An order that ended with a fill is on its way until that is booked: its news may come first.

    Args:
        approval: of one asset.
        orders: of that asset.
    """
    mine = (order for order in orders if order.client_order_id == approval.client_order_id)
    return all(order.is_under_way or order.state.filled_qty for order in mine)
