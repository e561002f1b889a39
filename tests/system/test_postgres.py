"""A server of PostgreSQL dies and comes back while the system trades on it."""

import json
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from actors.operator import command_service
from actors.reruns.incarnations import rerun
from bin.bootstrap.operator_ways import make_commands
from bin.bootstrap.reruns import trace_codec
from domain.operator.commands import Command, CommandName
from infra.store.location import find_journal
from infra.store.reader import FactReader
from infra.trace.query.orders import orders_of
from infra.trace.query.story import story_of
from infra.trace.reader import TraceReader
from tests.postgres_cluster import running_cluster
from tests.system.floor import PATIENCE_S, floor
from tests.system.test_panic import is_shown_flat, no_reload
from tests.trace.test_command import run as trace


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


def test_a_system_whose_server_has_lost_facts_ends(tmp_path: Path) -> None:
    with (
        running_cluster() as cluster,
        floor(tmp_path / "run", changes={"database": {"url": cluster.url()}}) as here,
    ):
        here.wait_for_trades(1)
        with psycopg.connect(cluster.url(), autocommit=True) as owner:
            owner.execute("UPDATE trading_sim.store_state SET number = number - 1")

        assert here.run.supervisor.escalated.wait(PATIENCE_S)


def test_a_panic_without_the_server_says_what_protects_and_ends_flat_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_service, "_CHANGE_S", 0.2)
    with (
        running_cluster() as cluster,
        floor(tmp_path / "run", changes={"database": {"url": cluster.url()}}) as here,
    ):
        commands = make_commands(here.run, tmp_path, no_reload, {})
        commands.panic_file.start()
        here.wait_for_trades(1)
        here.wait(here.held, "a position is open")
        cluster.kill()

        said = commands.answer("cli", Command(name=CommandName.PANIC), is_confirmed=True)

        assert "only the stops at the exchange protect" in said.text
        cluster.start()
        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        here.wait_until_agreed()
        assert here.held() == {}
        assert here.broken_promises() == []
        commands.panic_file.close()


@pytest.mark.complete
def test_a_run_in_a_server_is_explained_and_run_again_from_its_trace(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with running_cluster() as cluster:
        with floor(run, changes={"database": {"url": cluster.url()}}) as here:
            here.wait_for_trades(2)
            for actor in ("asset/BTC", "execution/ETH", "portfolio"):
                here.crash(actor)
            here.wait_for_trades(2)
        reader = TraceReader(run / "trace")
        with closing(FactReader(find_journal(run))) as facts:
            rows = [one for one in orders_of(facts) if one["outcome"] in ("FILLED", "REFUSED")]
            stories = {one["id"]: story_of(one["id"], facts, reader) for one in rows}

        assert len(stories) > 3
        assert {name: found.missing for name, found in stories.items() if found.missing} == {}
        addresses = {each.address for session in reader.sessions() for each in session.actors}
        assert "execution/SOL" in addresses
        for actor in sorted(addresses):
            steps = list(rerun(reader.read(keys=[actor]), trace_codec()))
            assert steps, actor
            assert [step.difference for step in steps if step.difference is not None] == []
        demand_that_commands_explain(run)


def demand_that_commands_explain(run: Path) -> None:
    """Let the commands of the trace read the run, and demand what each is for."""
    filled = [
        row for row in json.loads(trace(run, "orders", "--json")) if row["purpose"] == "entry"
    ]
    entry = next(row for row in filled if row["outcome"] == "FILLED")
    assert entry["id"] in trace(run, "why", entry["id"])
    assert "OpenPosition" in trace(run, "tree", entry["message"])
    for actor in (f"asset/{entry['asset']}", f"execution/{entry['asset']}", "portfolio"):
        assert "all equal" in trace(run, "replay", actor)
