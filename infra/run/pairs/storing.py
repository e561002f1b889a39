"""Changes of pairs stored by the portfolio, and the one it was asked to store."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from domain.errors import ConfigError
from domain.operator.commands import OperatorCommand
from domain.operator.pairs import PairAction, PairChange, asset_of_symbol, newest_changes
from domain.operator.replies import Reply, ReplyCode
from infra.run.pairs.members import Members, Origin
from infra.store.journal import JournalStore

_ANSWER_S = 10.0
"""How long to wait for the portfolio; what it stores later takes effect later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A change that the portfolio was asked to store."""

    change: PairChange
    answer: Future[OperatorCommand]
    finish: Callable[[OperatorCommand], Reply]
    undo: Callable[[], None]


class PairChanges:
    """Stored changes take effect, now or at the next start; others never happened."""

    def __init__(
        self,
        stored: Sequence[PairChange],
        members: Members,
        journals: JournalStore,
        on_more: Callable[[], None],
    ) -> None:
        """Take the stored changes.

        Args:
            stored: changes, oldest first.
            members: give access to the portfolio.
            journals: of the run.
            on_more: called when something needs another check.
        """
        self.stored = list(stored)
        """Oldest first."""
        self._members, self._journals, self._on_more = members, journals, on_more
        self._pending: _Pending | None = None

    @property
    def newest(self) -> dict[str, PairChange]:
        """The newest change of each symbol."""
        return newest_changes(self.stored)

    def leaving(self) -> set[str]:
        """Return the assets that leave once they are flat."""
        changes = self.newest.values()
        return {change.asset for change in changes if change.action is PairAction.REMOVE}

    @property
    def is_pending(self) -> bool:
        """Whether the portfolio has not answered yet."""
        return self._pending is not None

    def demand_settled(self) -> None:
        """Check that no change is waiting for the portfolio.

        Raises:
            ConfigError: one is.
        """
        if self._pending is not None:
            raise ConfigError(
                "the previous change waits for the portfolio; check with `pairs list`"
            )

    def store(
        self,
        change: PairChange,
        operator: str,
        origin: Origin,
        finish: Callable[[OperatorCommand], Reply],
        undo: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Let the portfolio check and store a change.

        Args:
            change: to be stored.
            operator: the requester.
            origin: the message that causes it.
            finish: called once it is stored; returns the answer.
            undo: called if it is not.
        """
        answer = self._members.ask_pair(change, operator, origin)
        pending = _Pending(change=change, answer=answer, finish=finish, undo=undo)
        return self._settle(pending, _ANSWER_S)

    def settle(self) -> Reply | None:
        """Process an answer that arrived late; None if none has."""
        if self._pending is None or not self._pending.answer.done():
            return None
        return self._settle(self._pending, 0.0)

    def _settle(self, pending: _Pending, patience_s: float) -> Reply:
        self._pending = None
        try:
            stored = pending.answer.result(patience_s)
        except TimeoutError:
            self._pending = pending
            self._on_more()
            title = "the portfolio has not answered yet; it is done once it has"
            return Reply(code=ReplyCode.LATE, title=title)
        except Exception as error:  # noqa: BLE001 (it may have died after it had stored it)
            found = self._found(pending.change)
            if found is None:
                pending.undo()
                return refused(f"the portfolio failed: {error}")
            stored = found
        if not stored.is_done:
            pending.undo()
            return refused(stored.result)
        self.stored.append(pending.change)
        self._on_more()
        return pending.finish(stored)

    def _found(self, change: PairChange) -> OperatorCommand | None:
        """Return the command with which a change was stored; None if it was not."""
        with self._journals.connected():
            commands = self._journals.open("pairs", lambda: None).commands()
        written = change.written()
        return next((c for c in reversed(commands) if c.arguments == written), None)


def done(title: str, name: str) -> Reply:
    """Return the reply to a change that was made."""
    return Reply(code=ReplyCode.DONE, title=title, data={"asset": asset_of_symbol(name)})


def refused(why: str) -> Reply:
    """Return the reply to a change that was not made."""
    return Reply(code=ReplyCode.REFUSED, title=why)
