"""The process beside a run keeps its backup, says why it cannot, and ends with the run."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from infra.process.kept import KeptProcess
from infra.run.backup_beside import backup_beside
from infra.run.backups import opened
from infra.settings import Settings, load_settings
from infra.store.backup.chain import find_chains, problems
from infra.store.backup.keeper import BackupState, read_state
from infra.store.backup.places import Folder
from infra.store.location import note_journal
from tests.store.test_backup import KEY, Growing
from tests.venues.simulator.clients import eventually


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    (tmp_path / "run").mkdir()
    with closing(Growing(tmp_path / "run" / "journal.sqlite")) as made:
        note_journal(tmp_path / "run", made.location)
        yield made


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    key = tmp_path / "key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    text = f"{{url: {tmp_path}/backups, key: 'file:{key}', every_seconds: 0.1}}"
    (tmp_path / "settings.yaml").write_text(f"backup: {text}\n")
    return load_settings(tmp_path / "settings.yaml", environ={}, dotenv=None)


def child() -> psutil.Process:
    """Return the process that keeps the backup."""

    def found() -> list[psutil.Process]:
        children = psutil.Process().children()
        return [one for one in children if any("backup_process" in w for w in one.cmdline())]

    (one,) = eventually(found)
    return one


def test_what_is_stored_is_in_the_backup_whoever_kills_its_process_or_takes_its_folder_away(
    tmp_path: Path, growing: Growing, settings: Settings
) -> None:
    run, folder = tmp_path / "run", tmp_path / "backups"

    def state(until: Callable[[BackupState], object]) -> BackupState:
        found: BackupState = eventually(lambda: read_state(run), until)
        return found

    with backup_beside(settings, run, "sim"):
        newest = growing.grow()
        state(lambda found: found.fact == newest)
        killed = child()
        killed.kill()
        newest = growing.grow()
        again = state(lambda found: found.fact == newest)
        assert child().pid != killed.pid
        assert again.chain == find_chains(Folder(folder / "sim"))[0].name

        shutil.rmtree(folder)
        folder.write_text("in the way")
        newest = growing.grow()
        stuck = state(lambda found: found.trouble)
        assert f"{folder}/sim: the backups cannot be reached: Not a directory" in stuck.trouble
        assert stuck.fact < newest
        folder.unlink()
        back = state(lambda found: found.fact == newest)
        assert (back.trouble, back.complete_ms > stuck.complete_ms) == ("", True)
        newest = growing.grow()

    assert read_state(run).fact == newest
    place, key = opened(settings.backup, "sim")
    assert [problems(place, chain, key) for chain in find_chains(place)] == [[]]
    assert KEY.hex() not in (run / "backup.json").read_text()


def test_a_run_that_makes_its_journal_elsewhere_after_the_process_began_has_a_backup(
    tmp_path: Path, settings: Settings
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with backup_beside(settings, run, "sim"):
        eventually(lambda: child().num_threads() and child().nice() > 0)
        with closing(Growing(tmp_path / "elsewhere.sqlite")) as growing:
            newest = growing.grow()
            note_journal(run, growing.location)
            eventually(lambda: read_state(run).fact == newest)
            with closing(Growing(tmp_path / "moved.sqlite")) as moved:
                newest = [moved.grow() for _ in range(3)][-1]
                note_journal(run, moved.location)
                eventually(lambda: read_state(run).fact == newest)
    assert len(find_chains(Folder(tmp_path / "backups" / "sim"))) == 2


def test_a_process_is_started_again_until_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = ["/bin/sh", "-c", "echo begun >&2; sleep 60"]
    kept = KeptProcess("a sleeper", words, dict(os.environ), stop_s=5.0, log=log)
    with closing(kept):
        eventually(lambda: log.exists() and log.read_text() == "begun\n")
        first = psutil.Process(eventually(lambda: kept.pid))
        first.kill()
        eventually(lambda: log.read_text() == "begun\nbegun\n")
        second = psutil.Process(eventually(lambda: kept.pid, lambda pid: pid != first.pid))

    assert not second.is_running()
    assert log.stat().st_mode & 0o777 == 0o600
