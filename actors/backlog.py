"""How an actor works while the journal refuses to store: full, locked or not writable.

The rule is: first store, then act. It keeps an order from being sent twice and a protection from
being forgotten, but it must not keep a position open. A reduce-only close can neither open nor
double a position, and its client order id is a pure function of the decision and the attempt, so
the exchange itself refuses a duplicate. So the rule is relaxed for what protects, and for nothing
else:

- **What protects continues.** The intent of a close, a risen protection epoch, a panic, a pause,
  the first move of a trailing stop and the operator's `close` are kept in the reserve
  (`Journal.keep`: a small file with disk space of its own), and acted upon. If even the reserve
  fails they are acted upon all the same: a forgotten close is found at the exchange. Canceling, and
  setting a first stop, store nothing.
- **What opens does not.** An entry needs its intent in the journal (`Journal.append` itself
  refuses one while `Journal.shortage` names a reason), an approval its decision, `rearm` and
  `resume` their command. They are refused, not queued.
- **What has happened waits in memory**: executions, order updates, equity, transfers. The actor's
  books take it at once, in the order in which it will be stored, but it is not announced before it
  is stored. A kill loses it, and the next process reads it from the exchange again, as after any
  kill.

Everything refused waits in one queue, and while that is not empty later facts are queued too, so
that the journal ends up with the facts in the order in which they occurred. The queue is retried
by a timer, the oldest batch first, each all or none.

A late booking must not affect a newer position: none is opened until it is done. Entries are
refused while any actor's record waits in the reserve (`Journal.shortage`), while this actor's own
queue holds anything, and, as always, while an order of the asset is not proven to have ended; and a
close from the reserve is an order in the books like any other, in flight until the exchange has
reported its outcome.

A new incarnation, of the actor or of the process, starts with what waits under its address, as if
it were stored. A refusal does not end an incarnation: `JournalError` is caught only here. A lost
writer lease is different: `FencedError` is passed on, before anything is kept or sent, and ends the
incarnation.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

from loguru import logger

from actors.core.actor import SupervisedActor
from actors.messages import StoreAgain
from actors.ports import Clock, Journal, Timer
from domain.errors import JournalError
from domain.facts import Fact
from domain.portfolio.protection import ProtectionState

OnStored = Callable[[list[int]], None]
"""Called with the fact ids once facts are stored."""
Kind = TypeVar("Kind")


def _say_nothing(_fact_ids: list[int]) -> None:
    return


@dataclass(frozen=True, slots=True)
class _Batch:
    """Facts that are stored together."""

    facts: tuple[Fact, ...]
    on_stored: OnStored = _say_nothing

    @property
    def is_sample(self) -> bool:
        """Tell whether a newer batch makes this one unnecessary."""
        return len(self.facts) == 1 and isinstance(self.facts[0], ProtectionState)


class Backlog:
    """Stores an actor's facts; refused ones wait here, in order."""

    def __init__(
        self, actor: SupervisedActor, journal: Journal, clock: Clock, *, again_ms: int
    ) -> None:
        """Take over what waits in the reserve, and try to store it.

        Args:
            actor: of the facts.
            journal: its writer.
            clock: for the timer.
            again_ms: pause before refused facts are retried.
        """
        self._actor = actor
        self._journal = journal
        self._clock = clock
        self._again_ms = again_ms
        self._timer: Timer | None = None
        self._is_told = False
        """Whether the log already says that facts wait."""
        batches = groupby(journal.kept(), key=attrgetter("batch"))
        self._waiting = deque(_Batch(tuple(k.fact for k in kept)) for _, kept in batches)
        self.flush()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def waiting(self, kind: type[Kind]) -> list[Kind]:
        """Return the waiting facts of a kind, oldest first."""
        return [fact for batch in self._waiting for fact in batch.facts if isinstance(fact, kind)]

    def shortage(self) -> str | None:
        """Return why this actor may open nothing; None if nothing waits anywhere."""
        if self._waiting:
            count = len(self._waiting)
            return f"{self._actor.name}: batches of facts that wait to be stored: {count}"
        return self._journal.shortage()

    def store_now(self, *facts: Fact) -> None:
        """Store facts or fail: for what must not be acted upon before it is stored.

        Raises:
            JournalError: they are not stored, and do not wait.
        """
        if not self.flush():
            raise JournalError("facts before these wait to be stored")
        self._journal.append(*facts)

    def store(
        self,
        *facts: Fact,
        protects: bool = False,
        outlives: bool = False,
        on_stored: OnStored = _say_nothing,
    ) -> None:
        """Store facts, or queue them.

        Args:
            facts: to store together.
            protects: they are acted upon before they are stored, so a kill must not lose them
                either.
            outlives: a kill should not lose them, but nothing is held up if it would.
            on_stored: called once they are stored, at once or later, with their fact ids.

        Raises:
            FencedError: another incarnation has taken the lease.
            JournalError: they protect, and it is unknown whether this process may still write.
        """
        batch = _Batch(facts, on_stored)
        if not self._waiting and self._try(batch):
            return
        if protects:
            self._journal.keep(*facts)
        elif outlives:
            with suppress(JournalError):
                self._journal.keep(*facts)
        if batch.is_sample and self._waiting and self._waiting[-1].is_sample:
            self._waiting.pop()
        self._waiting.append(batch)
        self._try_later()

    def flush(self) -> bool:
        """Store what waits, oldest first; return False if something still waits."""
        while self._waiting:
            if not self._try(self._waiting[0]):
                self._try_later()
                return False
            self._waiting.popleft()
        if self._is_told:
            self._is_told = False
            self._log("all waiting facts are stored")
        return True

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _try(self, batch: _Batch) -> bool:
        try:
            fact_ids = self._journal.append(*batch.facts)
        except JournalError as error:
            if not self._is_told:
                self._is_told = True
                self._log(f"facts wait to be stored, and nothing is opened until then: {error}")
            return False
        batch.on_stored(fact_ids)
        return True

    def _try_later(self) -> None:
        self.close()
        self._timer = self._clock.call_at(
            self._actor.now_ms + self._again_ms,
            lambda: self._actor.hand_in(StoreAgain(), sender="clock", latest="store"),
        )

    def _log(self, text: str) -> None:
        logger.bind(actor=self._actor.name).warning("{}: {}", self._actor.name, text)
