"""What the operator can still ask and do while nothing can be stored."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from actors.core.envelope import Origin
from actors.operator.command_service import CommandService
from bin.bootstrap.operator_ways import make_commands
from domain.errors import JournalError, TradingError
from domain.operator.commands import CommandName
from domain.operator.replies import Reply, ReplyCode
from infra.drills.broken_database import Damage, refuse
from infra.operator.panic_file import PanicFile
from infra.store.audit import read_audit
from tests.system.floor import Floor, floor

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("run") / "var") as made:
        yield made


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def commands(here: Floor, tmp_path: Path, done: list[str]) -> Iterator[CommandService]:
    """Return a desk of a run in which nobody can store anything."""
    journals = here.run.ports.journals
    usual, journals.before_write = journals.before_write, partial(refuse, damage=Damage.READ_ONLY)

    def reload(operator: str, _: Callable[[], Origin]) -> Reply:
        done.append(operator)
        return Reply(code=ReplyCode.DONE, title="reloaded")

    def log(level: str) -> Reply:
        done.append(level)
        return Reply(code=ReplyCode.DONE, title="logging")

    made = make_commands(here.run, tmp_path, reload, {CommandName.LOG: log})
    with ExitStack() as held:
        held.callback(setattr, journals, "before_write", usual)
        held.callback(made.close)
        made.panic_file.start()
        held.callback(made.panic_file.close)
        yield made


@pytest.mark.parametrize("question", ["status", "risk", "daily", "trades"])
def test_a_question_is_answered_with_a_warning_each_time(
    commands: CommandService, question: str
) -> None:
    for _ in range(2):
        reply = commands.answer_text("cli", question)

        assert reply.code is ReplyCode.DONE, reply
        assert "could not be recorded" in reply.lines[-1]
        assert "readonly" in reply.lines[-1]


@pytest.mark.parametrize("order", ["reload", "log DEBUG", "restart asset/BTC"])
def test_an_order_that_cannot_be_stored_is_refused_and_not_done(
    here: Floor, commands: CommandService, done: list[str], order: str
) -> None:
    def lives() -> list[int]:
        return [child.generation for child in here.run.supervisor.children()]

    before = lives()

    reply = commands.answer_text("cli", order)

    assert reply.code is ReplyCode.REFUSED
    assert reply.title.startswith(f"{order} is not done, because it cannot be stored")
    assert "\n" not in reply.text
    assert (done, lives()) == ([], before)


def test_an_access_that_cannot_be_stored_is_told_and_ends_nothing(commands: CommandService) -> None:
    with pytest.raises(JournalError):
        commands.note_access("http/127.0.0.1", "GET /status", "wrong token")

    assert commands.answer_text("cli", "version").code is ReplyCode.DONE


def test_a_panic_goes_on(here: Floor, commands: CommandService) -> None:
    assert "could not be recorded" in commands.answer_text("cli", "panic").text

    assert commands.answer_text("cli", "panic").code is ReplyCode.DONE

    here.run.ports.journals.before_write = lambda _database: None

    def is_stored() -> bool:
        # Whichever the portfolio took first: the command, or the file that it left.
        return any(": panic ->" in entry.what for entry in read_audit(here.journal))

    here.wait(is_stored, "the panic is stored")


class TestPanicFile:
    def test_a_panic_is_carried_where_its_file_cannot_be_made(self, tmp_path: Path) -> None:
        carried = threading.Event()
        asked: list[str] = []

        def ask(who: str) -> bool:
            asked.append(who)
            if len(asked) == 2:
                carried.set()
            return len(asked) == 2

        # No directory: the file cannot be made, as in one that is not writable.
        file = PanicFile(tmp_path / "gone", ask)
        file.request("SIGUSR2")
        assert not file.wait_taken(0)
        file.start()
        try:
            assert carried.wait(PATIENCE_S)
            assert file.wait_taken(PATIENCE_S)
            assert asked == ["SIGUSR2", "SIGUSR2"]
        finally:
            file.close()


def test_a_journal_that_cannot_be_opened_is_one_error(here: Floor) -> None:
    journals = here.run.ports.journals

    def use() -> None:
        with journals.connected():
            journals.database.pragma("query_only", 1)
            journals.write_meta("x", "y")

    with pytest.raises(JournalError, match="readonly") as found:
        use()
    assert isinstance(found.value, TradingError)
