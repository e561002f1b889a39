"""Answers to commands, and the audit trail, on a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table

from domain.operator.replies import ReplyCode
from infra.operator.control.everywhere import SystemAnswer
from infra.operator.terminal.screen import Screen
from infra.store.audit import AuditEntry


def show_reply(answer: Any, screen: Screen) -> None:
    """Show an answer.

    Args:
        answer: a reply as decoded JSON.
        screen: to show it on.
    """
    is_good = answer["code"] == ReplyCode.DONE
    screen.print(answer["title"], style="bold" if is_good else "yellow")
    for line in answer.get("lines") or ():
        screen.print(line, highlight=False)
    table = answer.get("table")
    if table:
        # Complete at 80 columns, and wrapped rather than cut if longer.
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False)
        for name in table["columns"]:
            shown.add_column(name, overflow="fold")
        for row in table["rows"]:
            shown.add_row(*row)
        screen.print(shown)
    if answer["code"] == ReplyCode.CONFIRM:
        screen.print("Or at once, with --yes.")


def show_answers(answers: Sequence[SystemAnswer], screen: Screen) -> None:
    """Show the answers of several systems, each below its run directory."""
    for one in answers:
        screen.print(str(one.directory), style="cyan", highlight=False, soft_wrap=True)
        show_reply(one.answer, screen)
        screen.print()


def audit_line(entry: AuditEntry) -> str:
    """Return one fact of the audit trail."""
    at = datetime.fromtimestamp(entry.recorded_ms / 1000, UTC)
    trace = "" if entry.trace_id is None else f"  [{entry.trace_id}]"
    head = f"{at:%Y-%m-%d %H:%M:%S}  {entry.fact_id}  {entry.kind:<16} {entry.asset or '-':<5}"
    return f"{head} {entry.writer}: {entry.what}{trace}"
