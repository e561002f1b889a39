"""The machine that trades is lost while positions are open; another one goes on from the backup."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import Result
from typer.testing import CliRunner

from domain.rules import TradingRules
from domain.trading.positions import Position, book
from infra.run.backups import opened
from infra.settings import load_settings
from infra.store.backup.chain import find_chains, problems
from infra.store.backup.keeper import read_state
from infra.store.reading import open_reading
from tests.chaos.harness.invariants import accepted, differences
from tests.chaos.harness.journal_view import JournalView, read_journal
from tests.command.commands import application
from tests.command.mode_runs import ModeRun, settings_at
from tests.system.floor import SETTINGS
from tests.venues.simulator.clients import Client, running

SPEED = 600
MODE = "testnet"
KEY = "5a" * 32


@pytest.fixture
def exchange() -> Iterator[Client]:
    with running(speed=SPEED, seed=120, history=540) as client:
        yield client


def settings_of(tmp_path: Path, exchange: Client) -> dict[str, Any]:
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    backup = {"url": str(tmp_path / "backups"), "key": f"file:{key}", "every_seconds": 0.2}
    return settings_at(exchange, SPEED, **SETTINGS, backup=backup)


def start(tmp_path: Path, exchange: Client, run_dir: str) -> ModeRun:
    keys = exchange.sim.keys
    return ModeRun(
        tmp_path,
        MODE,
        settings_of(tmp_path, exchange),
        run_dir=run_dir,
        BYBIT_API_KEY=keys.api_key,
        BYBIT_API_SECRET=keys.api_secret,
    )


def command(name: str, *words: object) -> Result:
    return CliRunner().invoke(application(name), [*map(str, words)], env={"COLUMNS": "200"})


def lose(run: ModeRun) -> None:
    """Kill all processes of a run at once, and destroy its directory."""
    main = psutil.Process(run.process.pid)
    for process in (main, *main.children(recursive=True)):
        process.kill()
    run.process.wait(60)
    shutil.rmtree(run.run_dir)


def held(exchange: Client) -> bool:
    return any(Decimal(row["size"]) for row in exchange.state()["positions"])


def entries(exchange: Client) -> set[str]:
    rows = exchange.records()["executions"]
    return {row["orderLinkId"] for row in rows if "-entry-" in row["orderLinkId"]}


def journal_of(run: ModeRun) -> JournalView:
    return read_journal(run.run_dir / "journal.sqlite")


def newest_fact(run: ModeRun) -> int:
    with closing(open_reading(run.run_dir / "journal.sqlite")) as journal:
        return int(journal.rows("SELECT MAX(id) AS id FROM fact")[0]["id"])


def is_backed_up_open(run: ModeRun) -> bool:
    """Tell whether the backup holds the whole journal, and a position is open in it."""
    fact, positions = newest_fact(run), dict[str, Position | None]()
    for _, execution in journal_of(run).executions:
        positions[execution.asset] = book(positions.get(execution.asset), execution).position
    is_whole = read_state(run.run_dir).fact == fact == newest_fact(run)
    return is_whole and any(positions.values())


def agrees(exchange: Client, run: ModeRun, rules: TradingRules) -> bool:
    """Tell whether each execution is booked once, and the books are the exchange's."""
    state, records, journal = exchange.state(), exchange.records(), journal_of(run)
    booked = Counter(execution.exec_id for _, execution in journal.executions)
    executed = Counter(row["execId"] for row in records["executions"])
    return booked == executed and differences(state, records, journal, rules) == []


def test_a_paper_run_that_is_lost_goes_on_with_its_account_and_what_was_open(
    tmp_path: Path, exchange: Client
) -> None:
    settings = settings_of(tmp_path, exchange)
    run = ModeRun(tmp_path, "paper", settings)
    run.wait_for("SHORT opened")
    run.wait(lambda: is_backed_up_open(run), "the whole backup, with an open position")
    account = (run.run_dir / "paper.state").read_text()
    lose(run)

    again = tmp_path / "again"
    words = ["--mode", "paper", "--settings", tmp_path / "settings.yaml", "--to-dir", again]
    done = command("backup", "restore", *words)
    assert done.exit_code == 0, done.output
    restored = (again / "paper.state").read_text()
    after = ModeRun(tmp_path, "paper", settings, run_dir="again")
    try:
        after.wait_for("SHORT closed")
    finally:
        after.end()

    assert account.startswith(restored)
    assert (again / "paper.state").read_text().startswith(restored)
    executed = [execution.exec_id for _, execution in journal_of(after).executions]
    assert sorted(executed) == sorted(set(executed))
    assert len(executed) >= 2


def test_a_lost_machine_is_followed_by_another_that_manages_and_opens_nothing_until_rearm(
    tmp_path: Path, exchange: Client
) -> None:
    run = start(tmp_path, exchange, "run")
    run.wait_for("the account's stream works")
    run.wait(lambda: len(journal_of(run).trades) >= 2, "two trades")
    run.wait(lambda: held(exchange), "an open position")
    lose(run)

    before = entries(exchange)
    of_settings = load_settings(tmp_path / "settings.yaml", environ={}, dotenv=None)
    rules = of_settings.trading_rules()
    settings = tmp_path / "settings.yaml"
    where = tmp_path / "again"
    done = command("backup", "restore", "--mode", MODE, "--settings", settings, "--to-dir", where)
    assert done.exit_code == 0, done.output

    again = start(tmp_path, exchange, "again")
    try:
        again.wait_for("the account's stream works")
        again.wait(lambda: not held(exchange), "what was open is closed by the rules")
        again.wait_for("Reason: trading is halted")
        assert entries(exchange) == before

        asked = command("ctl", "rearm", "--run-dir", where)
        assert "Is the system that wrote the newer facts dead?" in " ".join(asked.output.split())
        assert command("ctl", "rearm", "--run-dir", where, "--yes").exit_code == 0
        again.wait(lambda: len(entries(exchange)) >= len(before) + 2, "it trades on")
        again.wait(lambda: agrees(exchange, again, rules), "the books are the exchange's")
    finally:
        again.end()

    assert max(accepted(exchange.records()).values()) == 1
    assert read_state(where).fact == newest_fact(again)
    place, key = opened(of_settings.backup, MODE)
    assert [problems(place, chain, key) for chain in find_chains(place)] == [[], []]
