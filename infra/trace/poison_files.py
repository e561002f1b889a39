"""Messages that crashed an actor in an earlier process, read from the crash files of a run.

A message that an operator has dealt with is marked by a note in its crash file, and not read again.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

from infra.trace.crash_ends import UNREADABLE, mark_settled, read_crash_end
from infra.trace.crash_files import CRASHES, crash_file_name
from infra.trace.decode import TraceDecoder, TraceTypes

_START = "Start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A message that ended an incarnation."""

    message: Any
    message_id: int
    parent_id: int | None
    trace_id: int
    sender: str
    sender_generation: int
    receiver: str
    now_ms: int
    cause: str


class PoisonFiles:
    """The crash files of one run directory."""

    def __init__(self, run_dir: Path, messages: Mapping[str, type], session: int) -> None:
        """Remember where to look; nothing is read yet.

        Args:
            run_dir: of the run.
            messages: message types of this version, by name.
            session: of this process, which itself keeps track of what it sets aside.
        """
        self._run_dir, self._directory = run_dir, run_dir / "crashes"
        self._decoder = TraceDecoder(TraceTypes(messages=messages, values={}, ports={}, actors={}))
        self._messages, self._session = messages, session
        self._thread = threading.Thread(target=self._read, name="poison", daemon=True)
        self._take: Callable[[Poison], None] = lambda _poison: None

    def read_soon(self, take: Callable[[Poison], None]) -> None:
        """Hand over each message, oldest first, from a thread: weeks of files take a while."""
        self._take = take
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all are handed over; return False on timeout."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def settle(self, receiver: str, message_id: int) -> None:
        """Mark a message as dealt with; one without a crash file needs no mark."""
        file = self._directory / crash_file_name(receiver, message_id)
        try:
            mark_settled(self._run_dir, file)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("{} is not marked as dealt with: {}", file.name, error.strerror)

    def _read(self) -> None:
        with suppress(OSError):
            files = [(file.stat().st_mtime, file) for file in self._directory.glob(CRASHES)]
            for _, file in sorted(files):
                try:
                    for poison in self._poison(file):
                        self._take(poison)
                except UNREADABLE as error:
                    logger.debug("{} holds no message to set aside: {}", file.name, error)

    def _poison(self, file: Path) -> Iterator[Poison]:
        """Yield the message of a crash file; none if a start failed or it is dealt with."""
        found = read_crash_end(file)
        stored, is_own = found.handling, found.session.number == self._session
        is_known = stored.kind != _START and stored.kind in self._messages
        if is_known and not is_own and not found.is_settled:
            yield Poison(
                message=self._decoder.message(stored.kind, stored.payload),
                message_id=stored.message_id,
                parent_id=stored.parent_id,
                trace_id=stored.trace_id,
                sender=stored.sender,
                sender_generation=stored.sender_generation,
                receiver=stored.receiver,
                now_ms=stored.now_ms,
                cause="" if stored.raised is None else stored.raised.cause,
            )
