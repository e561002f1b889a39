"""The one connection through which a process writes: while it lives, no other process may write.

An advisory lock of that session is the right to write. It is lost with the connection, and the
server grants it to nobody else before the session's transaction has ended. Each transaction adds
one to a number in `store_state`, beside the name of the process that last took the right. A new
connection reads both before anything is written, and so distinguishes:

- the same name, the same number: nothing was written since;
- the same name, one more: the transaction whose COMMIT got no answer was committed after all;
- the same name, less: the server has lost what it had confirmed, as after a fail-over to a standby
  that did not replicate synchronously. This process knows facts that no longer exist, and writes
  nothing more; the next one finds an older journal;
- another name: another process had the right meanwhile. This one writes nothing more.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b

import psycopg
from loguru import logger

from domain.errors import JournalError, RightLostError
from infra.store.engine import CommitUnknownError, JournalBusyError
from infra.store.location import PostgresAddress
from infra.store.postgres.connection import (
    Connection,
    closed_on_error,
    connect,
    execute,
    one_line,
)
from infra.store.postgres.migration import migrate, writer_role
from infra.store.postgres.server import demand_durable, doubt_of

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


class Writer:
    """The right to write, and the connection that holds it; for one thread at a time."""

    def __init__(self, address: PostgresAddress, *, statement_ms: int) -> None:
        """Remember the address; nothing is connected yet.

        Args:
            address: the journal.
            statement_ms: time after which the server cancels a statement.
        """
        self._address = address
        self._statement_ms = statement_ms
        self._token = secrets.token_hex(8)
        """Names this process in the database."""
        self._connection: Connection | None = None
        self._number: int | None = None
        """Number of the newest transaction known to be committed; None: the right is not taken."""
        self._pending: int | None = None
        """Number of a transaction of unknown outcome."""
        self._outcomes: dict[str, bool] = {}
        self._lost = ""
        """Why this process writes nothing more."""

    def held(self, patience_s: float) -> Connection:
        """Return the connection that holds the right; it is replaced if it is known to be gone.

        Raises:
            RightLostError: another process has had the right, or the server has lost facts.
            JournalBusyError: another process has it.
            psycopg.Error: no connection could be made in that time.
        """
        deadline_s = time.monotonic() + patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            if self._lost:
                raise RightLostError(self._lost)
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self._take()
            except (psycopg.OperationalError, JournalBusyError):
                if time.monotonic() + pause_s > deadline_s:
                    raise
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                return self._connection

    @contextmanager
    def transaction(self, patience_s: float) -> Iterator[Connection]:
        """Hold one transaction.

        Raises:
            CommitUnknownError: it may have been committed or not.
            RightLostError: see `held`; nothing is committed.
            psycopg.Error: it is not committed.
        """
        connection, number = self._begin(patience_s)
        try:
            yield connection
        except BaseException:
            self._roll_back(connection)
            raise
        self._commit(connection, number, patience_s)

    def outcome(self, transaction: str, patience_s: float) -> bool:
        """Tell whether a transaction of unknown outcome was committed.

        Raises:
            psycopg.Error: it is still unknown.
        """
        if transaction not in self._outcomes:
            self.held(patience_s)
        return self._outcomes[transaction]

    def check(self, patience_s: float) -> None:
        """Ask the server whether the connection, and with it the right, is alive.

        Raises:
            RightLostError, psycopg.Error, JournalBusyError: see `held`.
        """
        try:
            execute(self.held(patience_s), "SELECT 1")
        except psycopg.Error:
            self.drop()
            self.held(patience_s)

    def drop(self) -> None:
        """Close the connection, and with it give up the right."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _begin(self, patience_s: float) -> tuple[Connection, int]:
        """Begin a numbered transaction, still empty, after checking that the right is ours."""
        deadline_s = time.monotonic() + patience_s
        while True:
            connection = self.held(max(deadline_s - time.monotonic(), 0))
            number = (self._number or 0) + 1
            step = (
                f"BEGIN; UPDATE store_state SET number = {number} "  # noqa: S608 (our own values)
                f"WHERE writer = '{self._token}' AND number = {number - 1}"
            )
            try:
                cursor = execute(connection, step)
            except psycopg.Error:
                self._roll_back(connection)
                # Nothing of ours was in it: if only the connection was lost, a new one will do.
                if not connection.closed or time.monotonic() > deadline_s:
                    raise
                continue
            cursor.nextset()
            if cursor.rowcount == 1:
                return connection, number
            self._roll_back(connection)
            self._lost = f"{self._address}: another process has taken the right to write"

    def _commit(self, connection: Connection, number: int, patience_s: float) -> None:
        self._pending = number
        try:
            status = execute(connection, "COMMIT").statusmessage
        except psycopg.Error as error:
            self.drop()
            if not self._was_committed(number, patience_s, error):
                raise
            return
        self._pending = None
        if status != "COMMIT":
            raise psycopg.OperationalError("the server has rolled the transaction back")
        self._number = number

    def _was_committed(self, number: int, patience_s: float, error: psycopg.Error) -> bool:
        try:
            return self.outcome(str(number), patience_s)
        except (psycopg.Error, JournalError) as still:
            message = (
                f"{self._address}: the connection was lost while facts were committed "
                f"({one_line(error)}), and there is no new one yet ({one_line(still)})"
            )
            raise CommitUnknownError(message, str(number)) from still

    def _roll_back(self, connection: Connection) -> None:
        try:
            execute(connection, "ROLLBACK")
        except psycopg.Error:
            self.drop()

    def _take(self) -> Connection:
        """Connect, and take the right or regain it."""
        name = f"trading {self._token}"
        connection = connect(self._address, name=name, statement_ms=self._statement_ms)
        with closed_on_error(connection):
            self._end_former(connection, name)
            self._lock(connection)
            if self._number is None:
                self._begin_here(connection)
            else:
                self._take_up(connection, self._number)
            execute(connection, f"SET ROLE {writer_role(self._address)}")
        return connection

    def _end_former(self, connection: Connection, name: str) -> None:
        """End our former session, which the server may still consider alive."""
        execute(
            connection,
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
            "WHERE application_name = %s AND datname = current_database() "
            "AND usename = current_user AND pid <> pg_backend_pid()",
            name,
        )

    def _lock(self, connection: Connection) -> None:
        digest = blake2b(self._address.schema.encode(), digest_size=8).digest()
        key = int.from_bytes(digest, "big", signed=True)
        found = execute(connection, "SELECT pg_try_advisory_lock(%s::bigint)", key).fetchone()
        if found is None or not found[0]:
            raise JournalBusyError(
                f"{self._address}: another program holds the journal; end it, or wait for it"
            )

    def _begin_here(self, connection: Connection) -> None:
        demand_durable(connection, self._address)
        doubt = doubt_of(connection)
        if doubt:
            logger.warning("{}: {}", self._address, doubt)
        migrate(connection, self._address)
        claimed = execute(
            connection, "UPDATE store_state SET writer = %s RETURNING number", self._token
        ).fetchone()
        self._number = 0 if claimed is None else int(claimed[0])

    def _take_up(self, connection: Connection, known: int) -> None:
        found = execute(connection, "SELECT writer, number FROM store_state").fetchone()
        writer, number = found or ("", 0)
        if writer != self._token:
            self._lost = f"{self._address}: another process has taken the right to write"
        elif number not in (known, self._pending):
            self._lost = (
                f"{self._address}: the server has lost facts that it had confirmed "
                f"(transaction {known}, now {number}); start again: the journal is an older one"
            )
        if self._lost:
            raise RightLostError(self._lost)
        if self._pending is not None:
            # It may be on this server only. A standby confirms in order: once it has this write,
            # it has everything committed before.
            execute(connection, "UPDATE store_state SET writer = writer")
            self._outcomes[str(self._pending)] = number == self._pending
        self._number, self._pending = number, None
        logger.warning("{}: connected again, the right to write is held", self._address)
