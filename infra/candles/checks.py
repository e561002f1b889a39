"""Reports everything wrong with a folder of candle and funding files, instead of failing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from domain.errors import BadDataError, ConfigError
from domain.market.candles import Flags, Floats, Times
from domain.market.instruments import HOUR_MS
from domain.text import counted
from infra.candles.files import Rule, value_rules
from infra.candles.history_files import FUNDING_ROW, Rows, read_columns, usual_step
from infra.candles.tables import END_MS, FIRST_MS, SUFFIXES, Table, read_table

FUNDING_SUFFIX = ".funding.parquet"
_LONGEST_FUNDING_MS = 8 * HOUR_MS
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits above which a value is suspicious: possible, but worth checking.

    On 246,000 real candles of BTC, ETH and SOL the largest jump was 0.2 %, the largest range 18 %.
    """

    jump: float = 0.01
    """|open / close of the candle before - 1|, if no candle is missing between."""
    range: float = 0.25
    """high / low - 1 of one candle."""
    funding_rate: float = 0.03
    """Absolute rate of one settlement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of problem of a file."""

    kind: str
    count: int
    examples: tuple[str, ...]
    """Examples: the first few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """A file, and what is wrong with it."""

    path: Path
    rows: int
    step_ms: int | None
    """Usual distance of two rows; None if there are not two."""
    first_ms: int | None
    last_ms: int | None
    findings: tuple[Finding, ...]


def check_folder(directory: Path, limits: Limits, candle_ms: int | None) -> list[FileReport]:
    """Return a report of each candle and funding file.

    Args:
        directory: of the files.
        limits: above which values are suspicious.
        candle_ms: length of all candles; None: the most frequent one in each file.

    Raises:
        ConfigError: there is no such directory, or no candle file in it.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: found no such directory, expected one of candle files")
    # Other kinds of data, such as BTCUSDT.mark_1h.parquet, are not read here.
    paths = sorted(
        path
        for path in directory.iterdir()
        if path.name.endswith(SUFFIXES)
        and not path.name.startswith(".")
        and _kind(path) in {"", "funding"}
    )
    if not paths:
        wanted = ", ".join(f"BTCUSDT{suffix}" for suffix in (*SUFFIXES, FUNDING_SUFFIX))
        raise ConfigError(f"{directory}: found no candle file, expected files like {wanted}")
    return [_report(path, paths, limits, candle_ms) for path in paths]


def _report(path: Path, paths: list[Path], limits: Limits, candle_ms: int | None) -> FileReport:
    try:
        if _kind(path) == "funding":
            rows = _funding_rows(path)
            times, step_ms = rows["time_ms"], usual_step(rows["time_ms"])
            findings = list(_funding_findings(rows, limits))
        else:
            table = read_table(path)
            times, step_ms = table.open_time, candle_ms or usual_step(table.open_time)
            findings = list(_candle_findings(table, paths, limits, step_ms))
    except (BadDataError, ConfigError) as error:
        times, step_ms = np.empty(0, np.int64), None
        findings = [_one("unreadable", str(error))]
    return FileReport(
        path=path,
        rows=len(times),
        step_ms=step_ms,
        first_ms=int(times[0]) if len(times) else None,
        last_ms=int(times[-1]) if len(times) else None,
        findings=tuple(findings),
    )


def _candle_findings(
    table: Table, paths: list[Path], limits: Limits, step_ms: int | None
) -> Iterator[Finding]:
    symbol = _symbol(table.path)
    twins = [
        path.name
        for path in paths
        if path != table.path and not _kind(path) and _symbol(path) == symbol
    ]
    if twins:
        yield _one("second file", f"beside {twins[0]}; candles are read from one file")
    if table.error is not None:
        yield _one("unreadable", str(table.error))
    if not len(table.open_time):
        yield _one("empty", "no rows")
    yield from _time_findings(table.open_time, step_ms)
    if step_ms is not None:
        yield from _gaps(table.open_time, step_ms)
    yield from _value_findings(table)
    yield from _price_findings(table, limits, step_ms)


def _time_findings(times: Times, grid_ms: int | None) -> Iterator[Finding]:
    steps = np.diff(times)
    outside = (times < FIRST_MS) | (times >= END_MS)
    yield from _found("outside 2009 to 2100", outside, lambda i: f"{times[i]}")
    if grid_ms is not None:
        yield from _found("off-grid", times % grid_ms != 0, lambda i: _iso(times[i]))
    yield from _found("duplicate", steps == 0, lambda i: _iso(times[i + 1]))
    yield from _found(
        "out of order", steps < 0, lambda i: f"{_iso(times[i + 1])} after {_iso(times[i])}"
    )


def _gaps(times: Times, step_ms: int) -> Iterator[Finding]:
    known = np.unique(times)
    steps = np.diff(known)
    yield from _found(
        "gap",
        steps >= 2 * step_ms,
        lambda i: f"{counted(int(steps[i]) // step_ms - 1, 'candle')} after {_iso(known[i])}",
    )


def _value_findings(table: Table) -> Iterator[Finding]:
    with np.errstate(invalid="ignore"):
        rules = list(value_rules(table.values))
    for rule in rules:
        yield from _found(f"impossible {rule.column}", rule.broken, partial(_told, table, rule))


def _told(table: Table, rule: Rule, row: int) -> str:
    value, time_ms = table.values[rule.column][row], int(table.open_time[row])
    return f"{value} at {_iso(time_ms)}, expected {rule.expected(row)}"


def _price_findings(table: Table, limits: Limits, step_ms: int | None) -> Iterator[Finding]:
    times, values = table.open_time, table.values
    with np.errstate(all="ignore"):
        jumps = np.abs(values["open"][1:] / values["close"][:-1] - 1)
        ranges = values["high"] / values["low"] - 1
        is_next = np.diff(times) == step_ms
        yield from _found(
            "jump between candles",
            is_next & (jumps > limits.jump),
            lambda i: f"{jumps[i]:.2%} into {_iso(times[i + 1])}",
        )
        yield from _found(
            "range of a candle",
            ranges > limits.range,
            lambda i: f"{ranges[i]:.2%} at {_iso(times[i])}",
        )


def _funding_findings(rows: Rows, limits: Limits) -> Iterator[Finding]:
    times: Times = rows["time_ms"]
    if not len(times):
        yield _one("empty", "no rows")
    yield from _time_findings(times, HOUR_MS)
    yield from _funding_gaps(times)
    yield from _rate_findings(rows["rate"], times, limits)


def _funding_gaps(times: Times) -> Iterator[Finding]:
    # Exchanges change the interval of a symbol, so a step is a gap if both its neighbors are
    # shorter, or if no exchange has intervals that long.
    known = np.unique(times)
    steps = np.diff(known)
    around = np.concatenate([steps[1:2], steps, steps[-2:-1]]) if len(steps) > 1 else steps
    is_longer = np.zeros(len(steps), dtype=np.bool_)
    if len(steps) > 1:
        is_longer = (steps > around[:-2]) & (steps > around[2:])
    yield from _found(
        "gap",
        is_longer | (steps > _LONGEST_FUNDING_MS),
        lambda i: f"{steps[i] / HOUR_MS:g} hours after {_iso(known[i])}",
    )


def _rate_findings(rates: Floats, times: Times, limits: Limits) -> Iterator[Finding]:
    is_number = np.isfinite(rates)
    yield from _found("impossible rate", ~is_number, lambda i: f"{rates[i]} at {_iso(times[i])}")
    yield from _found(
        "suspicious rate",
        is_number & (np.abs(rates) > limits.funding_rate),
        lambda i: f"{rates[i]:.4%} at {_iso(times[i])}",
    )


def _found(kind: str, broken: Flags, tell: Callable[[int], str]) -> Iterator[Finding]:
    indices = np.flatnonzero(broken)
    if len(indices):
        examples = tuple(tell(int(i)) for i in indices[:_EXAMPLES])
        yield Finding(kind=kind, count=len(indices), examples=examples)


def _one(kind: str, text: str) -> Finding:
    return Finding(kind=kind, count=1, examples=(text,))


def _funding_rows(path: Path) -> Rows:
    if not path.name.endswith(FUNDING_SUFFIX):
        expected = f"{_symbol(path)}{FUNDING_SUFFIX}"
        raise ConfigError(f"{path}: found funding that is not read, expected {expected}")
    return read_columns(path, FUNDING_ROW)


def _symbol(path: Path) -> str:
    return path.name.partition(".")[0]


def _kind(path: Path) -> str:
    """Return what follows the symbol: empty for candles, `funding`, `mark_1h`."""
    suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
    return path.name.removesuffix(suffix).partition(".")[2]


def _iso(time_ms: int) -> str:
    if not FIRST_MS <= time_ms < END_MS:
        return f"{time_ms} ms"
    return f"{np.datetime64(int(time_ms), 'ms').astype('datetime64[s]')}Z"
