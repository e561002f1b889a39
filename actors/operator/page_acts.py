"""Executes commands pressed on the page, once, and only while their premises still hold."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from actors.operator.command_service import CommandService
from domain.operator.acts import PageAct, outdated_by
from domain.operator.replies import Reply, ReplyCode
from domain.portfolio.snapshots import PortfolioSnapshot

_REMEMBERED = 1000
"""Number of remembered commands; repeats of older ones are not recognized."""
_ANSWER_S = 60.0


class PageActs:
    """Passes pressed commands on to the command service. Thread-safe."""

    def __init__(
        self, commands: CommandService, portfolio: Callable[[], PortfolioSnapshot | None]
    ) -> None:
        """Start without commands.

        Args:
            commands: executes them.
            portfolio: returns its newest state; None if it does not answer.
        """
        self._commands = commands
        self._portfolio = portfolio
        self._lock = threading.Lock()
        self._answers: dict[str, Future[Reply]] = {}

    def do(self, act: PageAct) -> Reply:
        """Return the answer to a pressed command; a repeat of it gets the same answer."""
        with self._lock:
            known = self._answers.get(act.act_id)
            if known is None:
                mine: Future[Reply] = Future()
                self._answers[act.act_id] = mine
                if len(self._answers) > _REMEMBERED:
                    del self._answers[next(iter(self._answers))]
        if known is not None:
            return known.result(_ANSWER_S)
        try:
            mine.set_result(self._do(act))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def _do(self, act: PageAct) -> Reply:
        operator = f"web/{act.user}"
        portfolio = self._portfolio()
        found = None
        if portfolio is not None:
            found = {asset: each.signed_qty for asset, each in portfolio.positions.items()}
        outdated = outdated_by(act, found)
        if outdated is not None:
            self._commands.note_access(operator, f"press {act.command}", outdated)
            return Reply(code=ReplyCode.REFUSED, title=outdated)
        return self._commands.answer(operator, act.command, is_confirmed=act.is_confirmed)
