"""A run with `storage.encryption`: what it leaves on the disk tells nothing without the key."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.run.directory import RunDirectory
from infra.run.rekeying import rekey
from infra.secrets.sources import write_new_key
from infra.secrets.vault import FILE
from infra.settings import Settings, load_settings
from infra.store.reader import FactReader
from infra.venues.simulator.keys import read_keys
from tests.chaos.harness.journal_view import read_journal
from tests.command.test_sim_run import ROOT, SimRun
from tests.system.floor import SETTINGS


class SecretRun(SimRun):
    """One start of the default run; all that it says goes to its output."""

    def __init__(self, folder: Path, *, has_page: bool = False) -> None:
        storage = {"encryption": "on", "key": f"file:{folder / 'key'}"}
        backup = {"url": str(folder / "run" / "backups"), "key": storage["key"]}
        quick = {**SETTINGS, "simulation": {"speed": 300}, "storage": storage}
        quick["backup"] = {**backup, "every_seconds": 0.2}
        quick["web"] = {"port": 0}
        super().__init__(folder, quick=json.dumps(quick), environ={"WEB_ENABLED": str(has_page)})

    def lines(self) -> list[str]:
        # By a file of its own: the process writes where the other one reads.
        return Path(self.out.name).read_text(encoding="utf-8").splitlines()

    def end(self, number: signal.Signals) -> int:
        self.out.close()
        return super().end(number)


def command(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"bin.{module}", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def planted(run_dir: Path) -> set[str]:
    """Return values of a run that are nowhere to be read: orders, trades, balances, keys."""
    keys = read_keys(run_dir / "sim-keys.json")
    view = read_journal(run_dir / "journal.sqlite")
    found = {keys.api_key, keys.api_secret, *view.orders}
    found |= {execution.exec_id for _, execution in view.executions}
    found |= {f"{execution.price}" for _, execution in view.executions}
    return found | {f"{sample.balance}" for _, sample in view.samples if sample.balance % 1}


def hits(folder: Path, values: set[str]) -> list[tuple[str, str]]:
    return [
        (str(file.relative_to(folder)), value)
        for file in folder.rglob("*")
        if file.is_file() and file.name != "control.token"
        for value in values
        if value.encode() in file.read_bytes()
    ]


def test_an_encrypted_run_trades_is_killed_and_read_and_leaves_nothing_readable(
    tmp_path: Path,
) -> None:
    write_new_key(tmp_path / "key")
    key = f"file:{tmp_path / 'key'}"
    run = SecretRun(tmp_path, has_page=True)
    try:
        run.wait_for(lambda line: "Dashboard: " in line)
        run.wait_for(lambda line: "SHORT opened" in line)
        refused = command("keys", "rekey", "--run-dir", str(run.run_dir), "--to", key)
        assert refused.returncode == 2
        assert "a run uses this directory" in refused.stderr
    finally:
        run.end(signal.SIGKILL)
    values = planted(run.run_dir)

    assert len(values) > 5
    assert (run.run_dir / "journal.sqlite-wal").stat().st_size > 0
    assert list(run.run_dir.glob("backups/sim/*/*.segment"))
    assert hits(run.run_dir, values) == []
    logs = [*run.run_dir.rglob("*.jsonl"), *run.run_dir.rglob("*.log")]
    assert [log.name for log in logs] == ["web.access.jsonl"]
    order = next(iter(read_journal(run.run_dir / "journal.sqlite").orders))
    where = ("--run-dir", str(run.run_dir))
    assert order in command("ctl", *where, "audit").stdout
    assert "Reconcile" in command("trace", *where, "tail", "-n", "0").stdout
    rekeyed = command("keys", "rekey", *where, "--to", key)
    assert rekeyed.returncode == 0, rekeyed.stderr
    assert hits(run.run_dir, values) == []
    assert planted(run.run_dir) == values

    again = SecretRun(tmp_path)
    try:
        again.wait_for(lambda line: "Started: sim" in line)
    finally:
        assert again.end(signal.SIGINT) == 0
    assert planted(run.run_dir) >= values
    assert hits(run.run_dir, planted(run.run_dir)) == []
    with closing(FactReader(run.run_dir / "journal.sqlite")) as facts:
        assert facts.executions()


def settings_of(folder: Path, encryption: str) -> Settings:
    file = folder / "my.yaml"
    file.write_text(f"storage: {{encryption: {encryption}, key: 'file:{folder / 'key'}'}}\n")
    return load_settings(file, environ={}, dotenv=None)


def test_encryption_is_neither_forgotten_nor_begun_over_readable_files(tmp_path: Path) -> None:
    write_new_key(tmp_path / "key")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "paper.state").write_text('{"initial_balance":"1"}\n')
    on, off = settings_of(tmp_path, "on"), settings_of(tmp_path, "off")

    with pytest.raises(ConfigError, match=r"was stored before storage\.encryption was on"):
        RunDirectory(run_dir, on)
    rekey(run_dir, [on.storage.key])
    RunDirectory(run_dir, on).release()
    with pytest.raises(ConfigError, match=r"is encrypted; set storage\.encryption: on"):
        RunDirectory(run_dir, off)
    (tmp_path / "key").unlink()
    (run_dir / FILE).touch()  # a process remembers what it has opened
    with pytest.raises(ConfigError, match="cannot be opened: ") as lost:
        RunDirectory(run_dir, on)

    assert "\n" not in str(lost.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        RunDirectory(tmp_path / "new", on)
    assert not (tmp_path / "new" / FILE).exists()


@pytest.mark.parametrize("source", ["env:KEY", "passphrase"])
def test_a_directory_is_not_encrypted_under_what_no_restart_could_read(
    tmp_path: Path, source: str
) -> None:
    with pytest.raises(ConfigError, match="expected a"):
        rekey(tmp_path, [source])

    assert not (tmp_path / FILE).exists()
