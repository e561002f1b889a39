"""What `bin/backup` does: backups of a run's journal, by the settings of that run."""

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
    """The backups of one mode's journal; its settings are read once they are needed."""

    def __init__(self, settings: Path | None, mode: str, run_dir: Path | None, var: Path) -> None:
        """Read nothing yet.

        Args:
            settings: file with what differs from the project's own.
            mode: whose journal; each has a folder of its own at the place of the backups.
            run_dir: of the run; None: the mode's own.
            var: where those are.
        """
        self._file, self._mode = settings, mode
        self._run_dir, self._var = run_dir, var

    def run(self) -> tuple[BackupState, list[str]]:
        """Back a whole journal up, and return what was made and the names of what was removed.

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
        """Yield the name of each backup with what is wrong with it, a line each."""
        place, key = opened(self._settings().backup, self._mode)
        for chain in find_chains(place):
            yield chain.name, problems(place, chain, key)

    def restore(self, directory: Path | None, until: Until, name: str | None) -> Restored:
        """Make a journal of the newest backup, or of the one of a name.

        Args:
            directory: of the run that is to go on with it; None: as it was named.
            until: which facts are wanted.
            name: of the backup.

        Raises:
            ConfigError: the backup is none, or is not whole, or there is a journal already.
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
    """Return where the backups of a mode's journal are, and their key.

    Raises:
        ConfigError: there are none by the settings, or the key cannot be had.
    """
    if settings.url is None or settings.key is None:
        raise ConfigError("backup.url: expected the place of the backups, found null")
    place = open_place(f"{settings.url.rstrip('/')}/{read_run_name(mode)}")
    return place, derived_key(key_of(settings.key), PURPOSE)


def read_until(text: str | None) -> Until:
    """Return which facts `--to` means: up to a number, or a time.

    Raises:
        ConfigError: it is neither.
    """
    if text is None:
        return ALL
    return Until(fact=int(text)) if text.isdecimal() else Until(time_ms=read_time("--to", text))
