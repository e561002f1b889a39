"""The resource use of the process and its machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The current resource use of the process and its machine."""

    cpu_fraction: float
    """Share of all cores, by all processes, since the previous sample."""
    process_cpu_fraction: float
    """Share of one core, by this process; Python code cannot use more."""
    memory_fraction: float
    """Share of the machine's memory, by all processes."""
    process_memory_bytes: int
    threads: int
    disk_free_bytes: int
    disk_size_bytes: int

    @property
    def disk_fraction(self) -> float:
        """How full the disk is."""
        return 1.0 - self.disk_free_bytes / self.disk_size_bytes


class MachineWatch:
    """Samples this process and its machine."""

    def __init__(self, directory: Path) -> None:
        """Start measuring.

        Args:
            directory: on the disk to watch.
        """
        self._directory = directory
        self._process = psutil.Process()
        # The first call has no earlier sample to compare with.
        self._process.cpu_percent()
        psutil.cpu_percent()

    def look(self) -> Machine:
        """Return the current use."""
        disk = psutil.disk_usage(str(self._directory))
        return Machine(
            cpu_fraction=psutil.cpu_percent() / 100,
            process_cpu_fraction=self._process.cpu_percent() / 100,
            memory_fraction=psutil.virtual_memory().percent / 100,
            process_memory_bytes=self._process.memory_info().rss,
            threads=self._process.num_threads(),
            disk_free_bytes=disk.free,  # what is available to this user
            disk_size_bytes=disk.used + disk.free,
        )


def size_bytes(files: Iterable[Path]) -> int:
    """Return the total size of files; one that has just been deleted counts 0."""
    total = 0
    for file in files:
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total
