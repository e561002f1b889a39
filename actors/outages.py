"""Lost connections to the outer world, and when to notify of them.

Assets lost within seconds are one notice, and so is their return. Outages that continue, or come
and go, are reported at growing intervals.
"""

from actors.messages import ConnectionLost, ConnectionRestored
from actors.wording import system
from domain.market.instruments import DAY_MS, MINUTE_MS
from domain.operator.notices import Notice

GATHER_MS = 5_000
_GROWTH = 4
_MOST_STEPS = 10


class Outage:
    """One kind of connection, over all assets. The current time is always an argument."""

    def __init__(self, *, gather_ms: int) -> None:
        """Start with nothing lost.

        Args:
            gather_ms: how long to wait for further losses, or returns.
        """
        self._gather_ms = gather_ms
        self._lost: dict[str, ConnectionLost] = {}
        self._since_ms: dict[str, int] = {}
        self._back: dict[str, ConnectionRestored] = {}
        self._told: set[str] = set()
        """Assets last notified as lost."""
        self._known: set[str] = set()
        """Assets whose loss was notified since the last calm: repeats wait for their turn."""
        self._times = 0
        self._turn_ms = 0
        """When a known loss may be notified again."""
        self.due_ms: int | None = None
        """When to call `tell`; None: there is nothing to tell."""

    def lose(self, message: ConnectionLost, now_ms: int) -> None:
        """Note a loss."""
        asset = message.asset
        self._lost[asset] = message
        self._since_ms.setdefault(asset, now_ms)
        self._back.pop(asset, None)
        self._expect(now_ms + self._gather_ms)

    def restore(self, message: ConnectionRestored, now_ms: int) -> None:
        """Note a return; if its loss was not notified, neither is the return."""
        asset = message.asset
        lost = self._lost.pop(asset, None)
        self._since_ms.pop(asset, None)
        if lost is None or asset in self._told:
            self._back[asset] = message
            self._expect(now_ms + self._gather_ms)

    def tell(self, now_ms: int, pause_minutes: int) -> list[Notice]:
        """Return what to notify of now.

        Args:
            now_ms: the present.
            pause_minutes: first pause between two notices of one outage; then four times as long.
        """
        told = []
        if self._back:
            told.append(system.connection_restored(list(self._back.values()), now_ms))
            self._told -= self._back.keys()
            self._back.clear()
        is_turn = now_ms >= self._turn_ms
        if self._lost and (is_turn or self._lost.keys() - self._known):
            told.append(self._loss(now_ms, pause_minutes))
        elif not self._lost and is_turn:
            self._known.clear()
            self._times = 0
        self.due_ms = self._turn_ms if self._known else None
        return told

    def _loss(self, now_ms: int, pause_minutes: int) -> Notice:
        is_known = self._lost.keys() <= self._told
        since_ms = min(self._since_ms.values())
        self._told = set(self._lost)
        self._known |= self._told
        pause_ms = max(1, pause_minutes) * MINUTE_MS * _GROWTH ** min(self._times, _MOST_STEPS)
        self._times += 1
        self._turn_ms = now_ms + min(pause_ms, DAY_MS)
        lasting_ms = now_ms - since_ms if is_known else None
        return system.connection_lost(list(self._lost.values()), lasting_ms, now_ms)

    def _expect(self, due_ms: int) -> None:
        self.due_ms = due_ms if self.due_ms is None else min(self.due_ms, due_ms)
