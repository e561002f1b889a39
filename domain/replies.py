"""What the operator is answered: one shape for every way in which a command can be asked."""

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
    """It is done once it was asked for again in time."""
    LATE = "late"
    """Who has to do it has not answered in time; it is not lost, and may still be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTable:
    """Rows of text under their names."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, for people and for programs."""

    code: ReplyCode
    title: str
    lines: tuple[str, ...] = ()
    table: ReplyTable | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs; money and times are exact there."""

    @property
    def text(self) -> str:
        """The whole as plain lines, for a phone."""
        rows = [] if self.table is None else [_line(row) for row in self.table.rows]
        return "\n".join([self.title, *self.lines, *rows])


def _line(row: tuple[str, ...]) -> str:
    first, *rest = row
    return f"{first}: {', '.join(cell for cell in rest if cell)}" if rest else first
