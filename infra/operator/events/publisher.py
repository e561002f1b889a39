"""The thread that tells one other program of every fact: at least once, and in order."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from loguru import logger

from domain.errors import JournalError
from infra.operator.delivery import DeliveryThread
from infra.operator.events.event import Event, event_of
from infra.store.events import FactFeed
from infra.store.journal import JournalStore

_LOOK_EVERY_S = 0.25
"""Nobody tells it of new facts, so that whoever stores them has nothing to do with it."""


class Target(Protocol):
    """Where events go."""

    @property
    def most(self) -> int:
        """How many events it takes at once."""

    def send(self, events: Sequence[Event]) -> None:
        """Hand over events, oldest first; every wait in it has a time-out.

        Raises:
            NotDeliveredError: some of them may not have arrived.
            ChannelClosedError: the same, and people should look.
        """

    def close(self) -> None:
        """Let go of the connection."""


class Publisher(DeliveryThread):
    """Sends the facts after a stored place, and moves that place on once they were taken."""

    def __init__(
        self,
        name: str,
        target: Target,
        journals: JournalStore,
        *,
        source: str,
        rng: Random,
        first_pause_s: float = 1.0,
        on_trouble: Callable[[str, str | None], None] = lambda _name, _why: None,
    ) -> None:
        """Start nothing yet. See `DeliveryThread`.

        Args:
            name: of the target; its place is stored under it.
            target: where to.
            journals: the database of the facts.
            source: name of this system.
            rng: for the jitter of pauses.
            first_pause_s: after a first failure.
            on_trouble: told why the target takes nothing.
        """
        super().__init__(
            name, journals, rng=rng, first_pause_s=first_pause_s, on_trouble=on_trouble
        )
        self._target = target
        self._feed = FactFeed(journals, name)
        self._source = source
        self._through: int | None = None
        """Number of the newest fact that was taken; None: not read yet."""

    @property
    def _look_every_s(self) -> float:
        return _LOOK_EVERY_S

    def close(self, timeout_s: float) -> None:
        """Send what is stored by now, for at most this time, then stop."""
        self.wake()
        super().close(timeout_s)
        self._target.close()

    def _deliver_next(self) -> bool:
        if self._through is None:
            self._through = self._feed.read_through()
        facts = self._feed.after(self._through, self._target.most)
        if not facts:
            return False
        self._target.send([event_of(fact, self._source) for fact in facts])
        self._through = facts[-1].fact_id
        self._note(self._through)
        return True

    def _note(self, through: int) -> None:
        try:
            self._feed.read_on(through)
        except JournalError as error:
            # They were taken: this process sends them no more, the next one perhaps once again.
            logger.warning("{}: how far it was told is not stored: {}", self.channel, error)
