"""What the live terminal shows and steers of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from actors.operator.command_service import CommandService
from bin.bootstrap.run import Run
from bin.bootstrap.watching import FRESH_S
from domain.operator.commands import Command
from domain.operator.replies import Reply
from infra.operator.terminal.live.facts import facts_of
from infra.operator.terminal.live.rows import WIDE
from infra.operator.terminal.live.scene import Panel, Scene
from infra.operator.terminal.live.trace_line import trace_line
from infra.operator.terminal.live.view import OPERATOR
from infra.store.location import Location

_ANSWER_S = 0.3
"""How long a frame waits for the actors' answers; a late answer is shown in the next frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeredRun:
    """See `infra.operator.terminal.live.view.Run`."""

    run: Run
    commands: CommandService
    journal: Location
    events: Sequence[str]
    """The newest log lines, colored, oldest first."""

    def scene(self, panel: Panel) -> Scene:
        """Return the run as it is now."""
        trades, orders = facts_of(panel, self.journal)
        return Scene(
            seen=self.run.inspector.snapshot(_ANSWER_S, FRESH_S),
            rules=self.run.rules,
            events=[_event(line) for line in list(self.events)],
            trades=trades,
            orders=orders,
            trace=trace_line(self.run.recorder),
            panel=panel,
        )

    def answer(self, command: Command) -> Reply:
        """Carry out a confirmed command."""
        return self.commands.answer(OPERATOR, command, is_confirmed=True)

    def stop(self) -> None:
        """Stop in order."""
        self.run.stop_requested.set()

    def is_over(self) -> bool:
        """Tell whether the view should end."""
        return self.run.is_to_end()


def _event(line: str) -> Text:
    return Text.from_ansi(line.partition("\n")[0].replace(WIDE, ""))
