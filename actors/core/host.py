"""What a run's actors run on."""

from dataclasses import dataclass, field
from random import Random

from actors.core.concurrency import THREADS, Concurrency
from actors.core.trace import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A process's own, unless somebody plays it."""

    concurrency: Concurrency = THREADS
    rng: Random = field(default_factory=Random)
    """For the jitter of restarts."""
    session: int = 1
    """Where nothing is traced: it makes the ids of messages differ from another process's."""
    watch: Record | None = None
    """Where nothing is traced: is handed every message at its end."""
