"""What the portfolio waits for."""

from actors.core.actor import SupervisedActor
from actors.messages import Message
from actors.ports import Clock, Timer


class Timers:
    """At most one a key: a close that waits for reports, or an asset whose grant waits."""

    def __init__(self, actor: SupervisedActor, clock: Clock) -> None:
        """Wait for nothing yet.

        Args:
            actor: who is reminded.
            clock: tells when.
        """
        self._actor = actor
        self._clock = clock
        self._timers: dict[int | str, Timer] = {}

    def __contains__(self, key: int | str) -> bool:
        return key in self._timers

    def remind(self, key: int | str, due_ms: int, message: Message) -> None:
        """Let the actor hear a message at a time."""
        self._timers[key] = self._clock.call_at(
            due_ms, lambda: self._actor.hand_in(message, sender="clock")
        )

    def cancel(self, key: int | str) -> None:
        """Wait no more for something."""
        if key in self._timers:
            self._timers.pop(key).cancel()

    def close(self) -> None:
        """Wait for nothing any more."""
        for timer in self._timers.values():
            timer.cancel()
