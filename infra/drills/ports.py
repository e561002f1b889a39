"""The ports of a run wrapped with drills: what is not watched is passed straight through."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from domain.facts import ClosedCandle, Fact
from domain.trading.orders import Intent, OrderRequest, OrderUpdate
from domain.trading.positions import Execution
from domain.trading.sizing import ProtectiveLevels
from infra.drills.broken_database import BrokenDatabase
from infra.drills.kill_points import Killer, Step
from infra.store.journal import JournalStore
from infra.store.writer import JournalWriter, Origin
from infra.venues.bybit.exchange import BybitExchange

AnyExchange = TypeVar("AnyExchange")


class DrilledJournals:
    """A journal whose appends can kill the process."""

    def __init__(self, journals: JournalStore, killer: Killer) -> None:
        """Watch a journal."""
        self._journals = journals
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journals, name)

    def open(self, address: str, origin: Origin) -> "DrilledJournal":
        """Take an address's lease; the journal returned is watched."""
        return DrilledJournal(self._journals.open(address, origin), self._killer)


class DrilledJournal:
    """One actor's watched journal."""

    def __init__(self, journal: JournalWriter, killer: Killer) -> None:
        """Only `DrilledJournals.open` constructs it."""
        self._journal = journal
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, *facts: Fact) -> list[int]:
        """Store facts, all or none."""
        step = _step_of(facts)
        if step is None:
            return self._journal.append(*facts)
        with self._killer.around(step):
            return self._journal.append(*facts)


class DrilledExchange:
    """An exchange whose orders, fills and stops can kill the process."""

    def __init__(self, exchange: BybitExchange, killer: Killer) -> None:
        """Watch an exchange."""
        self._exchange = exchange
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        """Send an order, once."""
        step = Step.CLOSE_SENT if order.reduce_only else Step.ORDER_SENT

        def watched() -> bool:
            # Called immediately before the request is sent.
            self._killer.pass_by(f"{step}.before")
            return is_ours()

        with self._killer.sending(step):
            update = self._exchange.submit(order, watched)
        self._killer.pass_by(f"{Step.ANSWER_RECEIVED}.after")
        return update

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: Callable[[], bool]) -> bool:
        """Move the stops of the open position; return False if it is gone."""
        with self._killer.around(Step.STOP_MOVED):
            return self._exchange.set_stops(asset, levels, is_ours)

    def subscribe(self, asset: str, listener: Any) -> Any:
        """Send the asset's updates to a listener."""
        return self._exchange.subscribe(asset, _WatchedListener(listener, self._killer))


class _WatchedListener:
    """Passes updates on."""

    def __init__(self, listener: Any, killer: Killer) -> None:
        self._listener = listener
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def on_execution(self, execution: Execution) -> None:
        with self._killer.around(Step.FILL_SEEN):
            self._listener.on_execution(execution)


def _step_of(facts: tuple[Fact, ...]) -> Step | None:
    if any(isinstance(fact, Intent) for fact in facts):
        return Step.INTENT_WRITTEN
    is_of_candles = all(isinstance(fact, ClosedCandle) for fact in facts)
    return None if is_of_candles else Step.FACTS_COMMITTED


def drilled_exchange(exchange: AnyExchange, killer: Killer | None) -> AnyExchange:
    """Return the exchange to give to the actors, wrapped if a drill needs it."""
    if killer is None:
        return exchange
    return cast("AnyExchange", DrilledExchange(cast("BybitExchange", exchange), killer))


def drilled_journals(
    journals: JournalStore, killer: Killer | None, broken: BrokenDatabase | None
) -> JournalStore:
    """Return the journal to give to the run, wrapped if a drill needs it."""
    if broken is not None:
        journals.before_write = broken.before_write
    return journals if killer is None else cast("JournalStore", DrilledJournals(journals, killer))
