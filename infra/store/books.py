"""Sums of trades, orders and denials in the journal, read without disturbing the writer."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.trading.orders import INTENDED, OrderState, OrderStatus, OrderUpdate
from infra.store.location import Location
from infra.store.reading import Reading, open_reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Sums over all facts of a journal."""

    trades: Mapping[tuple[str, bool], int] = field(default_factory=dict)
    """By asset and whether the trade made a profit."""
    orders: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By asset and purpose; every intended order counts, whatever became of it."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    unknown_orders: int = 0
    """Orders not yet known to be accepted or rejected by the exchange."""
    doubt: str = ""
    """Why the database may lose facts; empty if no reason is known."""


class BooksReader:
    """Reads what was stored since the last reading, on a read-only connection."""

    def __init__(self, file: Location) -> None:
        """Remember the journal; nothing is read yet.

        Args:
            file: the journal.
        """
        self._file = file
        self._journal: Reading | None = None
        self._through = 0
        self._trades: Counter[tuple[str, bool]] = Counter()
        self._orders: Counter[tuple[str, str]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._under_way: dict[str, OrderState] = {}
        self._intended: frozenset[str] = frozenset()
        """Orders without any update at the previous reading."""

    def read(self) -> Books:
        """Return the sums; to be called from one thread only.

        Raises:
            JournalError: the journal cannot be read.
        """
        newest = int(self._rows("SELECT COALESCE(MAX(id), 0) FROM fact")[0][0])
        if newest > self._through:
            self._read_until((self._through, newest))
            self._through = newest
        intended = frozenset(i for i, state in self._under_way.items() if state is INTENDED)
        # An order that is being sent at this very moment does not count as unknown.
        unknown = len(intended & self._intended)
        self._intended = intended
        unknown += sum(s.status is OrderStatus.UNKNOWN for s in self._under_way.values())
        return Books(
            trades=dict(self._trades),
            orders=dict(self._orders),
            refusals=dict(self._refusals),
            unknown_orders=unknown,
            doubt=self._opened().doubt(),
        )

    def close(self) -> None:
        """Close the journal; the next reading opens it again."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _read_until(self, span: tuple[int, int]) -> None:
        intents = self._new("client_order_id, asset, purpose", "intent", span)
        updates = self._new("client_order_id, status, filled_qty, ts_ms", "order_update", span)
        trades = self._new("asset, pnl", "trade", span)
        refusals = self._new("reason", "decision_refusal", span)
        # Everything is read: nothing can fail from here on, so nothing is counted twice.
        for order_id, asset, purpose in intents:
            self._under_way[order_id] = INTENDED
            self._orders[asset, purpose] += 1
        for order_id, status, filled_qty, ts_ms in updates:
            state = self._under_way.get(order_id)
            if state is None:
                continue  # its end is known; late updates change nothing
            update = OrderUpdate(
                client_order_id=order_id,
                status=OrderStatus(status),
                filled_qty=Decimal(filled_qty),
                ts_ms=int(ts_ms),
            )
            self._under_way[order_id] = state = state.apply(update)
            if state.is_terminal:
                del self._under_way[order_id]
        for asset, pnl in trades:
            self._trades[asset, Decimal(pnl) > 0] += 1
        for (reason,) in refusals:
            self._refusals[reason] += 1

    def _new(self, columns: str, table: str, span: tuple[int, int]) -> list[tuple[str, ...]]:
        where = "WHERE fact_id > %s AND fact_id <= %s ORDER BY fact_id"
        return self._rows(f"SELECT {columns} FROM {table} {where}", span)  # noqa: S608 (our own names)

    def _rows(self, query: str, span: tuple[int, ...] = ()) -> list[tuple[str, ...]]:
        return [tuple(row.values()) for row in self._opened().rows(query, *span)]

    def _opened(self) -> Reading:
        if self._journal is None:
            self._journal = open_reading(self._file)
        return self._journal
