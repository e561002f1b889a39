"""A server of PostgreSQL dies and comes back while the system trades on it."""

from pathlib import Path

from tests.postgres_cluster import running_cluster
from tests.system.floor import floor


def test_a_server_killed_in_the_middle_of_trade_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with (
        running_cluster() as cluster,
        floor(tmp_path / "run", changes={"database": {"url": cluster.url()}}) as here,
    ):
        for _ in range(2):
            here.wait_for_trades(1)
            here.wait(here.held, "a position is open")
            cluster.kill()
            cluster.start()
        here.wait_for_trades(2)
        here.wait_until_agreed()

        assert here.broken_promises() == []
