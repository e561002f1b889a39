"""What every message is, and what supervision itself tells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of all messages: values only; ids, sender and times are in the envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """Query, from the roof: answered once all earlier messages are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Message):
    """Event, from a new incarnation to all: whoever awaits its answer repeats the request."""

    address: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp(Message):
    """Event, from the supervisor to all: an actor failed too often; what it serves is suspended."""

    address: str
    cause: str
