"""Compares the books with the exchange, whose quantity is authoritative."""

from decimal import Decimal

from actors.execution.context import ExecutionContext
from actors.messages import PositionDiffers, ReconcileMatch, ReconcileMismatch
from actors.names import PORTFOLIO
from domain.trading.positions import ZERO, VenuePosition

ALARMING_DIFFERENCES = 3


class Comparison:
    """Whether both agree, and whether the asset is suspended until they do."""

    def __init__(self, context: ExecutionContext) -> None:
        """Start in agreement."""
        self._context = context
        self._differences = 0
        """How often in a row the exchange held another quantity than the books."""
        self._is_frozen = False
        """Whether they differ lastingly; the portfolio knows."""

    @property
    def has_stayed(self) -> bool:
        """Tell whether a difference was found more than once."""
        return self._differences > 1

    @property
    def is_frozen(self) -> bool:
        """Tell whether they differ lastingly."""
        return self._is_frozen

    def missing(self, venue_position: VenuePosition) -> Decimal:
        """Return the exchange's quantity minus the books'; signed."""
        return venue_position.signed_qty - self._booked_qty

    @property
    def _booked_qty(self) -> Decimal:
        position = self._context.books.position
        return ZERO if position is None else position.signed_qty

    def compare(self, venue_position: VenuePosition) -> None:
        """Open nothing while the exchange holds a different quantity than the books."""
        if not self.missing(venue_position):
            self._thaw()
            return
        self._differences += 1
        text = (
            f"the exchange holds {venue_position.signed_qty:f}, the books say {self._booked_qty:f}"
        )
        self._context.agenda.doubt(text)
        # An execution may be in transit; only a lasting difference is worth an alarm.
        if self._differences == ALARMING_DIFFERENCES:
            self._freeze(text)
        if self._is_frozen:
            self._context.agenda.slow_down()

    def tell_again(self) -> None:
        """Tell the portfolio again if the asset is suspended."""
        if self._is_frozen:
            self._context.actor.tell(PORTFOLIO, ReconcileMismatch(asset=self._context.asset))

    def _freeze(self, why: str) -> None:
        differs = PositionDiffers(
            asset=self._context.asset, since_ms=self._context.now_ms, detail=why
        )
        self._context.alarms.tell(differs)
        self._is_frozen = True
        self.tell_again()

    def _thaw(self) -> None:
        self._differences = 0
        if self._is_frozen:
            self._is_frozen = False
            self._context.actor.tell(PORTFOLIO, ReconcileMatch(asset=self._context.asset))
