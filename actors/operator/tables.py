"""Answers that are tables."""

from collections.abc import Mapping
from typing import Any

from domain.operator.replies import Reply, ReplyCode, ReplyTable

Row = tuple[str, ...]


def table_reply(
    title: str,
    columns: Row,
    rows: list[Any],
    data: Mapping[str, Any],
    empty: str = "",
) -> Reply:
    """Return rows under column names as an answer; short rows are filled up.

    Args:
        title: of the table.
        columns: names.
        rows: of text.
        data: the same as plain values.
        empty: title if there are no rows.
    """
    if not rows:
        return Reply(code=ReplyCode.DONE, title=empty or title, data=data)
    filled = [(*row, *[""] * (len(columns) - len(row))) for row in rows]
    table = ReplyTable(columns=columns, rows=filled)
    return Reply(code=ReplyCode.DONE, title=title, table=table, data=data)
