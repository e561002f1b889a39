"""Whether a strategy always gives the same result for the same candles.

A strategy gets its candles one by one, so it can know later ones only from elsewhere: from a file,
an earlier instance, or a fold of a whole series. All of that shows if several folds of the same
candles, together and one after another, do not agree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from domain.errors import StrategyError
from domain.market.candles import CandleSeries
from domain.rules import TradingRules
from domain.strategies.base import CandleRules, Evaluation, StrategySpec
from domain.strategies.contract import show_close
from domain.strategies.registry import is_built_in, make_strategy

OnClose = Callable[[str, int, int], None]
"""Takes an asset, the time of a close, ms, and the number of candles folded at once for it."""

CUTS = 12
"""Number of closes of each asset up to which its candles are folded at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impurity:
    """An asset whose strategy gave two results for the same candles."""

    asset: str
    what: str
    """How it was found, and both results."""


def impurities(
    candles: Mapping[str, CandleSeries],
    rules: TradingRules,
    on_asset: Callable[[], None] = lambda: None,
    on_close: OnClose = lambda *_: None,
) -> tuple[Impurity, ...]:
    """Return the first impurity of each asset whose strategy is the user's own.

    Args:
        candles: by asset.
        rules: with the strategy of each asset.
        on_asset: called after each asset.
        on_close: called before each call of a strategy.
    """
    found = []
    for asset in foreign_assets(rules):
        if asset in candles:
            spec = rules.asset(asset).terms.strategy
            what = _impurity(spec, rules.candles, candles[asset], partial(on_close, asset))
            found += [] if what is None else [Impurity(asset=asset, what=what)]
            on_asset()
    return tuple(found)


def foreign_assets(rules: TradingRules) -> list[str]:
    """Return the assets with a user's own strategy, which is compared with its folds."""
    return [one.asset for one in rules.assets if not is_built_in(one.terms.strategy.name)]


def _impurity(
    spec: StrategySpec,
    rules: CandleRules,
    series: CandleSeries,
    on_close: Callable[[int, int], None],
) -> str | None:
    cuts = np.unique(np.linspace(0, len(series) - 1, CUTS).astype(int)).tolist()
    try:
        said = _folded_twice(spec, rules, series, cuts, on_close)
        if isinstance(said, str):
            return said
        return _folded_again(spec, rules, series, said, on_close)
    except StrategyError as error:
        return str(error)


def _folded_twice(
    spec: StrategySpec,
    rules: CandleRules,
    series: CandleSeries,
    cuts: list[int],
    on_close: Callable[[int, int], None],
) -> dict[int, Evaluation] | str:
    """Return the results of two simultaneous folds at some closes, or where they differ."""
    one, other = make_strategy(spec, rules), make_strategy(spec, rules)
    said = {}
    for index in range(len(series)):
        on_close(_close_ms(series, index), 1)
        one.apply(series.candle(index))
        other.apply(series.candle(index))
        ours, theirs = one.evaluate(), other.evaluate()
        if ours != theirs:
            return _differs("two folds beside each other", series, index, ours, theirs)
        if index in cuts:
            said[index] = ours
    return said


def _folded_again(
    spec: StrategySpec,
    rules: CandleRules,
    series: CandleSeries,
    said: Mapping[int, Evaluation],
    on_close: Callable[[int, int], None],
) -> str | None:
    """Return where a later fold, evaluated rarely, or a fold at once differs from the first."""
    seldom = make_strategy(spec, rules)
    for index in range(len(series)):
        on_close(_close_ms(series, index), 1)
        seldom.apply(series.candle(index))
        if index in said and (now := seldom.evaluate()) != said[index]:
            return _differs("a fold and a later one", series, index, said[index], now)
    for index, before in said.items():
        on_close(_close_ms(series, index), index + 1)
        at_once = make_strategy(spec, rules)
        at_once.refold(series.until(_close_ms(series, index)))
        if (now := at_once.evaluate()) != before:
            return _differs("a fold and a refold", series, index, before, now)
    return None


def _close_ms(series: CandleSeries, index: int) -> int:
    return int(series.open_time_ms[index]) + series.candle_ms


def _differs(
    what: str, series: CandleSeries, index: int, one: Evaluation, other: Evaluation
) -> str:
    close = show_close(_close_ms(series, index))
    pairs = {
        name: (getattr(one, name), getattr(other, name))
        for name in ("regime", "values", "note", "signal", "entry")
    }
    name, (left, right) = next((name, pair) for name, pair in pairs.items() if pair[0] != pair[1])
    return f"{what} differ at the close of {close}: {name} {left} and {right}"
