"""The timers of the portfolio."""

from actors.core.actor import SupervisedActor
from actors.messages import Message
from actors.ports import Clock, Timer


class Timers:
    """At most one per key: a close waiting for evaluations, or an asset with a pending approval."""

    def __init__(self, actor: SupervisedActor, clock: Clock) -> None:
        """Start without timers.

        Args:
            actor: to remind.
            clock: for the timers.
        """
        self._actor = actor
        self._clock = clock
        self._timers: dict[int | str, Timer] = {}

    def __contains__(self, key: int | str) -> bool:
        return key in self._timers

    def remind(self, key: int | str, due_ms: int, message: Message) -> None:
        """Send the actor a message at a time."""
        self._timers[key] = self._clock.call_at(
            due_ms, lambda: self._actor.hand_in(message, sender="clock")
        )

    def cancel(self, key: int | str) -> None:
        if key in self._timers:
            self._timers.pop(key).cancel()

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
