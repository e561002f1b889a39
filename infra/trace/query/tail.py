"""The newest messages of a trace, and those being written."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.trace.query.text import assets_in
from infra.trace.reader import Found, TraceReader

_LOOK_AGAIN_S = 0.3
_QUERIES = ("Describe", "Ping")
"""Sent for the screens; shown only when asked for by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages to show; None: any."""

    actor: str | None = None
    """Address of the receiver."""
    kind: str | None = None
    asset: str | None = None
    from_ms: int | None = None
    """Earliest time of the trading clock."""

    @property
    def keys(self) -> Sequence[str] | None:
        """The addresses whose messages are read."""
        return None if self.actor is None else [self.actor]

    def fits(self, found: Found) -> bool:
        stored = found.handling
        return (
            (stored.kind not in _QUERIES if self.kind is None else stored.kind == self.kind)
            and (self.asset is None or self.asset in assets_in(stored))
            and (self.from_ms is None or stored.now_ms >= self.from_ms)
        )


def newest(reader: TraceReader, wanted: Wanted, count: int) -> list[Found]:
    """Return the last `count` wanted messages, oldest first; 0: all."""
    found = reader.read(keys=wanted.keys, from_ms=wanted.from_ms)
    return list(filter(wanted.fits, found))[-count:]


def followed(reader: TraceReader, directory: Path, wanted: Wanted, count: int) -> Iterator[Found]:
    """Yield the last `count` wanted messages, then each new one as it is written, forever."""

    def news() -> list[Found]:
        found = filter(wanted.fits, reader.follow(directory, wanted.keys))
        return sorted(found, key=lambda one: one.handling.done_ns)

    yield from news()[-count:]
    while True:
        time.sleep(_LOOK_AGAIN_S)
        yield from news()
