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
        table = self.table
        rows = [] if table is None else [_line(table.columns, row) for row in table.rows]
        return "\n".join([self.title, *self.lines, *rows])


def _line(columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    """Return a row whose cells stand behind their names; a single one needs none."""
    first, *rest = row
    names = [f"{name} " for name in columns[1:]] if len(rest) > 1 else [""]
    cells = [f"{name}{cell}" for name, cell in zip(names, rest, strict=False) if cell]
    return f"{first}: {', '.join(cells)}" if rest else first
