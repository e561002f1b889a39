"""Whether the exchange is in reach, and the signs of life that the portfolio gets of it."""

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
"""How often the portfolio hears a price within the time after which silence is a malfunction."""


class VenueConnectivity:
    """How long the exchange has been silent, and who knows of it."""

    def __init__(self, context: ExecutionContext, *, stale_ms: int | None) -> None:
        """Begin with an exchange in reach.

        Args:
            context: shared.
            stale_ms: how long it may be silent before that is a malfunction; None: for ever.
        """
        self._context = context
        self._actor = context.actor
        self._asset = context.asset
        self._stale_ms = stale_ms
        self.silences = 0
        """How often in a row it did not answer."""
        self._since_ms = 0
        self._is_lost = False
        """The portfolio was told so."""
        self._marked_ms = 0

    def on_silence(self, error: Exception) -> None:
        """Count a question without an answer."""
        self.silences += 1
        if self.silences == 1:
            self._since_ms = self._actor.now_ms
        if isinstance(error, AccessDeniedError):
            self._context.alarms.tell(access_denied(self._asset, str(error), self._since_ms))
        # A single answer may get lost; only a silence that stays is worth a word.
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
        """Tell the portfolio where the exchange is out of reach."""
        if self._is_lost:
            detail = f"the exchange does not answer for {self._asset}"
            self._actor.tell(PORTFOLIO, MalfunctionBegan(source=self._actor.name, detail=detail))

    def pass_on(self, mark: PositionMarked, *, is_open: bool) -> None:
        """Pass a price on: always where a position needs it, else as a sign of life."""
        pause_ms = 0 if self._stale_ms is None else self._stale_ms // SIGNS_OF_LIFE
        is_due = self._stale_ms is not None and mark.ts_ms - self._marked_ms >= pause_ms
        if is_open or is_due:
            self._marked_ms = mark.ts_ms
            self._actor.tell(PORTFOLIO, mark, latest=f"mark/{self._asset}")
