"""The stops of the open position at the exchange, based on its average entry price."""

from dataclasses import replace
from decimal import Decimal

from actors.execution.agenda import NO_ANSWER, Ask, SetStops
from actors.execution.alarms import stop_is_passed, stop_is_tightened
from actors.execution.context import ExecutionContext
from actors.execution.exits import Exits
from actors.execution.stops.trail import Trail
from actors.messages import ClosePosition, PositionUnprotected, PriceSeen, StopDue, StopSeen
from actors.ports import Clock, Timer
from domain.errors import OrderRefusedError, OutcomeUnknownError, StopPassedError
from domain.market.instruments import Side
from domain.portfolio.snapshots import StopSnapshot
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import Execution, Position, VenuePosition
from domain.trading.sizing import ProtectiveLevels, protective_levels
from domain.trading.trailing import StopState, is_passed, is_tighter

_LATEST_ARRIVAL_MS = 6_000
"""How long a request may arrive late: it is signed for five seconds, and clocks differ a little."""


class Stops:
    """Sets missing stops, moves trailing ones, and closes positions that cannot be protected."""

    def __init__(self, context: ExecutionContext, exits: Exits, clock: Clock) -> None:
        """Start with a protected position."""
        self._context = context
        self._exits = exits
        self._clock = clock
        self._trail = Trail(context)
        self._unprotected_since_ms: int | None = None
        """Since when the open position has no stop loss at the exchange."""
        self._stop_loss: Decimal | None = None
        """Level of the stop last reported by the exchange."""
        self._confirmed_ms: int | None = None
        """When it was reported."""
        self._last_price: Decimal | None = None
        """The newest price while there is a trailing stop."""
        self._mark_price: Decimal | None = None
        self._beyond_since_ms: int | None = None
        """Since when the price has been beyond it while the position is still open."""
        self._is_beyond_told = False
        self._limit_ms = context.rules.risk.unprotected_position_ms
        self._amended_ms = 0
        """When a trailing stop was last moved at the exchange."""
        self._unanswered_until_ms = 0
        """Until when an unanswered request to set them may still arrive."""
        self._due: Timer | None = None
        """Moves the stop to a level that came too soon after the previous one."""

    @property
    def is_unprotected(self) -> bool:
        """Tell whether the open position had no stop at the exchange at the last check."""
        return self._unprotected_since_ms is not None

    @property
    def is_trailing(self) -> bool:
        """Tell whether a position with a trailing stop is open."""
        return self._trailing() is not None

    def snapshot(self) -> StopSnapshot | None:
        """Return what is known about the stop; None without a position."""
        position = self._context.books.position
        if position is None:
            return None
        state = self._trail.state(position)
        return StopSnapshot(
            stop_loss=state.levels.stop_loss,
            best=state.best if self._trail.is_trailing(position) else None,
            is_armed=state.is_moved,
            confirmed_stop_loss=self._stop_loss,
            confirmed_ms=self._confirmed_ms,
        )

    def named(self, execution: Execution) -> Execution:
        """Return a fill at the stop loss with its reason according to the facts."""
        return self._trail.named(execution, self._stop_loss)

    def protect(self, venue_position: VenuePosition, *, is_explained: bool) -> None:
        """Make sure that both stops are set at the exchange where they belong.

        They are based on the average entry price; a trailing stop belongs where it was moved
        since. One that someone tightened at the exchange is kept.

        Args:
            venue_position: of the exchange.
            is_explained: whether the books hold the same, or may soon; otherwise they differ.
        """
        self._see(venue_position.stop_loss)
        if not venue_position.signed_qty:
            self._unprotected_since_ms = None
            return
        wanted = self._wanted(venue_position, is_explained=is_explained)
        if wanted is None:
            return
        if (venue_position.stop_loss, venue_position.take_profit) != (
            wanted.stop_loss,
            wanted.take_profit,
        ):
            if venue_position.stop_loss is None and self._unprotected_since_ms is None:
                self._unprotected_since_ms = self._context.now_ms
            is_raise = venue_position.take_profit == wanted.take_profit and self._is_raise(wanted)
            self._context.agenda.ask_first(Ask.MOVE_STOP if is_raise else SetStops(wanted))

    def set_newest(self, wanted: ProtectiveLevels) -> None:
        """Set both stops; if the books explain the position, to their current levels.

        A trailing stop may have moved since the query was sent: it must not be loosened.
        """
        position = self._context.books.position
        self._set(wanted if position is None else self._levels(position, self._stop_loss))

    def _see(self, stop_loss: Decimal | None) -> None:
        """Note the level of the stop reported by the exchange."""
        self._stop_loss = stop_loss
        self._confirmed_ms = None if stop_loss is None else self._context.now_ms
        position = self._trailing()
        if position is not None and stop_loss is not None:
            self._trail.confirm(position, stop_loss)

    def _trailing(self) -> Position | None:
        """Return the open position, if its stop trails."""
        position = self._context.books.position
        return position if position is not None and self._trail.is_trailing(position) else None

    def _wanted(
        self, venue_position: VenuePosition, *, is_explained: bool
    ) -> ProtectiveLevels | None:
        """Return where the stops belong; None if unknown."""
        position = self._context.books.position
        if position is None:
            return None if is_explained else self._wanted_unexplained(venue_position)
        standing = venue_position.stop_loss
        if standing is None or not self._trail.is_trailing(position):
            return self._levels(position, standing)
        return self._kept(position, standing, venue_position.trailed_best).levels

    def _levels(self, position: Position, standing: Decimal | None) -> ProtectiveLevels:
        """Return where both stops belong.

        A position opened by hand is not closed. If the price has already passed its stop, and none
        is set, it gets one at the same distance from the mark price.
        """
        levels, mark = self._trail.state(position).levels, self._mark_price
        is_late = mark is not None and is_passed(mark, levels.stop_loss, position.side)
        if not is_late or mark is None or not position.is_external:
            return levels
        if standing is None:
            asset = self._context.rules.asset(position.asset)
            standing = protective_levels(
                mark, position.side, asset.stops, asset.instrument
            ).stop_loss
        return replace(levels, stop_loss=standing)

    def _kept(self, position: Position, standing: Decimal, best: Decimal | None) -> StopState:
        """Return the state of a trailing stop, keeping a tighter one at the exchange."""
        state = self._trail.state(position)
        is_ours = self._trail.is_known(position, standing)
        if is_ours or not is_tighter(standing, state.levels.stop_loss, position.side):
            return state
        if best is None:
            was = state.levels.stop_loss
            self._context.alarms.tell(stop_is_tightened(position, was, standing))
        return self._trail.adopt(position, standing, best=best)

    def _wanted_unexplained(self, venue_position: VenuePosition) -> ProtectiveLevels | None:
        """Return where the stops of an unexplained position belong.

        It gets a stop like any other if it has none; a stop that someone set is left alone.
        """
        entry_price = venue_position.avg_entry_price
        if venue_position.stop_loss is not None or entry_price is None:
            return None
        asset = self._context.rules.asset(self._context.asset)
        side = Side.BUY if venue_position.signed_qty > 0 else Side.SELL
        return protective_levels(entry_price, side, asset.stops, asset.instrument)

    def watch(self, mark_price: Decimal) -> None:
        """Watch for a stop that the price has passed without closing the position.

        It triggers a market order on the last price, which takes moments, and the mark price
        differs. If it lasts longer, the exchange is queried, and an alarm raised.
        """
        self._mark_price = mark_price
        position, level = self._context.books.position, self._stop_loss
        is_beyond = (
            position is not None
            and level is not None
            and is_tighter(level, mark_price, position.side)
        )
        if not is_beyond:
            self._beyond_since_ms, self._is_beyond_told = None, False
            return
        since_ms, now_ms = self._beyond_since_ms, self._context.now_ms
        if since_ms is None:
            self._beyond_since_ms = now_ms
        elif level and now_ms - since_ms >= self._limit_ms and not self._is_beyond_told:
            self._is_beyond_told = True
            self._context.alarms.tell(
                stop_is_passed(self._context.asset, level, mark_price, since_ms)
            )
            self._context.agenda.begin()

    def follow(self, seen: PriceSeen) -> None:
        """Trail the stop behind the best price (multi-pair 4.4)."""
        position = self._trailing()
        if position is None or seen.ts_ms < position.opened_ms:
            return
        self._last_price = seen.last_price
        self._trail.follow(position, seen)
        self.move()

    def adopt(self, seen: StopSeen) -> None:
        """Take over a stop that the exchange itself has trailed."""
        position = self._trailing()
        if position is not None:
            self._trail.adopt(position, seen.stop_loss, best=seen.best, ts_ms=seen.ts_ms)
            self._see(seen.stop_loss)

    def move(self) -> None:
        """Move a trailing stop to its newest level, at most so often, or close if it was passed.

        One that is missing at the exchange is set by the next round.
        """
        position = self._trailing()
        if position is None:
            return
        wanted = self._trail.state(position).levels
        if not self._is_raise(wanted):
            return
        due_ms = self._amended_ms + self._context.rules.risk.trail_interval_ms
        # An older level that arrives after a newer one would loosen the stop.
        due_ms = max(due_ms, self._unanswered_until_ms)
        if self._last_price and is_passed(self._last_price, wanted.stop_loss, position.side):
            self._close_passed()
        elif self._context.now_ms < due_ms:
            self._wait_until(due_ms)
        else:
            self._amended_ms = self._context.now_ms
            self._set(wanted)

    def _is_raise(self, wanted: ProtectiveLevels) -> bool:
        """Tell whether levels tighten an existing trailing stop."""
        return self._has_moved and self._is_tighter(wanted)

    def _is_tighter(self, wanted: ProtectiveLevels) -> bool:
        """Tell whether levels tighten the existing stop."""
        position, standing = self._context.books.position, self._stop_loss
        return (
            position is not None
            and standing is not None
            and is_tighter(wanted.stop_loss, standing, position.side)
        )

    @property
    def _has_moved(self) -> bool:
        position = self._trailing()
        return position is not None and self._trail.state(position).is_moved

    def _wait_until(self, due_ms: int) -> None:
        self.close()
        self._due = self._clock.call_at(
            due_ms,
            lambda: self._context.actor.hand_in(StopDue(), sender="clock", latest="stop"),
        )

    def close(self) -> None:
        """Cancel the timer."""
        if self._due is not None:
            self._due.cancel()

    def _close_passed(self) -> None:
        """Close a position whose stop the price passed before it could be set."""
        if self._exits.is_wanted:
            return
        self._exits.close(
            ClosePosition(
                asset=self._context.asset,
                t_ms=self._context.now_ms,
                purpose=Purpose.NAKED,
                reason=ExitReason.TRAILING_STOP if self._has_moved else ExitReason.STOP_LOSS,
            )
        )

    def _set(self, wanted: ProtectiveLevels) -> None:
        try:
            stands = self._context.exchange.set_stops(
                self._context.asset, wanted, self._context.is_ours
            )
        except StopPassedError as error:
            # A stop attached to the order may be far away, if a gap filled the order.
            if self._is_tighter(wanted):
                self._close_passed()
            if not self._exits.is_wanted:
                self._fail(error)
        except OrderRefusedError as error:
            self._fail(error)
        except (*NO_ANSWER, OutcomeUnknownError) as error:
            self._trail.may_stand(wanted.stop_loss)
            self._unanswered_until_ms = self._context.now_ms + _LATEST_ARRIVAL_MS
            self._fail(error)
        else:
            if stands:
                self._note_set(wanted)
            else:
                self._context.agenda.ask_again()  # its end is not reported yet

    def _fail(self, error: Exception) -> None:
        self._context.agenda.fail(f"the stops could not be set: {error}")
        self._close_if_unprotected()

    def _note_set(self, levels: ProtectiveLevels) -> None:
        # A stop that is not visible yet right after its entry is neither dangerous nor unexpected.
        if self._stands_long():
            self._tell_unprotected(is_set_again=True)
        self._unprotected_since_ms = None
        position = self._trailing()
        if position is not None:
            self._trail.place(position, levels.stop_loss)
        self._see(levels.stop_loss)

    def _stands_long(self) -> bool:
        position, now_ms = self._context.books.position, self._context.now_ms
        opened_ms = now_ms if position is None else position.opened_ms
        return now_ms - opened_ms >= self._limit_ms

    def _close_if_unprotected(self) -> None:
        """Close a position that has been without a stop for too long because none can be set."""
        since_ms = self._unprotected_since_ms
        if since_ms is None or self._context.now_ms - since_ms < self._limit_ms:
            return
        if self._exits.is_wanted:
            self._exits.retry()
        else:
            self._tell_unprotected(is_set_again=False)
            command = ClosePosition(
                asset=self._context.asset,
                t_ms=self._context.now_ms,
                purpose=Purpose.NAKED,
                reason=ExitReason.NAKED,
            )
            self._exits.close(command)

    def _tell_unprotected(self, *, is_set_again: bool) -> None:
        if self._unprotected_since_ms is not None:
            unprotected = PositionUnprotected(
                asset=self._context.asset,
                since_ms=self._unprotected_since_ms,
                is_set_again=is_set_again,
                is_by_hand=self._is_by_hand,
            )
            self._context.alarms.tell(unprotected)

    @property
    def _is_by_hand(self) -> bool:
        position = self._context.books.position
        return position is not None and position.is_external
