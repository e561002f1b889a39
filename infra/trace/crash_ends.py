"""The message that ended an incarnation, read from its crash file alone."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from domain.errors import BadDataError, ConfigError
from infra.secrets.cipher import cipher_of
from infra.trace.encode import pack
from infra.trace.frames import TRACE, Frame, Head, frame_bytes, frame_places, read_frame
from infra.trace.names import FORMAT, Renamer
from infra.trace.records import NOTE_KEY, SESSION_KEY, Session, StoredHandling

UNREADABLE = (OSError, KeyError, ValueError, msgspec.MsgspecError, ConfigError, BadDataError)
"""What reading a crash file raises if it is damaged, sealed, or of another program version."""
_SETTLED = "set aside no longer: an operator has dealt with it"
_ENDED = ("crashed", "hung")
_RECORDS = "records"
_session = msgspec.msgpack.Decoder(Session)
_handlings = msgspec.msgpack.Decoder(list[StoredHandling])
_text = msgspec.msgpack.Decoder(str)


@dataclass(frozen=True, slots=True)
class CrashEnd:
    """How an incarnation ended."""

    handling: StoredHandling
    session: Session
    is_settled: bool
    """An operator has dropped the message, or redelivered it to its actor."""


def read_crash_end(file: Path) -> CrashEnd:
    """Return how the incarnation of a crash file ended.

    Raises:
        BadDataError: the file does not say.
        Exception: the others of `UNREADABLE`.
    """
    newest: dict[str, tuple[int, int]] = {}
    for head, offset, end in frame_places(file):
        newest[head.key if head.key.startswith("=") else _RECORDS] = offset, end
    session_at, records_at, note_at = (newest.get(k) for k in (SESSION_KEY, _RECORDS, NOTE_KEY))
    if session_at is None or records_at is None:
        raise BadDataError(f"{file.name}: holds no incarnation")
    session = _session.decode(read_frame(file, *session_at).payload())
    handling = _newest(read_frame(file, *records_at))
    if handling.outcome not in _ENDED:
        raise BadDataError(f"{file.name}: its end is missing")
    if session.format < FORMAT:
        handling = Renamer(session).handling(handling)
    note = "" if note_at is None else _text.decode(read_frame(file, *note_at).payload())
    return CrashEnd(handling, session, note == _SETTLED)


def mark_settled(run_dir: Path, file: Path) -> None:
    """Note in a crash file that its message has been dealt with.

    Raises:
        OSError: there is no such file, or it cannot be written.
    """
    payload, cipher = pack(_SETTLED), cipher_of(run_dir, TRACE)
    with file.open("r+b") as out:
        out.seek(0, 2)
        out.write(frame_bytes(Head(NOTE_KEY, 0, 1, 0, 0), payload, cipher))


def _newest(frame: Frame) -> StoredHandling:
    # The records are stored back to back: prefixed with an array header they decode as one array.
    count = frame.head.count.to_bytes(4, "big")
    return _handlings.decode(b"\xdd" + count + frame.payload())[-1]
