"""Writes the trace in a thread of its own; the working threads only append to a queue.

Tracing never holds up trading: a full or failing disk ends the tracing, is reported once, and
trading goes on.
"""

import re
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from loguru import logger

from domain.text import counted
from infra.secrets.cipher import PLAIN, Cipher
from infra.settings.secrets import with_opened
from infra.trace.crash_files import write_crash_file
from infra.trace.encode import Handling, HandlingEncoder, pack
from infra.trace.frames import Head, frame_bytes
from infra.trace.records import (
    NOTE_KEY,
    SERIES_KEY,
    SESSION_KEY,
    ActorDescription,
    Session,
)

SEGMENTS = "*.trace"
_NAME = re.compile(r"(\d+)-(\d+)\.trace")
_SLICE = 64
"""Records encoded before the interpreter's lock is offered to other threads."""
_LONGEST_QUEUE = 200_000
_CLOSING_S = 30.0
_START = "Start"
_ENDED_LIFE = ("crashed", "hung")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRules:
    """How much is recorded, and how long it is kept."""

    ring: int
    """Number of messages kept in memory."""
    flush_s: float
    segment_bytes: int
    segment_s: float
    kept_bytes: int
    kept_s: float
    tick_every: int
    """Of the messages that only carry a newer price, every n-th is kept."""
    crash_files: int
    """How many of the newest crash files are kept."""
    secrets: tuple[str, ...] = ()
    """Texts that never enter a trace; values read from keystores do not either."""


def next_session(directory: Path) -> int:
    """Return the next session number after all that have left a trace, from 1."""
    found = (_NAME.fullmatch(file.name) for file in directory.glob(SEGMENTS))
    return 1 + max((int(match[1]) for match in found if match is not None), default=0)


class TraceRecorder:
    """The recorder of one process. Called at the end of every message, from any thread."""

    def __init__(
        self, directory: Path, session: Session, rules: TraceRules, cipher: Cipher = PLAIN
    ) -> None:
        """Collect records from now on; `start` begins to write them, through the cipher.

        A directory that cannot be written is not an error: nothing is traced, and this is logged.
        """
        self.directory = directory
        self.session = session
        self.recent: deque[Handling] = deque(maxlen=rules.ring)
        """The newest messages. Once written they drop what they read: a start reads everything."""
        self.stopped_because: str | None = None
        self.bytes_written = 0
        self._rules, self._cipher = rules, cipher
        self._queue: deque[Handling] = deque()
        self._dropped = 0
        self._ticks = 0
        self._batch = 0
        self._last_ms = 0
        self._segment = 0
        self._written = 0
        self._opened_s = 0.0
        self._encoder = HandlingEncoder()
        self._incarnations: dict[str, tuple[int, int]] = {}
        """Segment and offset at which the newest incarnation of each address begins."""
        self._file: BinaryIO = BytesIO()
        self._closing = threading.Event()
        self._described: list[ActorDescription] | None = None
        """Actor descriptions for the next segment, which begins at the next flush."""
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)

    def start(self, actors: list[ActorDescription]) -> None:
        """Start writing.

        Args:
            actors: what each is constructed with; written at the head of every segment.
        """
        self.session.actors = actors
        self._thread.start()

    def describe(self, actors: list[ActorDescription], timeout_s: float) -> None:
        """Begin a segment with new actor descriptions, and wait until it has begun.

        Args:
            actors: what each is constructed with from now on.
            timeout_s: longest wait; then go on without.
        """
        self._described = actors
        self._has_begun.clear()
        if self._thread.is_alive():
            self._has_begun.wait(timeout_s)

    def __call__(self, handling: Handling) -> None:
        """Take a message that has been handled. Never waits, never raises."""
        self.recent.append(handling)
        if self.stopped_because is not None:
            handling.calls.clear()
            return
        if len(self._queue) >= _LONGEST_QUEUE:
            handling.calls.clear()
            self._dropped += 1
            return
        self._queue.append(handling)

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSING_S)

    # Below: runs in the writing thread.

    def _run(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._open()
            while not self._closing.wait(self._rules.flush_s):
                self._flush()
            self._flush()
        except Exception as error:  # noqa: BLE001 (trading must not hear of it)
            self.stopped_because = f"{type(error).__name__}: {error}"
            self._queue.clear()
            logger.error("tracing stopped, trading continues: {}", self.stopped_because)
        finally:
            with suppress(OSError):  # closing writes once more what a full disk did not take
                self._file.close()

    def _open(self) -> None:
        self._segment += 1
        self._file = self._path(self._segment).open("xb")
        self._opened_s = time.monotonic()
        self._written = 0
        self._encoder.begin_segment()
        self._write(SESSION_KEY, 1, pack(self.session), self._last_ms, self._last_ms)
        self._forget_old()

    def _path(self, segment: int) -> Path:
        return self.directory / f"{self.session.number:06d}-{segment:06d}.trace"

    def _flush(self) -> None:
        """Write all that is queued, one frame per address, and hand it to the operating system."""
        left = len(self._queue)  # what arrives meanwhile waits for the next flush: a flush must end
        while left:
            left -= self._write_batch(min(left, _BATCH))
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            lost = counted(dropped, "message was", "messages were")
            note = f"{lost} not recorded: the disk is too slow"
            self._write(NOTE_KEY, 1, pack(note), self._last_ms, self._last_ms)
        self._file.flush()
        is_old = time.monotonic() - self._opened_s > self._rules.segment_s
        described, self._described = self._described, None
        if described is not None:
            self.session.actors = described
        if described is not None or self._written > self._rules.segment_bytes or is_old:
            self._file.close()
            self._open()
            self._has_begun.set()

    def _write_batch(self, most: int) -> int:
        """Write records up to the end of an incarnation, and return how many there were."""
        self._batch += 1
        buffers: dict[str, _Buffer] = {}
        ended: Handling | None = None
        unstored: list[str] = []
        taken = 0
        while taken < most and ended is None:
            handling = self._queue.popleft()
            taken += 1
            if handling.envelope.is_tick and self._is_skipped(handling):
                continue
            buffer = buffers.setdefault(handling.envelope.receiver, _Buffer())
            try:
                buffer.add(self._encoder, handling, self._last_ms)
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                kind = type(handling.envelope.message).__name__
                unstored.append(f"a {kind} could not be recorded: {error}")
                continue
            finally:
                handling.calls.clear()
            self._last_ms = buffer.last_ms
            if handling.outcome in _ENDED_LIFE:
                ended = handling
            if taken % _SLICE == 0:
                time.sleep(0)
        self._write_frames(buffers, unstored)
        if ended is not None:
            # The frame ends with the incarnation, so the crash file holds nothing later.
            self._file.flush()
            self._write_crash_file(ended)
        return taken

    def _write_frames(self, buffers: dict[str, "_Buffer"], unstored: list[str]) -> None:
        for note in unstored:
            self._write(NOTE_KEY, 1, pack(note), self._last_ms, self._last_ms)
        self._write_series()
        for address, buffer in buffers.items():
            if not buffer.count:
                continue
            if buffer.has_start:
                self._incarnations[address] = (self._segment, self._written)
            self._write(address, buffer.count, buffer.records, buffer.first_ms, buffer.last_ms)

    def _is_skipped(self, handling: Handling) -> bool:
        """Tell whether a tick is left out: it led to nothing and is not the n-th."""
        if handling.calls or any(not told.is_tick for told in handling.told):
            return False
        self._ticks += 1
        return self._ticks % self._rules.tick_every != 0

    def _write_series(self) -> None:
        added, self._encoder.added = self._encoder.added, {}
        for address, parts in added.items():
            now_ms = self._last_ms
            self._write(SERIES_KEY + address, len(parts), b"".join(parts), now_ms, now_ms)

    def _write(
        self, key: str, count: int, payload: bytes | bytearray, first_ms: int, last_ms: int
    ) -> None:
        for secret in map(str.encode, with_opened(self._rules.secrets)):
            # Of the same length, so that the lengths in the records stay valid.
            payload = payload.replace(secret, b"*" * len(secret))
        frame = frame_bytes(Head(key, self._batch, count, first_ms, last_ms), payload, self._cipher)
        self._file.write(frame)
        self._written += len(frame)
        self.bytes_written += len(frame)

    def _write_crash_file(self, handling: Handling) -> None:
        envelope = handling.envelope
        began = self._incarnations.get(envelope.receiver)
        if began is None:
            return
        segments = [self._path(n) for n in range(began[0], self._segment + 1)]
        write_crash_file(
            self.directory.parent / "crashes",
            envelope.receiver,
            envelope.message_id,
            [file for file in segments if file.exists()],
            began[1],
            keep=self._rules.crash_files,
        )

    def _forget_old(self) -> None:
        """Delete the oldest segments beyond the size or age to keep."""
        files = sorted(self.directory.glob(SEGMENTS))[:-1]
        sizes = {file: file.stat().st_size for file in files}
        total, oldest_s = sum(sizes.values()), time.time() - self._rules.kept_s
        for file in files:
            if total <= self._rules.kept_bytes and file.stat().st_mtime >= oldest_s:
                break
            total -= sizes[file]
            file.unlink()


_BATCH = 4_096
"""Most records in a batch of frames, over all addresses."""


class _Buffer:
    """The records of one address in one batch."""

    def __init__(self) -> None:
        self.records = bytearray()
        self.count = 0
        self.first_ms = 0
        self.last_ms = 0
        self.has_start = False

    def add(self, encoder: HandlingEncoder, handling: Handling, last_ms: int) -> None:
        now_ms = encoder.encode_into(handling, last_ms, self.records)
        self.count += 1
        self.first_ms = now_ms if self.count == 1 else min(self.first_ms, now_ms)
        self.last_ms = max(self.last_ms, now_ms)
        if type(handling.envelope.message).__name__ == _START:
            self.has_start = True
