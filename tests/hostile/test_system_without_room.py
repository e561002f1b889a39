"""The whole system while its journal refuses to store: a panic ends flat, nobody loses a life."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from actors.core.envelope import Origin
from actors.operator.command_service import CommandService
from bin.bootstrap.operator_ways import make_commands
from domain.operator.commands import fold
from domain.operator.replies import Reply, ReplyCode
from tests.chaos.harness.journal_view import read_journal
from tests.hostile.refusing import REFUSALS, refusing
from tests.system.floor import Floor, floor


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Floor]:
    with floor(tmp_path / "var") as made:
        made.wait_for_trades(1)
        yield made


@pytest.fixture
def desk(here: Floor) -> Iterator[CommandService]:
    def no_reload(operator: str, origin: Callable[[], Origin]) -> Reply:
        raise AssertionError((operator, origin))

    made = make_commands(here.run, here.folder, no_reload, {})
    with ExitStack() as held:
        held.callback(made.close)
        made.panic_file.start()
        held.callback(made.panic_file.close)
        yield made


def generations(here: Floor) -> dict[str, tuple[int, list[str]]]:
    """Return each actor's incarnation, and what ended those before it."""
    return {
        child.spec.address: (child.generation, [report.cause for report in child.reports])
        for child in here.run.supervisor.children()
    }


def is_shown_flat(here: Floor) -> bool:
    found = here.run.portfolio_snapshot()
    return found is not None and found.panic_since_ms is not None and not found.not_flat


def entries(here: Floor) -> set[str]:
    orders = here.records()["orders"]
    return {row["orderLinkId"] for row in orders if "-entry-" in row["orderLinkId"]}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_panic_ends_flat_at_the_exchange_and_is_booked_once_there_is_room(
    here: Floor, desk: CommandService, how: str
) -> None:
    here.wait(here.held, "an open position")
    before = generations(here)
    with refusing(here.run.ports.journals, here.journal, how):
        assert desk.answer_text("cli", "panic").code is ReplyCode.CONFIRM
        assert desk.answer_text("cli", "panic").code is ReplyCode.DONE
        assert not (here.folder / "PANIC").exists()  # the reserve has it

        here.wait(lambda: not here.held(), "nothing is open at the exchange")
        status = desk.answer_text("cli", "status")
        assert status.code is ReplyCode.DONE
        assert any("PANIC since" in line for line in status.lines)
        assert any(line.startswith("Broken:") for line in status.lines)
        opened = entries(here)
        here.wait(lambda: is_shown_flat(here), "all were shown to be flat")
        assert read_journal(here.journal).commands == ()
    here.wait_until_agreed()

    def is_stored() -> bool:
        commands = [command for _, command in read_journal(here.journal).commands]
        return fold(commands, ["BTC", "ETH", "SOL"]).panic is not None

    here.wait(is_stored, "the panic is stored")
    here.wait(lambda: not here.run.ports.journals.reserve.records(), "the reserve is empty")
    assert generations(here) == before
    assert entries(here) == opened
    here.wait(lambda: is_shown_flat(here), "all were shown to be flat, by the stored panic too")
    assert desk.answer_text("cli", "rearm").code is ReplyCode.CONFIRM
    assert desk.answer_text("cli", "rearm").code is ReplyCode.DONE
    here.wait_for_trades(1)
    here.wait_until_agreed()
    assert here.broken_promises() == []
