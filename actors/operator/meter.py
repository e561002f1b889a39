"""How many messages each actor has handled and how long they took, and the newest of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from actors.core.messages import Ping
from actors.core.trace import Handling, Record
from actors.messages import Describe

_LATENCIES_KEPT = 256
_LINES_KEPT = 500
_OF_WATCHERS = (Describe, Ping)
"""Whoever looks at the actors sends these, many times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """One message at its end, without what it holds."""

    number: int
    """Rises with each."""
    message_id: int
    trace_id: int
    kind: str
    sender: str
    receiver: str
    outcome: str
    now_ms: int
    """Trading clock when it was taken; 0 where nobody took it."""
    waited_ms: float
    took_ms: float


class _Figures:
    """Of one actor; written by the one thread that works for it."""

    def __init__(self) -> None:
        self.handled = 0
        self.newest_ms: deque[float] = deque(maxlen=_LATENCIES_KEPT)


class Meter:
    """A `Record` that counts, and hands on to the one that writes the trace."""

    def __init__(self, then: Record | None) -> None:
        """Count nothing yet.

        Args:
            then: is handed every message after it was counted; None: nobody is.
        """
        self._then = then
        self._figures: dict[str, _Figures] = {}
        self._lines: deque[MessageLine] = deque(maxlen=_LINES_KEPT)
        self._numbers = count(1)

    def __call__(self, handling: Handling) -> None:
        """Take note of a message at its end."""
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
        """Return median and 99th percentile of the newest; None where there were none."""
        found = self._figures.get(address)
        taken = [] if found is None else sorted(found.newest_ms.copy())
        if not taken:
            return None
        return taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)]

    def lines(self, after: int) -> Sequence[MessageLine]:
        """Return the newest messages whose number is higher, oldest first."""
        return [line for line in self._lines.copy() if line.number > after]

    def _note(self, handling: Handling) -> None:
        envelope = handling.envelope
        is_taken = envelope.taken_ns > 0
        begun_ns = envelope.taken_ns if is_taken else handling.done_ns
        took_ms = max(0, handling.done_ns - begun_ns) / 1e6
        if is_taken:
            figures = self._figures.get(envelope.receiver)
            if figures is None:
                figures = self._figures.setdefault(envelope.receiver, _Figures())
            figures.handled += 1
            figures.newest_ms.append(took_ms)
        self._lines.append(
            MessageLine(
                number=next(self._numbers),
                message_id=envelope.message_id,
                trace_id=envelope.trace_id,
                kind=type(envelope.message).__name__,
                sender=envelope.sender,
                receiver=envelope.receiver,
                outcome=str(handling.outcome),
                now_ms=envelope.now_ms,
                waited_ms=max(0, begun_ns - envelope.sent_ns) / 1e6,
                took_ms=took_ms,
            )
        )
