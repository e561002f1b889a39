"""A backup is the journal: whole, up to any fact, and whatever is wrong with it is named."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from domain.errors import BadDataError, ConfigError
from domain.operator.commands import OUTDATED
from domain.operator.notices import Notice, NoticeKind
from domain.portfolio.protection import initial_state
from infra.run.restoring import choose_chain, restored
from infra.secrets.cipher import STATE, cipher_of
from infra.secrets.sources import write_new_key
from infra.secrets.vault import new_vault
from infra.store.backup.chain import (
    END,
    Chain,
    find_chains,
    problems,
    read_end,
    segment_name,
    segments,
)
from infra.store.backup.facts import last_of_unit
from infra.store.backup.keeper import BackupKeeper, BackupState, back_up, remove_old
from infra.store.backup.places import Folder
from infra.store.backup.restore import ALL, Until
from infra.store.backup.state_files import STATE_FILES, STATE_ROWS
from infra.store.copying import TableSum, sums
from infra.store.deliveries import Deliveries
from infra.store.journal import JournalStore
from infra.store.location import Location
from infra.store.notices import StoredNotices
from infra.store.opening import open_store
from infra.store.reading import open_reading
from infra.store.schema import MIGRATIONS
from tests.command.commands import application
from tests.store.facts import T_MS, entry, execution, store_one_of_each

KEY = bytes(range(32))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UNIT = 3
"""Facts that are stored together in `Growing`."""


class Growing:
    """A journal that grows by transactions of UNIT executions each, a second apart."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self.now_ms = T_MS
        self.store: JournalStore = open_store(location, lambda: self.now_ms, busy_timeout_ms=5_000)
        self.writer = self.store.open("execution/BTC", lambda: (7, 8))
        self.units = 0

    def grow(self) -> int:
        """Store one transaction more, and return its last fact."""
        self.now_ms += 1_000
        self.units += 1
        first = self.units * UNIT
        return self.writer.append(*(execution(first + n) for n in range(UNIT)))[-1]

    def close(self) -> None:
        self.writer.close()
        self.store.release()


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    with closing(Growing(tmp_path / "run" / "journal.sqlite")) as made:
        yield made


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "backups")


def keeper(place: Folder, location: Location, most_facts: int = 100) -> BackupKeeper:
    return BackupKeeper(place, KEY, location, most_facts=most_facts)


def chain_of(place: Folder, growing: Growing, segments: int) -> Chain:
    """Make a chain of so many segments."""
    state = BackupState()
    with closing(keeper(place, growing.location)) as made:
        for _ in range(segments):
            growing.grow()
            state = made.step(state, NOW, DAY)
    return choose_chain(place)


def sums_of(location: Location, through_fact: int | None = None) -> list[TableSum]:
    with closing(open_reading(location)) as reading:
        return sums(reading, through_fact)


def rows(location: Location, query: str) -> list[dict[str, object]]:
    with closing(open_reading(location)) as reading:
        return reading.rows(query)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_journal_comes_back_from_the_segments_of_its_growth_with_all_that_is_no_fact(
    request: pytest.FixtureRequest, tmp_path: Path, place: Folder, kind: str
) -> None:
    ends: list[Location] = [tmp_path / "run" / "journal.sqlite", tmp_path / "to" / "journal.sqlite"]
    if kind == "postgres":
        cluster = request.getfixturevalue("cluster")
        ends = [cluster.new_address(), cluster.new_address()]
    source, target = ends
    growing = Growing(source)
    store_one_of_each(growing.writer)
    notices = StoredNotices(growing.store)
    state = BackupState()
    with closing(keeper(place, source, most_facts=5)) as made:
        for number in range(3):
            growing.grow()
            told = Notice(
                key=f"{number}", kind=NoticeKind.SYSTEM, asset=None, cause="", t_ms=1, text="told"
            )
            notices.store(told, ["slack"], is_held_back=False, max_waiting=9)
            state = made.step(state, NOW, DAY)
        arrived = Deliveries(growing.store, "slack")
        first = arrived.next()
        assert first is not None
        arrived.mark_delivered(first)
        growing.grow()
        state = made.step(state, NOW, DAY)
    notices.close()
    growing.close()

    done = restored(place, KEY, choose_chain(place), tmp_path / "to", target)

    assert done.through_fact == state.fact
    assert sums_of(target, done.through_fact) == sums_of(source) == done.tables
    assert len(choose_chain(place).numbers) > 4
    query = "SELECT status, COUNT(*) AS n FROM delivery GROUP BY status ORDER BY status"
    assert [(r["status"], r["n"]) for r in rows(target, query)] == [
        ("DELIVERED", 1),
        ("WAITING", 2),
    ]


def test_what_an_exchange_on_this_machine_remembers_comes_back_as_it_was_last(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    file, sim = (tmp_path / "run" / name for name in STATE_FILES)
    state, facts = BackupState(), list[int]()
    with closing(BackupKeeper(place, KEY, growing.location, directory=file.parent)) as made:
        for content in ("a\nb\n", "a\nb\nc\nhalf", "a\nb\nc\n", "new\n", "new\nand\nmore\n"):
            growing.grow()
            file.write_text(content)
            state = made.step(state, NOW, DAY)
            facts.append(state.fact)
            sim.write_text("{}\n")

    chain, held = choose_chain(place), []
    for to, until in ((tmp_path / "all", ALL), (tmp_path / "cut", Until(fact=facts[1]))):
        restored(place, KEY, chain, to, to / "journal.sqlite", until)
        held.append([(to / name).read_text() for name in STATE_FILES])
        (to / "journal.sqlite").unlink()
        with pytest.raises(ConfigError, match=r"paper\.state: already exists"):
            restored(place, KEY, chain, to, to / "journal.sqlite", until)

    assert held == [["new\nand\nmore\n", "{}\n"]] * 2
    added = [len(r.get(STATE_ROWS, ())) for _, r in segments(place, chain, KEY)]
    assert added == [2, 2, 0, 1, 2]


def test_what_an_exchange_remembers_is_encrypted_where_its_directory_is(
    tmp_path: Path, place: Folder
) -> None:
    write_new_key(tmp_path / "key")
    (tmp_path / "to").mkdir()
    for name in ("run", "to"):
        new_vault(tmp_path / name, [f"file:{tmp_path / 'key'}"]).write()
    sealed = cipher_of(tmp_path / "run", STATE).line(b'{"initial_balance":"1000"}')
    (tmp_path / "run" / STATE_FILES[0]).write_bytes(sealed + b"\n")
    with closing(Growing(tmp_path / "run" / "journal.sqlite")) as growing:
        growing.grow()
        back_up(place, KEY, growing.location, tmp_path / "run", NOW)

    restored(place, KEY, choose_chain(place), tmp_path / "to", tmp_path / "to" / "journal.sqlite")

    (line,) = (tmp_path / "to" / STATE_FILES[0]).read_bytes().splitlines()
    assert line != sealed
    assert cipher_of(tmp_path / "to", STATE).read_line(line) == b'{"initial_balance":"1000"}'


def test_a_restored_journal_opens_nothing_and_is_called_an_older_copy_of_itself(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    state = initial_state(execution(1).price, T_MS)
    growing.writer.append(replace(state, epoch=4))
    chain_of(place, growing, 1)

    restored(place, KEY, choose_chain(place), tmp_path / "to", tmp_path / "to" / "journal.sqlite")

    with closing(Growing(tmp_path / "to" / "journal.sqlite")) as again:
        found = again.writer.newest_state()
        (command,) = again.writer.commands()
        with again.store.connected():
            again.store.check()
    assert found is not None
    assert (found.is_halted, found.epoch) == (True, 5)
    assert command.command == OUTDATED
    assert "its facts end 2025-04-16 11:25 UTC" in command.result


def test_any_fact_can_be_restored_to_and_no_transaction_is_cut(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    chain = chain_of(place, growing, 4)

    for fact in range(UNIT, 4 * UNIT + 1):
        to = tmp_path / f"{fact}"
        done = restored(place, KEY, chain, to, to / "journal.sqlite", Until(fact=fact))
        assert done.through_fact == fact - fact % UNIT
        assert sums_of(to / "journal.sqlite", done.through_fact) == done.tables
        (count,) = rows(to / "journal.sqlite", "SELECT COUNT(*) AS n FROM execution")
        assert count["n"] == done.through_fact
    to = tmp_path / "time"
    late = Until(time_ms=T_MS + 2_500)
    assert restored(place, KEY, chain, to, to / "journal.sqlite", late).through_fact == 2 * UNIT
    for until, said in (
        (Until(fact=100), "ends with fact 12, before fact 100"),
        (Until(fact=UNIT - 1), "holds no fact of that time"),
        (Until(time_ms=T_MS), "holds no fact of that time"),
    ):
        with pytest.raises(ConfigError, match=said):
            restored(place, KEY, chain, to / "2", to / "2" / "journal.sqlite", until)
        assert not (to / "2" / "journal.sqlite").exists()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12), st.data())
def test_a_cut_is_always_between_two_transactions(units: list[int], data: st.DataObject) -> None:
    facts = [
        {"writer": "w", "trace_id": None, "message_id": None, "recorded_ms": unit} for unit in units
    ]
    index = data.draw(st.integers(0, len(units) - 1))

    count = last_of_unit(facts, index)

    assert count <= index + 1
    assert count in (0, len(units)) or units[count - 1] != units[count]
    assert all(units[n - 1] == units[n] for n in range(count + 1, min(index + 2, len(units))))


def flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def swap(one: Path, other: Path) -> None:
    third = one.with_name("third")
    one.rename(third)
    other.rename(one)
    third.rename(other)


def test_whatever_is_wrong_with_a_backup_is_one_clear_line_and_nothing_is_restored_of_it(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    chain = chain_of(place, growing, 5)
    name = chain.name
    folder = tmp_path / "backups" / name
    files = [tmp_path / "backups" / segment_name(name, number) for number in range(6)]
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    other = place_of_another(tmp_path, growing)

    def now() -> list[str]:
        (found,) = find_chains(place)
        wrong = problems(place, found, KEY)
        to = tmp_path / "to"
        with pytest.raises((BadDataError, ConfigError)):
            restored(place, KEY, choose_chain(place), to, to / "journal.sqlite")
        assert not (tmp_path / "to" / "journal.sqlite").exists()
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        assert problems(place, chain, KEY) == []
        return wrong

    for at in (-1, -100, files[3].read_bytes().index(b"\n") + 3):
        flip(files[3], at)
        assert now() == [f"{name}, segment 3: is damaged: it is not what was sealed"]
    flip(files[3], 0)
    assert now() == [f"{name}, segment 3: is damaged: its header cannot be read"]
    files[3].write_bytes(files[3].read_bytes()[:-50])
    assert now() == [f"{name}, segment 3: is damaged: it is not what was sealed"]
    files[2].unlink()
    assert now() == [f"{name}: segment 2 is missing"]
    files[1].unlink()
    files[2].unlink()
    assert now() == [f"{name}: segments 1 to 2 are missing"]
    files[5].unlink()
    assert now() == [f"{name}: segment 5 is missing"]
    swap(files[2], files[3])
    assert now() == [
        f"{name}, segment 2: segment 3 of {name} is in its place",
        f"{name}, segment 3: segment 2 of {name} is in its place",
    ]
    shutil.copy(other, files[2])
    assert now() == [f"{name}, segment 2: segment 1 of {other.parent.name} is in its place"]
    (folder / END).unlink()
    assert now() == [f"{name}: is unfinished, {END} is missing"]
    flip(folder / END, 1)
    assert now() == [f"{name}: {END} is damaged"]
    assert len(problems(place, chain, bytes(32))) == 1
    assert "is sealed under the key" in problems(place, chain, bytes(32))[0]


def place_of_another(tmp_path: Path, growing: Growing) -> Path:
    """Return the first segment of another chain of the same journal."""
    other = Folder(tmp_path / "other")
    name = back_up(other, KEY, growing.location, tmp_path / "run", NOW).chain
    return tmp_path / "other" / segment_name(name, 1)


def test_a_segment_that_was_made_anew_does_not_fit_the_next_one(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    growing.grow()
    with closing(keeper(place, growing.location)) as made:
        state = made.step(BackupState(), NOW, DAY)
        end = tmp_path / "backups" / state.chain / END
        first_end = end.read_bytes()
        growing.grow()
        second = made.step(state, NOW, DAY)
        file = tmp_path / "backups" / segment_name(state.chain, 2)
        growing.grow()
        made.step(second, NOW, DAY)
        file.rename(tmp_path / "second")
    (tmp_path / "backups" / segment_name(state.chain, 3)).rename(tmp_path / "third")
    with closing(keeper(place, growing.location)) as made:
        end.write_bytes(first_end)
        made.step(state, NOW, DAY)
    (tmp_path / "third").rename(tmp_path / "backups" / segment_name(state.chain, 3))

    (chain,) = find_chains(place)
    assert problems(place, chain, KEY) == [
        f"{chain.name}, segment 3: does not follow segment 2: that one was replaced"
    ]


def test_a_copy_of_the_run_directory_that_is_behind_never_writes_over_a_backup(
    place: Folder, growing: Growing
) -> None:
    growing.grow()
    with closing(keeper(place, growing.location)) as made:
        older = made.step(BackupState(), NOW, DAY)
        growing.grow()
        newer = made.step(older, NOW, DAY)
        before = {name: data for name in place.names() for data in place.read([name])}
        growing.grow()

        with closing(keeper(place, growing.location)) as again:
            went_on = again.step(older, NOW, DAY)
        # The other one does not know yet that the chain is not as it knows it.
        with closing(keeper(place, growing.location)) as third:
            goes_on = third.step(newer, NOW, DAY)

    assert went_on.chain != older.chain
    assert goes_on.chain == newer.chain
    after = {name: data for name in place.names() for data in place.read([name])}
    kept = {name: data for name, data in before.items() if not name.endswith(END)}
    assert kept.items() <= after.items()
    for chain in find_chains(place):
        assert problems(place, chain, KEY) == []
        assert read_end(place, chain).through_fact == 3 * UNIT


def test_a_chain_that_has_lost_its_newest_segment_is_not_gone_on_with(
    place: Folder, growing: Growing
) -> None:
    chain = chain_of(place, growing, 2)
    state = BackupState(
        chain=chain.name,
        number=2,
        digest=read_end(place, chain).digest,
        fact=2 * UNIT,
        schema_version=len(MIGRATIONS),
    )
    place.remove([segment_name(chain.name, 2)])
    growing.grow()

    with closing(keeper(place, growing.location)) as made:
        after = made.step(state, NOW, DAY)

    assert after.chain != chain.name
    assert problems(place, choose_chain(place, after.chain), KEY) == []


def test_a_chain_whose_disk_is_no_longer_mounted_is_followed_by_a_whole_one(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    growing.grow()
    with closing(keeper(place, growing.location)) as made:
        before = made.step(BackupState(), NOW, DAY)
        Path(str(place)).rename(tmp_path / "not mounted")
        newest = growing.grow()

        after = made.step(before, NOW, DAY)

    (chain,) = find_chains(place)
    assert problems(place, chain, KEY) == []
    assert (chain.name, after.fact) == (after.chain, newest)


def test_two_systems_never_write_one_segment(place: Folder, growing: Growing) -> None:
    growing.grow()
    with closing(keeper(place, growing.location)) as one:
        state = one.step(BackupState(), NOW, DAY)
        with closing(keeper(place, growing.location)) as other:
            other.step(state, NOW, DAY)
            growing.grow()
            first = one.step(state, NOW, DAY)
            second = other.step(state, NOW, DAY)

    assert first.chain == state.chain
    assert second.chain != state.chain
    assert [problems(place, chain, KEY) for chain in find_chains(place)] == [[], []]


def test_a_chain_is_followed_by_another_and_old_ones_are_removed_but_never_the_newest_whole_one(
    tmp_path: Path, place: Folder, growing: Growing
) -> None:
    growing.grow()
    state, names = BackupState(), []
    with closing(keeper(place, growing.location)) as made:
        for days in range(4):
            growing.grow()
            state = made.step(state, NOW + days * DAY, DAY)
            names.append(state.chain)
    assert len(set(names)) == 4
    unfinished = tmp_path / "backups" / "20260105T000000Z-0" / "00000001.segment"
    unfinished.parent.mkdir()
    unfinished.touch()

    assert remove_old(place, NOW + 3 * DAY, 1.5 * DAY) == names[:2]
    assert remove_old(place, NOW + 300 * DAY, DAY) == names[2:3]
    assert [chain.name for chain in find_chains(place)] == [names[3], unfinished.parent.name]


def test_nothing_is_written_where_nothing_is_new(place: Folder, growing: Growing) -> None:
    growing.grow()
    with closing(keeper(place, growing.location)) as made:
        state = made.step(BackupState(), NOW, DAY)
        names = place.names()
        later = made.step(state, NOW + timedelta(seconds=5), DAY)

    assert place.names() == names
    assert later.complete_ms == state.complete_ms + 5_000


def command(*words: object) -> Result:
    """Run the command in this process, whose start would take longer than all that it does."""
    return CliRunner().invoke(application("backup"), [*map(str, words)], env={"COLUMNS": "200"})


def test_the_command_backs_up_lists_verifies_and_restores(tmp_path: Path, growing: Growing) -> None:
    key = tmp_path / "key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"backup: {{url: {tmp_path}/b, key: 'file:{key}'}}\n")
    growing.writer.append(entry())
    growing.grow()
    of = ("--settings", settings)
    to = tmp_path / "to"

    ran = command("run", *of, "--run-dir", tmp_path / "run")
    listed = command("list", *of)
    sound = command("verify", *of)
    done = command("restore", *of, "--to-dir", to, "--to", "2025-04-16T11:25:01")
    again = command("restore", *of, "--to-dir", to)
    (name,) = [chain.name for chain in find_chains(Folder(tmp_path / "b" / "sim"))]
    flip(tmp_path / "b" / "sim" / segment_name(name, 1), -1)
    damaged = command("verify", *of)
    none = command("list")

    assert ran.stdout == f"{name}: through fact 4 in 1 segment\n", ran.stderr
    assert listed.stdout.splitlines()[1].split() == [name, "1", "4", "2025-04-16", "11:25"]
    assert (sound.exit_code, sound.stdout) == (0, f"{name}: intact\n")
    assert f"{to}/journal.sqlite: restored through fact 4, stored" in done.stdout, done.stderr
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr.count("\n") == 1
    assert "already exists" in again.stderr
    assert (damaged.exit_code, damaged.stdout.count("\n")) == (1, 1)
    assert "is damaged" in damaged.stdout
    assert "backup.url: expected" in none.stderr
    assert "Traceback" not in done.stderr + again.stderr + damaged.stderr + none.stderr


def test_what_is_restored_is_encrypted_where_the_settings_want_it(
    tmp_path: Path, growing: Growing
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    settings = tmp_path / "settings.yaml"
    lines = (
        f"backup: {{url: {tmp_path}/b, key: 'file:{key}'}}",
        f"storage: {{encryption: on, key: 'file:{key}'}}",
    )
    settings.write_text("\n".join(lines))
    growing.grow()
    of, to = ("--settings", settings), tmp_path / "to"

    command("run", *of, "--run-dir", tmp_path / "run")
    done = command("restore", *of, "--to-dir", to)
    again = command("run", *of, "--run-dir", to)

    assert done.exit_code == 0, done.output
    assert not (to / "journal.sqlite").read_bytes().startswith(b"SQLite format 3")
    assert (
        len(rows(to / "journal.sqlite", "SELECT id FROM execution JOIN fact ON id = fact_id")) == 3
    )
    assert "through fact 4 in 1 segment" in again.stdout, again.output
