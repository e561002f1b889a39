"""A journal is put back that is an older copy of itself; the exchange knows what came after."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from actors.core.envelope import Origin
from actors.messages import Describe
from bin.bootstrap.operator_ways import make_commands
from domain.operator.commands import Command, CommandName
from domain.operator.replies import Reply, ReplyCode
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.trading.orders import ExitReason, is_our_id
from domain.trading.positions import Execution, Trade
from tests.chaos.harness.journal_view import read_journal
from tests.system.floor import Floor, floor

PATIENCE_S = 30.0
REARM = Command(name=CommandName.REARM)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Floor]:
    with floor(tmp_path / "run", seed=3) as found:
        yield found


def copy_to(file: Path, journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)


def put_back(copy: Path, journal: Path) -> None:
    for part in ("-wal", "-shm"):
        journal.with_name(journal.name + part).unlink(missing_ok=True)
    shutil.copy(copy, journal)


def portfolio(here: Floor) -> PortfolioSnapshot:
    found = here.run.system.address("portfolio").ask(
        Describe(), sender="test", timeout_s=PATIENCE_S
    )
    assert isinstance(found, PortfolioSnapshot)
    return found


def but_for_the_second(trade: Trade) -> Trade:
    """A command between closes decides within its second, which is all that an id tells."""
    decided_ms = None if trade.decided_ms is None else trade.decided_ms // 1000
    return replace(trade, decided_ms=decided_ms)


def entries(here: Floor) -> set[str]:
    return {
        row["orderLinkId"]
        for row in here.records()["executions"]
        if "-entry-" in row["orderLinkId"]
    }


def closes_seen(here: Floor) -> int:
    found = here.run.system.address("asset/BTC").ask(
        Describe(), sender="test", timeout_s=PATIENCE_S
    )
    assert isinstance(found, AssetSnapshot)
    return found.closes_seen


def no_reload(operator: str, origin: Callable[[], Origin]) -> Reply:
    raise AssertionError((operator, origin))


def executions(file: Path) -> list[Execution]:
    return [execution for _, execution in read_journal(file).executions]


def is_called_foreign(execution: Execution) -> bool:
    """Tell whether an execution of our own order is booked as nobody's decision."""
    return execution.decided_ms is None and is_our_id(execution.asset, execution.client_order_id)


def set_back(here: Floor, tmp_path: Path) -> Path:
    """Trade, take a copy, trade on, and start again on the copy; return what was replaced."""
    older, newer = tmp_path / "older.sqlite", tmp_path / "newer.sqlite"
    here.wait_for_trades(2)
    copy_to(older, here.journal)
    here.wait_for_trades(3)
    newest_ms = max(execution.ts_ms for execution in executions(older))

    def holds_what_the_copy_lacks() -> bool:
        return any(held.opened_ms > newest_ms for held in portfolio(here).positions.values())

    here.wait(holds_what_the_copy_lacks, "a position that the copy does not know")

    def swap() -> None:
        copy_to(newer, here.journal)
        put_back(older, here.journal)

    here.restart(swap)
    return newer


def test_what_an_older_copy_lacks_is_booked_once_managed_and_followed_by_nothing_until_rearm(
    here: Floor, tmp_path: Path
) -> None:
    newer = set_back(here, tmp_path)
    before = entries(here)

    here.wait_until_agreed()
    booked = [but_for_the_second(trade) for trade in here.trades()]
    for trade in read_journal(newer).trades:
        assert booked.count(but_for_the_second(trade)) == 1, trade
    found = executions(here.journal)
    ids = [execution.exec_id for execution in found]
    assert len(ids) == len(set(ids))
    assert {execution.exec_id for execution in executions(newer)} <= set(ids)
    assert [execution for execution in found if is_called_foreign(execution)] == []

    assert portfolio(here).is_halted
    assert "its facts end" in portfolio(here).outdated
    seen = closes_seen(here)
    here.wait(lambda: closes_seen(here) > seen + 30, "more candles close")
    here.wait(lambda: not here.held(), "what was open is closed by the rules")
    assert entries(here) == before
    assert ExitReason.EXTERNAL not in {trade.reason for trade in here.trades()}

    here.restart(lambda: None)
    assert portfolio(here).is_halted
    commands = make_commands(here.run, here.folder, no_reload, {})
    asked = commands.answer("test", REARM)
    assert asked.code is ReplyCode.CONFIRM
    assert "its facts end" in asked.title
    assert "Is the system that wrote the newer facts dead?" in asked.title
    assert commands.answer("test", REARM).code is ReplyCode.DONE
    here.wait_for_trades(1)
    assert not portfolio(here).outdated


def test_a_journal_that_is_up_to_date_is_not_called_older(here: Floor) -> None:
    here.wait_for_trades(2)
    here.wait(here.held, "an open position")

    here.restart(lambda: None)

    here.wait_for_trades(2)
    assert not portfolio(here).is_halted
    assert here.broken_promises() == []
