"""The newest crashes of a run, from its crash files."""

import shlex
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.text import plain, plain_lines
from infra.store.trace_ids import id_text
from infra.trace.crash_ends import UNREADABLE, read_crash_end
from infra.trace.crash_files import CRASHES
from infra.trace.query.text import fields_of, payload_text

_SHOWN = 30
_LONGEST = 4000


def newest_crashes(directory: Path) -> list[dict[str, Any]]:
    """Return the crashes in the newest crash files, newest first."""
    try:
        files = [(file.stat().st_mtime_ns, file) for file in (directory / "crashes").glob(CRASHES)]
    except OSError:
        return []
    newest = sorted(files, reverse=True)[:_SHOWN]
    return [found for mtime_ns, file in newest if (found := _crash(file, mtime_ns)) is not None]


@lru_cache(maxsize=4 * _SHOWN)
def _crash(file: Path, _mtime_ns: int) -> dict[str, Any] | None:
    """Return one crash; None: it cannot be read. A file that was marked since is read again."""
    try:
        stored = read_crash_end(file).handling
    except UNREADABLE:
        return None
    raised = stored.raised
    run_dir = shlex.quote(str(file.parent.parent))
    return {
        "id": id_text(stored.message_id),
        "time": stored.now_ms,
        "actor": plain(stored.receiver),
        "life": stored.generation,
        "outcome": plain(stored.outcome),
        "kind": plain(stored.kind),
        "holds": payload_text(fields_of(stored.payload)),
        "cause": "" if raised is None else plain(raised.cause),
        "details": "" if raised is None else plain_lines(raised.details[-_LONGEST:]),
        "show": f"bin/trace --run-dir {run_dir} crash {id_text(stored.message_id)}",
        "replay": f"bin/trace --run-dir {shlex.quote(str(file))} replay {stored.receiver} --pdb",
    }
