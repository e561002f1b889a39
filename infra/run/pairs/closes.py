"""The closes at which a pair may join or leave."""

from infra.run.pairs.members import Members
from infra.venues.connection import Connection

_LEAD_S = 5.0
"""Least real time between a change and the close from which it is in force."""


class Closes:
    """The exchange's time, and its next close that a change can wait for."""

    def __init__(self, connection: Connection, members: Members, speed: float) -> None:
        """Use a connection's clock.

        Args:
            connection: has the clock.
            members: know the candle length.
            speed: of that clock.
        """
        self._connection, self._members, self._speed = connection, members, speed

    def now_ms(self) -> int:
        """Return the exchange's time, ms."""
        return self._connection.market.clock.now_ms()

    def next_ms(self) -> int:
        """Return the first close that is far enough ahead."""
        candle_ms = self._members.rules.candles.candle_ms
        soon_ms = self.now_ms() + int(_LEAD_S * 1000 * self._speed)
        return (soon_ms // candle_ms + 1) * candle_ms
