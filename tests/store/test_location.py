"""Where a journal lies is known to those who read no settings."""

from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.settings import load_settings
from infra.store.location import (
    PostgresAddress,
    find_journal,
    journal_location,
    note_journal,
    read_location,
)

PARTS = {
    "POSTGRES_HOST": "db.local",
    "POSTGRES_PORT": "6432",
    "POSTGRES_DB": "trading",
    "POSTGRES_USER": "trader",
    "POSTGRES_PASSWORD": "sesame",
}


def test_a_journal_of_another_name_is_found_by_its_note(tmp_path: Path) -> None:
    note_journal(tmp_path, tmp_path / "facts" / "mine.sqlite")

    assert find_journal(tmp_path) == tmp_path / "facts" / "mine.sqlite"


def test_a_note_of_an_earlier_name_is_gone_with_the_setting(tmp_path: Path) -> None:
    note_journal(tmp_path, tmp_path / "mine.sqlite")

    note_journal(tmp_path, tmp_path / "journal.sqlite")

    assert find_journal(tmp_path) == tmp_path / "journal.sqlite"


def test_the_variables_of_postgresql_name_a_database_and_no_file_keeps_the_password(
    tmp_path: Path,
) -> None:
    settings = load_settings(None, environ=PARTS, dotenv=None)

    location = journal_location(tmp_path, settings.database, "live")
    note_journal(tmp_path, location)

    url = "postgresql://trader@db.local:6432/trading"
    assert location == PostgresAddress(url, "trading_live", "sesame")
    assert isinstance(location, PostgresAddress)
    assert location.password == "sesame"
    assert "sesame" not in f"{location} {location!r}"
    assert (tmp_path / "journal.path").read_text() == f"{url}#trading_live\n"
    found = find_journal(tmp_path, PARTS)
    assert isinstance(found, PostgresAddress)
    assert (found, found.password) == (location, "sesame")


def test_a_password_in_the_settings_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    for url in ("postgresql://me:sesame@db/x", "postgresql://db/x?password=sesame"):
        file.write_text(f"database: {{url: '{url}'}}\n")

        with pytest.raises(ConfigError) as caught:
            load_settings(file, environ={}, dotenv=None)

        assert "POSTGRES_PASSWORD" in str(caught.value)
        assert "sesame" not in str(caught.value)


def test_a_database_without_a_schema_is_refused() -> None:
    with pytest.raises(ConfigError, match="schema"):
        read_location("postgresql://db/x#a;b")


def test_another_kind_of_database_is_refused_and_its_password_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"found mysql://$") as refused:
        read_location("mysql://trader:sesame@db.local/trading")

    assert "sesame" not in str(refused.value)
