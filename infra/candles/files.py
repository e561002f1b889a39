"""Reads candle files, one per symbol, and refuses a file at its first wrong row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path

import numpy as np

from domain.errors import ConfigError
from domain.market.candles import CandleSeries, Flags, Floats, Times, carry_forward
from infra.candles.funding import read_funding
from infra.candles.tables import (
    END_MS,
    FIRST_MS,
    PRICES,
    SUFFIXES,
    TIME,
    VALUES,
    Table,
    bad,
    read_table,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rows that break a rule, and what it expects of a row."""

    column: str
    broken: Flags
    expected: Callable[[int], str]


def read_candles(
    directory: Path,
    symbols: Sequence[str],
    *,
    candle_ms: int,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> dict[str, CandleSeries]:
    """Return the candles of each symbol, gaps carried forward, in the order of the symbols.

    A symbol's file is SYMBOL.parquet, SYMBOL.csv or SYMBOL.csv.gz, with the columns open_time
    (integer ms since 1970 UTC), open, high, low, close and volume in any order; others are
    ignored. Gaps are filled before the range is cut out, so a range that begins inside a gap
    begins with carried candles. SYMBOL.funding.parquet, if it exists, gives the series its
    funding (`infra/candles/funding.py`).

    Args:
        directory: of the files.
        symbols: as the files are named, e.g. BTCUSDT.
        candle_ms: length of a candle.
        from_ms: keep candles with open time >= this; None: from each file's first.
        to_ms: keep candles with close time <= this; None: to each file's last.

    Raises:
        ConfigError: a file is missing, unreadable or present in two formats; or the range extends
            beyond what all files span, or holds no candle of some symbol.
        BadDataError: the content of a file is wrong.
    """
    paths = {symbol: _find(directory, symbol) for symbol in symbols}
    candles = {
        symbol: replace(
            _read(path, candle_ms), funding=read_funding(directory, symbol, candle_ms=candle_ms)
        )
        for symbol, path in paths.items()
    }
    return _cut(candles, from_ms, to_ms) if candles else {}


def _find(directory: Path, symbol: str) -> Path:
    if not directory.is_dir():
        raise ConfigError(f"{directory}: found no such directory, expected one of candle files")
    paths = [directory / f"{symbol}{suffix}" for suffix in SUFFIXES]
    found = [path for path in paths if path.exists()]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "none"
        wanted = ", ".join(path.name for path in paths)
        raise ConfigError(f"{directory}: found {names}, expected exactly one of {wanted}")
    return found[0]


def _read(path: Path, candle_ms: int) -> CandleSeries:
    table = read_table(path)
    _check_rows(table, candle_ms)
    if table.error is not None:
        raise table.error
    if len(table.open_time) == 0:
        raise bad(path, "no rows", "candles")
    return carry_forward(table.open_time, **table.values, candle_ms=candle_ms)


def _check_rows(table: Table, candle_ms: int) -> None:
    broken = [
        (int(np.argmax(rule.broken)), rule)
        for rule in chain(_time_rules(table.open_time, candle_ms), value_rules(table.values))
        if rule.broken.any()
    ]
    if not broken:
        return
    row, rule = min(broken, key=itemgetter(0))
    if rule.column == "open_time":
        found = _time_text(int(table.open_time[row]))
    else:
        found = str(table.values[rule.column][row])
    where = f"{table.row_word} {table.first_row + row}, column {rule.column}"
    raise bad(table.path, found, rule.expected(row), where)


def _time_rules(time: Times, candle_ms: int) -> Iterator[Rule]:
    def rule(broken: Flags, expected: Callable[[int], str]) -> Rule:
        return Rule(column="open_time", broken=broken, expected=expected)

    later, before = time[1:], time[:-1]
    yield rule((time < FIRST_MS) | (time >= END_MS), lambda _: TIME)
    yield rule(time % candle_ms != 0, lambda _: f"a multiple of the candle's {candle_ms} ms")
    yield rule(
        np.append(False, later == before)[: len(time)],
        lambda _: "no duplicate of the candle before",
    )
    yield rule(
        np.append(False, later < before)[: len(time)],
        lambda row: f"rising order: later than {time[row - 1]} of the candle before",
    )


def value_rules(values: dict[str, Floats]) -> Iterator[Rule]:
    """Yield the rules of prices and volumes, with the candles that break them."""
    for name in VALUES:
        broken = ~np.isfinite(values[name])
        yield Rule(column=name, broken=broken, expected=lambda _: "a finite number")
    for name in PRICES:
        yield Rule(column=name, broken=values[name] <= 0, expected=lambda _: "a price above 0")
    yield Rule(column="volume", broken=values["volume"] < 0, expected=lambda _: "0 or more")
    high, low = values["high"], values["low"]
    yield Rule(column="high", broken=high < low, expected=lambda row: f"the low {low[row]} or more")
    for name in ("open", "close"):
        yield Rule(
            column=name,
            broken=(values[name] < low) | (values[name] > high),
            expected=lambda row: f"a price from the low {low[row]} to the high {high[row]}",
        )


def _time_text(time: int) -> str:
    in_ms = {"seconds": time * 1000, "microseconds": time // 1000, "nanoseconds": time // 10**6}
    for unit, time_ms in in_ms.items():
        if FIRST_MS <= time_ms < END_MS:
            return f"{time} (which looks like {unit})"
    return str(time)


def _cut(
    candles: dict[str, CandleSeries], from_ms: int | None, to_ms: int | None
) -> dict[str, CandleSeries]:
    first = min(series.candle(0).open_time_ms for series in candles.values())
    last = max(series.candle(-1).close_time_ms for series in candles.values())
    begin = first if from_ms is None else from_ms
    end = last if to_ms is None else to_ms
    asked = f"candles from {_span(begin, end)}"
    if not first <= begin < end <= last:
        raise ConfigError(
            f"{asked}: expected a range within {_span(first, last)}, which the files span"
        )
    parts = {symbol: whole.until(end).between(begin, end) for symbol, whole in candles.items()}
    for symbol, whole in candles.items():
        if len(parts[symbol]) == 0:
            span = _span(whole.candle(0).open_time_ms, whole.candle(-1).close_time_ms)
            raise ConfigError(f"{asked}: found no candle of {symbol}, whose file spans {span}")
    return parts


def _span(first_ms: int, last_ms: int) -> str:
    return f"{_iso(first_ms)} to {_iso(last_ms)}"


def _iso(time_ms: int) -> str:
    if not FIRST_MS <= time_ms < END_MS:
        return f"{time_ms} ms"
    return f"{np.datetime64(time_ms, 'ms').astype('datetime64[s]')}Z"
