"""A journal under SQLCipher: the same facts, and nothing of them to be read without the key."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.run.copying import copied
from infra.run.rekeying import rekey
from infra.secrets.cipher import Cipher
from infra.secrets.sealing import new_key
from infra.secrets.sources import write_new_key
from infra.secrets.vault import new_vault, vault_of
from infra.store.copying import sums
from infra.store.opening import inspect_journal
from infra.store.reading import open_reading
from infra.store.reserve import Reserve
from infra.store.sqlite.driver import is_plain
from infra.trace.frames import Head, frame_bytes, read_frames
from tests.store.facts import T_MS, entry
from tests.store.test_copying import filled

ROOT = Path(__file__).resolve().parents[2]
WORDS = (b"execution/BTC", b"BTC-", b"CREATE TABLE")
"""Stored with each journal, and readable in one that is not encrypted."""


@pytest.fixture
def source(tmp_path: Path) -> str:
    write_new_key(tmp_path / "key")
    return f"file:{tmp_path / 'key'}"


@pytest.fixture
def run(tmp_path: Path, source: str) -> Path:
    """Return an encrypted run directory with a journal."""
    folder = tmp_path / "run"
    folder.mkdir()
    new_vault(folder, [source]).write()
    filled(folder / "journal.sqlite")
    return folder


def all_sums(file: Path) -> list[object]:
    with closing(open_reading(file)) as reading:
        return list(sums(reading))


def readable(folder: Path) -> list[tuple[str, bytes]]:
    return [
        (file.name, word)
        for file in folder.rglob("*")
        if file.is_file()
        for word in WORDS
        if word in file.read_bytes()
    ]


def test_nothing_of_an_encrypted_journal_can_be_read_without_its_key(
    run: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    filled(plain / "journal.sqlite")

    with closing(open_reading(run / "journal.sqlite")) as reading:  # its log lies beside it
        assert reading.rows("SELECT COUNT(*) AS n FROM fact")[0]["n"] > 0
        assert readable(run) == []
    assert readable(plain)
    inspected = inspect_journal(run / "journal.sqlite")
    assert inspected is not None
    assert inspected.mode == "sim"


def test_another_key_is_refused_in_one_line(run: Path, source: str) -> None:
    new_vault(run, [source]).write()

    with pytest.raises(ConfigError, match="is encrypted under another key than") as refused:
        open_reading(run / "journal.sqlite")

    assert "\n" not in str(refused.value)


def test_an_ordinary_file_in_an_encrypted_directory_is_noticed(run: Path, tmp_path: Path) -> None:
    filled(tmp_path / "journal.sqlite")
    (tmp_path / "journal.sqlite").replace(run / "journal.sqlite")

    with pytest.raises(ConfigError, match="is not encrypted, while"):
        open_reading(run / "journal.sqlite")


def test_an_ordinary_sqlite_that_would_ignore_the_key_is_noticed(run: Path) -> None:
    code = (
        "import sqlite3, sys\n"
        "from pathlib import Path\n"
        "sys.modules['sqlcipher3.dbapi2'] = sqlite3\n"
        "from infra.store.reading import open_reading\n"
        f"try: open_reading(Path({str(run / 'journal.sqlite')!r}))\n"
        "except Exception as error: print(error)\n"
    )

    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert "the SQLite here is an ordinary one, which encrypts nothing" in shown


def test_a_directory_is_encrypted_rekeyed_and_decrypted_without_a_change_of_facts(
    tmp_path: Path, source: str
) -> None:
    folder = tmp_path / "before"
    folder.mkdir()
    file = folder / "journal.sqlite"
    filled(file)
    (folder / "paper.state").write_bytes(b'{"execution/BTC":1}\n{"half')
    (folder / "trace").mkdir()
    frame = frame_bytes(Head("asset/BTC", 1, 1, T_MS, T_MS), b"records of a life", Cipher(None))
    (folder / "trace" / "000001-000001.trace").write_bytes(frame + frame[:9])
    before = all_sums(file)

    rekey(folder, [source])
    once, first = file.read_bytes(), vault_of(folder)
    assert readable(folder) == []
    assert all_sums(file) == before
    rekey(folder, [source])
    again, second = file.read_bytes(), vault_of(folder)
    assert again != once
    assert first is not None
    assert second is not None
    assert first.key("journal") != second.key("journal")
    assert all_sums(file) == before
    trace = folder / "trace" / "000001-000001.trace"
    assert [one.payload() for one in read_frames(trace, [])] == [b"records of a life"]
    assert b"records" not in trace.read_bytes()
    rekey(folder, [])

    assert all_sums(file) == before
    assert is_plain(file)
    assert trace.read_bytes() == frame
    assert (folder / "paper.state").read_bytes() == b'{"execution/BTC":1}\n'
    assert vault_of(folder) is None


def test_an_interrupted_change_of_keys_goes_on_where_it_was(run: Path, source: str) -> None:
    before, old = all_sums(run / "journal.sqlite"), vault_of(run)
    assert old is not None
    old.renewed([source]).write()  # and the process was killed

    with pytest.raises(ConfigError, match="was interrupted; finish it by"):
        open_reading(run / "journal.sqlite")
    rekey(run, [source])

    found = vault_of(run)
    assert found is not None
    assert found.key("journal") != old.key("journal")
    assert all_sums(run / "journal.sqlite") == before


def test_rekey_and_copy_are_refused_while_a_run_holds_the_directory(
    run: Path, source: str, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from infra.process.locks import FileLock\n"
        f"lock = FileLock(Path({str(run / 'lock')!r}), '')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="a run uses this directory"):
            rekey(run, [source])
        with pytest.raises(ConfigError, match="a run uses this directory"):
            copied(run / "journal.sqlite", tmp_path / "copy" / "journal.sqlite")
        holder.communicate("")


def test_a_copy_is_as_encrypted_as_its_source(run: Path, source: str, tmp_path: Path) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    rekey(other, [source])

    with pytest.raises(ConfigError, match="the copy would not be encrypted"):
        copied(run / "journal.sqlite", plain / "journal.sqlite")
    found = copied(run / "journal.sqlite", other / "journal.sqlite")

    assert found == all_sums(run / "journal.sqlite")
    assert readable(other) == []
    assert not (plain / "journal.sqlite").exists()


def test_what_waits_in_the_reserve_is_sealed_too(tmp_path: Path) -> None:
    file, key = tmp_path / "journal.reserve", new_key()
    reserve = Reserve(file, cipher=Cipher(key))
    reserve.add("execution/BTC", [entry()], T_MS)
    reserve.close()

    assert readable(tmp_path) == []
    again = Reserve(file, cipher=Cipher(key))
    assert [record.facts for record in again.records()] == [(entry(),)]
    again.close()


def test_facts_of_an_encrypted_journal_cannot_be_changed_either(run: Path) -> None:
    from infra.store.sqlite.driver import connect, errors  # noqa: PLC0415

    with (
        closing(connect(run / "journal.sqlite")) as database,
        pytest.raises(errors(), match="append-only"),
    ):
        database.execute("DELETE FROM fact")
    with (
        closing(sqlite3.connect(run / "journal.sqlite")) as database,
        pytest.raises(sqlite3.DatabaseError, match="not a database"),
    ):
        database.execute("SELECT * FROM fact")
