"""An update with a position open: the program of the schema before, this one, and back again.

The older program is the one of the commit before the newest step of the schema, from the history.
"""

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from infra.settings import load_settings
from infra.store import schema
from infra.venues.simulator.exchange import SimulatedExchange
from infra.venues.simulator.options import SimulatorOptions
from tests.chaos.harness.journal_view import read_journal
from tests.command.test_ctl import told, wait_for_commands
from tests.command.test_sim_run import LOOK_EVERY_S, PATIENCE_S, QUICK, ROOT, SimRun, journal
from tests.system.test_older_journal import put_back

pytestmark = [pytest.mark.complete, pytest.mark.timeout(600)]

STILL = QUICK.replace("speed: 240", "speed: 1")
"""A market in which no candle closes while the test looks."""
SAME = ("symbol", "side", "size", "entryPrice", "stopLoss", "takeProfit", "createdTime")


def newest_step() -> str:
    """Return the commit that brought the newest step of the schema."""
    source = (ROOT / "infra/store/schema.py").read_text(encoding="utf-8")
    steps = source.partition("MIGRATIONS:")[2].partition("\n)\n")[0].splitlines()
    return git("log", "-1", "--format=%H", f"-S{steps[-1].strip()}", "--", "infra/store/schema.py")


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True)
    assert done.stdout, f"git {' '.join(words)} finds nothing: the whole history is needed"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the older program is."""
    folder = tmp_path_factory.mktemp("older")
    packed = subprocess.run(
        ["git", "-C", ROOT, "archive", f"{newest_step()}^"], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    return folder


class OlderRun(SimRun):
    """A start of the older program, in an interpreter of its own."""

    def __init__(self, folder: Path, program: Path, quick: str = QUICK) -> None:
        self.run_dir = folder / "run"
        (folder / "quick.yaml").write_text(quick)
        self.log = self.run_dir / "logs" / "sim.jsonl"
        self._skip = self.log.stat().st_size if self.log.exists() else 0
        self.out = (folder / "out.txt").open("w+")
        self.process = subprocess.Popen(  # type: ignore[assignment]
            [
                *(sys.executable, "-m", "bin.run_actors", "--run-dir", str(self.run_dir)),
                *("--settings", str(folder / "quick.yaml")),
            ],
            cwd=folder,
            env={
                "PATH": str(Path(sys.executable).parent),
                "PYTHONPATH": str(program),
                "PYTHONSAFEPATH": "1",
                "WEB_ENABLED": "false",
            },
            stdout=self.out,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture
def begun() -> Iterator[list[SimRun]]:
    runs: list[SimRun] = []
    yield runs
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
        run.out.close()


def held(state: Any) -> list[dict[str, str]]:
    """Return the open positions of an exchange, without what the market changes."""
    rows = [row for row in state["positions"] if float(row["size"])]
    return sorted(({name: row[name] for name in SAME} for row in rows), key=str)


def orders(records: Any) -> list[str]:
    return sorted(row["orderLinkId"] for row in records["orders"])


def left_at_the_exchange(run_dir: Path, folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Return positions and orders as a stopped exchange keeps them; its file is not touched."""
    copy = folder / "copy.state"
    shutil.copy(run_dir / "sim-exchange.state", copy)
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    options = SimulatorOptions(
        instruments=[asset.instrument for asset in rules.assets], fills=rules.fills, state=copy
    )
    with SimulatedExchange(options) as exchange:
        return held(asked(exchange, "state")), orders(asked(exchange, "records"))


def asked(exchange: SimulatedExchange, what: str) -> Any:
    with urllib.request.urlopen(f"{exchange.base_url}/sim/{what}", timeout=30) as answer:
        return json.load(answer)


def wait_for_a_position(run: SimRun) -> None:
    """Wait until the system has opened one by itself."""
    run.wait_for(lambda line: "commands are accepted at" in line)
    for _ in range(1200):
        if held(run.exchange("/sim/state")):
            return
        assert run.process.poll() is None, run.shown()
        with suppress(subprocess.TimeoutExpired):
            run.process.wait(LOOK_EVERY_S)
    raise AssertionError(run.shown())


def stop(run: SimRun) -> None:
    assert run.end(signal.SIGTERM) == 0, run.shown()
    assert "Traceback" not in run.shown()
    # The next start would else let the market run on for as long as nobody was there.
    file = run.run_dir / "sim-exchange.state"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.startswith('["start"')]
    lines[starts[-1]] = re.sub(r'"speed":[0-9.]+', '"speed":null', lines[starts[-1]])
    file.write_text("".join(lines), encoding="utf-8")


def version(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        found: int = database.execute("PRAGMA user_version").fetchone()[0]
    return found


def assert_adopted(run: SimRun, before: tuple[list[dict[str, str]], list[str]]) -> None:
    """Hold what the exchange has after a start against what it had at the stop before."""
    wait_for_commands(run)
    shown = told(run.run_dir, "status")["data"]

    assert (held(run.exchange("/sim/state")), orders(run.exchange("/sim/records"))) == before
    assert shown["positions"] == sorted(row["symbol"].removesuffix("USDT") for row in before[0])
    assert not shown["is_halted"]


def test_a_position_keeps_its_stop_through_an_update_and_the_way_back(
    tmp_path: Path, older: Path, begun: list[SimRun]
) -> None:
    file, backup = tmp_path / "run" / "journal.sqlite", tmp_path / "backup.sqlite"
    begun.append(OlderRun(tmp_path, older))
    wait_for_a_position(begun[-1])
    stop(begun[-1])
    before = left_at_the_exchange(tmp_path / "run", tmp_path)
    assert before[0], "what was open was closed at the stop's last moment"
    assert all(float(row["stopLoss"]) for row in before[0])
    assert version(file) == len(schema.MIGRATIONS) - 1
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)

    # The new program on the same directory: same positions, same stops, nothing sent.
    begun.append(SimRun(tmp_path, quick=STILL))
    assert_adopted(begun[-1], before)
    assert version(file) == len(schema.MIGRATIONS)
    stop(begun[-1])

    # The way back: the older program refuses the newer journal, and takes the backup.
    begun.append(OlderRun(tmp_path, older, STILL))
    assert begun[-1].process.wait(PATIENCE_S) == 2
    assert f"of version {len(schema.MIGRATIONS)}, this program knows up to" in begun[-1].shown()
    assert left_at_the_exchange(tmp_path / "run", tmp_path) == before
    put_back(backup, file)
    begun.append(OlderRun(tmp_path, older, STILL))
    assert_adopted(begun[-1], before)
    stop(begun[-1])

    # And forward once more, into trading.
    begun.append(SimRun(tmp_path))
    wait_for_commands(begun[-1])
    entered = {row["symbol"]: int(row["createdTime"]) for row in before[0]}
    begun[-1].wait_for(lambda _: len(closed_since(file, entered)) == len(entered))
    stop(begun[-1])
    ids = [row[0] for row in journal(tmp_path / "run", "SELECT exec_id FROM execution")]
    assert len(ids) == len(set(ids))
    assert sorted(closed_since(file, entered)) == sorted(entered)


def closed_since(file: Path, entered: Mapping[str, int]) -> list[str]:
    """Return the symbols whose positions of these times were closed, once for each trade."""
    return [
        f"{trade.asset}USDT"
        for trade in read_journal(file).trades
        if trade.entry_ms == entered.get(f"{trade.asset}USDT")
    ]
