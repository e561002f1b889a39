"""Notifies once a day of how the previous day compares with the rules: an automatic `bin/parity`.

The work is done by another process with the lowest priority, so no trading thread waits for it.
"""

import json
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, Self

from loguru import logger

from domain.operator.notices import NoticeRules, next_due_ms
from domain.text import counted, plain
from infra.operator.parity.day import day_before
from infra.process.processor import on_any_processor

_ROOT = Path(__file__).resolve().parents[3]
_PATIENCE_S = 900.0
_COMPARED = (0, 1)
"""Exit codes of `bin/parity`: alike, differs."""
_SHOWN = 2
"""Most differences in a notice; the command shows all."""


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Cancel the call."""


class Clock(Protocol):
    """The trading clock."""

    def now_ms(self) -> int:
        """Return the present."""

    def call_at(self, due_ms: int, call: Any) -> Timer:
        """Call once when the clock reaches a time."""


class TellPeople(Protocol):
    """Sends the notices."""

    def __call__(self, key: str, title: str, detail: str) -> None:
        """Send a notice, once per key."""


class DailyParity:
    """A thread that compares once a day and sleeps otherwise."""

    def __init__(
        self,
        directory: Path,
        settings: Path | None,
        *,
        notices: NoticeRules,
        clock: Clock,
        tell: TellPeople,
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            directory: of the run.
            settings: the file the run was started with.
            notices: tell when reports are due, if ever.
            clock: by which they are due.
            tell: sends the notices.
        """
        self._directory = directory
        self._settings = settings
        self._notices = notices
        self._clock = clock
        self._tell = tell
        self._is_due = threading.Event()
        self._is_closing = False
        self._child: subprocess.Popen[str] | None = None
        self._timer: Timer | None = None
        self._thread = threading.Thread(target=self._run, name="parity", daemon=True)

    def __enter__(self) -> Self:
        """Start; once."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start waiting for the first report."""
        self._remind()
        self._thread.start()

    def close(self) -> None:
        """Stop; a comparison under way is abandoned."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        child = self._child
        if child is not None:
            with suppress(OSError):
                child.kill()
        self._is_due.set()
        self._thread.join(5.0)

    def _remind(self) -> None:
        due_ms = next_due_ms(self._notices, self._clock.now_ms())
        if due_ms is not None:
            self._timer = self._clock.call_at(due_ms, self._is_due.set)

    def _run(self) -> None:
        while True:
            self._is_due.wait()
            self._is_due.clear()
            if self._is_closing:
                return
            try:
                self._compare(day_before(self._clock.now_ms()))
            except Exception:  # noqa: BLE001 (the next day is another one)
                logger.opt(exception=True).error("live and backtest could not be compared")
            self._remind()

    def _compare(self, day: str) -> None:
        polite = ["nice", "-n", "19"] if shutil.which("nice") else []
        command = [sys.executable, "-m", "bin.parity", "--run-dir", self._directory]
        command += ["--day", day, "--json"]
        if self._settings is not None:
            command += ["--settings", self._settings.resolve()]
        with on_any_processor():
            self._child = child = subprocess.Popen(  # noqa: S603 (ourselves)
                [*polite, *map(str, command)],
                cwd=_ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        try:
            printed, said = child.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            printed, said = child.communicate()
        finally:
            self._child = None
        if self._is_closing:
            return
        # What an exception ends has the exit code of a difference, but prints nothing.
        if child.returncode not in _COMPARED or not printed:
            logger.info("live and backtest could not be compared: {}", plain(said.strip()[-300:]))
            return
        self._report(day, json.loads(printed))

    def _report(self, day: str, found: dict[str, Any]) -> None:
        differences = found["differences"]
        lines = found["lines"][1 : len(found["lines"]) - len(differences)]
        lines += found["lines"][len(found["lines"]) - len(differences) :][:_SHOWN]
        if differences:
            differ = "differs" if len(differences) == 1 else "differ"
            title = f"{day}: {counted(len(differences), 'decision')} {differ} from the backtest"
            lines.append(f"bin/parity --run-dir {self._directory} --day {day}")
        else:
            title = f"{day}: live and backtest made the same decisions"
        self._tell(f"parity/{day}", title, ". ".join(lines))
