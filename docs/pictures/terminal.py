# ruff: noqa: INP001 (a script, and no package)
"""Draws docs/pictures/terminal.svg: the live picture of a real simulated run, once it has traded.

PYTHONPATH=. .venv/bin/python docs/pictures/terminal.py
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

LINES, COLUMNS, PATIENCE_S = 32, 104, 900
TRADED = ("SHORT opened", "SHORT closed")
KEPT_BYTES = 200_000
HOME = "\x1b[H"
PICTURE = Path(__file__).with_suffix(".svg")


def whole_frame(folder: str) -> str:
    """Return what the run draws once a position was opened and another was closed."""
    pid, terminal = pty.fork()
    if pid == 0:
        more = {"TERM": "xterm-256color", "WEB_ENABLED": "false"}
        words = [sys.executable, "-m", "bin.run_actors", "--run-dir", folder]
        os.execve(sys.executable, words, os.environ | more)  # noqa: S606 (a terminal of its own)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    shown, frame, ends_s = b"", "", time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_s and not all(words in frame for words in TRADED):
        if select.select([terminal], [], [], 0.5)[0]:
            shown = (shown + os.read(terminal, 65536))[-KEPT_BYTES:]
            frame = shown.decode(errors="replace").split(HOME)[-2:][0]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return frame


def main() -> None:
    """Draw the last whole frame."""
    with tempfile.TemporaryDirectory() as folder:
        frame = whole_frame(folder)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(frame.replace("\r", "")))
    svg = console.export_svg(title="bin/run-actors")
    # Nothing is loaded from another host: the fonts are those of the reader.
    kept = [line for line in svg.splitlines() if "cdnjs" not in line]
    text = "\n".join(kept).replace('"),\n', '");\n')
    PICTURE.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
