"""What every message is, and what supervision itself tells."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of all messages: values only; ids, sender and times are in the envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an incarnation ended, and how its address fared since."""

    crash_id: str
    """Id of the message over which it ended, as people write it."""
    cause: str
    is_hang: bool
    failures: int
    """Within the policy's time, this one included."""
    allowed: int
    """Restarts within that time."""
    down_ms: int
    """Real time until the next incarnation was ready to speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """Query, from the runtime: answered once all earlier messages are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Message):
    """Command, from the supervisor to a new incarnation: become ready.

    It is recorded like any message, but it is no one's mail: what `on_start` tells and stores is
    caused by it, and it is caused by the crash that made it necessary.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Message):
    """Event, from a new incarnation to all: whoever awaits its answer repeats the request."""

    address: str
    generation: int
    ended_by: Ending | None = field(default=None, compare=False)
    """How the incarnation before it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp(Message):
    """Event, from the supervisor to all: an actor failed too often; what it serves is suspended."""

    address: str
    cause: str
    crash_id: str | None = field(default=None, compare=False)
    """Of its last crash; None where it was given up by order."""
    failures: int = field(default=0, compare=False)
    """Within the policy's time; 0 where it was given up by order."""
    allowed: int = field(default=0, compare=False)
    """Restarts within that time."""
