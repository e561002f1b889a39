"""Whether the exchange is reachable, and the signs of life passed to the portfolio."""

from actors.execution.alarms import access_denied
from actors.execution.context import ExecutionContext
from actors.messages import (
    ConnectionLost,
    ConnectionRestored,
    MalfunctionBegan,
    MalfunctionEnded,
    PositionMarked,
)
from actors.names import NOTIFIER, PORTFOLIO
from domain.errors import AccessDeniedError

_EXCHANGE = "exchange"
ALARMING_SILENCES = 3
SIGNS_OF_LIFE = 6
"""How many prices the portfolio gets within the time after which silence is a malfunction."""


class VenueConnectivity:
    """Tracks how long the exchange has been silent, and whether that was reported."""

    def __init__(self, context: ExecutionContext, *, stale_ms: int | None) -> None:
        """Start with a reachable exchange.

        Args:
            context: of the execution.
            stale_ms: how long it may be silent before that is a malfunction; None: forever.
        """
        self._context = context
        self._actor = context.actor
        self._asset = context.asset
        self._stale_ms = stale_ms
        self.silences = 0
        """Unanswered queries in a row."""
        self._since_ms = 0
        self._is_lost = False
        """Whether the portfolio was told that the exchange cannot be reached."""
        self._marked_ms = 0

    def on_silence(self, error: Exception) -> None:
        """Count an unanswered query."""
        self.silences += 1
        if self.silences == 1:
            self._since_ms = self._actor.now_ms
        if isinstance(error, AccessDeniedError):
            self._context.alarms.tell(access_denied(self._asset, str(error), self._since_ms))
        # A single answer may get lost; only lasting silence is worth reporting.
        if self.silences == ALARMING_SILENCES:
            lost = ConnectionLost(asset=self._asset, what=_EXCHANGE, detail=str(error))
            self._actor.tell(NOTIFIER, lost)
        silent_ms = self._actor.now_ms - self._since_ms
        is_stale = self._stale_ms is not None and silent_ms >= self._stale_ms
        if is_stale and not self._is_lost:
            self._is_lost = True
            self.tell_again()

    def on_answer(self) -> None:
        """End the silence."""
        if self.silences >= ALARMING_SILENCES:
            down_ms = self._actor.now_ms - self._since_ms
            restored = ConnectionRestored(asset=self._asset, what=_EXCHANGE, down_ms=down_ms)
            self._actor.tell(NOTIFIER, restored)
        self.silences = 0
        if self._is_lost:
            self._is_lost = False
            self._actor.tell(PORTFOLIO, MalfunctionEnded(source=self._actor.name))

    def tell_again(self) -> None:
        """Tell the portfolio again if the exchange is unreachable."""
        if self._is_lost:
            detail = f"the exchange does not answer for {self._asset}"
            self._actor.tell(PORTFOLIO, MalfunctionBegan(source=self._actor.name, detail=detail))

    def pass_on(self, mark: PositionMarked, *, is_open: bool) -> None:
        """Pass a price on: always if a position needs it, otherwise as a sign of life."""
        pause_ms = 0 if self._stale_ms is None else self._stale_ms // SIGNS_OF_LIFE
        is_due = self._stale_ms is not None and mark.ts_ms - self._marked_ms >= pause_ms
        if is_open or is_due:
            self._marked_ms = mark.ts_ms
            self._actor.tell(PORTFOLIO, mark, latest=f"mark/{self._asset}")
