"""The envelope around a message: who told what to whom, because of what, and when."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from actors.core.messages import Message


class Origin(NamedTuple):
    """The message that caused another one."""

    trace_id: int
    """Id of the message with which the whole causal tree began."""
    message_id: int


@dataclass(slots=True, kw_only=True, eq=False)
class Envelope:
    """One message on its way. Its maker fills in the upper part, its receiver the lower."""

    message: Message
    message_id: int
    parent_id: int | None
    trace_id: int
    sender: str
    sender_generation: int
    """0 for senders that are no actors."""
    receiver: str
    sent_ns: int
    """Monotonic."""
    is_tick: bool = False
    """A newer one of its kind may take its place while it waits."""
    reply: "Future[Any] | None" = None
    """Where the answer goes; only the runtime asks."""

    taken_ns: int = 0
    now_ms: int = 0
    """The one time that the handler reads, of the trading clock."""

    @property
    def origin(self) -> Origin:
        """What a message told while this one is handled is caused by."""
        return Origin(self.trace_id, self.message_id)
