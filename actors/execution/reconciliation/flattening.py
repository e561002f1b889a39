"""The operator's panic: close and cancel until the exchange confirms that nothing is left."""

from decimal import Decimal

from actors.execution.context import ExecutionContext
from actors.execution.exits import Exits
from actors.messages import AssetFlat, ClosePosition, Flatten
from actors.names import PORTFOLIO
from domain.market.instruments import Side
from domain.trading.closing import is_younger
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import Execution, ExecutionKind, VenuePosition


class Flattening:
    """What is still to be done until an asset is flat."""

    def __init__(self, context: ExecutionContext, exits: Exits) -> None:
        """Start with nothing to do."""
        self._context = context
        self._exits = exits
        self._wanted: Flatten | None = None
        """What must be closed and canceled, and is not confirmed by the exchange; None: nothing."""
        self._resting: int | None = None
        """Number of resting orders, whoever sent them, at the last query; None: not queried yet."""
        self._has_seen_flat = False
        """The same a round ago: what the exchange accepts may take a while to show up."""

    @property
    def is_wanted(self) -> bool:
        """Tell whether everything must be closed and canceled."""
        return self._wanted is not None

    def takes_over(self, missing: Decimal, venue_position: VenuePosition) -> Execution | None:
        """Return an execution that adds the exchange's surplus to the books; None without a panic.

        Otherwise an unexplained position could not be closed: its close would open the opposite.

        Args:
            missing: the exchange's quantity minus the books', repeatedly; not 0.
            venue_position: of the exchange.
        """
        wanted, position, now_ms = self._wanted, self._context.books.position, self._context.now_ms
        price = venue_position.avg_entry_price
        if price is None and position is not None:
            price = position.avg_entry_price
        if wanted is None or price is None:
            return None
        return Execution(
            exec_id=f"taken-over-{self._context.asset}-{now_ms}",
            asset=self._context.asset,
            ts_ms=min(now_ms, wanted.t_ms),  # so that the panic's own close applies to it
            kind=ExecutionKind.TRADE,
            side=Side.BUY if missing > 0 else Side.SELL,
            qty=abs(missing),
            price=price,
        )

    def begin(self, wanted: Flatten) -> None:
        """Query the exchange's state, and continue from its answers.

        If it is in progress already, it continues by itself: repeated commands, as after every
        restart, must not keep the rounds from ending.
        """
        if wanted == self._wanted:
            return
        self._wanted, self._resting, self._has_seen_flat = wanted, None, False
        self._context.agenda.is_urgent = True
        self._context.agenda.begin()

    def count_resting(self, resting: int) -> None:
        """Note the number of resting orders."""
        self._resting = resting

    def go_on(self) -> None:
        """Close what is open, or report that the exchange no longer holds anything of ours.

        The round that ends here has found that the books match the exchange.
        """
        wanted = self._wanted
        if wanted is None:
            return
        position = self._context.books.position
        is_closed = position is None or is_younger(position, wanted.t_ms)
        seen_before, self._has_seen_flat = self._has_seen_flat, False
        if is_closed and not self._context.books.under_way() and self._resting == 0:
            if not seen_before:
                self._has_seen_flat = True
                self._context.agenda.ask_again()
                return
            self._wanted = None
            self._context.agenda.is_urgent = False
            self._context.actor.tell(
                PORTFOLIO, AssetFlat(asset=self._context.asset, t_ms=wanted.t_ms)
            )
            return
        self._close(wanted)
        self._context.agenda.ask_again()

    def close(self) -> None:
        """Close what is open, if a panic requires it and no close is in progress."""
        if self._wanted is not None and not self._exits.is_wanted:
            self._close(self._wanted)

    def _close(self, wanted: Flatten) -> None:
        self._exits.close(
            ClosePosition(
                asset=self._context.asset,
                t_ms=wanted.t_ms,
                purpose=Purpose.OPERATOR,
                reason=ExitReason.OPERATOR,
            )
        )
