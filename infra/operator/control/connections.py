"""Limits open connections: few without a valid token, and none that only waits."""

import resource
from collections import Counter
from collections.abc import Callable
from typing import Protocol

REQUEST_S = 5.0
"""How long a complete request may take to arrive, from the connection's start or last answer."""
ANSWER_S = 60.0
"""How long an answer to an authenticated client may take to be made and read."""
EXTENSION = "control.connection"
"""Key among the extensions of a request's scope: the `Connection` it arrived on."""
_MOST_STRANGERS = 32
_BEARERS_PER_STRANGER = 4


class Connection(Protocol):
    """One connection of a client."""

    host: str
    """Address of the client."""
    is_waiting: bool
    """Whether no request is being answered."""

    def abort(self) -> None:
        """Close it at once, dropping unsent data."""

    def admit(self) -> bool:
        """Count it as authenticated; return False if there are too many."""

    def begin_answer(self) -> None:
        """Learn that a request is complete and is being answered."""


class Connections:
    """Counts open connections, and closes the oldest ones if there are too many.

    Always true: at most `most_strangers` are unauthenticated, whatever happens, so clients with the
    token always find room. A client that opens many closes its own first.
    """

    def __init__(
        self, tell: Callable[[str], None], *, most_strangers: int, most_bearers: int
    ) -> None:
        """Start without connections.

        Args:
            tell: takes what was done to a connection; may be called very often.
            most_strangers: most connections that have not shown the token.
            most_bearers: most connections that have.
        """
        self._tell = tell
        self._most_strangers, self._most_bearers = most_strangers, most_bearers
        # Oldest first.
        self._strangers: dict[Connection, None] = {}
        self._bearers: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        """Add a new one; it may exceed the limit."""
        self._strangers[connection] = None
        if len(self._strangers) > self._most_strangers:
            self._close_oldest()

    def are_full(self) -> bool:
        """Tell whether the next unauthenticated connection closes another."""
        return len(self._strangers) >= self._most_strangers

    def admit(self, connection: Connection) -> bool:
        """Count one as authenticated from now on; return False if all others are busy."""
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
        self._strangers.pop(connection, None)
        self._bearers.pop(connection, None)

    def _close_oldest(self) -> None:
        """Close the oldest unauthenticated one of the address with most, preferably an idle one."""
        ((busiest, _),) = Counter(each.host for each in self._strangers).most_common(1)
        theirs = [each for each in self._strangers if each.host == busiest]
        self._close(next((each for each in theirs if each.is_waiting), theirs[0]))

    def _close(self, connection: Connection) -> None:
        self.remove(connection)
        connection.abort()
        self._tell("closed because too many were open")


def shares() -> tuple[int, int]:
    """Return the limits of unauthenticated and authenticated connections.

    Together they use less than a sixth of the file descriptors that this process may open.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        descriptors = _MOST_STRANGERS * 32
    strangers = max(1, min(_MOST_STRANGERS, descriptors // 32))
    return strangers, strangers * _BEARERS_PER_STRANGER
