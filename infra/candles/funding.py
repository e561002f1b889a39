"""Reads the historical funding settlements of a symbol: SYMBOL.funding.parquet."""

from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import BadDataError, ConfigError
from domain.market.funding import FundingHistory
from domain.market.instruments import exact
from infra.candles.arrow import as_array
from infra.candles.history_files import FUNDING_NAMES
from infra.files import open_regular

_COLUMNS = {"time_ms": ("int64",), "rate": ("double",)}
_LARGEST = 0.5
"""No venue settles this much at once: larger values are percent, or a mistake."""


def read_funding(directory: Path, symbol: str, *, candle_ms: int) -> FundingHistory | None:
    """Return the settlements of a symbol, or None if there is no such file.

    The file has the columns time_ms (int64, ms since 1970 UTC, rising, on the grid of the candles)
    and rate (double, fraction of the notional; positive: shorts receive), or these as open_time and
    funding_rate; others are ignored.

    Raises:
        ConfigError: the file cannot be opened.
        BadDataError: its content is wrong.
    """
    path = directory / f"{symbol}.funding.parquet"
    if not path.exists():
        return None
    columns = _read(path)
    times, rates = columns["time_ms"], columns["rate"]
    if not len(times):
        raise _bad(path, "file", "no rows", "settlements")
    _check(path, "time_ms", times, times % candle_ms != 0, f"a multiple of {candle_ms} ms")
    later = np.append(False, np.diff(times) <= 0)
    _check(path, "time_ms", times, later, "a time later than that of the row before")
    _check(path, "rate", rates, ~(np.abs(rates) <= _LARGEST), "a fraction, -0.5 to 0.5")
    history = dict(zip(times.tolist(), map(exact, rates.tolist()), strict=True))
    return FundingHistory(rates=history, first_ms=int(times[0]), last_ms=int(times[-1]))


def _read(path: Path) -> dict[str, Any]:
    # Imported here, as it costs programs that read no file tens of ms and MB.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with open_regular(path) as file:
            source = parquet.ParquetFile(file)
            names = _names(path, source.schema_arrow)
            table = source.read(columns=list(names), use_threads=False).rename_columns(names)
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise _bad(
            path, "file", f"corrupt or truncated data ({reason})", "a parquet file"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    for name in _COLUMNS:
        column = table.column(name)
        if column.null_count:
            row = int(np.argmax(column.is_null())) + 1
            raise _bad(path, f"row {row}, column {name}", "null", "a number")
    return {name: as_array(table.column(name)) for name in _COLUMNS}


def _names(path: Path, schema: Any) -> dict[str, str]:
    """Return our names of the columns to read, by their names in the file."""
    names = {}
    for theirs, name in FUNDING_NAMES.items():
        found = name if name in schema.names or theirs not in schema.names else theirs
        _check_column(path, schema, found, _COLUMNS[name])
        names[found] = name
    return names


def _check_column(path: Path, schema: Any, name: str, types: tuple[str, ...]) -> None:
    count = schema.names.count(name)
    if count != 1:
        found = f"{count} columns named {name} in {', '.join(schema.names)!r:.200}"
        raise _bad(path, "schema", found, "exactly 1")
    found = str(schema.field(name).type)
    if found not in types:
        raise _bad(path, f"column {name}", f"type {found}", " or ".join(types))


def _check(path: Path, column: str, values: Any, broken: Any, expected: str) -> None:
    if broken.any():
        row = int(broken.argmax())
        raise _bad(path, f"row {row + 1}, column {column}", str(values[row]), expected)


def _bad(path: Path, where: str, found: str, expected: str) -> BadDataError:
    return BadDataError(f"{path}: {where}: found {found}, expected {expected}")
