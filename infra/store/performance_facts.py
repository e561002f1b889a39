"""The performance of each asset, folded from rows of a journal."""

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Any

from domain.market.instruments import Side, exact
from domain.portfolio.performance import Fill, PerformanceBooks, Performances
from domain.trading.positions import ExecutionKind, Trade
from infra.store.codec import value_of

Rows = Callable[..., list[dict[str, Any]]]
"""Returns the rows of a query with `%s` in place of each value; takes the query and the values."""
_TRADE = ", ".join(field.name for field in fields(Trade))


class PerformanceFacts:
    """Folds the facts that were stored since the last update."""

    def __init__(self, rows: Rows, candle_ms: int) -> None:
        """Read nothing yet.

        Args:
            rows: queries the journal.
            candle_ms: candle length of the run.
        """
        self._rows, self._candle_ms = rows, candle_ms
        self._through = 0
        self._books = PerformanceBooks()
        self._known = Performances()

    def read(self) -> Performances:
        """Return the figures of all facts."""
        newest = int(self._rows("SELECT COALESCE(MAX(id), 0) AS newest FROM fact")[0]["newest"])
        if newest > self._through and self._read_until((self._through, newest)):
            self._known = self._books.performances()
        self._through = newest
        return self._known

    def _read_until(self, span: tuple[int, int]) -> bool:
        """Fold the new facts, and tell whether there were any."""
        trades = self._new(_TRADE, "trade", span)
        moves = [self._extremes(value_of(Trade, row)) for row in trades]
        fills = self._rows(
            "SELECT e.asset, e.kind, e.side, e.qty, e.price, e.fee, c.close FROM execution e "
            "LEFT JOIN candle c ON c.asset = e.asset AND c.open_time_ms = e.decided_ms - %s "
            "WHERE e.fact_id > %s AND e.fact_id <= %s ORDER BY e.fact_id",
            self._candle_ms,
            *span,
        )
        samples = self._new("t_ms, equity", "equity_sample", span)
        transfers = self._new("ts_ms, amount", "transfer", span)
        # Everything has been read: nothing can fail from here on, so nothing is counted twice.
        for row, extremes in zip(trades, moves, strict=True):
            self._books.add_trade(value_of(Trade, row), extremes)
        for row in fills:
            if row["kind"] == ExecutionKind.TRADE:
                self._books.add_fill(_fill(row))
        for row in samples:
            self._books.add_equity(row["t_ms"], float(row["equity"]))
        for row in transfers:
            self._books.add_transfer(row["ts_ms"], float(row["amount"]))
        return bool(trades or fills or samples or transfers)

    def _extremes(self, trade: Trade) -> tuple[float, float] | None:
        # The exit's candle may not be stored yet when the trade is, so its extremes never count.
        first_ms = trade.entry_ms - trade.entry_ms % self._candle_ms
        after_ms = trade.exit_ms - trade.exit_ms % self._candle_ms
        if first_ms == after_ms:
            exit_price = float(trade.exit_price)
            return exit_price, exit_price
        (row,) = self._rows(
            "SELECT min(low) AS low, max(high) AS high FROM candle "
            "WHERE asset = %s AND open_time_ms >= %s AND open_time_ms < %s",
            trade.asset,
            first_ms,
            after_ms,
        )
        return None if row["low"] is None else (row["low"], row["high"])

    def _new(self, columns: str, table: str, span: tuple[int, int]) -> list[dict[str, Any]]:
        return self._rows(
            f"SELECT {columns} FROM {table} "  # noqa: S608 (our own names)
            "WHERE fact_id > %s AND fact_id <= %s ORDER BY fact_id",
            *span,
        )


def _fill(row: dict[str, Any]) -> Fill:
    qty, close = Decimal(row["qty"]), row["close"]
    return Fill(
        asset=row["asset"],
        side=Side(row["side"]),
        notional=qty * Decimal(row["price"]),
        fee=Decimal(row["fee"]),
        decided_at=None if close is None else qty * exact(close),
    )
