"""The progress of a long command, in a file for the process that started it."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_EVERY_S = 0.3


class ProgressFile:
    """Writes the newest state atomically; one that cannot be written is skipped."""

    def __init__(self, file: Path | None) -> None:
        """Write to a file; None: write nothing."""
        self._file = file
        self._next_s = 0.0

    def tell(self, phase: str, done: int = 0, total: int = 0) -> None:
        """Write a new phase, and how much of it is done; a total of 0: unknown."""
        if self._file is None:
            return
        text = json.dumps({"phase": phase, "done": done, "total": total})
        unfinished = self._file.with_name(f"{self._file.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(self._file)

    def counter(self, phase: str, total: int, done: Callable[[int], int]) -> Callable[[int], None]:
        """Return a callback for the steps of a phase, thousands a second; it writes a few of them.

        Args:
            phase: name of the work.
            total: how much there is to do.
            done: turns a step into the amount done.
        """
        self.tell(phase, 0, total)

        def show(step: int) -> None:
            now_s = time.monotonic()
            if now_s >= self._next_s:
                self._next_s = now_s + _EVERY_S
                self.tell(phase, done(step), total)

        return show
