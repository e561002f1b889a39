"""Writes the trace, in a thread of its own: whoever works only appends to a queue.

A trace is a help, never a condition: a full or failing disk ends the tracing, is said once, and
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
"""Records encoded before the interpreter is handed to whoever waits for it."""
_LONGEST_QUEUE = 200_000
_CLOSING_S = 30.0
_START = "Start"
_ENDED_LIFE = ("crashed", "hung")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRules:
    """How much is recorded, and how long it is kept."""

    ring: int
    """Messages kept in memory."""
    flush_s: float
    segment_bytes: int
    segment_s: float
    kept_bytes: int
    kept_s: float
    tick_every: int
    """Of the messages that are no more than a newer price, each n-th is kept."""
    crash_files: int
    """Newest crash files that are kept."""
    secrets: tuple[str, ...] = ()
    """Texts that never enter a trace; what is read from keystores does not either."""


def next_session(directory: Path) -> int:
    """Return the number of the session after all that have left a trace; from 1."""
    found = (_NAME.fullmatch(file.name) for file in directory.glob(SEGMENTS))
    return 1 + max((int(match[1]) for match in found if match is not None), default=0)


class TraceRecorder:
    """The recorder of one process. Called at the end of every message, from any thread."""

    def __init__(
        self, directory: Path, session: Session, rules: TraceRules, cipher: Cipher = PLAIN
    ) -> None:
        """Take notes from now on; `start` begins to write them, through the cipher.

        A directory that cannot be written is no error: nothing is traced then, and it is said.
        """
        self.directory = directory
        self.session = session
        self.recent: deque[Handling] = deque(maxlen=rules.ring)
        """The newest messages. Once written they hold no more what they read: a start reads all."""
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
        """Where the newest incarnation of each address begins: segment and offset."""
        self._file: BinaryIO = BytesIO()
        self._closing = threading.Event()
        self._described: list[ActorDescription] | None = None
        """Heads the next segment, which begins at the next flush."""
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)

    def start(self, actors: list[ActorDescription]) -> None:
        """Begin to write.

        Args:
            actors: what they are made with; heads every segment.
        """
        self.session.actors = actors
        self._thread.start()

    def describe(self, actors: list[ActorDescription], timeout_s: float) -> None:
        """Begin a segment whose incarnations are made otherwise, and wait until it has begun.

        Args:
            actors: what all are made with from now on.
            timeout_s: how long is waited; a trace is never a condition.
        """
        self._described = actors
        self._has_begun.clear()
        if self._thread.is_alive():
            self._has_begun.wait(timeout_s)

    def __call__(self, handling: Handling) -> None:
        """Take a message at its end. Never waits, never raises."""
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
        """Write what is left, and end the thread."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSING_S)

    # In the thread.

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
            with suppress(OSError):  # what a full disk did not take is tried once more
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
        """Write all that waits, one frame an address, and hand it to the operating system."""
        left = len(self._queue)  # what comes in meanwhile is for the next flush: a flush must end
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
            # A frame that ends with the incarnation: the crash file holds nothing that came after.
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
        """Tell whether a tick is left out: it decided nothing, and it is not its turn."""
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
            # As long as before: the lengths in the records stay true.
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
        """Delete the oldest segments, beyond the size or the age that is kept."""
        files = sorted(self.directory.glob(SEGMENTS))[:-1]
        sizes = {file: file.stat().st_size for file in files}
        total, oldest_s = sum(sizes.values()), time.time() - self._rules.kept_s
        for file in files:
            if total <= self._rules.kept_bytes and file.stat().st_mtime >= oldest_s:
                break
            total -= sizes[file]
            file.unlink()


_BATCH = 4_096
"""Records a frame group holds at most, over all addresses."""


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
