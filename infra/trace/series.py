"""Candles in a trace: each is stored once, however often an actor reads its history."""

from typing import Any

import msgspec
import numpy as np

from domain.market.candles import CandleSeries
from infra.trace.records import SeriesRef, StoredSeries

_COLUMNS = ("open", "high", "low", "close", "volume", "carried")


class SeriesWriter:
    """Tracks which candles of each asset a segment holds."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, CandleSeries]] = {}

    def refer(self, asset: str, series: CandleSeries) -> tuple[SeriesRef, StoredSeries | None]:
        """Return a reference to a series in the segment, and what must be added for it."""
        if not len(series):
            return SeriesRef(asset, 0, 0, 0), None
        first_ms = int(series.open_time_ms[0])
        version, known = self._known.get(asset, (0, None))
        if known is not None and _holds_start_of(known, series):
            missing = series.between(_end_ms(known), _end_ms(series))
            if len(missing):
                self._known[asset] = (version, _joined(known, series, missing))
        else:
            version, missing = version + 1, series
            self._known[asset] = (version, series)
        ref = SeriesRef(asset, version, first_ms, len(series))
        return ref, _stored(asset, version, missing) if len(missing) else None


class SeriesReader:
    """Reassembles the candles of one segment."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, int], list[CandleSeries]] = {}

    def add(self, stored: StoredSeries) -> None:
        """Add the next candles of an asset."""
        self._parts.setdefault((stored.asset, stored.version), []).append(_series(stored))

    def resolve(self, ref: SeriesRef) -> CandleSeries | None:
        """Return the candles of a reference; None if they were in a damaged part."""
        if not ref.count:
            return EMPTY
        parts = self._parts.get((ref.asset, ref.version))
        if parts is None:
            return None
        if len(parts) > 1:
            parts[:] = [_concatenated(parts)]
        whole = parts[0]
        found = whole.between(ref.first_open_ms, ref.first_open_ms + ref.count * whole.candle_ms)
        return found if len(found) == ref.count else None


def _end_ms(series: CandleSeries) -> int:
    return int(series.open_time_ms[-1]) + series.candle_ms


def _holds_start_of(known: CandleSeries, series: CandleSeries) -> bool:
    """Tell whether a series begins within the known one and agrees with it where they overlap."""
    first_ms = int(series.open_time_ms[0])
    if not int(known.open_time_ms[0]) <= first_ms <= _end_ms(known):
        return False
    if known.candle_ms != series.candle_ms:
        return False
    end_ms = min(_end_ms(known), _end_ms(series))
    ours, theirs = known.between(first_ms, end_ms), series.between(first_ms, end_ms)
    return all(np.array_equal(getattr(ours, n), getattr(theirs, n)) for n in _COLUMNS)


def _joined(known: CandleSeries, series: CandleSeries, missing: CandleSeries) -> CandleSeries:
    # A history only grows at its end, so nothing needs to be copied.
    whole = int(series.open_time_ms[0]) == int(known.open_time_ms[0])
    return series if whole else _concatenated([known, missing])


def _concatenated(parts: list[CandleSeries]) -> CandleSeries:
    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return CandleSeries(
        open_time_ms=joined("open_time_ms"),
        open=joined("open"),
        high=joined("high"),
        low=joined("low"),
        close=joined("close"),
        volume=joined("volume"),
        carried=joined("carried"),
        candle_ms=parts[0].candle_ms,
    )


def _stored(asset: str, version: int, series: CandleSeries) -> StoredSeries:
    return StoredSeries(
        asset=asset,
        version=version,
        candle_ms=series.candle_ms,
        first_open_ms=int(series.open_time_ms[0]),
        columns=[np.ascontiguousarray(getattr(series, name)).tobytes() for name in _COLUMNS],
    )


def _series(stored: StoredSeries) -> CandleSeries:
    floats = [np.frombuffer(column, dtype="<f8") for column in stored.columns[:-1]]
    count = len(floats[0])
    return CandleSeries(
        open_time_ms=stored.first_open_ms + stored.candle_ms * np.arange(count, dtype=np.int64),
        open=floats[0],
        high=floats[1],
        low=floats[2],
        close=floats[3],
        volume=floats[4],
        carried=np.frombuffer(stored.columns[-1], dtype=np.bool_),
        candle_ms=stored.candle_ms,
    )


EMPTY = CandleSeries(
    open_time_ms=np.zeros(0, dtype=np.int64),
    open=np.zeros(0),
    high=np.zeros(0),
    low=np.zeros(0),
    close=np.zeros(0),
    volume=np.zeros(0),
    carried=np.zeros(0, dtype=np.bool_),
    candle_ms=300_000,
)


def encode_series(stored: StoredSeries) -> bytes:
    """Return it as it is stored."""
    return msgspec.msgpack.encode(stored)
