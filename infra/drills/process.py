"""Reads the drills of a command line that affect the process and its database, not an actor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.drills.broken_database import Breakage, BrokenDatabase, Damage, read_breakage
from infra.drills.clock_jump import jump_later, read_clock_jump
from infra.drills.freeze import freeze_later, read_freeze
from infra.drills.kill_points import Killer, KillPoint, read_kill_point


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDrills:
    """The drills of the process."""

    kill_point: KillPoint | None = None
    breakage: Breakage | None = None
    clock_jump: tuple[float, float] | None = None
    """By and after how many seconds the wall clock jumps."""
    freeze: tuple[int, float] | None = None
    """For and after how many seconds no Python code runs."""

    def make_killer(self) -> Killer | None:
        """Return the killer of the process; None without such a drill."""
        if self.kill_point is None:
            return None
        killer = Killer(self.kill_point)
        killer.watch_requests()
        return killer

    def make_broken_database(self) -> BrokenDatabase | None:
        """Return the breaker of the journal; None without such a drill."""
        return None if self.breakage is None else BrokenDatabase(self.breakage)

    def start_timed(self) -> None:
        """Schedule the clock jump and the freeze, if there are any."""
        if self.clock_jump is not None:
            jump_later(*self.clock_jump)
        if self.freeze is not None:
            freeze_later(*self.freeze)


def read_process_drills(texts: Sequence[str]) -> tuple[ProcessDrills, list[str]]:
    """Return the process's drills of a command line, and the remaining ones.

    Raises:
        ConfigError: one of them is malformed.
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
