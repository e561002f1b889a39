"""The process that keeps the backup of a run; the system starts it with one argument, as JSON."""

import os
import signal
import sys
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from domain.errors import TradingError
from domain.text import plain
from infra.secrets.sealing import derived_key
from infra.secrets.sources import key_of
from infra.store.backup.keeper import (
    BackupKeeper,
    BackupState,
    read_state,
    remove_old,
    write_state,
)
from infra.store.backup.places import BackupPlace, open_place
from infra.store.backup.segment import PURPOSE
from infra.store.location import NoJournalError, find_journal

_NICE = 10


class BackupOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the process."""

    url: str
    key: str
    """Source of the key."""
    directory: str
    """Directory of the run."""
    every_s: float
    full_every_s: float
    keep_s: float
    parent: int
    """Process id of the system; if that is gone, this process ends."""


class Follower:
    """Polls for new facts of one run."""

    def __init__(self, options: BackupOptions) -> None:
        """Open the place and the key; nothing is read yet.

        Raises:
            ConfigError: the key is not available, or the kind of URL is unknown.
        """
        self._options = options
        self._directory = Path(options.directory)
        self._place: BackupPlace = open_place(options.url)
        self._key = derived_key(key_of(options.key), PURPOSE)
        self._is_asked_to_end = threading.Event()
        self._journal = find_journal(self._directory)
        self._state = read_state(self._directory)

    def end(self, *_: object) -> None:
        """Poll once more, and end."""
        self._is_asked_to_end.set()

    def run(self) -> None:
        """Poll until asked to end, or the system is gone."""
        with closing(
            BackupKeeper(self._place, self._key, self._journal, directory=self._directory)
        ) as keeper:
            is_over = False
            while not is_over:
                is_over = self._is_asked_to_end.wait(self._options.every_s)
                is_over |= os.getppid() != self._options.parent
                self._look(keeper)

    def _look(self, keeper: BackupKeeper) -> None:
        # The run may only now have noted where its journal is: an earlier location is another one.
        journal = find_journal(self._directory)
        if journal != self._journal:
            keeper.look_at(journal)
            self._journal = journal
        before = self._state if self._state.journal == str(journal) else BackupState()
        try:
            self._state = self._stepped(keeper, before)
        except NoJournalError:
            return  # the run has not stored anything yet
        except Exception as error:  # noqa: BLE001 (whatever it is: the next look may succeed)
            kind = "" if isinstance(error, TradingError) else f"{type(error).__name__}: "
            self._state = msgspec.structs.replace(before, trouble=plain(f"{kind}{error}"))
        with suppress(OSError):  # a state that is not written makes the backup look late
            write_state(self._directory, self._state)

    def _stepped(self, keeper: BackupKeeper, before: BackupState) -> BackupState:
        options, now = self._options, datetime.now(UTC)
        state = keeper.step(before, now, timedelta(seconds=options.full_every_s))
        if state.chain != before.chain:
            remove_old(self._place, now, timedelta(seconds=options.keep_s))
        return msgspec.structs.replace(state, journal=str(self._journal))


def main() -> None:
    """Follow a run."""
    os.nice(_NICE)
    follower = Follower(msgspec.json.decode(sys.argv[1], type=BackupOptions))
    signal.signal(signal.SIGTERM, follower.end)
    follower.run()


if __name__ == "__main__":
    main()
