"""All ways in which commands come to a run: the file PANIC, Telegram, HTTP."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from starlette.routing import BaseRoute

from actors.operator.command_service import CommandService, Handler, PairsHandler, Reloader
from actors.operator.page_acts import PageActs
from actors.operator.views import Views
from actors.trace_types import messages
from bin.bootstrap.run import Run
from bin.bootstrap.watching import FRESH_S
from domain.operator.commands import CommandName
from infra.operator.control.page_routes import page_routes
from infra.operator.control.server import ControlServer
from infra.operator.control.tally import Tally
from infra.operator.log_level import change_level
from infra.operator.notices.telegram_commands import by_telegram
from infra.operator.panic_file import PanicFile
from infra.operator.reload import Reload
from infra.operator.story import tell_why
from infra.process.version import program_version
from infra.settings import Settings
from infra.store.location import find_journal
from infra.trace.poison_files import PoisonFiles

_ANSWER_S = 0.3
"""How long the page waits for the actors' answers; a late answer is shown the next time."""


@contextmanager
def open_office(
    run: Run,
    settings: Settings,
    reload: Reload,
    pairs: PairsHandler,
    directory: Path,
    routes: Iterable[BaseRoute] = (),
    tally: Tally | None = None,
) -> Iterator[CommandService]:
    """Take commands while a run is going on.

    Args:
        run: whose actors were started.
        settings: of the run.
        reload: does the command of that name.
        pairs: likewise.
        directory: of the run.
        routes: more routes of the HTTP interface.
        tally: counts its requests.

    Raises:
        ConfigError: the HTTP interface cannot be opened.
    """
    journal = find_journal(directory)
    more: Mapping[CommandName, Handler] = {
        CommandName.LOG: change_level,
        CommandName.WHY: partial(tell_why, journal, directory),
    }
    commands = make_commands(run, directory, reload, more, pairs)
    session = 0 if run.recorder is None else run.recorder.session.number
    commands.recall(PoisonFiles(directory, messages(), session))
    with ExitStack() as held:
        held.callback(commands.close)
        commands.panic_file.start()
        held.callback(commands.panic_file.close)
        if run.inbox is not None:
            run.inbox.handle = by_telegram(commands.answer_text)
        if settings.control.enabled:
            seen = partial(run.inspector.snapshot, _ANSWER_S, FRESH_S)
            server = ControlServer(
                settings.control,
                directory,
                lambda who, command, is_confirmed: commands.answer(
                    who, command, is_confirmed=is_confirmed
                ),
                commands.note_access,
                [*routes, *page_routes(seen, PageActs(commands, run.portfolio_snapshot).do)],
                tally,
            )
            held.callback(server.close)
        yield commands


def make_commands(
    run: Run,
    directory: Path,
    reload: Reloader,
    more: Mapping[CommandName, Handler],
    pairs: PairsHandler | None = None,
) -> CommandService:
    """Return the command service of a run, which all ways share."""
    store = run.ports.journals
    views = Views(
        run,
        store,
        run.channels,
        program_version(),
        lambda: run.health() if run.health else {},
        run.inspector.snapshot,
    )
    return CommandService(
        run, views, store, run.channels, partial(PanicFile, directory), reload, more, pairs
    )
