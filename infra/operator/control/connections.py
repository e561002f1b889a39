"""Which connections are kept open: few that have shown no valid token, and none that only waits."""

import resource
from collections import Counter
from collections.abc import Callable
from typing import Protocol

REQUEST_S = 5.0
"""How long a whole request may take to arrive, from the connection's start or the last answer."""
ANSWER_S = 60.0
"""How long an answer to one who bears the token may take to be made and read."""
EXTENSION = "control.connection"
"""In a request's scope, among its extensions: the `Connection` that it came by."""
_MOST_STRANGERS = 32
_BEARERS_PER_STRANGER = 4


class Connection(Protocol):
    """One connection of a client."""

    host: str
    """Address of the client."""
    is_waiting: bool
    """No request is being answered."""

    def abort(self) -> None:
        """Close it at once, whatever was to be sent."""

    def admit(self) -> bool:
        """Count it among those that bear the token; False where there are too many."""

    def begin_answer(self) -> None:
        """Take note that a request is whole and is being answered."""


class Connections:
    """Counts the open connections, and closes the oldest ones where too many are open.

    Always true: at most `most_strangers` have not shown the token, whatever comes; so those who
    bear it always find room. Who opens many closes its own first.
    """

    def __init__(
        self, tell: Callable[[str], None], *, most_strangers: int, most_bearers: int
    ) -> None:
        """Know of none.

        Args:
            tell: takes what was done to a connection; may be called very often.
            most_strangers: connections that have not shown the token.
            most_bearers: connections that have.
        """
        self._tell = tell
        self._most_strangers, self._most_bearers = most_strangers, most_bearers
        # Oldest first.
        self._strangers: dict[Connection, None] = {}
        self._bearers: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        """Take in a new one; it may be the last of too many."""
        self._strangers[connection] = None
        if len(self._strangers) > self._most_strangers:
            self._close_oldest()

    def are_full(self) -> bool:
        """Tell whether the next stranger's closes another."""
        return len(self._strangers) >= self._most_strangers

    def admit(self, connection: Connection) -> bool:
        """Count one as a bearer of the token from now on; False where all others are at work."""
        if connection in self._bearers:
            return True
        if len(self._bearers) >= self._most_bearers:
            oldest = next((each for each in self._bearers if each.is_waiting), None)
            if oldest is None:
                return False
            self._close(oldest)
        self._strangers.pop(connection, None)
        self._bearers[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed."""
        self._strangers.pop(connection, None)
        self._bearers.pop(connection, None)

    def _close_oldest(self) -> None:
        """Close the oldest stranger's of the address that has most, an idle one where it can be."""
        ((busiest, _),) = Counter(each.host for each in self._strangers).most_common(1)
        theirs = [each for each in self._strangers if each.host == busiest]
        self._close(next((each for each in theirs if each.is_waiting), theirs[0]))

    def _close(self, connection: Connection) -> None:
        self.remove(connection)
        connection.abort()
        self._tell("closed because too many were open")


def shares() -> tuple[int, int]:
    """Return how many connections strangers and bearers of the token may have.

    Both together hold less than a sixth of the descriptors that this process may open.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        descriptors = _MOST_STRANGERS * 32
    strangers = max(1, min(_MOST_STRANGERS, descriptors // 32))
    return strangers, strangers * _BEARERS_PER_STRANGER
