"""Where a market starts: its candles, how many have already closed, and the time."""

from pathlib import Path
from typing import NamedTuple

from infra.candles.files import read_candles
from infra.venues.simulator.clock import wall_ms
from infra.venues.simulator.memory.state_file import Memory
from infra.venues.simulator.options import SimulatorOptions
from infra.venues.simulator.prices.crash import CrashSource
from infra.venues.simulator.prices.generator import CANDLE_MS
from infra.venues.simulator.prices.sources import GeneratedSource, Mark, RecordedSource, Source

_LONGEST_AWAY_MS = 3_600_000
"""Most exchange time that passes while the exchange is not running."""


class Opening(NamedTuple):
    """The state in which a market opens."""

    source: Source
    history: int
    """Candles that are closed already."""
    start_ms: int
    """The time of the clock."""


def opening(options: SimulatorOptions, seed: int, memory: Memory | None) -> Opening:
    """Return the state in which a market opens, for the first time or again.

    Raises:
        ConfigError: the candle files cannot be used.
    """
    if options.candles is not None:
        found = _recorded(options, options.candles, memory)
    elif memory is not None:
        found = _generated_again(options, seed, memory)
    else:
        found = _generated(options, seed)
    return found if options.crash_after is None else _crashing(options, seed, found)


def _crashing(options: SimulatorOptions, seed: int, found: Opening) -> Opening:
    number = options.history + (options.crash_after or 0)
    instruments = {instrument.symbol: instrument for instrument in options.instruments}
    return found._replace(source=CrashSource(found.source, instruments, seed, number))


def _recorded(options: SimulatorOptions, folder: Path, memory: Memory | None) -> Opening:
    source = RecordedSource(
        read_candles(
            folder,
            [instrument.symbol for instrument in options.instruments],
            candle_ms=CANDLE_MS,
            from_ms=options.from_ms,
            to_ms=options.to_ms,
        )
    )
    if memory is not None:
        closed = (memory.time_ms - source.first_open_ms) // CANDLE_MS
        return Opening(source, min(closed, source.count), _time_now(options, memory))
    history = min(options.history, source.count // 2)
    return Opening(source, history, source.first_open_ms + history * CANDLE_MS)


def _generated_again(options: SimulatorOptions, seed: int, memory: Memory) -> Opening:
    first_ms = memory.start.first_open_ms
    closed = (memory.time_ms - first_ms) // CANDLE_MS
    mark = _newest_mark(options, memory, closed - options.history)
    source = GeneratedSource(options.instruments, seed, first_ms, mark, options.others)
    return Opening(source, closed, _time_now(options, memory))


def _generated(options: SimulatorOptions, seed: int) -> Opening:
    start_ms = wall_ms() if options.start_ms is None else options.start_ms
    opened_ms = start_ms // CANDLE_MS * CANDLE_MS
    first_ms = opened_ms - options.history * CANDLE_MS
    source = GeneratedSource(options.instruments, seed, first_ms, others=options.others)
    return Opening(source, options.history, opened_ms if options.speed is None else start_ms)


def _newest_mark(options: SimulatorOptions, memory: Memory, number: int) -> Mark | None:
    """Return the newest mark up to a candle, so that older candles need not be generated again."""
    symbols = {instrument.symbol for instrument in options.listed}
    found = [
        mark
        for mark in memory.marks
        if mark["number"] <= number and mark["state"]["walkers"].keys() == symbols
    ]
    return found[-1] if found else None


def _time_now(options: SimulatorOptions, memory: Memory) -> int:
    # A running clock ran on while the exchange was down, as a real one's does; but only so
    # far that the start stays quick, since all of it is traded through.
    speed = memory.start.speed
    if options.speed is None or speed is None:
        return memory.time_ms
    away_ms = wall_ms() - memory.start.wall_ms
    ran_on_ms = memory.start.time_ms + int(away_ms * speed)
    return max(memory.time_ms, min(ran_on_ms, memory.time_ms + _LONGEST_AWAY_MS))
