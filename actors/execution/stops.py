"""The stops of the open position: at the exchange, where its average entry price puts them."""

from decimal import Decimal
from functools import partial

from actors.execution.alarms import stop_is_passed
from actors.execution.closes import Closes
from actors.execution.comparison import Comparison
from actors.execution.context import ExecutionContext
from actors.execution.reconcile_loop import NO_ANSWER
from actors.execution.trail import Trail
from actors.messages import ClosePosition, PositionUnprotected, PriceSeen, StopSeen
from domain.errors import OrderRefusedError, OutcomeUnknownError
from domain.market.instruments import Side
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import VenuePosition
from domain.trading.sizing import ProtectiveLevels, protective_levels
from domain.trading.trailing import is_passed, is_tighter


class Stops:
    """Sets what is missing, and closes what cannot be protected."""

    def __init__(self, context: ExecutionContext, closes: Closes, comparison: Comparison) -> None:
        """Begin with a protected position."""
        self._context = context
        self._closes = closes
        self._comparison = comparison
        self._unprotected_since_ms: int | None = None
        """Since when the open position has no stop loss at the exchange."""
        self._stop_loss: Decimal | None = None
        """Where it stands, as far as is known."""
        self._beyond_since_ms: int | None = None
        """Since when the price is beyond it while the position stands."""
        self._is_beyond_told = False
        self._limit_ms = context.rules.risk.unprotected_position_ms
        self._trail = Trail(context)
        self._amended_ms = 0
        """When the stop was moved last at the exchange."""

    @property
    def is_unprotected(self) -> bool:
        """Tell whether the open position had no stop at the exchange when it was looked at."""
        return self._unprotected_since_ms is not None

    def protect(self, venue_position: VenuePosition) -> None:
        """Have both stops stand at the exchange where they belong.

        They belong where the average entry price puts them; a trailing stop where it was moved
        to since. One that somebody tightened at the exchange is kept.
        """
        self._stop_loss = venue_position.stop_loss
        if not venue_position.signed_qty:
            self._unprotected_since_ms = None
            return
        wanted = self._wanted(venue_position)
        if wanted is None:
            return
        if (venue_position.stop_loss, venue_position.take_profit) != (
            wanted.stop_loss,
            wanted.take_profit,
        ):
            if venue_position.stop_loss is None and self._unprotected_since_ms is None:
                self._unprotected_since_ms = self._context.now_ms
            self._context.rounds.ask_first([partial(self._set, wanted)])

    def _wanted(self, venue_position: VenuePosition) -> ProtectiveLevels | None:
        """Return where the stops belong; None where nobody can know."""
        position = self._context.books.position
        if position is None:
            return self._wanted_unexplained(venue_position)
        state = self._trail.state(position)
        standing = venue_position.stop_loss
        if standing is not None and self._trail.is_trailing(position):
            state = self._trail.adopt(position, standing)
        return state.levels

    def _wanted_unexplained(self, venue_position: VenuePosition) -> ProtectiveLevels | None:
        """Return where the stops of a position belong that the books do not explain.

        It gets a stop like any other, once its stop is missing; a stop that somebody set for it
        is left alone.
        """
        is_unexplained = self._comparison.has_stayed and venue_position.stop_loss is None
        entry_price = venue_position.avg_entry_price
        if not is_unexplained or entry_price is None:
            return None
        asset = self._context.rules.asset(self._context.asset)
        side = Side.BUY if venue_position.signed_qty > 0 else Side.SELL
        return protective_levels(entry_price, side, asset.stops, asset.instrument)

    def watch(self, mark_price: Decimal) -> None:
        """Look after a stop that the price has passed, and that has closed nothing.

        It is a market order on the last price, so that moments pass, and the mark price is another
        one. What lasts longer is asked about, and told.
        """
        position, level = self._context.books.position, self._stop_loss
        is_beyond = (
            position is not None
            and level is not None
            and (mark_price > level if position.side is Side.SELL else mark_price < level)
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
            self._context.rounds.begin()

    def follow(self, seen: PriceSeen) -> None:
        """Move the stop behind the best price, at most so often (multi-pair 4.4)."""
        position = self._context.books.position
        if position is None or not self._trail.is_trailing(position):
            return
        state = self._trail.follow(position, seen)
        level, standing = state.levels.stop_loss, self._stop_loss
        if standing is None or not is_tighter(level, standing, position.side):
            return
        if is_passed(seen.last_price, level, position.side):
            self._close_passed()
        elif self._context.now_ms - self._amended_ms >= self._context.rules.risk.trail_interval_ms:
            self._amended_ms = self._context.now_ms
            self._set(state.levels)

    def adopt(self, seen: StopSeen) -> None:
        """Take over a stop that the exchange itself has moved behind the best price."""
        position = self._context.books.position
        if position is not None:
            self._trail.adopt(position, seen.stop_loss, best=seen.best, ts_ms=seen.ts_ms)
            self._stop_loss = seen.stop_loss

    def _close_passed(self) -> None:
        """Close a position whose stop the price has passed before it could stand there."""
        if self._closes.is_under_way:
            return
        self._closes.close(
            ClosePosition(
                asset=self._context.asset,
                t_ms=self._context.now_ms,
                purpose=Purpose.NAKED,
                reason=ExitReason.TRAILING_STOP,
            )
        )

    def _set(self, wanted: ProtectiveLevels) -> None:
        try:
            self._context.exchange.set_stops(self._context.asset, wanted, self._context.is_ours)
        except OrderRefusedError as error:
            if self._is_passed_raise(wanted):
                # The price has passed the raised level: the exchange takes no such stop any more.
                self._close_passed()
                return
            self._context.rounds.doubt(f"the stops could not be set: {error}")
            self._close_if_unprotected()
        except (*NO_ANSWER, OutcomeUnknownError) as error:
            self._context.rounds.doubt(f"the stops could not be set: {error}")
            self._close_if_unprotected()
        else:
            # A stop that is not seen yet right after its entry is no danger, and no news.
            if self._stands_long():
                self._tell_unprotected(is_set_again=True)
            self._unprotected_since_ms = None
            self._stop_loss = wanted.stop_loss

    def _is_passed_raise(self, wanted: ProtectiveLevels) -> bool:
        position, standing = self._context.books.position, self._stop_loss
        return (
            position is not None
            and standing is not None
            and self._trail.is_trailing(position)
            and is_tighter(wanted.stop_loss, standing, position.side)
        )

    def _stands_long(self) -> bool:
        position, now_ms = self._context.books.position, self._context.now_ms
        opened_ms = now_ms if position is None else position.opened_ms
        return now_ms - opened_ms >= self._limit_ms

    def _close_if_unprotected(self) -> None:
        """Close a position that stands without a stop for too long, since none can be set."""
        since_ms = self._unprotected_since_ms
        if since_ms is None or self._context.now_ms - since_ms < self._limit_ms:
            return
        if not self._closes.is_under_way:
            self._tell_unprotected(is_set_again=False)
            command = ClosePosition(
                asset=self._context.asset,
                t_ms=self._context.now_ms,
                purpose=Purpose.NAKED,
                reason=ExitReason.NAKED,
            )
            self._closes.close(command)

    def _tell_unprotected(self, *, is_set_again: bool) -> None:
        if self._unprotected_since_ms is not None:
            unprotected = PositionUnprotected(
                asset=self._context.asset,
                since_ms=self._unprotected_since_ms,
                is_set_again=is_set_again,
            )
            self._context.alarms.tell(unprotected)
