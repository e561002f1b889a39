"""What a journal holds of orders: read on from where it was read to, as facts are only appended."""

from pathlib import Path
from typing import Any

from domain.errors import ConfigError
from domain.trading.order import Order
from domain.trading.orders import OrderUpdate, Purpose, client_order_id
from infra.store import rows
from infra.store.codec import value_of
from infra.store.sqlite.connection import SqliteReading

_INTENTS = "SELECT * FROM intent JOIN fact ON fact.id = fact_id WHERE fact_id > %s ORDER BY fact_id"
_UPDATES = "SELECT * FROM order_update WHERE fact_id > %s ORDER BY fact_id"
_GRANTS = "SELECT fact_id, asset, t_ms FROM decision_grant WHERE fact_id > %s ORDER BY fact_id"
_EXECUTIONS = "SELECT fact_id, exec_id FROM execution WHERE fact_id > %s ORDER BY fact_id"


class Stored:
    """Orders, grants and executions of one file; its connection is kept."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reading: SqliteReading | None = None
        self.forget()

    def forget(self) -> None:
        """Let go of the file, of which facts may be gone when it is read again."""
        if self._reading is not None:
            self._reading.close()
        self._reading = None
        self._read: dict[str, int] = {}
        """Up to which fact, by query."""
        self.orders: dict[str, Order] = {}
        self.granted: set[str] = set()
        """Client order ids of entries."""
        self.booked: set[str] = set()
        """Ids of executions."""

    def read_on(self) -> bool:
        """Read what was stored meanwhile; False where there are no tables yet."""
        try:
            if self._reading is None:
                self._reading = SqliteReading(self._file)
            self._read_on()
        except ConfigError:
            return False
        return True

    def _read_on(self) -> None:
        for row in self._new(_INTENTS):
            self.orders[row["client_order_id"]] = Order(intent=rows.intent_of(row))
        for row in self._new(_UPDATES):
            update = value_of(OrderUpdate, row)
            order_id = update.client_order_id
            self.orders[order_id] = self.orders[order_id].apply(update)
        for row in self._new(_GRANTS):
            self.granted.add(client_order_id(row["asset"], row["t_ms"], Purpose.ENTRY, 1))
        self.booked.update(row["exec_id"] for row in self._new(_EXECUTIONS))

    def _new(self, query: str) -> list[dict[str, Any]]:
        if self._reading is None:
            return []
        found = self._reading.rows(query, self._read.get(query, 0))
        if found:
            self._read[query] = found[-1]["fact_id"]
        return found
