"""A start on a disk that is really full: one that protects goes on, any other ends in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.operator.commands import CommandName
from infra.settings import load_settings
from infra.store.opening import open_store
from infra.store.reserve import Reserve, count_waiting
from infra.venues.simulator.exchange import SimulatedExchange
from infra.venues.simulator.options import SimulatorOptions
from tests.chaos.harness.journal_view import JournalView, read_journal
from tests.system.floor import SETTINGS, SPEED

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
DISK_BYTES = 24 << 20


@dataclass
class SmallDisk:
    """A disk of a few megabytes in a mount namespace of its own."""

    keeper: subprocess.Popen[bytes]
    inside: Path
    """Its path for processes in the namespace."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Its path from outside."""
        return Path(f"/proc/{self.keeper.pid}/root{self.inside}")

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.path / "filler").open("ab", buffering=0) as out, suppress(OSError):
            while True:
                out.write(b"x" * 4096)
        assert os.statvfs(self.path).f_bavail == 0

    def free(self) -> None:
        (self.path / "filler").unlink()

    def start(self, settings: Path, output: Path) -> subprocess.Popen[bytes]:
        """Start the system on it, printing to a file elsewhere."""
        run = [sys.executable, "-m", "bin.run_actors", "--settings", str(settings)]
        command = ["nsenter", "-t", str(self.keeper.pid), "-m", f"--wd={ROOT}", *run]
        with output.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--run-dir", str(self.inside / "run")],
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400"},
            )
        self.processes.append(process)
        return process


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    inside = tmp_path / "disk"
    inside.mkdir()
    script = f"mount -t tmpfs -o size={DISK_BYTES} none {inside} && echo ready && exec sleep 600"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("a small disk needs unshare and nsenter")
    keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE)
    assert keeper.stdout is not None
    if keeper.stdout.readline() != b"ready\n":
        pytest.skip("a small disk can be mounted by root alone")
    made = SmallDisk(keeper, inside)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    keeper.kill()
    keeper.wait()
    keeper.stdout.close()


@pytest.fixture
def sim() -> Iterator[SimulatedExchange]:
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    instruments = [asset.instrument for asset in rules.assets]
    options = SimulatorOptions(instruments=instruments, fills=rules.fills, speed=SPEED, seed=1)
    with SimulatedExchange(options) as made:
        yield made


@pytest.fixture
def settings(disk: SmallDisk, sim: SimulatedExchange, tmp_path: Path) -> Path:
    (disk.path / "run").mkdir()
    keys = [sim.keys.api_key, sim.keys.api_secret]
    (disk.path / "run" / "sim-keys.json").write_text(json.dumps(keys))
    address = sim.base_url.removeprefix("http://")
    file = tmp_path / "settings.yaml"
    changes = {"simulation": {"speed": SPEED, "address": address}, "trace": {"enabled": False}}
    file.write_text(json.dumps({**SETTINGS, **changes, "control": {"port": 0}}))
    return file


def wait_until(wanted: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < deadline_s, f"not in {PATIENCE_S} s: {what}"
        time.sleep(0.05)


def state(sim: SimulatedExchange, what: str = "state") -> Any:
    with urllib.request.urlopen(f"{sim.base_url}/sim/{what}", timeout=10) as answer:
        return json.load(answer)


def open_by_hand(sim: SimulatedExchange) -> None:
    body = json.dumps({"symbol": "SOLUSDT", "action": "open", "qty": "1", "side": "Sell"}).encode()
    request = urllib.request.Request(f"{sim.base_url}/sim/position", body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def held(sim: SimulatedExchange) -> bool:
    return any(Decimal(row["size"]) for row in state(sim)["positions"])


def entries(sim: SimulatedExchange) -> set[str]:
    orders = state(sim, "records")["orders"]
    return {row["orderLinkId"] for row in orders if "-entry-" in row["orderLinkId"]}


def listens(disk: SmallDisk, process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the process takes commands, and can be found by bin/ctl."""
    assert process.poll() is None
    with suppress(OSError, ValueError):
        return bool(json.loads((disk.path / "run" / "control.json").read_text())["port"])
    return False


def kill(disk: SmallDisk, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    (disk.path / "run" / "control.json").unlink(missing_ok=True)


@pytest.mark.complete
def test_with_a_position_it_opens_nothing_and_a_panic_ends_flat(
    disk: SmallDisk, sim: SimulatedExchange, settings: Path, tmp_path: Path
) -> None:
    run, output = disk.path / "run", tmp_path / "output.txt"
    first = disk.start(settings, output)
    wait_until(lambda: listens(disk, first), "the system takes commands")
    kill(disk, first)
    open_by_hand(sim)  # it has no stop: the start will still find it
    disk.fill()

    # With a position.
    second = disk.start(settings, output)
    wait_until(lambda: listens(disk, second), "the system takes commands")
    before = entries(sim)
    disk.fill()  # whatever the start has left of the ballast
    (run / "PANIC").touch()
    wait_until(lambda: not held(sim), "nothing is open at the exchange")
    wait_until(lambda: not (run / "PANIC").exists(), "the panic is in the reserve")
    assert entries(sim) == before

    # With a record in the reserve, after a kill.
    kill(disk, second)
    joined = state(sim)["streams_joined"]
    third = disk.start(settings, output)
    wait_until(lambda: state(sim)["streams_joined"] > joined, "the system is at the exchange")
    disk.free()
    wait_until(
        lambda: any(c.command == CommandName.PANIC for _, c in journal(disk).commands),
        "the panic is booked",
    )
    wait_until(lambda: not count_waiting(run / "journal.reserve"), "the reserve is empty")
    assert entries(sim) == before
    wait_until(
        lambda: len(journal(disk).executions) == len(state(sim, "records")["executions"]),
        "every execution is booked",
    )
    third.send_signal(signal.SIGTERM)
    assert third.wait(PATIENCE_S) == 0


def test_with_nothing_to_protect_it_ends_in_one_line(
    disk: SmallDisk, settings: Path, tmp_path: Path
) -> None:
    # SQLite does not follow a path into a namespace.
    journals = open_store(tmp_path / "journal.sqlite", lambda: 0, busy_timeout_ms=100)
    with journals.connected():
        journals.write_meta("mode", "sim")
    shutil.copy(tmp_path / "journal.sqlite", disk.path / "run")
    Reserve(disk.path / "run" / "journal.reserve").close()
    disk.fill()
    output = tmp_path / "output.txt"

    assert disk.start(settings, output).wait(PATIENCE_S) == 1

    lines = [line for line in output.read_text().splitlines() if " WARNING " not in line]
    assert "the disk has no room" in lines[-1]
    assert "nothing is open" in lines[-1]
    assert [line for line in lines if " INFO " not in line] == lines[-1:]


def journal(disk: SmallDisk) -> JournalView:
    """Return what a copy of the journal holds: SQLite does not follow a path into a namespace."""
    copy = disk.inside.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for part in ("", "-wal"):
        name = f"journal.sqlite{part}"
        with suppress(FileNotFoundError):
            shutil.copyfile(disk.path / "run" / name, copy / name)
    return read_journal(copy / "journal.sqlite")
