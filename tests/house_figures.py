"""Measures the house: lines per room, lengths of functions, files from a socket to an order.

    python -m tests.house_figures

Files are counted by a profiler in the threads of a system at a simulated exchange: those of ours in
which a function was called from a candle's bytes to the order that was sent because of it.
"""

import ast
import statistics
import sys
import tempfile
import threading
from collections import Counter
from functools import cache
from pathlib import Path
from types import FrameType

from loguru import logger

from tests.system.floor import floor

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 600
"""A profiler makes a system slow, and a close that comes late opens nothing."""
ROOMS = ("actors", "domain", "infra", "bin")


def files_of(floor_name: str) -> list[Path]:
    """Return the Python files of a floor."""
    return sorted((ROOT / floor_name).rglob("*.py"))


def room_of(file: Path) -> str:
    """Return the folder that a file counts to: two levels of it at most."""
    parts = file.relative_to(ROOT).parts
    return "/".join(parts[: min(2, len(parts) - 1)])


def lines_per_room() -> Counter[str]:
    """Return how many lines each room has."""
    found: Counter[str] = Counter()
    for file in (file for name in ROOMS for file in files_of(name)):
        found[room_of(file)] += len(file.read_text(encoding="utf-8").splitlines())
    return found


def function_lengths() -> list[int]:
    """Return the lines of each function, its docstring apart, shortest first."""
    found = []
    for file in (file for name in ROOMS for file in files_of(name)):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                told = node.body[0] if ast.get_docstring(node) is not None else None
                docs = 0 if told is None else (told.end_lineno or 0) - told.lineno + 1
                found.append(node.end_lineno - node.lineno + 1 - docs)
    return sorted(found)


STEPS = {
    ("infra/net/connection.py", "_on_text"): "actors/asset.py",
    ("actors/asset.py", "handle"): "domain/strategies/",
    ("actors/portfolio/actor.py", "handle"): "domain/portfolio/approvals.py",
    ("actors/execution/actor.py", "handle"): "infra/venues/bybit/exchange.py",
}
"""Where a thread takes a step on an order's way, and the file by which that one is known."""


@cache
def own_file(name: str) -> str | None:
    """Return the path of a file inside the project; None where it is none of ours."""
    path = Path(name)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else None


class Passed:
    """The files passed by the newest step of each kind; the last one ends it by its order."""

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], set[str]] = {}
        self.is_over = threading.Event()
        self._local = threading.local()

    @property
    def files(self) -> list[str]:
        return sorted(set().union(*self.steps.values()))

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return") or self.is_over.is_set():
            return
        file = own_file(frame.f_code.co_filename)
        if file is None:
            return
        step = (file, frame.f_code.co_name)
        if event == "call":
            if step in STEPS:
                self._local.step = (frame, step, set(), [])
            if getattr(self._local, "step", None) is not None:
                _, _, files, called = self._local.step
                files.add(file)
                called.append(frame.f_code.co_name)
        elif event == "return" and (getattr(self._local, "step", None) or [None])[0] is frame:
            _, step, files, called = self._local.step
            self._local.step = None
            if any(each.startswith(STEPS[step]) for each in files):
                self._end(step, files, called)

    def _end(self, step: tuple[str, str], files: set[str], called: list[str]) -> None:
        is_last = step[0].startswith("actors/execution")
        if is_last and "submit" not in called:
            return
        self.steps[step] = {each for each in files if each.startswith(ROOMS)}
        if is_last and len(self.steps) == len(STEPS):
            self.is_over.set()


def files_to_an_order() -> list[str]:
    """Return the files that are passed from a candle's bytes to the order that it leads to."""
    passed = Passed()
    threading.setprofile(passed)
    try:
        with tempfile.TemporaryDirectory() as folder, floor(Path(folder) / "var") as running:
            running.wait(passed.is_over.is_set, "an order is sent", PATIENCE_S)
    finally:
        threading.setprofile(None)
    return passed.files


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Print all figures."""
    logger.remove()
    rooms, lengths = lines_per_room(), function_lengths()
    for room, lines in sorted(rooms.items()):
        say(f"{lines:>7,}  {room}")
    say(f"{sum(rooms.values()):>7,}  in all")
    p95 = lengths[int(0.95 * len(lengths))]
    median = statistics.median(lengths)
    say(f"functions: {len(lengths):,}, median {median:g}, p95 {p95}, longest {lengths[-1]} lines")
    passed = files_to_an_order()
    say(f"files from a socket to an order: {len(passed)}")
    for file in passed:
        say(f"         {file}")


if __name__ == "__main__":
    sys.exit(main())
