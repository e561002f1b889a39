"""Messages that crashed an actor outlive their process, until somebody deals with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.core.messages import Message
from actors.messages import ClosePosition, PositionChanged
from actors.trace_types import messages
from domain.market.instruments import MINUTE_MS
from domain.operator.replies import ReplyCode
from domain.trading.orders import ExitReason, Purpose
from infra.store.trace_ids import id_text
from infra.trace.names import FORMAT
from infra.trace.poison_files import PoisonFiles
from infra.trace.reader import TraceReader
from infra.trace.recorder import TraceRecorder, next_session
from infra.trace.records import Session
from tests.actors.test_dead_letters import CANDLE, NOW_MS, REJECTED, House
from tests.core.helpers import PATIENCE_S
from tests.domain.builders import funding
from tests.trace.test_recorder import RULES

FACT = PositionChanged(fact_id=7, execution=funding("-0.5"))
CLOSE = ClosePosition(asset="BTC", t_ms=NOW_MS, purpose=Purpose.EXIT, reason=ExitReason.REGIME)


@contextmanager
def process(run_dir: Path, expected: int = 0) -> Iterator[House]:
    """Be one process of a run, in which so many messages of earlier ones are set aside."""
    session = next_session(run_dir / "trace")
    recorder = TraceRecorder(
        run_dir / "trace", Session(session, "", 0, 0, "", [], 1, FORMAT), RULES
    )
    recorder.start([])
    house = House(recorder, session)
    house.world.crashes = False
    house.wait()
    kept = PoisonFiles(run_dir, messages(), session)
    house.dead_letters.recall(kept)
    kept.wait(PATIENCE_S)
    assert len(house.system.dead_letters) == expected
    yield house
    house.supervisor.stop(PATIENCE_S)
    recorder.close()


def crash_over(run_dir: Path, *found: Message) -> list[str]:
    with process(run_dir) as house:
        return [house.set_aside(message) for message in found]


def test_a_message_that_crashed_its_actor_is_looked_at_by_the_next_process(tmp_path: Path) -> None:
    wanted = crash_over(tmp_path, REJECTED, CANDLE)

    with process(tmp_path, 2) as house:
        listed = house.ask("deadletters").data["letters"]
        shown = house.ask(f"deadletters show {wanted[0]}").data
        own = house.set_aside(REJECTED)
        after = house.ask("deadletters").data["letters"]

    assert [each["id"] for each in listed] == wanted
    assert [each["message"] for each in listed] == ["OrderRejected", "CandleClosed"]
    assert listed[0]["cause"] == "ValueError: poison with ***"
    assert "BTC-1-entry-1" in shown["holds"]
    assert [each["id"] for each in after] == [*wanted, own]


def test_what_was_dropped_or_redelivered_never_comes_back(tmp_path: Path) -> None:
    dropped, given, left = crash_over(tmp_path, REJECTED, REJECTED, REJECTED)

    with process(tmp_path, 3) as house:
        assert house.ask(f"drop {dropped}").code is ReplyCode.DONE
        assert house.ask(f"redeliver {given}").code is ReplyCode.DONE
        assert house.world.handled == [REJECTED]

    with process(tmp_path, 1) as house:
        assert [each["id"] for each in house.ask("deadletters").data["letters"]] == [left]
    files = {file.stem: file for file in (tmp_path / "crashes").iterdir()}
    reader = TraceReader(files[f"asset-BTC-{dropped}"])
    newest = [id_text(found.handling.message_id) for found in reader.read()][-1]
    assert newest == dropped
    assert "an operator has dealt with it" in reader.notes[-1]


def test_one_that_crashes_again_in_the_next_process_is_kept_under_its_new_id(
    tmp_path: Path,
) -> None:
    (wanted,) = crash_over(tmp_path, REJECTED)

    with process(tmp_path, 1) as house:
        house.world.crashes = True
        assert house.ask(f"redeliver {wanted}").title.startswith("set aside again")
        house.wait()
        house.world.crashes = False

    with process(tmp_path, 1) as house:
        (letter,) = house.ask("deadletters").data["letters"]
        assert letter["id"] != wanted


@pytest.mark.parametrize(
    ("message", "waited_ms", "said"),
    [
        (FACT, 60 * MINUTE_MS, "already applied"),
        (CLOSE, 0, "can only be dropped: it could act on today's position"),
        (REJECTED, 16 * MINUTE_MS, "is older than 15 minutes"),
        (REJECTED, -MINUTE_MS, "is older than 15 minutes"),
    ],
)
def test_the_rules_of_redelivery_hold_over_a_restart(
    tmp_path: Path, message: Message, waited_ms: int, said: str
) -> None:
    (wanted,) = crash_over(tmp_path, message)

    with process(tmp_path, 1) as house:
        house.now_ms += waited_ms
        assert said in house.ask(f"redeliver {wanted}").title
        assert house.world.handled == []


def test_a_damaged_crash_file_hides_no_other(tmp_path: Path) -> None:
    crash_over(tmp_path, REJECTED, CANDLE)
    first, *_ = sorted((tmp_path / "crashes").iterdir())
    first.write_bytes(first.read_bytes()[:-9])

    with process(tmp_path, 1):
        pass
