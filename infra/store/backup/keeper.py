"""Keeps a backup of a growing journal: a chain that is started afresh now and then."""

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from domain.errors import BadDataError, JournalError
from infra.store.backup.chain import END, Chain, End, find_chains, read_end, segment_name
from infra.store.backup.facts import PIECE_FACTS, Piece, Point, read_piece
from infra.store.backup.places import BackupPlace
from infra.store.backup.segment import FIRST_PREVIOUS, Header, digest, key_id, seal
from infra.store.backup.state_files import STATE_ROWS, Mark, read_state_lines
from infra.store.location import Location
from infra.store.reading import Reading, open_reading
from infra.store.schema import MIGRATIONS

STATE_FILE = "backup.json"
"""Name of the file in the run directory."""
_NAME = "%Y%m%dT%H%M%SZ"


class BackupState(msgspec.Struct, kw_only=True):
    """What a run directory knows about its backup."""

    journal: str = ""
    """Location of the journal."""
    chain: str = ""
    """Empty: none has been started."""
    number: int = 0
    """Number of its newest segment."""
    digest: str = FIRST_PREVIOUS
    fact: int = 0
    recorded_ms: int = 0
    notice: int = 0
    waiting: Sequence[tuple[str, int]] = ()
    files: Mapping[str, Mark] = msgspec.field(default_factory=dict)
    """How far it covers the files of an exchange on this machine."""
    schema_version: int = 0
    complete_ms: int = 0
    """When it was last known to hold all facts, by the machine's clock."""
    trouble: str = ""
    """Why it cannot proceed."""

    @property
    def point(self) -> Point:
        """How far the backup covers the journal."""
        return Point(fact=self.fact, notice=self.notice, waiting=self.waiting)


def read_state(directory: Path) -> BackupState:
    """Return what a run directory knows about its backup; an empty state if there is none."""
    try:
        data = (directory / STATE_FILE).read_bytes()
        return msgspec.json.decode(data, type=BackupState)
    except (OSError, ValueError):
        return BackupState()


def write_state(directory: Path, state: BackupState) -> None:
    """Store a backup's state, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = directory / f".{STATE_FILE}.{os.getpid()}"
    unfinished.write_bytes(msgspec.json.encode(state))
    unfinished.replace(directory / STATE_FILE)


class BackupKeeper:
    """Adds what is new in a journal to a chain; used from one thread."""

    def __init__(
        self,
        place: BackupPlace,
        key: bytes,
        journal: Location,
        *,
        directory: Path | None = None,
        most_facts: int = PIECE_FACTS,
    ) -> None:
        """Remember the places; nothing is opened yet.

        Args:
            place: of the backups.
            key: 32 bytes.
            journal: of a running or finished run.
            directory: of the run if its exchange may be on this machine; None: it is elsewhere.
            most_facts: most facts in one segment.
        """
        self._place, self._key, self._journal = place, key, journal
        self._directory, self._most_facts = directory, most_facts
        self._reading: Reading | None = None
        self._is_known = False
        """At the end of the last step the chain at the place matched the state."""

    def look_at(self, journal: Location) -> None:
        """Back up another journal from now on: the run has created its journal elsewhere."""
        self.close()
        self._journal = journal

    def close(self) -> None:
        """Close the journal; the next step opens it again."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def step(self, state: BackupState, now: datetime, full_every: timedelta) -> BackupState:
        """Bring a backup up to date and return its new state.

        Args:
            state: as the last step left it.
            now: the machine's time, UTC.
            full_every: age after which a new chain is started.

        Raises:
            ConfigError: there is no journal.
            JournalError: the journal or the place cannot be reached.
        """
        if not self._goes_on(state, now, full_every):
            name = f"{now.strftime(_NAME)}-{secrets.token_hex(3)}"
            state = BackupState(chain=name, schema_version=len(MIGRATIONS))
        try:
            state = self._add_all(state)
        except FileExistsError:
            # Another process has continued this chain: leave it to that process.
            return self.step(BackupState(), now, full_every)
        self._is_known = True
        return msgspec.structs.replace(state, complete_ms=round(now.timestamp() * 1000), trouble="")

    def _goes_on(self, state: BackupState, now: datetime, full_every: timedelta) -> bool:
        """Tell whether a chain can be continued; the state may be an outdated copy."""
        if not state.chain or state.schema_version != len(MIGRATIONS):
            return False
        if now - began_at(state.chain) >= full_every:
            return False
        try:
            return self._end_of(state).digest == state.digest
        except BadDataError:
            return False

    def _end_of(self, state: BackupState) -> End:
        """Return how far the chain at the place reaches; the place may be a disk no longer mounted.

        Raises:
            BadDataError: it is not there, or does not match the state.
            JournalError: the place cannot be reached.
        """
        if self._is_known:
            with suppress(JournalError):  # listing all files each time would be expensive
                return read_end(self._place, Chain(name=state.chain, numbers=[], has_end=True))
        found = [chain for chain in find_chains(self._place) if chain.name == state.chain]
        if not found or found[0].numbers[-1:] != [state.number]:
            raise BadDataError(f"{state.chain}: does not end with segment {state.number}")
        return read_end(self._place, found[0])

    def _add_all(self, state: BackupState) -> BackupState:
        try:
            if self._reading is None:
                self._reading = open_reading(self._journal)
            while (piece := read_piece(self._reading, state.point, self._most_facts)) is not None:
                state = self._add(state, piece)
                if piece.is_last:
                    break
        except BaseException:
            self.close()
            raise
        return state

    def _add(self, state: BackupState, piece: Piece) -> BackupState:
        header = Header(
            chain=state.chain,
            number=state.number + 1,
            after_fact=state.fact,
            through_fact=piece.through.fact,
            recorded_ms=piece.recorded_ms or state.recorded_ms,
            schema_version=state.schema_version,
            key_id=key_id(self._key),
            previous=state.digest,
        )
        rows, marks = piece.rows, state.files
        if piece.is_last and self._directory is not None:
            # Read after the facts, so that the exchange knows at least every booked execution.
            found, marks = read_state_lines(self._directory, state.files)
            rows = {**rows, STATE_ROWS: found} if found else rows
        file = seal(header, rows, self._key)
        self._is_known = False
        self._place.add(segment_name(header.chain, header.number), file)
        state = msgspec.structs.replace(
            state,
            number=header.number,
            digest=digest(file),
            fact=header.through_fact,
            recorded_ms=header.recorded_ms,
            notice=piece.through.notice,
            waiting=piece.through.waiting,
            files=marks,
        )
        if piece.is_last:
            end = End(
                number=state.number,
                digest=state.digest,
                through_fact=state.fact,
                recorded_ms=state.recorded_ms,
            )
            self._place.put(f"{state.chain}/{END}", msgspec.json.encode(end))
        return state


def back_up(
    place: BackupPlace, key: bytes, journal: Location, directory: Path, now: datetime
) -> BackupState:
    """Start a chain with all facts of a journal and return its state.

    Raises:
        ConfigError: there is no journal.
        JournalError: the journal or the place cannot be reached.
    """
    with closing(BackupKeeper(place, key, journal, directory=directory)) as keeper:
        return keeper.step(BackupState(), now, timedelta(days=1))


def began_at(chain: str) -> datetime:
    """Return when a chain was started; the epoch if its name does not say."""
    try:
        return datetime.strptime(chain.partition("-")[0], _NAME).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def remove_old(place: BackupPlace, now: datetime, keep: timedelta) -> list[str]:
    """Remove the chains older than `keep`, but never the newest finished one or later ones.

    Returns:
        Names of the removed chains.

    Raises:
        JournalError: the place cannot be reached.
    """
    chains = find_chains(place)
    newest = max((chain.name for chain in chains if chain.has_end), default=None)
    old = [each for each in chains if newest and each.name < newest]
    old = [each for each in old if now - began_at(each.name) > keep]
    for chain in old:
        place.remove(chain.files)
    return [chain.name for chain in old]
