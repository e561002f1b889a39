"""How many messages each actor has handled, and how long the newest took."""

from collections import deque

from actors.core.messages import Ping
from actors.core.trace import Handling, Record
from actors.messages import Describe

_LATENCIES_KEPT = 256
_OF_WATCHERS = (Describe, Ping)
"""Sent many times a second by everything that watches the actors."""


class _Figures:
    """Figures of one actor; written only by its thread."""

    def __init__(self) -> None:
        self.handled = 0
        self.newest_ms: deque[float] = deque(maxlen=_LATENCIES_KEPT)


class Meter:
    """A `Record` that counts, and passes on to the one that writes the trace."""

    def __init__(self, then: Record | None) -> None:
        """Start with no counts.

        Args:
            then: called with every counted message; None: nothing.
        """
        self._then = then
        self._figures: dict[str, _Figures] = {}

    def __call__(self, handling: Handling) -> None:
        """Count a handled message."""
        envelope = handling.envelope
        if not isinstance(envelope.message, _OF_WATCHERS):
            self._note(handling)
        if self._then is not None:
            self._then(handling)

    def handled(self, address: str) -> int:
        """Return how many messages an actor has handled."""
        found = self._figures.get(address)
        return 0 if found is None else found.handled

    def latency_ms(self, address: str) -> tuple[float, float] | None:
        """Return median and 99th percentile of the newest; None if there were none."""
        found = self._figures.get(address)
        taken = [] if found is None else sorted(found.newest_ms.copy())
        if not taken:
            return None
        return taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)]

    def _note(self, handling: Handling) -> None:
        envelope = handling.envelope
        if not envelope.taken_ns:
            return
        figures = self._figures.get(envelope.receiver)
        if figures is None:
            figures = self._figures.setdefault(envelope.receiver, _Figures())
        figures.handled += 1
        figures.newest_ms.append(max(0, handling.done_ns - envelope.taken_ns) / 1e6)
