"""What must be true after every event, and once all has settled: the exchange's records judge."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from domain.rules import TradingRules
from infra.venues.simulator.records import Status, VenueOrder
from tests.chaos.harness.invariants import differences, violations
from tests.chaos.harness.journal_view import JournalView, read_journal
from tests.chaos.harness.stops import loosened
from tests.simulation.exchange import Exchange
from tests.simulation.stored import Stored

UNPROTECTED_S = 300.0
"""A position may stand as long without a stop while a system runs, however troubled."""
IN_FLIGHT_MS = 7_000
"""What is signed stays valid for five seconds; our clock may be off, and a loop may wait."""
_FOREVER_MS = 1e15


class Judge:
    """Looks at one exchange, and at the file that its system writes."""

    def __init__(
        self,
        exchange: Exchange,
        rules: TradingRules,
        file: Path,
        kept_ids: Callable[[], Collection[str]],
    ) -> None:
        self._exchange = exchange
        self._rules = rules
        self._file = file
        self._kept_ids = kept_ids
        self._orders = self._stops = 0
        self._sent: set[str] = set()
        self._unprotected_s: dict[str, float] = {}
        self._oldest_ms = rules.candles.entry_max_age_ms + IN_FLIGHT_MS
        self.stored = Stored(file)

    def close(self) -> None:
        """Let go of the file; it is opened again where it is needed."""
        self.stored.forget()

    def look(self, now_s: float, alive_since_s: float | None) -> list[str]:
        """Return which promises the newest event has broken."""
        venue, found = self._exchange.venue, list[str]()
        if len(venue.ledger.orders) != self._orders:
            found += self._of_orders()
        if len(venue.protection.records) != self._stops:
            found += self._of_stops(now_s)
        if self._unprotected_s and alive_since_s is not None:
            for symbol, since_s in self._unprotected_s.items():
                if now_s - max(since_s, alive_since_s) > UNPROTECTED_S:
                    found.append(f"{symbol} stands without a stop, and nobody does anything")
        return found

    def settled(self) -> list[str]:
        """Return where books and exchange differ; nothing once all has settled."""
        state, records = self._exchange.state(), self._exchange.records()
        return differences(state, records, self.journal(), self._rules)

    def whole(self) -> list[str]:
        """Return which promises were broken in the whole life of the world."""
        records, journal = self._exchange.records(), self.journal()
        return violations(records, journal, self._rules, unprotected_limit_ms=_FOREVER_MS)

    def journal(self) -> JournalView:
        """Return what is stored."""
        return read_journal(self._file)

    def _of_orders(self) -> Iterator[str]:
        orders = list(self._exchange.venue.ledger.orders.values())
        fresh, self._orders = orders[self._orders :], len(orders)
        self.stored.read_on()
        for order in fresh:
            link_id = order.link_id
            if not link_id or order.status is Status.REJECTED:
                continue
            if link_id in self._sent:
                yield f"{link_id} was accepted twice"
            self._sent.add(link_id)
            if not self._has_intent(link_id, may_be_kept=order.reduce_only):
                yield f"{link_id} was sent before its intent was stored"
            if not order.reduce_only and link_id not in self.stored.granted:
                yield f"{link_id} was sent before its approval was stored"
            if not order.reduce_only and self._age_ms(order) > self._oldest_ms:
                yield f"{link_id} was sent {self._age_ms(order) // 1000} s after its decision"
            if not order.reduce_only and order.stop_loss is None:
                yield f"{link_id} was sent without a stop"

    @staticmethod
    def _age_ms(order: VenueOrder) -> int:
        decided_s = order.link_id.split("-")[1]  # as the id of an entry says
        return order.created_ms - int(decided_s) * 1000

    def _of_stops(self, now_s: float) -> Iterator[str]:
        records = self._exchange.venue.protection.records
        fresh, self._stops = records[self._stops :], len(records)
        for record in fresh:
            if record.signed_qty and record.stop_loss is None:
                self._unprotected_s.setdefault(record.symbol, now_s)
            else:
                self._unprotected_s.pop(record.symbol, None)
        if any(asset.stops.trail_fraction is not None for asset in self._rules.assets):
            yield from loosened(self._exchange.records(), self._rules)

    def _has_intent(self, link_id: str, *, may_be_kept: bool) -> bool:
        return link_id in self.stored.orders or (may_be_kept and link_id in self._kept_ids())
