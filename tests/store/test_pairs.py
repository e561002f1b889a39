"""The stored changes of pairs, as whoever starts a run reads them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.store.pairs import stored_changes


def test_a_file_whose_maker_died_before_it_made_tables_has_none(tmp_path: Path) -> None:
    assert stored_changes(tmp_path / "journal.sqlite") == []
    (tmp_path / "journal.sqlite").touch()
    assert stored_changes(tmp_path / "journal.sqlite") == []
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as made:
        made.execute("PRAGMA journal_mode=WAL")
    assert stored_changes(tmp_path / "journal.sqlite") == []


def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as made:
        made.execute("CREATE TABLE something (x)")

    with pytest.raises(ConfigError, match="cannot be read by this program"):
        stored_changes(tmp_path / "other.sqlite")
