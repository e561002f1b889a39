"""The trailing stop of the open position: its level, and each move as a stored fact."""

from dataclasses import replace
from decimal import Decimal

from actors.execution.context import ExecutionContext
from actors.messages import PriceSeen
from domain.market.instruments import Side
from domain.trading.orders import ExitReason, Purpose, client_order_id
from domain.trading.positions import Execution, Position
from domain.trading.trailing import (
    StopMoved,
    StopState,
    first_stop,
    follow,
    is_tighter,
    policy_of,
)


class Trail:
    """The stop state of one asset; it belongs to the position, and is rebuilt from facts.

    A move is stored before it is sent to the exchange, and again once the exchange has confirmed
    it. A fill at the stop is attributed to a confirmed move, or to another one if its price is
    nearer to that.
    """

    def __init__(self, context: ExecutionContext) -> None:
        """Start without a position."""
        self._context = context
        self._state: StopState | None = None
        self._position: Position | None = None
        """The position that the state belongs to."""
        self._moved: StopMoved | None = None
        """Its newest stored move."""
        self._placed: set[Decimal] = set()
        """Levels at which this incarnation has set the stop of the position."""
        self._unasked: set[Decimal] = set()
        """Levels of its moves that cannot be in force: no request can have been accepted."""

    def is_trailing(self, position: Position) -> bool:
        """Tell whether we opened a position with a trailing stop."""
        return position.terms is not None and position.terms.stops.trail_fraction is not None

    def state(self, position: Position) -> StopState:
        """Return the state of the open position's stop."""
        before, state = self._position, self._state
        self._position = position
        if state is None or before is None or before.opened_ms != position.opened_ms:
            self._placed.clear()
            self._unasked.clear()
            state = self._rebuilt(position)
        elif before.avg_entry_price != position.avg_entry_price:
            state = state.refilled(first_stop(position, self._context.rules))
        self._state = state
        return state

    def _rebuilt(self, position: Position) -> StopState:
        state = first_stop(position, self._context.rules)
        waiting = self._context.backlog.waiting(StopMoved)
        moved = waiting[-1] if waiting else self._context.journal.newest_stop_move(position.asset)
        if moved is None or moved.opened_ms != position.opened_ms:
            self._moved = None
            return state
        self._moved = moved
        return replace(state.tightened(moved.stop_loss), best=moved.best)

    def follow(self, position: Position, seen: PriceSeen) -> StopState:
        """Return the state after new prices; a move is stored before it is returned."""
        before = self.state(position)
        instrument = self._context.rules.asset(position.asset).instrument
        favourable = seen.high if position.side is Side.BUY else seen.low
        # Of a span that began before the entry only the end counts.
        price = favourable if seen.since_ms >= position.opened_ms else seen.last_price
        self._state = follow(before, price, policy_of(position, self._context.rules), instrument)
        if self._state.levels != before.levels:
            self._unasked.add(self._state.levels.stop_loss)
            self._store(position, seen.ts_ms)
        return self._state

    def _ordered(self, position: Position) -> Decimal | None:
        """Return the stop attached to the entry order."""
        if position.decided_ms is None:
            return None
        order_id = client_order_id(position.asset, position.decided_ms, Purpose.ENTRY, 1)
        entry = self._context.books.orders.get(order_id)
        return None if entry is None else entry.intent.request.stop_loss

    def is_known(self, position: Position, stop_loss: Decimal) -> bool:
        """Tell whether a level at the exchange is one that we have set."""
        self.state(position)
        return stop_loss in self._placed or stop_loss == self._ordered(position)

    def place(self, position: Position, stop_loss: Decimal) -> None:
        """Note that we have set the stop there."""
        self.state(position)
        self._placed.add(stop_loss)
        self._unasked.discard(stop_loss)

    def may_stand(self, stop_loss: Decimal) -> None:
        """Note that we requested the stop there, with an unknown outcome."""
        self._unasked.discard(stop_loss)

    def adopt(
        self,
        position: Position,
        stop_loss: Decimal,
        *,
        best: Decimal | None = None,
        ts_ms: int | None = None,
    ) -> StopState:
        """Return the state with the exchange's stop, unless that is looser."""
        state = self.state(position)
        if not is_tighter(stop_loss, state.levels.stop_loss, position.side):
            return state
        state = state.tightened(stop_loss)
        if best is not None:
            state = replace(state, best=_better(state, best))
        self._state = state
        moved_ms = self._context.now_ms if ts_ms is None else ts_ms
        self._store(position, moved_ms, confirmed_ms=moved_ms)
        return state

    def confirm(self, position: Position, stop_loss: Decimal) -> None:
        """Note that a level is in force at the exchange; a moved one is stored as confirmed."""
        state, moved = self.state(position), self._moved
        if (
            moved is not None
            and moved.confirmed_stop_loss != stop_loss
            and state.levels.stop_loss == stop_loss
        ):
            self._store(position, moved.ts_ms, confirmed_ms=self._context.now_ms)

    def named(self, execution: Execution, standing: Decimal | None) -> Execution:
        """Return a fill at the stop loss with its reason according to the facts (4.3).

        Its price tells whether a requested move was in force at the fill: it is then nearest to
        that level, not to the unmoved stop.

        Args:
            execution: made by the exchange itself.
            standing: level of the stop last reported by the exchange; None: not reported.
        """
        position = self._context.books.position
        is_stop = execution.reason is ExitReason.STOP_LOSS and execution.client_order_id is None
        if not is_stop or position is None or execution.side is position.side:
            return execution
        self.state(position)
        if self._moved is None:
            return execution
        if self._moved.confirmed_stop_loss is None and not self._is_at_a_move(
            position, execution, standing
        ):
            return execution
        return replace(execution, reason=ExitReason.TRAILING_STOP)

    def _is_at_a_move(
        self, position: Position, execution: Execution, standing: Decimal | None
    ) -> bool:
        price, asked = execution.price, self._asked(position, execution.ts_ms)
        # The unmoved stop: by the average entry price, by the entry order, by the exchange.
        first = first_stop(position, self._context.rules).levels.stop_loss
        unmoved = [level for level in (first, self._ordered(position), standing) if level]
        levels = [*asked, *unmoved]
        # A stop fills at its level or beyond it, so levels behind the price are excluded.
        reached = [level for level in levels if not is_tighter(price, level, position.side)]
        nearest = min(reached or levels, key=lambda level: abs(price - level))
        return nearest in asked

    def _asked(self, position: Position, before_ms: int) -> list[Decimal]:
        """Return each level that an earlier request may have moved the stop to, in order."""
        stored = self._context.journal.stop_moves(position.asset, position.opened_ms)
        moves = [*stored, *self._context.backlog.waiting(StopMoved)]
        of_position = [moved for moved in moves if moved.opened_ms == position.opened_ms]
        # The update of a fill may come after prices that moved a stop already gone.
        return [
            moved.stop_loss
            for moved in of_position
            if moved.ts_ms < before_ms and moved.stop_loss not in self._unasked
        ]

    def _store(self, position: Position, ts_ms: int, confirmed_ms: int | None = None) -> None:
        state, before = self.state(position), self._moved
        confirmed = None if before is None else before.confirmed_stop_loss
        if confirmed_ms is None:
            confirmed_ms = None if before is None else before.confirmed_ms
        else:
            confirmed = state.levels.stop_loss
        self._moved = StopMoved(
            asset=position.asset,
            opened_ms=position.opened_ms,
            best=state.best,
            stop_loss=state.levels.stop_loss,
            ts_ms=ts_ms,
            confirmed_stop_loss=confirmed,
            confirmed_ms=confirmed_ms,
        )
        self._context.backlog.store(self._moved, outlives=self._is_first(self._moved))

    def _is_first(self, moved: StopMoved) -> bool:
        """Tell whether a kill would lose the fact that the position's stop has moved at all.

        While the journal refuses, the reserve keeps only one move per position: its room is for
        closes first. The exchange knows the current level of the stop.
        """
        waiting = self._context.backlog.waiting(StopMoved)
        return all(before.opened_ms != moved.opened_ms for before in waiting)


def _better(state: StopState, price: Decimal) -> Decimal:
    return max(state.best, price) if state.side is Side.BUY else min(state.best, price)
