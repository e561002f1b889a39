"""Parquet files of rows by time, which can be extended safely."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadDataError, ConfigError
from domain.market.candles import Times
from infra.candles.arrow import as_array
from infra.candles.tables import VALUES
from infra.files import open_regular

Rows = NDArray[np.void]
"""(n,) of a dtype whose first field is the time, integer ms since 1970 UTC."""

CANDLE_ROW = np.dtype([("open_time", np.int64), *((name, np.float64) for name in VALUES)])
FUNDING_ROW = np.dtype([("time_ms", np.int64), ("rate", np.float64)])
"""A settlement; the rate is a fraction of the notional, positive: longs pay."""
FUNDING_NAMES = {"open_time": "time_ms", "funding_rate": "rate"}
"""Names of these columns in other sources: accepted when reading, written under our names."""


class HistoryFile:
    """Rows of one file in order of time, each time once.

    A file is replaced as a whole, so that readers, and a kill during writing, always find the rows
    of one save.
    """

    def __init__(self, path: Path, row: np.dtype[np.void]) -> None:
        """Read the file, if it exists.

        Raises:
            ConfigError: it cannot be opened, or has other columns, which a save would lose.
            BadDataError: it is damaged, or its times do not rise.
        """
        self.path = path
        self._unfinished = path.with_name(f".{path.name}.tmp")
        self.rows: Rows = _read(path, row) if path.exists() else np.empty(0, row)
        self._is_saved = True

    @property
    def times(self) -> Times:
        """The time of each row."""
        times: Times = self.rows[self._time]
        return times

    def add(self, rows: Rows) -> None:
        """Add rows; those whose time is already known are skipped."""
        both = np.concatenate([self.rows, rows])
        _, first = np.unique(both[self._time], return_index=True)
        if len(first) > len(self.rows):
            self.rows = both[first]
            self._is_saved = False

    def save(self) -> None:
        """Replace the file with all rows, if there are new ones.

        Raises:
            ConfigError: the file cannot be written.
        """
        if self._is_saved:
            return
        import pyarrow as pa  # noqa: PLC0415 - costs tens of ms and of MB
        from pyarrow import parquet  # noqa: PLC0415

        columns = {name: np.ascontiguousarray(self.rows[name]) for name in self._names}
        try:
            with self._unfinished.open("wb") as out:
                parquet.write_table(pa.table(columns), out)
                out.flush()
                os.fsync(out.fileno())
            self._unfinished.replace(self.path)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from error
        self._is_saved = True

    @property
    def _names(self) -> tuple[str, ...]:
        return self.rows.dtype.names or ()

    @property
    def _time(self) -> str:
        return self._names[0]


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Create a directory, and lock it against other downloads.

    Raises:
        ConfigError: another download is writing there, or it cannot be created.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be the folder: {error.strerror}") from error
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left_by_a_kill in directory.glob(".*.parquet.tmp"):
            left_by_a_kill.unlink()
        yield
    except BlockingIOError as error:
        raise ConfigError(f"{directory}: another download writes there; wait for it") from error
    finally:
        os.close(place)


def usual_step(times: Times) -> int | None:
    """Return the most frequent distance of neighbors, ms; None if no times rise."""
    steps = np.diff(times)
    steps, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(steps[np.argmax(counts)]) if len(steps) else None


def read_columns(path: Path, row: np.dtype[np.void]) -> Rows:
    """Return a file's rows, unchecked.

    Raises:
        ConfigError: it cannot be opened, or has other columns.
        BadDataError: it is damaged, or a value is missing.
    """
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with open_regular(path) as file:
            table = parquet.read_table(file, use_threads=False)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise BadDataError(f"{path}: found damaged data ({reason}); expected parquet") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror or error}") from error
    table = table.rename_columns(_our_names(table.schema.names, row))
    _check_columns(path, table, row)
    rows = np.empty(len(table), row)
    for name in row.names or ():
        column = table.column(name)
        if column.null_count:
            raise BadDataError(f"{path}: column {name}: found null, expected a number")
        rows[name] = as_array(column)
    return rows


def _our_names(names: list[str], row: np.dtype[np.void]) -> list[str]:
    return [FUNDING_NAMES.get(name, name) for name in names] if row == FUNDING_ROW else names


def _read(path: Path, row: np.dtype[np.void]) -> Rows:
    rows = read_columns(path, row)
    time = (row.names or ())[0]
    if np.any(np.diff(rows[time]) <= 0):
        raise BadDataError(
            f"{path}: column {time}: found times that do not rise, so it cannot be added to; "
            "`bin/candles verify` tells where; repair or remove the file"
        )
    return rows


def _check_columns(path: Path, table: Any, row: np.dtype[np.void]) -> None:
    found = {
        name: str(kind) for name, kind in zip(table.schema.names, table.schema.types, strict=True)
    }
    names = {np.dtype(np.int64): "int64", np.dtype(np.float64): "double"}
    wanted = {name: names[row[name]] for name in row.names or ()}
    if found != wanted:
        raise ConfigError(f"{path}: found the columns {_shown(found)}, expected {_shown(wanted)}")


def _shown(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in columns.items())
