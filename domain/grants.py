"""Which wishes to enter are granted, decided over all of them at once (strategy section 7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.decisions import EntryWish, Grant, Refusal, RefusalReason, Report
from domain.market import exact
from domain.rules import AssetRules, TradingRules
from domain.sizing import order_qty, target_notional, volatility_multiplier

Correlate = Callable[[str, str], float | None]
Blocked = tuple[RefusalReason, str]
"""Why a wish is refused, with the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The one picture on which all wishes of a close are decided."""

    t_ms: int
    balance: Decimal
    notionals: Mapping[str, Decimal]
    """Entry notional of each open position, and of each grant still under way."""
    size_multiplier: Decimal
    protection_epoch: int
    blocked: Blocked | None
    """Why nothing at all is granted, with its figures."""
    suspended: frozenset[str]
    """Assets that get no new positions because one of their actors was given up."""
    correlate: Correlate


def decide_wishes(
    reports: Sequence[Report], picture: Picture, rules: TradingRules
) -> tuple[tuple[Grant, ...], tuple[Refusal, ...]]:
    """Return the grants and refusals of one close, in the order in which they were judged.

    Args:
        reports: of one close, in any order.
        picture: as it stood after the exchange's own fills inside the candle.
        rules: the limits.
    """
    grants: list[Grant] = []
    refusals: list[Refusal] = []
    for report, wish in _in_order(reports, rules):
        answer = _decide(report, wish, grants, picture, rules)
        if isinstance(answer, Grant):
            grants.append(answer)
        else:
            refusals.append(answer)
    return tuple(grants), tuple(refusals)


def _in_order(reports: Sequence[Report], rules: TradingRules) -> list[tuple[Report, EntryWish]]:
    wishing = [(report, report.wish) for report in reports if report.wish is not None]

    def rank(pair: tuple[Report, EntryWish]) -> tuple[float, int, float, int]:
        report, wish = pair
        place = rules.order_of(report.asset)
        return (-wish.volatility, -wish.cross_ms, -wish.regime_strength, place)

    return sorted(wishing, key=rank)


def _decide(
    report: Report,
    wish: EntryWish,
    grants: Sequence[Grant],
    picture: Picture,
    rules: TradingRules,
) -> Grant | Refusal:
    held = {**picture.notionals, **{grant.asset: grant.notional for grant in grants}}
    asset = rules.asset(report.asset)
    multiplier = picture.size_multiplier * volatility_multiplier(wish.volatility, rules.risk)
    target = target_notional(picture.balance, asset, multiplier)
    refused = (
        picture.blocked
        or _suspended(report.asset, picture)
        or _too_many(report.asset, held, len(grants), rules)
        or _too_correlated(report.asset, held, picture.correlate, rules)
        or _group_too_large(report.asset, held, target, picture, rules)
    )
    if refused is None:
        capacity = picture.balance * rules.grant.max_total_exposure - sum(held.values())
        sized = _size(target, capacity, report, asset, rules)
        if isinstance(sized, Decimal):
            return _grant(report, wish, sized, picture)
        refused = sized
    reason, figures = refused
    return Refusal(
        asset=report.asset,
        t_ms=report.t_ms,
        reason=reason,
        cross_ms=wish.cross_ms,
        figures=figures,
    )


def _grant(report: Report, wish: EntryWish, qty: Decimal, picture: Picture) -> Grant:
    return Grant(
        asset=report.asset,
        t_ms=report.t_ms,
        qty=qty,
        price=exact(report.close),
        cross_ms=wish.cross_ms,
        protection_epoch=picture.protection_epoch,
        crosses=wish.crosses,
        ema_short=report.ema_short,
        ema_long=report.ema_long,
    )


def _suspended(asset: str, picture: Picture) -> Blocked | None:
    if asset not in picture.suspended:
        return None
    return RefusalReason.MALFUNCTION, f"suspended={asset}"


def _too_many(
    asset: str, held: Mapping[str, Decimal], granted: int, rules: TradingRules
) -> Blocked | None:
    limits = rules.grant
    if asset in held:
        return RefusalReason.MAX_POSITIONS, f"already_held={asset}"
    if len(held) >= limits.max_positions:
        return RefusalReason.MAX_POSITIONS, f"positions={len(held)} limit={limits.max_positions}"
    if granted >= limits.max_simultaneous_entries:
        limit = limits.max_simultaneous_entries
        return RefusalReason.MAX_SIMULTANEOUS, f"granted={granted} limit={limit}"
    return None


def _too_correlated(
    asset: str, held: Mapping[str, Decimal], correlate: Correlate, rules: TradingRules
) -> Blocked | None:
    for other in held:
        found = correlate(asset, other)
        if found is not None and found > rules.grant.correlation_limit:
            figures = f"with={other} correlation={found:.4f} limit={rules.grant.correlation_limit}"
            return RefusalReason.CORRELATION, figures
    return None


def _group_too_large(
    asset: str,
    held: Mapping[str, Decimal],
    target: Decimal,
    picture: Picture,
    rules: TradingRules,
) -> Blocked | None:
    if rules.grant.max_correlated_exposure is None:
        return None
    cap = picture.balance * rules.grant.max_correlated_exposure
    group = sum(
        (
            notional
            for other, notional in held.items()
            if (picture.correlate(asset, other) or 0.0) > rules.grant.correlation_group_threshold
        ),
        Decimal(0),
    )
    if group + target <= cap:
        return None
    return RefusalReason.GROUP, f"group={group:f} target={target:f} cap={cap:f}"


def _size(
    target: Decimal, capacity: Decimal, report: Report, asset: AssetRules, rules: TradingRules
) -> Decimal | Blocked:
    figures = f"target={target:f} capacity={capacity:f}"
    notional = min(target, capacity)
    if notional < rules.grant.min_entry_fraction * target:
        return RefusalReason.EXPOSURE, figures
    qty = order_qty(notional, exact(report.close), asset.instrument)
    if qty is None:
        return RefusalReason.SIZE, f"notional={notional:f} price={report.close}"
    return qty
