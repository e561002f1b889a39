"""The server of the journal dies for good while the system trades, and its standby takes over."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from infra.operator.health.view import health_figures
from infra.store.postgres.engine import postgres_engine
from infra.store.reading import open_reading
from tests.postgres_cluster import running_cluster
from tests.postgres_server import Cluster, made_cluster, wait_until_streaming
from tests.system.floor import PATIENCE_S, Floor, floor
from tests.system.test_health import health_of
from tests.system.test_older_journal import but_for_the_second, entries, portfolio

DOUBT = "a failover may lose the latest facts"


@contextmanager
def floor_over(folder: Path, primary: Cluster, standby: Cluster) -> Iterator[Floor]:
    """Run the system on whichever of two servers takes writes."""
    with floor(folder, changes={"database": {"url": primary.url(standby)}}) as here:
        yield here


def notices(here: Floor) -> list[str]:
    with closing(open_reading(here.journal)) as journal:
        return [row["text"] for row in journal.rows("SELECT text FROM notice")]


def test_a_standby_that_is_synchronous_takes_over_in_the_middle_of_trade(tmp_path: Path) -> None:
    with running_cluster() as primary, made_cluster(primary) as standby:
        primary.kill()
        primary.start(synchronous_standby_names="*")
        wait_until_streaming(primary)
        with floor_over(tmp_path / "run", primary, standby) as here:
            here.wait_for_trades(1)
            here.wait(here.held, "a position is open")
            primary.kill()
            standby.promote()
            here.wait_for_trades(2)
            here.wait_until_agreed()

            assert here.broken_promises() == []
            assert not portfolio(here).is_halted
            assert not here.run.supervisor.escalated.is_set()


def test_facts_that_a_failover_loses_are_told_before_and_make_the_journal_an_older_one(
    tmp_path: Path,
) -> None:
    with (
        running_cluster() as primary,
        made_cluster(primary) as standby,
        floor_over(tmp_path / "run", primary, standby) as here,
        closing(health_of(here)) as health,
    ):
        health.start()
        here.wait(lambda: DOUBT in str(notices(here)), "the doubt is told")
        assert sum(DOUBT in text for text in notices(here)) == 1
        assert DOUBT in health_figures(health.figures)["journal"]

        here.wait_for_trades(1)
        standby.kill()
        here.wait_for_trades(2)
        lost = here.trades()
        primary.kill()
        standby.start()
        standby.promote()
        assert here.run.supervisor.escalated.wait(PATIENCE_S)
        before = entries(here)
        postgres_engine.cache_clear()  # another process has an engine of its own
        here.restart(lambda: None)

        assert portfolio(here).is_halted
        assert "its facts end" in portfolio(here).outdated
        here.wait_until_agreed()
        here.wait(lambda: not here.held(), "what was open is closed by the rules")
        booked = [but_for_the_second(trade) for trade in here.trades()]
        for trade in lost:
            assert booked.count(but_for_the_second(trade)) == 1, trade
        assert entries(here) == before
