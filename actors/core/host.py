"""The environment of a run's actors."""

from dataclasses import dataclass, field
from random import Random

from actors.core.concurrency import THREADS, Concurrency
from actors.core.trace import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The environment of the process, unless a simulation provides another."""

    concurrency: Concurrency = THREADS
    rng: Random = field(default_factory=Random)
    """For the jitter of restarts."""
    session: int = 1
    """Without tracing: makes the ids of messages differ from another process's."""
    watch: Record | None = None
    """Without tracing: receives every handled message."""
