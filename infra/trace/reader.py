"""Reads a trace, of a finished or a running process, or a crash file."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path

import msgspec

from domain.errors import BadDataError, ConfigError
from domain.market.candles import CandleSeries
from infra.trace.frames import Frame, read_frames
from infra.trace.names import FORMAT, Renamer
from infra.trace.recorder import SEGMENTS
from infra.trace.records import (
    NOTE_KEY,
    SERIES_KEY,
    SESSION_KEY,
    Session,
    StoredHandling,
    StoredSeries,
)
from infra.trace.series import SeriesReader

_session = msgspec.msgpack.Decoder(Session)
_handlings = msgspec.msgpack.Decoder(list[StoredHandling])
_series = msgspec.msgpack.Decoder(list[StoredSeries])
_text = msgspec.msgpack.Decoder(str)


@dataclass(slots=True, kw_only=True)
class Found:
    """One record, with what it refers to."""

    handling: StoredHandling
    session: Session
    series: dict[int, CandleSeries | None] = field(default_factory=dict)
    """By the index of the call that they answered; None if damaged."""
    is_after_gap: bool = False
    """Something may be missing between this record and the previous one of the same address."""


class TraceReader:
    """All segments of a run, or one crash file."""

    def __init__(self, path: Path) -> None:
        """Find the segments.

        Raises:
            ConfigError: there is no trace.
        """
        self.files = [path] if path.is_file() else sorted(path.glob(SEGMENTS))
        if not self.files:
            raise ConfigError(
                f"{path}: no trace there; name the run with --run-dir, and see `trace` in settings"
            )
        if path.is_file() and next(iter(read_frames(path, [])), None) is None:
            raise ConfigError(f"{path}: neither a run directory nor a crash file")
        self._followed: dict[Path, int] = {}
        self._session: Session | None = None
        self._renamers: dict[int, Renamer] = {}
        self._noted: dict[str, int] = {}
        """Number of notes at the newest records of each address."""
        self.notes: list[str] = []
        """What could not be read."""

    def sessions(self) -> list[Session]:
        """Return the processes that wrote the trace, oldest first, each with all its actors."""
        found: dict[int, Session] = {}
        for file in self.files:
            frame = next(iter(read_frames(file, self.notes)), None)
            if frame is not None and frame.head.key == SESSION_KEY:
                session = self._session_of(frame)
                known = found.get(session.number, session)
                names = {each.address for each in known.actors}
                later = [each for each in session.actors if each.address not in names]
                actors = [*known.actors, *later]
                found[session.number] = msgspec.structs.replace(known, actors=actors)
        return list(found.values())

    def read(
        self,
        *,
        keys: Collection[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> Iterator[Found]:
        """Yield the records, in the order in which they ended, as far as their batches show.

        Args:
            keys: addresses whose messages are wanted; None: all.
            from_ms: first time of the trading clock.
            to_ms: last time.
        """
        self.notes = []
        self._noted = {}
        for file in self.files:
            yield from self._read_file(file, keys, from_ms, to_ms)

    def follow(self, directory: Path, keys: Collection[str] | None = None) -> Iterator[Found]:
        """Yield what was written since the last call; the first call yields all.

        Candles that actors read are left out.
        """
        for file in sorted(directory.glob(SEGMENTS)):
            torn: list[str] = []
            for frame in read_frames(file, torn, self._followed.get(file, 0)):
                self._followed[file] = frame.end
                if frame.head.key == SESSION_KEY:
                    self._session = self._session_of(frame)
                elif self._session is not None and _is_wanted(frame.head.key, keys):
                    yield from self._records(frame, self._session, SeriesReader(), None, None)

    def skip_to_end(self, directory: Path, bytes_before: int) -> None:
        """Make `follow` begin shortly before the current end of the trace."""
        files = sorted(directory.glob(SEGMENTS))
        self._followed |= {file: file.stat().st_size for file in files[:-1]}
        for newest in files[-1:]:
            first = next(iter(read_frames(newest, [])), None)
            if first is not None and first.head.key == SESSION_KEY:
                self._session = self._session_of(first)
                self._followed[newest] = max(first.end, newest.stat().st_size - bytes_before)

    def _read_file(
        self, file: Path, keys: Collection[str] | None, from_ms: int | None, to_ms: int | None
    ) -> Iterator[Found]:
        session: Session | None = None
        series: dict[str, SeriesReader] = {}
        batch: list[list[Found]] = []
        number = -1
        for frame in read_frames(file, self.notes):
            head = frame.head
            if head.key == SESSION_KEY:
                session = self._session_of(frame)
            elif head.key.startswith(SERIES_KEY):
                known = series.setdefault(head.key.removeprefix(SERIES_KEY), SeriesReader())
                if keys is None or head.key.removeprefix(SERIES_KEY) in keys:
                    for stored in _series.decode(_as_list(frame)):
                        known.add(stored)
            elif head.key == NOTE_KEY:
                self.notes.append(f"{file.name}: {_text.decode(frame.payload())}")
            elif session is None:
                self.notes.append(f"{file.name}: skipped records of an unknown session")
            elif (
                (keys is None or head.key in keys)
                and (from_ms is None or head.last_ms >= from_ms)
                and (to_ms is None or head.first_ms <= to_ms)
            ):
                if head.batch != number:
                    yield from merge(*batch, key=_ended)
                    batch, number = [], head.batch
                known = series.setdefault(head.key, SeriesReader())
                records = self._records(frame, session, known, from_ms, to_ms)
                self._mark_gap(head.key, records)
                batch.append(records)
        yield from merge(*batch, key=_ended)

    def _mark_gap(self, key: str, records: list[Found]) -> None:
        if records:
            records[0].is_after_gap = self._noted.get(key, 0) != len(self.notes)
            self._noted[key] = len(self.notes)

    def _session_of(self, frame: Frame) -> Session:
        """Return a session as the current version would have described it."""
        session = _session.decode(frame.payload())
        if session.format < FORMAT:
            self._renamers[session.number] = Renamer(session)
        return session

    def _records(
        self,
        frame: Frame,
        session: Session,
        series: SeriesReader,
        from_ms: int | None,
        to_ms: int | None,
    ) -> list[Found]:
        renamer = self._renamers.get(session.number)
        return [
            Found(
                handling=stored if renamer is None else renamer.handling(stored),
                session=session,
                series={
                    place: series.resolve(call.series)
                    for place, call in enumerate(stored.calls)
                    if call.series is not None
                },
            )
            for stored in _stored(frame)
            if (from_ms is None or stored.now_ms >= from_ms)
            and (to_ms is None or stored.now_ms <= to_ms)
        ]


def _is_wanted(key: str, keys: Collection[str] | None) -> bool:
    return not key.startswith("=") and (keys is None or key in keys)


def _as_list(frame: Frame) -> bytes:
    # The records are stored back to back: prefixed with an array header they decode as one array.
    return b"\xdd" + frame.head.count.to_bytes(4, "big") + frame.payload()


def _ended(found: Found) -> int:
    return found.handling.done_ns


def _stored(frame: Frame) -> list[StoredHandling]:
    try:
        return _handlings.decode(_as_list(frame))
    except msgspec.ValidationError as error:
        raise BadDataError(
            f"the trace was written by another version of this program, which can read it ({error})"
        ) from error
