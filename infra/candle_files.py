"""Read candle files, one per symbol, and refuse each at its first wrong row."""

import csv
import gzip
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np

from domain.candles import CandleSeries, Flags, Floats, Times, carry_forward
from domain.errors import BadDataError, ConfigError

_SUFFIXES = (".parquet", ".csv", ".csv.gz")
_PRICES = ("open", "high", "low", "close")
_VALUES = (*_PRICES, "volume")
_COLUMNS = ("open_time", *_VALUES)
# 2009 to 2100: no time of today in another unit falls between, and a gap stays finite.
_FIRST_MS = 1_230_768_000_000
_END_MS = 4_102_444_800_000
_TIME = "integer ms since 1970 UTC, from 2009 to 2100"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The rows of a file up to the first that cannot be read; their values are not checked."""

    path: Path
    row_word: str
    first_row: int
    """What people call the first row: line 2 of a csv file, row 1 of a parquet file."""
    open_time: Times
    values: dict[str, Floats]
    error: BadDataError | None
    """Why the row after these cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Where a rule is broken, and what it expects of a row."""

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
    begins with carried candles.

    Args:
        directory: where the files lie.
        symbols: as the files are named, e.g. BTCUSDT.
        candle_ms: length of a candle.
        from_ms: keep candles with open time >= this; None: from each file's first.
        to_ms: keep candles with close time <= this; None: to each file's last.

    Raises:
        ConfigError: a file is missing, unreadable or there in two formats; or the range reaches
            beyond what the files span together, or holds no candle of some symbol.
        BadDataError: the content of a file is wrong.
    """
    paths = {symbol: _find(directory, symbol) for symbol in symbols}
    candles = {symbol: _read(path, candle_ms) for symbol, path in paths.items()}
    return _cut(candles, from_ms, to_ms) if candles else {}


def _find(directory: Path, symbol: str) -> Path:
    if not directory.is_dir():
        raise ConfigError(f"{directory}: found no such directory, expected one of candle files")
    paths = [directory / f"{symbol}{suffix}" for suffix in _SUFFIXES]
    found = [path for path in paths if path.exists()]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "none"
        wanted = ", ".join(path.name for path in paths)
        raise ConfigError(f"{directory}: found {names}, expected exactly one of {wanted}")
    return found[0]


def _read(path: Path, candle_ms: int) -> CandleSeries:
    with _open(path) as file:
        table = _read_parquet(path, file) if path.suffix == ".parquet" else _read_csv(path, file)
    _check_rows(table, candle_ms)
    if table.error is not None:
        raise table.error
    if len(table.open_time) == 0:
        raise _bad(path, "no rows", "candles")
    return carry_forward(table.open_time, **table.values, candle_ms=candle_ms)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror}") from error


def _read_parquet(path: Path, file: IO[bytes]) -> _Table:
    # Imported here, since it costs tens of ms and of MB to programs that read no file.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    # The default pool keeps what is freed: 40 MB more after three years of candles.
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        source = parquet.ParquetFile(file)
        _check_schema(path, source.schema_arrow)
        columns = {
            name: source.read(columns=[name], use_threads=False).column(name) for name in _COLUMNS
        }
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise _bad(path, f"corrupt or truncated data ({reason})", "a parquet file") from error
    for name, column in columns.items():
        if len(column) != source.metadata.num_rows:
            found, expected = f"{len(column)} rows", f"{source.metadata.num_rows} as in the footer"
            raise _bad(path, found, expected, f"column {name}")
    return _parquet_table(path, columns)


def _check_schema(path: Path, schema: Any) -> None:
    _check_names(path, schema.names, "schema")
    for name in _COLUMNS:
        found = str(schema.field(name).type)
        if name == "open_time" and found != "int64":
            raise _bad(path, f"type {found}", f"int64, {_TIME}", "column open_time")
        if found not in {"double", "int64"}:
            raise _bad(path, f"type {found}", "double or int64", f"column {name}")


def _parquet_table(path: Path, columns: dict[str, Any]) -> _Table:
    rows, error = len(columns["open_time"]), None
    for name, column in columns.items():
        first_null = int(np.argmax(column.is_null())) if column.null_count else rows
        if first_null < rows:
            rows = first_null
            error = _bad(path, "null", "a number", f"row {rows + 1}, column {name}")
    times, *values = (column.slice(0, rows).to_numpy() for column in columns.values())
    return _Table(
        path=path,
        row_word="row",
        first_row=1,
        open_time=times,
        values={
            name: found.astype(np.float64, copy=False)
            for name, found in zip(_VALUES, values, strict=True)
        },
        error=error,
    )


def _read_csv(path: Path, file: IO[bytes]) -> _Table:
    rows = _csv_rows(path, file)
    header = next(rows, None)
    if header is None:
        raise _bad(path, "an empty file", "candles")
    _check_names(path, header, "line 1")
    times, values = array("q"), array("d")
    error = _take_rows(path, rows, header, times, values)
    columns = np.array(values).reshape(len(times), len(_VALUES)).T
    return _Table(
        path=path,
        row_word="line",
        first_row=2,
        open_time=np.array(times),
        values=dict(zip(_VALUES, columns, strict=True)),
        error=error,
    )


def _take_rows(
    path: Path,
    rows: Iterator[list[str]],
    header: list[str],
    times: "array[int]",
    values: "array[float]",
) -> BadDataError | None:
    # Fills the arrays up to the first row that cannot be read, and returns what is wrong with it.
    time_at, take = header.index("open_time"), itemgetter(*map(header.index, _VALUES))
    cells: list[str] = []
    try:
        for cells in rows:
            numbers = [float(text) for text in take(cells)]
            times.append(int(cells[time_at]))
            values.extend(numbers)
    except (ValueError, OverflowError):
        named = dict(zip(header, cells, strict=True))
        column = next((name for name in _VALUES if not _is_number(named[name])), "open_time")
        expected = _TIME if column == "open_time" else "a number"
        where = f"line {len(times) + 2}, column {column}"
        return _bad(path, f"{named[column]!r:.60}", expected, where)
    except BadDataError as error:
        return error
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _csv_rows(path: Path, file: IO[bytes]) -> Iterator[list[str]]:
    # The header and the rows, each as wide as the header and on a line of its own, so that the
    # number of a row tells its line.
    reader = csv.reader(_lines(path, file), strict=True)
    width = None
    try:
        for line, cells in enumerate(reader, start=1):
            width = width or len(cells)
            if reader.line_num != line:
                raise _bad(path, "a cell with a line break", "one row per line", f"line {line}")
            if len(cells) != width:
                found, expected = f"{len(cells)} columns", f"{width} as in line 1"
                raise _bad(path, found, expected, f"line {line}")
            yield cells
    except csv.Error as error:
        raise _bad(path, str(error), "csv", f"line {reader.line_num}") from error


def _lines(path: Path, file: IO[bytes]) -> Iterator[str]:
    line = 0
    try:
        for text in gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file:
            line += 1
            yield text.decode()
    except UnicodeDecodeError as error:
        raise _bad(
            path, f"bytes that are not UTF-8 ({error.reason})", "text", f"line {line}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        found = f"corrupt or truncated data ({error})"
        raise _bad(path, found, "a whole file", f"after line {line}") from error


def _check_names(path: Path, names: Sequence[str], where: str) -> None:
    for column in _COLUMNS:
        if names.count(column) != 1:
            found = f"{names.count(column)} columns named {column} in {', '.join(names)!r:.200}"
            raise _bad(path, found, "exactly 1", where)


def _check_rows(table: _Table, candle_ms: int) -> None:
    broken = [
        (int(np.argmax(rule.broken)), rule)
        for rule in chain(_time_rules(table.open_time, candle_ms), _value_rules(table.values))
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
    raise _bad(table.path, found, rule.expected(row), where)


def _time_rules(time: Times, candle_ms: int) -> Iterator[_Rule]:
    def rule(broken: Flags, expected: Callable[[int], str]) -> _Rule:
        return _Rule(column="open_time", broken=broken, expected=expected)

    later, before = time[1:], time[:-1]
    yield rule((time < _FIRST_MS) | (time >= _END_MS), lambda _: _TIME)
    yield rule(time % candle_ms != 0, lambda _: f"a multiple of the candle's {candle_ms} ms")
    yield rule(
        np.append(False, later == before)[: len(time)],
        lambda _: "no duplicate of the candle before",
    )
    yield rule(
        np.append(False, later < before)[: len(time)],
        lambda row: f"rising order: later than {time[row - 1]} of the candle before",
    )


def _value_rules(values: dict[str, Floats]) -> Iterator[_Rule]:
    for name in _VALUES:
        broken = ~np.isfinite(values[name])
        yield _Rule(column=name, broken=broken, expected=lambda _: "a finite number")
    for name in _PRICES:
        yield _Rule(column=name, broken=values[name] <= 0, expected=lambda _: "a price above 0")
    yield _Rule(column="volume", broken=values["volume"] < 0, expected=lambda _: "0 or more")
    high, low = values["high"], values["low"]
    yield _Rule(
        column="high", broken=high < low, expected=lambda row: f"the low {low[row]} or more"
    )
    for name in ("open", "close"):
        yield _Rule(
            column=name,
            broken=(values[name] < low) | (values[name] > high),
            expected=lambda row: f"a price from the low {low[row]} to the high {high[row]}",
        )


def _time_text(time: int) -> str:
    in_ms = {"seconds": time * 1000, "microseconds": time // 1000, "nanoseconds": time // 10**6}
    for unit, time_ms in in_ms.items():
        if _FIRST_MS <= time_ms < _END_MS:
            return f"{time} (which looks like {unit})"
    return str(time)


def _bad(path: Path, found: str, expected: str, where: str = "file") -> BadDataError:
    return BadDataError(f"{path}: {where}: found {found}, expected {expected}")


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
    if not _FIRST_MS <= time_ms < _END_MS:
        return f"{time_ms} ms"
    return f"{np.datetime64(time_ms, 'ms').astype('datetime64[s]')}Z"
