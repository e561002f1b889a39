"""Messages that crashed an actor in an earlier process, read from the crash files of a run.

What an operator has dealt with is marked in its crash file by a note, so that it is read no more.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from domain.errors import BadDataError, ConfigError
from infra.secrets.cipher import cipher_of
from infra.trace.crash_files import CRASHES, crash_file_name
from infra.trace.decode import TraceDecoder, TraceTypes
from infra.trace.encode import pack
from infra.trace.frames import TRACE, Frame, Head, frame_bytes, frame_places, read_frame
from infra.trace.names import FORMAT, Renamer
from infra.trace.records import NOTE_KEY, SESSION_KEY, Session, StoredHandling

_SETTLED = "set aside no longer: an operator has dealt with it"
_ENDED = ("crashed", "hung")
_RECORDS = "records"
_START = "Start"
_BROKEN = (OSError, KeyError, ValueError, msgspec.MsgspecError, ConfigError, BadDataError)
_session = msgspec.msgpack.Decoder(Session)
_handling = msgspec.msgpack.Decoder(list[StoredHandling])
_text = msgspec.msgpack.Decoder(str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A message over which a life ended."""

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
        """Read nothing yet.

        Args:
            run_dir: of the run.
            messages: of this program, by their names.
            session: of this process, which knows itself what it sets aside.
        """
        self._run_dir, self._directory = run_dir, run_dir / "crashes"
        self._decoder = TraceDecoder(TraceTypes(messages=messages, values={}, ports={}, actors={}))
        self._messages, self._session = messages, session
        self._thread = threading.Thread(target=self._read, name="poison", daemon=True)
        self._take: Callable[[Poison], None] = lambda _poison: None

    def read_soon(self, take: Callable[[Poison], None]) -> None:
        """Hand over each message, oldest first, from a thread: a life of weeks takes a while."""
        self._take = take
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all are handed over; False: they are not yet."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def settle(self, receiver: str, message_id: int) -> None:
        """Mark a message as dealt with; one without a crash file needs no mark."""
        file = self._directory / crash_file_name(receiver, message_id)
        payload = pack(_SETTLED)
        note = frame_bytes(Head(NOTE_KEY, 0, 1, 0, 0), payload, cipher_of(self._run_dir, TRACE))
        try:
            with file.open("r+b") as out:
                out.seek(0, 2)
                out.write(note)
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
                except _BROKEN as error:
                    logger.debug("{} holds no message to set aside: {}", file.name, error)

    def _poison(self, file: Path) -> Iterator[Poison]:
        """Yield the message of a crash file; none where a start ended, or it is dealt with."""
        session, last = _ends(file)
        if session is None or last is None or session.number == self._session:
            return
        stored = _handling.decode(b"\xdd" + last.head.count.to_bytes(4, "big") + last.payload())[-1]
        if session.format < FORMAT:
            stored = Renamer(session).handling(stored)
        is_known = stored.kind != _START and stored.kind in self._messages
        if stored.outcome in _ENDED and is_known:
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


def _ends(file: Path) -> tuple[Session | None, Frame | None]:
    """Return the newest session and the newest records; no records where they are dealt with."""
    newest: dict[str, tuple[int, int]] = {}
    for head, offset, end in frame_places(file):
        newest[head.key if head.key.startswith("=") else _RECORDS] = offset, end
    session, records, note = (newest.get(key) for key in (SESSION_KEY, _RECORDS, NOTE_KEY))
    if session is None or records is None:
        return None, None
    if note is not None and _text.decode(read_frame(file, *note).payload()) == _SETTLED:
        return None, None
    return _session.decode(read_frame(file, *session).payload()), read_frame(file, *records)
