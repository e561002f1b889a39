"""The end of the system's log."""

import json
import os
from pathlib import Path
from typing import Any

from domain.text import plain
from infra.files import open_regular

_BYTES = 120_000
_LINES = 200


def newest_lines(directory: Path, mode: str) -> list[dict[str, Any]]:
    """Return the newest lines of a run's log, newest first.

    The log is in the run directory, or in the folder shared by all runs of `var`.
    """
    name = f"{Path(mode).name}.jsonl"
    for file in (directory / "logs" / name, directory.parent / "logs" / name):
        try:
            with open_regular(file) as opened:
                opened.seek(max(0, opened.seek(0, os.SEEK_END) - _BYTES))
                lines = opened.read().splitlines()
        except OSError:
            continue
        return [found for line in reversed(lines[-_LINES:]) if (found := _line(line)) is not None]
    return []


def _line(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:  # the first may be cut, the newest half-written
        return None
    if not isinstance(found, dict):
        return None
    return {name: plain(str(found.get(name, ""))) for name in _SHOWN}


_SHOWN = ("time", "level", "message", "actor")
