"""Many runs over the same candles.

The scores do not depend on where, or in which order, the batches are played.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean

from domain.backtesting.figures import backtest_figures
from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from domain.rules import TradingRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Figures of one run; see `BacktestFigures`. None if a figure is not defined."""

    pnl: float | None
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    trades: float | None
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None


FIGURES = tuple(field.name for field in fields(Score))
_LESS_IS_BETTER = frozenset({"max_drawdown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One combination of values, and the rules with them."""

    values: Mapping[str, str]
    """Value of each swept setting as text, by its key."""
    rules: TradingRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A training period, and the test period after it. Times in ms."""

    train_from_ms: int
    test_from_ms: int
    """Also the end of the training."""
    test_to_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Runs over one period of the market."""

    number: int
    first: int
    """Number of the first combination."""
    rules: tuple[TradingRules, ...]
    span: tuple[int, int] | None
    """Start and end of trading, ms; the warm-up comes before. None: all candles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """One combination's scores, one per window; a single one without windows."""

    combination: Combination
    in_sample: tuple[Score, ...]
    out_of_sample: tuple[Score, ...]
    """Scores on the test periods; empty without a walk forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The choice by a window's training, and its score in the test."""

    window: Window
    combination: Combination
    in_sample: Score
    out_of_sample: Score
    rank: int
    """Rank of the choice among all combinations out of sample, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """All runs of a sweep, best in sample first."""

    sort: str
    """The figure to sort by, one of FIGURES."""
    rows: list[SweepRow]
    windows: tuple[Window, ...]
    """Empty without a walk forward; every score is then in sample."""
    choices: tuple[Choice, ...]
    """One per window."""


def windows(first_ms: int, end_ms: int, *, train_ms: int, test_ms: int) -> tuple[Window, ...]:
    """Return the windows of a walk forward: each trains on the period before its test.

    Tests follow each other without a gap; the rest at the end is too short for one.
    """
    count = max(0, (end_ms - first_ms - train_ms) // test_ms)
    starts = [first_ms + number * test_ms for number in range(count)]
    return tuple(
        Window(
            train_from_ms=start,
            test_from_ms=start + train_ms,
            test_to_ms=start + train_ms + test_ms,
        )
        for start in starts
    )


def batches(
    combinations: Sequence[Combination], found: Sequence[Window], *, size: int
) -> list[Batch]:
    """Return all runs: every combination over all candles, or over both parts of each window."""
    spans: list[tuple[int, int] | None] = [None]
    if found:
        spans = [span for window in found for span in _parts(window)]
    made: list[Batch] = []
    for span in spans:
        for first in range(0, len(combinations), size):
            rules = tuple(one.rules for one in combinations[first : first + size])
            made.append(Batch(number=len(made), first=first, rules=rules, span=span))
    return made


def _parts(window: Window) -> list[tuple[int, int]]:
    return [
        (window.train_from_ms, window.test_from_ms),
        (window.test_from_ms, window.test_to_ms),
    ]


def play(market: Market, batch: Batch) -> list[Score]:
    """Play a batch, and return the score of each run."""
    cuts: dict[int, Market] = {}
    scores = []
    for rules in batch.rules:
        warmup = rules.candles.warmup_candles
        if warmup not in cuts:
            cuts[warmup] = market if batch.span is None else cut(market, warmup, batch.span)
        scores.append(_score(cuts[warmup], rules, batch.span))
    return scores


def cut(market: Market, warmup: int, span: tuple[int, int]) -> Market:
    """Return the candles of a span, preceded by those of the warm-up."""
    from_ms = span[0] - warmup * market.candle_ms
    parts = {name: asset.series.between(from_ms, span[1]) for name, asset in market.assets.items()}
    return Market({name: series for name, series in parts.items() if len(series)})


def _score(market: Market, rules: TradingRules, span: tuple[int, int] | None) -> Score:
    found = backtest_figures(run_backtest(market, rules), None if span is None else span[0])
    total = found.total
    return Score(
        pnl=found.final_equity - float(rules.fills.initial_balance),
        total_return=found.total_return,
        max_drawdown=found.drawdown.fraction,
        sharpe=found.sharpe,
        sortino=found.sortino,
        calmar=found.calmar,
        trades=float(total.trades),
        win_rate=total.win_rate,
        profit_factor=total.profit_factor,
        expectancy=total.expectancy,
    )


def gathered(
    combinations: Sequence[Combination],
    found: Sequence[Window],
    scores: Mapping[int, Sequence[Score]],
    made: Sequence[Batch],
    *,
    sort: str,
) -> SweepResult:
    """Return the result of all batches.

    Args:
        combinations: as passed to `batches`.
        found: the windows, likewise.
        scores: the scores of each batch, by its number.
        made: all batches.
        sort: the figure to sort by.
    """
    by_span: dict[tuple[int, int] | None, list[Score]] = {}
    for batch in made:
        by_span.setdefault(batch.span, []).extend(scores[batch.number])
    parts = [_parts(window) for window in found]
    trained = [by_span[train] for train, _ in parts] or [by_span[None]]
    tested = [by_span[test] for _, test in parts]
    rows = [
        SweepRow(
            combination=combination,
            in_sample=tuple(column[index] for column in trained),
            out_of_sample=tuple(column[index] for column in tested),
        )
        for index, combination in enumerate(combinations)
    ]
    choices = tuple(_choice(window, rows, index, sort) for index, window in enumerate(found))
    rows.sort(key=lambda row: _rank_key(mean_score(row.in_sample), sort))
    return SweepResult(sort=sort, rows=rows, windows=tuple(found), choices=choices)


def _choice(window: Window, rows: Sequence[SweepRow], index: int, sort: str) -> Choice:
    best = min(rows, key=lambda row: _rank_key(row.in_sample[index], sort))
    unseen = best.out_of_sample[index]
    better = sum(
        _rank_key(row.out_of_sample[index], sort) < _rank_key(unseen, sort) for row in rows
    )
    return Choice(
        window=window,
        combination=best.combination,
        in_sample=best.in_sample[index],
        out_of_sample=unseen,
        rank=1 + better,
    )


def less_is_better(figure: str) -> bool:
    """Tell whether smaller values of a figure are better."""
    return figure in _LESS_IS_BETTER


def _rank_key(score: Score, sort: str) -> tuple[bool, float]:
    """Return the sort key of a score: best first, undefined last."""
    value: float | None = getattr(score, sort)
    if value is None:
        return True, 0.0
    return False, value if sort in _LESS_IS_BETTER else -value


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean of each figure over the scores that define it."""

    def mean(name: str) -> float | None:
        values = [value for score in scores if (value := getattr(score, name)) is not None]
        return fmean(values) if values else None

    return Score(**{name: mean(name) for name in FIGURES})
