"""Backups in a bucket: a local server that speaks S3 keeps them, and may be out for a while."""

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from domain.errors import JournalError
from infra.run.restoring import choose_chain, restored
from infra.store.backup.chain import find_chains, problems, segment_name
from infra.store.backup.keeper import BackupKeeper, BackupState, remove_old
from infra.store.backup.places import Remote
from tests.clients.cache import cached
from tests.store.test_backup import DAY, KEY, NOW, UNIT, Growing, sums_of
from tests.venues.simulator.clients import eventually

pytestmark = [pytest.mark.clients, pytest.mark.complete, pytest.mark.timeout(900)]
PACKAGES = ("moto[s3,server]==5.2.5",)


def commands(folder: Path) -> Sequence[Sequence[str]]:
    python = str(folder / "bin" / "python")
    return (
        (sys.executable, "-m", "venv", str(folder)),
        (python, "-m", "pip", "install", "--quiet", *PACKAGES),
    )


@contextmanager
def serving(port: int) -> Iterator[None]:
    """Run the server on a port until it answers; it forgets everything when it ends."""
    program = cached("moto", PACKAGES, commands) / "bin" / "moto_server"
    process = subprocess.Popen(
        [str(program), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: made_bucket(port))
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def made_bucket(port: int) -> bool:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
    with suppress(OSError), urllib.request.urlopen(asked, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    (tmp_path / "run").mkdir()
    with closing(Growing(tmp_path / "run" / "journal.sqlite")) as made:
        yield made


def test_a_bucket_keeps_chains_that_are_checked_restored_and_removed(
    tmp_path: Path, growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    place = Remote("s3://bucket/backups/live")
    keeper = BackupKeeper(place, KEY, growing.location)
    growing.grow()
    with pytest.raises(JournalError, match="the backups cannot be reached"):
        keeper.step(BackupState(), NOW, DAY)
    with serving(port):
        state = keeper.step(BackupState(), NOW, DAY)
        for _ in range(3):
            growing.grow()
            state = keeper.step(state, NOW, DAY)
        growing.grow()
        later = keeper.step(state, NOW + 2 * DAY, DAY)
        keeper.close()

        chain = choose_chain(place)
        to = tmp_path / "to" / "journal.sqlite"
        done = restored(place, KEY, chain, tmp_path / "to", to)
        removed = remove_old(place, NOW + 2 * DAY, DAY)
        with pytest.raises(FileExistsError):
            place.add(segment_name(chain.name, 1), b"")
        place.put(segment_name(chain.name, 1), b"{}\n")
        (found,) = find_chains(place)
        wrong = problems(place, found, KEY)

    assert (done.through_fact, done.tables) == (5 * UNIT, sums_of(growing.location))
    assert (removed, found.name) == ([state.chain], later.chain)
    assert wrong == [f"{later.chain}, segment 1: is damaged: its header cannot be read"]
