"""The actions of `bin/backup`: backups of a run's journal, by the settings of that run."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.errors import BadDataError, ConfigError
from infra.files import make_folder
from infra.process.times import read_time
from infra.run.encryption import prepare_encryption
from infra.run.restoring import choose_chain, restored
from infra.secrets.sealing import derived_key
from infra.secrets.sources import key_of
from infra.settings import Settings, SettingsSource, default_dotenv
from infra.settings.sections.running import BackupSettings
from infra.store.backup.chain import Listed, find_chains, list_chains, problems
from infra.store.backup.keeper import BackupState, back_up, remove_old
from infra.store.backup.places import BackupPlace, open_place
from infra.store.backup.restore import ALL, Restored, Until
from infra.store.backup.segment import PURPOSE
from infra.store.location import find_journal, journal_location
from infra.venues.modes import read_run_name


class Backups:
    """The backups of one mode's journal; the settings are read when needed."""

    def __init__(self, settings: Path | None, mode: str, run_dir: Path | None, var: Path) -> None:
        """Keep the options; nothing is read yet.

        Args:
            settings: file with overrides of settings.yaml.
            mode: of the journal; each has a folder of its own at the place of the backups.
            run_dir: of the run; None: the mode's default.
            var: folder of the default directories.
        """
        self._file, self._mode = settings, mode
        self._run_dir, self._var = run_dir, var

    def run(self) -> tuple[BackupState, list[str]]:
        """Back up a whole journal, and return the new backup and the names of removed ones.

        Raises:
            ConfigError: there is no journal, or the settings name no backups.
            JournalError: the journal or the backups cannot be reached.
        """
        settings, now = self._settings(), datetime.now(UTC)
        place, key = opened(settings.backup, self._mode)
        directory = self._directory(None)
        made = back_up(place, key, find_journal(directory), directory, now)
        return made, remove_old(place, now, timedelta(days=settings.backup.keep_days))

    def listed(self) -> Iterator[Listed]:
        """Yield all backups, oldest first. Raises as `run`."""
        place, _ = opened(self._settings().backup, self._mode)
        return list_chains(place)

    def verify(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the name of each backup with its problems, one line each."""
        place, key = opened(self._settings().backup, self._mode)
        for chain in find_chains(place):
            yield chain.name, problems(place, chain, key)

    def restore(self, directory: Path | None, until: Until, name: str | None) -> Restored:
        """Restore the journal from the newest backup, or from a named one.

        Args:
            directory: of the run that will continue with it; None: the one given before.
            until: which facts to restore.
            name: of the backup.

        Raises:
            ConfigError: there is no such backup, it is damaged, or there is a journal already.
            JournalError: the backups or the database cannot be reached.
        """
        settings, path = self._settings(), self._directory(directory)
        place, key = opened(settings.backup, self._mode)
        make_folder(path)
        prepare_encryption(settings, path)
        target = journal_location(path, settings.database, self._mode)
        try:
            return restored(place, key, choose_chain(place, name), path, target, until)
        except BadDataError as error:
            text = f"nothing was restored: {error}; --backup names an older one"
            raise ConfigError(text) from error

    def _settings(self) -> Settings:
        return SettingsSource(self._file, environ=os.environ, dotenv=default_dotenv()).settings()

    def _directory(self, named: Path | None) -> Path:
        return named or self._run_dir or self._var / read_run_name(self._mode)


def opened(settings: BackupSettings, mode: str) -> tuple[BackupPlace, bytes]:
    """Return the place of a mode's backups, and their key.

    Raises:
        ConfigError: the settings name none, or the key is not available.
    """
    if settings.url is None or settings.key is None:
        raise ConfigError("backup.url: expected the place of the backups, found null")
    place = open_place(f"{settings.url.rstrip('/')}/{read_run_name(mode)}")
    return place, derived_key(key_of(settings.key), PURPOSE)


def read_until(text: str | None) -> Until:
    """Return which facts `--to` selects: up to a fact id, or a time.

    Raises:
        ConfigError: it is neither.
    """
    if text is None:
        return ALL
    return Until(fact=int(text)) if text.isdecimal() else Until(time_ms=read_time("--to", text))
