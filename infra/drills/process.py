"""Reads the drills of a command line that fail not an actor but the process and its database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.drills.broken_database import Breakage, BrokenDatabase, Damage, read_breakage
from infra.drills.clock_jump import jump_later, read_clock_jump
from infra.drills.freeze import freeze_later, read_freeze
from infra.drills.kill_points import Killer, KillPoint, read_kill_point


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDrills:
    """What is made to happen to the process."""

    kill_point: KillPoint | None = None
    breakage: Breakage | None = None
    clock_jump: tuple[float, float] | None = None
    """By how many seconds the wall clock jumps, and after how many."""
    freeze: tuple[int, float] | None = None
    """For how many seconds no Python code runs, and after how many."""

    def make_killer(self) -> Killer | None:
        """Return what kills the process; None where nothing does."""
        if self.kill_point is None:
            return None
        killer = Killer(self.kill_point)
        killer.watch_requests()
        return killer

    def make_broken_database(self) -> BrokenDatabase | None:
        """Return what breaks the journal; None where nothing does."""
        return None if self.breakage is None else BrokenDatabase(self.breakage)

    def start_timed(self) -> None:
        """Let the wall clock jump and the process freeze in a while, where they are to."""
        if self.clock_jump is not None:
            jump_later(*self.clock_jump)
        if self.freeze is not None:
            freeze_later(*self.freeze)


def read_process_drills(texts: Sequence[str]) -> tuple[ProcessDrills, list[str]]:
    """Return the process's drills among those of a command line, and all others.

    Raises:
        ConfigError: one of them is not of its form.
    """
    found: dict[str, Any] = {}
    others = []
    for text in texts:
        kind, _, value = text.partition("=")
        match kind:
            case "kill":
                found["kill_point"] = read_kill_point(value)
            case "full" | "readonly":
                found["breakage"] = read_breakage(Damage(kind), value)
            case "clock":
                found["clock_jump"] = read_clock_jump(value)
            case "freeze":
                found["freeze"] = read_freeze(value)
            case _:
                others.append(text)
    return ProcessDrills(**found), others
