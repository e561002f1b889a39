"""The limits of entries that the present portfolio breaks (section 7; multi-pair 6.1 to 6.4).

An entry that would break one is denied, but a portfolio may come to break one: its balance falls,
correlations rise, settings change, or someone trades by hand.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from domain.market.instruments import exact
from domain.portfolio.groups import (
    Held,
    deployed_of,
    group_of,
    largest_deployed,
    signed,
)
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules
from domain.trading.decisions import DenialReason
from domain.trading.orders import ExitReason
from domain.trading.positions import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One limit that is broken, with its figures: counts, quote amounts, or correlations."""

    limit: DenialReason | ExitReason
    """CAPITAL_LOSS is the only one that no denial names."""
    about: str
    """Asset, pair or group; empty: the whole portfolio."""
    now: Decimal
    allowed: Decimal


def violations(found: PortfolioSnapshot, rules: TradingRules) -> list[Violation]:
    """Return all limits that a snapshot breaks, in the order in which entries are judged."""
    return [
        Violation(limit=limit, about=about, now=now, allowed=allowed)
        for limit, about, now, allowed, is_broken in _judged(found, rules)
        if is_broken
    ]


_Judged = tuple[DenialReason | ExitReason, str, Decimal, Decimal, bool]


def _judged(found: PortfolioSnapshot, rules: TradingRules) -> Iterator[_Judged]:
    held = _held(found)
    limits, balance = rules.approval, found.capital
    now, allowed = Decimal(len(held)), Decimal(limits.max_positions)
    yield DenialReason.MAX_POSITIONS, "", now, allowed, now > allowed
    yield from _correlations(held, rules, _correlate(found))
    if limits.max_position_size is not None:
        allowed = balance * limits.max_position_size
        for asset, one in held.items():
            now = deployed_of(asset, one.notional, rules)
            yield DenialReason.POSITION_SIZE, asset, now, allowed, now > allowed
    yield from _groups(held, balance, rules, _correlate(found))
    now, allowed = found.exposure, balance * limits.max_total_exposure
    yield DenialReason.EXPOSURE, "", now, allowed, now > allowed
    loss = rules.protection.capital_loss_fraction
    if loss is not None and found.entry_capital:
        now, allowed = found.equity, found.entry_capital * (1 - loss)
        yield ExitReason.CAPITAL_LOSS, "", now, allowed, now <= allowed


def open_groups(found: PortfolioSnapshot, rules: TradingRules) -> dict[str, dict[str, Held]]:
    """Return the open positions of each group that has any; see `groups`."""
    return groups(_held(found), rules, _correlate(found))


def _held(found: PortfolioSnapshot) -> dict[str, Held]:
    return {asset: Held(side=p.side, notional=p.notional) for asset, p in found.positions.items()}


def _correlate(found: PortfolioSnapshot) -> Callable[[str, str], float | None]:
    return lambda left, right: found.correlations.get((left, right))


def _correlations(
    held: Mapping[str, Held],
    rules: TradingRules,
    correlate: Callable[[str, str], float | None],
) -> Iterator[_Judged]:
    limit = rules.approval.correlation_limit
    if limit is None:
        return
    for left, right in combinations(held, 2):
        now = signed(correlate(left, right), held[left].side, held[right].side)
        if now is not None:
            about = f"{left} with {right}"
            yield DenialReason.CORRELATION, about, exact(now), exact(limit), now > limit


def _groups(
    held: Mapping[str, Held],
    balance: Decimal,
    rules: TradingRules,
    correlate: Callable[[str, str], float | None],
) -> Iterator[_Judged]:
    limits = rules.approval
    for name, group in groups(held, rules, correlate).items():
        if limits.max_correlated_exposure is not None:
            now = sum((one.notional for one in group.values()), ZERO)
            allowed = balance * limits.max_correlated_exposure
            yield DenialReason.GROUP, name, now, allowed, now > allowed
        if limits.max_concentration is not None:
            now = largest_deployed(group, limits.concentration_top_n, rules)
            allowed = balance * limits.max_concentration
            yield DenialReason.CONCENTRATION, name, now, allowed, now > allowed


def groups(
    held: Mapping[str, Held],
    rules: TradingRules,
    correlate: Callable[[str, str], float | None],
) -> dict[str, dict[str, Held]]:
    """Return the open positions of each named group, and of each other asset's measured group."""
    found: dict[str, dict[str, Held]] = {}
    for asset, one in held.items():
        name = rules.asset(asset).correlation_group or f"with {asset}"
        if name not in found:
            found[name] = {asset: one, **group_of(asset, one.side, held, rules, correlate)}
    return found
