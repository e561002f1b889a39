"""The same facts read the same from a file and from a server, by everybody who reads."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.store.audit import read_audit
from infra.store.books import BooksReader
from infra.store.location import Location
from infra.store.opening import inspect_journal, open_store
from infra.store.reader import FactReader
from tests.chaos.harness.journal_view import read_epochs, read_journal
from tests.postgres_server import Cluster
from tests.store.facts import T_MS, store_one_of_each


def facts_of(location: Location) -> list[Any]:
    with closing(FactReader(location)) as facts:
        return [
            facts.mode(),
            facts.settings(),
            facts.settings_changes(),
            facts.orders(),
            facts.trades(),
            list(facts.exits_by_exchange()),
            facts.stop_moves(),
            facts.approvals(),
            facts.denials(),
            facts.candles(),
            facts.newest_closes(),
            facts.commands(),
            facts.decisions(),
            facts.states(),
            facts.transfers(),
            facts.instruments(),
        ]


@pytest.fixture
def both(tmp_path: Path, cluster: Cluster) -> list[Location]:
    locations: list[Location] = [tmp_path / "journal.sqlite", cluster.new_address()]
    for location in locations:
        store = open_store(location, lambda: T_MS, busy_timeout_ms=5_000)
        journal = store.open("execution/BTC", lambda: (7, 8))
        store_one_of_each(journal)
        journal.close()
        with store.connected():
            store.write_meta("mode", "sim")
            store.write_meta("settings", '{"a": "1"}')
        store.release()
    return locations


def test_the_same_facts_read_the_same_from_both_databases(both: list[Location]) -> None:
    here, there = map(facts_of, both)

    assert here == there
    empty = [place for place, part in enumerate(here) if not part]
    assert empty == [5]  # no trade was ended by the exchange


def test_the_same_facts_make_the_same_audit_trail(both: list[Location]) -> None:
    here, there = (read_audit(location) for location in both)
    of_bitcoin, of_bitcoin_there = (read_audit(location, asset="BTC") for location in both)

    assert here == there
    assert len({entry.kind for entry in here}) == 12
    assert of_bitcoin == of_bitcoin_there
    assert 0 < len(of_bitcoin) < len(here)


def test_the_same_facts_make_the_same_sums_and_the_same_judgement(both: list[Location]) -> None:
    books = []
    for location in both:
        reader = BooksReader(location)
        books.append(reader.read())
        reader.close()

    assert books[0] == books[1]
    assert books[0].trades
    assert read_journal(both[0]) == read_journal(both[1])
    assert read_epochs(both[0]) == read_epochs(both[1]) == {"execution/BTC": 1}


def test_both_databases_are_looked_at_before_a_start(both: list[Location]) -> None:
    here, there = map(inspect_journal, both)

    assert here is not None
    assert there is not None
    assert replace(here, size_bytes=0) == replace(there, size_bytes=0)
    assert (here.mode, here.size_bytes > 0, there.size_bytes > 0) == ("sim", True, True)


def test_where_nothing_was_ever_stored_nothing_is_found(tmp_path: Path, cluster: Cluster) -> None:
    assert inspect_journal(tmp_path / "none.sqlite") is None
    assert inspect_journal(cluster.new_address()) is None
