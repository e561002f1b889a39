"""Intervals and waits of actors, in real time whatever the speed of the clock."""

from dataclasses import dataclass
from typing import Self

from actors.outages import GATHER_MS
from domain.market.instruments import MINUTE_MS

_ASK_AGAIN_MS = 1_000
_YIELDS_S = 0.02
"""Several times the delay from a close to an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePace:
    """How often an execution reconciles with the exchange."""

    ask_again_ms: int = _ASK_AGAIN_MS
    """Pause before an unanswered query is repeated."""
    reconcile_ms: int | None = None
    """Interval of routine reconciliation; None: never, as in a replay."""
    stale_ms: int | None = None
    """How long it may be silent before that is a malfunction; None: forever."""

    @classmethod
    def at_speed(cls, speed: float, reconcile_s: float, stale_ms: int) -> Self:
        """Return the pace in real time under a clock of a speed; the arguments are real time."""
        return cls(
            ask_again_ms=int(_ASK_AGAIN_MS * speed),
            reconcile_ms=int(reconcile_s * 1000 * speed),
            stale_ms=int(stale_ms * speed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePace:
    """How long the notifier waits before it notifies."""

    patience_ms: int = MINUTE_MS
    """For the answers that a report needs."""
    gather_ms: int = GATHER_MS
    """For losses and returns that belong together."""
    yields_s: float = 0.0
    """For trading actors, after a pause: they share its processor and database."""

    @classmethod
    def at_speed(cls, speed: float) -> Self:
        """Return the usual pace in real time under a clock of a speed."""
        return cls(
            patience_ms=int(MINUTE_MS * speed),
            gather_ms=int(GATHER_MS * speed),
            yields_s=_YIELDS_S,
        )


REPLAY_PACE = ReconcilePace()
USUAL_PACE = NoticePace()
