"""Strategies by name; others by `module:Class`, from any module that Python finds."""

import importlib

from domain.errors import ConfigError
from domain.strategies.base import CandleRules, Strategy, StrategySpec
from domain.strategies.confirmed_trend_history import ConfirmedTrendHistory
from domain.strategies.confirmed_trend_long import ConfirmedTrendLong
from domain.strategies.ema_cross_history import EmaCrossHistory
from domain.strategies.ema_cross_short import EmaCrossShort
from domain.strategies.guarded import Guarded
from domain.strategies.history import History
from domain.text import plain

EMA_CROSS_SHORT = "ema_cross_short"
CONFIRMED_TREND_LONG = "confirmed_trend_long"
BUILT_IN: dict[str, type[Strategy]] = {
    EMA_CROSS_SHORT: EmaCrossShort,
    CONFIRMED_TREND_LONG: ConfirmedTrendLong,
}

_HISTORIES: dict[str, type[History]] = {
    EMA_CROSS_SHORT: EmaCrossHistory,
    CONFIRMED_TREND_LONG: ConfirmedTrendHistory,
}


def is_built_in(name: str) -> bool:
    """Tell whether a strategy is one of ours."""
    return name in BUILT_IN


def strategy_class(name: str) -> type[Strategy]:
    """Return the class of a strategy.

    Raises:
        ConfigError: there is none with this name.
    """
    built_in = BUILT_IN.get(name)
    if built_in is not None:
        return built_in
    module, separator, kind = name.partition(":")
    if not separator:
        known = ", ".join(BUILT_IN)
        message = f"expected a strategy ({known}) or module:Class, found {name!r}"
        raise ConfigError(message)
    return _imported(module, kind)


def history_class(name: str) -> type[History] | None:
    """Return the class that computes a strategy's whole history at once; None: fold close by close.

    A user's own strategy has none: nothing would check it against its fold.
    """
    return _HISTORIES.get(name)


def _imported(module: str, kind: str) -> type[Strategy]:
    try:
        found = getattr(importlib.import_module(module), kind, None)
    except (Exception, SystemExit) as error:  # the module is the user's, and may raise anything
        cause = plain(f"{type(error).__name__}: {error}")
        message = f"the strategy {module}:{kind} cannot be imported: {cause}"
        raise ConfigError(message) from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        message = f"expected {module}:{kind} to be a subclass of Strategy, found {found!r}"
        raise ConfigError(message)
    return found


def make_strategy(spec: StrategySpec, candles: CandleRules) -> Strategy:
    """Return a strategy before its first candle; a user's own is guarded.

    Raises:
        ConfigError: there is none with this name.
        StrategyError: it cannot be created with its parameters.
    """
    kind = strategy_class(spec.name)
    if is_built_in(spec.name):
        return kind(spec.parameters, candles)
    return Guarded(kind, spec, candles)
