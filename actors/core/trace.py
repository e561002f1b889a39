"""What is recorded of each message: who handled it, its port calls, sent messages and outcome.

A `Record` receives every `Handling` at its end, in the thread in which it ended. It must only take
note, and neither block nor raise: it runs in the working threads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter_ns
from typing import Any

from actors.core.envelope import Envelope


class Outcome(StrEnum):
    """The outcome of a message."""

    DONE = "done"
    CRASHED = "crashed"
    HUNG = "hung"
    """Its actor was abandoned while handling it."""
    DEAD_LETTER = "dead letter"
    """Its address no longer answers."""
    CONFLATED = "conflated"
    """A newer one replaced it while it waited."""
    FENCED = "fenced"
    """Sent by an incarnation that was replaced; never delivered."""


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """An exception, kept without its frames."""

    kind: type[BaseException]
    arguments: tuple[Any, ...]
    cause: str
    """Type and text."""
    details: str = ""
    """The traceback, if it ended an incarnation."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One port call of an actor, and its answer."""

    port: str
    method: str
    arguments: tuple[Any, ...]
    result: Any = None
    raised: Raised | None = None
    took_ns: int = 0


@dataclass(slots=True, eq=False)
class Handling:
    """One message, or one start of an actor, from being taken to its end."""

    envelope: Envelope
    generation: int
    """The incarnation that took it; 0 if none did."""
    outcome: Outcome = Outcome.DONE
    calls: list[Call] = field(default_factory=list)
    """Port calls, in order."""
    told: list[Envelope] = field(default_factory=list)
    """Messages sent, in order."""
    raised: Raised | None = None
    """What ended it early, or why it was not taken."""
    done_ns: int = 0
    """Monotonic."""

    def end(self, outcome: Outcome, raised: Raised | None = None) -> "Handling":
        """Note how and when it ended."""
        self.outcome, self.raised, self.done_ns = outcome, raised, perf_counter_ns()
        return self


Record = Callable[[Handling], None]


def unhandled(envelope: Envelope, outcome: Outcome, cause: str = "") -> Handling:
    """Return the record of a message that no actor took."""
    raised = Raised(kind=Exception, arguments=(), cause=cause) if cause else None
    return Handling(envelope, 0).end(outcome, raised)
