"""A journal moves from a file to PostgreSQL and back, and is the same."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from domain.errors import ConfigError
from domain.market.instruments import HOUR_MS
from infra.store.copying import copy_journal, sums
from infra.store.engine import Engine
from infra.store.location import Location
from infra.store.opening import open_engine, open_store
from infra.store.performance import PerformanceReader
from infra.store.reading import open_reading
from tests.postgres_server import Cluster
from tests.programs import run_program
from tests.store.facts import T_MS, execution, store_one_of_each


def filled(location: Location) -> None:
    """Store one of each fact, and what is no fact."""
    store = open_store(location, lambda: T_MS, busy_timeout_ms=5_000)
    journal = store.open("execution/BTC", lambda: (7, 8))
    store_one_of_each(journal)
    journal.close()
    with store.connected():
        store.write_meta("mode", "sim")
    store.release()


def target_engine(location: Location) -> Engine:
    engine = open_engine(location, busy_timeout_ms=5_000)
    engine.connect()
    engine.migrate()
    return engine


@pytest.fixture
def here(tmp_path: Path) -> Path:
    file = tmp_path / "journal.sqlite"
    filled(file)
    return file


def test_a_journal_comes_back_from_a_server_as_it_went_there(
    here: Path, cluster: Cluster, tmp_path: Path
) -> None:
    there, back = cluster.new_address(), tmp_path / "back.sqlite"
    engines = [target_engine(there), target_engine(back)]

    first = copy_journal(here, engines[0])
    second = copy_journal(there, engines[1])

    assert first == second
    assert all(each.rows for each in first if each.table not in ("notice", "delivery"))
    with closing(open_reading(back)) as reading:
        assert sums(reading) == first
    for engine in engines:
        engine.close()
        engine.release()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_copied_journal_goes_on_where_it_was(
    here: Path, cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    location = tmp_path / "copy.sqlite" if kind == "sqlite" else cluster.new_address()
    engine = target_engine(location)
    copy_journal(here, engine)
    engine.close()
    store = open_store(location, lambda: T_MS, busy_timeout_ms=5_000)
    journal = store.open("execution/BTC", lambda: None)
    newest = journal.newest_fact_id

    assert journal.append(execution(2)) == [newest + 1]

    assert [f.execution.exec_id for f in journal.executions("BTC")] == ["BTC-1", "BTC-2"]
    with closing(PerformanceReader(location, HOUR_MS)) as reader:
        found = reader.read()
    assert journal.performances(HOUR_MS) == found
    assert found.assets["BTC"].fee_bps is not None
    journal.close()
    store.release()


def test_a_copy_that_differs_is_refused(here: Path, cluster: Cluster) -> None:
    there = cluster.new_address()
    engine = target_engine(there)
    with psycopg.connect(there.url, autocommit=True) as owner:
        owner.execute(
            f"CREATE FUNCTION {there.schema}.falsify() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.pnl := '0.8'; RETURN NEW; END $$"
        )
        owner.execute(
            f"CREATE TRIGGER falsify BEFORE INSERT ON {there.schema}.trade FOR EACH ROW "
            f"EXECUTE FUNCTION {there.schema}.falsify()"
        )

    with pytest.raises(ConfigError, match=r"differs from .* in trade$"):
        copy_journal(here, engine)

    engine.close()
    engine.release()


def run_store(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program(*("bin.store", *map(str, arguments)), env={**os.environ, "COLUMNS": "200"})


def test_the_command_copies_and_compares_and_refuses_what_holds_facts(
    here: Path, cluster: Cluster
) -> None:
    there = cluster.new_address()

    done = run_store("copy", here, there)
    again = run_store("copy", here, there)
    back = run_store("copy", there, here)

    assert done.returncode == 0, done.stderr
    rows = dict(line.split()[:2] for line in done.stdout.splitlines() if len(line.split()) == 3)
    assert (rows["execution"], rows["decision_grant"]) == ("1", "2")
    assert (again.returncode, back.returncode) == (2, 2)
    assert "copy to an empty place" in again.stderr
    assert "already exists" in back.stderr
    assert "Traceback" not in again.stderr + back.stderr


def test_a_journal_that_somebody_writes_is_not_copied(
    here: Path, cluster: Cluster, tmp_path: Path
) -> None:
    there = cluster.new_address()
    writer = open_store(there, lambda: T_MS, busy_timeout_ms=5_000)

    done = run_store("copy", there, tmp_path / "elsewhere" / "journal.sqlite")

    writer.release()
    assert done.returncode == 1
    assert "another program holds the journal" in done.stderr
    assert here.exists()
