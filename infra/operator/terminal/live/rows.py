"""Lines that fit a width: parts and columns are left out whole, the least important first."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from rich.text import Text

from domain.text import plain
from infra.operator.terminal.screen import Screen

_GAP = "  "
WIDE = "\ufe0f"
"""Selects the wide form of a character; terminals disagree on how many cells that takes."""
_WRAPPER = Screen(file=StringIO(), width=80)
"""Rich needs one to wrap a text; it writes nothing."""


def fitted(line: Text, width: int) -> Text:
    """Return a line cut to a width, with an ellipsis if it was longer."""
    cut = line.copy()
    cut.truncate(width, overflow="ellipsis")
    return cut


def wrapped(line: Text, width: int, most: int) -> list[Text]:
    """Return a text on at most so many lines; the rest is cut."""
    lines = list(line.wrap(_WRAPPER, width, overflow="fold"))
    if len(lines) <= most:
        return [fitted(each, width) for each in lines]
    for each in lines:
        each.rstrip()
    rest = Text(" ").join(lines[most - 1 :])
    return [*(fitted(each, width) for each in lines[: most - 1]), fitted(rest, width)]


def joined(parts: Sequence[Text], width: int, order: Sequence[int] | None = None) -> Text:
    """Return as many parts as fit on one line.

    Args:
        parts: from left to right.
        width: cells.
        order: indices of the parts, the most important first; None: from left to right.
    """
    kept: list[int] = []
    left = width
    for index in range(len(parts)) if order is None else order:
        needs = parts[index].cell_len + (len(_GAP) if kept else 0)
        if needs <= left:
            kept.append(index)
            left -= needs
        elif not kept:
            return fitted(parts[index], width)
    return Text(_GAP).join(parts[index] for index in sorted(kept))


def flowing(parts: Sequence[Text], width: int) -> list[Text]:
    """Return parts one after another on as many lines as needed, none of them broken."""
    lines: list[Text] = []
    for part in (fitted(part, width) for part in parts):
        if lines and lines[-1].cell_len + len(_GAP) + part.cell_len <= width:
            lines[-1] = Text(_GAP).join([lines[-1], part])
        else:
            lines.append(part)
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table. It is shown whole or not at all, unless it is elastic."""

    title: str
    cells: Sequence[Text]
    is_number: bool = False
    rank: int = 0
    """Those of a lower rank are kept first."""
    least: int | None = None
    """An elastic column's smallest width; None: the width of its longest cell."""

    @property
    def width(self) -> int:
        """Width that it needs, cells."""
        widest = max([len(self.title), *(cell.cell_len for cell in self.cells)])
        return widest if self.least is None else min(widest, self.least)

    @property
    def is_empty(self) -> bool:
        """Tell whether all its cells are empty."""
        return not any(cell.cell_len for cell in self.cells)


def table(columns: Sequence[Column], width: int) -> list[Text]:
    """Return a table's lines, its titles first."""
    shown = chosen(columns, width)
    widths = {id(column): column.width for column in shown}
    spare = width - sum(widths.values()) - len(_GAP) * (len(shown) - 1)
    for column in (column for column in shown if column.least is not None):
        # What the first of them leaves goes to the next.
        more = min(max(0, spare), max(cell.cell_len for cell in column.cells) - column.width)
        widths[id(column)] += max(0, more)
        spare -= max(0, more)
    titles = [_cell(Text(column.title, "dim"), column, widths[id(column)]) for column in shown]
    lines = [Text(_GAP).join(titles)]
    for row in range(len(columns[0].cells)):
        cells = [_cell(column.cells[row], column, widths[id(column)]) for column in shown]
        lines.append(Text(_GAP).join(cells))
    for line in lines:
        line.rstrip()
    return [fitted(line, width) for line in lines]


def chosen(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns that there is room for, those with the lowest ranks first."""
    kept: list[Column] = []
    left = width
    for column in sorted(columns, key=lambda column: column.rank):
        needs = column.width + (len(_GAP) if kept else 0)
        if not column.is_empty and (needs <= left or not kept):
            kept.append(column)
            left -= needs
    return [column for column in columns if column in kept]


def _cell(text: Text, column: Column, width: int) -> Text:
    cell = fitted(text, width)
    room = " " * max(0, width - cell.cell_len)
    return Text.assemble(room, cell) if column.is_number else Text.assemble(cell, room)


def ruled(title: str, width: int) -> Text:
    """Return a heading line."""
    rest = "─" * max(0, width - len(title) - 4)
    return Text.assemble(("── ", "dim"), (title, "bold"), (f" {rest}", "dim"))


def safe(text: str, style: str = "") -> Text:
    """Return a text from outside, never interpreted as markup."""
    return Text(plain(text).replace(WIDE, ""), style)
