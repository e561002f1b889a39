"""Positions: what is open, its stops, its leverage and its mode."""

from collections.abc import Mapping
from decimal import Decimal

from pybit.unified_trading import HTTP  # type: ignore[import-untyped]

from domain.errors import BadDataError, OrderRefusedError, OutcomeUnknownError
from domain.trading.sizing import ProtectiveLevels
from infra.venues.bybit.endpoints.base import RestEndpoints
from infra.venues.bybit.errors import UnknownOutcomeError
from infra.venues.bybit.http.outcome import Answer
from infra.venues.bybit.http.send_fence import IsOurs, always
from infra.venues.bybit.limits import Kind
from infra.venues.bybit.shapes.positions import PositionRow, position_of
from infra.venues.bybit.shapes.queries import CATEGORY, QUOTE, plain, stops_query
from infra.venues.bybit.shapes.row import Row

_POSITION_PAGE = 200
_STOPS_UNCHANGED, _LEVERAGE_UNCHANGED = 34040, 110043
_MODE_UNCHANGED = frozenset({110025, 110026})


class PositionCalls(RestEndpoints):
    """One account's positions."""

    def position(self, symbol: str) -> PositionRow:
        """Return the position, which may be flat.

        Raises:
            UnavailableError: no answer within the budget.
            BadDataError: a required field is missing, or the symbol is in hedge mode.
        """

        def read(rows: tuple[PositionRow, ...]) -> PositionRow:
            found = [row.position_idx for row in rows]
            if found != [0]:
                raise BadDataError(f"{symbol}: expected one row with positionIdx 0, found {found}")
            return rows[0]

        return self._wire.read(HTTP.get_positions, self.positions(symbol), read)

    def positions(self, symbol: str) -> tuple[PositionRow, ...]:
        """Return the symbol's rows: one in one-way mode, two in hedge mode."""
        rows = self._position_rows({"symbol": symbol})
        return tuple(row for row in rows if row.symbol == symbol)

    def open_positions(self) -> tuple[PositionRow, ...]:
        """Return all open positions in USDT, of any symbol."""
        return tuple(row for row in self._position_rows({"settleCoin": QUOTE}) if not row.is_flat)

    def set_stops(self, symbol: str, levels: ProtectiveLevels, is_ours: IsOurs) -> PositionRow:
        """Set both stops for the whole position, and return the position as read back.

        Returns:
            The position; a flat one if it was gone and nothing was set.

        Raises:
            FencedError: the sender was replaced; nothing was sent.
            RefusedError: a position is open and the venue refused the levels.
            UnknownOutcomeError: they may have been accepted, but are not in effect.
            UnavailableError: they could not be read back.
            AccessDeniedError: the key or the account is locked out.
        """
        refused: OrderRefusedError | OutcomeUnknownError | None = None
        query = stops_query(symbol, levels)
        try:
            self._wire.post(
                Kind.STOPS, HTTP.set_trading_stop, query, is_ours, done={_STOPS_UNCHANGED}
            )
        except (OrderRefusedError, OutcomeUnknownError) as error:
            refused = error
        with self._wire.one_budget():
            position = self._position_with(symbol, levels, is_patient=refused is None)
        if position.is_flat or position.stops == levels:
            return position
        if refused is not None:
            raise refused
        raise UnknownOutcomeError(f"{symbol}: expected {levels}, found {position.stops}")

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of both sides. Raises as `place_order`."""
        text = plain(leverage)
        query = {"category": CATEGORY, "symbol": symbol}
        query |= {"buyLeverage": text, "sellLeverage": text}
        self._wire.post(Kind.SETTING, HTTP.set_leverage, query, always, done={_LEVERAGE_UNCHANGED})

    def set_one_way(self, symbol: str) -> None:
        """Switch a symbol to one-way mode. Raises as `place_order`."""
        query = {"category": CATEGORY, "symbol": symbol, "mode": 0}
        self._wire.post(
            Kind.SETTING, HTTP.switch_position_mode, query, always, done=_MODE_UNCHANGED
        )

    def _position_rows(self, query: Mapping[str, object]) -> list[PositionRow]:
        found: list[PositionRow] = []
        asked = {"category": CATEGORY, **query}

        def read(answer: Answer) -> list[PositionRow]:
            rows = Row("position/list", answer.result).rows("list")
            return [position_of(row, self._wire.time_of(answer)) for row in rows]

        for page in self._wire.pages(HTTP.get_positions, asked, _POSITION_PAGE, read):
            found += page
            if "symbol" in query:
                break
        return found

    def _position_with(
        self, symbol: str, levels: ProtectiveLevels, *, is_patient: bool
    ) -> PositionRow:
        """Read the position until the levels are in effect, a few times at most; reads may lag."""
        position = self.position(symbol)
        for attempt in range(3 if is_patient else 1):
            if position.is_flat or position.stops == levels:
                break
            self._wire.pause(attempt)
            position = self.position(symbol)
        return position
