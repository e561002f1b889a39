"""The trailing stop of the open position: where it stands, and each move as a stored fact."""

from dataclasses import replace
from decimal import Decimal

from actors.execution.context import ExecutionContext
from actors.messages import PriceSeen
from domain.market.instruments import Side
from domain.trading.positions import Position
from domain.trading.trailing import (
    StopMoved,
    StopState,
    first_stop,
    follow,
    is_tighter,
    policy_of,
)


class Trail:
    """The stop state of one asset; it belongs to the position, and is rebuilt from facts."""

    def __init__(self, context: ExecutionContext) -> None:
        """Know of no position yet."""
        self._context = context
        self._state: StopState | None = None
        self._position: Position | None = None
        """Whose state it is."""

    def is_trailing(self, position: Position) -> bool:
        """Tell whether a position was opened under a trailing stop."""
        return policy_of(position, self._context.rules).trail_fraction is not None

    def state(self, position: Position) -> StopState:
        """Return where the stop of the open position belongs."""
        before, state = self._position, self._state
        self._position = position
        if state is None or before is None or before.opened_ms != position.opened_ms:
            self._state = state = self._rebuilt(position)
        elif not state.is_moved and before.avg_entry_price != position.avg_entry_price:
            # A further fill of the entry: its average price puts the stop.
            first = first_stop(position, self._context.rules)
            self._state = state = replace(first, best=_better(state, first.best))
        return state

    def _rebuilt(self, position: Position) -> StopState:
        state = first_stop(position, self._context.rules)
        moved = self._context.journal.newest_stop_move(position.asset)
        if moved is None or moved.opened_ms != position.opened_ms:
            return state
        return replace(state.tightened(moved.stop_loss), best=moved.best)

    def follow(self, position: Position, seen: PriceSeen) -> StopState:
        """Return the state after prices of the asset; a move is stored before it is returned."""
        before = self.state(position)
        asset, policy = (
            self._context.rules.asset(position.asset),
            policy_of(position, self._context.rules),
        )
        favourable = seen.high if position.side is Side.BUY else seen.low
        # Prices from before the entry do not count.
        price = favourable if seen.since_ms >= position.opened_ms else seen.last_price
        state = before
        for one in (price, seen.last_price):
            state = follow(state, one, policy, asset.instrument)
        self._state = state
        if state.levels != before.levels:
            self._store(position, seen.ts_ms)
        return state

    def adopt(
        self,
        position: Position,
        stop_loss: Decimal,
        *,
        best: Decimal | None = None,
        ts_ms: int | None = None,
    ) -> StopState:
        """Return the state with a stop that stands at the exchange, unless it is looser."""
        state = self.state(position)
        if not is_tighter(stop_loss, state.levels.stop_loss, position.side):
            return state
        state = state.tightened(stop_loss)
        if best is not None:
            state = replace(state, best=_better(state, best))
        self._state = state
        self._store(position, self._context.now_ms if ts_ms is None else ts_ms)
        return state

    def _store(self, position: Position, ts_ms: int) -> None:
        state = self.state(position)
        moved = StopMoved(
            asset=position.asset,
            opened_ms=position.opened_ms,
            best=state.best,
            stop_loss=state.levels.stop_loss,
            ts_ms=ts_ms,
        )
        self._context.backlog.store(moved)


def _better(state: StopState, price: Decimal) -> Decimal:
    return max(state.best, price) if state.side is Side.BUY else min(state.best, price)
