"""What is recorded of each message: who handled it, what that asked for, told and ended in.

A `Record` is handed every `Handling` at its end, in the thread in which it ended. It must only
take note, and neither wait nor raise: it runs in the threads that do the work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter_ns
from typing import Any

from actors.core.envelope import Envelope


class Outcome(StrEnum):
    """What became of a message."""

    DONE = "done"
    CRASHED = "crashed"
    HUNG = "hung"
    """Its actor was abandoned over it."""
    DEAD_LETTER = "dead letter"
    """Nobody answers at its address any more."""
    CONFLATED = "conflated"
    """A newer one took its place while it waited."""
    FENCED = "fenced"
    """Told by an incarnation that was replaced; never delivered."""


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """An exception, kept without the frames it came through."""

    kind: type[BaseException]
    arguments: tuple[Any, ...]
    cause: str
    """Type and text."""
    details: str = ""
    """The traceback, where it ended an incarnation."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of an actor to the outer world, and what it answered."""

    port: str
    method: str
    arguments: tuple[Any, ...]
    result: Any = None
    raised: Raised | None = None
    took_ns: int = 0


@dataclass(slots=True, eq=False)
class Handling:
    """One message, or one start of an actor, from its taking to its end."""

    envelope: Envelope
    generation: int
    """The incarnation that took it; 0 where none did."""
    outcome: Outcome = Outcome.DONE
    calls: list[Call] = field(default_factory=list)
    told: list[Envelope] = field(default_factory=list)
    """What it led to, in order."""
    raised: Raised | None = None
    """What ended it before its time, or why nobody took it."""
    done_ns: int = 0
    """Monotonic."""

    def end(self, outcome: Outcome, raised: Raised | None = None) -> "Handling":
        """Note how and when it ended."""
        self.outcome, self.raised, self.done_ns = outcome, raised, perf_counter_ns()
        return self


Record = Callable[[Handling], None]


def unhandled(envelope: Envelope, outcome: Outcome, cause: str = "") -> Handling:
    """Return what is recorded of a message that no actor took."""
    raised = Raised(kind=Exception, arguments=(), cause=cause) if cause else None
    return Handling(envelope, 0).end(outcome, raised)
