"""Contradictions in the terms of one asset: its own settings, or else its strategy's section."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal

from domain.errors import ConfigError, StrategyError
from domain.market.instruments import Side
from domain.strategies.registry import (
    BUILT_IN,
    CONFIRMED_TREND_LONG,
    EMA_CROSS_SHORT,
    make_strategy,
)
from infra.settings.merged import Effective, Facts, UnjudgedError
from infra.settings.problems import Key, Problem, show
from infra.settings.sections.terms import strategy_spec
from infra.settings.sections.whole import Settings
from infra.settings.tree import Node

_MAINTENANCE_MARGIN_RATE = Decimal("0.005")
"""Bybit's lowest rate (BTCUSDT, first tier); with a higher one, liquidation is even nearer."""

_EMA_CROSS_ORDER = (("strategy", "ema_short_period"), ("strategy", "ema_long_period"))


def order_of_strategies(facts: Facts) -> Iterator[Problem]:
    """Find out-of-order periods in the sections of strategies that enabled assets use."""
    if facts.may_trade(EMA_CROSS_SHORT):
        yield from facts.out_of_order((_EMA_CROSS_ORDER,), ())


def of_each_asset(facts: Facts) -> Iterator[Problem]:
    """Find contradictions in each enabled asset."""
    for asset in facts.enabled_assets():
        for check in _OF_AN_ASSET:
            with suppress(UnjudgedError):
                yield from check(facts, asset)


def _some_stop(facts: Facts, asset: Key) -> Iterator[Problem]:
    stop, trail = facts.effective(asset, "stop_loss_pct"), facts.effective(asset, "trail_pct")
    if stop.value is None and trail.value is None:
        symbol = facts.text((*asset, "symbol"))
        text = f"found no stop for {symbol}; allowed: {stop.name} or {trail.name}, or both"
        yield facts.problem(asset, text)


def _macd_order(facts: Facts, asset: Key) -> Iterator[Problem]:
    if facts.strategy(asset) != CONFIRMED_TREND_LONG:
        return
    fast, slow = (facts.effective(asset, f"macd_{name}_period") for name in ("fast", "slow"))
    if fast.value is not None and slow.value is not None and fast.value >= slow.value:
        yield facts.conflict(fast.key, f"below {slow.named}")


def _stop_before_liquidation(facts: Facts, asset: Key) -> Iterator[Problem]:
    stop, leverage = _first_stop(facts, asset), facts.effective(asset, "leverage")
    if stop is None or stop.value is None or leverage.value is None:
        return
    fees = 2 * facts.number(("replay", "taker_fee_rate"))
    distance = 1 / leverage.value - _MAINTENANCE_MARGIN_RATE - fees
    if stop.value >= distance:
        whose = _position_of(facts.strategy(asset))
        limit = f"below {distance:.4f}, where a {whose} is liquidated with {leverage.named}"
        yield facts.conflict(stop.key, limit)


def _first_stop(facts: Facts, asset: Key) -> Effective | None:
    """Return the nearer of the fixed and the trailing stop."""
    names = ("stop_loss_pct", "trail_pct")
    found = [e for e in (facts.effective(asset, name) for name in names) if e.value is not None]
    return min(found, key=lambda each: each.value or Decimal(0), default=None)


def _position_of(strategy: str) -> str:
    kind = BUILT_IN.get(strategy)
    return "position" if kind is None else "long" if kind.side is Side.BUY else "short"


def _own_parameters(facts: Facts, asset: Key) -> Iterator[Problem]:
    parameters: Key = (*asset, "parameters")
    if facts.strategy(asset) in BUILT_IN and facts.has_entries(parameters):
        text = f"found values; allowed: only for a strategy named module:Class, not for \
{facts.strategy(asset)}, which has its section"
        yield facts.problem(parameters, text)


def foreign_strategies(settings: Settings, tree: Node) -> Iterator[Problem]:
    """Find strategies named module:Class that cannot be constructed with their parameters."""
    facts = Facts(tree, ())
    for index, asset in enumerate(settings.portfolio.assets):
        if not asset.enabled or asset.strategy in BUILT_IN:
            continue
        spec = strategy_spec(asset, settings.strategy, settings.confirmed_trend_long)
        key: Key = ("portfolio", "assets", index, "strategy")
        try:
            make_strategy(spec, settings.strategy.candle_rules())
        except ConfigError as error:
            yield facts.conflict(key, f"a strategy that can be imported: {_one_line(error)}")
        except StrategyError as error:
            given = ", ".join(spec.parameters) or "none"
            allowed = f"a strategy that takes its parameters ({given}): {_one_line(error)}"
            yield facts.conflict(key, allowed)


def _one_line(error: Exception) -> str:
    return show(" ".join(str(error).split()), longest=200)


_OF_AN_ASSET: tuple[Callable[[Facts, Key], Iterator[Problem]], ...] = (
    _some_stop,
    _macd_order,
    _stop_before_liquidation,
    _own_parameters,
)
