"""The state of an exchange on this machine, in the backup of the run that trades there.

Its files consist of appended lines; now and then one is rewritten. A backup holds the lines
decrypted, under its own seal; in a run directory they are encrypted with that directory's key.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from domain.errors import ConfigError
from infra.files import write_whole
from infra.secrets.cipher import STATE, cipher_of
from infra.store.backup.segment import Row

STATE_FILES: Final = ("paper.state", "sim-exchange.state")
"""Files in a run directory whose exchange is on this machine."""
STATE_ROWS: Final = "exchange_state"
"""Name of their rows in a segment, beside the tables."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a backup covers a file."""

    lines: int = 0
    end: int = 0
    """Offset after the last of these lines."""
    length: int = 0
    """Length of the last of them as stored in the file, with its line end."""
    digest: str = ""
    """Hash of that line: a file that differs there was rewritten."""


Marks = Mapping[str, Mark]
"""By file name."""


def read_state_lines(directory: Path, after: Marks) -> tuple[list[Row], Marks]:
    """Return the complete new lines in a run directory, and how far they reach.

    Raises:
        BadDataError: a line is encrypted with another key.
        ConfigError: the key is not available.
        OSError: a file cannot be read.
    """
    rows: list[Row] = []
    marks: dict[str, Mark] = {}
    for name in STATE_FILES:
        if (directory / name).exists():
            found, marks[name] = _new_lines(directory / name, after.get(name, Mark()))
            read = cipher_of(directory, STATE).read_line
            rows += [
                {"file": name, "number": number, "text": read(line.removesuffix(b"\n")).decode()}
                for number, line in found
            ]
    return rows, marks


def _new_lines(file: Path, mark: Mark) -> tuple[list[tuple[int, bytes]], Mark]:
    with file.open("rb") as content:
        content.seek(mark.end - mark.length)
        if _digest(content.read(mark.length)) != mark.digest:
            mark = Mark()
            content.seek(0)
        new = content.read()
    lines = new[: new.rfind(b"\n") + 1].splitlines(keepends=True)
    if not lines:
        return [], mark
    through = Mark(
        lines=mark.lines + len(lines),
        end=mark.end + sum(map(len, lines)),
        length=len(lines[-1]),
        digest=_digest(lines[-1]),
    )
    return list(enumerate(lines, mark.lines + 1)), through


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest() if line else ""


class StateFiles:
    """Files reassembled from the rows of segments, oldest first."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def take(self, rows: Sequence[Row]) -> None:
        """Add the rows of a segment; a line number 1 restarts its file."""
        for row in rows:
            name, text = str(row["file"]), str(row["text"])
            if row["number"] == 1:
                self._lines[name] = []
            self._lines.setdefault(name, []).append(text)

    def write(self, directory: Path) -> None:
        """Write the files into a run directory that has none.

        Raises:
            ConfigError: the key is not available, or the disk is full.
        """
        cipher = cipher_of(directory, STATE)
        for name, lines in self._known():
            content = b"".join(cipher.line(line.encode()) + b"\n" for line in lines)
            try:
                write_whole(directory / name, content)
            except OSError as error:
                raise ConfigError(f"{directory / name}: cannot be written: {error}") from error

    def _known(self) -> Iterator[tuple[str, list[str]]]:
        # The names come from the backup: only known ones may be written.
        return ((name, self._lines[name]) for name in STATE_FILES if name in self._lines)
