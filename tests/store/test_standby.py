"""A server of PostgreSQL with a standby: what a failover may lose is told before it happens."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.store.books import BooksReader
from infra.store.location import PostgresAddress
from infra.store.opening import inspect_server, open_store
from tests.postgres_cluster import running_cluster
from tests.postgres_server import Cluster, made_cluster, wait_until_streaming
from tests.store.facts import T_MS
from tests.store.test_postgres import set_to

DOUBT = "standbys are connected, but synchronous_standby_names is empty"


@pytest.fixture(scope="module")
def primary() -> Iterator[Cluster]:
    with running_cluster() as made, made_cluster(made):
        wait_until_streaming(made)
        yield made


def journal_at(server: Cluster) -> PostgresAddress:
    address = server.new_address()
    open_store(address, lambda: T_MS, busy_timeout_ms=5_000).release()
    return address


def doubts(address: PostgresAddress) -> list[str]:
    """Return what is said before a start, and what the health of a run shows."""
    with closing(BooksReader(address)) as books:
        return [inspect_server(address), books.read().doubt]


def test_a_standby_that_is_not_synchronous_is_told_until_it_is(primary: Cluster) -> None:
    address = journal_at(primary)

    assert all(doubt.startswith(DOUBT) for doubt in doubts(address))
    with set_to(primary, "synchronous_standby_names", "*"):
        assert doubts(address) == ["", ""]


def test_a_server_without_standbys_is_not_doubted(cluster: Cluster) -> None:
    assert doubts(journal_at(cluster)) == ["", ""]


def test_a_copy_of_the_log_of_changes_is_no_standby(cluster: Cluster, tmp_path: Path) -> None:
    address = journal_at(cluster)

    with cluster.copying_its_log(tmp_path):
        assert doubts(address) == ["", ""]
