"""Buffers pushed executions until the exchange's list shows what happened before them."""

from collections.abc import Sequence

from domain.trading.positions import Execution

MOST_ROUNDS = 5
"""Number of rounds to wait for the list before pushed executions are booked without it."""


class ReorderBuffer:
    """Keeps pushed executions in the order in which they happened.

    Unexplained executions are booked as in the list, and later ones after them: the same fills in
    another order have a different average price, and a different profit.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: dict[str, Execution] = {}
        self._unexplained: set[str] = set()
        self._rounds = 0

    @property
    def are_waiting(self) -> bool:
        """Tell whether a pushed execution is not booked yet."""
        return bool(self._waiting)

    def take(self, execution: Execution, *, is_explained: bool) -> bool:
        """Tell whether an execution can be booked as pushed; otherwise it waits for the list."""
        if is_explained and not self._waiting:
            return True
        if not self._waiting:
            self._rounds = 0
        self._waiting.setdefault(execution.exec_id, execution)
        if not is_explained:
            self._unexplained.add(execution.exec_id)
        return False

    def overdue(self) -> list[Execution]:
        """Return, at the start of a round, what is to be booked without the list, oldest first."""
        self._rounds += 1
        if not self._waiting or self._rounds <= MOST_ROUNDS:
            return []
        # The list will show unexplained executions, however late.
        self._waiting = {
            exec_id: execution
            for exec_id, execution in self._waiting.items()
            if exec_id not in self._unexplained
        }
        return self._release([])

    def merge(self, listed: Sequence[Execution]) -> list[Execution]:
        """Return what can be booked from a list and from pushed executions, oldest first.

        Args:
            listed: oldest first. It may lag: anything newer than one that it lacks has to wait.
        """
        lacking = self._unexplained - {execution.exec_id for execution in listed}
        if lacking:
            first_ms = min(self._waiting[exec_id].ts_ms for exec_id in lacking)
            return [execution for execution in listed if execution.ts_ms < first_ms]
        return self._release(listed)

    def _release(self, listed: Sequence[Execution]) -> list[Execution]:
        told, self._waiting = self._waiting, {}
        self._unexplained.clear()
        known = {execution.exec_id: execution for execution in listed}
        younger = [execution for exec_id, execution in told.items() if exec_id not in known]
        return sorted([*listed, *younger], key=lambda execution: execution.ts_ms)
