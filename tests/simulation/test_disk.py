"""What is left on the disk after a power cut."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from domain.facts import ClosedCandle, Fact
from domain.operator.commands import CommandName, OperatorCommand
from domain.trading.trailing import StopMoved
from infra.store.journal import JournalStore
from infra.store.writer import JournalWriter
from tests.domain.builders import CANDLE_MS, candle
from tests.simulation.disk import Disk, PlayedEngine

T_MS = 1_744_802_700_000
SEEDS = range(40)


def closed(number: int) -> ClosedCandle:
    return ClosedCandle(asset="BTC", candle=candle(T_MS + (number + 1) * CANDLE_MS, 1.0))


def command() -> OperatorCommand:
    return OperatorCommand(
        command=CommandName.PANIC,
        arguments="",
        operator="somebody",
        result="closes all",
        ts_ms=T_MS,
        is_done=True,
    )


def stop_move() -> StopMoved:
    best, stop_loss = Decimal(100), Decimal(99)
    return StopMoved(asset="BTC", opened_ms=T_MS, best=best, stop_loss=stop_loss, ts_ms=T_MS)


def stored_through(
    folder: Path, seed: int, write: Callable[[JournalWriter, Disk], None]
) -> JournalWriter:
    """Write, cut the power, and open what is left."""
    disk = Disk(folder / f"{seed}.sqlite", Random(seed))
    journals = opened(disk)
    disk.hold()
    write(journals.open("portfolio", lambda: None), disk)
    if not disk.is_cut:
        disk.cut_power()
    journals.database.close()
    disk.come_back()
    return opened(disk).open("portfolio", lambda: None)


def opened(disk: Disk) -> JournalStore:
    return JournalStore(PlayedEngine(disk, busy_timeout_ms=1000), lambda: T_MS)


@pytest.mark.parametrize("fact", [command(), stop_move()], ids=["command", "stop move"])
def test_a_power_cut_takes_back_nothing_that_was_acted_upon(tmp_path: Path, fact: Fact) -> None:
    def write(journal: JournalWriter, _disk: Disk) -> None:
        journal.append(closed(0))
        journal.append(fact)
        journal.append(closed(1))

    for seed in SEEDS:
        left = stored_through(tmp_path, seed, write)

        assert [*left.commands(), *left.stop_moves("BTC", T_MS)] == [fact]
        assert left.candles("BTC")[0, 0] == T_MS


def test_a_power_cut_leaves_some_of_what_was_written_last_and_never_a_gap(tmp_path: Path) -> None:
    def write(journal: JournalWriter, _disk: Disk) -> None:
        journal.append(command())
        for number in range(6):
            journal.append(closed(number))

    counts = set()
    for seed in SEEDS:
        found = stored_through(tmp_path, seed, write).candles("BTC")
        counts.add(len(found))
        assert [(row[0] - T_MS) / CANDLE_MS for row in found] == list(range(len(found)))

    assert {0, 6} < counts


def test_a_power_cut_inside_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    def write(journal: JournalWriter, disk: Disk) -> None:
        for number in range(200):
            journal.append(closed(number))
            if number == 100:
                disk.checkpoint(is_cut=False)
        disk.checkpoint(is_cut=True)

    for seed in SEEDS[:10]:
        assert len(stored_through(tmp_path, seed, write).candles("BTC")) == 200
