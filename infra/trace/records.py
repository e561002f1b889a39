"""What a trace stores, as MessagePack arrays. A stored field keeps its position forever."""

from typing import Any

import msgspec

SESSION_KEY = "=session"
SERIES_KEY = "=series/"
NOTE_KEY = "=note"
"""Keys of frames that belong to no actor; addresses never begin with `=`. The series key is
followed by the address that read the candles."""


class StoredRaised(msgspec.Struct, array_like=True):
    """An exception."""

    kind: str
    """module:Name."""
    arguments: list[Any]
    cause: str
    details: str
    """The traceback; empty unless an incarnation ended."""


class SeriesRef(msgspec.Struct, array_like=True, frozen=True):
    """Candles stored in the segment's series frames."""

    asset: str
    version: int
    first_open_ms: int
    count: int


class StoredCall(msgspec.Struct, array_like=True):
    """One call of a port and its answer."""

    port: str
    method: str
    arguments: msgspec.Raw
    """A list; dataclasses as [type name, fields], what cannot be stored (a callback) as None."""
    result: msgspec.Raw
    series: SeriesRef | None
    """Replaces the result if that is candles."""
    raised: StoredRaised | None
    took_ns: int


class StoredTold(msgspec.Struct, array_like=True):
    """A message that was told."""

    message_id: int
    receiver: str
    kind: str
    payload: msgspec.Raw


class StoredHandling(msgspec.Struct, array_like=True):
    """One message, or one start of an actor, from being taken to its end."""

    message_id: int
    parent_id: int | None
    trace_id: int
    sender: str
    sender_generation: int
    receiver: str
    generation: int
    kind: str
    payload: msgspec.Raw
    now_ms: int
    """Time of the trading clock."""
    sent_ns: int
    """Monotonic, like the two below; 0 if it never got that far."""
    taken_ns: int
    done_ns: int
    outcome: str
    is_tick: bool
    calls: list[StoredCall]
    told: list[StoredTold]
    raised: StoredRaised | None

    @property
    def waited_us(self) -> float:
        """How long it waited in the mailbox."""
        return (self.taken_ns - self.sent_ns) / 1000 if self.taken_ns else 0.0

    @property
    def worked_us(self) -> float:
        """How long its handling took."""
        return (self.done_ns - self.taken_ns) / 1000 if self.taken_ns else 0.0


class ActorDescription(msgspec.Struct, array_like=True):
    """What an actor was constructed with."""

    address: str
    actor: str
    """module:Class."""
    arguments: dict[str, Any]
    """[kind, value]; a port's kind is `port` and its value its name."""


class Session(msgspec.Struct, array_like=True):
    """One process that wrote to the trace; the head of every segment."""

    number: int
    mode: str
    began_ms: int
    """Wall clock."""
    began_ns: int
    """Monotonic time of the same moment."""
    python: str
    actors: list[ActorDescription]
    tick_every: int = 1
    """Of the messages that only carry a newer price, every n-th was kept."""
    format: int = 0
    """Format of names and shapes in the records; see `infra.trace.names`."""

    def wall_ns(self, monotonic_ns: int) -> int:
        """Return the wall clock time of a monotonic one, which differs between boots."""
        return self.began_ms * 1_000_000 + monotonic_ns - self.began_ns


class StoredSeries(msgspec.Struct, array_like=True):
    """Candles that continue those of the same asset and version in the same segment."""

    asset: str
    version: int
    candle_ms: int
    first_open_ms: int
    columns: list[bytes]
    """Open, high, low, close, volume (float64), carried (bool); little-endian."""
