"""Pairs join and leave in a running process, through kills, restarts and changed files."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from domain.operator.commands import CommandName
from infra.operator.control.client import NoAnswerError, ask
from infra.operator.preflight.checks import check
from infra.operator.preflight.finding import Level
from infra.store.pairs import stored_changes
from infra.venues.modes import Mode
from tests.command.test_sim_run import LOOK_EVERY_S, PATIENCE_S, QUICK, SimRun
from tests.programs import run_program

FILE = "portfolio:\n  total_allocation_pct: 0.5\n  assets:\n"
ASSETS = "".join(f"    - symbol: {name}USDT\n" for name in ("BTC", "ETH", "SOL"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], SimRun]]:
    runs: list[SimRun] = []

    def begin() -> SimRun:
        runs.append(SimRun(tmp_path, FILE + ASSETS))
        runs[-1].wait_for(lambda line: "Started" in line)
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
        run.out.close()


def asked(run: SimRun, name: CommandName, argument: str = "") -> Any:
    return ask(run.run_dir, name, argument, "test", is_confirmed=False)


def pairs(run: SimRun) -> Any:
    return asked(run, CommandName.PAIRS, "list")["data"]


def wait(is_so: Callable[[], bool]) -> None:
    deadline_s, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not is_so():
        assert time.monotonic() < deadline_s
        pause.wait(LOOK_EVERY_S)


def has_stored_a_pair(journal: Path) -> bool:
    with closing(sqlite3.connect(journal)) as database:
        query = "SELECT count(*) FROM operator_command WHERE command = 'pairs' AND is_done"
        return bool(database.execute(query).fetchone()[0])


def kill_once_stored(run: SimRun, argument: str) -> None:
    """Ask for a change of pairs, and kill the process as soon as the fact is on the disk."""

    def send() -> None:
        with suppress(NoAnswerError):
            asked(run, CommandName.PAIRS, argument)

    asking = threading.Thread(target=send)
    asking.start()
    while not has_stored_a_pair(run.run_dir / "journal.sqlite"):
        assert run.process.poll() is None, run.shown()
    run.end(signal.SIGKILL)
    asking.join(PATIENCE_S)


def replayed(run: SimRun, actor: str) -> str:
    """Return what is said last of an actor that is run again on its recorded messages."""
    words = ("bin.trace", "--run-dir", str(run.run_dir), "replay", actor)
    ended = run_program(*words, env=os.environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip().splitlines()[-1]


def test_pairs_survive_a_kill_follow_the_file_and_are_told_before_a_start(
    start: Callable[[], SimRun],
) -> None:
    killed = start()

    kill_once_stored(killed, "add AVAX")

    assert [each.asset for each in stored_changes(killed.run_dir / "journal.sqlite")] == ["AVAX"]
    run = start()
    assert pairs(run)["pairs"] == ["BTC", "ETH", "SOL", "AVAX"]

    # The file: one pair more, one less.
    file = run.run_dir.parent / "quick.yaml"
    changed = ASSETS.replace("ETHUSDT", "ADAUSDT")
    instrument = "instruments: {ADAUSDT: {qty_step: 1, min_order_qty: 1, tick_size: 0.0001, "
    instrument += "min_notional_value: 5, max_market_order_qty: 960000}}\n"
    file.write_text(QUICK + FILE + changed + instrument)
    reloaded = asked(run, CommandName.RELOAD)
    assert list(reloaded["data"]["changed"]) == ["pairs add ADAUSDT", "pairs remove ETHUSDT"]
    assert reloaded["data"]["refused"] == {}, reloaded
    wait(lambda: "ETH" in {*pairs(run)["leaving"], *pairs(run)["removed"]})
    assert {"BTC", "SOL", "AVAX", "ADA"} <= set(pairs(run)["pairs"])
    assert run.end(signal.SIGTERM) == 0
    assert "Traceback" not in run.shown()

    # The file as it was at first: what commands have stored wins, and is told.
    file.write_text(QUICK + FILE + ASSETS)
    found = list(check(Mode.SIM, file, run.run_dir, sends_test=False))
    told = [each.found for each in found if (each.name, each.level) == ("pairs", Level.WARN)]
    # ETH is to leave, or has left by now.
    assert [text.split()[0] for text in told] == ["AVAXUSDT", "ADAUSDT", "ETHUSDT"]
    assert told[0] == "AVAXUSDT was added by a command; the file does not name it"
    assert told[2].endswith("; the file names it")

    # Each life is made again with the pairs that it had.
    for actor in ("portfolio", "asset/ADA"):
        assert replayed(run, actor).endswith(", all equal")
