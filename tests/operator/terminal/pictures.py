"""The pictures that the live terminal is held against; run as a program, it draws them anew."""

from pathlib import Path

from infra.operator.terminal.live.picture import drawn
from tests.operator.terminal.scenes import SIZES, STATES

DIRECTORY = Path(__file__).with_name("pictures")


def pictures(name: str) -> str:
    """Return a scene at each size, without the colours and the spaces at the ends of lines."""
    shown = []
    for width, height in SIZES:
        lines = [line.plain.rstrip() for line in drawn(STATES[name], width, height)]
        shown.append("\n".join([f"{width} x {height}", *lines, ""]))
    return "\n".join(shown)


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for state in STATES:
        (DIRECTORY / f"{state}.txt").write_text(pictures(state), encoding="utf-8")
