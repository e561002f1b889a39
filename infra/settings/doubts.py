"""Settings that are valid, but hardly do what was intended."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from infra.settings.fields import flag
from infra.settings.merged import Facts, UnjudgedError
from infra.settings.problems import Key

_LIMITS_ORDER: tuple[tuple[Key, Key], ...] = (
    (("risk", "drawdown_levels", 1), ("risk", "max_portfolio_drawdown_pct")),
    (("risk", "drawdown_restore_pct"), ("risk", "drawdown_levels", 0)),
    (("risk", "drawdown_rearm_pct"), ("risk", "drawdown_levels", 1)),
)
"""Pairs whose first value should be smaller."""

_WARMUP: Key = ("strategy", "warmup_candles")
_TREND_PERIODS = (
    "ema_trigger_period",
    "ema_trend_period",
    "macd_slow_period",
    "macd_signal_period",
    "rsi_period",
)


def doubts(facts: Facts) -> list[str]:
    """Return a line for each such setting of valid settings."""
    found: dict[str, None] = {}
    for check in _CHECKS:
        with suppress(UnjudgedError):
            found |= dict.fromkeys(check(facts))
    for asset in facts.enabled_assets():
        for check_asset in _OF_AN_ASSET:
            with suppress(UnjudgedError):
                found |= dict.fromkeys(check_asset(facts, asset))
    return list(found)


def _order(facts: Facts) -> Iterator[str]:
    for small, large in _LIMITS_ORDER:
        with suppress(UnjudgedError):
            if facts.number(small) >= facts.number(large):
                yield _line(facts, small, f"below {facts.named(large)}")


def _warm_up(facts: Facts) -> Iterator[str]:
    key: Key = ("strategy", "ema_long_period")
    if facts.may_trade(EMA_CROSS_SHORT) and facts.number(key) > facts.number(_WARMUP):
        yield _line(facts, key, f"at most {facts.named(_WARMUP)}")


def _warm_up_of_trend(facts: Facts, asset: Key) -> Iterator[str]:
    for name in _TREND_PERIODS if facts.strategy(asset) == CONFIRMED_TREND_LONG else ():
        period = facts.effective(asset, name)
        if period.value is not None and period.value > facts.number(_WARMUP):
            yield _line(facts, period.key, f"at most {facts.named(_WARMUP)}")


def _volatility_warm_up(facts: Facts) -> Iterator[str]:
    window: Key = ("strategy", "volatility_window")
    if facts.number(window) + 1 > facts.number(_WARMUP):
        yield _line(facts, window, f"below {facts.named(_WARMUP)}")


def _entry_fits_limits(facts: Facts, asset: Key) -> Iterator[str]:
    share, leverage = facts.effective(asset, "allocation_pct"), facts.effective(asset, "leverage")
    least = facts.number(("portfolio", "min_entry_fraction"))
    if share.value is None or leverage.value is None:
        return
    notional = share.value * leverage.value * least
    why = f"else {share.named} and {leverage.named} never enter at full size"
    for name, needed in (
        ("max_total_exposure_pct", notional),
        ("max_correlated_exposure_pct", notional),
        ("max_concentration_pct", share.value * least),
    ):
        with suppress(UnjudgedError):
            limit: Key = ("portfolio", name)
            if facts.optional(limit) is not None and needed > facts.number(limit):
                yield _line(facts, limit, f"at least {needed:f}, {why}")


def _allocation_fits_size(facts: Facts, asset: Key) -> Iterator[str]:
    limit: Key = ("portfolio", "max_position_size_pct")
    # Sizing by volatility can make an entry smaller than its share, and then it fits.
    if facts.optional(limit) is None or flag(facts.text(("risk", "volatility_sizing"))):
        return
    share = facts.effective(asset, "allocation_pct")
    if share.value is not None and share.value > facts.number(limit):
        why = f"else {share.named} never enters at full size"
        yield _line(facts, limit, f"at least {share.value}, {why}")


def _group_has_a_cap(facts: Facts, asset: Key) -> Iterator[str]:
    group: Key = (*asset, "correlation_group")
    caps: tuple[Key, ...] = (
        ("portfolio", "max_correlated_exposure_pct"),
        ("portfolio", "max_concentration_pct"),
    )
    if facts.optional(group) is not None and not any(map(facts.optional, caps)):
        names = " or ".join(".".join(map(str, cap)) for cap in caps)
        yield _line(facts, group, f"a group only with {names}, else it limits nothing")


def _line(facts: Facts, key: Key, meant: str) -> str:
    return str(facts.problem(key, f"found {facts.text(key)}; probably meant: {meant}"))


_CHECKS: tuple[Callable[[Facts], Iterator[str]], ...] = (_order, _warm_up, _volatility_warm_up)
_OF_AN_ASSET: tuple[Callable[[Facts, Key], Iterator[str]], ...] = (
    _warm_up_of_trend,
    _entry_fits_limits,
    _allocation_fits_size,
    _group_has_a_cap,
)
