"""Fetches the market history missing in candle and funding files from Bybit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.errors import ConfigError
from domain.market.candles import Times
from domain.market.instruments import HOUR_MS, MINUTE_MS
from infra.candles.history_files import CANDLE_ROW, FUNDING_ROW, HistoryFile, Rows, usual_step
from infra.candles.tables import SUFFIXES
from infra.venues.bybit.errors import ReadRefusedError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import Listing

_CANDLES_A_REQUEST = 1000
_SETTLEMENTS_A_REQUEST = 200
_USUAL_FUNDING_MS = 8 * HOUR_MS
_REQUESTS_A_SAVE = 10
"""Most work that a kill can lose."""

Span = tuple[int, int]
"""First and last time, ms, both inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to download."""

    symbols: Sequence[str]
    from_ms: int
    """Earliest open time of a candle."""
    to_ms: int | None
    """Latest close time of a candle; None: now."""
    candle_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file, and what is missing in it."""

    what: str
    """Shown to the user: `BTCUSDT candles`."""
    file: HistoryFile
    wanted: Span
    missing: list[Span]
    """One request each, in an order that leaves no gap in the file when interrupted."""
    fetch: Callable[[Span], Rows]

    def run(self, on_request: Callable[[], None]) -> None:
        """Fetch what is missing; whatever arrived is saved in any case.

        Raises:
            UnavailableError: the exchange does not answer.
            BadDataError: its answer cannot be read.
            ConfigError: the file cannot be written.
        """
        try:
            for number, span in enumerate(self.missing, start=1):
                self.file.add(self.fetch(span))
                if number % _REQUESTS_A_SAVE == 0:
                    self.file.save()
                on_request()
        finally:
            self.file.save()


class Download:
    """The parts of a download: for each symbol its candles, then its funding."""

    def __init__(self, rest: BybitRest, directory: Path, wanted: Wanted) -> None:
        self._rest = rest
        self._directory = directory
        self._wanted = wanted
        self.to_ms = wanted.to_ms
        """Latest possible close time; known once there are parts."""

    def parts(self) -> list[Part]:
        """Return what to do, after checking the files and the exchange's listings.

        Raises:
            ConfigError: the exchange does not list a symbol, the period holds no closed candle, or
                a file holds other candles.
            BadDataError: a file is damaged.
            UnavailableError: the exchange does not answer.
        """
        now_ms = self._rest.server_time()
        self.to_ms = to_ms = min(now_ms, self._wanted.to_ms or now_ms)
        parts = []
        for symbol in self._wanted.symbols:
            listing = self._listing(symbol)
            from_ms = max(self._wanted.from_ms, listing.launch_ms or 0)
            parts.append(self._candles(symbol, (from_ms, to_ms)))
            parts.append(self._funding(symbol, (from_ms, to_ms), listing))
        return parts

    def _listing(self, symbol: str) -> Listing:
        try:
            return self._rest.instruments([symbol])[symbol]
        except (ReadRefusedError, KeyError) as error:
            raise ConfigError(
                f"--symbols {symbol}: the exchange does not list it: {error}"
            ) from error

    def _candles(self, symbol: str, span: Span) -> Part:
        candle_ms = self._wanted.candle_ms
        first, last = -(-span[0] // candle_ms) * candle_ms, (span[1] // candle_ms - 1) * candle_ms
        if first > last:
            raise ConfigError(
                f"{symbol}: expected a time that holds a closed candle, found {_iso(span[0])} "
                f"to {_iso(span[1])}"
            )
        file = HistoryFile(_candle_path(self._directory, symbol), CANDLE_ROW)
        _check_interval(file, candle_ms)
        if len(file.times):
            # What lies between the file and the requested period is fetched too: it would be a gap.
            first = min(first, int(file.times[-1]) + candle_ms)
            last = max(last, int(file.times[0]) - candle_ms)
        return Part(
            what=f"{symbol} candles",
            file=file,
            wanted=(first, last),
            missing=list(_missing_candles(file.times, (first, last), candle_ms)),
            fetch=lambda span: self._fetch_candles(symbol, span),
        )

    def _fetch_candles(self, symbol: str, span: Span) -> Rows:
        found = self._rest.kline(symbol, *span, candle_ms=self._wanted.candle_ms)
        rows = [(c.open_time_ms, c.open, c.high, c.low, c.close, c.volume) for c in found]
        return np.array(rows, CANDLE_ROW)

    def _funding(self, symbol: str, span: Span, listing: Listing) -> Part:
        file = HistoryFile(self._directory / f"{symbol}.funding.parquet", FUNDING_ROW)
        step_ms = (listing.funding_interval_ms or _USUAL_FUNDING_MS) * _SETTLEMENTS_A_REQUEST
        return Part(
            what=f"{symbol} funding",
            file=file,
            wanted=span,
            missing=list(_missing_ends(file.times, span, step_ms)),
            fetch=lambda span: self._fetch_funding(symbol, span),
        )

    def _fetch_funding(self, symbol: str, span: Span) -> Rows:
        found = self._rest.funding_rates(symbol, *span)
        return np.array([(time_ms, float(rate)) for time_ms, rate in found.items()], FUNDING_ROW)


def _candle_path(directory: Path, symbol: str) -> Path:
    path = directory / f"{symbol}.parquet"
    others = [directory / f"{symbol}{suffix}" for suffix in SUFFIXES]
    there = [other.name for other in others if other != path and other.exists()]
    if there:
        raise ConfigError(
            f"{directory}: found {there[0]}; candles are read from one file, and this would write "
            f"{path.name} beside it: move it away, or name another folder"
        )
    return path


def _check_interval(file: HistoryFile, candle_ms: int) -> None:
    times = file.times
    if len(times) == 0:
        return
    step_ms = usual_step(times) or candle_ms
    if step_ms != candle_ms or np.any(times % candle_ms):
        raise ConfigError(
            f"{file.path}: found candles of {step_ms / MINUTE_MS:g} minutes, expected "
            f"{candle_ms // MINUTE_MS}, as in --interval: name another folder"
        )


def _missing_candles(times: Times, wanted: Span, candle_ms: int) -> Iterator[Span]:
    grid = np.arange(wanted[0], wanted[1] + 1, candle_ms)
    missing = np.setdiff1d(grid, times, assume_unique=True)
    if not len(missing):
        return
    for part in np.split(missing, np.flatnonzero(np.diff(missing) != candle_ms) + 1):
        is_before = len(times) > 0 and part[-1] < times[0]
        span = int(part[0]), int(part[-1])
        yield from _requests(span, candle_ms * _CANDLES_A_REQUEST, is_backward=is_before)


def _missing_ends(times: Times, wanted: Span, step_ms: int) -> Iterator[Span]:
    """Return the parts before and after the known times; between them nothing is missing."""
    if not len(times):
        yield from _requests(wanted, step_ms)
        return
    yield from _requests((wanted[0], int(times[0]) - 1), step_ms, is_backward=True)
    yield from _requests((int(times[-1]) + 1, wanted[1]), step_ms)


def _requests(span: Span, step_ms: int, *, is_backward: bool = False) -> list[Span]:
    """Cut a span into requests, ordered away from the known times."""
    first, last = span
    cuts = [(at, min(at + step_ms - 1, last)) for at in range(first, last + 1, step_ms)]
    return cuts[::-1] if is_backward else cuts


def _iso(time_ms: int) -> str:
    return f"{np.datetime64(time_ms, 'ms').astype('datetime64[s]')}Z"
