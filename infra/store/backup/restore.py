"""Turns a backup back into a journal; a run on it opens nothing until rearmed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peewee import Database

from domain.errors import BadDataError, ConfigError
from domain.operator.commands import OUTDATED, OperatorCommand
from domain.operator.wording import utc
from domain.portfolio.protection import ProtectionState, halt
from infra.store import schema
from infra.store.backup.facts import WHOLE, last_of_unit
from infra.store.backup.segment import Header, Row, Rows
from infra.store.backup.state_files import STATE_ROWS, StateFiles
from infra.store.codec import row_of, value_of
from infra.store.copying import TABLES, Summing, TableSum, sums, table_sum
from infra.store.engine import Engine
from infra.store.location import Location
from infra.store.notices import READ_THROUGH
from infra.store.reading import open_reading

WRITER = "restore"
"""Writer of the facts that a restore adds."""
_KEYS: Mapping[str, tuple[str, ...]] = {
    "meta": ("key",),
    "pen": ("address",),
    "notice": ("id",),
    "delivery": ("channel", "notice_id"),
}
"""Tables whose rows may occur in several segments, by key; the newest row counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """Which facts to restore; all by default."""

    fact: int | None = None
    """Id of the last fact."""
    time_ms: int | None = None
    """No fact stored later than this."""

    def taken(self, facts: list[Row]) -> int:
        """Return how many of these facts to restore; facts stored together stay together."""
        wanted = next((i for i, fact in enumerate(facts) if self._is_later(fact)), len(facts))
        return last_of_unit(facts, wanted - 1)

    def _is_later(self, fact: Any) -> bool:
        if self.fact is not None and fact["id"] > self.fact:
            return True
        return self.time_ms is not None and fact["recorded_ms"] > self.time_ms


ALL = Until()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored."""

    location: Location
    through_fact: int
    recorded_ms: int
    """When that fact was stored."""
    tables: list[TableSum]


def restore(
    segments: Iterable[tuple[Header, Rows]],
    target: Engine,
    directory: Path,
    until: Until = ALL,
) -> Restored:
    """Store the contents of segments in one transaction, read them back, and compare.

    The same transaction records that nothing may be opened, and that the journal is an older copy
    of itself.

    Args:
        segments: of one chain, from its first on.
        target: a database with empty tables; in a connected thread.
        directory: of the run; receives the state files of an exchange on this machine.
        until: which facts to restore.

    Raises:
        BadDataError: a segment is not what it should be.
        ConfigError: the wanted fact is missing, or what was read back differs.
        JournalError: the database cannot be used.
    """
    with target.writing(is_durable=True) as database:
        content = _Content(database)
        for rows in _wanted(segments, until):
            content.take(rows)
        content.finish()
        target.renumber()
        content.halt()
        content.files.write(directory)
    with closing(open_reading(target.location)) as reading:
        found = sums(reading, content.through_fact)
    if found != content.tables:
        wrong = [a.table for a, b in zip(found, content.tables, strict=True) if a != b]
        raise ConfigError(f"{target.location}: differs from the backup in {', '.join(wrong)}")
    return Restored(
        location=target.location,
        through_fact=content.through_fact,
        recorded_ms=content.recorded_ms,
        tables=found,
    )


def _wanted(segments: Iterable[tuple[Header, Rows]], until: Until) -> Iterator[Rows]:
    """Yield the rows of segments as far as they are wanted.

    From later segments only the state of an exchange on this machine is taken: like any exchange it
    has moved on, and tells a journal that is behind what has happened.
    """
    newest, is_over = 0, False
    try:
        for header, rows in segments:
            if is_over:
                yield {STATE_ROWS: rows.get(STATE_ROWS, ())}
                continue
            found = _cut(header, rows, until)
            is_over = found is not rows
            newest = header.through_fact
            yield found
    except BadDataError:
        if not is_over:
            raise
    if not is_over and until.fact is not None and until.fact > newest:
        raise ConfigError(f"the backup ends with fact {newest}, before fact {until.fact}")


def _cut(header: Header, rows: Rows, until: Until) -> Rows:
    """Return the rows of a segment, without facts that are not wanted."""
    if header.schema_version != len(schema.MIGRATIONS):
        raise ConfigError(
            f"the backup is of a journal of version {header.schema_version}, this program "
            f"has {len(schema.MIGRATIONS)}; restore it with the program that wrote it"
        )
    facts = list(rows.get("fact", ()))
    taken = until.taken(facts)
    if taken == len(facts):
        return rows
    last = facts[taken - 1]["id"] if taken else header.after_fact
    return {table: _up_to(last, table, held) for table, held in rows.items()}


def _up_to(last: Any, table: str, rows: Sequence[Row]) -> Sequence[Row]:
    if table not in schema.FACT_TABLES:
        return rows
    key = "id" if table == "fact" else "fact_id"
    return [row for row in rows if int(row[key] or 0) <= last]


class _Content:
    """What is restored, in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._others: dict[str, dict[tuple[Any, ...], Row]] = {table: {} for table in _KEYS}
        self._sums = {table: Summing(table) for table in schema.FACT_TABLES}
        self.files = StateFiles()
        self._sample: Row | None = None
        """The newest state of the portfolio."""
        self.through_fact = 0
        self.recorded_ms = 0
        self.tables: list[TableSum] = []

    def take(self, rows: Rows) -> None:
        """Store the facts of a segment, and remember its other rows."""
        self.files.take(rows.get(STATE_ROWS, ()))
        for table in schema.FACT_TABLES:
            into = schema.table(table)
            for row in rows.get(table, ()):
                schema.insert_row(self._database, into, row)
                self._sums[table].add(row)
        for table, key in _KEYS.items():
            for row in rows.get(table, ()):
                self._others[table][tuple(row[name] for name in key)] = row
        for fact in rows.get("fact", ())[-1:]:
            self.through_fact = int(fact["id"] or 0)
            self.recorded_ms = int(fact["recorded_ms"] or 0)
        for sample in rows.get("equity_sample", ())[-1:]:
            self._sample = sample

    def finish(self) -> None:
        """Store the rows that are not facts.

        Raises:
            ConfigError: there was no fact.
        """
        if not self.through_fact:
            raise ConfigError("the backup holds no fact of that time; name a later one")
        read_through = (READ_THROUGH,)
        note = self._others["meta"].get(read_through)
        if note is not None:
            through = min(int(note["value"] or 0), self.through_fact)
            self._others["meta"][read_through] = {**note, "value": str(through)}
        for table in TABLES:
            if table not in self._others:
                self.tables.append(self._sums[table].result())
                continue
            rows = list(self._others[table].values())
            for row in rows:
                add = schema.replace_row if table in WHOLE else schema.insert_row
                add(self._database, schema.table(table), row)
            self.tables.append(table_sum(table, rows))

    def halt(self) -> None:
        """Store facts that keep a run from opening anything; their ids follow the highest one."""
        found = OperatorCommand(
            command=OUTDATED,
            arguments="",
            operator=WRITER,
            result=f"the journal was restored from a backup; its facts end {utc(self.recorded_ms)}",
            ts_ms=self.recorded_ms,
            is_done=True,
        )
        if self._sample is not None:
            state = halt(value_of(ProtectionState, self._sample))
            self._insert("equity_sample", row_of(state))
        self._insert("operator_command", row_of(found))

    def _insert(self, kind: str, row: Row) -> None:
        head = {"kind": kind, "writer": WRITER, "recorded_ms": self.recorded_ms}
        fact_id = schema.insert_row(self._database, schema.table("fact"), head)
        schema.insert_row(self._database, schema.table(kind), {**row, "fact_id": fact_id})
