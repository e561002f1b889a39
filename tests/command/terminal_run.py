"""The default run in a terminal of its own, as a person has it: keys in, a picture out."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

from tests.command.mode_runs import ROOT

PATIENCE_S = 100
_QUICK = """
simulation: {speed: 240}
strategy: {entry_max_age_ms: 120000, warmup_candles: 700}
supervision: {shutdown_seconds: 10}
"""
_IN_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'
"""What the leader of a session opens first becomes its terminal."""


class TerminalRun:
    """One start of the default run."""

    def __init__(self, folder: Path, width: int = 80, height: int = 24) -> None:
        self.run_dir = folder / "run"
        settings = folder / "quick.yaml"
        settings.write_text(_QUICK)
        self._ours, self._its = os.openpty()
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(width, height)
        self.modes_before = self.modes()
        name = os.ttyname(self._its)
        run = [sys.executable, "-m", "bin.run_actors", "--run-dir", str(self.run_dir)]
        self.process = subprocess.Popen(
            ["sh", "-c", _IN_TERMINAL, name, *run, "--settings", str(settings)],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "TERM": "xterm-256color",
                "PYTHONPATH": str(ROOT),
                "PYTHONSAFEPATH": "1",
                "WEB_ENABLED": "false",
            },
            start_new_session=True,
        )

    def modes(self) -> list[Any]:
        """Return how the terminal treats what is typed."""
        return termios.tcgetattr(self._its)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the window; what was on it stays, as in a real one."""
        self.screen.resize(height, width)
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def wait_until_read(self) -> None:
        """Wait until all that was typed is taken."""
        deadline_s = time.monotonic() + PATIENCE_S
        waiting = 1
        while waiting:
            assert time.monotonic() < deadline_s, "the keys are not read"
            self._read(0.05)
            found = fcntl.ioctl(self._its, termios.FIONREAD, struct.pack("i", 0))
            (waiting,) = struct.unpack("i", found)

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        columns = range(self.screen.columns)
        rows = (self.screen.buffer[row] for row in range(self.screen.lines))
        return ["".join(row[column].data for column in columns).rstrip() for row in rows]

    def wait_for(self, wanted: Callable[[list[str]], object], what: str) -> list[str]:
        """Return the first screen that is wanted."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not wanted(self.lines):
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError("\n".join([f"never seen: {what}", *self.lines]))
            self._read(1.0)
        return self.lines

    def code(self) -> int:
        """Return the exit code, and read meanwhile: a full terminal would hold the process."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline_s:
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.wait(1)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        os.close(self._ours)
        os.close(self._its)

    def _read(self, timeout_s: float) -> bytes:
        if not select.select([self._ours], [], [], timeout_s)[0]:
            return b""
        found = os.read(self._ours, 65_536)
        self.raw += found
        self._stream.feed(found)
        return found
