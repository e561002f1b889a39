"""A server of PostgreSQL dies and comes back while the system trades on it."""

from pathlib import Path

import psycopg
import pytest

from actors.operator import command_service
from bin.bootstrap.operator_ways import make_commands
from domain.operator.commands import Command, CommandName
from tests.postgres_cluster import running_cluster
from tests.system.floor import PATIENCE_S, floor
from tests.system.test_panic import is_shown_flat, no_reload


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
