"""A long run under steady trouble: connections cut, actors crashed, and nothing may pile up."""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tests.chaos.harness.journal_view import read_epochs
from tests.chaos.harness.processes import ChaosError, Process
from tests.chaos.harness.scenario import SPEED, ChaosScenario, Commands, Outcome

CUT_EVERY_S = 5.0
"""Each cut ends every stream that stands; their back-off lets them stand again in half a minute."""
DRILL = "crash=0.01"
_SAMPLE_EVERY_S = 2.0
_MB = 1e6
GROWTH_MB_PER_DAY = 2.5
"""What memory may grow by per day of trading, in the second half of a soak.

A restarted actor reads all candles that are stored, so memory grows with the history. At this
rate a process still fits into 1 GB after a year; more than this is taken for a leak.
"""
NOISE_MB = 20.0
"""What an allocator may take and give back: a shorter soak cannot tell less from a leak."""
WAL_MB = 32.0
"""Facts are kept for ever, but SQLite's log before them begins anew at 4 MB; a reader that
never ends would let it grow."""
_DAY_S = 86_400.0
_TOLERANCE = 4
"""Threads, files and sockets that may come and go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the system uses at a moment."""

    at_s: float
    """Since the begin."""
    memory_mb: float
    threads: int
    files: int
    sockets: int
    journal_mb: float
    wal_mb: float
    """Of it the part that is not in the database yet."""
    trace_mb: float


@dataclass(slots=True, kw_only=True)
class SoakOutcome:
    """What a soak showed."""

    outcome: Outcome
    samples: list[Sample] = field(default_factory=list)
    reconnects: int = 0
    restarts: int = 0

    @property
    def memory_slope_mb_per_h(self) -> float:
        """Least-squares slope of the memory over the second half, when all is warm."""
        return _slope_mb_per_h(self.samples[len(self.samples) // 2 :])


def soak(
    length_s: float,
    seed: int,
    folder: Path,
    commands: Commands,
    on_sample: Callable[[Sample], None],
    trace_mb: float,
) -> SoakOutcome:
    """Trade for a time under steady trouble, and judge the end.

    Args:
        length_s: real time.
        seed: of the market and the drill.
        folder: one that is not there yet.
        commands: how to start the processes.
        on_sample: is shown each sample.
        trace_mb: what the traces may take, the segment being written included.

    Raises:
        ChaosError: a process did not start, or died on its own.
    """
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stage = ChaosScenario(seed, folder, commands, stack)
        found = SoakOutcome(outcome=stage.outcome)
        system = stage.start_system([DRILL])
        joined: list[int] = []
        began_s = cut_s = time.monotonic()
        while (now_s := time.monotonic()) - began_s < length_s:
            if system.wait(_SAMPLE_EVERY_S) is not None:
                raise ChaosError(f"the system ended with exit code {system.code}")
            found.samples.append(_sample(stage, system, now_s - began_s))
            on_sample(found.samples[-1])
            if now_s - cut_s >= CUT_EVERY_S:
                cut_s = now_s
                joined.append(stage.exchange.state()["streams_joined"])
                stage.exchange.add_fault({"kind": "cut"})
        joined.append(stage.exchange.state()["streams_joined"])
        found.reconnects = joined[-1] - joined[0]
        found.restarts = _restarts(stage)
        stage.settle_and_stop(system)
        stage.judge(CUT_EVERY_S)
        stage.outcome.problems += piled_up(found.samples)
        stage.outcome.problems += leaked(found.samples)
        stage.outcome.problems += overgrown(found.samples, trace_mb)
        return found


def piled_up(samples: Sequence[Sample]) -> list[str]:
    """Return what grew from the second quarter of a soak to the last."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    if not quarter:
        return []
    return [
        f"{name}: {_most(early, name)} at first, {_most(late, name)} in the end"
        for name in ("threads", "files", "sockets")
        if _most(late, name) > _most(early, name) + _TOLERANCE
    ]


def leaked(samples: Sequence[Sample]) -> list[str]:
    """Return that memory grew steadily in the second half of a soak, by more than history takes."""
    half = samples[len(samples) // 2 :]
    hours = (half[-1].at_s - half[0].at_s) / 3600 if half else 0.0
    grown_mb = _slope_mb_per_h(half) * hours
    allowed_mb = max(NOISE_MB, GROWTH_MB_PER_DAY * hours * 3600 * SPEED / _DAY_S)
    # A single step, such as a cache that fills, is no leak: it has to go on to the end.
    is_steady = _slope_mb_per_h(half[len(half) // 2 :]) * hours > allowed_mb / 2
    if grown_mb <= allowed_mb or not is_steady:
        return []
    return [f"memory grew by {grown_mb:.0f} MB in the second half, {allowed_mb:.0f} are allowed"]


def overgrown(samples: Sequence[Sample], trace_mb: float) -> list[str]:
    """Return which files became larger than what is kept of them."""
    limits = {"trace_mb": trace_mb, "wal_mb": WAL_MB}
    most = {name: max((getattr(s, name) for s in samples), default=0.0) for name in limits}
    return [
        f"{name}: {most[name]:.0f} at most, {limit:.0f} are allowed"
        for name, limit in limits.items()
        if most[name] > limit
    ]


def _slope_mb_per_h(samples: Sequence[Sample]) -> float:
    if len(samples) < 3:
        return 0.0
    hours = np.array([sample.at_s for sample in samples]) / 3600
    return float(np.polyfit(hours, [sample.memory_mb for sample in samples], 1)[0])


def _most(samples: Sequence[Sample], name: str) -> int:
    return max(int(getattr(sample, name)) for sample in samples)


def _sample(stage: ChaosScenario, system: Process, at_s: float) -> Sample:
    process = psutil.Process(system.pid)
    return Sample(
        at_s=at_s,
        memory_mb=process.memory_info().rss / _MB,
        threads=process.num_threads(),
        files=len(process.open_files()),
        sockets=len(process.net_connections()),
        journal_mb=_size_mb(stage.run_dir.glob("journal.sqlite*")),
        wal_mb=_size_mb(stage.run_dir.glob("journal.sqlite-wal")),
        trace_mb=_size_mb((stage.run_dir / "trace").rglob("*")),
    )


def _size_mb(files: Iterable[Path]) -> float:
    total = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size
    return total / _MB


def _restarts(stage: ChaosScenario) -> int:
    """Return how often an actor took its lease again."""
    return sum(holder - 1 for holder in read_epochs(stage.journal).values())
