"""How often actors ask and how long they wait; real time, whatever the speed of the clock."""

from dataclasses import dataclass
from typing import Self

from actors.outages import GATHER_MS
from domain.market.instruments import MINUTE_MS

_ASK_AGAIN_MS = 1_000
_YIELDS_S = 0.02
"""Several times what a close takes to become an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePace:
    """How often an execution asks the exchange what is true."""

    ask_again_ms: int = _ASK_AGAIN_MS
    """Pause before it is asked again what it did not answer."""
    reconcile_ms: int | None = None
    """How often it is asked, come what may; None: never, in a replay, which hides nothing."""
    stale_ms: int | None = None
    """How long it may be silent before that is a malfunction; None: for ever."""

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
    """How long the notifier waits before it tells."""

    patience_ms: int = MINUTE_MS
    """For the answers that a report needs."""
    gather_ms: int = GATHER_MS
    """For losses and returns that belong together."""
    yields_s: float = 0.0
    """For those who trade, after a pause: they share its processor and its database."""

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
