"""Which wishes to enter are granted, decided over all of them at once (strategy section 7)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.facts import Order
from domain.market.instruments import exact
from domain.rules import AssetRules, TradingRules
from domain.trading.decisions import EntryWish, Grant, Refusal, RefusalReason, Report
from domain.trading.sizing import order_qty, target_notional, volatility_multiplier

Correlate = Callable[[str, str], float | None]
Blocked = tuple[RefusalReason, str]
"""A limit, and its figures for one wish."""


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
    kept: Callable[[], Sequence[Blocked]]
    """Returns the limits of the whole portfolio that are kept, with their figures."""
    suspended: frozenset[str]
    """Assets that get no new positions because one of their actors was given up."""
    paused: frozenset[str] = frozenset()
    """Assets that get none because the operator said so."""
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
    kept: list[Blocked] = []
    refused = (
        picture.blocked
        or _paused(report.asset, picture, kept)
        or _suspended(report.asset, picture, kept)
        or _too_many(report.asset, held, len(grants), rules, kept)
        or _too_correlated(report.asset, held, picture.correlate, rules, kept)
        or _group_too_large(report.asset, held, target, picture, rules, kept)
    )
    if refused is None:
        capacity = picture.balance * rules.grant.max_total_exposure - sum(held.values())
        sized = _size(target, capacity, report, asset, rules, kept)
        if isinstance(sized, Decimal):
            return _grant(report, wish, sized, picture, kept)
        refused = sized
    reason, figures = refused
    return Refusal(
        asset=report.asset,
        t_ms=report.t_ms,
        reason=reason,
        cross_ms=wish.cross_ms,
        figures=figures,
        judged=_lines([] if picture.blocked else [*picture.kept(), *kept]),
    )


def _grant(
    report: Report, wish: EntryWish, qty: Decimal, picture: Picture, kept: Sequence[Blocked]
) -> Grant:
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
        judged=_lines([*picture.kept(), *kept]),
    )


def _lines(kept: Iterable[Blocked]) -> str:
    return "\n".join(f"{limit} {figures}" for limit, figures in kept)


def _paused(asset: str, picture: Picture, kept: list[Blocked]) -> Blocked | None:
    if asset not in picture.paused:
        if picture.paused:
            kept.append((RefusalReason.PAUSED, f"paused={len(picture.paused)} others"))
        return None
    return RefusalReason.PAUSED, f"paused={asset}"


def _suspended(asset: str, picture: Picture, kept: list[Blocked]) -> Blocked | None:
    if asset not in picture.suspended:
        kept.append((RefusalReason.MALFUNCTION, f"suspended={len(picture.suspended)} others"))
        return None
    return RefusalReason.MALFUNCTION, f"suspended={asset}"


def _too_many(
    asset: str,
    held: Mapping[str, Decimal],
    granted: int,
    rules: TradingRules,
    kept: list[Blocked],
) -> Blocked | None:
    limits = rules.grant
    if asset in held:
        return RefusalReason.MAX_POSITIONS, f"already_held={asset}"
    positions = RefusalReason.MAX_POSITIONS, f"positions={len(held)} limit={limits.max_positions}"
    if len(held) >= limits.max_positions:
        return positions
    limit = limits.max_simultaneous_entries
    simultaneous = RefusalReason.MAX_SIMULTANEOUS, f"granted={granted} limit={limit}"
    if granted >= limit:
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
    limit = rules.grant.correlation_limit
    for other in held:
        found = correlate(asset, other)
        value = "unknown" if found is None else f"{found:.4f}"
        judged = RefusalReason.CORRELATION, f"with={other} correlation={value} limit={limit}"
        if found is not None and found > limit:
            return judged
        kept.append(judged)
    return None


def _group_too_large(
    asset: str,
    held: Mapping[str, Decimal],
    target: Decimal,
    picture: Picture,
    rules: TradingRules,
    kept: list[Blocked],
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
    judged = RefusalReason.GROUP, f"group={group:f} target={target:f} cap={cap:f}"
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
    exposure = RefusalReason.EXPOSURE, f"target={target:f} capacity={capacity:f}"
    notional = min(target, capacity)
    if notional < rules.grant.min_entry_fraction * target:
        return exposure
    size = RefusalReason.SIZE, f"notional={notional:f} price={report.close}"
    qty = order_qty(notional, exact(report.close), asset.instrument)
    if qty is None:
        return size
    kept += [exposure, size]
    return qty


def is_on_its_way(grant: Grant, orders: Iterable[Order]) -> bool:
    """Tell whether a grant of which no fill is booked yet may still bring one.

    An order that ended with a fill is on its way until that is booked: its news may come first.

    Args:
        grant: of one asset.
        orders: of that asset.
    """
    mine = (order for order in orders if order.client_order_id == grant.client_order_id)
    return all(order.is_under_way or order.state.filled_qty for order in mine)
