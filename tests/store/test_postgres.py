"""A journal in PostgreSQL: who may write, and what is known of a COMMIT without an answer."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import psycopg
import pytest

from domain.errors import ConfigError, FencedError, JournalError
from infra.store.engine import CommitUnknownError, JournalBusyError
from infra.store.journal import JournalStore
from infra.store.location import PostgresAddress
from infra.store.opening import open_store
from infra.store.postgres import migration
from infra.store.postgres.connection import connect, execute
from infra.store.postgres.engine import PostgresEngine
from infra.store.postgres.migration import writer_role
from infra.store.schema import FACT_TABLES, Migration
from infra.store.writer import JournalWriter
from tests.postgres_proxy import Cut, Wire, wire_to
from tests.postgres_server import Cluster
from tests.store.facts import T_MS, entry, execution

PATIENCE_MS = 1_000


@pytest.fixture
def wire(cluster: Cluster) -> Iterator[Wire]:
    with wire_to(cluster.folder) as laid:
        yield laid


@pytest.fixture
def address(cluster: Cluster, wire: Wire) -> PostgresAddress:
    schema = cluster.new_address().schema
    return PostgresAddress(
        f"postgresql://{cluster.user}@127.0.0.1:{wire.port}/postgres?sslmode=disable", schema
    )


@pytest.fixture
def journals(address: PostgresAddress) -> Iterator[JournalStore]:
    store = open_store(address, lambda: T_MS, busy_timeout_ms=PATIENCE_MS)
    yield store
    store.release()


@pytest.fixture
def journal(journals: JournalStore) -> Iterator[JournalWriter]:
    writer = journals.open("execution/BTC", lambda: None)
    yield writer
    writer.close()


def stored(journal: JournalWriter) -> list[str]:
    return [fact.execution.exec_id for fact in journal.executions("BTC")]


def another(address: PostgresAddress) -> JournalStore:
    """Return what another process would have, on a way of its own."""
    return JournalStore(PostgresEngine(address, patience_ms=100), lambda: T_MS)


def test_a_commit_whose_answer_was_lost_is_found_out(journal: JournalWriter, wire: Wire) -> None:
    wire.cut = Cut.AFTER

    (fact_id,) = journal.append(execution(1))

    assert [fact.fact_id for fact in journal.executions("BTC")] == [fact_id]
    assert journal.append(execution(2)) == [fact_id + 1]


def test_a_server_that_hangs_is_given_up_in_time(address: PostgresAddress) -> None:
    with closing(connect(address, name="test", statement_ms=200)) as connection:
        found = execute(connection, "SELECT pg_backend_pid()").fetchone()
        assert found is not None
        os.kill(found[0], signal.SIGSTOP)
        try:
            with pytest.raises(psycopg.OperationalError, match="has not answered for 2 s"):
                execute(connection, "SELECT 1")
        finally:
            os.kill(found[0], signal.SIGCONT)

        assert connection.closed


def test_a_connection_that_cannot_be_set_up_is_closed(
    cluster: Cluster, address: PostgresAddress
) -> None:
    with pytest.raises(psycopg.errors.SyntaxError) as kept:
        connect(replace(address, schema="no name"), name="half made")

    with psycopg.connect(cluster.url(), autocommit=True) as owner:
        query = "SELECT FROM pg_stat_activity WHERE application_name = 'half made'"
        for _ in range(100):
            left = execute(owner, query).fetchone()
            if left is None:
                break
            execute(owner, "SELECT pg_sleep(0.05)")
    assert left is None, kept


def test_a_commit_that_was_lost_itself_stores_nothing(journal: JournalWriter, wire: Wire) -> None:
    wire.cut = Cut.BEFORE

    with pytest.raises(JournalError, match="could not store its facts"):
        journal.append(execution(1))

    assert stored(journal) == []
    assert journal.append(execution(1))
    assert stored(journal) == ["BTC-1"]


@pytest.mark.parametrize("cut", Cut)
def test_facts_of_an_unknown_outcome_are_stored_once_when_they_are_given_again(
    journal: JournalWriter, wire: Wire, cut: Cut
) -> None:
    wire.cut, wire.stays_down = cut, True
    facts = (entry(epoch=None), execution(1))
    with pytest.raises(CommitUnknownError):
        journal.append(*facts)
    with pytest.raises(JournalError):
        journal.append(*facts)
    wire.is_down = False

    fact_ids = journal.append(*facts, execution(2))

    assert stored(journal) == ["BTC-1", "BTC-2"]
    assert [fact.fact_id for fact in journal.executions("BTC")] == fact_ids[1:]


def test_who_was_told_that_facts_are_not_stored_begins_anew_where_they_are(
    journals: JournalStore, journal: JournalWriter, wire: Wire
) -> None:
    wire.cut, wire.stays_down = Cut.AFTER, True
    with pytest.raises(CommitUnknownError):
        journal.append(execution(1))
    wire.is_down = False

    with pytest.raises(FencedError, match="stored after all; the actor restarts"):
        journal.append(execution(2))

    following = journals.open("execution/BTC", lambda: None)
    assert stored(following) == ["BTC-1"]
    assert following.append(execution(2))
    following.close()


def test_a_lost_connection_between_two_transactions_is_made_anew(
    journal: JournalWriter, wire: Wire
) -> None:
    journal.append(execution(1))
    wire.cut_all()

    journal.append(execution(2))

    assert stored(journal) == ["BTC-1", "BTC-2"]


def test_one_process_writes_at_a_time(
    cluster: Cluster, address: PostgresAddress, journal: JournalWriter
) -> None:
    journal.append(execution(1))

    with pytest.raises(JournalBusyError, match="another program holds the journal"):
        another(replace(address, url=cluster.url()))

    assert journal.append(execution(2))


def test_who_has_lost_the_right_to_another_process_writes_nothing_more(
    cluster: Cluster, address: PostgresAddress, journal: JournalWriter, wire: Wire
) -> None:
    journal.append(execution(1))
    wire.is_down = True
    wire.cut_all()
    other = another(replace(address, url=cluster.url()))
    theirs = other.open("execution/ETH", lambda: None)
    theirs.append(execution(2))
    other.release()
    wire.is_down = False

    with pytest.raises(FencedError, match="another process has taken the right"):
        journal.append(execution(3))
    with pytest.raises(FencedError):
        journal.keep(entry())

    assert stored(theirs) == ["BTC-1", "BTC-2"]
    theirs.close()


def test_without_its_right_to_write_nothing_is_kept_and_so_nothing_is_sent(
    journal: JournalWriter, wire: Wire
) -> None:
    wire.is_down = True
    wire.cut_all()

    with pytest.raises(JournalError, match="only the stops at the exchange protect"):
        journal.keep(entry())

    assert journal.kept() == []
    wire.is_down = False
    journal.keep(entry())
    assert [kept.fact for kept in journal.kept()] == [entry()]


def test_a_server_that_has_lost_what_it_confirmed_is_written_to_no_more(
    cluster: Cluster, address: PostgresAddress, journal: JournalWriter, wire: Wire
) -> None:
    journal.append(execution(1))
    wire.cut_all()
    with psycopg.connect(cluster.url(), autocommit=True) as owner:
        execute(owner, f"UPDATE {address.schema}.store_state SET number = number - 1")

    with pytest.raises(FencedError, match="has lost facts that it had confirmed"):
        journal.append(execution(2))

    assert stored(journal) == ["BTC-1"]


def test_the_role_that_writes_may_neither_change_nor_delete_a_fact(
    address: PostgresAddress, journal: JournalWriter
) -> None:
    journal.append(execution(1))
    with connect(address, name="test") as owner:
        found = {
            (table, right)
            for table in FACT_TABLES
            for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
            for (has,) in execute(
                owner,
                "SELECT has_table_privilege(%s, %s, %s)",
                writer_role(address),
                f"{address.schema}.{table}",
                right,
            )
            if has
        }

    assert found == {(table, "INSERT") for table in FACT_TABLES}


def test_a_user_who_may_create_roles_needs_no_administrator(cluster: Cluster) -> None:
    address = cluster.new_address()
    with psycopg.connect(cluster.url(), autocommit=True) as administrator:
        execute(administrator, f"CREATE USER {address.schema} CREATEROLE")
        execute(administrator, f"GRANT CREATE ON DATABASE postgres TO {address.schema}")
    own = replace(
        address, url=f"postgresql:///postgres?host={cluster.folder}&user={address.schema}"
    )
    journals = another(own)
    writer = journals.open("execution/BTC", lambda: None)

    assert writer.append(execution(1))

    writer.close()
    journals.release()


def test_a_server_that_may_forget_what_it_confirms_is_refused(
    cluster: Cluster, address: PostgresAddress
) -> None:
    with (
        set_to(cluster, "full_page_writes", "off"),
        pytest.raises(ConfigError, match="full_page_writes"),
    ):
        another(address)


def test_what_no_synchronous_standby_has_confirmed_is_not_stored_until_one_has(
    cluster: Cluster, journal: JournalWriter
) -> None:
    with set_to(cluster, "synchronous_standby_names", "nobody"):
        wait_for_standbys(cluster)
        with pytest.raises(CommitUnknownError, match="has not answered"):
            journal.append(execution(1))
        with pytest.raises(JournalError, match="only the stops at the exchange protect"):
            journal.keep(entry())

    assert journal.append(execution(1))
    assert stored(journal) == ["BTC-1"]


def wait_for_standbys(cluster: Cluster) -> None:
    """Wait until the server lets a commit wait for its standbys."""
    with connect(cluster.new_address(), name="test") as probe:
        probe.limit_s = 0.1
        with suppress(psycopg.OperationalError):
            while True:
                execute(probe, "SELECT pg_logical_emit_message(TRUE, 'test', 'written')")


@contextmanager
def set_to(cluster: Cluster, name: str, value: str) -> Iterator[None]:
    """Change a setting of the server for a while."""
    with psycopg.connect(cluster.url(), autocommit=True) as owner:
        (before,) = execute(owner, f"SHOW {name}").fetchone() or ("",)
        try:
            execute(owner, f"ALTER SYSTEM SET {name} = '{value}'")
            _reload(cluster, owner, name, value)
            yield
        finally:
            execute(owner, f"ALTER SYSTEM RESET {name}")
            _reload(cluster, owner, name, before)


def _reload(cluster: Cluster, owner: psycopg.Connection, name: str, value: str) -> None:
    execute(owner, "SELECT pg_reload_conf()")
    for _ in range(200):
        with psycopg.connect(cluster.url(), autocommit=True) as fresh:
            if execute(fresh, f"SHOW {name}").fetchone() == (value,):
                return
    raise AssertionError(value)


def test_a_migration_takes_longer_than_other_statements_may(
    address: PostgresAddress, journals: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals.release()
    slow = Migration(f"SELECT pg_sleep({2 * PATIENCE_MS / 1000})")
    monkeypatch.setattr(migration, "MIGRATIONS", (*migration.MIGRATIONS, slow))
    with closing(connect(address, name="test", statement_ms=PATIENCE_MS)) as connection:
        connection.limit_s = PATIENCE_MS / 1000

        migration.migrate(connection, address)

        stored = execute(connection, "SELECT version FROM store_state").fetchone()
        limit = execute(connection, "SHOW statement_timeout").fetchone()
        assert (stored, limit) == ((len(migration.MIGRATIONS),), ("1s",))
        assert connection.limit_s == PATIENCE_MS / 1000


def test_a_journal_of_a_newer_program_is_refused(
    cluster: Cluster, address: PostgresAddress, journals: JournalStore
) -> None:
    journals.release()
    with psycopg.connect(cluster.url(), autocommit=True) as owner:
        execute(owner, f"UPDATE {address.schema}.store_state SET version = 99")

    with pytest.raises(ConfigError, match="the journal is of version 99"):
        another(address)


def test_a_text_with_a_character_that_the_server_cannot_hold_is_stored_without_it(
    journal: JournalWriter,
) -> None:
    journal.append(replace(execution(1), client_order_id="a\0b"))

    (fact,) = journal.executions("BTC")
    assert fact.execution.client_order_id == "a\ufffdb"


def test_a_read_waits_for_a_lost_server_and_then_says_that_there_is_none(
    journal: JournalWriter, wire: Wire
) -> None:
    journal.append(execution(1))
    wire.is_down = True
    wire.cut_all()

    with pytest.raises(JournalError, match="cannot be read"):
        stored(journal)

    wire.is_down = False
    assert stored(journal) == ["BTC-1"]


def test_who_opens_waits_for_a_server_that_is_away(journals: JournalStore, wire: Wire) -> None:
    journals.open("execution/BTC", lambda: None).append(execution(1))
    journals.database.close()
    wire.is_down = True
    wire.cut_all()
    back = threading.Timer(0.3, setattr, [wire, "is_down", False])
    back.start()

    journal = journals.open("execution/BTC", lambda: None)

    assert stored(journal) == ["BTC-1"]
    assert journal.append(execution(2))
    journal.close()
    back.join()


def test_a_start_without_a_server_is_to_be_tried_again(
    address: PostgresAddress, wire: Wire
) -> None:
    wire.is_down = True

    with pytest.raises(JournalBusyError, match="cannot be"):
        another(address)
