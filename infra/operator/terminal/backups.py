"""Backups as text."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from domain.text import counted, plain
from infra.process.times import show_time
from infra.store.backup.chain import Listed
from infra.store.backup.keeper import BackupState
from infra.store.backup.restore import Restored


def made_lines(made: BackupState, removed: Sequence[str]) -> str:
    """Return what was made, and what was removed, one line each."""
    end = f"through fact {made.fact} in {counted(made.number, 'segment')}"
    return "\n".join(
        (f"{made.chain}: {end}", *(f"{plain(name)}: removed, it was too old" for name in removed))
    )


def listed_table(found: Iterable[Listed]) -> Table:
    table = Table("backup", "segments", "through fact", "stored, UTC", box=None)
    for each in found:
        stored = "" if each.end is None else show_time(each.end.recorded_ms)
        through = "unfinished" if each.end is None else f"{each.end.through_fact}"
        table.add_row(plain(each.name), f"{each.segments}", through, stored)
    return table


def verified_lines(name: str, wrong: Sequence[str]) -> str:
    """Return that a backup is intact, or what is wrong with it, one line each."""
    return "\n".join(wrong or [f"{plain(name)}: intact"])


def restored_text(done: Restored) -> str:
    """Return what was restored, and what to do next."""
    return (
        f"{done.location}: restored through fact {done.through_fact}, stored "
        f"{show_time(done.recorded_ms)} UTC. Start the run, make sure that the old system is "
        "stopped for good, then send rearm: until then nothing is opened."
    )
