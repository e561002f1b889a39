"""The thread that sends every fact to one other program: at least once, and in order."""

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
"""Interval of looking for new facts: nothing wakes it, so storing facts is independent of it."""


class Target(Protocol):
    """Where events go."""

    @property
    def most(self) -> int:
        """How many events it takes at once."""

    def send(self, events: Sequence[Event]) -> None:
        """Send events, oldest first; every wait has a time-out.

        Raises:
            NotDeliveredError: some of them may not have arrived.
            ChannelClosedError: the same, and the operator should act.
        """

    def close(self) -> None:
        """Close the connection."""


class Publisher(DeliveryThread):
    """Sends the facts after a stored position, and advances it once they were accepted."""

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
        """Prepare the thread. See `DeliveryThread`.

        Args:
            name: of the target; its position is stored under it.
            target: of the events.
            journals: the database of the facts.
            source: name of this system.
            rng: for the jitter of pauses.
            first_pause_s: after a first failure.
            on_trouble: called with why the target accepts nothing.
        """
        super().__init__(
            name, journals, rng=rng, first_pause_s=first_pause_s, on_trouble=on_trouble
        )
        self._target = target
        self._feed = FactFeed(journals, name)
        self._source = source
        self._through: int | None = None
        """Id of the newest accepted fact; None: not read yet."""

    @property
    def _look_every_s(self) -> float:
        return _LOOK_EVERY_S

    def close(self, timeout_s: float) -> None:
        """Send what is stored so far, for at most this time, then stop."""
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
            # They were accepted: this process does not send them again, the next one may once.
            logger.warning("{}: its position could not be stored: {}", self.channel, error)
