"""What is recorded can be read again, whatever happens to the file or to the disk."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.trace import Call
from infra.store.trace_ids import SESSION, first_id, id_text, read_id
from infra.trace.frames import read_frames
from infra.trace.reader import TraceReader
from infra.trace.recorder import TraceRecorder, TraceRules, next_session
from infra.trace.records import Session

RULES = TraceRules(
    ring=10,
    flush_s=0.01,
    segment_bytes=1_000_000,
    segment_s=1e9,
    kept_bytes=100_000_000,
    kept_s=1e9,
    tick_every=1,
    crash_files=3,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    text: str


@dataclass(kw_only=True)
class Done:
    """A handling as the recorder gets it."""

    number: int
    receiver: str = "a"
    text: str = ""
    is_tick: bool = False
    outcome: str = "done"
    generation: int = 1
    calls: list = field(default_factory=list)
    told: list = field(default_factory=list)
    raised: object = None
    done_ns: int = 0

    def __post_init__(self) -> None:
        self.done_ns = self.done_ns or self.number
        self.envelope = SimpleNamespace(
            message=Note(text=self.text),
            message_id=self.number,
            parent_id=None,
            trace_id=self.number,
            sender="test",
            sender_generation=0,
            receiver=self.receiver,
            sent_ns=1,
            taken_ns=2,
            now_ms=1000 + self.number,
            is_tick=self.is_tick,
        )


def test_a_trace_tells_how_many_of_the_ticks_it_holds(tmp_path: Path) -> None:
    writer = TraceRecorder(tmp_path, Session(1, "test", 0, 0, "3", [], 5), RULES)
    writer.start([])
    writer.close()

    assert [session.tick_every for session in TraceReader(tmp_path).sessions()] == [5]


def recorder(folder: Path, rules: TraceRules = RULES, number: int = 1) -> TraceRecorder:
    session = Session(number, "test", time.time_ns() // 1_000_000, 0, "3", [])
    made = TraceRecorder(folder, session, rules)
    made.start([])
    return made


def record(folder: Path, handlings: list[Done], rules: TraceRules = RULES, number: int = 1) -> None:
    writer = recorder(folder, rules, number)
    for handling in handlings:
        writer(handling)
    writer.close()


def ids(folder: Path, **wanted: object) -> list[int]:
    return [found.handling.message_id for found in TraceReader(folder).read(**wanted)]


def test_what_ended_is_read_in_the_order_of_its_end(tmp_path: Path) -> None:
    handlings = [Done(number=n, receiver="abc"[n % 3]) for n in range(1, 50)]

    record(tmp_path, handlings)

    assert ids(tmp_path) == list(range(1, 50))
    assert ids(tmp_path, keys=["b"]) == list(range(1, 50, 3))
    assert ids(tmp_path, from_ms=1010, to_ms=1012) == [10, 11, 12]


def test_segments_are_rotated_by_size_and_the_oldest_are_deleted(tmp_path: Path) -> None:
    random = Random(1)
    rules = replace(RULES, segment_bytes=1, kept_bytes=6_000)

    for number in range(1, 10):
        noise = random.randbytes(600).hex()
        record(tmp_path, [Done(number=number, text=noise)], rules, number=next_session(tmp_path))

    kept = ids(tmp_path)
    assert kept == list(range(kept[0], 10))
    assert 1 < kept[0] < 9
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 8_000


def test_a_segment_that_is_old_enough_is_followed_by_another(tmp_path: Path) -> None:
    writer = recorder(tmp_path, replace(RULES, segment_s=0.0))
    writer(Done(number=1))
    deadline_s = time.monotonic() + 20
    while len(list(tmp_path.glob("*.trace"))) < 3 and time.monotonic() < deadline_s:
        threading.Event().wait(0.01)
    writer(Done(number=2))
    writer.close()

    assert len(list(tmp_path.glob("*.trace"))) >= 3
    assert ids(tmp_path) == [1, 2]


def test_segments_older_than_what_is_kept_are_deleted(tmp_path: Path) -> None:
    record(tmp_path, [Done(number=1)])
    old = next(tmp_path.glob("*.trace"))
    os.utime(old, (1, 1))

    record(tmp_path, [Done(number=2)], replace(RULES, kept_s=3600.0), number=2)

    assert ids(tmp_path) == [2]


@given(cut=st.integers(1, 2_000), seed=st.integers(0, 1_000))
def test_a_torn_end_is_skipped_with_a_note_and_the_rest_is_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    random = Random(seed)
    for number in range(1, 6):
        text = random.randbytes(50).hex()
        record(folder, [Done(number=number, text=text)], number=number)
    last = max(folder.glob("*.trace"))
    data = last.read_bytes()
    last.write_bytes(data[: max(0, len(data) - cut)])

    reader = TraceReader(folder)
    read = [found.handling.message_id for found in reader.read()]

    assert read == [1, 2, 3, 4]
    assert any("torn" in note for note in reader.notes) or len(data) <= cut


@given(place=st.integers(0, 10_000), value=st.integers(0, 255), seed=st.integers(0, 1000))
def test_a_damaged_byte_costs_one_frame_and_never_gives_a_wrong_record(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    random = Random(seed)
    texts = {number: random.randbytes(30).hex() for number in range(1, 9)}
    record(folder, [Done(number=n, receiver=f"r{n}", text=text) for n, text in texts.items()])
    file = next(folder.glob("*.trace"))
    data = bytearray(file.read_bytes())
    place %= len(data)
    is_changed, data[place] = data[place] != value, value
    file.write_bytes(data)

    reader = TraceReader(folder)
    read = {found.handling.message_id: found.handling for found in reader.read()}

    assert all(texts[number].encode() in bytes(h.payload) for number, h in read.items())
    # The first frame says whose session it is: without it nothing else can be told.
    assert len(read) >= (7 if place > 60 else 0)
    assert len(read) == 8 or (is_changed and reader.notes)


def test_a_trace_of_a_killed_process_is_readable_up_to_its_last_flush(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.trace.test_recorder import Done, recorder\n"
        "writer = recorder(Path(sys.argv[1]))\n"
        "number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    writer(Done(number=number))\n"
        "    if writer.bytes_written > 20_000:\n"
        "        print(number, flush=True)\n"
        "    time.sleep(0)\n"
    )
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()

    read = ids(tmp_path)

    assert len(read) > 100
    assert read == list(range(1, len(read) + 1))


def test_what_is_kept_in_memory_holds_no_histories(tmp_path: Path) -> None:
    call = Call("journal", "executions", ("BTC",), result=["as long as the run is old"])
    writer = recorder(tmp_path)

    writer(Done(number=1, calls=[call]))
    writer.close()
    writer.stopped_because = "a full disk"
    writer(Done(number=2, calls=[call]))

    assert [handling.number for handling in writer.recent] == [1, 2]
    assert [handling.calls for handling in writer.recent] == [[], []]
    assert ids(tmp_path) == [1]


def test_a_disk_that_fails_ends_the_tracing_and_is_said(tmp_path: Path) -> None:
    in_the_way = tmp_path / "trace"
    in_the_way.write_text("no directory")

    writer = recorder(in_the_way)
    writer._thread.join(20)
    writer(Done(number=1))

    assert writer.stopped_because is not None
    assert "trace" in writer.stopped_because
    assert [handling.number for handling in writer.recent] == [1]
    writer.close()


def test_a_full_disk_ends_the_tracing_and_is_said(tmp_path: Path) -> None:
    class OnFullDisk(TraceRecorder):
        def _open(self) -> None:
            self._file = Path("/dev/full").open("wb")  # noqa: SIM115 (the recorder closes it)

    writer = OnFullDisk(tmp_path, Session(1, "test", 0, 0, "3", []), RULES)
    writer.start([])
    writer(Done(number=1))
    writer._thread.join(20)

    assert "No space left" in str(writer.stopped_because)


def test_a_segment_is_never_overwritten(tmp_path: Path) -> None:
    record(tmp_path, [Done(number=1)])

    writer = recorder(tmp_path)
    writer(Done(number=2))
    writer.close()

    assert "File exists" in str(writer.stopped_because)
    assert ids(tmp_path) == [1]


def test_ticks_are_sampled_but_not_what_they_lead_to(tmp_path: Path) -> None:
    tick = SimpleNamespace(message_id=0, receiver="b", message=Note(text=""), is_tick=True)
    order = SimpleNamespace(message_id=0, receiver="b", message=Note(text=""), is_tick=False)
    handlings = [Done(number=n, is_tick=True, told=[tick]) for n in range(1, 11)]
    handlings[6].told.append(order)

    record(tmp_path, handlings, replace(RULES, tick_every=5))

    assert ids(tmp_path) == [5, 7]


def test_the_queue_is_bounded_and_what_was_dropped_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.trace.recorder._LONGEST_QUEUE", 5)
    writer = TraceRecorder(tmp_path, Session(1, "test", 0, 0, "3", []), RULES)
    for number in range(1, 9):
        writer(Done(number=number))
    writer.start([])
    writer.close()

    reader = TraceReader(tmp_path)

    assert [found.handling.message_id for found in reader.read()] == [1, 2, 3, 4, 5]
    assert any("3 messages were not recorded" in note for note in reader.notes)
    assert threading.active_count() < 50


def test_a_secret_in_an_exception_or_a_message_never_enters_the_trace(tmp_path: Path) -> None:
    error = SimpleNamespace(
        kind=ValueError,
        arguments=("refused key planted-8314",),
        cause="ValueError: refused key planted-8314",
        details="Traceback ... planted-8314",
    )
    call = SimpleNamespace(
        port="exchange", method="submit", arguments=(), result=None, raised=error, took_ns=1
    )
    rules = replace(RULES, secrets=("planted-8314",))

    crashed = Done(number=1, text="of planted-8314!", raised=error, calls=[call], outcome="crashed")
    record(tmp_path, [crashed], rules)

    (found,) = TraceReader(tmp_path).read()
    assert found.handling.raised is not None
    assert found.handling.raised.cause == "ValueError: refused key ************"
    assert found.handling.calls[0].raised is not None
    assert b"of ************!" in bytes(found.handling.payload)
    payloads = [f.payload() for f in read_frames(next(tmp_path.glob("*.trace")), [])]
    assert not any(b"planted" in payload for payload in payloads)


@given(session=st.integers(1, 100_000), number=st.integers(0, SESSION - 2))
def test_an_id_is_read_as_it_was_written(session: int, number: int) -> None:
    message_id = first_id(session) + number

    assert read_id(id_text(message_id)) == message_id
    assert read_id(str(message_id)) == message_id


def test_a_process_that_starts_anew_uses_no_id_of_an_earlier_one(tmp_path: Path) -> None:
    for _ in range(3):
        session = next_session(tmp_path)
        record(tmp_path, [Done(number=first_id(session) + n) for n in range(5)], number=session)

    assert len(set(ids(tmp_path))) == 15
    assert [session.number for session in TraceReader(tmp_path).sessions()] == [1, 2, 3]


@pytest.mark.parametrize("text", ["", ".", "1.", "a.b", "1.2.3", "-1"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert read_id(text) is None


def test_what_is_written_is_followed_once_each(tmp_path: Path) -> None:
    reader = None
    seen = []
    for number in (1, 2, 3):
        record(tmp_path, [Done(number=number)], number=number)
        reader = reader or TraceReader(tmp_path)
        seen += [found.handling.message_id for found in reader.follow(tmp_path)]

    assert seen == [1, 2, 3]


def test_a_message_that_cannot_be_stored_costs_only_itself_and_is_noted(tmp_path: Path) -> None:
    handlings = [Done(number=n) for n in (1, 2, 3)]
    handlings[1].envelope.message = Note(text=1 << 80)  # type: ignore[arg-type]

    record(tmp_path, handlings)

    reader = TraceReader(tmp_path)
    assert [found.handling.message_id for found in reader.read()] == [1, 3]
    assert any("a Note could not be recorded" in note for note in reader.notes)
