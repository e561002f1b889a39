"""Reads the rows of candle files, parquet or CSV, as far as they can be read."""

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np

from domain.errors import BadDataError, ConfigError
from domain.market.candles import Floats, Times
from infra.candles.arrow import as_array
from infra.files import open_regular

SUFFIXES = (".parquet", ".csv", ".csv.gz")
PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
COLUMNS = ("open_time", *VALUES)
# 2009 to 2100: a current time in another unit is outside, and gaps stay finite.
FIRST_MS = 1_230_768_000_000
END_MS = 4_102_444_800_000
TIME = "integer ms since 1970 UTC, from 2009 to 2100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of a file up to the first unreadable one; their values are not checked."""

    path: Path
    row_word: str
    first_row: int
    """Number of the first row in messages: line 2 of a CSV file, row 1 of a parquet file."""
    open_time: Times
    values: dict[str, Floats]
    error: BadDataError | None
    """Why the next row cannot be read."""


def read_table(path: Path) -> Table:
    """Return the rows of a file; only checked for being readable.

    Raises:
        ConfigError: the file cannot be opened.
        BadDataError: it is not a parquet or CSV file, or lacks a column.
    """
    with _open(path) as file:
        return _read_parquet(path, file) if path.suffix == ".parquet" else _read_csv(path, file)


def _open(path: Path) -> IO[bytes]:
    try:
        return open_regular(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror}") from error


def _read_parquet(path: Path, file: IO[bytes]) -> Table:
    # Imported here, as it costs programs that read no file tens of ms and MB.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    # The default pool keeps freed memory: 40 MB more after three years of candles.
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        source = parquet.ParquetFile(file)
        _check_schema(path, source.schema_arrow)
        columns = {
            name: source.read(columns=[name], use_threads=False).column(name) for name in COLUMNS
        }
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise bad(path, f"corrupt or truncated data ({reason})", "a parquet file") from error
    for name, column in columns.items():
        if len(column) != source.metadata.num_rows:
            found, expected = f"{len(column)} rows", f"{source.metadata.num_rows} as in the footer"
            raise bad(path, found, expected, f"column {name}")
    return _parquet_table(path, columns)


def _check_schema(path: Path, schema: Any) -> None:
    _check_names(path, schema.names, "schema")
    for name in COLUMNS:
        found = str(schema.field(name).type)
        if name == "open_time" and found != "int64":
            raise bad(path, f"type {found}", f"int64, {TIME}", "column open_time")
        if found not in {"double", "int64"}:
            raise bad(path, f"type {found}", "double or int64", f"column {name}")


def _parquet_table(path: Path, columns: dict[str, Any]) -> Table:
    rows, error = len(columns["open_time"]), None
    for name, column in columns.items():
        first_null = int(np.argmax(column.is_null())) if column.null_count else rows
        if first_null < rows:
            rows = first_null
            error = bad(path, "null", "a number", f"row {rows + 1}, column {name}")
    times, *values = (as_array(column.slice(0, rows)) for column in columns.values())
    return Table(
        path=path,
        row_word="row",
        first_row=1,
        open_time=times,
        values={
            name: found.astype(np.float64, copy=False)
            for name, found in zip(VALUES, values, strict=True)
        },
        error=error,
    )


def _read_csv(path: Path, file: IO[bytes]) -> Table:
    rows = _csv_rows(path, file)
    header = next(rows, None)
    if header is None:
        raise bad(path, "an empty file", "candles")
    _check_names(path, header, "line 1")
    times, values = array("q"), array("d")
    error = _take_rows(path, rows, header, times, values)
    columns = np.array(values).reshape(len(times), len(VALUES)).T
    return Table(
        path=path,
        row_word="line",
        first_row=2,
        open_time=np.array(times),
        values=dict(zip(VALUES, columns, strict=True)),
        error=error,
    )


def _take_rows(
    path: Path,
    rows: Iterator[list[str]],
    header: list[str],
    times: "array[int]",
    values: "array[float]",
) -> BadDataError | None:
    # Fills the arrays up to the first unreadable row, and returns what is wrong with it.
    time_at, take = header.index("open_time"), itemgetter(*map(header.index, VALUES))
    cells: list[str] = []
    try:
        for cells in rows:
            numbers = [float(text) for text in take(cells)]
            times.append(int(cells[time_at]))
            values.extend(numbers)
    except (ValueError, OverflowError):
        named = dict(zip(header, cells, strict=True))
        column = next((name for name in VALUES if not _is_number(named[name])), "open_time")
        expected = TIME if column == "open_time" else "a number"
        where = f"line {len(times) + 2}, column {column}"
        return bad(path, f"{named[column]!r:.60}", expected, where)
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
    # The header and the rows; each row is as wide as the header and on a line of its own, so the
    # number of a row gives its line.
    reader = csv.reader(_lines(path, file), strict=True)
    width = None
    try:
        for line, cells in enumerate(reader, start=1):
            width = width or len(cells)
            if reader.line_num != line:
                raise bad(path, "a cell with a line break", "one row per line", f"line {line}")
            if len(cells) != width:
                found, expected = f"{len(cells)} columns", f"{width} as in line 1"
                raise bad(path, found, expected, f"line {line}")
            yield cells
    except csv.Error as error:
        raise bad(path, str(error), "csv", f"line {reader.line_num}") from error


def _lines(path: Path, file: IO[bytes]) -> Iterator[str]:
    line = 0
    try:
        for text in gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file:
            line += 1
            yield text.decode()
    except UnicodeDecodeError as error:
        raise bad(
            path, f"bytes that are not UTF-8 ({error.reason})", "text", f"line {line}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        found = f"corrupt or truncated data ({error})"
        raise bad(path, found, "a whole file", f"after line {line}") from error


def _check_names(path: Path, names: Sequence[str], where: str) -> None:
    for column in COLUMNS:
        if names.count(column) != 1:
            found = f"{names.count(column)} columns named {column} in {', '.join(names)!r:.200}"
            raise bad(path, found, "exactly 1", where)


def bad(path: Path, found: str, expected: str, where: str = "file") -> BadDataError:
    """Return what is wrong with a file, in the form common to all its readers."""
    return BadDataError(f"{path}: {where}: found {found}, expected {expected}")
