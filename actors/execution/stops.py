"""The stops of the open position: at the exchange, where its average entry price puts them."""

from decimal import Decimal
from functools import partial

from actors.execution.closes import Closes
from actors.execution.comparison import Comparison
from actors.execution.desk import Desk
from actors.execution.rounds import NO_ANSWER
from actors.messages import ClosePosition, PositionNaked
from domain.errors import OrderRefusedError, OutcomeUnknownError
from domain.market import Side
from domain.orders import ExitReason, Purpose
from domain.positions import Holding
from domain.sizing import ProtectiveLevels, protective_levels


class Stops:
    """Sets what is missing, and closes what cannot be protected."""

    def __init__(self, desk: Desk, closes: Closes, comparison: Comparison) -> None:
        """Begin with a protected position."""
        self._desk = desk
        self._closes = closes
        self._comparison = comparison
        self._naked_since_ms: int | None = None
        """Since when the open position has no stop loss at the exchange."""

    @property
    def is_naked(self) -> bool:
        """Tell whether the open position had no stop at the exchange when it was looked at."""
        return self._naked_since_ms is not None

    def protect(self, holding: Holding) -> None:
        """Have both stops stand at the exchange where the average entry price puts them."""
        if not holding.signed_qty:
            self._naked_since_ms = None
            return
        side, entry_price = self._entered(holding)
        if entry_price is None:
            return
        rules = self._desk.rules
        wanted = protective_levels(
            entry_price, side, rules.risk, rules.asset(self._desk.asset).instrument
        )
        if (holding.stop_loss, holding.take_profit) != (wanted.stop_loss, wanted.take_profit):
            if holding.stop_loss is None and self._naked_since_ms is None:
                self._naked_since_ms = self._desk.now_ms
            self._desk.rounds.ask_first([partial(self._set, wanted)])

    def _entered(self, holding: Holding) -> tuple[Side, Decimal | None]:
        """Return side and price of the entry: the books', or the exchange's where they know none.

        A position that the books do not explain gets a stop like any other, once its stop is
        missing; a stop that somebody set for it is left alone.
        """
        position = self._desk.books.position
        if position is not None:
            return position.side, position.avg_entry_price
        side = Side.BUY if holding.signed_qty > 0 else Side.SELL
        is_unexplained = self._comparison.has_stayed and holding.stop_loss is None
        return side, holding.avg_entry_price if is_unexplained else None

    def _set(self, wanted: ProtectiveLevels) -> None:
        try:
            self._desk.exchange.set_stops(self._desk.asset, wanted, self._desk.is_ours)
        except (*NO_ANSWER, OrderRefusedError, OutcomeUnknownError) as error:
            self._desk.rounds.doubt(f"the stops could not be set: {error}")
            self._close_if_naked()
        else:
            # A stop that is not seen yet right after its entry is no danger, and no news.
            if self._stands_long():
                self._tell_naked(is_set_again=True)
            self._naked_since_ms = None

    def _stands_long(self) -> bool:
        position, now_ms = self._desk.books.position, self._desk.now_ms
        opened_ms = now_ms if position is None else position.opened_ms
        return now_ms - opened_ms >= self._desk.rules.risk.naked_position_ms

    def _close_if_naked(self) -> None:
        """Close a position that stands without a stop for too long, since none can be set."""
        since_ms, limit_ms = self._naked_since_ms, self._desk.rules.risk.naked_position_ms
        if since_ms is None or self._desk.now_ms - since_ms < limit_ms:
            return
        if not self._closes.is_under_way:
            self._tell_naked(is_set_again=False)
            command = ClosePosition(
                asset=self._desk.asset,
                t_ms=self._desk.now_ms,
                purpose=Purpose.NAKED,
                reason=ExitReason.NAKED,
            )
            self._closes.close(command)

    def _tell_naked(self, *, is_set_again: bool) -> None:
        if self._naked_since_ms is not None:
            naked = PositionNaked(
                asset=self._desk.asset, since_ms=self._naked_since_ms, is_set_again=is_set_again
            )
            self._desk.alarms.tell(naked)
