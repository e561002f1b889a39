"""A portfolio whose journal refuses to store: it protects, forgets nothing, and grants nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from actors.core.messages import Message
from actors.messages import ClosePosition, Flatten, TransferSeen
from domain.operator.commands import Command, CommandName
from domain.trading.decisions import DenialReason
from domain.trading.orders import ExitReason
from domain.trading.transfers import Transfer
from infra.store.reserve import Reserve
from tests.actors.test_portfolio import CHECKS, START_MS, Desk, opened
from tests.domain.builders import CANDLE_MS, NOON_MS
from tests.hostile.refusing import REFUSALS, refusing

FILE = "j.sqlite"


@contextmanager
def desk_at(folder: Path, now_ms: int = START_MS) -> Iterator[Desk]:
    reserve = Reserve(folder / "j.reserve")
    with opened(folder, now_ms=now_ms, reserve=reserve, busy_timeout_ms=20) as made:
        yield made
    reserve.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path) as made:
        made.open_short("BTC", 20_000)
        yield made


def generation(desk: Desk) -> int:
    return next(c.generation for c in desk.supervisor.children() if c.spec.address == "portfolio")


def stored(desk: Desk) -> tuple[list[str], int]:
    """Return the commands that bind, and the newest epoch, as the journal has them."""
    with desk.journals.connected():
        samples = desk.journals.samples()
    writer = desk.journals.open("reader", lambda: None)
    commands = [command.command for command in writer.commands()]
    writer.close()
    return commands, samples[-1].epoch


@pytest.mark.parametrize("how", REFUSALS)
def test_a_panic_is_latched_told_and_booked_later_without_a_restart(
    desk: Desk, tmp_path: Path, how: str
) -> None:
    with refusing(desk.journals, tmp_path / FILE, how):
        assert desk.asked(Command(name=CommandName.PANIC)).is_done

        for asset in ("BTC", "ETH", "SOL"):
            assert desk.told(f"execution/{asset}", Flatten)
        assert desk.fired() == [ExitReason.OPERATOR]
        assert desk.snapshot().panic_since_ms is not None
        assert "wait to be stored: 1" in desk.snapshot().malfunctions["journal"]
        reader = desk.journals.open("execution/BTC", lambda: None)
        assert reader.newest_epoch() == 1
        reader.close()
        desk.wait(10 * CHECKS.every_ms)
    assert stored(desk) == ([], 0)

    desk.wait(2 * CHECKS.every_ms)

    assert stored(desk) == (["panic"], 1)
    assert generation(desk) == 1
    assert desk.journals.reserve.records() == []
    assert desk.snapshot().malfunctions == {}


def test_a_kill_forgets_neither_a_panic_nor_a_halt_that_could_not_be_stored(
    tmp_path: Path,
) -> None:
    with desk_at(tmp_path) as desk:
        desk.open_short("BTC", 20_000)
        with refusing(desk.journals, tmp_path / FILE, "full"):
            desk.mark("BTC", 22_000)
            desk.wait(CHECKS.every_ms)
            assert desk.fired() == [ExitReason.HALT]
            assert desk.asked(Command(name=CommandName.PANIC)).is_done
            # A new incarnation in the same process knows of them, still without any room.
            desk.tell(Message())
            assert generation(desk) == 2
            found = desk.snapshot()
            assert (found.is_halted, found.panic_since_ms is None) == (True, False)
            desk.supervisor.stop(10)

    with desk_at(tmp_path) as again:
        found = again.snapshot()
        assert (found.is_halted, found.panic_since_ms is None) == (True, False)
        assert stored(again) == (["panic"], 2)
        assert again.told("execution/BTC", Flatten)
        assert again.journals.reserve.records() == []


def test_an_emergency_closes_without_room(desk: Desk, tmp_path: Path) -> None:
    with refusing(desk.journals, tmp_path / FILE, "full"):
        desk.mark("BTC", 21_500)
        desk.wait(CHECKS.every_ms)

        closes = desk.told("execution/BTC", ClosePosition)
        assert isinstance(closes[0], ClosePosition)
        assert closes[0].reason is ExitReason.DRAWDOWN
        desk.tell(Message())  # nobody knows it: the portfolio crashes, and tells it again
        assert len(desk.told("execution/BTC", ClosePosition)) > len(closes)
    assert desk.fired() == [ExitReason.DRAWDOWN]


def test_nothing_is_granted_and_no_life_is_lost(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        with refusing(desk.journals, tmp_path / FILE, "full"):
            assert desk.denial(NOON_MS + CANDLE_MS) is DenialReason.MALFUNCTION
            assert desk.denial(NOON_MS + 2 * CANDLE_MS) is DenialReason.MALFUNCTION
        assert generation(desk) == 1
        desk.wait(2 * CHECKS.every_ms)

        assert desk.denial(NOON_MS + 3 * CANDLE_MS) is None


def test_what_would_open_again_is_refused_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    assert desk.asked(Command(name=CommandName.PAUSE, argument="ETH")).is_done
    with refusing(desk.journals, tmp_path / FILE, "full"):
        answer = desk.asked(Command(name=CommandName.RESUME, argument="ETH"))

        assert not answer.is_done
        assert "cannot be stored" in answer.result
        assert list(desk.snapshot().paused) == ["ETH"]
        assert desk.asked(Command(name=CommandName.PAUSE, argument="SOL")).is_done
        assert desk.asked(Command(name=CommandName.CLOSE, argument="BTC")).is_done
        assert desk.told("execution/BTC", ClosePosition)
    desk.wait(2 * CHECKS.every_ms)
    assert desk.asked(Command(name=CommandName.RESUME, argument="all")).is_done
    assert stored(desk)[0] == ["pause", "pause", "close", "resume"]
    assert generation(desk) == 1


def test_a_rearm_that_cannot_be_stored_ends_neither_halt_nor_doubt(
    desk: Desk, tmp_path: Path
) -> None:
    desk.mark("BTC", 22_000)
    desk.wait(CHECKS.every_ms)
    before = desk.snapshot()
    assert before.is_halted
    with refusing(desk.journals, tmp_path / FILE, "full"):
        assert not desk.asked(Command(name=CommandName.REARM)).is_done
        assert desk.snapshot() == before
    desk.wait(2 * CHECKS.every_ms)
    assert desk.asked(Command(name=CommandName.REARM)).is_done
    assert not desk.snapshot().is_halted


def test_a_transfer_moves_the_books_at_once_and_is_stored_once(desk: Desk, tmp_path: Path) -> None:
    transfer = Transfer(transfer_id="t1", ts_ms=START_MS, kind="", amount=Decimal(500))
    before = desk.snapshot().balance
    with refusing(desk.journals, tmp_path / FILE, "full"):
        desk.tell(TransferSeen(transfer=transfer), TransferSeen(transfer=transfer))
        assert desk.snapshot().balance == before + 500
    desk.wait(2 * CHECKS.every_ms)
    writer = desk.journals.open("reader", lambda: None)
    assert writer.transfers() == [transfer]
    writer.close()
    assert generation(desk) == 1
