"""One of each fact, read as other programs get it, from a file and from a server."""

from pathlib import Path

import pytest

from infra.store.events import FactFeed, StoredFact
from infra.store.location import Location
from infra.store.opening import open_store
from infra.store.schema import FACT_TABLES
from tests.postgres_server import Cluster
from tests.store.facts import T_MS, decision, store_one_of_each

PARTS = {"fact", "decision_grant", "decision_close"}


def facts_of(location: Location, *, at_once: int) -> list[StoredFact]:
    """Store one of each fact, and read them again and again from a stored place."""
    store = open_store(location, lambda: T_MS, busy_timeout_ms=5_000)
    journal = store.open("execution/BTC", lambda: (7, 8))
    store_one_of_each(journal)
    journal.append(decision().denials[0])  # one that was refused by itself
    journal.close()
    feed, found = FactFeed(store, "redis"), []
    with store.connected():
        while new := feed.after(feed.read_through(), at_once):
            feed.read_on(new[-1].fact_id)
            found += new
    store.release()
    return found


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_each_kind_of_fact_is_read_once_and_in_order(tmp_path: Path, at_once: int) -> None:
    facts = facts_of(tmp_path / "journal.sqlite", at_once=at_once)

    ids = [fact.fact_id for fact in facts]
    assert ids == sorted(set(ids))
    assert {fact.kind for fact in facts} | PARTS == set(FACT_TABLES)
    for fact in facts:
        assert fact.data
        assert (fact.recorded_ms, fact.trace_id) == (T_MS, 7)
    decisions = [fact.data for fact in facts if fact.kind == "decision"]
    made = decision()
    assert [row["qty"] for row in decisions[0]["approvals"]] == [
        str(approval.qty) for approval in made.approvals
    ]
    assert [row["reason"] for row in decisions[0]["denials"]] == [
        denial.reason.value for denial in made.denials
    ]
    assert [len(one["closes"]) > 0 for one in decisions] == [False, True]
    assert all(isinstance(row["values"], list) for row in decisions[0]["approvals"])


def test_a_server_tells_the_same_as_a_file(tmp_path: Path, cluster: Cluster) -> None:
    in_file = facts_of(tmp_path / "journal.sqlite", at_once=7)
    in_server = facts_of(cluster.new_address(), at_once=7)

    assert [(fact.kind, fact.data) for fact in in_server] == [
        (fact.kind, fact.data) for fact in in_file
    ]
