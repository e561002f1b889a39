"""Replies to the operator: one form for every way by which commands come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ReplyCode(StrEnum):
    """How a command ended."""

    DONE = "done"
    REFUSED = "refused"
    """Nothing was changed; the title says why."""
    WRONG = "wrong"
    """It is no command, or lacks what it needs."""
    CONFIRM = "confirm"
    """It is carried out if it is confirmed in time."""
    LATE = "late"
    """The actor did not answer in time; the command is not lost, and may still be carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTable:
    """Rows of text under the names of their columns."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, as text and as data."""

    code: ReplyCode
    title: str
    lines: tuple[str, ...] = ()
    table: ReplyTable | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same as data; money and times are exact."""

    @property
    def text(self) -> str:
        """The whole as plain lines, for a phone."""
        table = self.table
        rows = [] if table is None else [_line(table.columns, row) for row in table.rows]
        return "\n".join([self.title, *self.lines, *rows])


def _line(columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    """Return a row with each cell after its name; a single cell without a name."""
    first, *rest = row
    names = [f"{name} " for name in columns[1:]] if len(rest) > 1 else [""]
    cells = [f"{name}{cell}" for name, cell in zip(names, rest, strict=False) if cell]
    return f"{first}: {', '.join(cells)}" if rest else first
