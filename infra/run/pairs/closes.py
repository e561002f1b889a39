"""The closes at which a pair may join or leave."""

from infra.run.pairs.members import Members
from infra.venues.connection import Connection

_LEAD_S = 5.0
"""Real time between a change and the close from which it holds, at least."""


class Closes:
    """The exchange's time, and its next close that a change can wait for."""

    def __init__(self, connection: Connection, members: Members, speed: float) -> None:
        """Look at a clock.

        Args:
            connection: has it.
            members: know how long a candle is.
            speed: of that clock.
        """
        self._connection, self._members, self._speed = connection, members, speed

    def now_ms(self) -> int:
        """Return the present."""
        return self._connection.market.clock.now_ms()

    def next_ms(self) -> int:
        """Return the first close that is far enough away."""
        candle_ms = self._members.rules.candles.candle_ms
        soon_ms = self.now_ms() + int(_LEAD_S * 1000 * self._speed)
        return (soon_ms // candle_ms + 1) * candle_ms
