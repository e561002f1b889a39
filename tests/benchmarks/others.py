"""Notices what other programs take of the machine while something is measured."""

import time
from dataclasses import dataclass, field
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import psutil

MOST_CORES = 0.2
"""What others may keep busy before figures are worth little."""


def _busy_s() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guests are counted in user and nice as well.
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - counted_twice)


def _ours_s() -> float:
    used = (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN))
    ended = sum(each.ru_utime + each.ru_stime for each in used)
    return ended + sum(_running_s(child) for child in psutil.Process().children(recursive=True))


def _running_s(child: psutil.Process) -> float:
    """Return the processor time of a process that has not ended: workers of a sweep stay."""
    try:
        times = child.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


@dataclass
class Others:
    """Begins to look when it is made."""

    began_s: float = field(default_factory=time.monotonic)
    busy_s: float = field(default_factory=_busy_s)
    ours_s: float = field(default_factory=_ours_s)

    def cores(self) -> float:
        """Return how many cores others have kept busy since."""
        passed_s = max(time.monotonic() - self.began_s, 0.01)
        return max(0.0, (_busy_s() - self.busy_s - (_ours_s() - self.ours_s)) / passed_s)


def warning(cores: float, of: int) -> str:
    """Return what the reader should know of that; nothing where it is little."""
    if cores <= MOST_CORES:
        return ""
    return (
        f"Other programs kept {cores:.1f} of {of} cores busy meanwhile: times are longer than on "
        "an idle machine, the tails most. Compare two versions in turns, by their ratios."
    )
