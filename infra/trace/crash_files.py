"""Crash files: one incarnation of one actor, cut out of the trace to be replayed elsewhere.

A crash file is a trace itself, so everything that reads a trace reads it. Its frames are copied
as they are; nothing is decoded while the system trades.
"""

from collections.abc import Sequence
from pathlib import Path

from infra.store.trace_ids import id_text
from infra.trace.frames import frame_places
from infra.trace.records import SERIES_KEY, SESSION_KEY

CRASHES = "*.crash"


def crash_file_name(address: str, message_id: int) -> str:
    """Return the name of the file of a crash."""
    return f"{address.replace('/', '-')}-{id_text(message_id)}.crash"


def write_crash_file(
    directory: Path,
    address: str,
    message_id: int,
    segments: Sequence[Path],
    began_at: int,
    *,
    keep: int,
) -> Path:
    """Write the frames of one incarnation, with the session and the candles that they refer to.

    Args:
        directory: where crash files lie.
        address: of the actor.
        message_id: of the message that ended the incarnation.
        segments: from the one in which the incarnation began.
        began_at: offset of its start in the first segment.
        keep: how many of the newest crash files are kept.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / crash_file_name(address, message_id)
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        for place, segment in enumerate(segments):
            with segment.open("rb") as data:
                for head, offset, end in frame_places(segment):
                    is_of_life = head.key == address and (place or offset >= began_at)
                    if is_of_life or head.key in (SESSION_KEY, SERIES_KEY + address):
                        data.seek(offset)
                        out.write(data.read(end - offset))
    part.replace(path)
    _forget_old(directory, keep)
    return path


def _forget_old(directory: Path, keep: int) -> None:
    files = sorted(directory.glob(CRASHES), key=lambda file: file.stat().st_mtime)
    for file in files[:-keep]:
        file.unlink(missing_ok=True)
