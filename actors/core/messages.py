"""The base of all messages, and the messages of supervision itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of all messages: values only; ids, sender and times are in the envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an incarnation ended, and how its address recovered."""

    crash_id: str
    """Id of the message that ended it, as text."""
    cause: str
    is_hang: bool
    failures: int
    """Failures within the policy's time, including this one."""
    allowed: int
    """Restarts allowed within that time."""
    down_ms: int
    """Real time until the next incarnation was ready to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """Query, from the runtime: answered once all earlier messages are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Message):
    """Command, from the supervisor to a new incarnation: become ready.

    It is recorded like any message, but never delivered through a mailbox: it is the cause of what
    `on_start` sends and stores, and is itself caused by the crash that made it necessary.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Message):
    """Event, from a new incarnation to all: those awaiting its answer repeat the request."""

    address: str
    generation: int
    ended_by: Ending | None = field(default=None, compare=False)
    """How the previous incarnation ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp(Message):
    """Event, from the supervisor to all: an actor failed too often; what it serves is suspended."""

    address: str
    cause: str
    crash_id: str | None = field(default=None, compare=False)
    """Id of its last crash; None if it was given up by order."""
    failures: int = field(default=0, compare=False)
    """Failures within the policy's time; 0 if it was given up by order."""
    allowed: int = field(default=0, compare=False)
    """Restarts allowed within that time."""
