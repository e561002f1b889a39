"""What the process and its machine use."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The process and its machine, as they are now."""

    cpu_fraction: float
    """Of all cores, by all processes, since the look before."""
    process_cpu_fraction: float
    """Of one core, by this process; Python code has no more than one."""
    memory_fraction: float
    """Of the machine's, by all processes."""
    process_memory_bytes: int
    threads: int
    disk_free_bytes: int
    disk_size_bytes: int

    @property
    def disk_fraction(self) -> float:
        """How full the disk is."""
        return 1.0 - self.disk_free_bytes / self.disk_size_bytes


class MachineWatch:
    """Looks at this process and its machine."""

    def __init__(self, directory: Path) -> None:
        """Begin to measure.

        Args:
            directory: on the disk that matters.
        """
        self._directory = directory
        self._process = psutil.Process()
        # The first call has nothing to compare with.
        self._process.cpu_percent()
        psutil.cpu_percent()

    def look(self) -> Machine:
        """Return what is used now."""
        disk = psutil.disk_usage(str(self._directory))
        return Machine(
            cpu_fraction=psutil.cpu_percent() / 100,
            process_cpu_fraction=self._process.cpu_percent() / 100,
            memory_fraction=psutil.virtual_memory().percent / 100,
            process_memory_bytes=self._process.memory_info().rss,
            threads=self._process.num_threads(),
            disk_free_bytes=disk.free,  # what is left to this user
            disk_size_bytes=disk.used + disk.free,
        )


def size_bytes(files: Iterable[Path]) -> int:
    """Return what some files take; one that has just been deleted takes nothing."""
    total = 0
    for file in files:
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total
