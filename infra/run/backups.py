"""What `bin/backup` does: backups of a run's journal, by the settings of that run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.errors import BadDataError, ConfigError
from infra.run.restoring import choose_chain, restored
from infra.secrets.sealing import derived_key
from infra.settings.sections.running import BackupSettings
from infra.store.backup.chain import End, find_chains, problems, read_end
from infra.store.backup.keeper import BackupState, back_up, remove_old
from infra.store.backup.places import BackupPlace, open_place
from infra.store.backup.restore import ALL, Restored, Until
from infra.store.location import Location

_PURPOSE = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One backup."""

    name: str
    segments: int
    end: End | None
    """None: it is unfinished, or its end cannot be read."""


def key_of(source: str) -> bytes:
    """Return the key of a source."""
    _, _, name = source.partition(":")
    try:
        key = bytes.fromhex(Path(name).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{source}: expected a key of 64 hexadecimal digits") from error
    return key


class Backups:
    """The backups of one mode's journal."""

    def __init__(self, settings: BackupSettings, mode: str) -> None:
        """Ask nothing yet.

        Args:
            settings: where they are, and under which key.
            mode: whose journal; each has a folder of its own.

        Raises:
            ConfigError: there are none by the settings, or the key cannot be had.
        """
        if settings.url is None or settings.key is None:
            raise ConfigError("backup.url: expected where the backups are, found null")
        self.place: BackupPlace = open_place(f"{settings.url.rstrip('/')}/{mode}")
        self.key = derived_key(key_of(settings.key), _PURPOSE)
        self._keep = timedelta(days=settings.keep_days)

    def run(self, journal: Location) -> tuple[BackupState, list[str]]:
        """Back a whole journal up, and return what was made and the names of what was removed.

        Raises:
            ConfigError: there is no journal.
            JournalError: the journal or the backups cannot be reached.
        """
        now = datetime.now(UTC)
        made = back_up(self.place, self.key, journal, now)
        return made, remove_old(self.place, now, self._keep)

    def listed(self) -> Iterator[Listed]:
        """Yield all backups, oldest first.

        Raises:
            JournalError: the backups cannot be reached.
        """
        for chain in find_chains(self.place):
            try:
                end = read_end(self.place, chain)
            except BadDataError:
                end = None
            yield Listed(name=chain.name, segments=len(chain.numbers), end=end)

    def verify(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the name of each backup with what is wrong with it, a line each.

        Raises:
            JournalError: the backups cannot be reached.
        """
        for chain in find_chains(self.place):
            yield chain.name, problems(self.place, chain, self.key)

    def restore(
        self, directory: Path, target: Location, until: Until = ALL, name: str | None = None
    ) -> Restored:
        """Make a journal of the newest backup, or of the one of a name. See `restored`.

        Raises:
            ConfigError: the backup is none, or is not whole, or there is a journal already.
            JournalError: the backups or the database cannot be reached.
        """
        chain = choose_chain(self.place, name)
        try:
            return restored(self.place, self.key, chain, directory, target, until)
        except BadDataError as error:
            text = f"nothing was restored: {error}; --backup names an older one"
            raise ConfigError(text) from error
