"""The journal on SQLite: who may write, and what is stored and read."""

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import peewee
from numpy.typing import NDArray
from peewee import SQL, SqliteDatabase

from domain.errors import ConfigError, JournalError, StaleApprovalError
from domain.facts import ClosedCandle, Fact, KeptFact, StoredExecution
from domain.market.instruments import Candle
from domain.operator.commands import BINDING, FLAT, OUTDATED, OperatorCommand, SettingsChanged
from domain.portfolio.protection import ProtectionState
from domain.rules import AssetRules
from domain.trading.decisions import Approval, Close, Decision, Denial, Protection
from domain.trading.order import Order
from domain.trading.orders import Intent, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer
from infra.store import rows, schema
from infra.store.codec import Row, row_of, value_of
from infra.store.pen import Pen
from infra.store.records import Records
from infra.store.reserve import Record, Reserve
from infra.store.soundness import check_facts

Origin = Callable[[], tuple[int, int] | None]
"""Returns trace id and message id of what is at hand."""

_CANDLES = (
    "SELECT open_time_ms, open, high, low, close, volume FROM candle "
    "WHERE asset = ? ORDER BY open_time_ms"
)
_FACT = schema.table("fact")
_META = schema.table("meta")
_ASSET = schema.table("asset")
_CANDLE = schema.table("candle")
_DECISION = schema.table("decision")
_GRANT = schema.table("decision_grant")
_REFUSAL = schema.table("decision_refusal")
_CLOSE = schema.table("decision_close")
_INTENT = schema.table("intent")
_UPDATE = schema.table("order_update")
_EXECUTION = schema.table("execution")
_TRADE = schema.table("trade")
_SAMPLE = schema.table("equity_sample")
_TRANSFER = schema.table("transfer")
_COMMAND = schema.table("operator_command")
_SETTINGS = schema.table("settings_change")
_STOP_MOVE = schema.table("stop_move")

_SAMPLED_EPOCH = schema.Prepared(
    _SAMPLE.select(_SAMPLE.c.epoch).order_by(_SAMPLE.c.fact_id.desc()).limit(schema.ONE)
)
_FIRED_EPOCH = schema.Prepared(
    _DECISION.select(_DECISION.c.epoch)
    .where(_DECISION.c.protection_reason.is_null(False))
    .order_by(_DECISION.c.fact_id.desc())
    .limit(schema.ONE)
)

_FLAT: dict[type, peewee.Table] = {
    Execution: _EXECUTION,
    OperatorCommand: _COMMAND,
    OrderUpdate: _UPDATE,
    ProtectionState: _SAMPLE,
    SettingsChanged: _SETTINGS,
    StopMoved: _STOP_MOVE,
    Trade: _TRADE,
    Transfer: _TRANSFER,
}
"""Facts whose fields are the columns of one table."""


QUICK_MS, QUICK_TURN_MS = 100, 1_000
"""How long a database, and another thread's turn, are waited for after a refusal."""


class JournalFullError(JournalError):
    """The disk has no room for a start."""


class JournalBusyError(JournalError):
    """Another program holds the database for longer than we wait; it may be free in a while."""


class SqliteJournals:
    """One database file; each thread that opens a journal has a connection of its own."""

    def __init__(
        self,
        file: Path,
        now_ms: Callable[[], int],
        *,
        busy_timeout_ms: int,
        reserve: Reserve | None = None,
    ) -> None:
        """Open the file, making or migrating it.

        Args:
            file: the database.
            now_ms: the trading clock.
            busy_timeout_ms: how long a database that others hold is waited for.
            reserve: keeps what cannot wait for the database; None: in memory alone.

        Raises:
            JournalBusyError: another program holds it.
            JournalFullError: the disk has no room for what opening it needs.
            ConfigError: it cannot be used, or a newer program made it.
        """
        self._file = file
        self._now_ms = now_ms
        self._turns = _Turns()
        self._busy_timeout_ms = busy_timeout_ms
        self._is_refused = False
        """The newest transaction could not be written."""
        self.reserve = Reserve(None) if reserve is None else reserve
        self.before_write: Callable[[SqliteDatabase], None] = lambda _database: None
        """Called in each transaction of a pen, before it writes."""
        self._lives: Counter[str] = Counter()
        """How often each address has taken its pen in this process."""
        self._database = SqliteDatabase(
            str(file),
            autoconnect=False,
            pragmas={
                "journal_mode": "wal",
                "synchronous": "normal",
                "foreign_keys": 1,
                "recursive_triggers": 1,  # else what replaces a row deletes it unseen
                "busy_timeout": busy_timeout_ms,
            },
        )
        self._kept_open = None if self.reserve.is_allocated else _kept_open(file)
        try:
            with self.connected():
                schema.migrate(self._database, str(file))
        except (JournalBusyError, JournalFullError):
            raise
        except (JournalError, peewee.DatabaseError, sqlite3.DatabaseError) as error:
            cause = error.__cause__ if isinstance(error, JournalError) else error
            message = (
                f"{file}: the journal cannot be used ({cause}); is it a journal, and writable?"
            )
            raise ConfigError(message) from error

    @property
    def database(self) -> SqliteDatabase:
        """The database, for queries in a thread that is connected."""
        return self._database

    def open(self, address: str, origin: Origin) -> "SqliteJournal":
        """Take an address's pen, in the thread that will use it.

        Where nothing can be written, the pen is taken with the first facts that can be; until then
        it is known to this process alone.

        Raises:
            JournalError: the database cannot even be read.
        """
        pen = Pen(address, self._lives)
        try:
            self._database.connect(reuse_if_open=True)
            pen.look(self._database)
            journal = SqliteJournal(self, pen, origin, self._now_ms)
            with contextlib.suppress(JournalError), journal.writing():
                pass
            newest = _FACT.select(peewee.fn.MAX(_FACT.c.id).alias("id")).execute(self._database)
            journal.newest_fact_id = next(iter(newest))["id"] or 0
        except (peewee.OperationalError, sqlite3.OperationalError) as error:
            raise JournalError(f"{address} could not open the journal: {_cause(error)}") from error
        return journal

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Hold a connection for this thread, for the roof's own use.

        Raises:
            JournalBusyError: another program holds the database.
            JournalError: it cannot be used.
        """
        try:
            self._database.connect(reuse_if_open=True)
            yield
        except (peewee.OperationalError, sqlite3.OperationalError) as error:
            if is_busy(error):
                message = f"{self._file}: another program holds the journal; end it, or wait for it"
                raise JournalBusyError(message) from error
            if _is_full(error):
                message = f"{self._file}: the disk has no room, or fails: {_cause(error)}"
                raise JournalFullError(message) from error
            message = f"{self._file}: the journal cannot be used: {_cause(error)}"
            raise JournalError(message) from error
        finally:
            self._database.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[SqliteDatabase]:
        """Hold one transaction in its turn, for what is no fact; in a thread that is connected.

        Once one was refused, the next ones wait but for a moment, until one is not: whoever tries
        again and again must not be held up each time.
        """
        with self._turns.take(QUICK_TURN_MS if self._is_refused else self._busy_timeout_ms):
            was_refused = self._is_refused
            if was_refused:
                self._database.pragma("busy_timeout", QUICK_MS)
            try:
                with self._database.atomic("IMMEDIATE"):
                    self.before_write(self._database)
                    yield self._database
                self._is_refused = False
            except (peewee.OperationalError, sqlite3.OperationalError):
                self._is_refused = True
                raise
            finally:
                if was_refused:
                    self._database.pragma("busy_timeout", self._busy_timeout_ms)

    def check(self, file: Path) -> None:
        """Refuse facts that cannot be what was stored; in a thread that is connected.

        Raises:
            ConfigError: there are some.
        """
        check_facts(self._database.connection(), file)  # type: ignore[no-untyped-call]

    @property
    def is_kept(self) -> bool:
        """Tell whether what was kept in the reserve is on the disk."""
        return self.reserve.is_kept

    def records(self) -> Records:
        """Return what reads facts for people; in a thread that is connected."""
        return Records(self._database)

    def read_meta(self, key: str) -> str | None:
        """Return what the run noted of itself."""
        found = _META.select(_META.c.value).where(_META.c.key == key)
        return next((row["value"] for row in found.execute(self._database)), None)

    def write_meta(self, key: str, value: str) -> None:
        """Note something of the run itself."""
        note = schema.insert(_META, {"key": key, "value": value})
        note.on_conflict_replace().execute(self._database)

    def pragma(self, name: str, value: object) -> object:
        """Set a pragma of this thread's connection, which must be open."""
        return self._database.pragma(name, value)

    def recent_candles(self, asset: str, count: int) -> list[Candle]:
        """Return an asset's newest closed candles, oldest first; in a thread that is connected."""
        query = (
            _CANDLE.select(SQL("*"))
            .where(_CANDLE.c.asset == asset)
            .order_by(_CANDLE.c.open_time_ms.desc())
            .limit(count)
        )
        return [rows.candle_of(row) for row in reversed(list(query.execute(self._database)))]

    def trades(self) -> list[Trade]:
        """Return all trades, in the order in which they were booked."""
        return [value_of(Trade, row) for row in self._all(_TRADE)]

    def samples(self) -> list[ProtectionState]:
        """Return all equity samples, oldest first."""
        return [value_of(ProtectionState, row) for row in self._all(_SAMPLE)]

    def has_samples(self) -> bool:
        """Tell whether any portfolio has begun here."""
        return bool(list(_SAMPLE.select(schema.ONE).limit(1).execute(self._database)))

    def refusals_by_reason(self) -> dict[str, int]:
        """Return how many wishes were refused, by reason."""
        counted = (
            _REFUSAL.select(_REFUSAL.c.reason, peewee.fn.COUNT(SQL("*")).alias("n"))
            .group_by(_REFUSAL.c.reason)
            .order_by(_REFUSAL.c.reason)
        )
        return {row["reason"]: row["n"] for row in counted.execute(self._database)}

    def _all(self, table: peewee.Table) -> list[Row]:
        query = table.select(SQL("*")).order_by(table.c.fact_id)
        return list(query.execute(self._database))


class _Turns:
    """Lets the threads of this process write one after the other.

    SQLite itself would let them sleep and try again, which costs milliseconds at each close.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self, patience_ms: int) -> Iterator[None]:
        if not self._lock.acquire(timeout=patience_ms / 1000):
            raise JournalError(f"another thread has written for more than {patience_ms} ms")
        try:
            yield
        finally:
            self._lock.release()


class SqliteJournal(Records):
    """One actor's pen. See `actors.ports.Journal`.

    It is checked inside every writing transaction: an incarnation that was replaced cannot store a
    fact that its successor has not read.
    """

    def __init__(
        self, journals: SqliteJournals, pen: Pen, origin: Origin, now_ms: Callable[[], int]
    ) -> None:
        """Made by `SqliteJournals.open` alone."""
        super().__init__(journals.database)
        self.newest_fact_id = 0
        """Of all facts, when the pen was taken; a trace stores it as what the opening answered."""
        self._journals = journals
        self._reserve = journals.reserve
        self._pen = pen
        self._address = pen.address
        self._origin = origin
        self._now_ms = now_ms

    def close(self) -> None:
        """Let go of this thread's connection."""
        self._database.close()

    def append(self, *facts: Fact) -> list[int]:
        """Store facts, all or none, and return their ids; what waited in the reserve leaves it.

        An intent, and what waited in the reserve, is on the disk itself when this returns; other
        facts are safe from a death of the process, and from a power cut once the next intent was
        stored.
        """
        # Compared, not hashed: a decision's facts hold mappings.
        waited = [r for r in self._waiting() if all(fact in facts for fact in r.facts)]
        is_urgent = bool(waited) or any(isinstance(fact, Intent) for fact in facts)
        recorded_ms = min((record.recorded_ms for record in waited), default=None)
        try:
            if is_urgent:
                self._database.pragma("synchronous", "full")
            with self.writing():
                fact_ids = [self._store(fact, recorded_ms) for fact in facts]
        finally:
            if is_urgent:
                self._database.pragma("synchronous", "normal")
        for record in waited:
            self._reserve.discard(record)
        return fact_ids

    def keep(self, *facts: Fact) -> bool:
        """Keep in the reserve what could not be stored; False where a kill would forget it.

        Raises:
            FencedError: another incarnation has taken the pen.
        """
        self._pen.check(self._database)
        return self._reserve.add(self._address, facts, self._now_ms())

    def kept(self) -> list[KeptFact]:
        """Return what waits in the reserve to be stored under this address, oldest first."""
        for record in self._waiting():
            # The process may have died between storing it and taking it out of the reserve.
            if any(self._is_stored(fact) for fact in record.facts):
                self._reserve.discard(record)
        return [
            KeptFact(batch=record.number, fact=fact)
            for record in self._waiting()
            for fact in record.facts
        ]

    def shortage(self) -> str | None:
        """Return why nothing may be opened: facts wait in the reserve, or it has no space."""
        waiting = self._reserve.records()
        if waiting:
            return f"records that wait in the reserve for room in the journal: {len(waiting)}"
        return None if self._reserve.allocate() else "the disk has no room for the reserve"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold one transaction, of the pen's holder alone.

        Raises:
            FencedError: another incarnation has taken the pen.
            JournalError: the database cannot be used.
        """
        try:
            with self._journals.writing():
                holder = self._pen.enter(self._database)
                yield
        except (peewee.OperationalError, sqlite3.OperationalError) as error:
            message = f"{self._address} could not store its facts: {_cause(error)}"
            raise JournalError(message) from error
        self._pen.note_entered(holder)

    def executions(self, asset: str, after: int = 0) -> list[StoredExecution]:
        """Return an asset's executions with a higher fact id, oldest first."""
        query = (
            _EXECUTION.select(SQL("*"))
            .where((_EXECUTION.c.asset == asset) & (_EXECUTION.c.fact_id > after))
            .order_by(_EXECUTION.c.fact_id)
        )
        return [
            StoredExecution(fact_id=row["fact_id"], execution=value_of(Execution, row))
            for row in query.execute(self._database)
        ]

    def orders(self, asset: str) -> list[Order]:
        """Return an asset's orders, oldest first."""
        intents = (
            _INTENT.select(SQL("*"))
            .join(_FACT, on=(_FACT.c.id == _INTENT.c.fact_id))
            .where(_INTENT.c.asset == asset)
            .order_by(_INTENT.c.fact_id)
        )
        orders = {row["client_order_id"]: _order(row) for row in self._rows(intents)}
        of_asset = _INTENT.select(_INTENT.c.client_order_id).where(_INTENT.c.asset == asset)
        updates = (
            _UPDATE.select(SQL("*"))
            .where(_UPDATE.c.client_order_id.in_(of_asset))
            .order_by(_UPDATE.c.fact_id)
        )
        for row in self._rows(updates):
            update = value_of(OrderUpdate, row)
            orders[update.client_order_id] = orders[update.client_order_id].apply(update)
        return list(orders.values())

    def candles(self, asset: str) -> NDArray[np.float64]:
        """Return an asset's closed candles, oldest first.

        Returns:
            (n, 6): open time (ms), open, high, low, close, volume.
        """
        # Row by row: as objects, a year of candles would take 100 MB, at each restart.
        found = self._database.execute_sql(_CANDLES, (asset,))  # type: ignore[no-untyped-call]
        return np.fromiter(found, dtype=np.dtype((np.float64, 6)))

    def oldest_state(self) -> ProtectionState | None:
        """Return the first equity sample."""
        query = _SAMPLE.select(SQL("*")).order_by(_SAMPLE.c.fact_id).limit(1)
        return next((value_of(ProtectionState, row) for row in self._rows(query)), None)

    def newest_state(self) -> ProtectionState | None:
        """Return the newest equity sample."""
        row = self._newest(_SAMPLE)
        return None if row is None else value_of(ProtectionState, row)

    def transfers(self) -> list[Transfer]:
        """Return all transfers, oldest first."""
        query = _TRANSFER.select(SQL("*")).order_by(_TRANSFER.c.fact_id)
        return [value_of(Transfer, row) for row in self._rows(query)]

    def newest_decision(self, candle_ms: int) -> Decision | None:
        """Return the newest stored decision of a close; those between closes are left out."""
        row = self._newest(_DECISION, SQL("t_ms % ? = 0", [candle_ms]))
        return None if row is None else self._decision(row)

    def newest_protection(self) -> Protection | None:
        """Return the newest protection that fired."""
        row = self._newest(_DECISION, _DECISION.c.protection_reason.is_null(False))
        return None if row is None else self._decision(row).protection

    def protection_resting_until(self, end_ms: int) -> Protection | None:
        """Return the first protection whose cooldown ends then: the one that has set its end."""
        fired = _DECISION.c.protection_reason.is_null(False) & (
            _DECISION.c.cooldown_end_ms == end_ms
        )
        query = _DECISION.select(SQL("*")).where(fired).order_by(_DECISION.c.fact_id).limit(1)
        return next((self._decision(row).protection for row in self._rows(query)), None)

    def newest_epoch(self) -> int:
        """Return the newest protection epoch: of an emergency, a pause, a panic or a rearm."""
        queries = (_SAMPLED_EPOCH, _FIRED_EPOCH)
        found = [row["epoch"] for query in queries for row in query.rows(self._database)]
        return int(max([*found, self._reserve.newest_epoch]))

    def newest_stop_move(self, asset: str) -> StopMoved | None:
        """Return the newest move of an asset's stop."""
        query = (
            _STOP_MOVE.select(SQL("*"))
            .where(_STOP_MOVE.c.asset == asset)
            .order_by(_STOP_MOVE.c.fact_id.desc())
            .limit(1)
        )
        return next((value_of(StopMoved, row) for row in self._rows(query)), None)

    def stop_moves(self, asset: str, opened_ms: int) -> Sequence[StopMoved]:
        """Return the moves of the stop of the position that was opened then, oldest first."""
        query = (
            _STOP_MOVE.select(SQL("*"))
            .where((_STOP_MOVE.c.asset == asset) & (_STOP_MOVE.c.opened_ms == opened_ms))
            .order_by(_STOP_MOVE.c.fact_id)
        )
        return [value_of(StopMoved, row) for row in self._rows(query)]

    def commands(self) -> list[OperatorCommand]:
        """Return the commands that bind until others end them, and what ends them, oldest first."""
        query = (
            _COMMAND.select(SQL("*"))
            .where(_COMMAND.c.command.in_([*(name.value for name in BINDING), OUTDATED, FLAT]))
            .order_by(_COMMAND.c.fact_id)
        )
        return [value_of(OperatorCommand, row) for row in self._rows(query)]

    def newest_approval(self, asset: str) -> Approval | None:
        """Return the newest grant of an asset."""
        row = self._newest(_GRANT, _GRANT.c.asset == asset)
        return None if row is None else value_of(Approval, row)

    def assets(self, asset: str) -> list[Row]:
        """Return an asset's shares and instruments, oldest first."""
        query = _ASSET.select(SQL("*")).where(_ASSET.c.asset == asset).order_by(_ASSET.c.fact_id)
        return self._rows(query)

    def record_asset(self, asset: AssetRules) -> None:
        """Store an asset's share and instrument, where they differ from the newest stored."""
        instrument = asset.instrument
        row = row_of(asset, without=("instrument",)) | row_of(instrument)
        stored = self._newest(_ASSET, _ASSET.c.asset == asset.asset)
        if stored is not None and all(stored[name] == value for name, value in row.items()):
            return
        with self._database.atomic("IMMEDIATE"):
            self._insert(_ASSET, asset.asset, row)

    def _waiting(self) -> list[Record]:
        return self._reserve.records(self._address)

    def _is_stored(self, fact: Fact) -> bool:
        match fact:
            case Intent():
                return self.order(fact.request.client_order_id) is not None
            case Decision(t_ms=t_ms):
                return self._newest(_DECISION, _DECISION.c.t_ms == t_ms) is not None
            case OperatorCommand():
                stored = self._newest(_COMMAND, _COMMAND.c.ts_ms == fact.ts_ms)
                return stored is not None and value_of(OperatorCommand, stored) == fact
            case _:
                return False

    def _store(self, fact: Fact, recorded_ms: int | None = None) -> int:
        insert = partial(self._insert, recorded_ms=recorded_ms)
        match fact:
            case Decision():
                return self._store_decision(fact, recorded_ms)
            case Denial():
                row = row_of(fact) | {"place": 0}
                return insert(_REFUSAL, fact.asset, row)
            case Intent():
                self._check_epoch(fact)
                return insert(_INTENT, fact.request.asset, rows.intent_row(fact))
            case ClosedCandle():
                return insert(_CANDLE, fact.asset, rows.candle_row(fact))
            case Execution() | Trade():
                return insert(_FLAT[type(fact)], fact.asset, row_of(fact))
            case (
                OrderUpdate()
                | ProtectionState()
                | Transfer()
                | OperatorCommand()
                | SettingsChanged()
                | StopMoved()
            ):
                return insert(_FLAT[type(fact)], None, row_of(fact))

    def _check_epoch(self, intent: Intent) -> None:
        if intent.protection_epoch is None:
            return
        shortage = self.shortage()
        if shortage is not None:
            raise StaleApprovalError(shortage)
        newest = self.newest_epoch()
        if newest > intent.protection_epoch:
            raise StaleApprovalError(
                f"the grant is of protection epoch {intent.protection_epoch}, "
                f"meanwhile epoch {newest} has begun"
            )

    def _store_decision(self, decision: Decision, recorded_ms: int | None) -> int:
        row = rows.decision_row(decision)
        fact_id = self._insert(_DECISION, None, row, recorded_ms=recorded_ms)
        closes = decision.protection.closes if decision.protection is not None else ()
        parts: list[tuple[peewee.Table, Sequence[Approval | Denial | Close]]] = [
            (_GRANT, decision.approvals),
            (_REFUSAL, decision.denials),
            (_CLOSE, closes),
        ]
        for table, values in parts:
            for place, value in enumerate(values):
                row = row_of(value) | {"fact_id": fact_id, "place": place}
                schema.insert_row(self._database, table, row)
        return fact_id

    def _insert(
        self, table: peewee.Table, asset: str | None, row: Row, *, recorded_ms: int | None = None
    ) -> int:
        trace_id, message_id = self._origin() or (None, None)
        header = {
            "kind": table.__name__,
            "asset": asset,
            "writer": self._address,
            "recorded_ms": self._now_ms() if recorded_ms is None else recorded_ms,
            "trace_id": trace_id,
            "message_id": message_id,
        }
        fact_id = schema.insert_row(self._database, _FACT, header)
        schema.insert_row(self._database, table, row | {"fact_id": fact_id})
        return fact_id

    def _newest(self, table: peewee.Table, where: object = None) -> Row | None:
        query = table.select(SQL("*")).order_by(table.c.fact_id.desc()).limit(1)
        if where is not None:
            query = query.where(where)
        return next(iter(self._rows(query)), None)


def _kept_open(file: Path) -> sqlite3.Connection | None:
    """Return a connection that is never closed, so that on a full disk no other one is the last.

    The last one moves the write-ahead log into the database, for which there is no room, and takes
    what is left for others.
    """
    if not file.exists():
        return None
    database = sqlite3.connect(file, check_same_thread=False)
    with contextlib.suppress(sqlite3.Error):
        database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return database


def _cause(error: BaseException) -> BaseException:
    """Return what failed first: a full disk ends the transaction, whose rollback then fails."""
    first = error
    while isinstance(first.__context__, (peewee.DatabaseError, sqlite3.DatabaseError)):
        first = first.__context__
    return first


def is_busy(error: BaseException) -> bool:
    """Tell whether another program holds the database."""
    return _code(error.__cause__ or error.__context__ or error) in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def _is_full(error: BaseException) -> bool:
    """Tell whether pages could not be had, for the file itself or for its shared memory."""
    return _code(_cause(error)) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _code(error: BaseException) -> int | None:
    """Return SQLite's primary code."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _order(row: Row) -> Order:
    origin = None if row["trace_id"] is None else (row["trace_id"], row["message_id"])
    return Order(intent=rows.intent_of(row), origin=origin)
