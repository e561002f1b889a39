"""Turns what the actor system hands over into stored records.

The actor system's types are not imported, only their shape is used: `infra` knows no actors. The
order of each tuple here is the order of the fields in `records`.
"""

from collections.abc import MutableSequence, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Any, Protocol

import msgspec

from domain.market.candles import CandleSeries
from infra.trace.records import SeriesRef
from infra.trace.series import SeriesWriter, encode_series
from infra.trace.unions import storable


class Envelope(Protocol):
    """A message with its metadata; see `actors.core.envelope`."""

    message: Any
    message_id: int
    parent_id: int | None
    trace_id: int
    sender: str
    sender_generation: int
    receiver: str
    sent_ns: int
    taken_ns: int
    now_ms: int
    is_tick: bool


class Handling(Protocol):
    """A message once it has been handled; see `actors.core.trace`."""

    @property
    def envelope(self) -> Envelope:
        """The message."""

    generation: int
    done_ns: int

    @property
    def outcome(self) -> str:
        """What became of it."""

    @property
    def calls(self) -> MutableSequence[Any]:
        """What was asked of ports."""

    @property
    def told(self) -> Sequence[Any]:
        """What was told."""

    raised: Any


def _in_place_of(value: object) -> int | None:
    """Store a callback or an open handle as None, and a journal as its newest fact id.

    So the trace shows up to which fact an incarnation was rebuilt.
    """
    newest = getattr(value, "newest_fact_id", None)
    return newest if isinstance(newest, int) else None


_encoder = msgspec.msgpack.Encoder(enc_hook=_in_place_of)


def pack(value: object) -> bytes:
    """Return a value as it is stored."""
    return _encoder.encode(storable(value))


def unpack(packed: bytes) -> Any:
    """Return stored values as plain lists and dicts."""
    return msgspec.msgpack.decode(packed)


@cache
def _has_fields(kind: Any) -> bool:
    return is_dataclass(kind)


def tagged(value: object) -> object:
    """Return an argument as it is stored: a dataclass with the name of its type."""
    kind: Any = type(value)
    if _has_fields(kind):
        return (kind.__name__, storable(value))
    return value


class HandlingEncoder:
    """Encodes for one segment after another."""

    def __init__(self) -> None:
        self.begin_segment()

    def begin_segment(self) -> None:
        """Begin a segment; it will hold all that its records refer to."""
        self._series: dict[str, SeriesWriter] = {}
        self.added: dict[str, list[bytes]] = {}
        """Series that the records encoded since the last frames refer to, by the address that read
        them; the caller empties it."""

    def encode_into(self, handling: Handling, last_ms: int, buffer: bytearray) -> int:
        """Append a record to a buffer, and return its time on the trading clock.

        Args:
            handling: what is recorded.
            last_ms: used as its time if it was never taken from the mailbox.
            buffer: of the records of its address.

        Raises:
            TypeError, ValueError, OverflowError, RecursionError: it cannot be stored; nothing was.
        """
        envelope = handling.envelope
        message = envelope.message
        now_ms = envelope.now_ms or last_ms
        record = (
            envelope.message_id,
            envelope.parent_id,
            envelope.trace_id,
            envelope.sender,
            envelope.sender_generation,
            envelope.receiver,
            handling.generation,
            type(message).__name__,
            storable(message),
            now_ms,
            envelope.sent_ns,
            envelope.taken_ns,
            handling.done_ns,
            handling.outcome,
            envelope.is_tick,
            [self._call(envelope.receiver, call) for call in handling.calls],
            [
                (
                    told.message_id,
                    told.receiver,
                    type(told.message).__name__,
                    storable(told.message),
                )
                for told in handling.told
            ],
            None if handling.raised is None else _raised(handling.raised),
        )
        size = len(buffer)
        try:
            _encoder.encode_into(record, buffer, -1)
        except (TypeError, ValueError, OverflowError, RecursionError):
            del buffer[size:]
            raise
        return now_ms

    def _call(self, address: str, call: Any) -> tuple[Any, ...]:
        result, series = call.result, None
        if isinstance(result, CandleSeries):
            series = self._refer(address, call.arguments[0], result)
            result = None
        return (
            call.port,
            call.method,
            [tagged(argument) for argument in call.arguments],
            storable(result),
            series,
            None if call.raised is None else _raised(call.raised),
            call.took_ns,
        )

    def _refer(self, address: str, asset: str, series: CandleSeries) -> SeriesRef:
        ref, added = self._series.setdefault(address, SeriesWriter()).refer(asset, series)
        if added is not None:
            self.added.setdefault(address, []).append(encode_series(added))
        return ref


def _raised(raised: Any) -> tuple[str, list[Any], str, str]:
    kind = f"{raised.kind.__module__}:{raised.kind.__qualname__}"
    return kind, list(raised.arguments), raised.cause, raised.details
