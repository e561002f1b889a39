"""HTML tables."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape


def table(
    rows: Sequence[Sequence[str]], head: Sequence[str] = (), *, numbers_from: int | None = None
) -> str:
    """Return rows of text as a table.

    Args:
        rows: of cells.
        head: names of the columns; empty: no header.
        numbers_from: first column that is aligned to the right; None: none is.
    """
    names = "".join(
        f"<th{_right(index, numbers_from)}>{escape(n)}</th>" for index, n in enumerate(head)
    )
    top = f"<thead><tr>{names}</tr></thead>" if head else ""
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td{_right(index, numbers_from)}>{escape(cell)}</td>"
            for index, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table>{top}<tbody>{lines}</tbody></table>"


def _right(index: int, numbers_from: int | None) -> str:
    return " class=n" if numbers_from is not None and index >= numbers_from else ""


def optional(value: float | None, form: str) -> str:
    """Return a number in a format; a dash if there is none."""
    return "-" if value is None else format(value, form)


def price_text(price: Decimal) -> str:
    """Return a price with enough digits to distinguish neighboring prices."""
    text = f"{price:,.6g}" if price < 1 else f"{price:,.4f}"
    return text.rstrip("0").rstrip(".")
