"""The journal of a run: who may write to it, and what the runtime itself stores and reads."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

import peewee
from peewee import SQL

from domain.errors import ConfigError, JournalError
from domain.market.instruments import Candle
from domain.portfolio.protection import ProtectionState
from domain.trading.positions import Trade
from infra.store import rows, schema
from infra.store.codec import Row, value_of
from infra.store.engine import Engine, JournalBusyError, JournalFullError
from infra.store.lease import WriterLease
from infra.store.records import Records
from infra.store.reserve import Reserve
from infra.store.writer import JournalWriter, Origin

_FACT = schema.table("fact")
_META = schema.table("meta")
_CANDLE = schema.table("candle")
_REFUSAL = schema.table("decision_refusal")
_TRADE = schema.table("trade")
_SAMPLE = schema.table("equity_sample")
_NEWEST_ID = schema.Prepared(_FACT.select(peewee.fn.MAX(_FACT.c.id).alias("id")))
_RECENT_CANDLES = schema.Prepared(
    _CANDLE.select(SQL("*"))
    .where(_CANDLE.c.asset == schema.GIVEN)
    .order_by(_CANDLE.c.open_time_ms.desc())
    .limit(schema.GIVEN)
)
_VALUE_OF = schema.Prepared(_META.select(_META.c.value).where(_META.c.key == schema.GIVEN))


class JournalStore:
    """One database; each thread that opens a journal has a connection of its own."""

    def __init__(
        self, engine: Engine, now_ms: Callable[[], int], reserve: Reserve | None = None
    ) -> None:
        """Open the database, creating or migrating its tables.

        Args:
            engine: the database.
            now_ms: the trading clock.
            reserve: keeps what cannot wait for the database; None: memory only.

        Raises:
            JournalBusyError: another program holds it.
            JournalFullError: the disk has no room to open it.
            ConfigError: it cannot be used, or was made by a newer version.
        """
        self._engine = engine
        self._now_ms = now_ms
        self.reserve = Reserve(None) if reserve is None else reserve
        self.before_write: Callable[[peewee.Database], None] = lambda _database: None
        """Called in each transaction of a lease before it writes."""
        self._taken: Counter[str] = Counter()
        """How often each address has taken its lease in this process."""
        try:
            with self.connected():
                engine.migrate()
        except (JournalBusyError, JournalFullError):
            raise
        except (JournalError, peewee.DatabaseError) as error:
            cause = error.__cause__ if isinstance(error, JournalError) else error
            message = (
                f"{engine.location}: the journal cannot be used ({cause}); "
                "is it a journal, and writable?"
            )
            raise ConfigError(message) from error

    @property
    def database(self) -> peewee.Database:
        """The database, for queries in a connected thread."""
        return self._engine.database

    @property
    def connections(self) -> int:
        """How many threads of this process have a connection."""
        return self._engine.connections

    def open(self, address: str, origin: Origin) -> JournalWriter:
        """Take an address's lease, in the thread that will use it.

        If nothing can be written, the lease is taken with the first facts that can be; until then
        only this process knows of it.

        Raises:
            JournalError: the database cannot even be read.
        """
        lease = WriterLease(address, self._taken)
        try:
            self._engine.connect()
            lease.look(self.database)
            journal = JournalWriter(
                self._engine,
                lease,
                self.writing,
                self.reserve,
                origin=origin,
                now_ms=self._now_ms,
            )
            with contextlib.suppress(JournalError), journal.writing():
                pass
            journal.newest_fact_id = _NEWEST_ID.rows(self.database)[0]["id"] or 0
        except self._engine.refusals as error:
            cause = self._engine.cause(error)
            raise JournalError(f"{address} could not open the journal: {cause}") from error
        return journal

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Hold a connection for this thread, for use by the runtime itself.

        Raises:
            JournalBusyError: another program holds the database.
            JournalError: it cannot be used.
        """
        try:
            self._engine.connect()
            yield
        except self._engine.refusals as error:
            raise self._engine.refusal(error) from error
        finally:
            self._engine.close()

    @contextlib.contextmanager
    def writing(self, *, is_durable: bool = False) -> Iterator[peewee.Database]:
        """Hold one transaction when its turn comes; in a connected thread. See `Engine.writing`."""
        with self._engine.writing(is_durable=is_durable) as database:
            self.before_write(database)
            yield database

    def release(self) -> None:
        """Let another process write."""
        self._engine.release()

    def check(self) -> None:
        """Check that the facts are undamaged; in a connected thread.

        Raises:
            ConfigError: some are damaged.
        """
        self._engine.check_facts()

    @property
    def is_kept(self) -> bool:
        """Tell whether everything in the reserve is on disk."""
        return self.reserve.is_kept

    def records(self) -> Records:
        """Return the reader of facts for notifications; in a connected thread."""
        return Records(self.database)

    def read_meta(self, key: str) -> str | None:
        """Return a value that the run stored about itself."""
        return next((row["value"] for row in _VALUE_OF.rows(self.database, key)), None)

    def write_meta(self, key: str, value: str) -> None:
        """Store a value about the run itself.

        Raises:
            JournalError: it cannot be stored.
        """
        try:
            with self._engine.writing() as database:
                schema.replace_row(database, _META, {"key": key, "value": value})
        except self._engine.refusals as error:
            raise self._engine.refusal(error) from error

    def recent_candles(self, asset: str, count: int) -> list[Candle]:
        """Return an asset's newest closed candles, oldest first; in a connected thread."""
        found = _RECENT_CANDLES.rows(self.database, asset, count)
        return [rows.candle_of(row) for row in reversed(found)]

    def trades(self) -> list[Trade]:
        """Return all trades, in the order in which they were booked."""
        return [value_of(Trade, row) for row in self._all(_TRADE)]

    def samples(self) -> list[ProtectionState]:
        """Return all equity samples, oldest first."""
        return [value_of(ProtectionState, row) for row in self._all(_SAMPLE)]

    def has_samples(self) -> bool:
        """Tell whether a portfolio has ever started here."""
        return bool(list(_SAMPLE.select(schema.ONE).limit(1).execute(self.database)))

    def refusals_by_reason(self) -> dict[str, int]:
        """Return how many entries were denied, by reason."""
        counted = (
            _REFUSAL.select(_REFUSAL.c.reason, peewee.fn.COUNT(SQL("*")).alias("n"))
            .group_by(_REFUSAL.c.reason)
            .order_by(_REFUSAL.c.reason)
        )
        return {row["reason"]: row["n"] for row in counted.execute(self.database)}

    def _all(self, table: peewee.Table) -> list[Row]:
        query = table.select(SQL("*")).order_by(table.c.fact_id)
        return list(query.execute(self.database))
