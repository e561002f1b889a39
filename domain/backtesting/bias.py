"""Whether a backtest's decisions look ahead, and whether its warm-up is long enough.

Look-ahead: a run over candles that end earlier must decide the same up to its end. Warm-up: a run
that begins earlier or later, and trades from the same time on, should decide the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from domain.backtesting.market import Market
from domain.backtesting.result import AssetHistory, BacktestResult
from domain.market.candles import CandleSeries
from domain.market.indicators import Array
from domain.rules import TradingRules
from domain.trading.positions import Position, Trade

Run = Callable[[Market, TradingRules], BacktestResult]
"""The run to check: `run_backtest`, except in tests of the check."""

CUTS = 24
WARM_UPS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Warm-ups to try, in units of the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Decided:
    """One event or decision of a run, as text that is compared between runs."""

    t_ms: int
    asset: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A cut at which the run that ends there differs from the run over all candles."""

    cut_ms: int
    """Last close of the shorter run."""
    with_future: str
    """First difference, in the run over all candles."""
    without: str
    """The same place in the shorter run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAhead:
    """Result of the look-ahead check."""

    cuts: int
    decisions: int
    """Number of compared events, over all cuts."""
    leaks: tuple[Leak, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """A run with another length of warm-up, compared with the longest."""

    candles: int
    price_error: float
    """Largest |value / value of the longest run - 1| of the strategy's prices, while trading."""
    regimes: int
    """Number of closes of all assets at which the regime differs."""
    entries: int
    """Number of entries that only one of both runs makes."""
    of_entries: int
    """Number of entries of both runs, each counted once."""
    pnl: float
    """Change of equity minus that of the longest run, quote."""

    @property
    def is_settled(self) -> bool:
        """Tell whether all decisions are the same."""
        return not self.regimes and not self.entries


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUps:
    """Result of the warm-up check."""

    longest: int
    """Candles before the first decision in the run that the others are compared with."""
    usual: int
    """Candles of the warm-up in the rules."""
    runs: tuple[WarmUp, ...]
    """Shortest first; includes the run with the usual warm-up."""
    left_out: tuple[str, ...]
    """Assets whose candles begin too late for the longest warm-up."""

    @property
    def at_usual(self) -> WarmUp:
        """Return the run with the warm-up of the rules."""
        return next(run for run in self.runs if run.candles == self.usual)


# Look-ahead.


def look_ahead(
    candles: Mapping[str, CandleSeries],
    rules: TradingRules,
    run: Run,
    on_run: Callable[[], None] = lambda: None,
) -> LookAhead:
    """Cut the candles at CUTS closes, and compare each run with the one over all candles.

    Half of the cuts are spread evenly, half are at decisions, where look-ahead shows first.

    Args:
        candles: by asset.
        rules: the rules of all runs.
        run: the run to check.
        on_run: called after each run.
    """
    whole = run(Market(candles), rules)
    on_run()
    leaks, compared = [], 0
    all_decided = sorted(_decided(whole))
    for cut_ms in _cut_times(whole, all_decided):
        part = run(Market(_until(candles, cut_ms)), rules)
        on_run()
        expected = [one for one in all_decided if one.t_ms <= cut_ms]
        compared += len(expected)
        leak = _first_leak(whole, part, expected, cut_ms)
        if leak is not None:
            leaks.append(leak)
    return LookAhead(cuts=CUTS, decisions=compared, leaks=tuple(leaks))


def _until(candles: Mapping[str, CandleSeries], cut_ms: int) -> dict[str, CandleSeries]:
    parts = {asset: series.until(cut_ms) for asset, series in candles.items()}
    return {asset: series for asset, series in parts.items() if len(series)}


def _cut_times(whole: BacktestResult, decided: Sequence[Decided]) -> list[int]:
    times = whole.equity.time_ms
    even = times[np.linspace(0, len(times) - 1, CUTS // 2 + 1).astype(int)[1:]]
    moments = sorted({one.t_ms for one in decided}) or times.tolist()
    indices = np.linspace(0, len(moments) - 1, CUTS - CUTS // 2).astype(int)
    return [*even.tolist(), *(moments[index] for index in indices)]


def _first_leak(
    whole: BacktestResult, part: BacktestResult, expected: Sequence[Decided], cut_ms: int
) -> Leak | None:
    found = sorted(_decided(part))
    for left, right in zip_longest(expected, found):
        if left != right:
            return Leak(cut_ms=cut_ms, with_future=_shown(left), without=_shown(right))
    for asset, history in part.histories.items():
        known = dict(_figures(whole.histories[asset]))
        for label, ours in _figures(history):
            theirs = known[label][: len(ours)] if label in known else np.full(len(ours), np.nan)
            if not np.array_equal(ours, theirs, equal_nan=True):
                is_other = (ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs))
                index = int(np.argmax(is_other))
                where = f"{asset}: {label} at close {index}"
                return Leak(
                    cut_ms=cut_ms,
                    with_future=f"{where}: {theirs[index]}",
                    without=f"{where}: {ours[index]}",
                )
    return None


def _figures(history: AssetHistory) -> Iterator[tuple[str, Array]]:
    """Yield each figure of the strategy at every close, by its label."""
    yield "regime", history.is_active.astype(np.float64)
    for line in history.lines():
        yield line.label, line.figures


def _shown(decided: Decided | None) -> str:
    if decided is None:
        return "nothing"
    time = np.datetime64(decided.t_ms, "ms").astype("datetime64[s]")
    return f"{time}Z {decided.asset} {decided.what}"


def _decided(result: BacktestResult) -> Iterator[Decided]:
    yield from map(_entry, result.trades)
    yield from map(_entry, result.open_positions)
    for trade in result.trades:
        what = f"exit at {trade.exit_price} ({trade.reason}), pnl {trade.pnl}"
        yield Decided(t_ms=trade.exit_ms, asset=trade.asset, what=what)
    for refused in result.refused:
        what = f"no entry ({refused.reason})"
        yield Decided(t_ms=refused.t_ms, asset=refused.asset, what=what)
    for protection in result.protections:
        what = f"protection ({protection.reason}): {protection.figures}"
        yield Decided(t_ms=protection.t_ms, asset="", what=what)


def _entry(entry: Trade | Position) -> Decided:
    if isinstance(entry, Trade):
        t_ms, price = entry.entry_ms, entry.entry_price
    else:
        t_ms, price = entry.opened_ms, entry.avg_entry_price
    return Decided(t_ms=t_ms, asset=entry.asset, what=f"{entry.side} {entry.qty} at {price}")


# Warm-up.


def warm_ups(
    candles: Mapping[str, CandleSeries],
    rules: TradingRules,
    run: Run,
    on_run: Callable[[], None] = lambda: None,
) -> WarmUps:
    """Run with longer and shorter warm-ups, trading from the same time on.

    All runs trade from the first decision of the longest one, whose warm-up is as long as the
    candles allow: at most three usual ones, and at most half of the candles. Assets that begin
    after the first quarter of the candles take no part.

    Args:
        candles: by asset.
        rules: with the usual warm-up.
        run: the run to check.
        on_run: called after each run.
    """
    usual, market = rules.candles.warmup_candles, Market(candles)
    firsts = {asset: int(series.open_time_ms[0]) for asset, series in candles.items()}
    late_ms = market.first_open_ms + market.closes // 4 * market.candle_ms
    first_ms = max(first for first in firsts.values() if first <= late_ms)
    room = (market.time_ms(market.closes - 1) - first_ms) // market.candle_ms // 2
    lengths = sorted({max(2, int(usual * part)) for part in WARM_UPS})
    lengths = [length for length in lengths if length <= max(usual, room)]
    start_ms = first_ms + lengths[-1] * market.candle_ms
    old = {asset: series for asset, series in candles.items() if firsts[asset] <= first_ms}
    runs = {}
    for length in lengths:
        runs[length] = _begun(old, rules, run, start_ms=start_ms, warmup=length)
        on_run()
    longest = runs[lengths[-1]]
    return WarmUps(
        longest=lengths[-1],
        usual=usual,
        runs=tuple(_compared(length, found, longest) for length, found in runs.items()),
        left_out=tuple(asset for asset in candles if asset not in old),
    )


def _begun(
    candles: Mapping[str, CandleSeries],
    rules: TradingRules,
    run: Run,
    *,
    start_ms: int,
    warmup: int,
) -> BacktestResult:
    parts = {
        asset: series.between(
            start_ms - warmup * series.candle_ms, int(series.open_time_ms[-1]) + series.candle_ms
        )
        for asset, series in candles.items()
    }
    candle_rules = replace(rules.candles, warmup_candles=warmup)
    return run(Market(parts), replace(rules, candles=candle_rules))


def _compared(candles: int, found: BacktestResult, longest: BacktestResult) -> WarmUp:
    error, regimes = 0.0, 0
    for asset, history in found.histories.items():
        known = longest.histories[asset]
        traded = len(history.is_active) - found.rules.candles.warmup_candles
        if traded <= 0:
            continue
        error = max(error, _price_error(history, known, traded))
        regimes += int(np.sum(history.is_active[-traded:] != known.is_active[-traded:]))
    ours, theirs = _entries(found), _entries(longest)
    return WarmUp(
        candles=candles,
        price_error=error,
        regimes=regimes,
        entries=len(ours ^ theirs),
        of_entries=len(ours | theirs),
        pnl=float(found.equity.equity[-1] - longest.equity.equity[-1]),
    )


def _price_error(history: AssetHistory, longest: AssetHistory, traded: int) -> float:
    known = {line.name: line.figures for line in longest.lines()}
    errors = [
        np.abs(line.figures[-traded:] / known[line.name][-traded:] - 1.0)
        for line in history.lines()
        if line.is_price and line.name in known
    ]
    return max((float(np.nanmax(error, initial=0.0)) for error in errors), default=0.0)


def _entries(result: BacktestResult) -> set[tuple[str, int]]:
    found = {(trade.asset, trade.entry_ms) for trade in result.trades}
    return found | {(position.asset, position.opened_ms) for position in result.open_positions}
