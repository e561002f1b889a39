"""The result of copying a journal."""

from collections.abc import Iterable

from rich.table import Table

from infra.store.copying import TableSum


def copied_table(found: Iterable[TableSum]) -> Table:
    """Return a row for each table that was copied and compared."""
    table = Table("table", "rows", "SHA-256 of all rows, the same on both sides", box=None)
    for each in found:
        table.add_row(each.table, f"{each.rows}", each.digest[:32])
    return table
