"""The envelope around a message: sender, receiver, cause and times."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from actors.core.messages import Message


class Origin(NamedTuple):
    """The message that caused another one."""

    trace_id: int
    """Id of the message that began the whole causal tree."""
    message_id: int


@dataclass(slots=True, kw_only=True, eq=False)
class Envelope:
    """One message in transit. The sender fills in the upper part, the receiver the lower."""

    message: Message
    message_id: int
    parent_id: int | None
    trace_id: int
    sender: str
    sender_generation: int
    """0 for senders that are not actors."""
    receiver: str
    sent_ns: int
    """Monotonic."""
    is_tick: bool = False
    """Whether a newer one of its kind may replace it while it waits."""
    reply: "Future[Any] | None" = None
    """Receives the answer; only the runtime asks."""

    taken_ns: int = 0
    now_ms: int = 0
    """The only time that the handler reads, by the trading clock."""

    @property
    def origin(self) -> Origin:
        """The cause of messages sent while this one is handled."""
        return Origin(self.trace_id, self.message_id)
